//===- UseTuning.cpp - measured variants in, descriptions of kernels out --===//
#include "UseTuning.h"
#include "TunedTarget.h"

#include "mtc/Codegen/Host/KernelSpace.h"
#include "mtc/Pipelines/Tune.h"
#include "mtc/Support/File.h"
#include "mtc/Tuning/Learn.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

using namespace mlir;

namespace mtc {

static std::string printedConfig(const TunedTarget &target, mt::VariantAttr variant) {
  FailureOr<Config> config = target.configOf(variant);
  return succeeded(config) ? printConfig(*config) : "";
}

/// The attributes of chosen variants; empty if one does not fit the kernel.
static SmallVector<Attribute> variantAttrs(mt::KernelOp kernel, const TunedTarget &target,
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
    FailureOr<mt::VariantAttr> attribute =
        target.variantOf(kernel, *config, granules, ns, "measured");
    if (failed(attribute))
      return {};
    attributes.push_back(*attribute);
  }
  return attributes;
}

/// The variants that a kernel has, with learned times; empty if its form was not learned.
static SmallVector<Attribute> learnedAttrs(mt::KernelOp kernel, const TunedTarget &target,
                                           const LearnedTimes &learned) {
  const KernelFeatureMap features = target.kernelFeatures(kernel);
  SmallVector<Attribute> attributes;
  if (!learned.knows(features))
    return {};
  for (auto variant : kernel.getVariantsAttr().getAsRange<mt::VariantAttr>()) {
    FailureOr<Config> config = target.configOf(variant);
    if (failed(config))
      return {};
    SmallVector<int64_t> granules, ns;
    for (int32_t count = 1; count <= target.granules(); ++count) {
      const auto time = int64_t(learned.ns(features, *config, count));
      if (!ns.empty() && time >= ns.back())
        continue;
      granules.push_back(count);
      ns.push_back(time);
    }
    FailureOr<mt::VariantAttr> attribute =
        target.variantOf(kernel, *config, granules, ns, "learned");
    if (failed(attribute))
      return {};
    attributes.push_back(*attribute);
  }
  return attributes;
}

/// Records by kernel, of one device.
static llvm::StringMap<std::vector<TimeRecord>> timesByKernel(const TuningRecords &records,
                                                              const std::string &device) {
  llvm::StringMap<std::vector<TimeRecord>> timesOf;
  for (const TimeRecord &record : records.times)
    if (record.key.device == device)
      timesOf[record.key.kernel].push_back(record);
  return timesOf;
}

/// The variants to offer of a kernel with such records; see chooseVariants.
static std::vector<ChosenVariant> chooseFor(mt::KernelOp kernel, const TunedTarget &target,
                                            llvm::ArrayRef<TimeRecord> times,
                                            double margin = 0.03) {
  const std::string first =
      printedConfig(target, cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]));
  const auto isUsable = target.isUsable(kernel);
  return chooseVariants(
      times, first, target.granules(),
      [&](const std::string &text) { return text == first || isUsable(text); }, margin);
}

/// The device whose times are meant: the one that is named, or the only one that has times of the
/// program's kernels; empty: none has.
static StatusOr<std::string> gpuOf(mt::ProgramOp program, const TunedTarget &target,
                                   const TuningRecords &records, const std::string &named) {
  if (!named.empty())
    return named;
  std::set<std::string> hashes, devices;
  for (auto kernel : program.getBody().getOps<mt::KernelOp>())
    hashes.insert(target.kernelHash(kernel));
  for (const TimeRecord &record : records.times)
    if (hashes.contains(record.key.kernel))
      devices.insert(record.key.device);
  if (devices.size() > 1)
    return invalidInput(fmt::format("the tuning records have times of several GPUs ({}): name one "
                                    "by --tuning-device",
                                    fmt::join(devices, "; ")));
  return devices.empty() ? "" : *devices.begin();
}

Status useRecords(mt::ProgramOp program, const AnyTarget &any, const TuningRecords &records,
                  std::string device) {
  const std::unique_ptr<TunedTarget> target = tunedTarget(any);
  const auto *host = std::get_if<host::HostTarget>(&any);
  if (!host) {
    MTC_ASSIGN_OR_RETURN(device, gpuOf(program, *target, records, device));
  }
  const auto timesOf = timesByKernel(records, device);
  const LearnedTimes learned = LearnedTimes::train(records, device);
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    auto known = timesOf.find(target->kernelHash(kernel));
    SmallVector<Attribute> attributes;
    if (known != timesOf.end())
      attributes = variantAttrs(kernel, *target, chooseFor(kernel, *target, known->second));
    if (attributes.empty())
      attributes = learnedAttrs(kernel, *target, learned);
    if (!attributes.empty())
      kernel.setVariantsAttr(ArrayAttr::get(kernel.getContext(), attributes));
  }
  return okStatus();
}

