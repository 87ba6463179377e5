//===- Compare.h - judging policies on frozen problems --------------------===//
#pragma once

#include "FrozenProblems.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Simulation/Simulate.h"

namespace mtc::test {

/// A policy's round of a frozen problem, simulated. Slowdowns are of instances against being alone,
/// and against streams.
struct Outcome {
  int64_t makespanNs = 0;
  double meanSlowdown = 0, worstSlowdown = 0, worstAgainstStreams = 0;
  std::vector<int64_t> latencyNs; ///< by instance
};

/// By instance: the latency alone on the idle device, each task on all granules; and with streams.
struct References {
  std::vector<int64_t> aloneNs, streamsNs;
};
StatusOr<References> referencesOf(const FrozenProblem &frozen);

/// Runs a policy and simulates its schedule.
StatusOr<Outcome> judge(const std::string &policy, const FrozenProblem &frozen,
                        const References &references, const PolicyOptions &options = {});

/// What `mtc compile` runs `joint` with on a device: on GPUs it may merge equal kernels into
/// launches. Baselines never do.
PolicyOptions jointOptions(const std::string &device);

/// What joint gains on the sets S1 to S4, in geometric mean, and where it does worst.
struct Gains {
  double overSequential = 1, overStreams = 1;
  double overBound = 1; ///< makespan over the lower bound
  double worstOverSequential = 0, worstAgainstStreams = 0;
};
StatusOr<Gains> gainsOf(const std::string &device, int batch);

/// Prices the kernels of a GPU problem again with a parameter changed: "flops:1.2"; nothing for "".
/// Bytes of kernels are kept.
///
/// Fails for another parameter (InvalidInput).
Status changeDevice(Problem &problem, const std::string &device, const std::string &change);

} // namespace mtc::test
