//===- Search.cpp - candidates, halving, choice ---------------------------===//
#include "mtc/Tuning/Search.h"

#include "mtc/Support/Random.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace mtc {

std::vector<Config> chooseCandidates(const std::vector<Config> &space, const Config &first,
                                     int64_t count, int32_t granules, uint64_t seed,
                                     const RankConfig &rank, int64_t drawnPercent) {
  std::vector<Config> chosen;
  if (count > 0)
    chosen.push_back(first);
  std::vector<size_t> orders[2];
  for (int side = 0; side < 2; ++side) {
    std::vector<double> costs;
    for (const Config &config : space)
      costs.push_back(rank(config, side == 0 ? 1 : granules));
    orders[side].resize(space.size());
    std::iota(orders[side].begin(), orders[side].end(), 0);
    std::stable_sort(orders[side].begin(), orders[side].end(),
                     [&](size_t a, size_t b) { return costs[a] < costs[b]; });
  }
  std::vector<char> taken(space.size(), 0);
  for (size_t i = 0; i < space.size(); ++i)
    taken[i] = space[i] == first;
  size_t left = size_t(std::count(taken.begin(), taken.end(), 0)), next[2] = {0, 0};
  SplitMix64 random(SplitMix64(seed).next());
  int side = 0;
  for (size_t turn = 0; left > 0 && int64_t(chosen.size()) < count; ++turn, --left) {
    size_t at = 0;
    const auto at100 = [&](size_t turns) { return int64_t(turns) * drawnPercent / 100; };
    if (at100(turn + 1) > at100(turn)) {
      for (size_t skip = random.below(left);; ++at)
        if (!taken[at] && skip-- == 0)
          break;
    } else {
      const std::vector<size_t> &order = orders[side];
      size_t &place = next[side];
      side = 1 - side;
      while (taken[order[place]])
        ++place;
      at = order[place];
    }
    taken[at] = 1;
    chosen.push_back(space[at]);
  }
  return chosen;
}

std::vector<int64_t> splitSteps(int64_t steps, std::span<const double> weights,
                                std::span<const int64_t> limits) {
  std::vector<int64_t> split(weights.size(), 0);
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return weights[a] > weights[b]; });
  auto give = [&](size_t kernel, int64_t more) {
    more = std::max<int64_t>(0, std::min({more, steps, limits[kernel] - split[kernel]}));
    split[kernel] += more;
    steps -= more;
  };
  for (size_t kernel : order)
    if (steps >= 2)
      give(kernel, 2);
  // Limits free steps for others: a few rounds share them out again.
  for (int round = 0; round < 4 && steps > 0; ++round) {
    double sum = 0;
    for (size_t kernel : order)
      if (split[kernel] < limits[kernel])
        sum += weights[kernel];
    const auto all = double(steps);
    for (size_t kernel : order)
      if (sum > 0)
        give(kernel, int64_t(all * weights[kernel] / sum));
  }
  for (size_t kernel : order)
    give(kernel, steps);
  return split;
}

int64_t lowerQuartile(std::vector<int64_t> samples) {
  if (samples.empty())
    return 0;
  std::sort(samples.begin(), samples.end());
  return samples[(samples.size() - 1) / 4];
}

int64_t HalvedCandidate::ns() const { return lowerQuartile(samples); }

std::array<int64_t, 2> halvesOf(std::span<const int64_t> samples, int32_t samplesOfTurn) {
  std::vector<int64_t> halves[2];
  for (size_t i = 0; i < samples.size(); ++i)
    halves[i / size_t(samplesOfTurn) % 2].push_back(samples[i]);
  if (halves[1].empty())
    return {0, 0};
  return {lowerQuartile(halves[0]), lowerQuartile(halves[1])};
}

