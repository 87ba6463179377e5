//===- IntegerTest.cpp - products of integers, exactly --------------------===//
//
// Contractions of bytes (summed four at a time) and of wider integers against plain C++ loops:
// every bit, for every instruction set that this machine has, with extreme values among the inputs.
// The shapes leave remainders in every loop that is tiled, groups of four among them.
//
//===----------------------------------------------------------------------===//
#include "IntegerText.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

std::vector<const char *> targets() {
  llvm::StringMap<bool> has = llvm::sys::getHostCPUFeatures();
  std::vector<const char *> list = {"host:x86-64-v3,cores=2"};
  if (has.lookup("avxvnni"))
    list.push_back("host:x86-64-v3+avxvnni,cores=2");
  if (has.lookup("avx512bw") && has.lookup("avx512vl"))
    list.push_back("host:x86-64-v4,cores=2");
  if (has.lookup("avx512vnni"))
    list.push_back("host:x86-64-v4+avx512vnni,cores=2");
  return list;
}

int32_t number(uint8_t byte, bool isSigned) {
  return isSigned ? static_cast<int8_t>(byte) : int32_t(byte);
}

/// Runs `text` on every target and compares with what `want` computes from the filled arguments.
void check(const std::string &text, const std::string &emitter,
           llvm::function_ref<std::vector<int32_t>(std::vector<Buffer> &)> want) {
  for (const char *target : targets()) {
    SCOPED_TRACE(target);
    Program p(text, target);
    ASSERT_EQ(p.error, "") << text;
    ASSERT_TRUE(p.code.warnings.empty()) << p.code.warnings[0];
    ASSERT_EQ(p.emitter(0), emitter) << text;
    auto buffers = p.buffers(0);
    for (auto [i, buffer] : llvm::enumerate(llvm::MutableArrayRef(buffers).drop_back()))
      fillBytes(buffer, 3 + unsigned(i));
    std::vector<int32_t> wanted = want(buffers);
    for (int parts : {1, 3}) {
      std::memset(buffers.back().data(), 0xA5, buffers.back().size());
      ASSERT_EQ(p.run(0, buffers, parts, /*backwards=*/true), 0);
      ASSERT_EQ(buffers.back().size(), wanted.size() * 4);
      for (size_t i = 0; i < wanted.size(); ++i)
        ASSERT_EQ(buffers.back().as<int32_t>()[i], wanted[i]) << i << " of\n" << text;
    }
  }
}

/// How the right side of a product lies in memory.
enum class Side { Panels, Rows, Columns };

/// [m, k] x [k, n] of bytes.
void checkGemm(int64_t m, int64_t n, int64_t k, Signs signs, Side side, int64_t nr = 32,
               const std::string &emitter = "contraction") {
  std::string a = tensor({m, k}, "i8"), o = tensor({m, n}, "i32");
  std::string w = side == Side::Columns ? tensor({n, k}, "i8") : tensor({k, n}, "i8");
  std::string stored = w, head, right = "%w";
  if (side == Side::Panels) {
    stored = tensor({(n + nr - 1) / nr, (k + 3) / 4, nr, 4}, "i8");
    head = "%we = tensor.empty() : " + w +
           "\n%u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = "
           "[" +
           n2s(nr) + ", 4] into %we : " + stored + " -> " + w + "\n";
    right = "%u";
  }
  head += generic("%c",
                  map("m,n,k", "m,k") + ", " + map("m,n,k", side == Side::Columns ? "n,k" : "k,n") +
                      ", " + map("m,n,k", "m,n"),
                  iterators(2, 1), "%x, " + right + " : " + a + ", " + w, "%f : " + o, o,
                  productBody(signs, "i8"));
  check(kernel("%x: " + a + ", %w: " + stored, o, head), emitter, [&](std::vector<Buffer> &b) {
    auto *x = b[0].as<uint8_t>(), *y = b[1].as<uint8_t>();
    auto right = [&](int64_t kk, int64_t j) {
      if (side == Side::Rows)
        return y[kk * n + j];
      if (side == Side::Columns)
        return y[j * k + kk];
      return y[((j / nr * ((k + 3) / 4) + kk / 4) * nr + j % nr) * 4 + kk % 4];
    };
    if (side == Side::Panels) // beyond the reduction's end there are zeros
      for (int64_t j = 0; j < n; ++j)
        for (int64_t kk = k; kk < (k + 3) / 4 * 4; ++kk)
          y[((j / nr * ((k + 3) / 4) + kk / 4) * nr + j % nr) * 4 + kk % 4] = 0;
    std::vector<int32_t> sums;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        uint32_t sum = 0;
        for (int64_t kk = 0; kk < k; ++kk)
          sum += uint32_t(number(x[i * k + kk], signs.a) * number(right(kk, j), signs.b));
        sums.push_back(int32_t(sum));
      }
    return sums;
  });
}

