//===- PlainTest.cpp - kernels by plain loops, against loops in C++ -------===//
#include "KernelRunner.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mtc::host;
using namespace mtc::host::test;

// Elementwise with broadcast and a math function; arguments and results are the ABI's buffers in
// order.
TEST(Plain, Elementwise) {
  Program p(R"(
  mt.kernel @k kind(elementwise) (%x: tensor<8x7xf32>, %y: tensor<7xf32>) -> tensor<8x7xf32> {
    %e = tensor.empty() : tensor<8x7xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (j)>, affine_map<(i,j) -> (i,j)>],
        iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<8x7xf32>, tensor<7xf32>) outs(%e : tensor<8x7xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %q = math.exp %s : f32
      linalg.yield %q : f32
    } -> tensor<8x7xf32>
    mt.yield %r : tensor<8x7xf32>
  })",
            "host:x86-64-v4,cores=2", /*plain=*/true);
  ASSERT_EQ(p.error, "");
  auto buffers = p.buffers(0);
  ASSERT_EQ(p.run(0, buffers), 0);
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 7; ++j)
      EXPECT_NEAR(buffers[2].as<float>()[i * 7 + j],
                  std::exp(buffers[0].as<float>()[i * 7 + j] + buffers[1].as<float>()[j]), 1e-6);
}

// Padding and unpacking are evaluated where they are read: a padded strided convolution with a
// packed weight needs no scratch at all.
TEST(Plain, ConvolutionWithPadAndPackedWeight) {
  Program p(R"(
  mt.kernel @k kind(contraction) (%x: tensor<1x5x6x3xf32>, %w: tensor<1x3x3x3x16xf32>, %b: tensor<5xf32>) -> tensor<1x3x3x5xf32> {
    %z = arith.constant 0.0 : f32
    %xp = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x5x6x3xf32> to tensor<1x7x8x3xf32>
    %we = tensor.empty() : tensor<5x3x3x3xf32>
    %wu = linalg.unpack %w outer_dims_perm = [0, 1, 2, 3] inner_dims_pos = [0] inner_tiles = [16] into %we
        : tensor<1x3x3x3x16xf32> -> tensor<5x3x3x3xf32>
    %e = tensor.empty() : tensor<1x3x3x5xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x3x3x5xf32>) -> tensor<1x3x3x5xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,kh,kw,c) -> (n,2*h+kh,2*w+kw,c)>,
          affine_map<(n,h,w,f,kh,kw,c) -> (f,kh,kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (n,h,w,f)>],
        iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%xp, %wu : tensor<1x7x8x3xf32>, tensor<5x3x3x3xf32>) outs(%f : tensor<1x3x3x5xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %m = arith.mulf %a, %v : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x3x3x5xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(n,h,w,f) -> (n,h,w,f)>, affine_map<(n,h,w,f) -> (f)>, affine_map<(n,h,w,f) -> (n,h,w,f)>],
        iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%c, %b : tensor<1x3x3x5xf32>, tensor<5xf32>) outs(%e : tensor<1x3x3x5xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %s = arith.addf %a, %v : f32
      linalg.yield %s : f32
    } -> tensor<1x3x3x5xf32>
    mt.yield %r : tensor<1x3x3x5xf32>
  })",
            "host:x86-64-v4,cores=2", /*plain=*/true);
  ASSERT_EQ(p.error, "");
  auto buffers = p.buffers(0);
  ASSERT_EQ(p.run(0, buffers), 0);
  float *x = buffers[0].as<float>(), *w = buffers[1].as<float>(), *b = buffers[2].as<float>();
  for (int h = 0; h < 3; ++h)
    for (int wo = 0; wo < 3; ++wo)
      for (int f = 0; f < 5; ++f) {
        double sum = b[f];
        for (int kh = 0; kh < 3; ++kh)
          for (int kw = 0; kw < 3; ++kw)
            for (int c = 0; c < 3; ++c) {
              int ih = 2 * h + kh - 1, iw = 2 * wo + kw - 1;
              if (ih >= 0 && ih < 5 && iw >= 0 && iw < 6)
                sum += double(x[(ih * 6 + iw) * 3 + c]) * w[((kh * 3 + kw) * 3 + c) * 16 + f];
            }
        EXPECT_NEAR(buffers[3].as<float>()[(h * 3 + wo) * 5 + f], sum, 1e-5);
      }
}

