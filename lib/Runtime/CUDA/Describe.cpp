//===- Describe.cpp - what CUDA offers on this machine --------------------===//
#include "mtc/Runtime/Cuda.h"

#include "Driver.h"

namespace mtc {
namespace {

/// SMs of a granule, as the device table's GPUs have them.
constexpr unsigned kUnitsPerGroup = 8;

StatusOr<CudaDeviceInfo> describe(const gpu::Driver &cu, int ordinal) {
  CudaDeviceInfo info;
  CUdevice device = 0;
  MTC_CU(cu, cuDeviceGet, &device, ordinal);
  char name[256] = {};
  MTC_CU(cu, cuDeviceGetName, name, sizeof name, device);
  info.name = name;
  // The driver API tells a slice from a whole GPU by its name only; NVML would know.
  info.isMig = info.name.find(" MIG ") != std::string::npos;
  int mps = 0;
  for (const auto &[attribute, value] :
       {std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &info.major),
        std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &info.minor),
        std::pair(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &info.units)})
    MTC_CU(cu, cuDeviceGetAttribute, value, attribute, device);
  if (cu.cuDeviceGetAttribute(&mps, CU_DEVICE_ATTRIBUTE_MPS_ENABLED, device) == CUDA_SUCCESS)
    info.isMps = mps != 0; // older drivers do not know the attribute
  size_t bytes = 0;
  MTC_CU(cu, cuDeviceTotalMem, &bytes, device);
  info.memoryBytes = bytes;
  CUdevResource all = {};
  unsigned groups = 0;
  if (cu.cuDeviceGetDevResource(device, &all, CU_DEV_RESOURCE_TYPE_SM) != CUDA_SUCCESS)
    return info;
  info.units = static_cast<int>(all.sm.smCount);
  if (cu.cuDevSmResourceSplitByCount(nullptr, &groups, &all, nullptr, 0, kUnitsPerGroup) ==
      CUDA_SUCCESS) {
    info.groups = static_cast<int>(groups);
    info.unitsPerGroup = kUnitsPerGroup;
  }
  return info;
}

} // namespace

StatusOr<CudaInfo> describeCuda(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(const auto driver, gpu::Driver::open(path));
  const gpu::Driver &cu = *driver;
  MTC_CU(cu, cuInit, 0);
  CudaInfo info;
  MTC_CU(cu, cuDriverGetVersion, &info.driverVersion);
  int count = 0;
  MTC_CU(cu, cuDeviceGetCount, &count);
  for (int i = 0; i < count; ++i) {
    MTC_ASSIGN_OR_RETURN(CudaDeviceInfo device, describe(cu, i));
    info.devices.push_back(std::move(device));
  }
  return info;
}

} // namespace mtc
