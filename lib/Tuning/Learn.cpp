//===- Learn.cpp - features, training, evaluation -------------------------===//
#include "mtc/Tuning/Learn.h"

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

void addContraction(const ContractionShape &s, const Config &config, int32_t granules,
                    std::vector<double> &x) {
  const int64_t lanes = config.get("lanes", 1), mr = config.get("mr", 1), nv = config.get("nv", 1);
  const int64_t rows = config.get("rows", 1), steps = config.get("steps", 1);
  const int64_t span = nv * lanes;
  const double tiles = double(s.batch) * std::ceil(double(s.rows) / double(rows)) *
                       std::ceil(double(s.m) / double(mr * steps)) *
                       std::ceil(double(s.n) / double(span));
  x.insert(x.end(), {double(mr),
                     double(nv),
                     double(mr * nv),
                     double(lanes),
                     waste(s.n, span),
                     waste(s.m, mr),
                     logOf(tiles),
                     tiles / granules - std::floor(tiles / granules),
                     logOf(double(s.depth * span * s.operandBytes)),
                     logOf(double(s.depth * rows * steps * mr * s.operandBytes)),
                     logOf(double(rows * steps * mr)),
                     logOf(double(s.depth)),
                     logOf(double(s.n)),
                     logOf(double(s.m)),
                     logOf(double(s.rows)),
                     double(s.packs),
                     double(s.vectorRows),
                     double(s.panel),
                     s.operations,
                     double(s.panel ? span > s.panel : 0)});
}

void addRows(const RowsShape &s, const Config &config, std::vector<double> &x) {
  double tiles = 0, tileBytes = 0, bytes = 0;
  for (size_t i = 0; i < s.segments.size(); ++i) {
    const int64_t perTile = !config.numbers.empty() && i < config.numbers[0].values.size()
                                ? config.numbers[0].values[i]
                                : 1;
    tiles += std::ceil(double(s.segments[i].rows) / double(std::max<int64_t>(1, perTile)));
    tileBytes = std::max(tileBytes, double(perTile * s.segments[i].bytes));
    bytes += double(s.segments[i].rows * s.segments[i].bytes);
  }
  x.insert(x.end(), {logOf(tiles), logOf(tileBytes), logOf(bytes), double(s.segments.size()),
                     logOf(double(s.segments[0].bytes))});
}

std::vector<double> featuresOf(const KernelFeatureMap &kernel, const KernelShape &shape,
                               const Config &config, int32_t granules,
                               const std::string &neighbour) {
  std::vector<double> x = {logOf(modelled(kernel, shape, config, granules)),
                           double(granules),
                           double(neighbourIndex(neighbour)),
                           get(kernel, "kind"),
                           logOf(get(kernel, "flops")),
                           logOf(get(kernel, "bytes")),
                           logOf(get(kernel, "flops") / std::max(1.0, get(kernel, "bytes"))),
                           get(kernel, "vector_bytes")};
  if (const auto *c = std::get_if<ContractionShape>(&shape)) {
    addContraction(*c, config, granules, x);
  } else if (const auto *r = std::get_if<RowsShape>(&shape)) {
    addRows(*r, config, x);
  } else if (const auto *w = std::get_if<WinogradShape>(&shape)) {
    const int64_t mr = config.get("mr", 1), block = config.get("block", 1);
    x.insert(x.end(),
             {double(mr), double(block), waste(w->tiles, block), logOf(double(w->channels)),
              logOf(double(w->tiles)), logOf(double(block * (w->channels + w->panel)))});
  }
  return x;
}

struct Rows {
  std::map<int, std::vector<Example>> byForm;
};

void addExample(const KernelFeatureMap &kernel, const TimeRecord &record, Rows &rows) {
  StatusOr<Config> config = parseConfig(record.key.config);
  if (!config.ok() || record.samples == 0)
    return;
  const KernelShape shape = shapeOf(kernel);
  if (shape.index() != 0 && !verify(shape, coreOf(kernel), *config).ok())
    return;
  Example example;
  example.features = featuresOf(kernel, shape, *config, record.key.granules, record.key.neighbour);
  example.target =
      std::log(double(record.ns)) - logOf(modelled(kernel, shape, *config, record.key.granules));
  rows.byForm[int(shape.index())].push_back(std::move(example));
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
    shape = WinogradShape{count(f, "tiles"), count(f, "channels"), count(f, "panel"), positions};
  }
  return check(shape, coreOf(f)).ok() ? shape : KernelShape();
}

LearnedTimes LearnedTimes::train(const TuningRecords &records, const std::string &device,
                                 size_t least) {
  const auto features = featuresByKernel(records);
  Rows rows;
  for (const TimeRecord &record : records.times)
    if (auto kernel = features.find(record.key.kernel);
        record.key.device == device && kernel != features.end())
      addExample(*kernel->second, record, rows);
  LearnedTimes result;
  for (const auto &[form, examples] : rows.byForm)
    if (examples.size() >= least)
      result.models_.emplace(form, BoostedTrees::train(examples));
  return result;
}

bool LearnedTimes::knows(const KernelFeatureMap &kernel) const {
  return models_.contains(int(shapeOf(kernel).index()));
}

double LearnedTimes::ns(const KernelFeatureMap &kernel, const Config &config, int32_t granules,
                        const std::string &neighbour) const {
  const KernelShape shape = shapeOf(kernel);
  const double residual = models_.at(int(shape.index()))
                              .predict(featuresOf(kernel, shape, config, granules, neighbour));
  const double log = residual + logOf(modelled(kernel, shape, config, granules));
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

RankingQuality evaluateRanking(const TuningRecords &records, const std::string &device,
                               int32_t granules) {
  constexpr size_t folds = 5;
  const auto features = featuresByKernel(records);
  std::map<std::string, std::vector<const TimeRecord *>> timesOf;
  for (const TimeRecord &record : records.times)
    if (record.key.device == device && record.key.granules == granules &&
        record.key.neighbour == "none" && record.samples > 0 &&
        features.contains(record.key.kernel))
      timesOf[record.key.kernel].push_back(&record);
  std::map<std::string, size_t> foldOf;
  for (const auto &[kernel, times] : timesOf) {
    const size_t next = foldOf.size() % folds;
    foldOf[kernel] = next;
  }
  RankingQuality quality;
  int64_t within = 0;
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
      if (foldOf[kernel] != fold || times.size() < 4 || !learned.knows(kernelFeatures))
        continue;
      std::vector<double> measured, byLearned, byModel;
      for (const TimeRecord *record : times) {
        const Config config = *parseConfig(record->key.config);
        measured.push_back(double(record->ns));
        byLearned.push_back(learned.ns(kernelFeatures, config, granules));
        byModel.push_back(modelled(kernelFeatures, shape, config, granules));
      }
      ++quality.kernels;
      quality.learned += rankCorrelation(measured, byLearned);
      quality.modelled += rankCorrelation(measured, byModel);
      std::vector<size_t> order(times.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](size_t a, size_t b) { return byLearned[a] < byLearned[b]; });
      double first = measured[order[0]];
      for (size_t i = 1; i < std::min<size_t>(5, order.size()); ++i)
        first = std::min(first, measured[order[i]]);
      within += first <= 1.1 * *std::min_element(measured.begin(), measured.end());
    }
  }
  if (quality.kernels > 0) {
    const auto kernels = double(quality.kernels);
    quality.learned /= kernels;
    quality.modelled /= kernels;
    quality.firstFive = double(within) / kernels;
  }
  return quality;
}

} // namespace mtc
