//===- GpuModel.cpp - tiles, waves, bytes ---------------------------------===//
#include "mtc/Tuning/GpuModel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mtc {
namespace {

/// A kernel cut into equal tiles.
struct Cut {
  std::string config;
  int64_t tiles = 1;
  double tileNs = 0; ///< of one tile on one SM
};

/// A tile of a contraction and the part of the peak that it reaches (estimates: large tiles reuse
/// operands in registers, small ones cannot use wgmma).
struct TileSize {
  int64_t rows, columns;
  double f32Efficiency, f16Efficiency;
};
constexpr TileSize kTileSizes[] = {
    {128, 128, 0.8, 0.75}, {128, 64, 0.75, 0.65}, {64, 64, 0.7, 0.55},
    {64, 32, 0.6, 0.4},    {32, 32, 0.5, 0.3},    {16, 32, 0.4, 0.2},
};

/// Part of the CUDA cores' peak that loops without reuse reach (estimate).
constexpr double kVectorEfficiency = 0.25;
/// Traffic of a tile of such loops.
constexpr int64_t kVectorTileBytes[] = {4 << 10, 16 << 10};

int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

class Pricer {
public:
  Pricer(const Kernel &kernel, const GpuRow &row, GpuPrecision precision)
      : kernel_(kernel), row_(row), isHalf_(precision == GpuPrecision::F16),
        granules_(row.units / row.unitsPerGranule),
        bytes_(static_cast<double>(kernel.bytes) / (isHalf_ ? 2 : 1)) {}

  std::vector<Variant> variants() const {
    std::vector<Cut> cuts = isTiled() ? contractionCuts() : vectorCuts();
    std::vector<size_t> chosen;
    for (int32_t granules : {granules_, std::max(1, granules_ / 4), 1}) {
      size_t best = 0;
      for (size_t c = 1; c < cuts.size(); ++c)
        if (timeNs(cuts[c], granules) < timeNs(cuts[best], granules))
          best = c;
      if (std::find(chosen.begin(), chosen.end(), best) == chosen.end())
        chosen.push_back(best);
    }
    std::vector<Variant> variants;
    for (size_t c : chosen)
      variants.push_back(variantOf(cuts[c]));
    return variants;
  }

private:
  bool isTiled() const {
    return kernel_.kind == KernelKind::Contraction && kernel_.extents.rows > 4 &&
           kernel_.extents.columns > 4;
  }

  std::vector<Cut> contractionCuts() const {
    const Extents &e = kernel_.extents;
    std::vector<Cut> cuts;
    for (const TileSize &size : kTileSizes) {
      Cut cut;
      cut.config = fmt::format("{}x{}", size.rows, size.columns);
      cut.tiles = e.batch * ceilDivide(e.rows, size.rows) * ceilDivide(e.columns, size.columns);
      double rate = isHalf_ ? row_.f16TensorFlopsPerNs * size.f16Efficiency
                            : row_.f32FlopsPerNs * size.f32Efficiency;
      auto depth = static_cast<double>(e.depth);
      double flops = 2.0 * static_cast<double>(size.rows * size.columns) * depth;
      double loads = static_cast<double>(size.rows + size.columns) * depth * (isHalf_ ? 2 : 4);
      cut.tileNs = std::max(flops / rate, loads / row_.unitBytesPerNs);
      cuts.push_back(cut);
    }
    return cuts;
  }

  /// Rows are whole: no more tiles than rows (and for contractions, than results).
  std::vector<Cut> vectorCuts() const {
    const Extents &e = kernel_.extents;
    int64_t most = std::max<int64_t>(1, e.batch * e.rows * e.columns);
    // Rows of other kernels that are one element are no limit: what is moved is.
    if (kernel_.kind == KernelKind::Move)
      most = INT64_MAX;
    if (kernel_.kind == KernelKind::Recurrence || kernel_.kind == KernelKind::Opaque)
      most = 1;
    std::vector<Cut> cuts;
    for (int64_t tileBytes : kVectorTileBytes) {
      Cut cut;
      cut.config = fmt::format("{} KiB", tileBytes >> 10);
      cut.tiles = std::clamp<int64_t>(
          static_cast<int64_t>(std::ceil(bytes_ / static_cast<double>(tileBytes))), 1, most);
      auto tiles = static_cast<double>(cut.tiles);
      cut.tileNs = std::max(static_cast<double>(kernel_.flops) / tiles /
                                (row_.f32FlopsPerNs * kVectorEfficiency),
                            bytes_ / tiles / row_.unitBytesPerNs);
      cuts.push_back(cut);
    }
    return cuts;
  }

  int64_t timeNs(const Cut &cut, int32_t granules) const {
    int64_t units = int64_t(granules) * row_.unitsPerGranule;
    double waves = static_cast<double>(ceilDivide(cut.tiles, units)) * cut.tileNs;
    double memory =
        bytes_ / std::min(row_.bytesPerNs, static_cast<double>(units) * row_.unitBytesPerNs);
    return row_.launchNs + row_.rampNs +
           std::max<int64_t>(1, std::llround(std::max(waves, memory)));
  }

