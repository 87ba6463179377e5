//===- SimulatedTarget.h - a round and its tenants alone, simulated -------===//
#pragma once

#include "BenchReport.h"
#include "Difference.h"
#include "mtc/Pipelines/Compile.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Simulation/Simulate.h"
#include "mtc/Simulation/TimeOrigins.h"

#include <optional>

namespace mtc::tool {

/// A set on a target, as `mtc simulate` prints it and reports show it.
struct SimulatedTarget {
  std::string target;
  Problem problem;
  Schedule round;
  SimulatedRound run;
  TimeOrigins times;              ///< of the round's tasks
  std::vector<int64_t> aloneNs;   ///< by instance of the round: each task on all granules
  std::optional<Verdict> verdict; ///< if a tenant has a rate or an SLO
  std::map<std::string, MeasuredTenant> measured; ///< by tenant; may be empty
  std::optional<Difference> difference;           ///< from another bundle

  /// The tenant of an instance of the round, and its name.
  int32_t tenantOf(size_t instance) const;
  const std::string &tenantName(size_t instance) const;
};

/// Simulates the target's round - by `policy`, or empty: the one that it has - and its tenants
/// alone. Leaves the verdict empty. Fails if the policy is unknown (InvalidInput).
StatusOr<SimulatedTarget> simulateTarget(ScheduledTarget target, const std::string &policy,
                                         const PolicyOptions &options = {});

/// One self-contained page: timeline, slowdowns, ledger, utilisation, open load with distributions
/// of latencies, and the difference from another bundle, of each target. Everything that it shows
/// is in it; it loads nothing. See ReportHtml.cpp.
std::string reportHtml(const std::vector<SimulatedTarget> &targets);

} // namespace mtc::tool
