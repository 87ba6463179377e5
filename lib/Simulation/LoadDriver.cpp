//===- LoadDriver.cpp - requests, jobs and what is counted ----------------===//
#include "mtc/Simulation/LoadDriver.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace mtc {

/// More of all requests than this waiting at once: the load is not served.
static constexpr double kHopelessPart = 0.25;

LoadDriver::LoadDriver(const Problem &problem, const Layout &layout,
                       const std::vector<Arrivals> &arrivals, const OpenLoadOptions &options)
    : tenants_(problem.tenants), granules_(problem.device.granules), arrivals_(arrivals),
      options_(options), dispatcher_(layout), running_(layout.partitions.size()),
      latencies_(tenants_.size()), missed_(tenants_.size(), 0), unserved_(tenants_.size(), 0),
      heldNs_(tenants_.size(), 0) {}

StatusOr<LoadDriver> LoadDriver::make(const Problem &problem, const Layout &layout,
                                      const std::vector<Arrivals> &arrivals,
                                      const OpenLoadOptions &options) {
  MTC_RETURN_IF_ERROR(check(problem, layout));
  if (arrivals.size() != problem.tenants.size())
    return invalidInput(fmt::format("arrivals of {} tenants are given for {}", arrivals.size(),
                                    problem.tenants.size()));
  LoadDriver driver(problem, layout, arrivals, options);
  MTC_RETURN_IF_ERROR(driver.drawRequests());
  return driver;
}

Status LoadDriver::drawRequests() {
  double horizonNs = 0;
  for (size_t t = 0; t < arrivals_.size(); ++t) {
    double rate = arrivals_[t].ratePerSecond;
    if (rate < 0 || !std::isfinite(rate))
      return invalidInput(
          fmt::format("tenant '{}' has a rate of {}/s; wanted 0 or more", tenants_[t].name, rate));
    if (rate > 0 && layout().services[t].entries.empty())
      return invalidInput(fmt::format("tenant '{}' has a rate but no entry", tenants_[t].name));
    if (rate > 0)
      horizonNs = std::max(horizonNs, static_cast<double>(options_.requests) / rate * 1e9);
  }
  if (horizonNs == 0)
    return invalidInput("no tenant has a rate");
  // Warm-up, and what a random number of arrivals may fall short by (four standard deviations).
  horizonNs *= 1 + 1.0 / kLoadParts + 4 / std::sqrt(static_cast<double>(options_.requests));
  if (options_.horizonNs > 0)
    horizonNs = static_cast<double>(options_.horizonNs);
  double all = 0;
  for (const Arrivals &arrivals : arrivals_)
    all += arrivals.ratePerSecond * horizonNs / 1e9;
  if (all > static_cast<double>(options_.mostRequests))
    return invalidInput(fmt::format(
        "{:.0f} requests are needed until the rarest tenant has {}; at most {} are simulated", all,
        options_.requests, options_.mostRequests));
  horizonNs_ = static_cast<int64_t>(horizonNs);
  for (size_t t = 0; t < arrivals_.size(); ++t)
    for (int64_t ns : arrivalTimes(arrivals_[t], horizonNs_, options_.seed * 1000 + t))
      requests_.push_back({ns, static_cast<int32_t>(t)});
  std::sort(requests_.begin(), requests_.end(), [](const Request &a, const Request &b) {
    return std::pair(a.arrivalNs, a.tenant) < std::pair(b.arrivalNs, b.tenant);
  });
  return okStatus();
}

std::optional<PartitionJob> LoadDriver::next(int64_t nowNs) {
  for (; arrived_ < requests_.size() && requests_[arrived_].arrivalNs <= nowNs; ++arrived_)
    dispatcher_.arrive(requests_[arrived_].tenant, static_cast<int64_t>(arrived_),
                       requests_[arrived_].arrivalNs);
  if (static_cast<double>(dispatcher_.waiting()) >
      kHopelessPart * static_cast<double>(requests_.size()) + 1000)
    gaveUp_ = true;
  std::optional<PartitionJob> job = dispatcher_.next(nowNs);
  if (job) {
    running_[static_cast<size_t>(job->partition)] = {nowNs, *job};
    ++runningJobs_;
  }
  return job;
}

void LoadDriver::finish(int32_t partition, int64_t nowNs) {
  Running &running = running_[static_cast<size_t>(partition)];
  auto tenant = static_cast<size_t>(running.job.tenant);
  int64_t sloNs = tenants_[tenant].sloP99Ns;
  for (int64_t r : running.job.requests) {
    Request &request = requests_[static_cast<size_t>(r)];
    request.isServed = true;
    int64_t ns = nowNs - request.arrivalNs;
    latencies_[tenant].push_back({request.arrivalNs, ns});
    missed_[tenant] += sloNs > 0 && ns > sloNs;
    ++served_;
  }
  double expected = arrivals_[tenant].ratePerSecond * static_cast<double>(horizonNs_) / 1e9;
  if (static_cast<double>(missed_[tenant]) > options_.giveUpAbove * expected + 5)
    gaveUp_ = true;
  heldNs_[tenant] += static_cast<double>(nowNs - running.startNs) *
                     std::popcount(layout().partitions[static_cast<size_t>(partition)].granules);
  running.startNs = -1;
  --runningJobs_;
  dispatcher_.finish(partition);
}

