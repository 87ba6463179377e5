//===- TuneKernels.cpp - give every kernel its variants -------------------===//
#include "mtc/Codegen/Host/Passes.h"

#include "Roofline.h"
#include "Variants.h"

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
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      FailureOr<Choice> choice = chooseConfig(kernel, *resolved, plain);
      if (failed(choice))
        return signalPassFailure();
      kernel.setVariantsAttr(ArrayAttr::get(&getContext(), {price(kernel, *choice, *resolved)}));
    }
  }

  static mt::VariantAttr price(mt::KernelOp kernel, const Choice &choice,
                               const HostTarget &target) {
    Work work = workOf(kernel);
    SmallVector<int64_t> granules, ns;
    for (int g = 1; g <= target.cores; ++g) {
      granules.push_back(g);
      ns.push_back(rooflineNs(work, choice, target, g));
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
