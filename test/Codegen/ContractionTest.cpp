//===- ContractionTest.cpp - matrix products, convolutions, pooling -------===//
//
// Each against plain loops, for AVX-512 and AVX2, and bitwise equal however tiles are split (rule
// R3). The shapes leave remainders in every loop that is tiled.
//
//===----------------------------------------------------------------------===//
#include "ContractionText.h"

using namespace mtc::host;
using namespace mtc::host::test;

static void check(const std::string &text) { expectLikePlain(text, "contraction", 1, 1e-5); }

TEST(Contraction, Gemm) {
  for (auto [m, n, k] : {std::tuple(1, 16, 1),
                         {1, 1000, 64},
                         {7, 40, 33},
                         {16, 32, 20},
                         {49, 24, 100},
                         {197, 100, 17},
                         {100, 214, 96},
                         {64, 8, 50},
                         {3, 70, 5}})
    check(gemm(m, n, k, n > 16 ? 32 : 16));
}

// Weights are widened where they are read: one row, few and many, remainders of panels, vectors and
// register tiles, packed and not, and sums that are cut into blocks.
TEST(Contraction, NarrowWeights) {
  for (const Narrow &w : {Narrow{"f16"},
                          {"bf16"},
                          {"i8"},
                          {"i8", false},
                          {"i8", true, -7},
                          {"i8", false, 113},
                          {"i16"}}) {
    check(gemm(1, 100, 65, 32, Epilogue::BiasRelu, w));
    check(gemm(37, 75, 33, 32, Epilogue::None, w));
    check(gemm(5, 9, 700, 16, Epilogue::BiasGelu, w));
    check(gemm(20, 48, 17, 0, Epilogue::Residual, w));
  }
}

// One column has no vectors along it: sums along the rows of what is read.
TEST(Contraction, OneColumn) {
  for (const std::string &text :
       {gemm(50, 1, 65, 0), gemm(3, 1, 200, 0, Epilogue::None, {"i8"}),
        conv({.h = 13, .w = 14, .c = 64, .f = 1, .kh = 1, .kw = 1, .low = 0, .high = 0}, 0),
        conv({.h = 9, .w = 10, .c = 24, .f = 1, .low = 0, .high = 0}, 0, Epilogue::BiasGelu)})
    expectLikePlain(text, "rows", 1, 1e-5);
}

TEST(Contraction, GemmWithEpilogues) {
  for (Epilogue e : {Epilogue::None, Epilogue::BiasRelu, Epilogue::BiasGelu, Epilogue::Residual})
    check(gemm(37, 80, 45, 32, e));
}

TEST(Contraction, GemmOfUnpackedRightHandSide) {
  for (auto [m, n, k] : {std::tuple(20, 33, 40), {5, 16, 7}, {64, 100, 64}})
    check(gemm(m, n, k, 0));
}

TEST(Contraction, Pointwise) {
  Conv v{.h = 14, .w = 15, .c = 24, .f = 40, .kh = 1, .kw = 1, .low = 0, .high = 0};
  check(conv(v));
  v.stride = 2;
  v.batch = 2;
  check(conv(v));
}

TEST(Contraction, Convolution) {
  for (int64_t size : {3, 7, 14, 29})
    for (int64_t stride : {1, 2})
      check(conv({.h = size, .w = size + 1, .c = 5, .f = 24, .stride = stride}));
}

TEST(Contraction, ConvolutionShapes) {
  check(conv({.batch = 2,
              .h = 9,
              .w = 20,
              .c = 3,
              .f = 70,
              .kh = 7,
              .kw = 7,
              .stride = 2,
              .low = 3,
              .high = 3}));
  check(conv(
      {.h = 12, .w = 13, .c = 6, .f = 32, .kh = 3, .kw = 3, .dilation = 2, .low = 2, .high = 2}));
  check(conv(
      {.h = 10, .w = 11, .c = 4, .f = 16, .kh = 2, .kw = 2, .low = 0, .high = 1})); // one-sided
  check(conv(
      {.h = 4, .w = 5, .c = 4, .f = 16, .kh = 5, .kw = 5, .low = 4, .high = 4})); // more padding
                                                                                  // than image
  check(conv({.h = 8,
              .w = 60,
              .c = 3,
              .f = 20,
              .kh = 1,
              .kw = 31,
              .low = 15,
              .high = 15})); // edges by clipped loops
  check(conv({.h = 16, .w = 16, .c = 8, .f = 16, .kh = 3, .kw = 3, .low = 0, .high = 0}));
  check(conv({.h = 8, .w = 8, .c = 8, .f = 48}, 32, Epilogue::BiasGelu));
}

