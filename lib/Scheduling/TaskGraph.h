//===- TaskGraph.h - a workload's tasks as one graph (internal) -----------===//
//
// What every policy starts from, the tasks of all instances as nodes with their dependences and
// times, and what it ends with: placements, turned into a Schedule with lanes and edges.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

#include <span>

namespace mtc {

/// Whether granules are a host's cores, which share caches.
inline bool isHost(const Device &device) { return device.target.starts_with("host"); }

/// Whether tasks of two entries may run in one command: they are of one tenant, or of one isolation
/// group that is not guarded.
bool mayMerge(const Problem &problem, const Entry &a, const Entry &b);

/// The fastest variant of a kernel on a number of granules.
struct Choice {
  int32_t variant = 0;
  int64_t ns = 0;
};

/// Nodes are the tasks of all instances, instance after instance, each in topological order.
struct TaskGraph {
  struct Node {
    int32_t instance = 0;
    int32_t task = 0;
    int32_t kernel = 0;
  };
  std::vector<Node> nodes;
  Predecessors before;
  std::vector<std::vector<int32_t>> after;
  std::vector<int32_t> granules;            ///< of the workload, ascending
  std::vector<std::vector<Choice>> choices; ///< by kernel, then by granule count - 1

  const Choice &choice(size_t node, size_t granuleCount) const {
    return choices[static_cast<size_t>(nodes[node].kernel)][granuleCount - 1];
  }
};

/// Precondition: check(problem) and check(problem, workload).
TaskGraph buildTaskGraph(const Problem &problem, const Workload &workload);

/// Where and when a policy put a node. Nodes that share a granule must not overlap in time, unless
/// they are one command: then they have equal placements.
struct Placement {
  GranuleMask granules = 0;
  int32_t variant = 0;
  int64_t startNs = 0;
  int64_t durationNs = 0;
  int32_t leader = -1; ///< the node in whose command this one runs; -1: its own
};

/// Every node on all of `granules`, one after the other in `order`, which holds each node once and
/// none before what it depends on; a placement per node.
std::vector<Placement> placeInTurn(const TaskGraph &graph, GranuleMask granules,
                                   std::span<const int32_t> order);

/// Sets a schedule's edges: they order neighbours on a granule unless that follows from
/// dependences, lanes and other edges.
Status addGranuleEdges(const Problem &problem, Schedule &schedule);

/// The Schedule of one placement per node: places by start time, a place's lane is its lowest
/// granule, edges by addGranuleEdges().
StatusOr<Schedule> makeSchedule(const Problem &problem, const Workload &workload,
                                const std::string &policy, const TaskGraph &graph,
                                const std::vector<Placement> &placements);

} // namespace mtc
