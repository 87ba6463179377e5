//===- Variants.cpp - the configs of kernels and their emission -----------===//
#include "Variants.h"

#include "Emitter.h"

using namespace mlir;

namespace mtc::host {

DictionaryAttr plainConfig(MLIRContext *context) {
  Builder b(context);
  return b.getDictionaryAttr(b.getNamedAttr("emitter", b.getStringAttr("plain")));
}

FailureOr<int64_t> plainScratchBytes(mt::KernelOp kernel) {
  FailureOr<BufferPlan> plan = planBuffers(kernel);
  if (failed(plan))
    return failure();
  return plan->scratchBytes;
}

FailureOr<Choice> chooseConfig(mt::KernelOp kernel, const HostTarget &target, bool plain) {
  FailureOr<int64_t> scratch = plainScratchBytes(kernel);
  if (failed(scratch))
    return failure();
  return Choice{plainConfig(kernel.getContext()), {1}, *scratch};
}

LogicalResult emitVariant(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                          StringRef symbol, const HostTarget &target) {
  auto name = config.getAs<StringAttr>("emitter");
  if (name && name.getValue() == "plain") {
    FailureOr<BufferPlan> plan = planBuffers(kernel);
    if (failed(plan))
      return failure();
    Emitter emitter(module, kernel, *plan, symbol);
    return emitPlain(emitter);
  }
  return kernel.emitOpError("has a config of no known emitter: ") << config;
}

} // namespace mtc::host
