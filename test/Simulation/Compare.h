//===- Compare.h - judging policies on frozen problems --------------------===//
#pragma once

#include "FrozenProblems.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Simulation/Simulate.h"

namespace mtc::test {

/// A policy's round of a frozen problem, simulated. Slowdowns are of instances against being alone.
struct Outcome {
  int64_t makespanNs = 0;
  double meanSlowdown = 0, worstSlowdown = 0;
  std::vector<int64_t> latencyNs; ///< by instance
};

/// By instance: the latency alone on the idle device, each task on all granules.
StatusOr<std::vector<int64_t>> latenciesAlone(const FrozenProblem &frozen);

/// Runs a policy and simulates its schedule.
StatusOr<Outcome> judge(const std::string &policy, const FrozenProblem &frozen,
                        const std::vector<int64_t> &aloneNs, const PolicyOptions &options = {});

/// Prices the kernels of a GPU problem again with a parameter changed: "flops:1.2"; nothing for "".
/// Bytes of kernels are kept.
///
/// Fails for another parameter (InvalidInput).
Status changeDevice(Problem &problem, const std::string &device, const std::string &change);

} // namespace mtc::test