int64_t LoadDriver::wakeNs() const {
  int64_t wakeNs = dispatcher_.wakeNs();
  return arrived_ < requests_.size() ? std::min(wakeNs, requests_[arrived_].arrivalNs) : wakeNs;
}

bool LoadDriver::isOver() const {
  return arrived_ == requests_.size() && runningJobs_ == 0 && dispatcher_.waiting() == 0;
}

void LoadDriver::abandon(int64_t nowNs) {
  for (size_t r = 0; r < requests_.size() && requests_[r].arrivalNs <= nowNs; ++r) {
    if (requests_[r].isServed)
      continue;
    auto tenant = static_cast<size_t>(requests_[r].tenant);
    latencies_[tenant].push_back({requests_[r].arrivalNs, nowNs - requests_[r].arrivalNs});
    ++unserved_[tenant];
  }
}

OpenOutcome LoadDriver::outcome(int64_t endNs) const {
  OpenOutcome outcome;
  outcome.endNs = std::max<int64_t>(1, endNs);
  outcome.gaveUp = gaveUp_;
  for (size_t t = 0; t < latencies_.size(); ++t) {
    TenantLoad &load = outcome.tenants.emplace_back(
        summarizeLoad(latencies_[t], horizonNs_, tenants_[t].sloP99Ns));
    load.unserved = unserved_[t];
    load.servedPerSecond =
        static_cast<double>(latencies_[t].size() - static_cast<size_t>(unserved_[t])) /
        (static_cast<double>(outcome.endNs) / 1e9);
    load.utilisation = heldNs_[t] / (granules_ * static_cast<double>(outcome.endNs));
    outcome.heldGranules += load.utilisation;
  }
  return outcome;
}

//===- Summaries ----------------------------------------------------------===//

/// Student's t for 19 degrees of freedom, 97.5 %.
static constexpr double kStudent = 2.093;
/// Bins of a histogram in a doubling of the latency.
static constexpr double kBins = 4;

static int64_t quantile(std::vector<int64_t> &ns, double q) {
  if (ns.empty())
    return 0;
  auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(ns.size())));
  auto at = ns.begin() + static_cast<std::ptrdiff_t>(std::clamp<size_t>(rank, 1, ns.size()) - 1);
  std::nth_element(ns.begin(), at, ns.end());
  return *at;
}

static std::vector<LatencyBin> histogramOf(std::vector<int64_t> &ns) {
  std::sort(ns.begin(), ns.end());
  std::vector<LatencyBin> bins;
  for (int64_t each : ns) {
    if (!bins.empty() && each < bins.back().toNs) {
      ++bins.back().requests;
      continue;
    }
    double bin = std::floor(kBins * std::log2(static_cast<double>(std::max<int64_t>(1, each))));
    LatencyBin next{std::llround(std::exp2(bin / kBins)),
                    std::llround(std::exp2((bin + 1) / kBins)), 1};
    // Rounded edges: what falls between two of them belongs to the upper bin.
    next.fromNs = std::min(next.fromNs, each);
    next.toNs = std::max(next.toNs, each + 1);
    bins.push_back(next);
  }
  return bins;
}

TenantLoad summarizeLoad(const std::vector<RequestLatency> &latencies, int64_t horizonNs,
                         int64_t sloNs) {
  std::vector<std::vector<int64_t>> parts(kLoadParts + 1);
  for (const RequestLatency &latency : latencies)
    parts[static_cast<size_t>(latency.arrivalNs / (horizonNs / int64_t(kLoadParts + 1) + 1))]
        .push_back(latency.ns);
  std::vector<int64_t> all;
  std::vector<double> p99;
  for (size_t p = 1; p < parts.size(); ++p) {
    all.insert(all.end(), parts[p].begin(), parts[p].end());
    if (!parts[p].empty())
      p99.push_back(static_cast<double>(quantile(parts[p], 0.99)));
  }
  TenantLoad load;
  load.requests = static_cast<int64_t>(all.size());
  load.p50Ns = quantile(all, 0.5);
  load.p90Ns = quantile(all, 0.9);
  load.p99Ns = quantile(all, 0.99);
  double mean = 0, square = 0;
  for (double ns : p99)
    mean += ns / static_cast<double>(p99.size());
  for (double ns : p99)
    square += (ns - mean) * (ns - mean);
  auto count = static_cast<double>(p99.size());
  auto half = p99.size() < 2 ? load.p99Ns
                             : std::llround(kStudent * std::sqrt(square / (count - 1) / count));
  load.p99LowNs = std::max<int64_t>(0, load.p99Ns - half);
  load.p99HighNs = load.p99Ns + half;
  if (sloNs > 0 && !all.empty())
    load.missed = static_cast<double>(std::count_if(all.begin(), all.end(),
                                                    [&](int64_t ns) { return ns > sloNs; })) /
                  static_cast<double>(all.size());
  load.histogram = histogramOf(all);
  return load;
}

} // namespace mtc
