//===- Sequential.cpp - one instance after the other ----------------------===//
#include "TaskGraph.h"
#include "mtc/Scheduling/Policies.h"

namespace mtc {

StatusOr<Schedule> scheduleSequential(const Problem &problem, const Workload &workload,
                                      const PolicyOptions &) {
  TaskGraph graph = buildTaskGraph(problem, workload);
  std::vector<Placement> placements;
  int64_t nowNs = 0;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Choice &choice = graph.choice(n, graph.granules.size());
    placements.push_back({workload.granules, choice.variant, nowNs, choice.ns});
    nowNs += choice.ns;
  }
  return makeSchedule(problem, workload, "sequential", graph, placements);
}

} // namespace mtc
