//===- EmitKernels.cpp - show what the CUDA emitters write ----------------===//
#include "mtc/Codegen/CUDA/Passes.h"

#include "Variants.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::cuda {

#define GEN_PASS_DEF_EMITCUDAKERNELS
#include "mtc/Codegen/CUDA/Passes.h.inc"

namespace {

struct EmitCudaKernels : impl::EmitCudaKernelsBase<EmitCudaKernels> {
  using EmitCudaKernelsBase::EmitCudaKernelsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto program : llvm::make_early_inc_range(module.getOps<mt::ProgramOp>())) {
      for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
        if (!kernel.getVariantsAttr()) {
          kernel.emitOpError("has no variants; run mt-tune-cuda-kernels first");
          return signalPassFailure();
        }
        auto variant = cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]);
        if (failed(emitVariant(module, kernel, variant.getConfig(), kernel.getSymName())))
          return signalPassFailure();
      }
      program.erase();
    }
  }
};

} // namespace
} // namespace mtc::cuda