// Sums that are cut into blocks: by a loop, inside a loop with and without remainder, and where
// padding leaves products out.
TEST(Contraction, LongSums) {
  for (auto [m, n, k] : {std::tuple(5, 40, 385), {3, 33, 512}, {17, 16, 1000}, {1, 100, 2049}})
    check(gemm(m, n, k, n > 16 ? 32 : 16));
  check(gemm(6, 20, 1000, 0));
  check(conv({.h = 7, .w = 8, .c = 64, .f = 24}));
  check(conv({.h = 5, .w = 6, .c = 400, .f = 20, .stride = 2}));
  check(conv({.h = 6, .w = 7, .c = 700, .f = 24, .kh = 1, .kw = 1, .low = 0, .high = 0}));
}

TEST(Contraction, Depthwise) {
  for (int64_t c : {8, 16, 40, 144})
    for (int64_t stride : {1, 2})
      check(depthwise({.batch = 2, .h = 11, .w = 17, .c = c, .stride = stride}));
  check(depthwise({.h = 20, .w = 9, .c = 24, .kh = 5, .kw = 5, .low = 2, .high = 2},
                  Epilogue::BiasGelu));
}

TEST(Contraction, Pooling) {
  for (const char *combine : {"arith.addf", "arith.maximumf"})
    for (int64_t c : {16, 70})
      check(pool({.h = 13, .w = 18, .c = c, .stride = 2}, combine));
}

TEST(Contraction, Attention) {
  for (auto [heads, m, n, k] : {std::tuple(2, 16, 16, 8), {3, 50, 37, 32}, {12, 20, 128, 32}}) {
    check(scores(heads, m, n, k));
    check(values(heads, m, n, k));
  }
}

// Some cores need 150 cycles for an instruction that meets a number below 2^-126: products take and
// leave them as zeros, whatever the caller's state, which stays. Other kernels keep them.
TEST(Contraction, Denormals) {
  constexpr float tiny = 1e-40f;
  Program product(gemm(4, 32, 16, 32, Epilogue::None)), rows(unaryChain(64));
  ASSERT_EQ(product.error, "");
  ASSERT_EQ(rows.error, "");
  auto in = product.buffers(0), out = rows.buffers(0);
  for (size_t i = 0; i < in[0].size() / 4; ++i)
    in[0].as<float>()[i] = i % 16 == 0 ? tiny : 1e-30f;
  for (size_t i = 0; i < in[1].size() / 4; ++i) // products of 1e-30 and these are below 2^-126, too
    in[1].as<float>()[i] = i < 32 ? 1.0f : 1e-10f;
  for (size_t i = 0; i < 64; ++i)
    out[0].as<float>()[i] = tiny;
  const unsigned before = __builtin_ia32_stmxcsr();
  ASSERT_EQ(product.run(0, in), 0);
  ASSERT_EQ(rows.run(0, out), 0);
  constexpr unsigned flags = 0x3f; // what has happened, not what is done
  EXPECT_EQ(__builtin_ia32_stmxcsr() & ~flags, before & ~flags);
  for (size_t i = 0; i < 4 * 32; ++i)
    EXPECT_EQ(in[2].as<float>()[i], 0.0f) << i;
  for (size_t i = 0; i < 64; ++i)
    EXPECT_FLOAT_EQ(out[1].as<float>()[i], std::sqrt(tiny));
}

// Results larger than the caches go past them where vectors are whole lines; 120 columns are not.
TEST(Contraction, PastCaches) {
  expectLikePlain(gemm(66000, 128, 4, 32), "contraction");
  expectLikePlain(gemm(71000, 120, 4, 32), "contraction");
}
