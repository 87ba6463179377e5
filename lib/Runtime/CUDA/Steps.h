//===- Steps.h - a plan cut into graphs by contexts -----------------------===//
//
// Nodes that wait for events would take what was recorded when their graph is launched, which of a
// graph launched later is the round before: so events join launches, and a plan is cut where one
// context waits for another.
// Source: CUDA driver API 13.0, cuGraphAddEventWaitNode, cuGraphAddEventRecordNode.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Planning/Plan.h"

#include <cstdint>
#include <vector>

namespace mtc::gpu {

/// Commands that are launched together, as a graph.
struct StepCut {
  std::vector<int32_t> commands; ///< in the plan's order
  int32_t context = 0;
  std::vector<int32_t> after; ///< steps of other contexts that must have ended
};

/// Cuts a plan so that every step is of one context and waits, as a whole, only for steps before
/// it: command c is in the step of `contextOf[c]` and of the largest number of changes of contexts
/// on a chain of waits to it. Steps of a context run in their order.
/// Complexity: linear in commands and waits, but for sorting.
std::vector<StepCut> cutByContexts(const std::vector<Command> &commands,
                                   const std::vector<int32_t> &contextOf);

} // namespace mtc::gpu
