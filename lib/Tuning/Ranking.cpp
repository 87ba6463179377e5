//===- Ranking.cpp - how well rankings hold -------------------------------===//
#include "Features.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mtc {

double rankCorrelation(std::span<const double> a, std::span<const double> b) {
  auto ranks = [](std::span<const double> values) {
    std::vector<size_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t x, size_t y) { return values[x] < values[y]; });
    std::vector<double> result(values.size());
    for (size_t from = 0; from < order.size();) {
      size_t to = from;
      while (to < order.size() && values[order[to]] == values[order[from]])
        ++to;
      for (size_t i = from; i < to; ++i)
        result[order[i]] = double(from + to - 1) / 2;
      from = to;
    }
    return result;
  };
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double mean = (double(x.size()) - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy);
}

namespace {

/// The logarithm of what the best of `order` (by the first halves) gains over `first`.
double gainOver(size_t first, std::span<const size_t> order,
                const std::vector<double> (&halves)[2]) {
  size_t best = first;
  for (size_t at : order)
    if (halves[0][at] < halves[0][best])
      best = at;
  return std::log(halves[1][first] / halves[1][best]);
}

} // namespace

RankingQuality evaluateRanking(const TuningRecords &records, const std::string &device,
                               int32_t granules,
                               const std::map<std::string, std::string> &defaults) {
  constexpr size_t folds = 5;
  /// Among fewer the first five say nothing.
  constexpr size_t kLeastConfigs = 8;
  std::map<std::string, const KernelFeatureMap *> features;
  for (const KernelRecord &record : records.kernels)
    features[record.kernel] = &record.features;
  std::map<std::string, std::vector<const TimeRecord *>> timesOf;
  auto isAlone = [&](const TimeRecord &record) {
    return record.key.device == device && record.key.granules == granules &&
           record.key.neighbour == "none" && record.samples > 0 &&
           features.contains(record.key.kernel);
  };
  // Where some were sampled equally, only they can be compared.
  const bool hasHalves =
      std::any_of(records.times.begin(), records.times.end(), [&](const TimeRecord &record) {
        return isAlone(record) && record.halves[0] > 0;
      });
  for (const TimeRecord &record : records.times)
    if (isAlone(record) && (record.halves[0] > 0 || !hasHalves))
      timesOf[record.key.kernel].push_back(&record);
  std::map<std::string, size_t> foldOf;
  for (const auto &[kernel, times] : timesOf) {
    const size_t next = foldOf.size() % folds;
    foldOf[kernel] = next;
  }
  RankingQuality quality;
  int64_t within = 0, gained = 0;
  for (size_t fold = 0; fold < folds; ++fold) {
    TuningRecords seen;
    seen.kernels = records.kernels;
    for (const TimeRecord &record : records.times)
      if (auto at = foldOf.find(record.key.kernel); at != foldOf.end() && at->second != fold)
        seen.times.push_back(record);
    const LearnedRanking learned = LearnedRanking::train(seen, device);
    for (const auto &[kernel, times] : timesOf) {
      const KernelFeatureMap &kernelFeatures = *features.at(kernel);
      if (foldOf[kernel] != fold || times.size() < kLeastConfigs || !learned.knows(kernelFeatures))
        continue;
      std::vector<double> measured, byLearned, byModel, halves[2];
      for (const TimeRecord *record : times) {
        const Config config = *parseConfig(record->key.config);
        measured.push_back(double(record->ns));
        byLearned.push_back(learned.cost(kernelFeatures, config, granules));
        byModel.push_back(modelledCost(kernelFeatures, config, granules));
        for (int half : {0, 1})
          halves[half].push_back(double(record->halves[size_t(half)]));
      }
      ++quality.kernels;
      quality.learned += rankCorrelation(measured, byLearned);
      quality.modelled += rankCorrelation(measured, byModel);
      quality.repeatable += hasHalves ? rankCorrelation(halves[0], halves[1]) : 0;
      std::vector<size_t> order(times.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](size_t a, size_t b) { return byLearned[a] < byLearned[b]; });
      double first = measured[order[0]];
      for (size_t i = 1; i < std::min<size_t>(5, order.size()); ++i)
        first = std::min(first, measured[order[i]]);
      auto ours = defaults.find(kernel);
      const auto at = std::find_if(times.begin(), times.end(), [&](const TimeRecord *record) {
        return ours != defaults.end() && record->key.config == ours->second;
      });
      if (at != times.end() && hasHalves) {
        ++gained;
        const auto place = size_t(at - times.begin());
        quality.gainOfAll *= std::exp(gainOver(place, order, halves));
        quality.gainOfTenth *=
            std::exp(gainOver(place, std::span(order).first((order.size() + 9) / 10), halves));
      }
      within += first <= 1.1 * *std::min_element(measured.begin(), measured.end());
    }
  }
  if (quality.kernels > 0) {
    const auto kernels = double(quality.kernels);
    quality.learned /= kernels;
    quality.modelled /= kernels;
    quality.repeatable /= kernels;
    quality.firstFive = double(within) / kernels;
    const double root = 1 / double(std::max<int64_t>(1, gained));
    quality.gainOfTenth = std::pow(quality.gainOfTenth, root);
    quality.gainOfAll = std::pow(quality.gainOfAll, root);
  }
  return quality;
}

} // namespace mtc
