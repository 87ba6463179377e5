//===- TuneKernels.cpp - give every kernel its variants -------------------===//
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

#define GEN_PASS_DEF_TUNECUDAKERNELS
#include "mtc/Codegen/CUDA/Passes.h.inc"

namespace {

struct TuneCudaKernels : impl::TuneCudaKernelsBase<TuneCudaKernels> {
  using TuneCudaKernelsBase::TuneCudaKernelsBase;

  void runOnOperation() override {
    mt::ProgramOp program = getOperation();
    StatusOr<CudaTarget> resolved =
        resolve(target.empty() ? program.getTarget().value_or("").str() : target.getValue());
    if (!resolved.ok()) {
      program.emitOpError(resolved.status().message());
      return signalPassFailure();
    }
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      FailureOr<SmallVector<mt::VariantAttr>> variants = chooseVariants(kernel, *resolved, plain);
      if (failed(variants))
        return signalPassFailure();
      kernel.setVariantsAttr(ArrayAttr::get(
          &getContext(), SmallVector<Attribute>(variants->begin(), variants->end())));
    }
  }
};

} // namespace
} // namespace mtc::cuda
