//===- Gpu.h - a GPU cut into groups of SMs -------------------------------===//
//
// One split of the SMs into granules, made once; a mask of granules is a green context over their
// union (rule R2), the whole device is its primary context. Green contexts use the memory, kernels
// and streams of the primary context.
// Source: CUDA driver API 13.0, "Green Contexts".
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Driver.h"
#include "mtc/Scheduling/Problem.h"

#include <map>
#include <mutex>
#include <vector>

namespace mtc::gpu {

/// "cuda" is device 0, "cuda:N" device N.
/// Fails if the text is neither (InvalidInput).
StatusOr<int> parseOrdinal(const std::string &device);

class Gpu {
public:
  /// Retains the primary context of device `ordinal`. `callerContext`, if not null, must be it.
  /// Fails if there is no such device (DeviceUnavailable), or the caller's context is another one
  /// (InvalidInput).
  static StatusOr<std::unique_ptr<Gpu>> open(std::shared_ptr<const Driver> driver, int ordinal,
                                             void *callerContext);
  ~Gpu();

  /// Splits the SMs into groups of `unitsPerGranule`, at most `granules` of them. Once, before
  /// contextOf(). A device that cannot be split is one granule.
  Status split(int unitsPerGranule, int granules);

  const Driver &driver() const { return *driver_; }
  CUdevice device() const { return device_; }
  CUcontext primary() const { return primary_; }
  const std::string &name() const { return name_; }
  int driverVersion() const { return driverVersion_; } ///< 13000 for 13.0
  int major() const { return major_; }
  int minor() const { return minor_; }
  int units() const { return units_; } ///< SMs that this process may use
  int granules() const { return granules_; }
  uint64_t memoryBytes() const { return memoryBytes_; }

  /// The context of a mask and how many SMs it has. Ownership: lives as long as this object.
  struct Partition {
    CUcontext context = nullptr;
    int units = 0;
  };
  StatusOr<Partition> partition(GranuleMask mask);
  /// SMs of a mask.
  int unitsOf(GranuleMask mask) const;

  /// The first error that lost the device stays: all later work ends with it.
  Status lost() const;
  void setLost(const Status &status);

private:
  explicit Gpu(std::shared_ptr<const Driver> driver) : driver_(std::move(driver)) {}

  std::shared_ptr<const Driver> driver_;
  CUdevice device_ = 0;
  CUcontext primary_ = nullptr;
  std::string name_;
  int driverVersion_ = 0, major_ = 0, minor_ = 0, units_ = 0, granules_ = 1;
  uint64_t memoryBytes_ = 0;
  CUdevResource all_ = {};
  std::vector<CUdevResource> groups_;
  struct Green {
    CUgreenCtx green = nullptr;
    Partition partition;
  };
  std::map<GranuleMask, Green> greens_;
  mutable std::mutex mutex_; ///< guards lost_
  Status lost_;
};

/// Makes a context current in this thread for the object's life; what was current before is again.
class CurrentContext {
public:
  CurrentContext(const Driver &driver, CUcontext context)
      : driver_(driver), result_(driver.cuCtxPushCurrent(context)) {}
  ~CurrentContext() {
    CUcontext popped = nullptr;
    if (result_ == CUDA_SUCCESS)
      driver_.cuCtxPopCurrent(&popped);
  }
  CurrentContext(const CurrentContext &) = delete;
  CurrentContext &operator=(const CurrentContext &) = delete;
  Status status() const { return driver_.check(result_, "cuCtxPushCurrent"); }

private:
  const Driver &driver_;
  CUresult result_;
};

} // namespace mtc::gpu
