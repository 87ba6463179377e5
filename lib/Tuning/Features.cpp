//===- Features.cpp - what learned times are made from --------------------===//
#include "Features.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mtc {
namespace {

double get(const KernelFeatureMap &features, const std::string &name, double otherwise = 0) {
  auto at = features.find(name);
  return at == features.end() ? otherwise : at->second;
}

int64_t count(const KernelFeatureMap &features, const std::string &name) {
  return int64_t(std::clamp(get(features, name, 1), 0.0, 1e15));
}

CoreShape coreOf(const KernelFeatureMap &features) {
  return {count(features, "vector_bytes"), count(features, "vector_registers"), 1};
}

double logOf(double value) { return std::log(std::max(1e-3, value)); }

int neighbourIndex(const std::string &neighbour) {
  const auto &names = neighbourNames();
  return int(std::find(names.begin(), names.end(), neighbour) - names.begin());
}

/// Part of the last block that is empty.
double waste(int64_t extent, int64_t block) {
  const int64_t blocks = (extent + block - 1) / block;
  return double(blocks * block - extent) / double(blocks * block);
}

/// The largest power of two up to a page that divides `bytes`: rows so far apart share few sets of
/// a cache.
double alignment(int64_t bytes) { return logOf(double(std::gcd(bytes, int64_t(4096)))); }

/// What the instructions and bytes of all register tiles come to, edges included, a product.
struct TileCounts {
  double multiplies = 0, loads = 0;     ///< vectors, in parts of a whole vector's products
  double stalls = 0;                    ///< of sums too few to hide an addition's latency
  double panelBytes = 0;                ///< of the vector operand, read by register tiles
  double rowBytes = 0;                  ///< of the other one
  double fromSecond = 0, fromThird = 0; ///< of these beyond caches of 32 KiB and of 1 MiB
};

TileCounts countsOf(const ContractionShape &s, const CoreShape &core, const Config &config) {
  const int64_t lanes = config.get("lanes", 1), mr = config.get("mr", 1), nv = config.get("nv", 1);
  const int64_t rowBlock = config.get("rows", 1), stepBlock = config.get("steps", 1);
  const int64_t span = nv * lanes;
  constexpr double firstBytes = 32 << 10, secondBytes = 1 << 20, hidden = 8;
  TileCounts counts;
  auto add = [&](int64_t rows, int64_t vectors, int64_t times) {
    const auto sums = double(rows * vectors);
    if (sums == 0 || times == 0)
      return;
    counts.multiplies += double(times) * sums;
    counts.loads +=
        double(times) * double(s.vectorRows ? rows * vectors + vectors : rows + vectors);
    counts.stalls += double(times) * std::max(0.0, hidden - sums);
  };
  const int64_t wholeN = s.n / span, restN = (s.n % span + lanes - 1) / lanes;
  const int64_t wholeM = s.m / mr, restM = s.m % mr;
  add(mr, nv, wholeM * wholeN);
  add(mr, restN, wholeM);
  add(restM, nv, wholeN);
  add(restM, restN, 1);
  const double whole =
      double(s.m) * double(s.n) * double(s.accumulatorBytes) / double(core.vectorBytes);
  counts.multiplies /= whole;
  counts.loads /= whole;
  counts.stalls /= whole;
  // Bytes a product; a panel stays in the first cache for the register tiles of a block if it and
  // a tile's rows fit, rows for the groups of columns, and panels from block to block, if all fit.
  const auto bytes = double(s.operandBytes), depth = double(s.depth);
  const double panel = depth * double(span) * bytes, panels = depth * double(s.n) * bytes;
  const double tileRows = depth * double(mr) * bytes;
  const double blockRows = depth * std::min(double(stepBlock * mr), double(s.m)) *
                           std::min(double(rowBlock), double(s.rows)) * bytes;
  const double allRows = depth * double(s.rows * s.m) * bytes;
  counts.panelBytes = bytes / double(mr);
  counts.rowBytes = bytes / double(span);
  const double rowsAgain = 1 / std::min(double(span), double(s.n));
  const double panelsAgain = 1 / std::max(1.0, blockRows / (depth * bytes));
  const bool byColumns = config.get("order", 0) == 1;
  counts.fromSecond = (panel + tileRows > firstBytes ? counts.panelBytes : bytes * panelsAgain) +
                      (blockRows + panel > firstBytes ? bytes * rowsAgain : 0);
  counts.fromThird = (panel > secondBytes ? counts.panelBytes : 0) +
                     (byColumns ? (allRows + panel > secondBytes ? bytes * rowsAgain : 0)
                                : (blockRows + panels > secondBytes ? bytes * panelsAgain : 0));
  return counts;
}

void addContraction(const ContractionShape &s, const CoreShape &core, const Config &config,
                    int32_t granules, double cycles, std::vector<double> &x) {
  const int64_t lanes = config.get("lanes", 1), mr = config.get("mr", 1), nv = config.get("nv", 1);
  const int64_t rows = config.get("rows", 1), steps = config.get("steps", 1);
  const int64_t span = nv * lanes;
  const double stepBlocks = std::ceil(double(s.m) / double(mr * steps)),
               rowBlocks = std::ceil(double(s.rows) / double(rows)),
               groups = std::ceil(double(s.n) / double(span));
  const double tiles = double(s.batch) * rowBlocks * stepBlocks * groups;
  const double products = double(s.batch * s.rows * s.m) * double(s.n) * double(s.depth);
  const double full = double(core.vectorBytes) / double(s.accumulatorBytes);
  const double bytes = double(s.operandBytes);
  const double blockRows =
      std::min(double(s.m), double(steps * mr)) * std::min(double(s.rows), double(rows));
  x.insert(
      x.end(),
      {// the register tile
       double(mr), double(nv), double(mr * nv),
       double(mr * nv + (nv + 1) * s.vectorsPerLoad) / double(core.vectorRegisters),
       double(mr + nv) / double(mr * nv), double(lanes) / full, double(config.get("unroll", 1)),
       double(config.get("ahead", 0)), double(config.get("order", 0)),
       // what it computes in vain
       waste(s.n, span), waste(s.n, lanes), waste(s.m, mr), double(s.m < mr * 2),
       // the model's cycles over those of products alone
       logOf(cycles * double(granules) * full * 2 / products),
       // tiles against cores
       logOf(tiles), std::min(8.0, tiles / granules),
       std::ceil(tiles / granules) * granules / tiles, logOf(groups), logOf(stepBlocks),
       logOf(rowBlocks), logOf(products / tiles),
       // bytes of a panel, of the rows of a tile, of both, of all panels, of the tile's results
       logOf(double(s.depth * span) * bytes), logOf(double(s.depth) * blockRows * bytes),
       logOf(double(s.depth) * (blockRows + double(span)) * bytes),
       logOf(double(s.depth * s.n) * bytes), logOf(blockRows * double(span) * 4), logOf(blockRows),
       double(steps > 1), double(rows > 1),
       // where rows and results lie
       alignment(s.depth * s.operandBytes), alignment(s.n * s.accumulatorBytes),
       // the kernel
       logOf(double(s.depth)), logOf(double(s.n)), logOf(double(s.m)), logOf(double(s.rows)),
       double(s.packs), double(s.vectorRows), double(s.panel), s.operations,
       double(s.panel ? span > s.panel : 0)});
  const TileCounts counts = countsOf(s, core, config);
  x.insert(x.end(), {logOf(counts.multiplies), logOf(counts.loads),
                     counts.loads / counts.multiplies, logOf(counts.multiplies + counts.stalls),
                     logOf(std::max(counts.multiplies, counts.loads)), logOf(counts.panelBytes),
                     logOf(counts.rowBytes), logOf(counts.fromSecond), logOf(counts.fromThird),
                     logOf(counts.multiplies + counts.fromSecond / 2 + counts.fromThird * 2),
                     // what is written out: loops' ends cost less of a longer one
                     double(s.inner) / double(config.get("unroll", 1)), double(s.isWidened),
                     double(s.mayFetchAhead) - double(config.get("ahead", 0))});
}

void addRows(const RowsShape &s, const Config &config, int32_t granules, std::vector<double> &x) {
  double tiles = 0, tileBytes = 0, bytes = 0;
  for (size_t i = 0; i < s.segments.size(); ++i) {
    const int64_t perTile = !config.numbers.empty() && i < config.numbers[0].values.size()
                                ? config.numbers[0].values[i]
                                : 1;
    tiles += std::ceil(double(s.segments[i].rows) / double(std::max<int64_t>(1, perTile)));
    tileBytes = std::max(tileBytes, double(perTile * s.segments[i].bytes));
    bytes += double(s.segments[i].rows * s.segments[i].bytes);
  }
  x.insert(x.end(), {logOf(tiles), std::min(8.0, tiles / granules),
                     std::ceil(tiles / granules) * granules / tiles, logOf(tileBytes), logOf(bytes),
                     double(s.segments.size()), logOf(double(s.segments[0].bytes))});
}

/// What no config changes: the share and the kernel's work.
std::vector<double> workOf(const KernelFeatureMap &kernel, int32_t granules,
                           const std::string &neighbour) {
  return {double(granules),
          double(neighbourIndex(neighbour)),
          get(kernel, "kind"),
          logOf(get(kernel, "flops")),
          logOf(get(kernel, "bytes")),
          logOf(get(kernel, "flops") / std::max(1.0, get(kernel, "bytes"))),
          get(kernel, "vector_bytes")};
}

} // namespace

