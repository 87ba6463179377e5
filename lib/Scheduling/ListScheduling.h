//===- ListScheduling.h - one pass of moldable list scheduling (internal) -===//
//
// Places the nodes of a TaskGraph one by one, always one that can start earliest, and chooses its
// granules as it goes. A single pass is a heuristic without backtracking; Heft.cpp runs it with
// many options and keeps the best result.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "TaskGraph.h"

namespace mtc {

/// How a pass decides. Instances and granules are positions in the workload and in
/// TaskGraph::granules.
struct ListOptions {
  /// By node: of the nodes that can start at the same time, the highest comes first.
  std::vector<int64_t> priority;
  /// By instance: the least efficiency (time on 1 / (g * time on g), in percent) at which its nodes
  /// get g > 1 granules. 0: whatever ends first. 101: never more than 1, unless they scale better
  /// than linearly.
  std::vector<int32_t> efficiencyPercent;
  /// Whether a node may wait for more granules than are idle, if it then ends earlier.
  bool waits = false;
  /// Whether idle granules are first divided among the ready nodes.
  bool divides = false;
  /// By instance: the granules it keeps to, until others are free because every instance that they
  /// are home to has no node left. Empty: all instances use all granules.
  std::vector<GranuleMask> homes;
};

struct ListResult {
  std::vector<Placement> placements; ///< by node; granules as the device counts them
  int64_t makespanNs = 0;
};

/// Complexity: O(n * (instances * granules + granules log granules + log n)).
ListResult listSchedule(const TaskGraph &graph, size_t instanceCount, const ListOptions &options);

} // namespace mtc
