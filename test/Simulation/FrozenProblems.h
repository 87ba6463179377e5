//===- FrozenProblems.h - the problems that results are reported on -------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

#include <string>
#include <vector>

namespace mtc::test {

/// A set of models on a device, as a Problem and its round.
struct FrozenProblem {
  Problem problem;
  Workload round;
};

/// Names of sets.tsv, in its order.
std::vector<std::string> frozenSets();

/// The set `name` at `batch` (1 or 8) on `device` ("host", "gpu-f32", "gpu-f16").
///
/// A member that occurs n times is n tenants. Where a model has a fixed batch, batch 8 is eight
/// instances of it in the round.
///
/// Fails if there is no such set, or a file is missing (InvalidInput).
StatusOr<FrozenProblem> frozenProblem(const std::string &name, const std::string &device,
                                      int batch);

} // namespace mtc::test
