//===- TuneKernels.cpp - give every kernel its variants -------------------===//
#include "mtc/Codegen/Host/Passes.h"

#include "Roofline.h"
#include "Variants.h"

#include "mtc/Tuning/CostModel.h"

using namespace mlir;

namespace mtc::host {

#define GEN_PASS_DEF_TUNEKERNELS
#include "mtc/Codegen/Host/Passes.h.inc"

namespace {

struct TuneKernels : impl::TuneKernelsBase<TuneKernels> {
  using TuneKernelsBase::TuneKernelsBase;

  void runOnOperation() override {
    mt::ProgramOp program = getOperation();
    std::string text =
        target.empty() ? program.getTarget().value_or("host").str() : target.getValue();
    StatusOr<HostTarget> resolved = resolve(text);
    if (!resolved.ok()) {
      program.emitOpError(resolved.status().message());
      return signalPassFailure();
    }
    StatusOr<HostRow> row = hostRow(resolved->cpu);
    if (!row.ok()) {
      program.emitOpError(row.status().message());
      return signalPassFailure();
    }
    Device device = hostDevice(resolved->name, *row, resolved->cores);
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      FailureOr<Choice> choice = chooseConfig(kernel, *resolved, plain);
      if (failed(choice))
        return signalPassFailure();
      kernel.setVariantsAttr(
          ArrayAttr::get(&getContext(), {price(kernel, *choice, *resolved, device)}));
    }
  }

  static mt::VariantAttr price(mt::KernelOp kernel, const Choice &choice, const HostTarget &target,
                               const Device &device) {
    Work work = workOf(kernel, target);
    KernelFeatures features;
    features.kind = static_cast<KernelKind>(kernel.getKind());
    features.flops = work.flops;
    features.bytes = work.bytes;
    features.phaseTiles.assign(choice.tiles.begin(), choice.tiles.end());
    features.vectorized = choice.config != plainConfig(kernel.getContext());
    SmallVector<int64_t> granules, ns;
    for (const ShareTime &time : modelledTimes(features, device)) {
      granules.push_back(time.granules);
      ns.push_back(std::max<int64_t>(1, time.ns));
    }
    MLIRContext *context = kernel.getContext();
    return mt::VariantAttr::get(
        context, choice.config, DenseI64ArrayAttr::get(context, choice.tiles), choice.scratchBytes,
        DenseI64ArrayAttr::get(context, granules), DenseI64ArrayAttr::get(context, ns),
        StringAttr::get(context, "modelled"));
  }
};

} // namespace
} // namespace mtc::host
