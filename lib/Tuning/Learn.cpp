//===- Learn.cpp - training -----------------------------------------------===//
#include "mtc/Tuning/Learn.h"

#include "Features.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace mtc {
namespace {

/// The records of one kernel on one share.
struct Group {
  std::vector<double> level; ///< features
  double prior = 0;          ///< logarithm of the roofline's time, in its own unit
  std::vector<Example> configs;
};

/// By form, then by kernel, granules and neighbour.
using Groups = std::map<int, std::map<std::tuple<std::string, int32_t, std::string>, Group>>;

void addExample(const KernelFeatureMap &kernel, const TimeRecord &record, Groups &groups) {
  StatusOr<Config> config = parseConfig(record.key.config);
  if (!config.ok() || record.samples == 0 || !describesConfig(kernel, *config))
    return;
  const TimeKey &key = record.key;
  Group &group = groups[formOf(kernel)][{key.kernel, key.granules, key.neighbour}];
  group.prior = priorOf(kernel, key.granules);
  group.level = levelFeaturesOf(kernel, key.granules, key.neighbour);
  Example &example = group.configs.emplace_back();
  example.features = featuresOf(kernel, *config, key.granules, key.neighbour);
  example.target = std::log(double(record.ns));
}

Groups groupsOf(const TuningRecords &records, const std::string &device) {
  std::map<std::string, const KernelFeatureMap *> features;
  for (const KernelRecord &record : records.kernels)
    features[record.kernel] = &record.features;
  Groups groups;
  for (const TimeRecord &record : records.times)
    if (auto kernel = features.find(record.key.kernel);
        record.key.device == device && kernel != features.end())
      addExample(*kernel->second, record, groups);
  return groups;
}

/// The mean of the logarithms of a kernel's times, and their spread.
std::pair<double, double> levelOf(const Group &group) {
  const auto count = double(group.configs.size());
  double mean = 0, square = 0;
  for (const Example &example : group.configs)
    mean += example.target / count;
  for (const Example &example : group.configs)
    square += std::pow(example.target - mean, 2) / count;
  return {mean, std::sqrt(square)};
}

/// Trees that see half of the examples and a third of the features each: kernels are few and alike.
/// Chosen on 285 kernels of four sets, Intel Xeon, 2026-11-24 (measured-ranking.md).
BoostedTrees::Options ofConfigs() {
  BoostedTrees::Options options;
  options.rounds = 400;
  options.leastInLeaf = 8;
  options.rate = 0.04;
  options.rows = 0.5;
  options.features = 0.3;
  return options;
}

} // namespace

LearnedTimes LearnedTimes::train(const TuningRecords &records, const std::string &device,
                                 size_t least) {
  Groups groups = groupsOf(records, device);
  // What the times of a kernel have in common says nothing about its configs, and would drown what
  // they differ by. That is learned whole, with the model's cycles as one feature of many: learning
  // what the model leaves ranked worse (0.62 instead of 0.66; AMD EPYC, Zen 4, 2026-11-23).
  BoostedTrees::Options ofLevels;
  ofLevels.leastInLeaf = 2; // there are few: one a kernel and share
  LearnedTimes result;
  for (auto &[form, byShare] : groups) {
    std::vector<Example> levels, configs;
    for (auto &[share, group] : byShare) {
      const double mean = levelOf(group).first;
      levels.push_back({std::move(group.level), mean - group.prior});
      for (Example &example : group.configs)
        configs.push_back({std::move(example.features), example.target - mean});
    }
    if (configs.size() >= least)
      result.models_[form] = {BoostedTrees::train(levels, ofLevels),
                              BoostedTrees::train(configs, ofConfigs())};
  }
  return result;
}

bool LearnedTimes::knows(const KernelFeatureMap &kernel) const {
  return models_.contains(formOf(kernel));
}

double LearnedTimes::ns(const KernelFeatureMap &kernel, const Config &config, int32_t granules,
                        const std::string &neighbour) const {
  const Model &model = models_.at(formOf(kernel));
  const double log = priorOf(kernel, granules) +
                     model.level.predict(levelFeaturesOf(kernel, granules, neighbour)) +
                     model.config.predict(featuresOf(kernel, config, granules, neighbour));
  return std::max(1.0, std::exp(std::min(log, 40.0)));
}

LearnedRanking LearnedRanking::train(const TuningRecords &records, const std::string &device,
                                     size_t least) {
  /// Kernels whose configs are within a few percent count less: what orders them is chance.
  constexpr double chance = 0.1;
  /// Fewer say little of their own mean.
  constexpr size_t kLeastConfigs = 4;
  Groups groups = groupsOf(records, device);
  LearnedRanking result;
  for (auto &[form, byShare] : groups) {
    std::vector<Example> examples;
    for (auto &[share, group] : byShare) {
      const auto [mean, spread] = levelOf(group);
      if (group.configs.size() >= kLeastConfigs)
        for (Example &example : group.configs)
          examples.push_back(
              {std::move(example.features), (example.target - mean) / std::hypot(spread, chance)});
    }
    if (examples.size() >= least)
      result.models_[form] = BoostedTrees::train(examples, ofConfigs());
  }
  return result;
}

bool LearnedRanking::knows(const KernelFeatureMap &kernel) const {
  return models_.contains(formOf(kernel));
}

double LearnedRanking::cost(const KernelFeatureMap &kernel, const Config &config,
                            int32_t granules) const {
  return models_.at(formOf(kernel)).predict(featuresOf(kernel, config, granules, "none"));
}

} // namespace mtc
