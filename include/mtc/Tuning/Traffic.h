//===- Traffic.h - what kernels find in caches ----------------------------===//
//
// Weights were last read in the run of the entry before this one, or, where several tasks share
// them, by the task before; what was touched since decides which cache still holds them. The other
// operands of a kernel were written a moment ago, or are the caller's. So weights of a small tenant
// stay in caches between its runs and those of a large one come from memory each time, whatever the
// kernel is.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"

namespace mtc {

struct Traffic {
  double weightBytes = 0; ///< read of weights in a run of the kernel
  double otherBytes = 0;  ///< read and written of all other operands
  double reuseBytes = 0;  ///< touched since its weights were last read, they included
};

/// By kernel of `problem`, when its entry runs again and again; of several uses the one in the
/// middle of their reuseBytes. Kernels of bodies of control flow have none.
///
/// Units: bytes. Complexity: linear in the tasks' operands.
std::vector<Traffic> trafficOf(const Problem &problem);

/// The part of bytes that have left a cache of `cacheBytes` when `reuseBytes` passed through it: 0
/// as long as all fit, then what random replacement leaves.
double missedPart(double reuseBytes, double cacheBytes);

} // namespace mtc