// Moves: concat, slice with a stride, insertion, transposition, reshape, pad read by a yield; more
// than one result.
TEST(Plain, Moves) {
  Program p(R"(
  mt.kernel @k kind(opaque) (%x: tensor<4x6xf32>, %y: tensor<2x6xf32>)
      -> (tensor<6x6xf32>, tensor<6x4xf32>, tensor<2x3xf32>, tensor<24xf32>, tensor<6x8xf32>, tensor<4x6xf32>) {
    %z = arith.constant 2.0 : f32
    %cat = tensor.concat dim(0) %x, %y : (tensor<4x6xf32>, tensor<2x6xf32>) -> tensor<6x6xf32>
    %te = tensor.empty() : tensor<6x4xf32>
    %t = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%te : tensor<6x4xf32>) permutation = [1, 0]
    %s = tensor.extract_slice %x[1, 0] [2, 3] [2, 2] : tensor<4x6xf32> to tensor<2x3xf32>
    %c = tensor.collapse_shape %x [[0, 1]] : tensor<4x6xf32> into tensor<24xf32>
    %pad = tensor.pad %x low[1, -1] high[1, 3] {
    ^bb0(%i: index, %j: index):
      tensor.yield %z : f32
    } : tensor<4x6xf32> to tensor<6x8xf32>
    %ins = tensor.insert_slice %s into %x[0, 1] [2, 3] [2, 1] : tensor<2x3xf32> into tensor<4x6xf32>
    mt.yield %cat, %t, %s, %c, %pad, %ins : tensor<6x6xf32>, tensor<6x4xf32>, tensor<2x3xf32>, tensor<24xf32>, tensor<6x8xf32>, tensor<4x6xf32>
  })",
            "host:x86-64-v4,cores=2", /*plain=*/true);
  ASSERT_EQ(p.error, "");
  auto buffers = p.buffers(0);
  ASSERT_EQ(p.run(0, buffers), 0);
  float *x = buffers[0].as<float>(), *y = buffers[1].as<float>();
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j)
      EXPECT_EQ(buffers[2].as<float>()[i * 6 + j], i < 4 ? x[i * 6 + j] : y[(i - 4) * 6 + j]);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 4; ++j)
      EXPECT_EQ(buffers[3].as<float>()[i * 4 + j], x[j * 6 + i]);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      EXPECT_EQ(buffers[4].as<float>()[i * 3 + j], x[(1 + 2 * i) * 6 + 2 * j]);
  for (int i = 0; i < 24; ++i)
    EXPECT_EQ(buffers[5].as<float>()[i], x[i]);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 8; ++j) {
      bool inside = i >= 1 && i <= 4 && j + 1 < 6;
      EXPECT_EQ(buffers[6].as<float>()[i * 8 + j], inside ? x[(i - 1) * 6 + j + 1] : 2.0f);
    }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 6; ++j) {
      bool inserted = i % 2 == 0 && j >= 1 && j < 4;
      EXPECT_EQ(buffers[7].as<float>()[i * 6 + j],
                inserted ? x[(1 + i) * 6 + 2 * (j - 1)] : x[i * 6 + j]);
    }
}

// Row operations keep their intermediates in the caller's scratch.
TEST(Plain, SoftmaxUsesScratch) {
  Program p(R"(
  mt.kernel @k kind(rows) (%x: tensor<5x9xf32>) -> tensor<5x9xf32> {
    %z = arith.constant 0.0 : f32
    %ninf = arith.constant 0xFF800000 : f32
    %e1 = tensor.empty() : tensor<5xf32>
    %e2 = tensor.empty() : tensor<5x9xf32>
    %mi = linalg.fill ins(%ninf : f32) outs(%e1 : tensor<5xf32>) -> tensor<5xf32>
    %m = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<5x9xf32>) outs(%mi : tensor<5xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.maximumf %o, %a : f32
      linalg.yield %r : f32
    } -> tensor<5xf32>
    %ex = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%x, %m : tensor<5x9xf32>, tensor<5xf32>) outs(%e2 : tensor<5x9xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.subf %a, %b : f32
      %r = math.exp %s : f32
      linalg.yield %r : f32
    } -> tensor<5x9xf32>
    %si = linalg.fill ins(%z : f32) outs(%e1 : tensor<5xf32>) -> tensor<5xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%ex : tensor<5x9xf32>) outs(%si : tensor<5xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %o, %a : f32
      linalg.yield %r : f32
    } -> tensor<5xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%ex, %s : tensor<5x9xf32>, tensor<5xf32>) outs(%e2 : tensor<5x9xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %r = arith.divf %a, %b : f32
      linalg.yield %r : f32
    } -> tensor<5x9xf32>
    mt.yield %y : tensor<5x9xf32>
  })",
            "host:x86-64-v4,cores=2", /*plain=*/true);
  ASSERT_EQ(p.error, "");
  EXPECT_GE(p.variant(0).getScratch(), 5 * 9 * 4);
  auto buffers = p.buffers(0);
  ASSERT_EQ(p.run(0, buffers), 0);
  for (int i = 0; i < 5; ++i) {
    double sum = 0;
    for (int j = 0; j < 9; ++j)
      sum += std::exp(double(buffers[0].as<float>()[i * 9 + j]));
    for (int j = 0; j < 9; ++j)
      EXPECT_NEAR(buffers[1].as<float>()[i * 9 + j],
                  std::exp(double(buffers[0].as<float>()[i * 9 + j])) / sum, 1e-6);
  }
}

// A long sum is as accurate as its blocks are short, not as its terms are many: 100,000 terms are
// within 6 units of the last place, where one chain is off by hundreds.
TEST(Plain, LongSums) {
  Program p(R"(
  mt.kernel @k kind(rows) (%x: tensor<10x100x100xf32>) -> tensor<1xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1xf32>) -> tensor<1xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(n,i,j,k) -> (i,j,k)>, affine_map<(n,i,j,k) -> (n)>],
        iterator_types = ["parallel", "reduction", "reduction", "reduction"]} ins(%x : tensor<10x100x100xf32>) outs(%f : tensor<1xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %o, %a : f32
      linalg.yield %s : f32
    } -> tensor<1xf32>
    mt.yield %r : tensor<1xf32>
  })",
            "host:x86-64-v4,cores=2", /*plain=*/true);
  ASSERT_EQ(p.error, "");
  auto buffers = p.buffers(0);
  double sum = 0;
  float chain = 0;
  for (int i = 0; i < 100000; ++i) {
    float &x = buffers[0].as<float>()[i];
    x = 0.1f + 0.001f * float(i % 7);
    sum += x;
    chain += x;
  }
  ASSERT_EQ(p.run(0, buffers), 0);
  const double unit = sum * 0x1p-24;
  EXPECT_LE(std::fabs(buffers[1].as<float>()[0] - sum), 6 * unit);
  EXPECT_GT(std::fabs(chain - sum), 100 * unit) << "the case would pass with a chain as well";
}
