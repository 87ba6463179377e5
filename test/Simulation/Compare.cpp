//===- Compare.cpp - judging policies on frozen problems ------------------===//
#include "Compare.h"
#include "mtc/Tuning/GpuModel.h"

#include <fmt/format.h>

#include <cmath>

namespace mtc::test {

StatusOr<References> referencesOf(const FrozenProblem &frozen) {
  References references;
  for (int32_t entry : frozen.round.instances) {
    Workload alone{"alone", {entry}, frozen.round.granules};
    MTC_ASSIGN_OR_RETURN(Schedule schedule, runPolicy("sequential", frozen.problem, alone));
    MTC_ASSIGN_OR_RETURN(SimulatedRound round, simulate(frozen.problem, schedule));
    references.aloneNs.push_back(round.makespanNs);
  }
  MTC_ASSIGN_OR_RETURN(Schedule streams, runPolicy("streams", frozen.problem, frozen.round));
  MTC_ASSIGN_OR_RETURN(SimulatedRound round, simulate(frozen.problem, streams));
  references.streamsNs = round.latencyNs;
  return references;
}

StatusOr<Outcome> judge(const std::string &policy, const FrozenProblem &frozen,
                        const References &references, const PolicyOptions &options) {
  MTC_ASSIGN_OR_RETURN(Schedule schedule, runPolicy(policy, frozen.problem, frozen.round, options));
  MTC_ASSIGN_OR_RETURN(SimulatedRound round, simulate(frozen.problem, schedule));
  Outcome outcome;
  outcome.makespanNs = round.makespanNs;
  outcome.latencyNs = round.latencyNs;
  for (size_t i = 0; i < round.latencyNs.size(); ++i) {
    auto ns = static_cast<double>(round.latencyNs[i]);
    double slowdown = ns / static_cast<double>(references.aloneNs[i]);
    outcome.meanSlowdown += slowdown / static_cast<double>(round.latencyNs.size());
    outcome.worstSlowdown = std::max(outcome.worstSlowdown, slowdown);
    outcome.worstAgainstStreams =
        std::max(outcome.worstAgainstStreams, ns / static_cast<double>(references.streamsNs[i]));
  }
  return outcome;
}

PolicyOptions jointOptions(const std::string &device) {
  PolicyOptions options;
  options.merge = device != "host";
  return options;
}

StatusOr<Gains> gainsOf(const std::string &device, int batch) {
  Gains gains;
  for (const char *set : {"S1_document", "S2_speech", "S3_vision", "S4_text"}) {
    MTC_ASSIGN_OR_RETURN(FrozenProblem frozen, frozenProblem(set, device, batch));
    MTC_ASSIGN_OR_RETURN(References references, referencesOf(frozen));
    MTC_ASSIGN_OR_RETURN(Outcome joint, judge("joint", frozen, references, jointOptions(device)));
    MTC_ASSIGN_OR_RETURN(Outcome sequential, judge("sequential", frozen, references));
    MTC_ASSIGN_OR_RETURN(Outcome streams, judge("streams", frozen, references));
    auto ns = static_cast<double>(joint.makespanNs);
    double overSequential = static_cast<double>(sequential.makespanNs) / ns;
    gains.overSequential *= std::pow(overSequential, 0.25);
    gains.overStreams *= std::pow(static_cast<double>(streams.makespanNs) / ns, 0.25);
    auto bound = static_cast<double>(lowerBounds(frozen.problem, frozen.round).exclusiveNs());
    gains.overBound *= std::pow(ns / bound, 0.25);
    gains.worstOverSequential = std::max(gains.worstOverSequential, 1 / overSequential);
    gains.worstAgainstStreams = std::max(gains.worstAgainstStreams, joint.worstAgainstStreams);
  }
  fmt::print("{} batch {}, simulated: {:.3f} over sequential, {:.3f} over streams, {:.3f} of the "
             "bound; a tenant is at most {:.3f} times as slow as with streams\n",
             device, batch, gains.overSequential, gains.overStreams, gains.overBound,
             gains.worstAgainstStreams);
  return gains;
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
