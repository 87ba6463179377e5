//===- FreezeProblem.cpp - prices a Problem for the frozen devices --------===//
//
//   FreezeProblem IN host OUT        as it is; a Problem of make-nets.py priced by the cost model
//   FreezeProblem IN gpu-f32 OUT     modelled for one H200
//   FreezeProblem IN gpu-f16 OUT
//
// Names of tasks and configs are dropped: they are long and nothing depends on them.
//
//===----------------------------------------------------------------------===//
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Support/File.h"
#include "mtc/Tuning/CostModel.h"
#include "mtc/Tuning/GpuModel.h"

#include <fmt/format.h>

using namespace mtc;

/// Layers that come without variants: tiles of 16 KiB, as the host's emitters cut them.
static Status priceForHost(Problem &problem) {
  MTC_ASSIGN_OR_RETURN(HostRow row, hostRow("x86-64-v4"));
  problem.device = hostDevice("host:x86-64-v4,cores=2", row, 2);
  for (Kernel &kernel : problem.kernels) {
    KernelFeatures features{kernel.kind, kernel.flops, kernel.bytes, {}, true};
    features.phaseTiles = {std::max<int64_t>(1, kernel.bytes >> 14)};
    kernel.variants = {{"", features.phaseTiles, 0, modelledTimes(features, problem.device)}};
  }
  return okStatus();
}

static Status freeze(const std::string &in, const std::string &device, const std::string &out) {
  MTC_ASSIGN_OR_RETURN(std::string text, readTextFile(in));
  MTC_ASSIGN_OR_RETURN(Problem problem, parseProblem(text));
  if (device == "host") {
    if (problem.device.target == "none")
      MTC_RETURN_IF_ERROR(priceForHost(problem));
  } else {
    MTC_ASSIGN_OR_RETURN(GpuRow row, gpuRow("h200"));
    problem =
        onGpu(std::move(problem), row, device == "gpu-f16" ? GpuPrecision::F16 : GpuPrecision::F32);
  }
  for (Kernel &kernel : problem.kernels)
    for (Variant &variant : kernel.variants)
      if (device == "host")
        variant.config.clear();
  for (Entry &entry : problem.entries)
    for (Task &task : entry.tasks)
      task.name.clear();
  MTC_RETURN_IF_ERROR(check(problem));
  return writeFile(out, printProblem(problem));
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: FreezeProblem IN host|gpu-f32|gpu-f16 OUT\n");
    return 2;
  }
  Status status = freeze(argv[1], argv[2], argv[3]);
  if (!status.ok())
    fmt::print(stderr, "{}: {}\n", argv[1], status.message());
  return status.exitCode();
}
