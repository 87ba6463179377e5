//===- MigProfiles.h - instances that a GPU can be split into -------------===//
#pragma once

#include <cstdint>
#include <span>

namespace mtc {

/// A GPU instance that Multi-Instance GPU can make, hardware-isolated.
struct MigProfile {
  const char *gpu;   ///< name of its GpuRow
  int32_t slices;    ///< of the GPU's 7 compute slices: "3g" has 3
  int32_t units;     ///< SMs
  int64_t memoryMib; ///< of its own
};

/// Destroying and creating GPU instances: some seconds, on an idle GPU. An estimate.
inline constexpr int64_t kMigReconfigureNs = 5'000'000'000;

/// The profiles of all GPUs that have any.
std::span<const MigProfile> migProfiles();

} // namespace mtc
