//===- Traffic.cpp - what kernels find in caches --------------------------===//
#include "mtc/Tuning/Traffic.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace mtc {
namespace {

double weightBytesOf(const Entry &entry, const Task &task, const Kernel &kernel) {
  double bytes = 0;
  for (int32_t v : task.values)
    if (const Value &value = entry.values[static_cast<size_t>(v)]; value.kind == ValueKind::Weight)
      bytes += static_cast<double>(value.bytes);
  return std::min(bytes, static_cast<double>(kernel.bytes)); // a lookup reads a part of a table
}

/// The value by which a task's weights are recognized: its largest; -1: it has none.
int32_t largestWeight(const Entry &entry, const Task &task) {
  int32_t largest = -1;
  for (int32_t v : task.values)
    if (const Value &value = entry.values[static_cast<size_t>(v)];
        value.kind == ValueKind::Weight &&
        (largest < 0 || value.bytes > entry.values[static_cast<size_t>(largest)].bytes))
      largest = v;
  return largest;
}

/// The most bytes of values other than weights that are alive at once.
double mostAlive(const Entry &entry) {
  std::vector<size_t> lastUse(entry.values.size(), 0);
  for (size_t t = 0; t < entry.tasks.size(); ++t)
    for (int32_t v : entry.tasks[t].values)
      lastUse[static_cast<size_t>(v)] = t;
  std::vector<bool> isAlive(entry.values.size(), false);
  double alive = 0, most = 0;
  for (size_t t = 0; t < entry.tasks.size(); ++t) {
    auto forEach = [&](auto change) {
      for (int32_t v : entry.tasks[t].values)
        if (const Value &value = entry.values[static_cast<size_t>(v)];
            value.kind != ValueKind::Weight)
          change(static_cast<size_t>(v), static_cast<double>(value.bytes));
    };
    forEach([&](size_t v, double bytes) {
      alive += isAlive[v] ? 0 : bytes;
      isAlive[v] = true;
    });
    most = std::max(most, alive);
    forEach([&](size_t v, double bytes) {
      if (lastUse[v] == t && isAlive[v])
        alive -= bytes;
      isAlive[v] = lastUse[v] != t;
    });
  }
  return most;
}

} // namespace

std::vector<Traffic> trafficOf(const Problem &problem) {
  std::vector<std::vector<Traffic>> uses(problem.kernels.size());
  for (const Entry &entry : problem.entries) {
    // Arenas are used again and again: what passes is the weights and the most that is alive.
    double weights = 0, touched = 0;
    const double alive = mostAlive(entry);
    std::map<int32_t, double> lastRead; // by value: bytes touched before
    for (const Task &task : entry.tasks)
      if (const int32_t v = largestWeight(entry, task);
          v >= 0 && lastRead.try_emplace(v, -1).second)
        weights += weightBytesOf(entry, task, problem.kernels[static_cast<size_t>(task.kernel)]);
    for (const Task &task : entry.tasks) {
      const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
      Traffic traffic;
      traffic.weightBytes = weightBytesOf(entry, task, kernel);
      traffic.otherBytes = static_cast<double>(kernel.bytes) - traffic.weightBytes;
      traffic.reuseBytes = weights + alive;
      if (const int32_t v = largestWeight(entry, task); v >= 0) {
        double &last = lastRead[v];
        if (last >= 0)
          traffic.reuseBytes = std::min(traffic.reuseBytes, touched - last);
        last = touched;
      }
      touched += static_cast<double>(kernel.bytes);
      uses[static_cast<size_t>(task.kernel)].push_back(traffic);
    }
  }
  std::vector<Traffic> traffic(problem.kernels.size());
  for (size_t k = 0; k < uses.size(); ++k) {
    if (uses[k].empty())
      continue;
    const auto middle = uses[k].begin() + static_cast<ptrdiff_t>(uses[k].size() / 2);
    std::nth_element(
        uses[k].begin(), middle, uses[k].end(), [](const Traffic &a, const Traffic &b) {
          return std::tie(a.reuseBytes, a.weightBytes) < std::tie(b.reuseBytes, b.weightBytes);
        });
    traffic[k] = *middle;
  }
  return traffic;
}

double missedPart(double reuseBytes, double cacheBytes) {
  return reuseBytes > cacheBytes ? 1 - cacheBytes / reuseBytes : 0;
}

} // namespace mtc
