//===- CheckTasks.cpp - tasks that a GPU cannot run -----------------------===//
#include "CheckTasks.h"

#include "Variants.h"
#include "mtc/Codegen/CUDA/Compile.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace mtc::cuda {

/// "  det.n1: task 17 (Conv_3): REASON".
static std::string lineOf(Operation *task, uint64_t id, StringRef reason) {
  auto entry = task->getParentOfType<mt::EntryOp>();
  auto tenant = entry->getParentOfType<mt::TenantOp>();
  const std::string names = mt::namesOf(task->getLoc());
  return ("\n  " + tenant.getSymName() + "." + entry.getSymName() + ": task " + Twine(id) +
          (names.empty() ? "" : " (" + names + ")") + ": " + reason)
      .str();
}

std::string listTasks(mt::ProgramOp program, const llvm::StringMap<std::string> &reasons) {
  std::string lines;
  program->walk([&](mt::TaskOp task) {
    auto reason = reasons.find(task.getKernel());
    if (reason != reasons.end())
      lines += lineOf(task, task.getId(), reason->second);
  });
  return lines;
}

Status checkTasks(mt::ProgramOp program, const CudaTarget &target) {
  // What emitters write, as the passes that run them declare.
  program->getContext()
      ->loadDialect<arith::ArithDialect, func::FuncDialect, gpu::GPUDialect, math::MathDialect,
                    memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
  llvm::StringMap<std::string> reasons;
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    std::string message;
    ScopedDiagnosticHandler handler(kernel->getContext(), [&](Diagnostic &diagnostic) {
      if (message.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
        message = diagnostic.str();
      return success();
    });
    if (failed(choosePhases(kernel)))
      reasons[kernel.getSymName()] = message.empty() ? "cannot be emitted" : message;
  }
  const std::string lines = listTasks(program, reasons);
  return lines.empty() ? okStatus()
                       : unsupported("'" + target.name + "' cannot run these tasks:" + lines);
}

} // namespace mtc::cuda
