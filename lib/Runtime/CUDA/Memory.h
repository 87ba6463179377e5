//===- Memory.h - guarded ranges of device memory -------------------------===//
//
// Every range reserves as many addresses as the device has bytes and maps memory from its start as
// it is needed: it grows without moving, so graphs keep their addresses, and between what is mapped
// of two ranges nothing is, so an access that leaves its range is an error and no wrong answer.
// Source: CUDA driver API 13.0, "Virtual Memory Management".
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Gpu.h"
#include "mtc/Bundle/Reader.h"

#include <map>
#include <string>

namespace mtc::gpu {

class GuardedRange {
public:
  explicit GuardedRange(Gpu &gpu) : gpu_(gpu) {}
  GuardedRange(const GuardedRange &) = delete;
  GuardedRange &operator=(const GuardedRange &) = delete;
  ~GuardedRange();

  /// Maps memory so that at least `bytes` can be used.
  /// Fails if the device has not so much (Internal); what there was stays.
  Status grow(int64_t bytes);

  CUdeviceptr address() const { return address_; } ///< 0 before the first grow()
  int64_t mappedBytes() const { return static_cast<int64_t>(mapped_); }

private:
  Gpu &gpu_;
  CUdeviceptr reservation_ = 0, address_ = 0;
  size_t reserved_ = 0, granularity_ = 0, mapped_ = 0;
  struct Piece {
    size_t offset, bytes;
    CUmemGenericAllocationHandle handle;
  };
  std::vector<Piece> pieces_;
};

/// The ranges of a session by name: arenas, inputs and outputs, scratch. Plans take turns with
/// them, since one job runs at a time; a range never serves tenants that are isolated.
class DeviceMemory {
public:
  explicit DeviceMemory(Gpu &gpu) : gpu_(gpu) {}

  /// The address of the range called `key`, which has at least `bytes`.
  StatusOr<CUdeviceptr> reserve(const std::string &key, int64_t bytes);
  int64_t mappedBytes() const;

private:
  Gpu &gpu_;
  std::map<std::string, GuardedRange> ranges_;
};

/// The weights of a bundle on the device: uploaded when a plan first uses them, equal ones once for
/// all tenants.
class DeviceWeights {
public:
  DeviceWeights(Gpu &gpu, const BundleReader &bundle) : bundle_(bundle), gpu_(gpu), range_(gpu) {}

  /// The address of a weight of the bundle. The primary context is current.
  /// Fails if its bytes are damaged (BundleRefused) or there is no memory for it (Internal).
  StatusOr<CUdeviceptr> upload(int32_t weight);
  int64_t bytes() const { return used_; }

private:
  const BundleReader &bundle_;
  Gpu &gpu_;
  GuardedRange range_;
  int64_t used_ = 0;
  std::map<std::pair<uint64_t, uint64_t>, int64_t> places_; ///< offset in the range
};

} // namespace mtc::gpu
