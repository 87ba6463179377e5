//===- Mixes.h - rounds of some tenants -----------------------------------===//
#pragma once

#include "mtc/Scheduling/Policies.h"

namespace mtc {

/// Rounds of the first entries of every 2 to `mostTenants` tenants, but not of all: "det+rec". What
/// a runtime needs that runs together whoever waits. Each bestSchedule() with fewer steps.
///
/// Fails if these are more than 256 (InvalidInput).
StatusOr<std::vector<Schedule>> mixSchedules(const Problem &problem, int64_t mostTenants,
                                             const PolicyOptions &options = {});

} // namespace mtc
