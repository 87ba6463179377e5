//===- Policies.cpp - the table of policies -------------------------------===//
#include "mtc/Scheduling/Policies.h"

#include "mtc/Scheduling/MergePlaces.h"

#include <fmt/format.h>

namespace mtc {

const std::vector<Policy> &policies() {
  static const std::vector<Policy> table = {
      {"sequential", "one tenant after the other, each task on all granules", scheduleSequential},
      {"streams", "a stream per tenant on the shared device; a baseline, only simulated",
       scheduleStreams, true},
      {"apart", "every tenant on a granule of its own, longest first; a baseline", scheduleApart,
       true},
      {"heft", "all tenants' tasks together, each on the share of granules that pays",
       scheduleHeft},
      {"stages", "parts of all tenants side by side, stage after stage", scheduleStages},
      {"ios", "one tenant after the other, its independent tasks side by side", scheduleIos},
      {"partition", "one or two partitions, the tenants of each in turn", schedulePartition},
      {"joint", "a search over order, granules and variants of all tenants together",
       scheduleJoint},
  };
  return table;
}

StatusOr<Schedule> runPolicy(const std::string &name, const Problem &problem,
                             const Workload &workload, const PolicyOptions &options) {
  std::string known;
  for (const Policy &policy : policies()) {
    known += known.empty() ? policy.name : fmt::format(", {}", policy.name);
    if (name != policy.name)
      continue;
    MTC_RETURN_IF_ERROR(check(problem));
    MTC_RETURN_IF_ERROR(check(problem, workload));
    MTC_ASSIGN_OR_RETURN(Schedule schedule, policy.run(problem, workload, options));
    if (Status status = verify(problem, schedule); !status.ok())
      return internalError(fmt::format("schedule of policy '{}' for workload '{}': {}", name,
                                       workload.name, status.message()));
    MTC_RETURN_IF_ERROR(predictTimes(problem, schedule));
    return options.merge ? mergePlaces(problem, schedule) : StatusOr<Schedule>(std::move(schedule));
  }
  return invalidInput(fmt::format("unknown policy '{}'; known: {}", name, known));
}

} // namespace mtc
