//===- BytesTest.cpp - products of bytes on tensor cores ------------------===//
//
// As on the host, every bit, of any signs, with extreme values among the inputs. Each kernel runs
// with two grids, ranges of tiles and orders of threads.
//
//===----------------------------------------------------------------------===//
#include "../IntegerText.h"
#include "EmulatedProgram.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::cuda::test;
using namespace mtc::host::test;

namespace {

void expectEqual(const std::string &text, const std::string &config = "") {
  SCOPED_TRACE(text + config);
  Program host(text, "host:x86-64-v3,cores=2", /*plain=*/true);
  ASSERT_EQ(host.error, "");
  EmulatedProgram gpu(text, false, "cuda:sm_90a", config);
  ASSERT_EQ(gpu.error, "");
  auto format = gpu.variant().getConfig().getAs<mlir::StringAttr>("mma");
  ASSERT_TRUE(format);
  EXPECT_EQ(format.getValue(), "i8");
  auto operands = [&] {
    std::vector<Buffer> buffers = host.buffers(0);
    for (unsigned i : {0, 1})
      fillBytes(buffers[i], 3 + i);
    return buffers;
  };
  std::vector<Buffer> wanted = operands();
  ASSERT_EQ(host.run(0, wanted), 0);
  for (auto [parts, blocks] : {std::pair(1, 2), {3, 1}}) {
    std::vector<Buffer> got = operands();
    Status status = gpu.run(got, parts, blocks, 7 * parts);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(std::memcmp(got.back().data(), wanted.back().data(), wanted.back().size()), 0);
  }
}

/// [m, k] x [k, n], the right side as it is or with its terms side by side.
std::string product(int64_t m, int64_t n, int64_t k, Signs signs, bool columnsFirst) {
  std::string a = tensor({m, k}, "i8"), o = tensor({m, n}, "i32");
  std::string w = columnsFirst ? tensor({n, k}, "i8") : tensor({k, n}, "i8");
  return kernel("%x: " + a + ", %w: " + w, o,
                generic("%c",
                        map("m,n,k", "m,k") + ", " + map("m,n,k", columnsFirst ? "n,k" : "k,n") +
                            ", " + map("m,n,k", "m,n"),
                        iterators(2, 1), "%x, %w : " + a + ", " + w, "%f : " + o, o,
                        productBody(signs, "i8")));
}

// Warpgroups: all signs, terms side by side and not.
TEST(Bytes, GroupProducts) {
  const std::string config =
      "{emitter = \"contraction\", mma = \"i8\", wgmma, bm = 64, bn = 32, bk = 128, wm = 64, wn = "
      "32, stages = 3}";
  for (auto [m, n, k] : {std::tuple(20, 40, 33), {70, 36, 640}})
    for (bool columnsFirst : {false, true})
      for (Signs signs : all)
        expectEqual(product(m, n, k, signs, columnsFirst), config);
}

// Others copy than multiply.
TEST(Bytes, Rings) {
  for (bool columnsFirst : {false, true})
    expectEqual(product(70, 36, 320, {false, true}, columnsFirst),
                "{emitter = \"contraction\", mma = \"i8\", wgmma, bm = 64, bn = 32, bk = 128, "
                "wm = 64, wn = 32, stages = 3, producers = 1}");
}

// Tensor maps bring what lies with its terms side by side.
TEST(Bytes, Maps) {
  const std::string config = "{emitter = \"contraction\", mma = \"i8\", wgmma, mapped, producers "
                             "= 1, bm = 64, bn = 32, bk = 128, wm = 64, wn = 32, stages = 3}";
  for (Signs signs : all)
    expectEqual(product(70, 36, 336, signs, /*columnsFirst=*/true), config);
  EmulatedProgram across(product(70, 48, 336, {false, true}, /*columnsFirst=*/false), false,
                         "cuda:sm_90a", config);
  EXPECT_EQ(across.error, "cannot be emitted");
}

// Terms that fill no product, groups of four and sixteen neighbours in memory and none, one row.
TEST(Bytes, Products) {
  for (auto [m, n, k] : {std::tuple(20, 40, 33), {9, 36, 64}, {70, 24, 200}, {33, 17, 5}})
    for (bool columnsFirst : {false, true})
      expectEqual(product(m, n, k, {false, true}, columnsFirst));
  for (Signs signs : all)
    expectEqual(product(16, 32, 48, signs, false));
}

// NHWC, padded by 0, the weight [F][KH][KW][C]; channels that fill groups and that do not.
TEST(Bytes, Convolutions) {
  for (auto [channels, size, stride] : {std::tuple(3, 3, 2), {8, 3, 1}, {16, 1, 1}}) {
    const int64_t h = 7, pad = size / 2, out = (h + 2 * pad - size) / stride + 1, f = 20;
    std::string x = tensor({1, h, h, channels}, "i8"), w = tensor({f, size, size, channels}, "i8");
    std::string p = tensor({1, h + 2 * pad, h + 2 * pad, channels}, "i8");
    std::string o = tensor({1, out, out, f}, "i32"), s = n2s(stride), dims = "n,h,w,f,kh,kw,c";
    std::string low = "[0, " + n2s(pad) + ", " + n2s(pad) + ", 0]", head;
    if (pad)
      head =
          "%xp = tensor.pad %x low" + low + " high" + low +
          " {\n^bb0(%i: index, %j: index, %k: index, %l: index):\ntensor.yield %z8 : i8\n} : " + x +
          " to " + p + "\n";
    head += generic("%c",
                    map(dims, "n,h*" + s + "+kh,w*" + s + "+kw,c") + ", " + map(dims, "f,kh,kw,c") +
                        ", " + map(dims, "n,h,w,f"),
                    iterators(4, 3),
                    std::string(pad ? "%xp" : "%x") + ", %w : " + (pad ? p : x) + ", " + w,
                    "%f : " + o, o, productBody({false, true}, "i8"));
    expectEqual(kernel("%x: " + x + ", %w: " + w, o, head));
  }
}

// Sums become floats in the epilogue.
TEST(Bytes, Scaled) {
  std::string text = product(20, 40, 33, {true, false}, true), i = tensor({20, 40}, "i32"),
              f = tensor({20, 40});
  auto replace = [&](const std::string &from, const std::string &to) {
    size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  };
  replace(") -> " + i, ") -> " + f);
  replace("mt.yield %c : " + i,
          "%scale = arith.constant 0.0625 : f32\n%ef = tensor.empty() : " + f + "\n" +
              generic("%y", map("m,n", "m,n") + ", " + map("m,n", "m,n"), iterators(2, 0),
                      "%c : " + i, "%ef : " + f, f,
                      "^bb0(%a: i32, %o: f32):\n%s = arith.sitofp %a : i32 to f32\n%r = "
                      "arith.mulf %s, %scale : f32\nlinalg.yield %r : f32\n") +
              "mt.yield %y : " + f);
  expectEqual(text);
}

} // namespace
