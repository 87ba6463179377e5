//===- Streams.cpp - a stream per instance on one shared device -----------===//
#include "TaskGraph.h"
#include "mtc/Scheduling/Policies.h"

namespace mtc {

StatusOr<Schedule> scheduleStreams(const Problem &problem, const Workload &workload,
                                   const PolicyOptions &) {
  TaskGraph graph = buildTaskGraph(problem, workload);
  Schedule schedule;
  schedule.workload = workload;
  schedule.policy = "streams";
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const TaskGraph::Node &node = graph.nodes[n];
    Place place;
    place.instance = place.lane = node.instance;
    place.task = node.task;
    place.variant = graph.choice(n, graph.granules.size()).variant;
    place.granules = workload.granules;
    place.shared = true;
    schedule.places.push_back(place);
  }
  return schedule;
}

} // namespace mtc