int formOf(const KernelFeatureMap &kernel) {
  return isGpuKernel(kernel) ? int(std::min(get(kernel, "form"), 1e3))
                             : int(shapeOf(kernel).index());
}

bool describesConfig(const KernelFeatureMap &kernel, const Config &config) {
  if (isGpuKernel(kernel))
    return describesGpuConfig(kernel, config);
  const KernelShape shape = shapeOf(kernel);
  return shape.index() == 0 || verify(shape, coreOf(kernel), config).ok();
}

double modelledCost(const KernelFeatureMap &kernel, const Config &config, int32_t granules) {
  if (isGpuKernel(kernel))
    return gpuCost(kernel, config, granules);
  const KernelShape shape = shapeOf(kernel);
  if (shape.index() != 0)
    return modelledCycles(shape, coreOf(kernel), config, granules);
  return (get(kernel, "flops") + get(kernel, "bytes") + 100) / granules;
}

std::vector<double> featuresOf(const KernelFeatureMap &kernel, const Config &config,
                               int32_t granules, const std::string &neighbour) {
  const KernelShape shape = shapeOf(kernel);
  std::vector<double> x = workOf(kernel, granules, neighbour);
  if (isGpuKernel(kernel)) {
    const std::vector<double> more = gpuFeaturesOf(kernel, config, granules);
    x.insert(x.end(), more.begin(), more.end());
    return x;
  }
  x.insert(x.begin(), logOf(modelledCost(kernel, config, granules)));
  if (const auto *c = std::get_if<ContractionShape>(&shape)) {
    addContraction(*c, coreOf(kernel), config, granules,
                   modelledCycles(shape, coreOf(kernel), config, granules), x);
    for (const char *name : {"windows", "epilogue_inputs", "spills_epilogue"})
      x.push_back(get(kernel, name));
  } else if (const auto *r = std::get_if<RowsShape>(&shape)) {
    addRows(*r, config, granules, x);
  } else if (const auto *w = std::get_if<WinogradShape>(&shape)) {
    const int64_t mr = config.get("mr", 1), block = config.get("block", 1);
    x.insert(x.end(),
             {double(mr), double(block), waste(w->tiles, block), logOf(double(w->channels)),
              logOf(double(w->tiles)), logOf(double(block * (w->channels + w->panel)))});
  } else if (const auto *m = std::get_if<MatrixShape>(&shape)) {
    const int64_t rows = config.get("rows", 16), columns = config.get("columns", 16);
    x.insert(x.end(), {double(config.get("mr", 1)), double(config.get("nv", 1)),
                       waste(m->positions, rows), waste(m->columns, columns),
                       logOf(double(rows * m->depth)), logOf(double(columns * m->depth * m->parts)),
                       double(m->parts), logOf(double(m->depth))});
  }
  return x;
}

