//===- UseTuning.cpp - measured variants in, descriptions of kernels out --===//
#include "UseTuning.h"

#include "mtc/Codegen/Host/KernelSpace.h"
#include "mtc/Tuning/Learn.h"
#include "mtc/Tuning/Search.h"

using namespace mlir;

namespace mtc {

std::string printedConfig(mt::VariantAttr variant) {
  FailureOr<Config> config = host::configOf(variant.getConfig());
  return succeeded(config) ? printConfig(*config) : "";
}

/// The attributes of chosen variants; empty if one does not fit the kernel.
static SmallVector<Attribute> variantAttrs(mt::KernelOp kernel, const host::HostTarget &target,
                                           llvm::ArrayRef<ChosenVariant> chosen) {
  SmallVector<Attribute> attributes;
  for (const ChosenVariant &variant : chosen) {
    StatusOr<Config> config = parseConfig(variant.config);
    SmallVector<int64_t> granules, ns;
    for (const ShareTime &time : variant.times) {
      granules.push_back(time.granules);
      ns.push_back(time.ns);
    }
    if (!config.ok())
      return {};
    FailureOr<mt::VariantAttr> attribute = host::variantOf(
        kernel, target, host::configAttr(kernel.getContext(), *config), granules, ns, "measured");
    if (failed(attribute))
      return {};
    attributes.push_back(*attribute);
  }
  return attributes;
}

/// The variants that a kernel has, with learned times; empty if its form was not learned.
static SmallVector<Attribute> learnedAttrs(mt::KernelOp kernel, const host::HostTarget &target,
                                           const LearnedTimes &learned) {
  const KernelFeatureMap features = host::kernelFeatures(kernel, target);
  SmallVector<Attribute> attributes;
  if (!learned.knows(features))
    return {};
  for (auto variant : kernel.getVariantsAttr().getAsRange<mt::VariantAttr>()) {
    FailureOr<Config> config = host::configOf(variant.getConfig());
    if (failed(config))
      return {};
    SmallVector<int64_t> granules, ns;
    for (int32_t count = 1; count <= target.cores; ++count) {
      const auto time = int64_t(learned.ns(features, *config, count));
      if (!ns.empty() && time >= ns.back())
        continue;
      granules.push_back(count);
      ns.push_back(time);
    }
    FailureOr<mt::VariantAttr> attribute =
        host::variantOf(kernel, target, variant.getConfig(), granules, ns, "learned");
    if (failed(attribute))
      return {};
    attributes.push_back(*attribute);
  }
  return attributes;
}

void useRecords(mt::ProgramOp program, const host::HostTarget &target, const TuningRecords &records,
                const std::string &device) {
  llvm::StringMap<std::vector<TimeRecord>> timesOf;
  for (const TimeRecord &record : records.times)
    if (record.key.device == device)
      timesOf[record.key.kernel].push_back(record);
  const CoreShape core = host::coreShape(target);
  const LearnedTimes learned = LearnedTimes::train(records, device);
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    auto known = timesOf.find(host::kernelHash(kernel, target));
    SmallVector<Attribute> attributes;
    if (known != timesOf.end()) {
      const std::string first = printedConfig(cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]));
      const KernelShape shape = host::kernelShape(kernel, target);
      auto isUsable = [&](const std::string &text) {
        StatusOr<Config> config = parseConfig(text);
        return text == first || (config.ok() && verify(shape, core, *config).ok());
      };
      attributes = variantAttrs(kernel, target,
                                chooseVariants(known->second, first, target.cores, isUsable));
    }
    if (attributes.empty())
      attributes = learnedAttrs(kernel, target, learned);
    if (!attributes.empty())
      kernel.setVariantsAttr(ArrayAttr::get(kernel.getContext(), attributes));
  }
}

void countOrigins(mt::ProgramOp program, TuningSummary &summary) {
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    const StringRef origin =
        cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]).getOrigin().getValue();
    ++(origin == "measured"  ? summary.measured
       : origin == "learned" ? summary.learned
                             : summary.modelled);
  }
}

Candidates describeKernels(llvm::ArrayRef<mt::KernelOp> kernels, const host::HostTarget &target) {
  Candidates candidates;
  candidates.target = target.name;
  candidates.compiler = host::codeVersion();
  for (mt::KernelOp kernel : kernels) {
    CandidateKernel &candidate = candidates.kernels.emplace_back();
    if (!kernel)
      continue;
    for (auto variant : kernel.getVariantsAttr().getAsRange<mt::VariantAttr>())
      candidate.configs.push_back(printedConfig(variant));
    if (!llvm::is_contained(candidate.configs, ""))
      candidate.kernel = host::kernelHash(kernel, target);
    else
      candidate.configs.clear();
  }
  return candidates;
}

} // namespace mtc
