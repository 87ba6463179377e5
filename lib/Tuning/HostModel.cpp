//===- HostModel.cpp - fitting and using a host's prices ------------------===//
#include "mtc/Tuning/HostModel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace mtc {

const std::array<const char *, kAmounts> kAmountNames = {
    "start", "tiles", "arithmetic", "loads",   "steps",           "other",
    "runs",  "bytes", "past_l2",    "past_l3", "weights_past_l2", "weights_past_l3"};

namespace {

using Prices = std::array<double, kAmounts>;

/// Least squares over nonnegative prices: the normal equations, summed up sample by sample.
struct Fit {
  std::array<Prices, kAmounts> square{};
  Prices right{};
  double samples = 0;

  /// Errors count relative to `expected`; the smallest kernels, whose times are mostly noise of the
  /// clock, less.
  void add(const Prices &counts, double ns, double expected) {
    constexpr double noiseNs = 2000;
    const double weight = 1 / (expected * expected * (1 + noiseNs / expected));
    for (size_t i = 0; i < kAmounts; ++i) {
      for (size_t j = 0; j < kAmounts; ++j)
        square[i][j] += counts[i] * counts[j] * weight;
      right[i] += counts[i] * ns * weight;
    }
    ++samples;
  }

  /// The prices, drawn towards `prior` as by `strength` samples of `usual`.
  Prices solve(const Prices &prior, const Prices &most, const Fit &usual, double strength) const {
    constexpr int rounds = 4000;
    Prices x = prior, pull{};
    for (size_t i = 0; i < kAmounts; ++i)
      pull[i] = strength * usual.square[i][i] / std::max(1.0, usual.samples) + 1e-30;
    for (int round = 0; round < rounds; ++round)
      for (size_t i = 0; i < kAmounts; ++i) {
        double gradient = pull[i] * (x[i] - prior[i]) - right[i];
        for (size_t j = 0; j < kAmounts; ++j)
          gradient += square[i][j] * x[j];
        x[i] = std::clamp(x[i] - gradient / (square[i][i] + pull[i]), 0.0, most[i]);
      }
    return x;
  }
};

/// What a core of these rates would pay if nothing were measured.
Prices pricesOfRates(const HostModel &model) {
  const double vectorNs = 32 / std::max(1.0, model.flopsPerNs); // 16 lanes, multiply and add
  // Memory: what is written is read first.
  const double byteNs = 1 / std::max(1.0, model.coreBytesPerNs), cacheByteNs = 0.01;
  const double past = std::max(0.0, byteNs - cacheByteNs);
  return {100, 40,          vectorNs,    vectorNs / 3, 0.5,         vectorNs,
          1,   cacheByteNs, cacheByteNs, 1.5 * past,   cacheByteNs, past};
}

/// No byte costs more than its way from memory, twice: what is written is read first, and loops do
/// not always ask in time. Amounts that few samples have would else take what the others left.
Prices mostOfRates(const HostModel &model) {
  Prices most;
  most.fill(INFINITY);
  const double byteNs = 1 / std::max(1.0, model.coreBytesPerNs);
  for (Amount amount : {Amount::Bytes, Amount::BytesPastL2, Amount::WeightsPastL2})
    most[static_cast<size_t>(amount)] = byteNs;
  for (Amount amount : {Amount::BytesPastL3, Amount::WeightsPastL3})
    most[static_cast<size_t>(amount)] = 2 * byteNs;
  return most;
}

/// "contraction" of "contraction_bytes": families that share most of their code.
std::string groupOf(const std::string &family) { return family.substr(0, family.find('_')); }

/// The prices of a family, else of its group, else null.
const Prices *find(const std::map<std::string, Prices> &prices, const std::string &family) {
  auto at = prices.find(family);
  if (at == prices.end())
    at = prices.find(groupOf(family));
  return at == prices.end() ? nullptr : &at->second;
}

double dot(const Prices &prices, const Prices &counts) {
  double ns = 0;
  for (size_t i = 0; i < kAmounts; ++i)
    ns += prices[i] * counts[i];
  return ns;
}

/// Families lean on their group, groups on the machine's rates. Strengths: in samples. `expected`:
/// by sample.
std::map<std::string, Prices> pricesOf(std::span<const HostSample> samples,
                                       std::span<const double> expected, const std::string &without,
                                       const HostModel &model) {
  constexpr double groupStrength = 1, familyStrength = 3;
  const Prices most = mostOfRates(model);
  std::map<std::string, Fit> groups, families;
  for (size_t i = 0; i < samples.size(); ++i) {
    const HostSample &sample = samples[i];
    if (!without.empty() && sample.set == without)
      continue;
    groups[groupOf(sample.amounts.family)].add(sample.amounts.counts, sample.ns, expected[i]);
    families[sample.amounts.family].add(sample.amounts.counts, sample.ns, expected[i]);
  }
  std::map<std::string, Prices> prices;
  for (const auto &[group, fit] : groups)
    prices[group] = fit.solve(pricesOfRates(model), most, fit, groupStrength);
  for (const auto &[family, fit] : families)
    if (groupOf(family) != family || groups[family].samples != fit.samples)
      prices[family] =
          fit.solve(prices[groupOf(family)], most, groups[groupOf(family)], familyStrength);
  return prices;
}

/// What is expected depends on the prices: from the measured times on, to where both agree.
std::map<std::string, Prices> pricesOf(std::span<const HostSample> samples,
                                       const std::string &without, const HostModel &model) {
  constexpr int rounds = 5;
  std::vector<double> expected;
  for (const HostSample &sample : samples)
    expected.push_back(sample.ns);
  std::map<std::string, Prices> prices;
  for (int round = 0; round < rounds; ++round) {
    prices = pricesOf(samples, expected, without, model);
    for (size_t i = 0; i < samples.size(); ++i)
      if (const Prices *own = find(prices, samples[i].amounts.family))
        expected[i] = std::max(dot(*own, samples[i].amounts.counts), samples[i].ns / 4);
  }
  return prices;
}

} // namespace

