//===- Contention.cpp - shared bandwidth and units ------------------------===//
#include "Contention.h"

#include <algorithm>

namespace mtc {

/// Less than what is left of a task that has ended: sums of doubles are not exact.
static constexpr double kSlackNs = 1e-6;

Demand demandOf(const Device &device, const Kernel &kernel, int32_t variant, int32_t granules) {
  const Variant &v = kernel.variants[static_cast<size_t>(variant)];
  return demandOf(device, variantNs(v, granules), kernel.bytes,
                  *std::max_element(v.phaseTiles.begin(), v.phaseTiles.end()), granules);
}

Demand demandOf(const Device &device, int64_t wholeNs, int64_t kernelBytes, int64_t tiles,
                int32_t granules) {
  const auto ns = static_cast<double>(wholeNs);
  Demand demand;
  demand.launchNs = std::min(ns, static_cast<double>(device.launchNs));
  demand.bodyNs = ns - demand.launchNs;
  if (demand.bodyNs > 0)
    demand.bytesPerNs = static_cast<double>(kernelBytes) / demand.bodyNs;
  if (device.bytesPerNs > 0)
    demand.bytesPerNs = std::min(demand.bytesPerNs, device.bytesPerNs);
  demand.units =
      static_cast<double>(std::min<int64_t>(tiles, int64_t(granules) * device.unitsPerGranule));
  return demand;
}

void Contention::start(int32_t id, const Demand &demand, bool shared) {
  tasks_.push_back({id, demand, shared, false, nowNs_ + demand.launchNs});
}

void Contention::updateRates() {
  double units = 0, bytes = 0, sharedBytes = 0;
  for (const Task &task : tasks_) {
    if (!task.inBody)
      continue;
    if (task.shared) {
      units += task.demand.units;
      sharedBytes += task.demand.bytesPerNs;
    } else {
      bytes += task.demand.bytesPerNs;
    }
  }
  double unitRate = units > sharedUnits_ ? sharedUnits_ / units : 1;
  double wanted = bytes + sharedBytes * unitRate;
  double byteRate = wanted > bytesPerNs_ ? bytesPerNs_ / wanted : 1;
  rate_[1] = byteRate;
  rate_[2] = unitRate * byteRate;
}

void Contention::run(std::vector<int32_t> &ended) {
  size_t before = ended.size();
  while (ended.size() == before) {
    updateRates();
    double left = leftNs(tasks_[0]);
    for (const Task &task : tasks_)
      left = std::min(left, leftNs(task));
    left = std::max(left, 0.0);
    nowNs_ += left;
    for (size_t kind = 0; kind < 3; ++kind)
      progress_[kind] += left * rate_[kind];
    std::erase_if(tasks_, [&](Task &task) {
      if (leftNs(task) > kSlackNs)
        return false;
      if (!task.inBody && task.demand.bodyNs > 0) {
        task.inBody = true;
        task.target = progress_[kindOf(task)] + task.demand.bodyNs;
        return false;
      }
      ended.push_back(task.id);
      return true;
    });
  }
}

double Contention::endNs(int32_t id) const {
  for (const Task &task : tasks_)
    if (task.id == id)
      return nowNs_ + leftNs(task) + (task.inBody ? 0 : task.demand.bodyNs / rate_[kindOf(task)]);
  return nowNs_;
}

} // namespace mtc