struct Conv {
  int64_t h = 8, w = 9, c = 8, f = 24, kernel = 3, stride = 1, dilation = 1, pad = 1;
};

/// NHWC, padded by 0, the weight [F / nr][KH][KW][C / 4][nr][4].
void checkConv(const Conv &v, Signs signs, int64_t nr = 32) {
  int64_t hp = v.h + 2 * v.pad, wp = v.w + 2 * v.pad, reach = (v.kernel - 1) * v.dilation;
  int64_t oh = (hp - reach - 1) / v.stride + 1, ow = (wp - reach - 1) / v.stride + 1;
  int64_t groups = (v.c + 3) / 4;
  std::string x = tensor({1, v.h, v.w, v.c}, "i8"), p = tensor({1, hp, wp, v.c}, "i8");
  std::string w = tensor({v.f, v.kernel, v.kernel, v.c}, "i8"),
              stored = tensor({(v.f + nr - 1) / nr, v.kernel, v.kernel, groups, nr, 4}, "i8"),
              o = tensor({1, oh, ow, v.f}, "i32"), s = n2s(v.stride), d = n2s(v.dilation);
  std::string head;
  if (v.pad)
    head =
        "%xp = tensor.pad %x low[0, " + n2s(v.pad) + ", " + n2s(v.pad) + ", 0] high[0, " +
        n2s(v.pad) + ", " + n2s(v.pad) +
        ", 0] {\n^bb0(%i: index, %j: index, %k: index, %l: index):\ntensor.yield %z8 : i8\n} : " +
        x + " to " + p + "\n";
  head += "%we = tensor.empty() : " + w +
          "\n%u = linalg.unpack %w outer_dims_perm = [0, 1, 2, 3] inner_dims_pos = [0, 3] "
          "inner_tiles = [" +
          n2s(nr) + ", 4] into %we : " + stored + " -> " + w + "\n";
  std::string dims = "n,h,w,f,kh,kw,c";
  head += generic("%c",
                  map(dims, "n,h*" + s + "+kh*" + d + ",w*" + s + "+kw*" + d + ",c") + ", " +
                      map(dims, "f,kh,kw,c") + ", " + map(dims, "n,h,w,f"),
                  iterators(4, 3),
                  std::string(v.pad ? "%xp" : "%x") + ", %u : " + (v.pad ? p : x) + ", " + w,
                  "%f : " + o, o, productBody(signs, "i8"));
  check(kernel("%x: " + x + ", %w: " + stored, o, head), "contraction",
        [&](std::vector<Buffer> &b) {
          auto *in = b[0].as<uint8_t>(), *weight = b[1].as<uint8_t>();
          auto at = [&](int64_t f, int64_t kh, int64_t kw, int64_t c) -> uint8_t & {
            int64_t outer = ((f / nr * v.kernel + kh) * v.kernel + kw) * groups + c / 4;
            return weight[(outer * nr + f % nr) * 4 + c % 4];
          };
          std::vector<int32_t> sums;
          for (int64_t f = 0; f < v.f; ++f)
            for (int64_t kh = 0; kh < v.kernel; ++kh)
              for (int64_t kw = 0; kw < v.kernel; ++kw)
                for (int64_t c = v.c; c < groups * 4; ++c)
                  at(f, kh, kw, c) = 0;
          for (int64_t i = 0; i < oh; ++i)
            for (int64_t j = 0; j < ow; ++j)
              for (int64_t f = 0; f < v.f; ++f) {
                int32_t sum = 0;
                for (int64_t kh = 0; kh < v.kernel; ++kh)
                  for (int64_t kw = 0; kw < v.kernel; ++kw) {
                    int64_t y = i * v.stride + kh * v.dilation - v.pad,
                            z = j * v.stride + kw * v.dilation - v.pad;
                    if (y < 0 || y >= v.h || z < 0 || z >= v.w)
                      continue;
                    for (int64_t c = 0; c < v.c; ++c)
                      sum += number(in[(y * v.w + z) * v.c + c], signs.a) *
                             number(at(f, kh, kw, c), signs.b);
                  }
                sums.push_back(sum);
              }
          return sums;
        });
}

} // namespace

TEST(Integer, GemmOfPanels) {
  for (auto [m, n, k] : {std::tuple(1, 16, 4),
                         {1, 100, 64},
                         {7, 40, 33},
                         {16, 32, 20},
                         {49, 24, 101},
                         {37, 100, 18},
                         {64, 8, 3},
                         {3, 70, 1},
                         {2, 33, 2047}})
    for (Signs signs : mixed)
      checkGemm(m, n, k, signs, Side::Panels, n > 16 ? 32 : 16);
}

TEST(Integer, GemmPackedByTiles) {
  for (auto [m, n, k] : {std::tuple(20, 33, 40), {9, 16, 7}, {64, 100, 65}, {8, 17, 2}})
    for (Signs signs : mixed)
      for (Side side : {Side::Rows, Side::Columns})
        checkGemm(m, n, k, signs, side);
}

