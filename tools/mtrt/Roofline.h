//===- Roofline.h - what a device leaves a task at least ------------------===//
#pragma once

#include "Commands.h"

#include "mtc/Runtime/Peak.h"
#include "mtc/Support/DeviceTable.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace mtc::tool {

/// The roofs under which `bench --mode kernels` sets its times. Of a host all are measured. Of a
/// GPU main memory is, by copies within it; arithmetic and the level-2 cache are the device table's
/// (data sheets and an estimate), which says what a GPU of that name reaches at its full clock.
class Roofline {
public:
  /// Measures once more: beside the times that it is compared with.
  /// Fails if the device cannot be measured.
  Status measure(const DeviceOptions &device, const Session &session);

  /// The least time of a task, and why it is not less: "arithmetic", "memory", "cache", or "start"
  /// if what starting a task costs is more than that.
  struct Floor {
    double ns = 0;
    const char *limit = "";
  };
  /// Of a task on `workers` granules that took `ns`. Memory is no roof for who is above it: its
  /// operands were in the last cache.
  Floor floorOf(const Problem &problem, const Kernel &kernel, const Variant &variant, int workers,
                double ns) const;

  bool isOfGpu() const { return gpu_ != nullptr; }
  /// "67.0 GFLOP/s a core (f32), ...", for people.
  std::string text() const;
  nlohmann::ordered_json json() const;

private:
  host::Peak medians() const { return host::medianOf(runs_); }
  std::vector<host::Peak> runs_; ///< of a GPU: rates of an SM
  const GpuRow *gpu_ = nullptr;  ///< null: a host
};

} // namespace mtc::tool
