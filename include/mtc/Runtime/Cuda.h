//===- Cuda.h - what CUDA offers on this machine --------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mtc {

struct CudaDeviceInfo {
  std::string name; ///< a slice of a divided GPU says so: "NVIDIA H200 MIG 1g.18gb"
  int major = 0, minor = 0;
  int units = 0;  ///< SMs that this process may use
  int groups = 0; ///< of at least 8 SMs; 0: the device cannot be split
  int unitsPerGroup = 0;
  uint64_t memoryBytes = 0;
  bool isMig = false;
  bool isMps = false; ///< contexts share the device through the Multi-Process Service
};

struct CudaInfo {
  int driverVersion = 0; ///< 13000 for 13.0
  std::vector<CudaDeviceInfo> devices;
};

/// Asks the driver at `path`; empty is libcuda.so.1.
/// Fails if there is no driver or device (DeviceUnavailable), or the driver fails.
StatusOr<CudaInfo> describeCuda(const std::string &path);

/// Copies within the memory of `device` ("cuda", "cuda:N"), each timed by the GPU: the bytes read
/// and written per ns. Of at most 256 MiB and 1/256 of the memory, more than any level-2 cache.
/// Fails if there is no such device (DeviceUnavailable), or the driver fails.
StatusOr<std::vector<double>> measureCudaCopies(const std::string &device, const std::string &path);

} // namespace mtc
