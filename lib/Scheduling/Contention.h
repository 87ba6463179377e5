//===- Contention.h - progress of tasks that share bandwidth (internal) ---===//
//
// What policies predict with. The model is that of Simulation/Simulate.h, written again: bodies
// slow down together while they want more bytes than the device has, shared ones while they want
// more units. All bodies of one kind slow down by one factor, so their progress is one number and a
// body ends when that number reaches what was set at its start; nothing is updated per task.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"

#include <bit>

namespace mtc {

/// A variant of a kernel on a number of granules, as policies predict it.
struct Demand {
  double launchNs = 0;
  double bodyNs = 0;     ///< without neighbours
  double bytesPerNs = 0; ///< in the body, at most the device's
  double units = 0;      ///< that have a tile
};

Demand demandOf(const Device &device, const Kernel &kernel, int32_t variant, int32_t granules);

/// The same for something of `kernelBytes` and `tiles` that takes `ns`.
Demand demandOf(const Device &device, int64_t ns, int64_t kernelBytes, int64_t tiles,
                int32_t granules);

/// Tasks that run at once. Times are ns from 0 on.
class Contention {
public:
  /// `sharedUnits`: what shared tasks have together.
  Contention(const Device &device, double sharedUnits)
      : bytesPerNs_(device.bytesPerNs > 0 ? device.bytesPerNs : 1e300), sharedUnits_(sharedUnits) {}

  double nowNs() const { return nowNs_; }
  bool idle() const { return tasks_.empty(); }

  void start(int32_t id, const Demand &demand, bool shared);

  /// Lets time pass until at least one task ends; appends those, in the order of their starts.
  /// Precondition: not idle().
  void run(std::vector<int32_t> &ended);

  /// When the running task `id` ends if nothing else starts or ends before.
  double endNs(int32_t id) const;

private:
  struct Task {
    int32_t id;
    Demand demand;
    bool shared;
    bool inBody;
    double target; ///< launch: time; body: progress of its kind at its end
  };
  /// Bodies that progress alike: without bytes, with bytes, shared.
  size_t kindOf(const Task &task) const {
    return task.shared ? 2 : task.demand.bytesPerNs > 0 ? 1 : 0;
  }
  double leftNs(const Task &task) const {
    size_t kind = kindOf(task);
    return task.inBody ? (task.target - progress_[kind]) / rate_[kind] : task.target - nowNs_;
  }
  void updateRates();

  double bytesPerNs_, sharedUnits_;
  double nowNs_ = 0;
  double progress_[3] = {0, 0, 0}, rate_[3] = {1, 1, 1};
  std::vector<Task> tasks_;
};

} // namespace mtc
