//===- Plans.cpp - choosing a stored plan or planning here ----------------===//
#include "Device.h"

#include "mtc/Scheduling/Policies.h"

#include <algorithm>

namespace mtc {

static StatusOr<ScheduledPlan> makeAgain(const BundleTarget &target,
                                         const std::vector<int32_t> &entries, int granules,
                                         const std::string &policy) {
  Problem problem = target.problem;
  problem.device.granules = granules;
  const Workload workload = {entries.size() == 1 ? "alone" : "round", entries,
                             allGranules(granules)};
  ScheduledPlan best;
  PolicyOptions options;
  options.searchSteps = 200; // somebody waits
  if (policy.empty()) {
    MTC_ASSIGN_OR_RETURN(best.schedule, bestSchedule(problem, workload, options));
  } else {
    MTC_ASSIGN_OR_RETURN(best.schedule, runPolicy(policy, problem, workload));
  }
  MTC_ASSIGN_OR_RETURN(best.plan, makePlan(problem, best.schedule));
  return best;
}

StatusOr<ScheduledPlan> choosePlan(const BundleReader &bundle, size_t targetIndex,
                                   const std::vector<int32_t> &entries, int granules,
                                   const std::string &policy) {
  const BundleTarget &target = bundle.targets()[targetIndex];
  const GranuleMask available = allGranules(granules);
  int64_t bestNs = 0;
  size_t best = target.schedules.size();
  for (size_t i = 0; i < target.schedules.size(); ++i) {
    const Workload &workload = target.schedules[i].workload;
    std::vector<int32_t> instances = workload.instances;
    std::sort(instances.begin(), instances.end());
    if (instances != entries || (workload.granules & ~available) != 0)
      continue;
    if (best == target.schedules.size() || target.schedules[i].makespanNs < bestNs) {
      best = i;
      bestNs = target.schedules[i].makespanNs;
    }
  }
  return best == target.schedules.size() || !policy.empty()
             ? makeAgain(target, entries, granules, policy)
             : bundle.plan(targetIndex, best);
}

} // namespace mtc