// Of equal signs, or of too few rows to pack for: one product at a time.
TEST(Integer, GemmOneAtATime) {
  for (Signs signs : all)
    checkGemm(5, 37, 19, signs, Side::Rows);
  checkGemm(40, 20, 31, {true, true}, Side::Rows);
  checkGemm(40, 20, 31, {false, false}, Side::Columns);
  // A dot product by rows.
  checkGemm(2, 20, 31, {true, true}, Side::Columns, 32, "rows");
}

TEST(Integer, Convolution) {
  for (Signs signs : mixed) {
    for (int64_t stride : {1, 2})
      checkConv({.h = 9, .w = 14, .stride = stride}, signs);
    checkConv({.h = 3, .w = 2}, signs);
    checkConv({.c = 5, .f = 70}, signs);
    checkConv({.c = 3, .f = 16, .kernel = 7, .stride = 2, .pad = 3}, signs, 16);
    checkConv({.h = 12, .w = 13, .c = 6, .dilation = 2, .pad = 2}, signs);
    checkConv({.h = 12, .w = 60, .c = 2, .kernel = 2, .dilation = 2, .pad = 0}, signs);
    checkConv({.h = 5, .w = 6, .c = 16, .f = 40, .kernel = 1, .pad = 0}, signs);
  }
}

/// Wider integers, with wrap-around: the operands are i32 already, or are extended.
TEST(Integer, WiderNumbers) {
  for (auto [m, n, k] : {std::tuple(5, 33, 17), {20, 16, 9}})
    for (const char *type : {"i16", "i32"}) {
      std::string a = tensor({m, k}, type), w = tensor({k, n}, type), o = tensor({m, n}, "i32");
      std::string head = generic(
          "%c", map("m,n,k", "m,k") + ", " + map("m,n,k", "k,n") + ", " + map("m,n,k", "m,n"),
          iterators(2, 1), "%x, %w : " + a + ", " + w, "%f : " + o, o,
          productBody({true, true}, type));
      check(kernel("%x: " + a + ", %w: " + w, o, head), "contraction", [&](std::vector<Buffer> &b) {
        auto at = [&](int buffer, int64_t i) -> int64_t {
          return type == std::string("i16") ? b[buffer].as<int16_t>()[i]
                                            : b[buffer].as<int32_t>()[i];
        };
        std::vector<int32_t> sums;
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            uint64_t sum = 0;
            for (int64_t kk = 0; kk < k; ++kk)
              sum += uint64_t(at(0, i * k + kk) * at(1, kk * n + j));
            sums.push_back(int32_t(uint32_t(sum)));
          }
        return sums;
      });
    }
}

// A result of eight bytes an element has half as many lanes.
TEST(Integer, DoublePrecision) {
  std::string a = tensor({21, 34}, "f64"), w = tensor({34, 19}, "f64"), o = tensor({21, 19}, "f64");
  std::string text =
      "mt.kernel @k kind(contraction) (%x: " + a + ", %w: " + w + ") -> " + o +
      " {\n%z = arith.constant 0.0 : f64\n%e = tensor.empty() : " + o +
      "\n%f = linalg.fill ins(%z : f64) outs(%e : " + o + ") -> " + o + "\n" +
      generic("%c", map("m,n,k", "m,k") + ", " + map("m,n,k", "k,n") + ", " + map("m,n,k", "m,n"),
              iterators(2, 1), "%x, %w : " + a + ", " + w, "%f : " + o, o,
              "^bb0(%a: f64, %b: f64, %o: f64):\n%p = arith.mulf %a, %b : f64\n"
              "%s = arith.addf %o, %p : f64\nlinalg.yield %s : f64\n") +
      "mt.yield %c : " + o + "\n}";
  for (const char *target : targets()) {
    SCOPED_TRACE(target);
    Program p(text, target);
    ASSERT_EQ(p.error, "");
    ASSERT_EQ(p.emitter(0), "contraction");
    auto b = p.buffers(0);
    for (int side : {0, 1})
      for (size_t i = 0; i < b[side].size() / 8; ++i)
        b[side].as<double>()[i] = double(int(i * 7919 % 1013)) / 64 - 7;
    ASSERT_EQ(p.run(0, b, 2), 0);
    for (int64_t i = 0; i < 21; ++i)
      for (int64_t j = 0; j < 19; ++j) {
        double sum = 0; // exact: multiples of 2^-12 below 2^40
        for (int64_t k = 0; k < 34; ++k)
          sum += b[0].as<double>()[i * 34 + k] * b[1].as<double>()[k * 19 + j];
        ASSERT_EQ(b[2].as<double>()[i * 19 + j], sum) << i << " " << j;
      }
  }
}
