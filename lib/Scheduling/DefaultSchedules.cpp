//===- DefaultSchedules.cpp - what a bundle holds without being asked -----===//
#include "mtc/Scheduling/Policies.h"

namespace mtc {

StatusOr<Schedule> bestSchedule(const Problem &problem, const Workload &workload,
                                const PolicyOptions &options) {
  Schedule best;
  for (const Policy &policy : policies()) {
    if (policy.isBaseline)
      continue;
    MTC_ASSIGN_OR_RETURN(Schedule schedule, runPolicy(policy.name, problem, workload, options));
    if (best.policy.empty() || schedule.makespanNs < best.makespanNs)
      best = std::move(schedule);
  }
  return best;
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
  for (size_t e = 0; e < problem.entries.size(); ++e)
    for (int32_t count : soloShares(problem.device.granules)) {
      Workload solo = soloWorkload(problem, static_cast<int32_t>(e), count);
      MTC_ASSIGN_OR_RETURN(schedules.emplace_back(), bestSchedule(problem, solo, options));
    }
  return schedules;
}

} // namespace mtc
