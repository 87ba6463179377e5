//===- ConfigSpaceTest.cpp - what is in the space of a kernel -------------===//
#include "mtc/Tuning/ConfigSpace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mtc {
namespace {

const CoreShape kCore = {64, 32, 2};
const CoreShape kNarrowCore = {32, 16, 2};

std::vector<KernelShape> shapes() {
  ContractionShape gemm{.rows = 1, .m = 384, .n = 768, .depth = 768, .panel = 32};
  ContractionShape conv{.rows = 56, .m = 56, .n = 64, .depth = 576, .panel = 64};
  ContractionShape vector{.m = 1, .n = 1000, .depth = 2048, .panel = 32};
  ContractionShape depthwise{.rows = 56, .m = 56, .n = 144, .depth = 9};
  depthwise.vectorRows = true;
  ContractionShape scores{.batch = 12, .m = 384, .n = 384, .depth = 64};
  scores.packs = true;
  ContractionShape narrow{.m = 100, .n = 5, .depth = 30};
  RowsShape softmax{{{4608, 3072}}}, two{{{7, 1 << 20}, {100000, 8}}};
  return {gemm,
          conv,
          vector,
          depthwise,
          scores,
          narrow,
          softmax,
          two,
          WinogradShape{196, 64, 32},
          MatrixShape{257, 1000, 384, 3, 24},
          MatrixShape{16, 24, 96, 1, 6}};
}

// Every config that is offered verifies, is offered once, and is read back from its text.
TEST(ConfigSpace, OffersWhatVerifies) {
  for (const CoreShape &core : {kCore, kNarrowCore})
    for (const KernelShape &shape : shapes()) {
      ASSERT_TRUE(check(shape, core).ok());
      std::set<std::string> texts;
      for (const Config &config : configSpace(shape, core)) {
        Status status = verify(shape, core, config);
        EXPECT_TRUE(status.ok()) << printConfig(config) << ": " << status.message();
        EXPECT_TRUE(texts.insert(printConfig(config)).second) << printConfig(config);
        auto parsed = parseConfig(printConfig(config));
        ASSERT_TRUE(parsed.ok());
        EXPECT_EQ(*parsed, config);
        for (int32_t granules : {1, 2})
          EXPECT_GT(modelledCycles(shape, core, config, granules), 0);
      }
      EXPECT_GE(texts.size(), 2u);
    }
}

Config change(Config config, const std::string &name, std::vector<int64_t> values) {
  for (ConfigNumber &number : config.numbers)
    if (number.name == name)
      number.values = values;
  return config;
}

// Each way in which a contraction's config cannot be used.
TEST(ConfigSpace, RejectsContractions) {
  ContractionShape gemm{.rows = 4, .m = 384, .n = 40, .depth = 768, .inner = 768, .panel = 32};
  auto good = parseConfig("contraction lanes=16 mr=12 nv=2 rows=1 steps=4");
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(verify(gemm, kCore, *good).ok()) << verify(gemm, kCore, *good).message();
  auto expect = [&](const Config &config, const std::string &message) {
    EXPECT_EQ(verify(gemm, kCore, config).message(), "the config does not fit: " + message);
  };
  expect(change(*good, "lanes", {4}), "vectors of 4 lanes on a core of 16");
  expect(change(*good, "nv", {4}), "4 vectors of 16 lanes for 40 columns");
  expect(change(*good, "nv", {3}), "48 columns at a time from panels of 32");
  expect(change(*good, "mr", {17}), "17 rows of 16");
  expect(change(*good, "mr", {15}), "33 registers of 32");
  expect(change(*good, "rows", {5}), "blocks of 5 rows and 4 steps, of 4 and 32");
  expect(change(*good, "steps", {33}), "blocks of 1 rows and 33 steps, of 4 and 32");
  expect(change(*good, "mr", {0}), "'mr' is not positive");
  expect(*parseConfig("rows rows=[4]"), "emitter 'rows' instead of 'contraction'");
  expect(*parseConfig("contraction mr=12"), "1 numbers instead of 5");
  expect(*parseConfig("contraction tricks=1"), "unknown number 'tricks'");
  const std::string small = "contraction lanes=16 mr=8 nv=2 ";
  EXPECT_TRUE(verify(gemm, kCore, *parseConfig(small + "order=1 rows=1 steps=4 unroll=4")).ok());
  expect(*parseConfig(small + "order=2 rows=1 steps=4"), "an order 2 of tiles");
  expect(*parseConfig(small + "rows=1 steps=4 unroll=5"),
         "5 of 768 products written out for 16 accumulators");
  expect(*parseConfig(small + "rows=1 steps=4 unroll=8"),
         "8 of 768 products written out for 16 accumulators");
}

TEST(ConfigSpace, RejectsRowsAndWinograd) {
  RowsShape rows{{{10, 4096}, {3, 64}}};
  EXPECT_TRUE(verify(rows, kCore, *parseConfig("rows rows=[10,3]")).ok());
  EXPECT_EQ(verify(rows, kCore, *parseConfig("rows rows=[10]")).message(),
            "the config does not fit: 1 segments instead of 2");
  EXPECT_EQ(verify(rows, kCore, *parseConfig("rows rows=[10,4]")).message(),
            "the config does not fit: 4 rows of 3");
  WinogradShape winograd{100, 64, 32};
  EXPECT_TRUE(verify(winograd, kCore, *parseConfig("winograd block=24 lanes=16 mr=12")).ok());
  EXPECT_FALSE(verify(winograd, kCore, *parseConfig("winograd block=25 lanes=16 mr=12")).ok());
  EXPECT_FALSE(verify(winograd, kCore, *parseConfig("winograd block=24 lanes=8 mr=12")).ok());
  EXPECT_FALSE(verify(winograd, kCore, *parseConfig("winograd block=32 lanes=16 mr=16")).ok());
  EXPECT_FALSE(verify(winograd, kCore, *parseConfig("winograd block=1200 lanes=16 mr=12")).ok());
  EXPECT_FALSE(verify(std::monostate(), kCore, Config{"plain", {}}).ok());
}

// Each way in which a config of tiles cannot be used.
TEST(ConfigSpace, RejectsMatrix) {
  const MatrixShape matrix{100, 200, 384, 3, 24};
  auto good = parseConfig("matrix columns=96 mr=2 nv=2 parts=3 rows=64");
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(verify(matrix, kCore, *good).ok()) << verify(matrix, kCore, *good).message();
  auto expect = [&](const Config &config, const std::string &message) {
    EXPECT_EQ(verify(matrix, kCore, config).message(), "the config does not fit: " + message);
  };
  expect(change(*good, "mr", {3}), "3 x 2 tiles of sums");
  expect(change(*good, "nv", {4}), "2 x 4 tiles of sums");
  expect(change(*good, "rows", {48}), "blocks of 48 x 96, no multiples of 32 x 32");
  expect(change(*good, "columns", {100}), "blocks of 64 x 100, no multiples of 32 x 32");
  expect(change(*good, "rows", {160}), "blocks of 160 x 96, of 100 x 200");
  expect(change(*good, "columns", {256}), "blocks of 64 x 256, of 100 x 200");
  expect(change(*good, "parts", {1}), "1 parts of 3");
  expect(*parseConfig("matrix mr=2"), "1 numbers instead of 5");
}

// Shapes that cannot be cut are refused before anything is enumerated.
TEST(ConfigSpace, ChecksShapes) {
  EXPECT_FALSE(check(ContractionShape{.m = 0}, kCore).ok());
  EXPECT_FALSE(check(ContractionShape{.panel = -1}, kCore).ok());
  EXPECT_FALSE(check(RowsShape{}, kCore).ok());
  EXPECT_FALSE(check(RowsShape{{{0, 4}}}, kCore).ok());
  EXPECT_FALSE(check(WinogradShape{.tiles = 0}, kCore).ok());
  EXPECT_FALSE(check(MatrixShape{.depth = 33}, kCore).ok());
  EXPECT_FALSE(check(MatrixShape{.parts = 4}, kCore).ok());
  EXPECT_FALSE(check(ContractionShape{}, CoreShape{0, 0, 0}).ok());
}

TEST(ConfigSpace, TextThatIsNoConfig) {
  for (const char *text : {"", " ", "mr=1", "rows rows=", "rows rows=[1,]", "rows rows=1,2",
                           "rows rows=[1", "contraction nv=2 mr=1", "contraction mr=1 mr=2",
                           "contraction mr=one", "contraction  mr=1"})
    EXPECT_FALSE(parseConfig(text).ok()) << text;
}

// The model knows what is plain: tiles that leave a core idle cost time, and so do half registers.
TEST(ConfigSpace, ModelRanksThePlainCases) {
  ContractionShape gemm{.m = 384, .n = 768, .depth = 768, .panel = 32};
  auto cycles = [&](const char *text, int32_t granules) {
    return modelledCycles(gemm, kCore, *parseConfig(text), granules);
  };
  const char *good = "contraction lanes=16 mr=14 nv=2 rows=1 steps=7";
  const char *tiny = "contraction lanes=16 mr=2 nv=2 rows=1 steps=7";
  EXPECT_LT(cycles(good, 1), cycles(tiny, 1));
  EXPECT_LT(cycles(good, 2), cycles(good, 1));
  // Many rows and few columns: whoever walks them once for each panel reads them twice.
  ContractionShape tall{.m = 100000, .n = 64, .depth = 256, .inner = 256, .panel = 32};
  auto tallCycles = [&](const char *text) {
    return modelledCycles(tall, kCore, *parseConfig(text), 1);
  };
  EXPECT_LT(tallCycles("contraction lanes=16 mr=14 nv=2 rows=1 steps=4"),
            tallCycles("contraction lanes=16 mr=14 nv=2 order=1 rows=1 steps=4"));
  EXPECT_LT(tallCycles("contraction lanes=16 mr=14 nv=2 rows=1 steps=4 unroll=2"),
            tallCycles("contraction lanes=16 mr=14 nv=2 rows=1 steps=4"));
  // Beside weights that are widened wide register tiles are the better ones.
  ContractionShape widened{
      .m = 128, .n = 384, .depth = 384, .panel = 32, .operandBytes = 1, .isWidened = true};
  EXPECT_LT(modelledCycles(widened, kCore,
                           *parseConfig("contraction lanes=16 mr=6 nv=4 rows=1 steps=22"), 1),
            modelledCycles(widened, kCore,
                           *parseConfig("contraction lanes=16 mr=13 nv=2 rows=1 steps=10"), 1));
  // Filtering: one register tile for a block if weights take longest either way, and blocks that
  // leave the caches to the weights.
  auto filtering = [&](const WinogradShape &shape, const char *text) {
    return modelledCycles(shape, kCore, *parseConfig(text), 2);
  };
  const WinogradShape deep{.tiles = 16, .channels = 256, .panel = 32, .groups = 8};
  EXPECT_LT(filtering(deep, "winograd block=8 lanes=16 mr=8"),
            filtering(deep, "winograd block=8 lanes=16 mr=4"));
  const WinogradShape large{.tiles = 9225, .channels = 64, .panel = 32};
  EXPECT_LT(filtering(large, "winograd block=9 lanes=16 mr=9"),
            filtering(large, "winograd block=28 lanes=16 mr=14"));
  RowsShape rows{{{4, 1 << 20}}};
  EXPECT_LT(modelledCycles(rows, kCore, *parseConfig("rows rows=[1]"), 4),
            modelledCycles(rows, kCore, *parseConfig("rows rows=[4]"), 4));
}

} // namespace
} // namespace mtc
