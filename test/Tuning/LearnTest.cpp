//===- LearnTest.cpp - trees, learned times, their evaluation -------------===//
#include "mtc/Tuning/Learn.h"

#include "mtc/Support/Random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mtc {
namespace {

// Trees follow a formula with a step and a product, better than its mean by far.
TEST(Learn, TreesFollowAFormula) {
  SplitMix64 random(3);
  auto formula = [](double a, double b) { return (a > 0.5 ? 2 : 0) + a * b; };
  std::vector<Example> examples;
  for (int i = 0; i < 800; ++i) {
    const double a = random.real(), b = random.real();
    examples.push_back({{a, b, random.real()}, formula(a, b)});
  }
  const BoostedTrees trees = BoostedTrees::train(examples);
  double error = 0, spread = 0;
  for (int i = 0; i < 200; ++i) {
    const double a = random.real(), b = random.real();
    const double x[] = {a, b, 0.5};
    error += std::pow(trees.predict(x) - formula(a, b), 2);
    spread += std::pow(1.25 - formula(a, b), 2);
  }
  EXPECT_LT(error, 0.02 * spread);
  const double x[] = {0.1, 0.2, 0.3};
  EXPECT_EQ(BoostedTrees::train(examples).predict(x), trees.predict(x));
  EXPECT_EQ(BoostedTrees::train({}).predict(x), 0);
}

// Trees that see parts of the examples and features follow it, too, and are the same again.
TEST(Learn, DrawnPartsAreRepeated) {
  SplitMix64 random(3);
  std::vector<Example> examples;
  for (int i = 0; i < 800; ++i) {
    const double a = random.real();
    examples.push_back({{a, random.real(), random.real()}, a > 0.5 ? 2.0 : 0.0});
  }
  BoostedTrees::Options options;
  options.rows = 0.5;
  options.features = 0.3;
  const double low[] = {0.2, 0.5, 0.5}, high[] = {0.8, 0.5, 0.5};
  const BoostedTrees trees = BoostedTrees::train(examples, options);
  EXPECT_LT(trees.predict(low), 0.3);
  EXPECT_GT(trees.predict(high), 1.7);
  EXPECT_EQ(BoostedTrees::train(examples, options).predict(high), trees.predict(high));
  EXPECT_NE(BoostedTrees::train(examples).predict(high), trees.predict(high));
}

TEST(Learn, RankCorrelation) {
  const double a[] = {1, 2, 3, 4}, same[] = {10, 20, 21, 90}, reversed[] = {4, 3, 2, 1};
  const double flat[] = {1, 1, 1, 1}, ties[] = {1, 1, 2, 3};
  EXPECT_DOUBLE_EQ(rankCorrelation(a, same), 1);
  EXPECT_DOUBLE_EQ(rankCorrelation(a, reversed), -1);
  EXPECT_DOUBLE_EQ(rankCorrelation(a, flat), 0);
  EXPECT_NEAR(rankCorrelation(a, ties), 0.9486833, 1e-6);
}

/// Records of products whose times obey a law that the model does not know: tall register tiles and
/// large blocks are bad.
TuningRecords made(int kernels) {
  TuningRecords records;
  SplitMix64 random(5);
  for (int k = 0; k < kernels; ++k) {
    KernelRecord kernel{"k" + std::to_string(k), {}};
    kernel.features = {{"form", 1},
                       {"kind", 0},
                       {"batch", 1},
                       {"rows", 1 << random.below(5)},
                       {"m", 64.0 * double(1 + random.below(6))},
                       {"n", 32.0 * double(1 + random.below(8))},
                       {"depth", 64.0 * double(1 + random.below(8))},
                       {"panel", 32},
                       {"accumulator_bytes", 4},
                       {"operand_bytes", 4},
                       {"vectors_per_load", 1},
                       {"operations", 1},
                       {"vector_bytes", 64},
                       {"vector_registers", 32}};
    const KernelShape shape = shapeOf(kernel.features);
    const std::vector<Config> space = configSpace(shape, {64, 32, 1});
    for (int i = 0; i < 12; ++i) {
      const Config &config = space[random.below(space.size())];
      TimeRecord record;
      record.key = {kernel.kernel, printConfig(config), 1, "none", "CPU"};
      record.ns = int64_t(1e6 * (1 + 0.2 * double(config.get("mr"))) *
                          (1 + 0.05 * std::log2(double(config.get("rows") * config.get("steps")))));
      record.samples = 9;
      record.halves = {record.ns, record.ns + 1};
      records.times.push_back(std::move(record));
    }
    records.kernels.push_back(std::move(kernel));
  }
  return records;
}

// On kernels that were not seen the learned ranking finds the law, the model's does not.
TEST(Learn, RanksKernelsNotSeen) {
  const TuningRecords records = made(60);
  std::map<std::string, std::string> defaults;
  for (const TimeRecord &record : records.times)
    defaults[record.key.kernel] = record.key.config; // the last, which is any
  const RankingQuality quality = evaluateRanking(records, "CPU", 1, defaults);
  EXPECT_GE(quality.kernels, 50);
  EXPECT_GT(quality.learned, 0.8);
  EXPECT_LT(quality.modelled, 0.5);
  EXPECT_GT(quality.firstFive, 0.8);
  EXPECT_NEAR(quality.repeatable, 1, 1e-6);
  EXPECT_GT(quality.gainOfAll, 1.2);
  EXPECT_GT(quality.gainOfTenth, 1.1);
  EXPECT_LE(quality.gainOfTenth, quality.gainOfAll);
  EXPECT_EQ(evaluateRanking(records, "another CPU", 1).kernels, 0);
}

// Times are those of the records to a few percent; what was seldom measured is not learned.
TEST(Learn, Times) {
  const TuningRecords records = made(60);
  const LearnedTimes learned = LearnedTimes::train(records, "CPU");
  double sum = 0;
  for (const TimeRecord &record : records.times)
    for (const KernelRecord &kernel : records.kernels)
      if (kernel.kernel == record.key.kernel) {
        ASSERT_TRUE(learned.knows(kernel.features));
        sum += std::abs(std::log(learned.ns(kernel.features, *parseConfig(record.key.config), 1) /
                                 double(record.ns)));
      }
  EXPECT_LT(sum / double(records.times.size()), 0.1);
  EXPECT_FALSE(LearnedTimes::train(made(3), "CPU").knows(records.kernels[0].features));
  EXPECT_FALSE(learned.knows({{"form", 2}, {"segments", 1}}));
}

// A kernel whose times differ by 1 % counts as much as one whose times differ by factors.
TEST(Learn, OrdersOfKernelsCountAlike) {
  TuningRecords records = made(60);
  for (TimeRecord &record : records.times)
    if (record.key.kernel != "k0")
      record.ns = int64_t(1e9 * (1 + 0.1 * std::log(double(record.ns))));
  const LearnedRanking ranking = LearnedRanking::train(records, "CPU");
  std::vector<double> costs, times;
  for (const TimeRecord &record : records.times)
    if (record.key.kernel == "k1") {
      const KernelFeatureMap &features = records.kernels[1].features;
      ASSERT_TRUE(ranking.knows(features));
      costs.push_back(ranking.cost(features, *parseConfig(record.key.config), 1));
      times.push_back(double(record.ns));
    }
  EXPECT_GT(rankCorrelation(costs, times), 0.8);
  EXPECT_FALSE(LearnedRanking::train(made(3), "CPU").knows(records.kernels[0].features));
}

// What a kernel may do beside its extents is in its features: else its configs would be no configs.
TEST(Learn, ShapesAreWhole) {
  KernelFeatureMap features = made(1).kernels[0].features;
  auto contraction = [&] { return std::get<ContractionShape>(shapeOf(features)); };
  EXPECT_FALSE(contraction().mayFetchAhead || contraction().isWidened ||
               contraction().readsInPlace);
  for (const char *name : {"may_fetch_ahead", "is_widened", "reads_in_place"})
    features[name] = 1;
  EXPECT_TRUE(contraction().mayFetchAhead && contraction().isWidened && contraction().readsInPlace);
}

/// Times of products on a GPU of 16 granules by a law that is made up: waves of tiles, and what too
/// few stages and too wide tiles of a warp cost, which no model here says.
TuningRecords madeOfGpu(int kernels, const std::string &device) {
  TuningRecords records;
  SplitMix64 random(9);
  for (int k = 0; k < kernels; ++k) {
    KernelRecord kernel{"g" + std::to_string(k), {}};
    const double m = 64.0 * double(1 + random.below(32)), n = 64.0 * double(1 + random.below(16));
    const double depth = 64.0 * double(1 + random.below(16));
    kernel.features = {{"form", 11},
                       {"batch", 1},
                       {"m", m},
                       {"n", n},
                       {"depth", depth},
                       {"operand_bytes", 2},
                       {"tensor_format", 2},
                       {"flops", 2 * m * n * depth},
                       {"bytes", 2 * (m * depth + n * depth) + 4 * m * n},
                       {"units_per_granule", 8},
                       {"unit_bytes_per_ns", 64},
                       {"bytes_per_ns", 4800},
                       {"unit_flops_per_ns", 7500},
                       {"unit_shared_bytes", 228 << 10},
                       {"launch_ns", 2000}};
    for (int i = 0; i < 16; ++i) {
      const int64_t bm = int64_t(32) << random.below(3), bn = int64_t(32) << random.below(3);
      const int64_t stages = 2 + int64_t(random.below(3)), wn = int64_t(16) << random.below(2);
      Config config{"contraction-f16", {}};
      for (auto [name, value] : std::map<std::string, int64_t>{
               {"bk", 64}, {"bm", bm}, {"bn", bn}, {"stages", stages}, {"wm", 32}, {"wn", wn}})
        config.numbers.push_back({name, {value}, false});
      for (int32_t granules : {1, 4, 16}) {
        const double waves =
            std::ceil(std::ceil(m / double(bm)) * std::ceil(n / double(bn)) / double(8 * granules));
        TimeRecord record;
        record.key = {kernel.kernel, printConfig(config), granules, "none", device};
        record.ns = int64_t(3000 + waves * double(bm * bn) * depth / 500 *
                                       (stages == 2 ? 1.5 : 1.0) * (wn == 32 ? 1.2 : 1.0));
        record.samples = 7;
        record.halves = {record.ns, record.ns + 1};
        records.times.push_back(std::move(record));
      }
    }
    records.kernels.push_back(std::move(kernel));
  }
  return records;
}

// Kernels of a GPU are learned like those of a host: on each share, for kernels that nobody
// measured. Configs of another emitter, and times of another GPU, are not learned from.
TEST(Learn, KernelsOfGpus) {
  TuningRecords records = madeOfGpu(60, "GPU A");
  for (int32_t granules : {1, 16}) {
    const RankingQuality quality = evaluateRanking(records, "GPU A", granules);
    EXPECT_GE(quality.kernels, 50);
    EXPECT_GT(quality.learned, 0.8) << granules;
    EXPECT_LT(quality.modelled, quality.learned) << granules;
  }
  EXPECT_EQ(evaluateRanking(records, "GPU B", 1).kernels, 0);
  TuningRecords seen = records;
  std::erase_if(seen.times, [](const TimeRecord &r) { return r.key.kernel < "g2"; });
  const LearnedTimes learned = LearnedTimes::train(seen, "GPU A");
  double sum = 0;
  int64_t count = 0;
  for (const TimeRecord &record : records.times)
    for (const KernelRecord &kernel : records.kernels)
      if (record.key.kernel < "g2" && kernel.kernel == record.key.kernel) {
        ASSERT_TRUE(learned.knows(kernel.features));
        const Config config = *parseConfig(record.key.config);
        sum += std::abs(
            std::log(learned.ns(kernel.features, config, record.key.granules) / double(record.ns)));
        ++count;
      }
  EXPECT_GT(count, 300);
  EXPECT_LT(sum / double(count), 0.25);
  for (TimeRecord &record : records.times)
    record.key.config = "phases threads=64";
  EXPECT_FALSE(LearnedTimes::train(records, "GPU A").knows(records.kernels[0].features));
}

} // namespace
} // namespace mtc
