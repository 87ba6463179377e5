//===- Regions.h - control flow inside one task ---------------------------===//
//
// A region is one task to every policy and plan: an If or a Loop whose bodies run on the granules
// of its place, one task of a body after the other, with a barrier between. Its operands are
//
//   If:   condition, inputs of both bodies ... | results of both bodies ... | workspace
//   Loop: trip count, condition, carried ..., scanned ..., captured ...
//         | carried ..., stacked ... | workspace
//
// and a Loop's body has the inputs (trip, condition, carried ..., an element of each scanned,
// captured ...) and the outputs (condition, carried ..., an element of each stacked). Scanned and
// stacked operands are elements one after the other. Condition and trip count are one byte and one
// int64. Everything that lives only while the region runs lies in the workspace, one of the
// region's operands: so planning needs to know no more of regions than their size.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"

namespace mtc {

/// Where things lie in a region's workspace. Units: bytes, multiples of 64.
struct RegionLayout {
  int64_t trip = 0;               ///< the number of the iteration
  std::vector<int64_t> state;     ///< by carried value, the condition first
  std::vector<int64_t> nextState; ///< the state of the next iteration
  std::vector<int64_t> scannedElement, stackedElement;
  int64_t body = 0; ///< the workspaces of the bodies, which never run at once
  int64_t bytes = 0;
};

/// The layout that compiler and runtime share.
/// Precondition: the region's bodies exist and have at least as many inputs and outputs as it has
/// carried and scanned values.
RegionLayout layoutOf(const Problem &problem, const Region &region);

/// Gives every intermediate value of a body a place in its workspace: first fit by decreasing size
/// over the intervals from a value's writer to its last reader.
///
/// Complexity: O(values^2).
void layoutBody(const Problem &problem, Body &body);

/// Verifies that a body's intermediate values lie inside its workspace, aligned, and apart from all
/// others that are in use at the same time, and that its regions use only bodies before it.
/// Precondition: the body's graph is checked. Fails if any of these does not hold (InvalidInput).
Status checkBody(const Problem &problem, int32_t body);

/// Verifies that a region's operands are those of its bodies and its workspace is large enough.
/// Precondition: bodies are checked. Fails if any of these does not hold (InvalidInput).
Status checkRegion(const Problem &problem, const Kernel &kernel);

/// Verifies a use of a region: operands have as many bytes as its bodies want.
/// Precondition: the kernel is a checked region, operands are in range.
Status checkRegionTask(const Problem &problem, const Kernel &kernel, const Entry &entry,
                       const Task &task);

/// Duration of a region on `granules`: its longest body, `trips` times if it is a Loop, and on a GPU
/// as often the turn of the host that decides.
/// Precondition: its bodies' kernels have variants. Units: ns.
int64_t regionNs(const Problem &problem, const Region &region, int64_t trips, int32_t granules);

} // namespace mtc