//===----------------------------------------------------------------------===//
// what is shipped
//===----------------------------------------------------------------------===//

TuningRecords readShipped(const std::string &folder, std::vector<std::string> &notes) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".jsonl")
      files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  TuningRecords records;
  for (const std::string &file : files) {
    StatusOr<std::string> text = readTextFile(file);
    StatusOr<TuningRecords> more = text.ok() ? parseRecords(*text, "", file) : text.status();
    if (more.ok())
      records.append(std::move(*more));
    else
      notes.push_back(more.status().message() + "; it is not used");
  }
  return records;
}

int64_t useShipped(mt::ProgramOp program, const host::HostTarget &target,
                   const TuningRecords &records, const std::string &device,
                   std::vector<std::string> &notes) {
  const std::unique_ptr<TunedTarget> tuned = tunedTarget(target);
  const auto timesOf = timesByKernel(records, device);
  if (records.times.empty())
    return 0;
  auto note = [&](const std::string &what) {
    notes.push_back(fmt::format("{}: shipped times {}", target.name, what));
    return 0;
  };
  if (timesOf.empty())
    return note(fmt::format("are not of '{}'", device));
  int64_t used = 0, stale = 0;
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    auto known = timesOf.find(host::kernelHash(kernel, target));
    if (known == timesOf.end())
      continue;
    // Only times of the very code that would be emitted now, for this number of cores.
    std::vector<TimeRecord> times;
    llvm::StringMap<std::string> codeOf;
    int32_t cores = 0;
    for (const TimeRecord &record : known->second) {
      auto [code, isNew] = codeOf.try_emplace(record.key.config);
      StatusOr<Config> config = parseConfig(record.key.config);
      if (isNew && config.ok()) {
        FailureOr<std::string> hash =
            host::emissionHash(kernel, target, host::configAttr(kernel.getContext(), *config));
        code->second = succeeded(hash) ? *hash : "";
      }
      if (record.code.empty() || record.code != code->second)
        continue;
      cores = std::max(cores, record.key.granules);
      times.push_back(record);
    }
    SmallVector<Attribute> attributes;
    if (cores == target.cores)
      attributes = variantAttrs(kernel, *tuned, chooseFor(kernel, *tuned, times));
    if (attributes.empty()) {
      ++stale;
      continue;
    }
    kernel.setVariantsAttr(ArrayAttr::get(kernel.getContext(), attributes));
    ++used;
  }
  note(fmt::format("taken for {} kernels; of {} their code or the cores are others'", used, stale));
  return used;
}

TuningRecords recordsToShip(mt::KernelOp kernel, const host::HostTarget &target,
                            llvm::ArrayRef<TimeRecord> times) {
  // Whoever takes them cannot measure again: what wins must win by more than a search asks for.
  constexpr double margin = 0.05;
  TuningRecords records;
  const std::unique_ptr<TunedTarget> tuned = tunedTarget(target);
  std::set<std::string> kept = {
      printedConfig(*tuned, cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]))};
  for (const ChosenVariant &variant : chooseFor(kernel, *tuned, times, margin))
    kept.insert(variant.config);
  if (kept.size() == 1)
    return records;
  for (const std::string &text : kept) {
    StatusOr<Config> config = parseConfig(text);
    if (!config.ok())
      continue;
    FailureOr<std::string> code =
        host::emissionHash(kernel, target, host::configAttr(kernel.getContext(), *config));
    for (const TimeRecord &record : times)
      if (record.key.config == text && record.samples > 0 && succeeded(code)) {
        records.times.push_back(record);
        records.times.back().halves = {0, 0};
        records.times.back().code = *code;
      }
  }
  return records;
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

Candidates describeKernels(llvm::ArrayRef<mt::KernelOp> kernels, const TunedTarget &target) {
  Candidates candidates;
  candidates.target = target.name();
  candidates.compiler = tuningVersion();
  for (mt::KernelOp kernel : kernels) {
    CandidateKernel &candidate = candidates.kernels.emplace_back();
    if (!kernel)
      continue;
    for (auto variant : kernel.getVariantsAttr().getAsRange<mt::VariantAttr>())
      candidate.configs.push_back(printedConfig(target, variant));
    if (!llvm::is_contained(candidate.configs, ""))
      candidate.kernel = target.kernelHash(kernel);
    else
      candidate.configs.clear();
  }
  return candidates;
}

} // namespace mtc