  Variant variantOf(const Cut &cut) const {
    Variant variant;
    variant.config = cut.config;
    variant.phaseTiles = {cut.tiles};
    for (int32_t count = 1; count <= granules_; ++count)
      if (int64_t ns = timeNs(cut, count); variant.times.empty() || ns < variant.times.back().ns)
        variant.times.push_back({count, ns, TimeOrigin::Modelled});
    return variant;
  }

  const Kernel &kernel_;
  const GpuRow &row_;
  bool isHalf_;
  int32_t granules_;
  double bytes_;
};

} // namespace

Device gpuDevice(const GpuRow &row, GpuPrecision precision) {
  Device device;
  device.target = fmt::format("cuda:{},units={}", row.architecture, row.units);
  device.granules = row.units / row.unitsPerGranule;
  device.unitsPerGranule = row.unitsPerGranule;
  device.flopsPerNs =
      row.unitsPerGranule *
      (precision == GpuPrecision::F16 ? row.f16TensorFlopsPerNs : row.f32FlopsPerNs);
  device.bytesPerNs = row.bytesPerNs;
  device.launchNs = row.launchNs;
  return device;
}

std::vector<Variant> gpuVariants(const Kernel &kernel, const GpuRow &row, GpuPrecision precision) {
  return Pricer(kernel, row, precision).variants();
}

/// What an SM takes for `tiles` of a contraction, without its first tile's ramp: their arithmetic
/// and loads, or a block's part of them one after the other, if too few blocks are there to fill
/// each other's ramps.
static double unitNs(const GpuTile &tile, double tileNs, int64_t tiles, const GpuRow &row) {
  const auto ramp = static_cast<double>(row.rampNs);
  const auto turns = static_cast<double>(ceilDivide(tiles, tile.resident));
  return std::max(static_cast<double>(tiles) * tileNs, turns * (tileNs + ramp) - ramp);
}

std::vector<ShareTime> gpuTimes(const GpuCut &cut, const GpuRow &row) {
  std::vector<ShareTime> times;
  auto phases = static_cast<double>(cut.phaseTiles.size());
  for (int32_t count = 1; count <= row.units / row.unitsPerGranule; ++count) {
    int64_t units = int64_t(count) * row.unitsPerGranule;
    double ns = 0;
    for (int64_t tiles : cut.phaseTiles) {
      double part = 1 / (phases * static_cast<double>(tiles));
      double flops = cut.tile ? cut.tile->flops : part * static_cast<double>(cut.flops);
      double loads = cut.tile ? cut.tile->loads : part * static_cast<double>(cut.bytes);
      double tileNs =
          std::max(flops / (row.f32FlopsPerNs * cut.efficiency), loads / row.unitBytesPerNs);
      double memory = static_cast<double>(cut.bytes) / phases /
                      std::min(row.bytesPerNs, static_cast<double>(units) * row.unitBytesPerNs);
      int64_t ofUnit = ceilDivide(tiles, units);
      double busy =
          cut.tile ? unitNs(*cut.tile, tileNs, ofUnit, row) : static_cast<double>(ofUnit) * tileNs;
      ns += static_cast<double>(row.launchNs + row.rampNs) + std::max(busy, memory);
    }
    int64_t rounded = std::max<int64_t>(1, std::llround(ns));
    if (times.empty() || rounded < times.back().ns)
      times.push_back({count, rounded, TimeOrigin::Modelled});
  }
  return times;
}

std::vector<size_t> chooseCuts(std::span<const std::vector<ShareTime>> times, int32_t granules,
                               double margin, size_t most) {
  std::vector<int32_t> shares;
  for (int32_t sixteenths : {1, 2, 4, 8, 12, 16})
    if (const int32_t share = std::max(1, granules * sixteenths / 16);
        shares.empty() || share > shares.back())
      shares.push_back(share);
  // Memory makes many equal on a quarter: the one that is faster elsewhere.
  auto costOf = [&](size_t cut) {
    int64_t sum = 0;
    for (int32_t share : shares)
      sum += timeOn(times[cut], share);
    return std::pair(timeOn(times[cut], std::max(1, granules / 4)), sum);
  };
  std::vector<size_t> chosen = {0};
  for (size_t cut = 1; cut < times.size(); ++cut)
    if (costOf(cut) < costOf(chosen[0]))
      chosen[0] = cut;
  while (chosen.size() < most) {
    double gain = 1 + margin;
    size_t best = times.size();
    for (size_t cut = 0; cut < times.size(); ++cut)
      for (int32_t share : shares) {
        int64_t least = INT64_MAX;
        for (size_t taken : chosen)
          least = std::min(least, timeOn(times[taken], share));
        const double ours = double(least) / double(timeOn(times[cut], share));
        if (ours > gain) {
          gain = ours;
          best = cut;
        }
      }
    if (best == times.size())
      break;
    chosen.push_back(best);
  }
  return chosen;
}

Problem onGpu(Problem problem, const GpuRow &row, GpuPrecision precision) {
  problem.device = gpuDevice(row, precision);
  for (Kernel &kernel : problem.kernels) {
    kernel.variants = gpuVariants(kernel, row, precision);
    if (precision == GpuPrecision::F16)
      kernel.bytes = (kernel.bytes + 1) / 2;
  }
  return problem;
}

} // namespace mtc
