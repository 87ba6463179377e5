//===- Plans.cpp - choosing a stored plan or planning here ----------------===//
#include "Plans.h"

#include "mtc/Scheduling/Policies.h"

#include <algorithm>

namespace mtc::host {

Plans::Plans(const BundleReader &bundle, size_t target, const LoadedCode &code, int workers)
    : bundle_(bundle), target_(target), code_(code), workers_(workers) {}

bool Plans::fewerWorkers() const {
  return workers_ < bundle_.targets()[target_].problem.device.granules;
}

StatusOr<ScheduledPlan> Plans::choose(const std::vector<int32_t> &entries) const {
  const BundleTarget &target = bundle_.targets()[target_];
  const GranuleMask available = allGranules(workers_);
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
  if (best == target.schedules.size())
    return makeAgain(entries);
  return bundle_.plan(target_, best);
}

StatusOr<ScheduledPlan> Plans::makeAgain(const std::vector<int32_t> &entries) const {
  Problem problem = bundle_.targets()[target_].problem;
  problem.device.granules = workers_;
  const Workload workload = {entries.size() == 1 ? "alone" : "round", entries,
                             allGranules(workers_)};
  ScheduledPlan best;
  PolicyOptions options;
  options.searchSteps = 200; // somebody waits
  MTC_ASSIGN_OR_RETURN(best.schedule, bestSchedule(problem, workload, options));
  MTC_ASSIGN_OR_RETURN(best.plan, makePlan(problem, best.schedule));
  return best;
}

StatusOr<Replay *> Plans::find(const std::vector<int32_t> &entries) {
  std::lock_guard lock(mutex_);
  auto known = replays_.find(entries);
  if (known != replays_.end())
    return known->second.get();
  MTC_ASSIGN_OR_RETURN(ScheduledPlan plan, choose(entries));
  MTC_ASSIGN_OR_RETURN(auto replay, Replay::create(bundle_.targets()[target_].problem,
                                                   std::move(plan), code_, bundle_, workers_));
  return replays_.emplace(entries, std::move(replay)).first->second.get();
}

} // namespace mtc::host
