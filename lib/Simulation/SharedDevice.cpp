//===- SharedDevice.cpp - processor sharing -------------------------------===//
#include "SharedDevice.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace mtc {

/// Less than what is left of a task that has ended, in ns: sums of doubles are not exact.
static constexpr double kSlackNs = 1e-6;

void SharedDevice::start(int32_t id, const DeviceTask &task) {
  running_.push_back({id, task, task.launchNs, task.bodyNs});
}

void SharedDevice::updateRates() {
  // Units first: what waits for a unit draws no bytes.
  double wantedUnits = 0;
  GranuleMask shared = 0;
  for (const Running &r : running_)
    if (r.task.shared && r.launchLeftNs <= 0) {
      wantedUnits += r.task.units;
      shared |= r.task.granules;
    }
  double units = std::popcount(shared) * unitsPerGranule_;
  double unitRate = wantedUnits > units ? units / wantedUnits : 1;

  double wantedBytes = 0;
  for (Running &r : running_) {
    r.rate = r.task.shared ? unitRate : 1;
    if (r.launchLeftNs <= 0 && r.task.bodyNs > 0)
      wantedBytes += r.task.bytes / r.task.bodyNs * r.rate;
  }
  if (wantedBytes > bytesPerNs_)
    for (Running &r : running_)
      if (r.task.bytes > 0)
        r.rate *= bytesPerNs_ / wantedBytes;
}

double SharedDevice::nextChangeNs() const {
  double next = std::numeric_limits<double>::infinity();
  for (const Running &r : running_)
    next = std::min(next, r.launchLeftNs > 0 ? r.launchLeftNs : r.bodyLeftNs / r.rate);
  return next;
}

void SharedDevice::pass(double ns) {
  for (Running &r : running_) {
    if (r.launchLeftNs > 0) {
      r.launchLeftNs = r.launchLeftNs - ns > kSlackNs ? r.launchLeftNs - ns : 0;
      continue;
    }
    double done = ns * r.rate;
    r.bodyLeftNs -= done;
    unitNs_ += r.task.units * done;
    if (r.task.bodyNs > 0)
      bytes_ += r.task.bytes * done / r.task.bodyNs;
  }
  nowNs_ += ns;
}

void SharedDevice::advance(double limitNs, std::vector<int32_t> &ended) {
  while (!running_.empty()) {
    updateRates();
    double next = nextChangeNs();
    if (nowNs_ + next > limitNs)
      break;
    pass(next);
    size_t before = ended.size();
    std::erase_if(running_, [&](const Running &r) {
      bool isOver = r.launchLeftNs <= 0 && r.bodyLeftNs <= kSlackNs * r.rate;
      if (isOver)
        ended.push_back(r.id);
      return isOver;
    });
    if (ended.size() > before)
      return;
  }
  if (std::isfinite(limitNs)) {
    pass(limitNs - nowNs_);
    nowNs_ = limitNs;
  }
}

} // namespace mtc
