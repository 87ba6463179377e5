//===- Sequential.cpp - one instance after the other ----------------------===//
#include "TaskGraph.h"
#include "mtc/Scheduling/Policies.h"

#include <numeric>

namespace mtc {

std::vector<Placement> placeInTurn(const TaskGraph &graph, GranuleMask granules,
                                   std::span<const int32_t> order) {
  std::vector<Placement> placements(graph.nodes.size());
  int64_t nowNs = 0;
  for (const int32_t node : order) {
    const auto n = static_cast<size_t>(node);
    const Choice &choice = graph.choice(n, graph.granules.size());
    placements[n] = {granules, choice.variant, nowNs, choice.ns};
    nowNs += choice.ns;
  }
  return placements;
}

StatusOr<Schedule> scheduleSequential(const Problem &problem, const Workload &workload,
                                      const PolicyOptions &) {
  TaskGraph graph = buildTaskGraph(problem, workload);
  std::vector<int32_t> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  return makeSchedule(problem, workload, "sequential", graph,
                      placeInTurn(graph, workload.granules, order));
}

} // namespace mtc
