//===- EmitKernels.cpp - show what the host emitters write ----------------===//
#include "mtc/Codegen/Host/Passes.h"

#include "Variants.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {

#define GEN_PASS_DEF_EMITKERNELS
#include "mtc/Codegen/Host/Passes.h.inc"

namespace {

struct EmitKernels : impl::EmitKernelsBase<EmitKernels> {
  using EmitKernelsBase::EmitKernelsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto program : llvm::make_early_inc_range(module.getOps<mt::ProgramOp>())) {
      std::string text =
          target.empty() ? program.getTarget().value_or("host").str() : target.getValue();
      StatusOr<HostTarget> resolved = resolve(text);
      if (!resolved.ok()) {
        program.emitOpError(resolved.status().message());
        return signalPassFailure();
      }
      for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
        if (!kernel.getVariantsAttr()) {
          kernel.emitOpError("has no variants; run mt-tune-kernels first");
          return signalPassFailure();
        }
        auto variant = cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]);
        if (failed(
                emitVariant(module, kernel, variant.getConfig(), kernel.getSymName(), *resolved)))
          return signalPassFailure();
      }
      program.erase();
    }
  }
};

} // namespace
} // namespace mtc::host
