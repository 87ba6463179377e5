//===- WinogradTest.cpp - convolutions by minimal filtering ---------------===//
//
// Against a direct convolution in f64: the norm of the error is at most 2e-5 of the result's (the
// bound of this numerics class), for AVX-512 and AVX2, and the same bits however blocks are split.
// The shapes leave remainders in tiles, blocks and vectors of channels.
//
//===----------------------------------------------------------------------===//
#include "ConfigBits.h"
#include "ContractionText.h"

#include "mtc/Dialect/MT/Transforms/Passes.h"

#include <cmath>

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

struct Shape {
  int64_t n, h, w, c, f, pad, taps = 3;
  int64_t oh() const { return h + 2 * pad - taps + 1; }
  int64_t ow() const { return w + 2 * pad - taps + 1; }
};

/// The kernel before the pass, with its weight and a use of it.
std::string program(const Shape &s, Epilogue epilogue) {
  std::string x = tensor({s.n, s.h, s.w, s.c}), w = tensor({s.f, s.taps, s.taps, s.c}),
              p = tensor({s.n, s.h + 2 * s.pad, s.w + 2 * s.pad, s.c}),
              o = tensor({s.n, s.oh(), s.ow(), s.f}), pad = n2s(s.pad), dims = "n,h,w,f,kh,kw,c";
  EpilogueText ep = epilogueText(epilogue, "n,h,w,f", o, s.f, 4);
  std::string body;
  if (s.pad)
    body =
        "%xp = tensor.pad %x low[0, " + pad + ", " + pad + ", 0] high[0, " + pad + ", " + pad +
        ", 0] {\n^bb0(%i: index, %j: index, %k: index, %l: index):\ntensor.yield %z : f32\n} : " +
        x + " to " + p + "\n";
  body += generic("%c",
                  map(dims, "n,h+kh,w+kw,c") + ", " + map(dims, "f,kh,kw,c") + ", " +
                      map(dims, "n,h,w,f"),
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

constexpr double g3[6][3] = {{1. / 4, 0, 0},
                             {-1. / 6, -1. / 6, -1. / 6},
                             {-1. / 6, 1. / 6, -1. / 6},
                             {1. / 24, 1. / 12, 1. / 6},
                             {1. / 24, -1. / 12, 1. / 6},
                             {0, 0, 1}};
constexpr double g2[5][2] = {
    {1. / 2, 0}, {1. / 2, 1. / 2}, {-1. / 6, 1. / 6}, {1. / 6, 1. / 3}, {0, 1}};

double weightAt(const std::vector<float> &w, const Shape &s, int64_t f, int64_t y, int64_t x,
                int64_t c) {
  return w[((f * s.taps + y) * s.taps + x) * s.c + c];
}

/// [f / nr][6][6][c][nr] of a weight [f][3][3][c]; 5 and 2 for 6 and 3.
void transformWeight(const std::vector<float> &w, const Shape &s, int64_t nr, float *out) {
  const int64_t side = s.taps + 3;
  auto g = [&](int64_t i, int64_t y) { return s.taps == 3 ? g3[i][y] : g2[i][y]; };
  for (int64_t f = 0; f < s.f; ++f)
    for (int64_t i = 0; i < side; ++i)
      for (int64_t j = 0; j < side; ++j)
        for (int64_t c = 0; c < s.c; ++c) {
          double sum = 0;
          for (int64_t y = 0; y < s.taps; ++y)
            for (int64_t x = 0; x < s.taps; ++x)
              sum += g(i, y) * weightAt(w, s, f, y, x, c) * g(j, x);
          out[(((f / nr * side + i) * side + j) * s.c + c) * nr + f % nr] = static_cast<float>(sum);
        }
}

double direct(const float *x, const std::vector<float> &w, const Shape &s, int64_t n, int64_t oy,
              int64_t ox, int64_t f) {
  double sum = 0;
  for (int64_t ky = 0; ky < s.taps; ++ky)
    for (int64_t kx = 0; kx < s.taps; ++kx) {
      const int64_t y = oy + ky - s.pad, z = ox + kx - s.pad;
      if (y < 0 || y >= s.h || z < 0 || z >= s.w)
        continue;
      for (int64_t c = 0; c < s.c; ++c)
        sum += double(x[((n * s.h + y) * s.w + z) * s.c + c]) * weightAt(w, s, f, ky, kx, c);
    }
  return sum;
}

double finished(double v, double r, Epilogue epilogue) {
  switch (epilogue) {
  case Epilogue::None:
    return v;
  case Epilogue::Residual:
    return v + r;
  case Epilogue::BiasRelu:
    return std::max(0.0, v + r);
  case Epilogue::BiasGelu:
    return 0.5 * (v + r) * (1 + std::erf((v + r) * 0.70710678));
  }
  return 0;
}

/// Two vectors or one; three or one of half as many lanes.
int64_t panelWidth(int64_t f, int64_t lanes) {
  return f % (2 * lanes) == 0 ? 2 * lanes : f % lanes == 0 ? lanes : f % 24 == 0 ? 24 : 8;
}

/// `configs`: all configs of the kernel must give the same bits.
void check(const Shape &s, Epilogue epilogue = Epilogue::None, bool configs = false) {
  for (const char *target : {"host:x86-64-v4,cores=2", "host:x86-64-v3,cores=2"}) {
    SCOPED_TRACE(target);
    const int64_t lanes = std::string(target).find("v4") != std::string::npos ? 16 : 8;
    Program program(::program(s, epilogue), target, false, {}, mtc::mt::createUseWinograd({lanes}));
    ASSERT_EQ(program.error, "");
    ASSERT_EQ(program.emitter(0), "winograd");
    std::vector<Buffer> buffers = program.buffers(0);
    Buffer plainWeight(s.f * s.taps * s.taps * s.c * 4);
    fill(plainWeight, 99);
    std::vector<float> w(plainWeight.as<float>(),
                         plainWeight.as<float>() + s.f * s.taps * s.taps * s.c);
    transformWeight(w, s, panelWidth(s.f, lanes), buffers[1].as<float>());
    ASSERT_EQ(program.run(0, buffers), 0);

    const float *got = buffers.back().as<float>();
    double error = 0, norm = 0;
    int64_t at = 0;
    for (int64_t n = 0; n < s.n; ++n)
      for (int64_t y = 0; y < s.oh(); ++y)
        for (int64_t x = 0; x < s.ow(); ++x)
          for (int64_t f = 0; f < s.f; ++f, ++at) {
            double r = epilogue == Epilogue::None       ? 0
                       : epilogue == Epilogue::Residual ? buffers[2].as<float>()[at]
                                                        : buffers[2].as<float>()[f];
            double wanted = finished(direct(buffers[0].as<float>(), w, s, n, y, x, f), r, epilogue);
            error += (got[at] - wanted) * (got[at] - wanted);
            norm += wanted * wanted;
          }
    EXPECT_GT(norm, 0);
    EXPECT_LE(std::sqrt(error), 2e-5 * std::sqrt(norm));

    std::vector<float> once(got, got + at);
    for (int parts : {2, 3, 7}) {
      ASSERT_EQ(program.run(0, buffers, parts, /*backwards=*/true), 0);
      EXPECT_EQ(std::memcmp(once.data(), got, once.size() * 4), 0) << parts << " parts";
    }
    if (configs)
      expectEqualBits(program, "winograd");
  }
}

} // namespace

TEST(Winograd, Shapes) {
  check({1, 16, 16, 16, 32, 1});
  check({1, 30, 33, 24, 16, 1}); // tiles over both edges, a part of a vector of channels
  check({2, 18, 19, 40, 48, 0}); // images, no padding, groups of one vector
  check({1, 17, 64, 8, 64, 1});
  check({1, 20, 21, 16, 32, 2}); // more padding than the window needs
}

TEST(Winograd, Epilogues) {
  for (Epilogue epilogue : {Epilogue::BiasRelu, Epilogue::BiasGelu, Epilogue::Residual})
    check({1, 19, 18, 16, 32, 1}, epilogue);
}

// Results that fill no whole vectors: panels of three vectors of eight lanes, or of one.
TEST(Winograd, HalfVectors) {
  check({1, 22, 17, 12, 24, 1}, Epilogue::BiasGelu, /*configs=*/true);
  check({1, 16, 18, 16, 40, 1}, Epilogue::Residual);
}

// Weights of 2x2, as transposed convolutions have.
TEST(Winograd, TwoTaps) {
  check({1, 20, 19, 64, 64, 1, 2}, Epilogue::BiasRelu, /*configs=*/true);
  check({2, 17, 18, 96, 48, 0, 2});
}

// Channels of several tensors, the last vector of each partly filled: the bits of one tensor.
TEST(Winograd, Parts) {
  const Shape s{2, 18, 17, 72, 32, 1};
  const std::string whole = program(s, Epilogue::BiasRelu), x = tensor({s.n, s.h, s.w, s.c}),
                    a = tensor({s.n, s.h, s.w, 24}), b = tensor({s.n, s.h, s.w, 48});
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
  for (const char *target : {"host:x86-64-v4,cores=2", "host:x86-64-v3,cores=2"}) {
    SCOPED_TRACE(target);
    Program one(whole, target, false, {}, mtc::mt::createUseWinograd({16}));
    Program two(parts, target, false, {}, mtc::mt::createUseWinograd({16}));
    ASSERT_EQ(one.error + two.error, "");
    ASSERT_EQ(two.emitter(0), "winograd");
    auto want = one.buffers(0), got = two.buffers(0);
    for (int64_t row = 0; row < s.n * s.h * s.w; ++row) {
      const float *from = want[0].as<float>() + row * s.c;
      std::memcpy(got[0].as<float>() + row * 24, from, 24 * 4);
      std::memcpy(got[1].as<float>() + row * 48, from + 24, 48 * 4);
    }
    for (size_t i = 1; i + 1 < want.size(); ++i)
      std::memcpy(got[i + 1].data(), want[i].data(), want[i].size());
    ASSERT_EQ(one.run(0, want), 0);
    ASSERT_EQ(two.run(0, got, 3, /*backwards=*/true), 0);
    EXPECT_EQ(std::memcmp(got.back().data(), want.back().data(), want.back().size()), 0);
  }
}

// Larger than a core's caches, where inputs and results are fetched ahead, and than all caches,
// where results go past them.
TEST(Winograd, LargerThanCaches) {
  check({1, 140, 150, 16, 32, 1}, Epilogue::BiasRelu);
  check({1, 740, 730, 8, 16, 1});
}

// A deep one, where rounding adds up.
TEST(Winograd, ManyChannels) { check({1, 16, 16, 256, 32, 1}, Epilogue::None, /*configs=*/true); }