void addTraffic(const HostModel &model, const Traffic &traffic, KernelAmounts &amounts) {
  const auto l2 = static_cast<double>(model.l2Bytes), l3 = static_cast<double>(model.l3Bytes);
  amounts[Amount::Bytes] += traffic.weightBytes + traffic.otherBytes;
  // What one task writes the next one reads: both have to fit, beside what they compute with.
  amounts[Amount::BytesPastL2] += traffic.otherBytes * missedPart(traffic.otherBytes, l2 / 2);
  amounts[Amount::BytesPastL3] += traffic.otherBytes * missedPart(traffic.otherBytes, l3 / 4);
  amounts[Amount::WeightsPastL2] += traffic.weightBytes * missedPart(traffic.reuseBytes, l2);
  amounts[Amount::WeightsPastL3] += traffic.weightBytes * missedPart(traffic.reuseBytes, l3);
}

/// Mean of |predicted / measured - 1|, weighted by time, of each set priced from the others.
static double heldOutError(std::span<const HostSample> samples, const std::set<std::string> &sets,
                           const HostModel &model) {
  double error = 0, all = 0;
  for (const std::string &set : sets) {
    const auto prices = pricesOf(samples, set, model);
    for (const HostSample &sample : samples) {
      const Prices *own = find(prices, sample.amounts.family);
      if (sample.set != set || !own)
        continue;
      error += std::abs(dot(*own, sample.amounts.counts) - sample.ns);
      all += sample.ns;
    }
  }
  return all > 0 ? error / all : 0;
}

Status fitPrices(std::span<const HostSample> samples, HostModel &model) {
  if (samples.empty())
    return invalidInput("no kernel was measured");
  std::set<std::string> sets;
  for (const HostSample &sample : samples) {
    if (!(sample.ns > 0))
      return invalidInput(fmt::format("a kernel of family '{}' took {} ns; wanted more than 0",
                                      sample.amounts.family, sample.ns));
    sets.insert(sample.set);
  }
  std::vector<HostSample> counted(samples.begin(), samples.end());
  for (HostSample &sample : counted)
    addTraffic(model, sample.traffic, sample.amounts);
  model.prices = pricesOf(counted, "", model);
  model.samples = static_cast<int64_t>(samples.size());
  model.heldOutError = sets.size() < 2 ? 0 : heldOutError(counted, sets, model);
  return okStatus();
}

std::optional<int64_t> learnedNs(const HostModel &model, const KernelAmounts &amounts) {
  const Prices *prices = find(model.prices, amounts.family);
  if (!prices)
    return std::nullopt;
  return model.launchNs + std::max<int64_t>(1, std::llround(dot(*prices, amounts.counts)));
}

std::vector<ShareTime> learnedTimes(const HostModel &model, const KernelAmounts &amounts,
                                    const Traffic &traffic, const std::vector<int64_t> &phaseTiles,
                                    int32_t cores) {
  std::vector<ShareTime> times;
  const std::optional<int64_t> one = learnedNs(model, amounts);
  if (!one)
    return times;
  const auto phases = static_cast<double>(phaseTiles.size());
  const double bodyNs = static_cast<double>(*one - model.launchNs);
  const auto at = model.sharesOf.find(amounts.family);
  const Shares &shares = at == model.sharesOf.end() ? model.shares : at->second;
  for (int32_t count = 1; count <= cores; ++count) {
    // A plan keeps the other cores busy, or tries to.
    const double longer = count > 1   ? 1 + shares.split
                          : cores > 1 ? 1 + shares.residual * pastLastCache(model, traffic)
                                      : 1;
    auto ns = static_cast<double>(model.launchNs);
    for (int64_t tiles : phaseTiles)
      ns += longer * bodyNs / phases * std::ceil(static_cast<double>(tiles) / count) /
            static_cast<double>(tiles);
    if (count > 1)
      ns += phases * static_cast<double>(model.barrierNs);
    const auto rounded = std::max<int64_t>(1, std::llround(ns));
    if (times.empty() || rounded < times.back().ns)
      times.push_back({count, rounded, TimeOrigin::Learned});
  }
  return times;
}

} // namespace mtc
