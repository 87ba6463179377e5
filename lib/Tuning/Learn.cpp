//===- Learn.cpp - features, training, evaluation -------------------------===//
#include "mtc/Tuning/Learn.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

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

/// The model's cycles, or where it knows nothing the roofline's operations and bytes.
double modelled(const KernelFeatureMap &kernel, const KernelShape &shape, const Config &config,
                int32_t granules) {
  if (shape.index() != 0)
    return modelledCycles(shape, coreOf(kernel), config, granules);
  return (get(kernel, "flops") + get(kernel, "bytes") + 100) / granules;
}

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

std::vector<double> featuresOf(const KernelFeatureMap &kernel, const KernelShape &shape,
                               const Config &config, int32_t granules,
                               const std::string &neighbour) {
  std::vector<double> x = workOf(kernel, granules, neighbour);
  x.insert(x.begin(), logOf(modelled(kernel, shape, config, granules)));
  if (const auto *c = std::get_if<ContractionShape>(&shape)) {
    addContraction(*c, coreOf(kernel), config, granules,
                   modelledCycles(shape, coreOf(kernel), config, granules), x);
  } else if (const auto *r = std::get_if<RowsShape>(&shape)) {
    addRows(*r, config, granules, x);
  } else if (const auto *w = std::get_if<WinogradShape>(&shape)) {
    const int64_t mr = config.get("mr", 1), block = config.get("block", 1);
    x.insert(x.end(),
             {double(mr), double(block), waste(w->tiles, block), logOf(double(w->channels)),
              logOf(double(w->tiles)), logOf(double(block * (w->channels + w->panel)))});
  }
  return x;
}

double priorOf(const KernelFeatureMap &kernel, int32_t granules) {
  return logOf((get(kernel, "flops") + get(kernel, "bytes") + 100) / granules);
}

/// What a kernel's times on a share have in common.
std::vector<double> levelFeaturesOf(const KernelFeatureMap &kernel, int32_t granules,
                                    const std::string &neighbour) {
  std::vector<double> x = workOf(kernel, granules, neighbour);
  for (const char *name : {"m", "n", "depth", "rows", "panel", "packs", "vector_rows", "operations",
                           "segments", "row_bytes0", "tiles", "channels"})
    x.push_back(logOf(get(kernel, name)));
  return x;
}

/// The records of one kernel on one share.
struct Group {
  std::vector<double> level; ///< features
  double prior = 0;          ///< logarithm of the roofline's time, in its own unit
  std::vector<Example> configs;
};

/// By form, then by kernel, granules and neighbour.
using Groups = std::map<int, std::map<std::tuple<std::string, int32_t, std::string>, Group>>;

void addExample(const KernelFeatureMap &kernel, const TimeRecord &record, Groups &groups) {
  StatusOr<Config> config = parseConfig(record.key.config);
  if (!config.ok() || record.samples == 0)
    return;
  const KernelShape shape = shapeOf(kernel);
  if (shape.index() != 0 && !verify(shape, coreOf(kernel), *config).ok())
    return;
  const TimeKey &key = record.key;
  Group &group = groups[int(shape.index())][{key.kernel, key.granules, key.neighbour}];
  group.prior = priorOf(kernel, key.granules);
  group.level = levelFeaturesOf(kernel, key.granules, key.neighbour);
  Example &example = group.configs.emplace_back();
  example.features = featuresOf(kernel, shape, *config, key.granules, key.neighbour);
  example.target = std::log(double(record.ns));
}

std::map<std::string, const KernelFeatureMap *> featuresByKernel(const TuningRecords &records) {
  std::map<std::string, const KernelFeatureMap *> result;
  for (const KernelRecord &record : records.kernels)
    result[record.kernel] = &record.features;
  return result;
}

} // namespace

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
  }
  return check(shape, coreOf(f)).ok() ? shape : KernelShape();
}

LearnedTimes LearnedTimes::train(const TuningRecords &records, const std::string &device,
                                 size_t least) {
  const auto features = featuresByKernel(records);
  Groups groups;
  for (const TimeRecord &record : records.times)
    if (auto kernel = features.find(record.key.kernel);
        record.key.device == device && kernel != features.end())
      addExample(*kernel->second, record, groups);
  // What the times of a kernel have in common says nothing about its configs, and would drown what
  // they differ by. That is learned whole, with the model's cycles as one feature of many: learning
  // what the model leaves ranked worse (0.62 instead of 0.66; AMD EPYC, Zen 4, 2026-11-23).
  BoostedTrees::Options ofLevels;
  ofLevels.leastInLeaf = 2; // there are few: one a kernel and share
  LearnedTimes result;
  for (auto &[form, byShare] : groups) {
    std::vector<Example> levels, configs;
    for (auto &[share, group] : byShare) {
      double mean = 0;
      for (const Example &example : group.configs)
        mean += example.target / double(group.configs.size());
      levels.push_back({std::move(group.level), mean - group.prior});
      for (Example &example : group.configs)
        configs.push_back({std::move(example.features), example.target - mean});
    }
    if (configs.size() >= least)
      result.models_[form] = {BoostedTrees::train(levels, ofLevels), BoostedTrees::train(configs)};
  }
  return result;
}

bool LearnedTimes::knows(const KernelFeatureMap &kernel) const {
  return models_.contains(int(shapeOf(kernel).index()));
}

