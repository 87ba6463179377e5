//===- PrintKernels.cpp - PTX or resources of all kernels of a program ----===//
//
// mtc-cuda-kernels FILE [--plain | --tuned] [--members] [--assemble [PTXAS]]: tunes and compiles
// the program in FILE, with --tuned only that, with --members also for launches of up to four, and
// prints the PTX of every variant, or with --assemble a line a function of what ptxas says of it.
// For tests.
//
//===----------------------------------------------------------------------===//
#include "mtc/Codegen/CUDA/Compile.h"
#include "mtc/Codegen/CUDA/Passes.h"
#include "mtc/Dialect/MT/IR/Register.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mtc;

static int fail(const std::string &message) {
  llvm::errs() << "error: " << message << "\n";
  return 1;
}

int main(int argc, char **argv) {
  std::vector<llvm::StringRef> words(argv + 1, argv + argc);
  if (words.empty())
    return fail(
        "usage: mtc-cuda-kernels FILE [--plain | --tuned] [--members] [--assemble [PTXAS]]");
  cuda::TuneCudaKernelsOptions tune;
  cuda::CompileOptions options;
  options.assemble = false;
  bool isTuned = false;
  for (size_t i = 1; i < words.size(); ++i) {
    tune.plain |= words[i] == "--plain";
    isTuned |= words[i] == "--tuned";
    if (words[i] == "--members")
      options.mostMembers = [](llvm::StringRef) { return 4; };
    if (words[i] == "--assemble")
      options.assemble = true;
    else if (options.assemble)
      options.ptxas = words[i].str();
  }
  DialectRegistry registry;
  registerMtcDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  auto module = parseSourceFile<ModuleOp>(words[0], &context);
  if (!module)
    return fail("the file does not parse");
  PassManager manager(&context);
  manager.addNestedPass<mt::ProgramOp>(cuda::createTuneCudaKernels(tune));
  if (!isTuned && failed(manager.run(*module)))
    return fail("cannot be tuned");
  for (auto program : module->getOps<mt::ProgramOp>()) {
    StatusOr<cuda::CudaTarget> target = cuda::resolve(program.getTarget().value_or("").str());
    if (!target.ok())
      return fail(target.status().message());
    StatusOr<cuda::CompiledCode> code = cuda::compileProgram(program, *target, options);
    if (!code.ok())
      return fail(code.status().message());
    for (const std::string &warning : code->warnings)
      llvm::errs() << "warning: " << warning << "\n";
    size_t k = 0;
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      const std::string &symbol = code->symbols[k++].front();
      for (const GpuModule &m : code->modules) {
        if (m.symbol != symbol)
          continue;
        llvm::outs() << "// kernel " << kernel.getSymName() << "\n";
        if (!options.assemble)
          llvm::outs() << m.ptx << "\n";
        for (auto [p, f] : llvm::enumerate(m.phases))
          llvm::outs() << "// phase " << p << ": threads " << f.threads << " shared "
                       << f.sharedBytes << " registers " << f.registers << " spills "
                       << f.spillBytes << " blocks " << f.blocksPerUnit << "\n";
      }
    }
  }
  return 0;
}
