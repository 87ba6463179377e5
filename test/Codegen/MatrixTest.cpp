//===- MatrixTest.cpp - contractions by products of tiles -----------------===//
//
// Against sums in f64: an element's error is below 2^-23 of the sum of the products' magnitudes and
// a part of a rounding for each step; the same bits however tiles are split and cut. Needs a CPU
// with AMX. The shapes leave remainders in rows, columns, depth and vectors of channels.
//
//===----------------------------------------------------------------------===//
#include "ConfigBits.h"
#include "ContractionText.h"

#include "mtc/Dialect/MT/Transforms/Passes.h"
#include "mtc/Runtime/Cpu.h"

#include <bit>
#include <cmath>

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

constexpr const char *target = "host:x86-64-v4+amx-bf16+amx-tile+avx512bf16,cores=2";

bool hasTiles() { return missingFeatures(resolve(target)->required).empty(); }

/// A convolution of x[n, h, w, c] by w[taps, taps, c, f]; a product of matrices with one tap.
struct Shape {
  int64_t n, h, w, c, f, taps = 1, pad = 0, stride = 1;
  int64_t oh() const { return (h + 2 * pad - taps) / stride + 1; }
  int64_t ow() const { return (w + 2 * pad - taps) / stride + 1; }
  int64_t sum() const { return taps * taps * c; }
};

std::string program(const Shape &s, Epilogue epilogue) {
  const std::string x = tensor({s.n, s.h, s.w, s.c}), w = tensor({s.taps, s.taps, s.c, s.f}),
                    p = tensor({s.n, s.h + 2 * s.pad, s.w + 2 * s.pad, s.c}),
                    o = tensor({s.n, s.oh(), s.ow(), s.f}), pad = n2s(s.pad),
                    dims = "n,h,w,f,kh,kw,c", by = s.stride > 1 ? "*" + n2s(s.stride) : "";
  EpilogueText ep = epilogueText(epilogue, "n,h,w,f", o, s.f, 4);
  std::string body;
  if (s.pad)
    body =
        "%xp = tensor.pad %x low[0, " + pad + ", " + pad + ", 0] high[0, " + pad + ", " + pad +
        ", 0] {\n^bb0(%i: index, %j: index, %k: index, %l: index):\ntensor.yield %z : f32\n} : " +
        x + " to " + p + "\n";
  body += generic("%c",
                  map(dims, "n,h" + by + "+kh,w" + by + "+kw,c") + ", " + map(dims, "kh,kw,c,f") +
                      ", " + map(dims, "n,h,w,f"),
                  iterators(4, 3), std::string(s.pad ? "%xp" : "%x") + ", %w : " + p + ", " + w,
                  "%f : " + o, o, productBody());
  std::string more, types;
  if (epilogue == Epilogue::Residual) {
    more = ", %r: " + o + " {mt.name = \"r\"}";
    types = ", " + o;
  } else if (epilogue != Epilogue::None) {
    more = ", %r: " + tensor({s.f}) + " {mt.name = \"r\"}";
    types = ", " + tensor({s.f});
  }
  return "mt.weight @w : " + w + " from(\"none\" at 0)\n" +
         kernelText("%x: " + x + ", %w: " + w, ep, o, body) +
         "\nmt.tenant @t {\nmt.entry @e(%x: " + x + " {mt.name = \"x\"}" + more + ") -> (" + o +
         " {mt.name = \"y\"}) {\n%w = mt.get_weight @w : " + w + "\n%y = mt.task 0 @k(%x, %w" +
         (types.empty() ? "" : ", %r") + ") : (" + x + ", " + w + types + ") -> " + o +
         "\nmt.return %y : " + o + "\n}\n}\n";
}

/// [f / 16][3][depth / 2][16][2] of a weight [k][f], each part the nearest bf16 of what is left.
void splitWeight(const std::vector<float> &w, const Shape &s, uint16_t *out) {
  const int64_t depth = (s.sum() + 31) / 32 * 32, panels = (s.f + 15) / 16;
  for (int64_t g = 0; g < panels; ++g)
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t column = 0; column < 16; ++column) {
        const int64_t f = 16 * g + column;
        float rest = k < s.sum() && f < s.f ? w[k * s.f + f] : 0;
        for (int64_t part = 0; part < 3; ++part) {
          const auto bits = std::bit_cast<uint32_t>(rest);
          const uint32_t high = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
          rest -= std::bit_cast<float>(high << 16);
          out[(((g * 3 + part) * depth / 2 + k / 2) * 16 + column) * 2 + k % 2] = uint16_t(high);
        }
      }
}