double LearnedTimes::ns(const KernelFeatureMap &kernel, const Config &config, int32_t granules,
                        const std::string &neighbour) const {
  const KernelShape shape = shapeOf(kernel);
  const Model &model = models_.at(int(shape.index()));
  const double log = priorOf(kernel, granules) +
                     model.level.predict(levelFeaturesOf(kernel, granules, neighbour)) +
                     model.config.predict(featuresOf(kernel, shape, config, granules, neighbour));
  return std::max(1.0, std::exp(std::min(log, 40.0)));
}

double rankCorrelation(std::span<const double> a, std::span<const double> b) {
  auto ranks = [](std::span<const double> values) {
    std::vector<size_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t x, size_t y) { return values[x] < values[y]; });
    std::vector<double> result(values.size());
    for (size_t from = 0; from < order.size();) {
      size_t to = from;
      while (to < order.size() && values[order[to]] == values[order[from]])
        ++to;
      for (size_t i = from; i < to; ++i)
        result[order[i]] = double(from + to - 1) / 2;
      from = to;
    }
    return result;
  };
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double mean = (double(x.size()) - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy);
}

namespace {

/// The logarithm of what the best of `order` (by the first halves) gains over `first`.
double gainOver(size_t first, std::span<const size_t> order,
                const std::vector<double> (&halves)[2]) {
  size_t best = first;
  for (size_t at : order)
    if (halves[0][at] < halves[0][best])
      best = at;
  return std::log(halves[1][first] / halves[1][best]);
}

} // namespace

RankingQuality evaluateRanking(const TuningRecords &records, const std::string &device,
                               int32_t granules,
                               const std::map<std::string, std::string> &defaults) {
  constexpr size_t folds = 5;
  /// Among fewer the first five say nothing.
  constexpr size_t kLeastConfigs = 8;
  const auto features = featuresByKernel(records);
  std::map<std::string, std::vector<const TimeRecord *>> timesOf;
  auto isAlone = [&](const TimeRecord &record) {
    return record.key.device == device && record.key.granules == granules &&
           record.key.neighbour == "none" && record.samples > 0 &&
           features.contains(record.key.kernel);
  };
  // Where some were sampled equally, only they can be compared.
  const bool hasHalves =
      std::any_of(records.times.begin(), records.times.end(), [&](const TimeRecord &record) {
        return isAlone(record) && record.halves[0] > 0;
      });
  for (const TimeRecord &record : records.times)
    if (isAlone(record) && (record.halves[0] > 0 || !hasHalves))
      timesOf[record.key.kernel].push_back(&record);
  std::map<std::string, size_t> foldOf;
  for (const auto &[kernel, times] : timesOf) {
    const size_t next = foldOf.size() % folds;
    foldOf[kernel] = next;
  }
  RankingQuality quality;
  int64_t within = 0, gained = 0;
  for (size_t fold = 0; fold < folds; ++fold) {
    TuningRecords seen;
    seen.kernels = records.kernels;
    for (const TimeRecord &record : records.times)
      if (auto at = foldOf.find(record.key.kernel); at != foldOf.end() && at->second != fold)
        seen.times.push_back(record);
    const LearnedTimes learned = LearnedTimes::train(seen, device);
    for (const auto &[kernel, times] : timesOf) {
      const KernelFeatureMap &kernelFeatures = *features.at(kernel);
      const KernelShape shape = shapeOf(kernelFeatures);
      if (foldOf[kernel] != fold || times.size() < kLeastConfigs || !learned.knows(kernelFeatures))
        continue;
      std::vector<double> measured, byLearned, byModel, halves[2];
      for (const TimeRecord *record : times) {
        const Config config = *parseConfig(record->key.config);
        measured.push_back(double(record->ns));
        byLearned.push_back(learned.ns(kernelFeatures, config, granules));
        byModel.push_back(modelled(kernelFeatures, shape, config, granules));
        for (int half : {0, 1})
          halves[half].push_back(double(record->halves[size_t(half)]));
      }
      ++quality.kernels;
      quality.learned += rankCorrelation(measured, byLearned);
      quality.modelled += rankCorrelation(measured, byModel);
      quality.repeatable += hasHalves ? rankCorrelation(halves[0], halves[1]) : 0;
      std::vector<size_t> order(times.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](size_t a, size_t b) { return byLearned[a] < byLearned[b]; });
      double first = measured[order[0]];
      for (size_t i = 1; i < std::min<size_t>(5, order.size()); ++i)
        first = std::min(first, measured[order[i]]);
      auto ours = defaults.find(kernel);
      const auto at = std::find_if(times.begin(), times.end(), [&](const TimeRecord *record) {
        return ours != defaults.end() && record->key.config == ours->second;
      });
      if (at != times.end() && hasHalves) {
        ++gained;
        const auto place = size_t(at - times.begin());
        quality.gainOfAll *= std::exp(gainOver(place, order, halves));
        quality.gainOfTenth *=
            std::exp(gainOver(place, std::span(order).first((order.size() + 9) / 10), halves));
      }
      within += first <= 1.1 * *std::min_element(measured.begin(), measured.end());
    }
  }
  if (quality.kernels > 0) {
    const auto kernels = double(quality.kernels);
    quality.learned /= kernels;
    quality.modelled /= kernels;
    quality.repeatable /= kernels;
    quality.firstFive = double(within) / kernels;
    const double root = 1 / double(std::max<int64_t>(1, gained));
    quality.gainOfTenth = std::pow(quality.gainOfTenth, root);
    quality.gainOfAll = std::pow(quality.gainOfAll, root);
  }
  return quality;
}

} // namespace mtc
