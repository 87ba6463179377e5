//===- DefaultSchedules.cpp - what a bundle holds without being asked -----===//
#include "Neighbours.h"
#include "mtc/Scheduling/Policies.h"

#include <algorithm>
#include <cmath>

namespace mtc {

/// Makespans this close are equal: tenants' latencies decide.
static constexpr double kEqual = 1.005;

/// There are many schedules of entries alone, and less to find: a part of the steps.
static constexpr int64_t kSoloPart = 8;

StatusOr<Schedule> bestSchedule(const Problem &problem, const Workload &workload,
                                const PolicyOptions &options) {
  struct Candidate {
    Schedule schedule;
    double expectedNs;
    std::vector<double> latencyNs;
  };
  std::vector<Candidate> candidates;
  std::vector<double> least(workload.instances.size(), INFINITY);
  auto leastNs = static_cast<double>(INT64_MAX);
  for (const Policy &policy : policies()) {
    if (policy.isBaseline)
      continue;
    MTC_ASSIGN_OR_RETURN(Schedule schedule, runPolicy(policy.name, problem, workload, options));
    std::vector<double> ns;
    for (int64_t latency : latenciesNs(schedule))
      ns.push_back(static_cast<double>(std::max<int64_t>(1, latency)));
    for (size_t i = 0; i < ns.size(); ++i)
      least[i] = std::min(least[i], ns[i]);
    const double expected = expectedNs(problem, schedule);
    leastNs = std::min(leastNs, expected);
    candidates.push_back({std::move(schedule), expected, std::move(ns)});
  }
  Candidate *best = nullptr;
  double bestSlowdown = INFINITY;
  for (Candidate &candidate : candidates) {
    if (candidate.expectedNs > leastNs * kEqual)
      continue;
    double slowdown = 0;
    for (size_t i = 0; i < least.size(); ++i)
      slowdown += candidate.latencyNs[i] / least[i];
    if (!best || slowdown < bestSlowdown) {
      best = &candidate;
      bestSlowdown = slowdown;
    }
  }
  return std::move(best->schedule);
}

/// 1 to 8 granules one by one, then in steps of an eighth of the next power of two, and all.
static std::vector<int32_t> soloShares(int32_t granules) {
  std::vector<int32_t> shares;
  for (int32_t count = 1, step = 1; count < granules; count += step) {
    shares.push_back(count);
    if (count == step * 8)
      step *= 2;
  }
  shares.push_back(granules);
  return shares;
}

StatusOr<Workload> roundWorkload(const Problem &problem) {
  Workload round{"round", {}, allGranules(problem.device.granules)};
  std::vector<char> seen(problem.tenants.size(), 0);
  for (size_t e = 0; e < problem.entries.size(); ++e) {
    auto tenant = static_cast<size_t>(problem.entries[e].tenant);
    if (!seen[tenant])
      round.instances.push_back(static_cast<int32_t>(e));
    seen[tenant] = 1;
  }
  if (round.instances.empty())
    return invalidInput("the problem has no entry to schedule");
  return round;
}

StatusOr<std::vector<Schedule>> defaultSchedules(const Problem &problem,
                                                 const PolicyOptions &options) {
  MTC_RETURN_IF_ERROR(check(problem));
  MTC_ASSIGN_OR_RETURN(Workload round, roundWorkload(problem));
  std::vector<Schedule> schedules;
  MTC_ASSIGN_OR_RETURN(schedules.emplace_back(), bestSchedule(problem, round, options));
  PolicyOptions soloOptions = options;
  soloOptions.searchSteps /= kSoloPart;
  for (size_t e = 0; e < problem.entries.size(); ++e)
    for (int32_t count : soloShares(problem.device.granules)) {
      Workload solo = soloWorkload(problem, static_cast<int32_t>(e), count);
      MTC_ASSIGN_OR_RETURN(schedules.emplace_back(), bestSchedule(problem, solo, soloOptions));
    }
  return schedules;
}

} // namespace mtc
