//===- Traffic.cpp - what kernels find in caches --------------------------===//
#include "mtc/Tuning/Traffic.h"

#include <algorithm>

namespace mtc {

static double weightBytesOf(const Entry &entry, const Task &task, const Kernel &kernel) {
  double bytes = 0;
  for (int32_t v : task.values)
    if (const Value &value = entry.values[static_cast<size_t>(v)]; value.kind == ValueKind::Weight)
      bytes += static_cast<double>(value.bytes);
  return std::min(bytes, static_cast<double>(kernel.bytes)); // a lookup reads a part of a table
}

static double footprintOf(const Problem &problem, const Entry &entry) {
  std::vector<size_t> lastUse(entry.values.size(), 0);
  for (size_t t = 0; t < entry.tasks.size(); ++t)
    for (int32_t v : entry.tasks[t].values)
      lastUse[static_cast<size_t>(v)] = t;
  std::vector<bool> isAlive(entry.values.size(), false);
  double weights = 0, alive = 0, most = 0;
  for (size_t t = 0; t < entry.tasks.size(); ++t) {
    const Task &task = entry.tasks[t];
    weights += weightBytesOf(entry, task, problem.kernels[static_cast<size_t>(task.kernel)]);
    for (int32_t v : task.values) {
      const Value &value = entry.values[static_cast<size_t>(v)];
      if (value.kind == ValueKind::Weight || isAlive[static_cast<size_t>(v)])
        continue;
      isAlive[static_cast<size_t>(v)] = true;
      alive += static_cast<double>(value.bytes);
    }
    most = std::max(most, alive);
    for (int32_t v : task.values)
      if (lastUse[static_cast<size_t>(v)] == t && isAlive[static_cast<size_t>(v)]) {
        isAlive[static_cast<size_t>(v)] = false;
        alive -= static_cast<double>(entry.values[static_cast<size_t>(v)].bytes);
      }
  }
  return weights + most;
}

std::vector<Traffic> trafficOf(const Problem &problem) {
  std::vector<Traffic> traffic(problem.kernels.size());
  for (const Entry &entry : problem.entries) {
    const double footprint = footprintOf(problem, entry);
    for (const Task &task : entry.tasks) {
      const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
      Traffic &of = traffic[static_cast<size_t>(task.kernel)];
      if (footprint < of.footprint)
        continue;
      of.footprint = footprint;
      of.weightBytes = weightBytesOf(entry, task, kernel);
      of.otherBytes = static_cast<double>(kernel.bytes) - of.weightBytes;
    }
  }
  return traffic;
}

double missedPart(double footprint, double cacheBytes) {
  return footprint > cacheBytes ? 1 - cacheBytes / footprint : 0;
}

} // namespace mtc
