//===- KernelText.h - kernels as text, for tests --------------------------===//
#pragma once

#include "KernelRunner.h"

#include <cmath>
#include <gtest/gtest.h>
#include <string>

namespace mtc::host::test {

inline std::string n2s(int64_t n) { return std::to_string(n); }

/// "tensor<3x4xf32>"
inline std::string tensor(std::initializer_list<int64_t> shape, const std::string &type = "f32") {
  std::string text = "tensor<";
  for (int64_t d : shape)
    text += n2s(d) + "x";
  return text + type + ">";
}

inline std::string map(const std::string &dims, const std::string &results) {
  return "affine_map<(" + dims + ") -> (" + results + ")>";
}

/// `count` times "parallel", then "reduction".
inline std::string iterators(int parallel, int reduction) {
  std::string text;
  for (int i = 0; i < parallel + reduction; ++i)
    text += std::string(i ? ", " : "") + (i < parallel ? "\"parallel\"" : "\"reduction\"");
  return "[" + text + "]";
}

inline std::string generic(const std::string &result, const std::string &maps,
                           const std::string &iteratorTypes, const std::string &ins,
                           const std::string &outs, const std::string &outTypes,
                           const std::string &body) {
  return result + " = linalg.generic {indexing_maps = [" + maps +
         "], iterator_types = " + iteratorTypes + "}" + (ins.empty() ? "" : " ins(" + ins + ")") +
         " outs(" + outs + ") {\n" + body + "} -> " + outTypes + "\n";
}

inline std::string biasGelu(int64_t m, int64_t n) {
  std::string t = tensor({m, n}), v = tensor({n});
  return "mt.kernel @k kind(elementwise) (%x: " + t + ", %b: " + v + ") -> " + t + " {\n" +
         "%half = arith.constant 0.5 : f32\n%one = arith.constant 1.0 : f32\n%r2 = arith.constant "
         "0.70710678 : f32\n"
         "%e = tensor.empty() : " +
         t + "\n" +
         generic("%r", map("i,j", "i,j") + ", " + map("i,j", "j") + ", " + map("i,j", "i,j"),
                 iterators(2, 0), "%x, %b : " + t + ", " + v, "%e : " + t, t,
                 "^bb0(%a: f32, %c: f32, %o: f32):\n%s = arith.addf %a, %c : f32\n%u = arith.mulf "
                 "%s, %r2 : f32\n"
                 "%w = math.erf %u : f32\n%y = arith.addf %w, %one : f32\n%z = arith.mulf %s, %y : "
                 "f32\n"
                 "%g = arith.mulf %z, %half : f32\nlinalg.yield %g : f32\n") +
         "mt.yield %r : " + t + "\n}";
}

inline std::string unaryChain(int64_t n) {
  std::string t = tensor({n});
  return "mt.kernel @k kind(elementwise) (%x: " + t + ") -> " + t +
         " {\n%z = arith.constant 0.0 : f32\n" + "%e = tensor.empty() : " + t + "\n" +
         generic(
             "%r", map("i", "i") + ", " + map("i", "i"), iterators(1, 0), "%x : " + t, "%e : " + t,
             t,
             "^bb0(%a: f32, %o: f32):\n%s = arith.maximumf %a, %z : f32\n%u = math.sqrt %s : f32\n"
             "linalg.yield %u : f32\n") +
         "mt.yield %r : " + t + "\n}";
}

/// max, sub + exp, sum, div over the last dimension.
inline std::string softmax(int64_t m, int64_t n) {
  std::string t = tensor({m, n}), v = tensor({m});
  std::string row = map("i,j", "i,j") + ", " + map("i,j", "i");
  std::string both = row + ", " + map("i,j", "i,j");
  return "mt.kernel @k kind(rows) (%x: " + t + ") -> " + t +
         " {\n%z = arith.constant 0.0 : f32\n"
         "%ninf = arith.constant 0xFF800000 : f32\n%e1 = tensor.empty() : " +
         v + "\n%e2 = tensor.empty() : " + t + "\n" +
         "%mi = linalg.fill ins(%ninf : f32) outs(%e1 : " + v + ") -> " + v + "\n" +
         generic(
             "%m", row, iterators(1, 1), "%x : " + t, "%mi : " + v, v,
             "^bb0(%a: f32, %o: f32):\n%r = arith.maximumf %o, %a : f32\nlinalg.yield %r : f32\n") +
         generic("%ex", both, iterators(2, 0), "%x, %m : " + t + ", " + v, "%e2 : " + t, t,
                 "^bb0(%a: f32, %b: f32, %o: f32):\n%s = arith.subf %a, %b : f32\n%r = math.exp %s "
                 ": f32\n"
                 "linalg.yield %r : f32\n") +
         "%si = linalg.fill ins(%z : f32) outs(%e1 : " + v + ") -> " + v + "\n" +
         generic("%s", row, iterators(1, 1), "%ex : " + t, "%si : " + v, v,
                 "^bb0(%a: f32, %o: f32):\n%r = arith.addf %o, %a : f32\nlinalg.yield %r : f32\n") +
         generic("%y", both, iterators(2, 0), "%ex, %s : " + t + ", " + v, "%e2 : " + t, t,
                 "^bb0(%a: f32, %b: f32, %o: f32):\n%r = arith.divf %a, %b : f32\nlinalg.yield %r "
                 ": f32\n") +
         "mt.yield %y : " + t + "\n}";
}

inline std::string layerNorm(int64_t m, int64_t n) {
  std::string t = tensor({1, m, n}), v = tensor({1, m}), w = tensor({n});
  std::string full = map("b,i,j", "b,i,j"), row = map("b,i,j", "b,i"), column = map("b,i,j", "j");
  return "mt.kernel @k kind(rows) (%x: " + t + ", %g: " + w + ", %h: " + w + ") -> " + t +
         " {\n%z = arith.constant 0.0 : f32\n%n = arith.constant " + n2s(n) +
         ".0 : f32\n%eps = arith.constant 1.0e-5 : f32\n"
         "%e1 = tensor.empty() : " +
         v + "\n%e2 = tensor.empty() : " + t + "\n" +
         "%f = linalg.fill ins(%z : f32) outs(%e1 : " + v + ") -> " + v + "\n" +
         generic("%s", full + ", " + row, iterators(2, 1), "%x : " + t, "%f : " + v, v,
                 "^bb0(%a: f32, %o: f32):\n%r = arith.addf %o, %a : f32\nlinalg.yield %r : f32\n") +
         generic("%c", full + ", " + row + ", " + full, iterators(3, 0), "%x, %s : " + t + ", " + v,
                 "%e2 : " + t, t,
                 "^bb0(%a: f32, %b: f32, %o: f32):\n%m = arith.divf %b, %n : f32\n%r = arith.subf "
                 "%a, %m : f32\n"
                 "linalg.yield %r : f32\n") +
         generic(
             "%q", full + ", " + row, iterators(2, 1), "%c : " + t, "%f : " + v, v,
             "^bb0(%a: f32, %o: f32):\n%p = arith.mulf %a, %a : f32\n%r = arith.addf %o, %p : f32\n"
             "linalg.yield %r : f32\n") +
         generic(
             "%y", full + ", " + row + ", " + column + ", " + column + ", " + full, iterators(3, 0),
             "%c, %q, %g, %h : " + t + ", " + v + ", " + w + ", " + w, "%e2 : " + t, t,
             "^bb0(%a: f32, %b: f32, %k: f32, %l: f32, %o: f32):\n%m = arith.divf %b, %n : f32\n"
             "%p = arith.addf %m, %eps : f32\n%d = math.sqrt %p : f32\n%u = arith.divf %a, %d : "
             "f32\n"
             "%w = arith.mulf %u, %k : f32\n%r = arith.addf %w, %l : f32\nlinalg.yield %r : "
             "f32\n") +
         "mt.yield %y : " + t + "\n}";
}

inline std::string spatialMean(int64_t hw, int64_t c) {
  std::string t = tensor({1, hw, c}), v = tensor({1, c});
  return "mt.kernel @k kind(rows) (%x: " + t + ") -> " + v +
         " {\n%z = arith.constant 0.0 : f32\n%e = tensor.empty() : " + v +
         "\n%f = linalg.fill ins(%z : f32) outs(%e : " + v + ") -> " + v + "\n" +
         generic("%s", map("n,c,h", "n,h,c") + ", " + map("n,c,h", "n,c"), iterators(2, 1),
                 "%x : " + t, "%f : " + v, v,
                 "^bb0(%a: f32, %o: f32):\n%r = arith.addf %o, %a : f32\nlinalg.yield %r : f32\n") +
         "mt.yield %s : " + v + "\n}";
}

/// 3x3, stride 2, padded by the neutral element.
inline std::string maxPool(int64_t h, int64_t w, int64_t c) {
  int64_t oh = (h + 2 - 3) / 2 + 1, ow = (w + 2 - 3) / 2 + 1;
  std::string t = tensor({1, h, w, c}), p = tensor({1, h + 2, w + 2, c}),
              o = tensor({1, oh, ow, c}), k = tensor({3, 3});
  return "mt.kernel @k kind(rows) (%x: " + t + ") -> " + o +
         " {\n%ninf = arith.constant 0xFF800000 : f32\n" +
         "%xp = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {\n^bb0(%i: index, %j: index, %k: "
         "index, %l: index):\n"
         "tensor.yield %ninf : f32\n} : " +
         t + " to " + p + "\n%e = tensor.empty() : " + o + "\n%kw = tensor.empty() : " + k +
         "\n%f = linalg.fill ins(%ninf : f32) outs(%e : " + o + ") -> " + o + "\n" +
         generic("%s",
                 map("n,h,w,c,kh,kw", "n,2*h+kh,2*w+kw,c") + ", " + map("n,h,w,c,kh,kw", "kh,kw") +
                     ", " + map("n,h,w,c,kh,kw", "n,h,w,c"),
                 iterators(4, 2), "%xp, %kw : " + p + ", " + k, "%f : " + o, o,
                 "^bb0(%a: f32, %b: f32, %o: f32):\n%r = arith.maximumf %o, %a : f32\nlinalg.yield "
                 "%r : f32\n") +
         "mt.yield %s : " + o + "\n}";
}

inline std::string transpose(int64_t m, int64_t n) {
  return "mt.kernel @k kind(move) (%x: " + tensor({m, n}) + ") -> " + tensor({n, m}) +
         " {\n%e = tensor.empty() : " + tensor({n, m}) +
         "\n%t = linalg.transpose ins(%x : " + tensor({m, n}) + ") outs(%e : " + tensor({n, m}) +
         ") permutation = [1, 0]\nmt.yield %t : " + tensor({n, m}) + "\n}";
}

/// exp of [h, w, s, s] as [h, s, w, s]: each pixel becomes a square.
inline std::string pixelsToSquares(int64_t h, int64_t w, int64_t s) {
  std::string x = tensor({h, w, s, s}), y = tensor({h, s, w, s});
  return "mt.kernel @k kind(elementwise) (%x: " + x + ") -> " + y +
         " {\n%e = tensor.empty() : " + y + "\n" +
         generic("%r", map("h,a,w,b", "h,w,a,b") + ", " + map("h,a,w,b", "h,a,w,b"),
                 iterators(4, 0), "%x : " + x, "%e : " + y, y,
                 "^bb0(%v: f32, %o: f32):\n%z = math.exp %v : f32\nlinalg.yield %z : f32\n") +
         "mt.yield %r : " + y + "\n}";
}

/// Planes of a picture, times a factor for each, as pixels: [c, h, w] -> [h, w, c].
inline std::string planesToPixels(int64_t c, int64_t h, int64_t w) {
  std::string x = tensor({c, h, w}), f = tensor({c}), y = tensor({h, w, c});
  return "mt.kernel @k kind(elementwise) (%x: " + x + ", %f: " + f + ") -> " + y +
         " {\n%e = tensor.empty() : " + y + "\n" +
         generic("%r",
                 map("h,w,c", "c,h,w") + ", " + map("h,w,c", "c") + ", " + map("h,w,c", "h,w,c"),
                 iterators(3, 0), "%x, %f : " + x + ", " + f, "%e : " + y, y,
                 "^bb0(%v: f32, %u: f32, %o: f32):\n%z = arith.mulf %v, %u : f32\nlinalg.yield %z "
                 ": f32\n") +
         "mt.yield %r : " + y + "\n}";
}

/// Every `step`th column of a matrix, its last one being one of them.
inline std::string everyNth(int64_t m, int64_t n, int64_t step) {
  std::string x = tensor({m, (n - 1) * step + 1}), y = tensor({m, n});
  return "mt.kernel @k kind(move) (%x: " + x + ") -> " + y +
         " {\n%r = tensor.extract_slice %x[0, 0] [" + n2s(m) + ", " + n2s(n) + "] [1, " +
         n2s(step) + "] : " + x + " to " + y + "\nmt.yield %r : " + y + "\n}";
}

inline std::string concat(int64_t rows, int64_t a, int64_t b) {
  std::string ta = tensor({rows, a}), tb = tensor({rows, b}), t = tensor({rows, a + b});
  return "mt.kernel @k kind(move) (%x: " + ta + ", %y: " + tb + ") -> " + t +
         " {\n%c = tensor.concat dim(1) %x, %y : (" + ta + ", " + tb + ") -> " + t +
         "\nmt.yield %c : " + t + "\n}";
}

inline std::string pad(int64_t h, int64_t w, int64_t c) {
  std::string t = tensor({1, h, w, c}), p = tensor({1, h + 3, w + 2, c});
  return "mt.kernel @k kind(move) (%x: " + t + ") -> " + p +
         " {\n%v = arith.constant 3.0 : f32\n"
         "%p = tensor.pad %x low[0, 1, 2, 0] high[0, 2, 0, 0] {\n^bb0(%i: index, %j: index, %k: "
         "index, %l: index):\n"
         "tensor.yield %v : f32\n} : " +
         t + " to " + p + "\nmt.yield %p : " + p + "\n}";
}

inline std::string slice(int64_t m, int64_t n) {
  std::string t = tensor({m, n}), r = tensor({m / 2, n - 3});
  return "mt.kernel @k kind(move) (%x: " + t + ") -> " + r +
         " {\n%s = tensor.extract_slice %x[1, 2] [" + n2s(m / 2) + ", " + n2s(n - 3) +
         "] [1, 1] : " + t + " to " + r + "\nmt.yield %s : " + r + "\n}";
}

/// Every second column of two halves of a picture's rows, channels last, beside one row for all of
/// them: tensor<cx2hx2w> and tensor<2xhxw> to tensor<hxwx(2 * c + 1)>.
inline std::string viewsSideBySide(int64_t c, int64_t h, int64_t w) {
  const std::string x = tensor({c, 2 * h, 2 * w}), t = tensor({2 * h, 2 * w, c}),
                    half = tensor({h, 2 * w, c}), part = tensor({h, w, c}),
                    y = tensor({2, h, w, 1}), one = tensor({h, w, 1}),
                    o = tensor({h, w, 2 * c + 1}), sizes = n2s(h) + ", ";
  return "mt.kernel @k kind(move) (%x: " + x + ", %y: " + y + ") -> " + o +
         " {\n%e = tensor.empty() : " + t + "\n%t = linalg.transpose ins(%x : " + x +
         ") outs(%e : " + t + ") permutation = [1, 2, 0]\n%a = tensor.extract_slice %t[" +
         n2s(h - 1) + ", 0, 0] [" + sizes + n2s(2 * w) + ", " + n2s(c) + "] [1, 1, 1] : " + t +
         " to " + half + "\n%b = tensor.extract_slice %a[0, 1, 0] [" + sizes + n2s(w) + ", " +
         n2s(c) + "] [1, 2, 1] : " + half + " to " + part +
         "\n%d = tensor.extract_slice %t[1, 0, 0] [" + sizes + n2s(w) + ", " + n2s(c) +
         "] [1, 2, 1] : " + t + " to " + part + "\n%r = tensor.extract_slice %y[1, 0, 0, 0] [1, " +
         sizes + n2s(w) + ", 1] [1, 1, 1, 1] : " + y + " to " + one +
         "\n%c = tensor.concat dim(2) %b, %r, %d : (" + part + ", " + one + ", " + part + ") -> " +
         o + "\nmt.yield %c : " + o + "\n}";
}

/// A box of a picture with `c` channels plus its left neighbours in the picture.
inline std::string sliceOfChannels(int64_t h, int64_t w, int64_t c) {
  const std::string x = tensor({h + 2, w + 3, c}), o = tensor({h, w, c});
  const std::string box =
      "] [" + n2s(h) + ", " + n2s(w) + ", " + n2s(c) + "] [1, 1, 1] : " + x + " to " + o + "\n";
  return "mt.kernel @k kind(elementwise) (%x: " + x + ") -> " + o +
         " {\n%e = tensor.empty() : " + o + "\n%a = tensor.extract_slice %x[1, 2, 0" + box +
         "%b = tensor.extract_slice %x[1, 1, 0" + box +
         generic("%r",
                 map("i,j,k", "i,j,k") + ", " + map("i,j,k", "i,j,k") + ", " +
                     map("i,j,k", "i,j,k"),
                 iterators(3, 0), "%a, %b : " + o + ", " + o, "%e : " + o, o,
                 "^bb0(%u: f32, %v: f32, %z: f32):\n%s = arith.addf %u, %v : f32\nlinalg.yield %s "
                 ": f32\n") +
         "mt.yield %r : " + o + "\n}";
}

inline std::string copy(int64_t n) {
  return "mt.kernel @k kind(move) (%x: " + tensor({n}) + ") -> " + tensor({n}) +
         " {\nmt.yield %x : " + tensor({n}) + "\n}";
}

inline std::string gather(int64_t count, int64_t rows, int64_t n) {
  std::string x = tensor({rows, n}), i = tensor({count}), t = tensor({count, n});
  return "mt.kernel @k kind(elementwise) (%x: " + x + ", %i: " + i + ") -> " + t +
         " {\n%s = arith.constant " + n2s(rows - 1) + ".0 : f32\n%e = tensor.empty() : " + t +
         "\n" +
         generic("%r", map("i,j", "i") + ", " + map("i,j", "i,j"), iterators(2, 0), "%i : " + i,
                 "%e : " + t, t,
                 "^bb0(%a: f32, %o: f32):\n%b = math.absf %a : f32\n%c = arith.mulf %b, %s : f32\n"
                 "%d = arith.fptosi %c : f32 to i64\n%f = arith.index_cast %d : i64 to index\n%j = "
                 "linalg.index 1 : index\n"
                 "%v = tensor.extract %x[%f, %j] : " +
                     x + "\nlinalg.yield %v : f32\n") +
         "mt.yield %r : " + t + "\n}";
}

inline std::string twoResults(int64_t m, int64_t n) {
  std::string t = tensor({m, n}), q = tensor({m, n}, "i64");
  return "mt.kernel @k kind(elementwise) (%x: " + t + ") -> (" + t + ", " + q +
         ") {\n%c = arith.constant 100.0 : f32\n" + "%e = tensor.empty() : " + t +
         "\n%eq = tensor.empty() : " + q + "\n" + "%r:2 = linalg.generic {indexing_maps = [" +
         map("i,j", "i,j") + ", " + map("i,j", "i,j") + ", " + map("i,j", "i,j") +
         "], iterator_types = " + iterators(2, 0) + "} ins(%x : " + t + ") outs(%e, %eq : " + t +
         ", " + q + ") {\n" +
         "^bb0(%a: f32, %o: f32, %p: i64):\n%s = arith.mulf %a, %c : f32\n%i = arith.fptosi %s : "
         "f32 to i64\n"
         "linalg.yield %s, %i : f32, i64\n} -> (" +
         t + ", " + q + ")\nmt.yield %r#0, %r#1 : " + t + ", " + q + "\n}";
}

/// Runs a kernel optimized (AVX-512 and AVX2) and by plain loops and compares: close to each other
/// in f32, and bitwise equal to itself however its tiles are split.
inline void expectLikePlain(const std::string &text, const std::string &emitter,
                            int64_t minTiles = 1, double tolerance = 2e-6) {
  SCOPED_TRACE(text);
  Program plain(text, "host:x86-64-v4,cores=2", /*plain=*/true);
  ASSERT_EQ(plain.error, "");
  auto want = plain.buffers(0);
  ASSERT_EQ(plain.run(0, want), 0);
  size_t arguments = plain.kernel(0).getArgumentTypes().size();
  for (const char *target : {"host:x86-64-v4,cores=2", "host:x86-64-v3,cores=2"}) {
    SCOPED_TRACE(target);
    Program p(text, target);
    ASSERT_EQ(p.error, "");
    ASSERT_TRUE(p.code.warnings.empty()) << p.code.warnings[0];
    ASSERT_EQ(p.emitter(0), emitter);
    EXPECT_GE(p.variant(0).getTiles()[0], minTiles);
    auto got = p.buffers(0);
    ASSERT_EQ(p.run(0, got), 0);
    for (size_t i = arguments; i < got.size(); ++i) {
      bool isFloat = mlir::cast<mlir::RankedTensorType>(p.kernel(0).getResultTypes()[i - arguments])
                         .getElementType()
                         .isF32();
      if (!isFloat) {
        ASSERT_EQ(std::memcmp(got[i].data(), want[i].data(), got[i].size()), 0);
        continue;
      }
      double scale = 0, error = 0;
      for (size_t j = 0; j < got[i].size() / 4; ++j) {
        ASSERT_FALSE(std::isnan(got[i].as<float>()[j])) << "element " << j;
        scale = std::max(scale, std::fabs(double(want[i].as<float>()[j])));
        error = std::max(error, std::fabs(double(want[i].as<float>()[j]) - got[i].as<float>()[j]));
      }
      EXPECT_LE(error, tolerance * scale) << "result " << i - arguments;
    }
    for (int parts : {2, 3, 7}) {
      auto split = p.buffers(0);
      ASSERT_EQ(p.run(0, split, parts, /*backwards=*/true), 0);
      for (size_t i = arguments; i < got.size(); ++i)
        ASSERT_EQ(std::memcmp(got[i].data(), split[i].data(), got[i].size()), 0)
            << parts << " parts";
    }
  }
}

/// Sums over the leading dimension of integers that are converted on the way.
inline std::string sumOfIntegers(int64_t m, int64_t n) {
  std::string t = tensor({m, n}, "i32"), v = tensor({n});
  return "mt.kernel @k kind(rows) (%x: " + t + ") -> " + v +
         " {\n%c = arith.constant 0.0 : f32\n%e = tensor.empty() : " + v +
         "\n%f = linalg.fill ins(%c : f32) outs(%e : " + v + ") -> " + v + "\n" +
         generic("%r", map("j,i", "i,j") + ", " + map("j,i", "j"), iterators(1, 1), "%x : " + t,
                 "%f : " + v, v,
                 "^bb0(%a: i32, %o: f32):\n%s = arith.sitofp %a : i32 to f32\n%q = arith.addf %o, "
                 "%s : f32\nlinalg.yield %q : f32\n") +
         "mt.yield %r : " + v + "\n}";
}

/// A result for each element beside the sum of all: both accumulate in the loops of the sum.
inline std::string sumBesideElements(int64_t m, int64_t n) {
  std::string t = tensor({m, n}), v = tensor({m});
  return "mt.kernel @k kind(rows) (%x: " + t + ") -> (" + t + ", " + v +
         ") {\n%c = arith.constant 0.0 : f32\n%e = tensor.empty() : " + t +
         "\n%f = linalg.fill ins(%c : f32) outs(%e : " + t + ") -> " + t +
         "\n%es = tensor.empty() : " + v + "\n%g = linalg.fill ins(%c : f32) outs(%es : " + v +
         ") -> " + v + "\n%r:2 = linalg.generic {indexing_maps = [" + map("i,j", "i,j") + ", " +
         map("i,j", "i,j") + ", " + map("i,j", "i") + "], iterator_types = " + iterators(1, 1) +
         "} ins(%x : " + t + ") outs(%f, %g : " + t + ", " + v + ") {\n" +
         "^bb0(%a: f32, %o: f32, %p: f32):\n%s = arith.addf %a, %o : f32\n%q = arith.addf %p, %s "
         ": f32\nlinalg.yield %s, %q : f32, f32\n} -> (" +
         t + ", " + v + ")\nmt.yield %r#0, %r#1 : " + t + ", " + v + "\n}";
}

} // namespace mtc::host::test
