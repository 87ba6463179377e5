//===- TimeOrigins.h - what a simulation's times rest on ------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

namespace mtc {

/// How many times come from where.
struct TimeOrigins {
  int64_t measured = 0, learned = 0, modelled = 0;
  void add(TimeOrigin origin);
};

/// Of the times that a schedule's places use: one a place.
TimeOrigins originsOf(const Problem &problem, const Schedule &schedule);

/// Of all that a problem's kernels offer: one a kernel, that of its least certain time.
TimeOrigins originsOf(const Problem &problem);

/// "measured", "learned" or "modelled"; where they are mixed "12 measured and 3 modelled".
std::string printOrigins(const TimeOrigins &origins);

} // namespace mtc
