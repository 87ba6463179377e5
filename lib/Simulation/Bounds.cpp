//===- Bounds.cpp - what no schedule can beat -----------------------------===//
#include "DeviceTasks.h"
#include "mtc/Simulation/Simulate.h"

#include <cmath>

namespace mtc {
namespace {

/// The least that a kernel asks for, over variants and shares, each figure on its own.
struct Least {
  double ns = INFINITY, areaNs = INFINITY, unitNs = INFINITY, bytes = INFINITY;
};

Least leastOf(const Kernel &kernel, const Device &device, int32_t granules) {
  Least least;
  for (size_t v = 0; v < kernel.variants.size(); ++v)
    for (int32_t count = 1; count <= granules; ++count) {
      DeviceTask task =
          deviceTask(device, kernel, static_cast<int32_t>(v), allGranules(count), false);
      double ns = task.launchNs + task.bodyNs;
      least.ns = std::min(least.ns, ns);
      least.areaNs = std::min(least.areaNs, ns * count);
      least.unitNs = std::min(least.unitNs, task.bodyNs * task.units);
      least.bytes = std::min(least.bytes, task.bytes);
    }
  return least;
}

} // namespace

LowerBounds lowerBounds(const Problem &problem, const Workload &workload) {
  int32_t granules = std::popcount(workload.granules);
  std::vector<Least> least;
  for (const Kernel &kernel : problem.kernels)
    least.push_back(leastOf(kernel, problem.device, granules));
  double pathNs = 0, areaNs = 0, unitNs = 0, bytes = 0;
  for (int32_t e : workload.instances) {
    const Entry &entry = problem.entries[static_cast<size_t>(e)];
    std::vector<std::vector<int32_t>> dependences = taskDependences(problem, entry);
    std::vector<double> endNs(entry.tasks.size(), 0);
    for (size_t t = 0; t < entry.tasks.size(); ++t) {
      auto k = static_cast<size_t>(entry.tasks[t].kernel);
      for (int32_t d : dependences[t])
        endNs[t] = std::max(endNs[t], endNs[static_cast<size_t>(d)]);
      endNs[t] += least[k].ns;
      pathNs = std::max(pathNs, endNs[t]);
      areaNs += least[k].areaNs;
      unitNs += least[k].unitNs;
      bytes += least[k].bytes;
    }
  }
  auto whole = [](double ns) { return static_cast<int64_t>(std::floor(ns)); };
  LowerBounds bounds;
  bounds.pathNs = whole(pathNs);
  bounds.areaNs = whole(areaNs / granules);
  bounds.workNs = whole(unitNs / (granules * problem.device.unitsPerGranule));
  bounds.bytesNs = problem.device.bytesPerNs > 0 ? whole(bytes / problem.device.bytesPerNs) : 0;
  return bounds;
}

} // namespace mtc