StatusOr<std::vector<HalvedCandidate>> halve(size_t candidates, const HalvingOptions &options,
                                             const SampleCandidate &sample) {
  std::vector<HalvedCandidate> results(candidates);
  std::vector<size_t> alive(candidates);
  std::iota(alive.begin(), alive.end(), 0);
  auto round = [&](int32_t samples) -> Status {
    for (int32_t done = 0; done < samples; done += kSamplesOfTurn)
      for (size_t candidate : alive) {
        MTC_ASSIGN_OR_RETURN(std::vector<int64_t> more,
                             sample(candidate, std::min(kSamplesOfTurn, samples - done)));
        std::vector<int64_t> &all = results[candidate].samples;
        all.insert(all.end(), more.begin(), more.end());
      }
    return okStatus();
  };
  MTC_RETURN_IF_ERROR(round(options.firstSamples));
  for (int32_t taken = options.firstSamples; !alive.empty();) {
    std::stable_sort(alive.begin(), alive.end(),
                     [&](size_t a, size_t b) { return results[a].ns() < results[b].ns(); });
    const size_t keep = std::max(options.leave, alive.size() / 2);
    if (alive.size() > keep) {
      const bool keepsFirst = std::find(alive.begin(), alive.begin() + ptrdiff_t(keep), 0) !=
                              alive.begin() + ptrdiff_t(keep);
      alive.resize(keep);
      if (!keepsFirst)
        alive.push_back(0);
    }
    if (alive.size() <= options.leave + 1) {
      MTC_RETURN_IF_ERROR(round(options.lastSamples - taken));
      break;
    }
    const int32_t more = std::min(taken, options.lastSamples - taken);
    MTC_RETURN_IF_ERROR(round(more));
    taken += more;
  }
  return results;
}

namespace {

/// The times of a config by (granules, neighbour).
using ConfigTimes = std::map<std::pair<int32_t, std::string>, int64_t>;

/// What a config costs on a share: the geometric mean of its times under the conditions; 0 if one
/// of them was not measured.
double costOn(const ConfigTimes &times, int32_t share, const std::set<std::string> &conditions) {
  double logs = 0;
  for (const std::string &condition : conditions) {
    auto at = times.find({share, condition});
    if (at == times.end())
      return 0;
    logs += std::log(double(at->second));
  }
  return std::exp(logs / double(conditions.size()));
}

} // namespace

std::vector<ChosenVariant> chooseVariants(std::span<const TimeRecord> records,
                                          const std::string &first, int32_t granules,
                                          const std::function<bool(const std::string &)> &isUsable,
                                          double margin) {
  std::map<std::string, ConfigTimes> configs;
  std::set<int32_t> shares;
  std::map<int32_t, std::set<std::string>> conditions; ///< that count, by share
  // What dropped out of the search early was sampled too seldom to be compared.
  std::map<std::pair<int32_t, std::string>, int32_t> most;
  for (const TimeRecord &record : records) {
    int32_t &samples = most[{record.key.granules, record.key.neighbour}];
    samples = std::max(samples, record.samples);
  }
  for (const TimeRecord &record : records) {
    if (record.samples == 0 || record.key.granules > granules ||
        record.samples * 2 < most[{record.key.granules, record.key.neighbour}])
      continue;
    configs[record.key.config][{record.key.granules, record.key.neighbour}] = record.ns;
    shares.insert(record.key.granules);
    conditions[record.key.granules].insert("none");
    if (record.key.config == first &&
        (record.key.neighbour == kFlushed ||
         (record.key.neighbour == "high" && record.key.granules < granules)))
      conditions[record.key.granules].insert(record.key.neighbour);
  }
  std::erase_if(configs, [&](const auto &row) { return !isUsable(row.first); });
  std::vector<std::string> chosen;
  for (int32_t share : shares) {
    std::string best;
    double least = 0;
    // Configs that were not measured under all conditions dropped out before: they are not
    // comparable.
    auto cost = [&](const ConfigTimes &times) { return costOn(times, share, conditions[share]); };
    for (const auto &[config, times] : configs)
      if (const double ns = cost(times); ns > 0 && (best.empty() || ns < least)) {
        best = config;
        least = ns;
      }
    if (auto ours = configs.find(first); ours != configs.end())
      if (const double ns = cost(ours->second); ns > 0 && ns <= least * (1 + margin))
        best = first;
    if (!best.empty() && std::find(chosen.begin(), chosen.end(), best) == chosen.end())
      chosen.push_back(best);
  }
  std::vector<ChosenVariant> variants;
  for (const std::string &config : chosen) {
    ChosenVariant variant{config, {}};
    for (const auto &[condition, ns] : configs[config])
      if (condition.second == "none" && (variant.times.empty() || ns < variant.times.back().ns))
        variant.times.push_back({condition.first, ns, TimeOrigin::Measured});
    variants.push_back(std::move(variant));
  }
  return variants;
}

} // namespace mtc
