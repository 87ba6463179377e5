//===- Search.h - which configs to measure, and which to take -------------===//
//
// Plain functions of what is known: nothing here measures or has a clock. Measuring is handed in,
// so that a search can be tested with times that a formula gives.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"
#include "mtc/Tuning/ConfigSpace.h"
#include "mtc/Tuning/Record.h"

#include <array>
#include <functional>
#include <span>

namespace mtc {

/// Predicted cost of a config on a number of granules; only the order counts.
using RankConfig = std::function<double(const Config &, int32_t granules)>;

/// The configs to measure: `first` (what would be taken unmeasured), then those that `rank` puts
/// first on one granule and on all of them in turn, and for `drawnPercent` of the places one drawn
/// from the rest, since a model that never sees what it thinks bad never learns. At most `count`,
/// all different.
///
/// Equal arguments give equal configs.
std::vector<Config> chooseCandidates(const std::vector<Config> &space, const Config &first,
                                     int64_t count, int32_t granules, uint64_t seed,
                                     const RankConfig &rank, int64_t drawnPercent = 25);

/// Splits `steps` among kernels in proportion to their weights: each at least 2 where there are as
/// many, none more than its `limit`. What rounding leaves goes to the heaviest. Deterministic.
std::vector<int64_t> splitSteps(int64_t steps, std::span<const double> weights,
                                std::span<const int64_t> limits);

/// `count` more samples of a candidate in ns. An error ends the search.
using SampleCandidate =
    std::function<StatusOr<std::vector<int64_t>>(size_t candidate, int32_t count)>;

/// What halving found out about each candidate.
struct HalvedCandidate {
  std::vector<int64_t> samples; ///< ns, in the order in which they were taken
  int64_t ns() const;           ///< the lower quartile; 0: no samples
};

struct HalvingOptions {
  int32_t firstSamples = 3;
  int32_t lastSamples = 15; ///< of those that are left at the end
  size_t leave = 3;         ///< with all candidates or more: each is sampled equally often
};

/// Samples of a candidate before the next one's turn: each turn begins with a run that does not
/// count.
constexpr int32_t kSamplesOfTurn = 3;

/// Successive halving: all candidates are sampled a little, the faster half is sampled again as
/// often as before, and so on until few are left. Candidate 0 is always kept. Samples of a round
/// are taken in turn, so that what disturbs the machine for a while disturbs all.
///
/// Source: Jamieson, Talwalkar, AISTATS 2016, https://arxiv.org/abs/1502.07943.
StatusOr<std::vector<HalvedCandidate>> halve(size_t candidates, const HalvingOptions &options,
                                             const SampleCandidate &sample);

/// The quartile that times of records are.
int64_t lowerQuartile(std::vector<int64_t> samples);

/// That of every other turn of a candidate and that of the rest; zeros with fewer than two turns.
std::array<int64_t, 2> halvesOf(std::span<const int64_t> samples, int32_t samplesOfTurn);

/// A variant to offer the scheduler: a config with its times alone.
struct ChosenVariant {
  std::string config;
  std::vector<ShareTime> times; ///< ascending in granules; never slower than on fewer
};

/// The variants of a kernel from its records on one device: for each number of granules that was
/// measured the config that is fastest there, in the geometric mean of its time alone, beside the
/// loaded neighbours (on fewer granules than all) and with flushed caches, as far as that was
/// measured - unless `first` is slower by less than `margin`. A kernel without a usable record gets
/// none. Configs that `isUsable` rejects are passed over.
std::vector<ChosenVariant> chooseVariants(std::span<const TimeRecord> records,
                                          const std::string &first, int32_t granules,
                                          const std::function<bool(const std::string &)> &isUsable,
                                          double margin = 0.03);

} // namespace mtc
