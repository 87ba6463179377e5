//===- Compare.cpp - judging policies on frozen problems ------------------===//
#include "Compare.h"
#include "mtc/Tuning/GpuModel.h"

#include <fmt/format.h>

namespace mtc::test {

StatusOr<std::vector<int64_t>> latenciesAlone(const FrozenProblem &frozen) {
  std::vector<int64_t> aloneNs;
  for (int32_t entry : frozen.round.instances) {
    Workload alone{"alone", {entry}, frozen.round.granules};
    MTC_ASSIGN_OR_RETURN(Schedule schedule, runPolicy("sequential", frozen.problem, alone));
    MTC_ASSIGN_OR_RETURN(SimulatedRound round, simulate(frozen.problem, schedule));
    aloneNs.push_back(round.makespanNs);
  }
  return aloneNs;
}

StatusOr<Outcome> judge(const std::string &policy, const FrozenProblem &frozen,
                        const std::vector<int64_t> &aloneNs, const PolicyOptions &options) {
  MTC_ASSIGN_OR_RETURN(Schedule schedule, runPolicy(policy, frozen.problem, frozen.round, options));
  MTC_ASSIGN_OR_RETURN(SimulatedRound round, simulate(frozen.problem, schedule));
  Outcome outcome;
  outcome.makespanNs = round.makespanNs;
  outcome.latencyNs = round.latencyNs;
  for (size_t i = 0; i < aloneNs.size(); ++i) {
    double slowdown = static_cast<double>(round.latencyNs[i]) / static_cast<double>(aloneNs[i]);
    outcome.meanSlowdown += slowdown / static_cast<double>(aloneNs.size());
    outcome.worstSlowdown = std::max(outcome.worstSlowdown, slowdown);
  }
  return outcome;
}

Status changeDevice(Problem &problem, const std::string &device, const std::string &change) {
  if (change.empty())
    return okStatus();
  size_t colon = change.find(':');
  std::string name = change.substr(0, colon);
  double factor = colon == std::string::npos ? 0 : std::atof(change.c_str() + colon + 1);
  MTC_ASSIGN_OR_RETURN(GpuRow row, gpuRow("h200"));
  if (name == "flops") {
    row.f32FlopsPerNs *= factor;
    row.f16TensorFlopsPerNs *= factor;
  } else if (name == "memory") {
    row.bytesPerNs *= factor;
  } else if (name == "cache") {
    row.unitBytesPerNs *= factor;
  } else if (name == "launch") {
    row.launchNs = static_cast<int64_t>(static_cast<double>(row.launchNs) * factor);
  } else if (name == "ramp") {
    row.rampNs = static_cast<int64_t>(static_cast<double>(row.rampNs) * factor);
  } else {
    return invalidInput(fmt::format(
        "cannot change '{}'; known: flops, memory, cache, launch, ramp, each with a factor", name));
  }
  if (factor <= 0 || device.rfind("gpu", 0) != 0)
    return invalidInput(fmt::format("cannot change '{}' of device '{}'", change, device));
  bool isHalf = device == "gpu-f16";
  // onGpu() halves the bytes of f32 for f16; these have been halved already.
  for (Kernel &kernel : problem.kernels)
    kernel.bytes *= isHalf ? 2 : 1;
  problem = onGpu(std::move(problem), row, isHalf ? GpuPrecision::F16 : GpuPrecision::F32);
  return okStatus();
}

} // namespace mtc::test
