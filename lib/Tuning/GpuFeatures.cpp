//===- GpuFeatures.cpp - what learned times of GPU kernels are made from --===//
#include "Features.h"

#include "mtc/Support/DeviceTable.h"

#include <algorithm>
#include <cmath>

namespace mtc {
namespace {

double get(const KernelFeatureMap &features, const std::string &name, double otherwise = 0) {
  auto at = features.find(name);
  return at == features.end() ? otherwise : at->second;
}

double logOf(double value) { return std::log(std::max(1e-3, value)); }

double ceilOf(double a, double b) { return std::ceil(a / std::max(1.0, b)); }

/// What the launches of a config are, as far as features and config say.
struct Grid {
  double units = 1;                    ///< SMs of the share
  double tiles = 1;                    ///< of a launch
  double threads = 32;                 ///< of a block
  double resident = 1;                 ///< blocks of an SM
  double flops = 0, loads = 0;         ///< of a tile
  double wastes[3] = {0, 0, 0};        ///< of rows, columns and terms
  double sharedBytes = 0, results = 1; ///< results: of a thread
};

double wasteOf(double extent, double block) {
  const double whole = ceilOf(extent, block) * block;
  return whole > 0 ? (whole - extent) / whole : 0;
}

Grid contractionGrid(const KernelFeatureMap &kernel, const Config &config) {
  const double m = get(kernel, "m", 1), n = get(kernel, "n", 1), depth = get(kernel, "depth", 1);
  const auto number = [&](const char *name, int64_t otherwise) {
    return double(std::max<int64_t>(1, config.get(name, otherwise)));
  };
  const double bm = number("bm", 1), bn = number("bn", 1), bk = number("bk", 1);
  const double bytes = get(kernel, "operand_bytes", 4), terms = ceilOf(depth, bk) * bk;
  Grid grid;
  grid.tiles = get(kernel, "batch", 1) * ceilOf(m, bm) * ceilOf(n, bn);
  grid.flops = 2 * bm * bn * terms;
  grid.loads = (bm + bn) * terms * bytes;
  grid.sharedBytes = number("stages", 1) * (bm + bn) * bk * bytes;
  const bool isTensor = config.get("wm", 0) > 0;
  grid.threads =
      isTensor ? bm / number("wm", 1) * bn / number("wn", 1) * (config.get("wgmma", 0) ? 128 : 32) +
                     128 * double(config.get("producers", 0))
               : bm / number("tm", 1) * bn / number("tn", 1);
  grid.results = bm * bn / std::max(1.0, grid.threads);
  grid.wastes[0] = wasteOf(m, bm);
  grid.wastes[1] = wasteOf(n, bn);
  grid.wastes[2] = wasteOf(depth, bk);
  return grid;
}

Grid gridOf(const KernelFeatureMap &kernel, const Config &config, int32_t granules) {
  Grid grid;
  if (config.emitter.starts_with("contraction")) {
    grid = contractionGrid(kernel, config);
  } else {
    const double together = double(std::max<int64_t>(1, config.get("rows", 1)));
    const double width = double(std::max<int64_t>(1, config.get("width", 1)));
    const double threads = double(std::max<int64_t>(32, config.get("threads", 32)));
    const bool isRows = config.emitter == "rows";
    grid.threads = threads * together;
    grid.tiles = isRows ? ceilOf(get(kernel, "rows", 1), together)
                        : ceilOf(get(kernel, "elements", 1), threads * width);
    grid.flops = get(kernel, "flops") / grid.tiles;
    grid.loads = get(kernel, "bytes") / grid.tiles;
    grid.results = isRows ? get(kernel, "row_elements", 1) / threads : width;
  }
  grid.units = double(granules) * std::max(1.0, get(kernel, "units_per_granule", 1));
  GpuRow row{};
  row.unitThreads = 2048;
  row.unitBlocks = 32;
  row.unitRegisters = 64 << 10;
  row.unitSharedBytes = int32_t(get(kernel, "unit_shared_bytes", 64 << 10));
  grid.resident = residentBlocks({int64_t(std::clamp(grid.threads, 32.0, 1024.0)), 0,
                                  int64_t(std::min(grid.sharedBytes, 1e9))},
                                 row);
  if (const int64_t blocks = config.get("blocks", 0))
    grid.resident = std::min(grid.resident, double(blocks));
  return grid;
}

/// ns that tiles take on the SMs of a share, and that bytes take from memory, as in GpuModel.h.
double rooflineNs(const KernelFeatureMap &kernel, const Grid &grid) {
  const double rate = std::max(1.0, get(kernel, "unit_bytes_per_ns", 50));
  const double flops = std::max(1.0, get(kernel, "unit_flops_per_ns", 500));
  const double waves = ceilOf(grid.tiles, grid.units);
  return std::max(waves * std::max(grid.flops / flops, grid.loads / rate),
                  get(kernel, "bytes") / std::min(std::max(1.0, get(kernel, "bytes_per_ns", 2000)),
                                                  grid.units * rate)) +
         get(kernel, "launch_ns", 2000);
}

} // namespace

bool isGpuKernel(const KernelFeatureMap &kernel) { return get(kernel, "form") >= kFirstGpuForm; }

bool describesGpuConfig(const KernelFeatureMap &kernel, const Config &config) {
  const double form = get(kernel, "form");
  const char *emitter = form == kFirstGpuForm + 2   ? "rows"
                        : form == kFirstGpuForm + 3 ? "phases"
                                                    : "contraction";
  return config.emitter.starts_with(emitter);
}

double gpuPriorOf(const KernelFeatureMap &kernel, int32_t granules) {
  Grid grid;
  grid.units = double(granules) * std::max(1.0, get(kernel, "units_per_granule", 1));
  grid.tiles = grid.units;
  grid.flops = get(kernel, "flops") / grid.units;
  grid.loads = get(kernel, "bytes") / grid.units;
  return logOf(rooflineNs(kernel, grid));
}

double gpuCost(const KernelFeatureMap &kernel, const Config &config, int32_t granules) {
  return rooflineNs(kernel, gridOf(kernel, config, granules));
}

std::vector<double> gpuFeaturesOf(const KernelFeatureMap &kernel, const Config &config,
                                  int32_t granules) {
  const Grid grid = gridOf(kernel, config, granules);
  const double waves = grid.tiles / grid.units, turns = ceilOf(waves, grid.resident);
  std::vector<double> x = {logOf(rooflineNs(kernel, grid)),
                           logOf(grid.tiles),
                           std::min(16.0, waves),
                           std::ceil(waves) / std::max(1e-6, waves), // the last wave's idle SMs
                           turns,
                           grid.threads,
                           grid.resident,
                           grid.resident * grid.threads,
                           logOf(grid.results),
                           logOf(grid.flops),
                           logOf(grid.loads),
                           logOf(grid.flops / std::max(1.0, grid.loads)),
                           logOf(grid.sharedBytes),
                           logOf(get(kernel, "bytes")),
                           grid.units};
  x.insert(x.end(), std::begin(grid.wastes), std::end(grid.wastes));
  for (const char *name : {"bm", "bn", "bk", "wm", "wn", "tm", "tn", "stages", "producers", "wgmma",
                           "mapped", "staged", "blocks", "threads", "rows", "width"})
    x.push_back(double(config.get(name, 0)));
  for (const char *name : {"m", "n", "depth", "batch", "rows", "row_elements", "elements"})
    x.push_back(logOf(get(kernel, name)));
  for (const char *name : {"operand_bytes", "tensor_format", "phases"})
    x.push_back(get(kernel, name));
  return x;
}

} // namespace mtc
