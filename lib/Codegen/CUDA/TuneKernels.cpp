//===- TuneKernels.cpp - give every kernel its variants -------------------===//
#include "mtc/Codegen/CUDA/Passes.h"

#include "Variants.h"

#include "mtc/Dialect/MT/Transforms/CountOperations.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Tuning/GpuModel.h"

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
      FailureOr<Choice> choice = chooseConfig(kernel, *resolved, plain);
      if (failed(choice))
        return signalPassFailure();
      kernel.setVariantsAttr(ArrayAttr::get(&getContext(), {price(kernel, *choice, *resolved)}));
    }
  }

  static mt::VariantAttr price(mt::KernelOp kernel, const Choice &choice,
                               const CudaTarget &target) {
    GpuCut cut;
    cut.flops = mt::flopsOf(kernel);
    cut.bytes = mt::bytesOf(kernel);
    cut.phaseTiles.assign(choice.tiles.begin(), choice.tiles.end());
    cut.efficiency = choice.efficiency;
    SmallVector<int64_t> granules, ns;
    for (const ShareTime &time : gpuTimes(cut, target.gpu)) {
      granules.push_back(time.granules);
      ns.push_back(time.ns);
    }
    MLIRContext *context = kernel.getContext();
    return mt::VariantAttr::get(
        context, choice.config, DenseI64ArrayAttr::get(context, choice.tiles), choice.scratchBytes,
        DenseI64ArrayAttr::get(context, granules), DenseI64ArrayAttr::get(context, ns),
        StringAttr::get(context, "modelled"));
  }
};

} // namespace
} // namespace mtc::cuda
