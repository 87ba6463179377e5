//===- SimulatedTarget.cpp - a round and its tenants alone, simulated -----===//
#include "SimulatedTarget.h"

#include <algorithm>

namespace mtc::tool {

int32_t SimulatedTarget::tenantOf(size_t instance) const {
  return problem.entries[static_cast<size_t>(round.workload.instances[instance])].tenant;
}

const std::string &SimulatedTarget::tenantName(size_t instance) const {
  return problem.tenants[static_cast<size_t>(tenantOf(instance))].name;
}

StatusOr<SimulatedTarget> simulateTarget(ScheduledTarget target, const std::string &policy,
                                         const PolicyOptions &options) {
  SimulatedTarget result;
  result.target = std::move(target.target);
  result.problem = std::move(target.problem);
  MTC_ASSIGN_OR_RETURN(Workload workload, roundWorkload(result.problem));
  auto stored = std::find_if(target.schedules.begin(), target.schedules.end(),
                             [](const Schedule &s) { return s.workload.name == "round"; });
  if (policy.empty() && stored != target.schedules.end()) {
    result.round = std::move(*stored);
  } else {
    MTC_ASSIGN_OR_RETURN(result.round, policy.empty()
                                           ? bestSchedule(result.problem, workload, options)
                                           : runPolicy(policy, result.problem, workload, options));
  }
  result.times = originsOf(result.problem, result.round);
  MTC_ASSIGN_OR_RETURN(result.run, simulate(result.problem, result.round));
  for (int32_t entry : result.round.workload.instances) {
    MTC_ASSIGN_OR_RETURN(Schedule alone, runPolicy("sequential", result.problem,
                                                   soloWorkload(result.problem, entry,
                                                                result.problem.device.granules)));
    MTC_ASSIGN_OR_RETURN(SimulatedRound solo, simulate(result.problem, alone));
    result.aloneNs.push_back(solo.makespanNs);
  }
  return result;
}

} // namespace mtc::tool
