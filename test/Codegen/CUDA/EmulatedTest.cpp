//===- EmulatedTest.cpp - CUDA kernels against plain loops of the host ----===//
//
// Tensor cores: MmaTest.cpp.
//
//===----------------------------------------------------------------------===//
#include "../ContractionText.h"
#include "LikeHost.h"

using namespace mtc;
using namespace mtc::cuda::test;
using namespace mtc::host::test;

namespace {

TEST(EmulatedPhases, Elementwise) {
  expectLikeHost(biasGelu(7, 100), "phases");
  expectLikeHost(unaryChain(1000), "phases");
}

// Large ones, of which a thread computes two and four neighbours, or one where a row has no even
// number of them.
TEST(EmulatedPhases, Neighbours) {
  expectLikeHost(biasGelu(130, 1024), "phases");
  expectLikeHost(transpose(256, 1024), "phases", 0);
  expectLikeHost(concat(129, 1024, 1025), "phases", 0, true);
}

TEST(EmulatedPhases, Moves) {
  expectLikeHost(transpose(37, 50), "phases", 0);
  expectLikeHost(concat(5, 12, 7), "phases", 0, true);
}

TEST(EmulatedPhases, Rows) {
  expectLikeHost(softmax(5, 77), "phases", 2e-6, true);
  expectLikeHost(layerNorm(4, 96), "phases", 2e-6, true);
}

TEST(EmulatedPhases, Contractions) {
  expectLikeHost(gemm(20, 40, 33, 0), "phases", 2e-6, true);
  expectLikeHost(conv({}), "phases", 2e-6, true);
  expectLikeHost(depthwise({}), "phases", 2e-6, true);
}

// Rows shorter than a warp, than a block, longer; several reductions a row; sums that a block
// shares.
TEST(EmulatedRows, Normalizations) {
  for (auto [m, n] : {std::pair(5, 7), {20, 77}, {3, 300}, {17, 1500}}) {
    expectLikeHost(softmax(m, n), "rows");
    expectLikeHost(layerNorm(m, n), "rows");
  }
}

// What passes between the nests of a small image, padding too, is in shared memory; parts of a row
// are nests.
TEST(EmulatedRows, Others) {
  expectLikeHost(depthwise({}), "rows");
  expectLikeHost(concat(5, 12, 7), "rows", 0);
}

// Means over pixels, whose channels are neighbours: a warp a channel, or a thread where there is
// more to read than one block should.
TEST(EmulatedRows, Means) {
  expectLikeHost(spatialMean(49, 40), "rows");
  expectLikeHost(spatialMean(900, 40), "phases");
}

// Tiles that divide nothing, K below and above one step, one row, batches, weights that vary as
// rows.
TEST(EmulatedContraction, Products) {
  for (auto [m, n, k] :
       {std::tuple(20, 40, 33), {64, 64, 32}, {1, 100, 70}, {130, 17, 5}, {3, 3, 1}})
    for (Epilogue epilogue : {Epilogue::None, Epilogue::BiasGelu})
      expectLikeHost(gemm(m, n, k, 0, epilogue), "contraction");
  expectLikeHost(gemm(20, 40, 33, 0, Epilogue::Residual), "contraction");
  expectLikeHost(scores(2, 9, 10, 12), "contraction");
  expectLikeHost(values(2, 9, 10, 12), "contraction");
}

// Padding, stride and dilation; more channels than a tile is wide.
TEST(EmulatedContraction, Convolutions) {
  Conv v;
  v.c = 5;
  v.f = 20;
  for (auto [kernel, stride, dilation, low, high] : {std::tuple(3, 1, 1, 1, 1),
                                                     {3, 2, 1, 1, 0},
                                                     {3, 1, 2, 2, 2},
                                                     {1, 1, 1, 0, 0},
                                                     {1, 2, 1, 0, 0}}) {
    v.kh = v.kw = kernel;
    v.stride = stride;
    v.dilation = dilation;
    v.low = low;
    v.high = high;
    expectLikeHost(conv(v, 0), "contraction");
  }
  v = Conv();
  v.batch = 2;
  v.f = 70;
  expectLikeHost(conv(v, 0, Epilogue::None), "contraction");
}

} // namespace
