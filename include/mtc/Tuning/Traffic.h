//===- Traffic.h - what kernels find in caches ----------------------------===//
//
// A kernel's weights were last read in the run of its entry before this one; what lies between is
// the whole footprint of a run. Its other operands were written a moment ago, or are the caller's.
// So weights of a small tenant stay in caches between its runs and those of a large one come from
// memory each time, whatever the kernel is.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"

namespace mtc {

struct Traffic {
  double weightBytes = 0; ///< read of weights in a run of the kernel
  double otherBytes = 0;  ///< read and written of all other operands
  double footprint = 0;   ///< of a run of the entry: its weights and the most of other values alive
};

/// By kernel of `problem`; of several uses the one with the largest footprint. Kernels of bodies of
/// control flow have none.
///
/// Units: bytes. Complexity: linear in the tasks' operands.
std::vector<Traffic> trafficOf(const Problem &problem);

/// The part of bytes that have left a cache of `cacheBytes` when `footprint` bytes passed through
/// it: 0 as long as all fit, then what random replacement leaves.
double missedPart(double footprint, double cacheBytes);

} // namespace mtc
