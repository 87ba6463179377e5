//===- HostShares.cpp - what a host's cores cost each other ---------------===//
#include "mtc/Tuning/HostModel.h"

#include <algorithm>
#include <cmath>

namespace mtc {
namespace {

/// Tasks that show the cost of a barrier are shorter, those that show what splitting and neighbours
/// cost are longer.
constexpr double kShortNs = 50'000;

double middle(std::vector<double> values) {
  const auto at = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Sums of ns, of the tasks that show something.
struct Sums {
  double splitNs = 0, tilesNs = 0;   ///< on all cores; what its part of the tiles says
  double longerNs = 0, pushedNs = 0; ///< more beside others; on one core, of what leaves caches

  Shares shares(const Shares &usual) const {
    constexpr double strengthNs = 1e6; // families lean on all as by a task this long
    const double tiles = tilesNs + strengthNs, pushed = pushedNs + strengthNs;
    return {std::max(0.0, (splitNs - tilesNs + strengthNs * usual.split) / tiles),
            std::max(0.0, (longerNs + strengthNs * usual.residual) / pushed)};
  }
};

} // namespace

double pastLastCache(const HostModel &model, const Traffic &traffic) {
  const auto l3 = static_cast<double>(model.l3Bytes);
  if (l3 <= 0)
    return 0;
  const double passing = std::clamp(4 * traffic.reuseBytes / l3 - 3, 0.0, 1.0);
  return std::max(passing, missedPart(traffic.otherBytes, l3 / 4));
}

void fitShares(std::span<const HostSample> samples, HostModel &model) {
  const auto expected = [&](const HostSample &sample) {
    return static_cast<double>(model.launchNs) + sample.part * sample.ns;
  };
  std::vector<double> barriers;
  for (const HostSample &sample : samples)
    if (sample.allNs > 0 && sample.part < 1 && sample.ns <= kShortNs)
      barriers.push_back(sample.allNs - expected(sample));
  if (!barriers.empty())
    model.barrierNs = std::max<int64_t>(0, std::llround(middle(std::move(barriers))));

  Sums all;
  std::map<std::string, Sums> families;
  for (const HostSample &sample : samples) {
    if (sample.ns <= kShortNs)
      continue;
    for (Sums *sums : {&all, &families[sample.amounts.family]}) {
      if (sample.allNs > 0 && sample.part < 1) {
        sums->splitNs += sample.allNs;
        sums->tilesNs += expected(sample) + static_cast<double>(model.barrierNs);
      }
      const double past = pastLastCache(model, sample.traffic);
      if (sample.besideNs > 0 && past > 0) {
        sums->longerNs += sample.besideNs - sample.ns;
        sums->pushedNs += past * sample.ns;
      }
    }
  }
  model.shares = all.shares(model.shares);
  for (const auto &[family, sums] : families)
    model.sharesOf[family] = sums.shares(model.shares);
}

} // namespace mtc