/// The sum for an element, and the sum of its products' magnitudes.
std::pair<double, double> direct(const float *x, const std::vector<float> &w, const Shape &s,
                                 int64_t n, int64_t oy, int64_t ox, int64_t f) {
  double sum = 0, size = 0;
  for (int64_t ky = 0; ky < s.taps; ++ky)
    for (int64_t kx = 0; kx < s.taps; ++kx) {
      const int64_t y = oy * s.stride + ky - s.pad, z = ox * s.stride + kx - s.pad;
      if (y < 0 || y >= s.h || z < 0 || z >= s.w)
        continue;
      for (int64_t c = 0; c < s.c; ++c) {
        const double product = double(x[((n * s.h + y) * s.w + z) * s.c + c]) *
                               w[((ky * s.taps + kx) * s.c + c) * s.f + f];
        sum += product;
        size += std::abs(product);
      }
    }
  return {sum, size};
}

void check(const Shape &s, Epilogue epilogue = Epilogue::None, bool configs = false) {
  if (!hasTiles())
    GTEST_SKIP() << "this CPU has no AMX";
  Program program(::program(s, epilogue), target, false, {}, mtc::mt::createSplitProducts());
  ASSERT_EQ(program.error, "");
  ASSERT_EQ(program.emitter(0), "matrix");
  std::vector<Buffer> buffers = program.buffers(0);
  Buffer plainWeight(s.sum() * s.f * 4);
  fill(plainWeight, 99);
  std::vector<float> w(plainWeight.as<float>(), plainWeight.as<float>() + s.sum() * s.f);
  splitWeight(w, s, buffers[1].as<uint16_t>());
  ASSERT_EQ(program.run(0, buffers), 0);

  const float *got = buffers.back().as<float>();
  int64_t at = 0;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t y = 0; y < s.oh(); ++y)
      for (int64_t x = 0; x < s.ow(); ++x)
        for (int64_t f = 0; f < s.f; ++f, ++at) {
          auto [wanted, size] = direct(buffers[0].as<float>(), w, s, n, y, x, f);
          const double steps = 6 * std::ceil(double(s.sum()) / 32);
          double bound = std::ldexp(size, -23) + steps * std::ldexp(size, -25);
          if (epilogue == Epilogue::Residual)
            wanted += buffers[2].as<float>()[at];
          else if (epilogue != Epilogue::None)
            wanted += buffers[2].as<float>()[f];
          if (epilogue == Epilogue::BiasRelu)
            wanted = std::max(0.0, wanted);
          if (epilogue == Epilogue::BiasGelu) {
            wanted = 0.5 * wanted * (1 + std::erf(wanted * 0.70710678));
            bound += 1e-5 * std::abs(wanted) + 1e-6;
          }
          ASSERT_NEAR(got[at], wanted, bound + 1e-7 * std::abs(wanted)) << at;
        }

  std::vector<float> once(got, got + at);
  for (int parts : {2, 3, 7}) {
    ASSERT_EQ(program.run(0, buffers, parts, /*backwards=*/true), 0);
    EXPECT_EQ(std::memcmp(once.data(), got, once.size() * 4), 0) << parts << " parts";
  }
  if (configs)
    expectEqualBits(program, "matrix");
}

} // namespace

TEST(Matrix, Products) {
  check({1, 1, 64, 256, 128}, Epilogue::None, /*configs=*/true);
  check({1, 1, 77, 120, 200});  // remainders everywhere
  check({1, 1, 300, 264, 144}); // a group of columns that is not full
  check({1, 1, 16, 512, 512});  // one tile of rows
  check({1, 1, 400, 800, 336}); // more than one block
}

TEST(Matrix, Epilogues) {
  for (Epilogue epilogue : {Epilogue::BiasRelu, Epilogue::BiasGelu, Epilogue::Residual})
    check({1, 1, 95, 128, 168}, epilogue);
  check({1, 1, 48, 512, 72}, Epilogue::BiasGelu, /*configs=*/true); // a part of a vector
}

// Windows, whose rows are gathered: padding, strides, parts of vectors of channels.
TEST(Matrix, Windows) {
  check({1, 13, 14, 64, 96, 3, 1}, Epilogue::BiasRelu, /*configs=*/true);
  check({2, 15, 17, 72, 136, 3, 1, 2}, Epilogue::Residual);
  check({1, 9, 40, 136, 128, 2, 0}, Epilogue::BiasGelu);
  check({1, 28, 28, 256, 200, 1, 0, 2});
}