double priorOf(const KernelFeatureMap &kernel, int32_t granules) {
  if (isGpuKernel(kernel))
    return gpuPriorOf(kernel, granules);
  return logOf((get(kernel, "flops") + get(kernel, "bytes") + 100) / granules);
}

std::vector<double> levelFeaturesOf(const KernelFeatureMap &kernel, int32_t granules,
                                    const std::string &neighbour) {
  std::vector<double> x = workOf(kernel, granules, neighbour);
  for (const char *name : {"m", "n", "depth", "rows", "panel", "packs", "vector_rows", "operations",
                           "segments", "row_bytes0", "tiles", "channels", "batch", "elements",
                           "row_elements", "phases", "tensor_format"})
    x.push_back(logOf(get(kernel, name)));
  return x;
}

KernelShape shapeOf(const KernelFeatureMap &f) {
  KernelShape shape;
  const auto form = size_t(get(f, "form"));
  if (form == 1) {
    ContractionShape s;
    s.batch = count(f, "batch");
    s.rows = count(f, "rows");
    s.m = count(f, "m");
    s.n = count(f, "n");
    s.depth = count(f, "depth");
    s.inner = count(f, "inner");
    s.panel = count(f, "panel");
    s.accumulatorBytes = count(f, "accumulator_bytes");
    s.operandBytes = count(f, "operand_bytes");
    s.vectorsPerLoad = count(f, "vectors_per_load");
    s.operations = get(f, "operations", 1);
    s.packs = get(f, "packs") != 0;
    s.vectorRows = get(f, "vector_rows") != 0;
    s.isWidened = get(f, "is_widened") != 0;
    s.readsInPlace = get(f, "reads_in_place") != 0;
    s.mayFetchAhead = get(f, "may_fetch_ahead") != 0;
    shape = s;
  } else if (form == 2) {
    RowsShape s;
    for (size_t i = 0; i < size_t(std::clamp(get(f, "segments"), 0.0, 1000.0)); ++i)
      s.segments.push_back(
          {count(f, "rows" + std::to_string(i)), count(f, "row_bytes" + std::to_string(i))});
    shape = s;
  } else if (form == 3) {
    const int64_t positions = f.contains("positions") ? count(f, "positions") : 36;
    const int64_t groups = f.contains("groups") ? count(f, "groups") : 1;
    shape = WinogradShape{count(f, "tiles"), count(f, "channels"), count(f, "panel"), positions,
                          groups};
  } else if (form == 4) {
    shape = MatrixShape{count(f, "positions"), count(f, "columns"), count(f, "depth"),
                        count(f, "parts"), count(f, "vectors")};
  }
  return check(shape, coreOf(f)).ok() ? shape : KernelShape();
}

} // namespace mtc
