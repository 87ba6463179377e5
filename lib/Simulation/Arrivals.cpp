//===- Arrivals.cpp - when requests come ----------------------------------===//
#include "mtc/Simulation/OpenLoad.h"
#include "mtc/Support/Random.h"

#include <cmath>

namespace mtc {
namespace {

class Random {
public:
  /// The seed is mixed: streams of seeds that differ by one would else be one stream, shifted.
  explicit Random(uint64_t seed) : bits_(SplitMix64(seed).next() ^ ~seed << 32) {}
  /// In (0, 1].
  double real() { return static_cast<double>((bits_.next() >> 11) + 1) * 0x1p-53; }
  double exponential(double mean) { return -mean * std::log(real()); }
  /// At least 1.
  int64_t geometric(double mean) {
    if (mean <= 1)
      return 1;
    return 1 + static_cast<int64_t>(std::log(real()) / std::log(1 - 1 / mean));
  }

private:
  SplitMix64 bits_;
};

} // namespace

std::vector<Arrivals> arrivalsOf(const Problem &problem) {
  std::vector<Arrivals> arrivals;
  for (const Tenant &tenant : problem.tenants)
    arrivals.push_back({tenant.arrivals, tenant.ratePerSecond});
  return arrivals;
}

std::vector<int64_t> arrivalTimes(const Arrivals &arrivals, int64_t horizonNs, uint64_t seed) {
  std::vector<int64_t> times;
  if (!(arrivals.ratePerSecond > 0))
    return times;
  Random random(seed);
  double gapNs = 1e9 / arrivals.ratePerSecond;
  auto horizon = static_cast<double>(horizonNs);
  switch (arrivals.kind) {
  case ArrivalKind::Poisson:
    for (double ns = random.exponential(gapNs); ns < horizon; ns += random.exponential(gapNs))
      times.push_back(std::llround(ns));
    break;
  case ArrivalKind::Periodic:
    for (double ns = random.real() * gapNs; ns < horizon; ns += gapNs)
      times.push_back(std::llround(ns));
    break;
  case ArrivalKind::Bursty: {
    double mean = std::max(1.0, arrivals.meanBurst);
    for (double ns = random.exponential(gapNs * mean); ns < horizon;
         ns += random.exponential(gapNs * mean))
      times.insert(times.end(), static_cast<size_t>(random.geometric(mean)), std::llround(ns));
    break;
  }
  }
  return times;
}

} // namespace mtc
