//===- RowsTest.cpp - elementwise, row and move kernels -------------------===//
//
// Each kernel against the same kernel by plain loops (which PlainTest checks), over shapes with and
// without remainders, for AVX-512 and AVX2, and with its tiles split and run in any order: bitwise
// equal (rule R3).
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "KernelText.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mtc::host;
using namespace mtc::host::test;

TEST(Rows, Elementwise) {
  for (auto [m, n] :
       {std::pair(1, 1), {3, 7}, {5, 16}, {33, 48}, {64, 1000}, {1, 40000}, {300, 100}})
    expectLikePlain(biasGelu(m, n), "rows");
}

TEST(Rows, LongRowsAreSplit) {
  for (int n : {8192, 100003})
    expectLikePlain(unaryChain(n), "rows", /*minTiles=*/2);
}

TEST(Rows, Softmax) {
  for (auto [m, n] : {std::pair(1, 1), {3, 7}, {5, 16}, {40, 197}, {12, 384}, {2, 1000}})
    expectLikePlain(softmax(m, n), "rows");
}

TEST(Rows, LayerNorm) {
  for (auto [m, n] : {std::pair(2, 8), {7, 50}, {65, 256}, {20, 768}})
    expectLikePlain(layerNorm(m, n), "rows");
}

// Reductions over the leading dimensions keep the channels in vectors.
TEST(Rows, GlobalAveragePool) {
  for (auto [hw, c] : {std::pair(1, 16), {49, 40}, {196, 64}, {64, 5}, {100, 200}, {49, 2048}})
    expectLikePlain(spatialMean(hw, c), "contraction");
}

TEST(Rows, WindowMaximum) {
  for (auto [h, c] : {std::pair(6, 16), {9, 5}, {20, 70}})
    expectLikePlain(maxPool(h, h + 3, c), "contraction");
}

TEST(Rows, Transpose) {
  for (auto [m, n] : {std::pair(1, 5), {16, 16}, {33, 70}, {100, 64}})
    expectLikePlain(transpose(m, n), "rows");
}

// The innermost loop is too short for vectors: those along the next one are interleaved.
TEST(Rows, NarrowPixels) {
  for (auto [h, w, s] : {std::tuple(3, 32, 2), {5, 320, 2}, {2, 48, 3}, {3, 33, 2}})
    expectLikePlain(pixelsToSquares(h, w, s), "rows");
  for (auto [c, h, w] : {std::tuple(3, 4, 48), {2, 2, 3200}, {3, 5, 50}, {7, 3, 16}})
    expectLikePlain(planesToPixels(c, h, w), "rows");
}

TEST(Rows, EveryNth) {
  for (auto [n, step] : {std::pair(16, 2), {200, 2}, {33, 3}, {50, 4}, {33, 5}})
    expectLikePlain(everyNth(3, n, step), "rows");
}

TEST(Rows, Moves) {
  expectLikePlain(concat(6, 5, 20), "rows");
  expectLikePlain(concat(900, 50, 70), "rows", /*minTiles=*/2);
  expectLikePlain(pad(7, 9, 5), "rows", /*minTiles=*/2);
  expectLikePlain(slice(40, 33), "rows");
  expectLikePlain(copy(5000), "rows");
}

// Slices and transpositions of arguments are read where they lie: by a concatenation, through each
// other, with steps and dropped dims, one of them twice; and by elementwise operations. Nothing is
// kept in scratch.
TEST(Rows, Views) {
  for (const std::string &text : {viewsSideBySide(3, 22, 34), viewsSideBySide(1, 6, 2),
                                  sliceOfChannels(9, 20, 40), sliceOfChannels(2, 5, 7)}) {
    expectLikePlain(text, "rows");
    Program p(text);
    EXPECT_EQ(p.variant(0).getScratch(), 0);
  }
}

// Rows picked by an index tensor: contiguous loads in the last dimension.
TEST(Rows, Gather) { expectLikePlain(gather(37, 50, 24), "rows"); }

// Two results, one of them of another type.
TEST(Rows, SeveralResults) { expectLikePlain(twoResults(19, 21), "rows"); }

// What is not f32 in memory is converted while it is read.
TEST(Rows, SumOfIntegers) {
  for (auto [m, n] : {std::pair(1, 70), {5, 33}, {40, 16}})
    expectLikePlain(sumOfIntegers(m, n), "rows");
}

// A reduction's loops that also give a result per element are no row nest.
TEST(Rows, SumBesideElements) { expectLikePlain(sumBesideElements(19, 70), "plain"); }
