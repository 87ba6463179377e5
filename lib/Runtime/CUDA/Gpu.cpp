//===- Gpu.cpp - the split and its contexts -------------------------------===//
#include "Gpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace mtc::gpu {

StatusOr<int> parseOrdinal(const std::string &device) {
  int ordinal = 0;
  if (device == "cuda")
    return ordinal;
  constexpr size_t digits = std::string_view("cuda:").size();
  const char *end = device.data() + device.size();
  const auto [next, error] = std::from_chars(device.data() + digits, end, ordinal);
  if (error != std::errc() || next != end || ordinal < 0)
    return invalidInput(fmt::format("device '{}' is not 'cuda' or 'cuda:N'", device));
  return ordinal;
}

StatusOr<std::unique_ptr<Gpu>> Gpu::open(std::shared_ptr<const Driver> driver, int ordinal,
                                         void *callerContext) {
  std::unique_ptr<Gpu> gpu(new Gpu(std::move(driver)));
  const Driver &cu = *gpu->driver_;
  MTC_CU(cu, cuInit, 0);
  int count = 0;
  MTC_CU(cu, cuDeviceGetCount, &count);
  if (ordinal < 0 || ordinal >= count)
    return Status(ErrorCode::DeviceUnavailable,
                  fmt::format("no CUDA device {}: the driver finds {}", ordinal, count));
  MTC_CU(cu, cuDeviceGet, &gpu->device_, ordinal);
  MTC_CU(cu, cuDriverGetVersion, &gpu->driverVersion_);
  char name[256] = {};
  MTC_CU(cu, cuDeviceGetName, name, sizeof name, gpu->device_);
  gpu->name_ = name;
  for (const auto &[attribute, value] :
       {std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &gpu->major_),
        std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &gpu->minor_),
        std::pair(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &gpu->units_)})
    MTC_CU(cu, cuDeviceGetAttribute, value, attribute, gpu->device_);
  size_t bytes = 0;
  MTC_CU(cu, cuDeviceTotalMem, &bytes, gpu->device_);
  gpu->memoryBytes_ = bytes;
  MTC_CU(cu, cuDevicePrimaryCtxRetain, &gpu->primary_, gpu->device_);
  if (callerContext && callerContext != gpu->primary_)
    return invalidInput("the caller's context is not the primary context of the device");
  return gpu;
}

Gpu::~Gpu() {
  for (auto &[mask, green] : greens_)
    driver_->cuGreenCtxDestroy(green.green);
  if (primary_)
    driver_->cuDevicePrimaryCtxRelease(device_);
}

Status Gpu::split(int unitsPerGranule, int granules) {
  const Driver &cu = *driver_;
  // A device that is not cut needs nothing of green contexts, which old drivers and GPUs lack.
  if (granules <= 1)
    return okStatus();
  const CUresult result = cu.cuDeviceGetDevResource(device_, &all_, CU_DEV_RESOURCE_TYPE_SM);
  if (result == CUDA_ERROR_NOT_SUPPORTED)
    return okStatus();
  MTC_RETURN_IF_ERROR(cu.check(result, "cuDeviceGetDevResource"));
  units_ = static_cast<int>(all_.sm.smCount); // a MIG slice or a share under MPS has fewer
  unsigned count = 0;
  CUdevResource rest = {};
  MTC_CU(cu, cuDevSmResourceSplitByCount, nullptr, &count, &all_, nullptr, 0, unitsPerGranule);
  count = std::min(count, static_cast<unsigned>(granules));
  if (count < 2)
    return okStatus();
  groups_.resize(count);
  MTC_CU(cu, cuDevSmResourceSplitByCount, groups_.data(), &count, &all_, &rest, 0, unitsPerGranule);
  groups_.resize(count);
  granules_ = std::max(1, static_cast<int>(count));
  return okStatus();
}

StatusOr<Gpu::Partition> Gpu::partition(GranuleMask mask) {
  if (mask == allGranules(granules_))
    return Partition{primary_, units_};
  if (auto known = greens_.find(mask); known != greens_.end())
    return known->second.partition;
  if (mask == 0 || (mask & ~allGranules(granules_)) != 0)
    return internalError(fmt::format("granules {:#x} are not among {}", mask, granules_));
  const Driver &cu = *driver_;
  std::vector<CUdevResource> members;
  Green green;
  green.partition.units = unitsOf(mask);
  for (size_t g = 0; g < groups_.size(); ++g)
    if (mask >> g & 1)
      members.push_back(groups_[g]);
  CUdevResourceDesc description = {};
  MTC_CU(cu, cuDevResourceGenerateDesc, &description, members.data(),
         static_cast<unsigned>(members.size()));
  MTC_CU(cu, cuGreenCtxCreate, &green.green, description, device_, CU_GREEN_CTX_DEFAULT_STREAM);
  if (Status status = cu.check(cu.cuCtxFromGreenCtx(&green.partition.context, green.green),
                               "cuCtxFromGreenCtx");
      !status.ok()) {
    cu.cuGreenCtxDestroy(green.green);
    return status;
  }
  return greens_.emplace(mask, green).first->second.partition;
}

int Gpu::unitsOf(GranuleMask mask) const {
  if (mask == allGranules(granules_))
    return units_;
  int units = 0;
  for (size_t g = 0; g < groups_.size(); ++g)
    if (mask >> g & 1)
      units += static_cast<int>(groups_[g].sm.smCount);
  return units;
}

Status Gpu::lost() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

void Gpu::setLost(const Status &status) {
  std::lock_guard lock(mutex_);
  if (lost_.ok())
    lost_ = {ErrorCode::DeviceUnavailable, status.message()};
}

} // namespace mtc::gpu
