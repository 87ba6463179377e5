//===- BenchOpen.h - mtrt bench --mode open -------------------------------===//
#pragma once

#include "Commands.h"
#include "Tensors.h"

namespace mtc::tool {

struct OpenOptions {
  std::vector<std::string> whatIf;
  std::string layout = "joint", duration;
  int64_t requests = 1000;
  uint64_t seed = 1;
  bool requireSlo = false;
};
void addOpenOptions(CLI::App &app, OpenOptions &options);

/// The first option that was given and is of --mode open alone; null: none.
const char *openOptionOf(const OpenOptions &options);

/// Serves an open load on partitions of the host's cores in real time, and predicts the same run.
///
/// Fails if no tenant has a rate or the device is no host (InvalidInput), a request fails, or with
/// `requireSlo` a tenant's p99 is beyond its SLO (SloInfeasible).
Status benchOpen(const DeviceOptions &device, const OutputOptions &output, const Fill &fill,
                 int warmup, const OpenOptions &options);

} // namespace mtc::tool
