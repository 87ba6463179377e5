//===- ImportTool.cpp - the importer alone, for lit -----------------------===//
//
// mtc-import MODEL.onnx [--tenant T] [--shapes x:1x3]... [--dim N=1]... [--value x=1,2]...
// [--limit-nodes N] [--limit-unrolled N] [--time]
// prints the program in the model phase; an error goes to stderr, its code is the exit code. More
// than one model makes a set; `--operators` prints the operator table of docs/operators.md instead;
// --shapes, --dim and --value belong to the model before them.
//
//===----------------------------------------------------------------------===//
#include "mtc/Import/ONNX/Import.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"

#include <chrono>

namespace {

std::string stem(llvm::StringRef path) {
  return path.rsplit('/').second.empty() ? path.rsplit('.').first.str()
                                         : path.rsplit('/').second.rsplit('.').first.str();
}

} // namespace

int main(int argc, char **argv) {
  std::vector<mtc::ImportRequest> requests;
  mtc::ImportLimits limits;
  bool time = false, quiet = false;
  for (int i = 1; i < argc; ++i) {
    llvm::StringRef flag = argv[i];
    if (!flag.starts_with("--")) {
      requests.push_back({stem(flag), flag.str(), {{"n1", {}, {}, {}, {}}}});
      continue;
    }
    if (flag == "--operators") {
      llvm::outs() << mtc::operatorTable();
      return 0;
    }
    if (flag == "--time" || flag == "--quiet") {
      (flag == "--time" ? time : quiet) = true;
      continue;
    }
    if (i + 1 == argc || requests.empty())
      return 2;
    llvm::StringRef value = argv[++i];
    mtc::EntryBinding &entry = requests.back().entries.back();
    if (flag == "--tenant") {
      requests.back().tenant = value.str();
    } else if (flag == "--limit-nodes") {
      if (value.getAsInteger(10, limits.maxNodes))
        return 2;
    } else if (flag == "--limit-unrolled") {
      if (value.getAsInteger(10, limits.maxUnrolledNodes))
        return 2;
    } else if (flag == "--entry") {
      requests.back().entries.push_back({value.str(), {}, {}, {}, {}});
    } else if (flag == "--dim") {
      auto [name, size] = value.rsplit('=');
      if (size.getAsInteger(10, entry.dims[name.str()]))
        return 2;
    } else if (flag == "--value") {
      auto [name, numbers] = value.rsplit('=');
      mtc::InputValue &bound = entry.values[name.str()];
      llvm::SmallVector<llvm::StringRef> parts;
      if (!numbers.empty())
        numbers.split(parts, ',');
      for (llvm::StringRef part : parts)
        bound.numbers.push_back(part.str());
    } else if (flag == "--shapes") {
      auto [name, dims] = value.rsplit(':');
      if (dims == "none") {
        entry.absent.insert(name.str());
        continue;
      }
      std::vector<int64_t> &shape = entry.shapes[name.str()];
      llvm::SmallVector<llvm::StringRef> parts;
      if (!dims.empty())
        dims.split(parts, 'x');
      for (llvm::StringRef part : parts)
        if (part.getAsInteger(10, shape.emplace_back()))
          return 2;
    } else {
      return 2;
    }
  }

  mlir::MLIRContext context;
  context.loadDialect<mtc::mt::MTDialect, mlir::arith::ArithDialect, mlir::linalg::LinalgDialect,
                      mlir::math::MathDialect, mlir::tensor::TensorDialect>();
  mlir::OpBuilder b(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module(mlir::ModuleOp::create(b.getUnknownLoc()));
  b.setInsertionPointToEnd(module->getBody());
  auto program = mtc::mt::ProgramOp::create(b, b.getUnknownLoc(), "set");
  int code = 0;
  for (const mtc::ImportRequest &request : requests) {
    auto start = std::chrono::steady_clock::now();
    std::vector<mtc::UnsupportedNode> unsupported;
    mtc::Status status = mtc::importModel(program, request, limits, unsupported);
    if (time)
      llvm::errs()
          << request.tenant << " "
          << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()
          << " s\n";
    if (status.ok())
      continue;
    llvm::errs() << status.message() << "\n";
    code = status.exitCode();
  }
  if (code == 0 && mlir::failed(mlir::verify(*module)))
    return 1;
  mlir::OpPrintingFlags flags;
  flags.elideLargeElementsAttrs(16);
  if (code == 0 && !quiet)
    module->print(llvm::outs(), flags);
  return code;
}
