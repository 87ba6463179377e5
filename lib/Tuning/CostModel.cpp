//===- CostModel.cpp - the roofline ---------------------------------------===//
#include "mtc/Tuning/CostModel.h"

#include <algorithm>
#include <cmath>

namespace mtc {

/// Part of a granule's arithmetic rate that kernels of a kind reach. Measured on one core of an AMD
/// EPYC (Zen 5, 300 f32 FLOP/ns, 2025-11): contractions 284; depthwise 3x3 166; softmax of 4608x384
/// and layer normalization of 384x768 about 80. The others are estimates.
static double efficiency(KernelKind kind) {
  switch (kind) {
  case KernelKind::Contraction:
    return 0.9;
  case KernelKind::Attention:
    return 0.7;
  case KernelKind::Recurrence:
    return 0.3;
  case KernelKind::Rows:
  case KernelKind::Elementwise:
    return 0.27;
  case KernelKind::Move:
  case KernelKind::Opaque:
    return 0.05;
  }
  return 0.05;
}

/// Scalar loops with index arithmetic: about three cycles an operation at 3 GHz (estimate).
static constexpr double kPlainFlopsPerNs = 1;
static constexpr double kPlainBytesPerNs = 2;

Device hostDevice(const std::string &target, const HostRow &row, int32_t cores) {
  Device device;
  device.target = target;
  device.granules = cores;
  device.unitsPerGranule = 1;
  device.flopsPerNs = row.flopsPerNs;
  device.bytesPerNs = row.bytesPerNs * cores;
  device.launchNs = row.launchNs;
  device.barrierNs = row.barrierNs;
  return device;
}

/// The model for exactly `granules`, of which some may have nothing to do.
static int64_t exactNs(const KernelFeatures &features, const Device &device, int32_t granules) {
  double flopsPerNs =
      features.vectorized ? device.flopsPerNs * efficiency(features.kind) : kPlainFlopsPerNs;
  // A share of the device has that share of the bandwidth: inference works out of caches.
  double bytesPerNs =
      features.vectorized ? device.bytesPerNs / std::max(1, device.granules) : kPlainBytesPerNs;
  double oneGranuleNs = std::max(static_cast<double>(features.flops) / flopsPerNs,
                                 static_cast<double>(features.bytes) / bytesPerNs);
  double ns = static_cast<double>(device.launchNs);
  for (int64_t tiles : features.phaseTiles) {
    // Tiles are whole: three tiles take two granules as long as four.
    int64_t longest = (tiles + granules - 1) / granules;
    ns += oneGranuleNs / static_cast<double>(features.phaseTiles.size()) *
          static_cast<double>(longest) / static_cast<double>(tiles);
  }
  // One after each phase; the last one tells that the task has ended.
  if (granules > 1)
    ns += static_cast<double>(features.phaseTiles.size()) * static_cast<double>(device.barrierNs);
  return std::max<int64_t>(1, std::llround(ns));
}

int64_t modelledNs(const KernelFeatures &features, const Device &device, int32_t granules) {
  int64_t ns = exactNs(features, device, 1);
  for (int32_t count = 2; count <= granules; ++count)
    ns = std::min(ns, exactNs(features, device, count));
  return ns;
}

std::vector<ShareTime> modelledTimes(const KernelFeatures &features, const Device &device) {
  std::vector<ShareTime> times;
  for (int32_t count = 1; count <= device.granules; ++count)
    if (int64_t ns = exactNs(features, device, count); times.empty() || ns < times.back().ns)
      times.push_back({count, ns, TimeOrigin::Modelled});
  return times;
}

} // namespace mtc
