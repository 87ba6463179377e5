//===- SharedDevice.h - progress of tasks that share a device (internal) --===//
#pragma once

#include "mtc/Scheduling/Problem.h"

namespace mtc {

/// A task as the device sees it.
struct DeviceTask {
  double launchNs = 0; ///< nothing slows it
  double bodyNs = 0;   ///< without neighbours
  double bytes = 0;    ///< drawn evenly over the body
  double units = 0;    ///< that have a tile
  GranuleMask granules = 1;
  bool shared = false; ///< does not have its granules to itself
};

/// A device on which tasks start at any time and end when their work is done.
///
/// Times are ns as doubles from 0 on; equal inputs give equal times.
class SharedDevice {
public:
  explicit SharedDevice(const Device &device)
      : bytesPerNs_(device.bytesPerNs > 0 ? device.bytesPerNs : 1e300),
        unitsPerGranule_(device.unitsPerGranule) {}

  double nowNs() const { return nowNs_; }
  bool idle() const { return running_.empty(); }

  /// Starts a task now. `id` is told back when it ends.
  void start(int32_t id, const DeviceTask &task);

  /// Lets time pass until a task ends, at most until `limitNs`. Appends the ids of tasks that end
  /// then, in the order in which they started.
  ///
  /// Complexity: O(running) per change of what runs.
  void advance(double limitNs, std::vector<int32_t> &ended);

  double unitNs() const { return unitNs_; }    ///< units with work times time, so far
  double movedBytes() const { return bytes_; } ///< so far

private:
  struct Running {
    int32_t id;
    DeviceTask task;
    double launchLeftNs, bodyLeftNs;
    double rate = 1; ///< of the body
  };
  void updateRates();
  double nextChangeNs() const;
  void pass(double ns);

  double bytesPerNs_, unitsPerGranule_;
  double nowNs_ = 0, unitNs_ = 0, bytes_ = 0;
  std::vector<Running> running_;
};

} // namespace mtc
