//===- AttentionTest.cpp - whole attentions in one kernel -----------------===//
//
// Each against plain loops, for AVX-512 and AVX2, and bitwise equal however tiles are split and
// whatever the register tiles are (rule R3). The shapes leave remainders in every loop that is
// tiled: queries in blocks, vectors and register tiles, keys in fours, numbers of a query and value
// in vectors.
//
//===----------------------------------------------------------------------===//
#include "AttentionText.h"

#include "mtc/Codegen/Host/Amounts.h"
#include "mtc/Codegen/Host/KernelSpace.h"

#include <limits>

using namespace mtc::host;
using namespace mtc::host::test;

static void check(const AttentionShape &s, int64_t minTiles = 1) {
  expectLikePlain(attention(s), "attention", minTiles, 1e-5);
}

TEST(Attention, Shapes) {
  check({.queries = 16, .keys = 16, .depth = 8, .width = 16});
  check({.batch = 2, .heads = 3, .queries = 40, .keys = 40, .depth = 15, .width = 15}, 6);
  check({.heads = 2, .queries = 65, .keys = 70, .depth = 32, .width = 40}, 4);
  check({.heads = 1, .queries = 33, .keys = 3, .depth = 3, .width = 2});
  check({.heads = 2, .queries = 20, .keys = 5, .depth = 20, .width = 70});
  check({.heads = 1, .queries = 1, .keys = 9, .depth = 4, .width = 8});
}

// Sums of values that are cut into blocks.
TEST(Attention, ManyKeys) {
  check({.heads = 2, .queries = 35, .keys = 770, .depth = 16, .width = 24}, 2);
}

TEST(Attention, Masks) {
  for (Mask mask : {Mask::Keys, Mask::Rows, Mask::Full}) {
    check({.batch = 2,
           .heads = 3,
           .queries = 37,
           .keys = 29,
           .depth = 16,
           .width = 16,
           .mask = mask});
  }
  check({.heads = 2, .queries = 64, .keys = 64, .depth = 16, .width = 64, .mask = Mask::Full});
}

// Register tiles and blocks of queries are free to choose.
TEST(Attention, ConfigsGiveEqualBits) {
  for (const char *name : {"host:x86-64-v4,cores=2", "host:x86-64-v3,cores=2"}) {
    SCOPED_TRACE(name);
    Program p(
        attention(
            {.heads = 2, .queries = 50, .keys = 43, .depth = 12, .width = 40, .mask = Mask::Full}),
        name);
    ASSERT_EQ(p.error, "");
    const HostTarget target = *resolve(name);
    const std::string lanes = std::to_string(target.vectorBytes / 4);
    std::vector<char> want;
    for (const char *numbers : {" mr=3 nv=1 value_lanes=8 value_mr=5 value_nv=1",
                                " mr=4 nv=2 value_lanes=8 value_mr=4 value_nv=2",
                                " mr=2 nv=3 value_lanes=8 value_mr=1 value_nv=5",
                                " mr=1 nv=4 value_lanes=8 value_mr=6 value_nv=1"}) {
      SCOPED_TRACE(numbers);
      auto config = mtc::parseConfig("attention lanes=" + lanes + numbers);
      ASSERT_TRUE(config.ok()) << config.status().message();
      mtc::mt::KernelOp kernel = p.kernel(0);
      auto variant =
          variantOf(kernel, target, configAttr(kernel.getContext(), *config), {1}, {1}, "modelled");
      ASSERT_TRUE(mlir::succeeded(variant));
      kernel.setVariantsAttr(mlir::ArrayAttr::get(kernel.getContext(), {*variant}));
      p.recompile();
      ASSERT_EQ(p.error, "");
      ASSERT_TRUE(p.code.warnings.empty()) << p.code.warnings[0];
      auto buffers = p.buffers(0);
      ASSERT_EQ(p.run(0, buffers, 3, /*backwards=*/true), 0);
      std::vector<char> got(buffers.back().as<char>(),
                            buffers.back().as<char>() + buffers.back().size());
      if (want.empty())
        want = got;
      EXPECT_TRUE(got == want);
    }
  }
}

// Scores lie in scratch for one block of queries, and are counted as no traffic.
TEST(Attention, ScoresStayInScratch) {
  Program p(attention({.heads = 6, .queries = 257, .keys = 257, .depth = 64, .width = 64}));
  ASSERT_EQ(p.error, "");
  EXPECT_LE(p.variant(0).getScratch(), 64 * 1024 + 64 * 257);
  EXPECT_GE(p.variant(0).getTiles()[0], 30);
  auto amounts = amountsOf(p.kernel(0), p.variant(0), *resolve("host:x86-64-v4,cores=2"));
  EXPECT_EQ(amounts.family, "contraction_attention");
  // 257 queries in 17 vectors.
  const double products = 6 * 257 * (17 * 64 + 257 * 4);
  EXPECT_EQ(amounts[mtc::Amount::Arithmetic], products);
}

// A query whose scores are all -inf: no number, or 0 where that is asked for.
TEST(Attention, QueriesWithoutKeys) {
  for (bool guarded : {false, true}) {
    Program p(attention({.heads = 1,
                         .queries = 20,
                         .keys = 12,
                         .depth = 4,
                         .width = 8,
                         .mask = Mask::Rows,
                         .guarded = guarded}));
    ASSERT_EQ(p.error, "");
    ASSERT_EQ(p.emitter(0), "attention");
    auto buffers = p.buffers(0);
    for (int64_t key = 0; key < 12; ++key)
      buffers[3].as<float>()[7 * 12 + key] = -std::numeric_limits<float>::infinity();
    ASSERT_EQ(p.run(0, buffers), 0);
    for (int64_t i = 0; i < 20 * 8; ++i) {
      const float y = buffers.back().as<float>()[i];
      if (i / 8 != 7)
        EXPECT_TRUE(std::isfinite(y)) << i;
      else if (guarded)
        EXPECT_EQ(y, 0) << i;
      else
        EXPECT_TRUE(std::isnan(y)) << i;
    }
  }
}

// A kernel of another form is not taken, and a config of another kernel is refused.
TEST(Attention, OtherForms) {
  AttentionShape shape{.queries = 16, .keys = 16, .depth = 8, .width = 8};
  std::string text = attention(shape);
  const size_t at = text.find("math.exp ");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 9, "math.exp2 ");
  Program other(text);
  ASSERT_EQ(other.error, "");
  EXPECT_NE(other.emitter(0), "attention");

  Program p(attention(shape));
  ASSERT_EQ(p.error, "");
  mtc::mt::KernelOp kernel = p.kernel(0);
  for (const char *config : {"attention lanes=16",
                             "attention lanes=12 mr=2 nv=1 value_lanes=8 "
                             "value_mr=2 value_nv=1",
                             "attention lanes=16 mr=0 nv=1 value_lanes=8 value_mr=2 value_nv=1"})
    EXPECT_TRUE(mlir::failed(variantOf(kernel, *resolve("host:x86-64-v4,cores=2"),
                                       configAttr(kernel.getContext(), *mtc::parseConfig(config)),
                                       {1}, {1}, "modelled")))
        << config;
}