// Channels of several tensors, the last vector of each partly filled: the bits of one tensor.
TEST(Matrix, Parts) {
  if (!hasTiles())
    GTEST_SKIP() << "this CPU has no AMX";
  const Shape s{1, 18, 17, 96, 64, 3, 1};
  const std::string whole = program(s, Epilogue::BiasRelu), x = tensor({s.n, s.h, s.w, s.c}),
                    a = tensor({s.n, s.h, s.w, 24}), b = tensor({s.n, s.h, s.w, 72});
  std::string parts = whole;
  auto replace = [&](const std::string &what, const std::string &by) {
    const size_t at = parts.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    parts.replace(at, what.size(), by);
  };
  replace("(%x: " + x, "(%part0: " + a + ", %part1: " + b);
  replace("{\n",
          "{\n%x = tensor.concat dim(3) %part0, %part1 : (" + a + ", " + b + ") -> " + x + "\n");
  replace("(%x: " + x, "(%x: " + a + " {mt.name = \"a\"}, %b: " + b);
  replace("@k(%x,", "@k(%x, %b,");
  replace(": (" + x, ": (" + a + ", " + b);
  Program one(whole, target, false, {}, mtc::mt::createSplitProducts());
  Program two(parts, target, false, {}, mtc::mt::createSplitProducts());
  ASSERT_EQ(one.error + two.error, "");
  ASSERT_EQ(two.emitter(0), "matrix");
  auto want = one.buffers(0), got = two.buffers(0);
  for (int64_t row = 0; row < s.n * s.h * s.w; ++row) {
    const float *from = want[0].as<float>() + row * s.c;
    std::memcpy(got[0].as<float>() + row * 24, from, 24 * 4);
    std::memcpy(got[1].as<float>() + row * 72, from + 24, 72 * 4);
  }
  for (size_t i = 1; i + 1 < want.size(); ++i)
    std::memcpy(got[i + 1].data(), want[i].data(), want[i].size());
  ASSERT_EQ(one.run(0, want), 0);
  ASSERT_EQ(two.run(0, got, 3, /*backwards=*/true), 0);
  EXPECT_EQ(std::memcmp(got.back().data(), want.back().data(), want.back().size()), 0);
}

// Bytes of different signs, read where they lie: any order is exact.
TEST(Matrix, Bytes) {
  const char *target = "host:x86-64-v4+amx-int8+amx-tile,cores=2";
  if (!missingFeatures(resolve(target)->required).empty())
    GTEST_SKIP() << "this CPU has no AMX";
  struct Bytes {
    int64_t m, n, k;
    bool isSigned; ///< of the rows; the weight is the other
  };
  for (const Bytes &s : {Bytes{64, 96, 128, false},
                         {77, 200, 512, false},
                         {16, 40, 64, true},
                         {33, 16, 192, false},
                         {300, 1000, 256, true}}) {
    const std::string x = "tensor<" + n2s(s.m) + "x" + n2s(s.k) + "xi8>",
                      panels = "tensor<" + n2s((s.n + 31) / 32) + "x" + n2s(s.k / 4) + "x32x4xi8>",
                      w = "tensor<" + n2s(s.k) + "x" + n2s(s.n) + "xi8>",
                      y = "tensor<" + n2s(s.m) + "x" + n2s(s.n) + "xi32>";
    const std::string rows = s.isSigned ? "extsi" : "extui",
                      columns = s.isSigned ? "extui" : "extsi";
    const std::string text =
        "mt.kernel @k kind(contraction) (%x: " + x + ", %w: " + panels + ") -> " + y + " {\n" +
        "%z = arith.constant 0 : i32\n%we = tensor.empty() : " + w +
        "\n%u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = "
        "[32, 4] into %we : " +
        panels + " -> " + w + "\n%e = tensor.empty() : " + y +
        "\n%f = linalg.fill ins(%z : i32) outs(%e : " + y + ") -> " + y + "\n" +
        generic("%c", map("m,n,k", "m,k") + ", " + map("m,n,k", "k,n") + ", " + map("m,n,k", "m,n"),
                iterators(2, 1), "%x, %u : " + x + ", " + w, "%f : " + y, y,
                "^bb0(%a: i8, %b: i8, %o: i32):\n%xa = arith." + rows +
                    " %a : i8 to i32\n%xb = arith." + columns +
                    " %b : i8 to i32\n%p = arith.muli %xa, %xb : i32\n%s = arith.addi %o, %p : "
                    "i32\nlinalg.yield %s : i32\n") +
        "mt.yield %c : " + y + "\n}\n";
    Program fast(text, target), plain(text, target, true);
    ASSERT_EQ(fast.error + plain.error, "");
    ASSERT_EQ(fast.emitter(0), "byte_tiles");
    auto got = fast.buffers(0), want = plain.buffers(0);
    ASSERT_EQ(fast.run(0, got, 3, /*backwards=*/true), 0);
    ASSERT_EQ(plain.run(0, want), 0);
    EXPECT_EQ(std::memcmp(got.back().data(), want.back().data(), want.back().size()), 0)
        << s.m << " x " << s.n << " x " << s.k;
  }
}
