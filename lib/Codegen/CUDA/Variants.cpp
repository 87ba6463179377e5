//===- Variants.cpp - the configs of CUDA kernels and their emission ------===//
#include "Variants.h"

#include "EmitPhases.h"

using namespace mlir;

namespace mtc::cuda {
namespace {

/// Threads of a block where nothing speaks for another number: eight warps hide latency, and all
/// SMs hold a whole number of such blocks.
constexpr int64_t standardThreads = 256;

DictionaryAttr makeConfig(MLIRContext *context, StringRef emitter,
                          ArrayRef<std::pair<StringRef, int64_t>> numbers) {
  Builder b(context);
  SmallVector<NamedAttribute> entries = {b.getNamedAttr("emitter", b.getStringAttr(emitter))};
  for (auto [name, value] : numbers)
    entries.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(value)));
  return b.getDictionaryAttr(entries);
}

/// A positive number of the config, or 0.
int64_t numberOf(DictionaryAttr config, StringRef name) {
  auto value = config.getAs<IntegerAttr>(name);
  return value ? std::max<int64_t>(0, value.getInt()) : 0;
}

} // namespace

FailureOr<Choice> choosePhases(mt::KernelOp kernel) {
  FailureOr<Phases> phases = analysePhases(kernel, standardThreads);
  if (failed(phases))
    return failure();
  return Choice{makeConfig(kernel.getContext(), "phases", {{"threads", standardThreads}}),
                phases->tiles, phases->plan.scratchBytes};
}

FailureOr<Choice> chooseConfig(mt::KernelOp kernel, const CudaTarget &target, bool plain) {
  return choosePhases(kernel);
}

std::string phaseSymbol(StringRef symbol, int64_t phase) {
  return (symbol + "_p" + Twine(phase)).str();
}

LogicalResult emitVariant(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                          StringRef symbol, const CudaTarget &target) {
  auto name = config.getAs<StringAttr>("emitter");
  int64_t threads = numberOf(config, "threads");
  if (name && name.getValue() == "phases" && threads > 0) {
    FailureOr<Phases> phases = analysePhases(kernel, threads);
    if (failed(phases))
      return failure();
    for (size_t p = 0; p < phases->tiles.size(); ++p)
      if (failed(emitPhase(module, kernel, *phases, p, phaseSymbol(symbol, p), threads)))
        return failure();
    return success();
  }
  return kernel.emitOpError("has a config of no known emitter: ") << config;
}

} // namespace mtc::cuda
