//===- ContractionText.h - contractions as text, for tests and the benchmark =//
#pragma once

#include "KernelText.h"

namespace mtc::host::test {

/// What follows the contraction.
enum class Epilogue { None, BiasRelu, BiasGelu, Residual };

inline std::string productBody() {
  return "^bb0(%a: f32, %b: f32, %o: f32):\n%p = arith.mulf %a, %b : f32\n%s = arith.addf %o, %p : "
         "f32\n"
         "linalg.yield %s : f32\n";
}

/// A weight that is widened to f32 in the product: f16, bf16, or integers minus a zero point.
struct Narrow {
  std::string type = "f32";
  bool isSigned = true;
  int zero = 0;
};
inline std::string productBody(const Narrow &w) {
  if (w.type == "f32")
    return productBody();
  std::string widen;
  if (w.type == "f16" || w.type == "bf16")
    widen = "%wn = arith.extf %b : " + w.type + " to f32\n";
  else if (w.zero == 0)
    widen = std::string("%wn = arith.") + (w.isSigned ? "s" : "u") + "itofp %b : " + w.type +
            " to f32\n";
  else
    widen = std::string("%wide = arith.ext") + (w.isSigned ? "s" : "u") + "i %b : " + w.type +
            " to i32\n%zero = arith.constant " + n2s(w.zero) +
            " : i32\n%code = arith.subi %wide, %zero : i32\n%wn = arith.sitofp %code : i32 to f32\n";
  return "^bb0(%a: f32, %b: " + w.type + ", %o: f32):\n" + widen +
         "%p = arith.mulf %a, %wn : f32\n%s = arith.addf %o, %p : f32\nlinalg.yield %s : f32\n";
}

/// Constants, the generic that makes %y of %c, and the kernel's further arguments. The last of
/// `dims` is n.
struct EpilogueText {
  std::string arguments, constants, op, result = "%c";
};
inline EpilogueText epilogueText(Epilogue e, const std::string &dims, const std::string &type,
                                 int64_t n, int rank) {
  if (e == Epilogue::None)
    return {};
  EpilogueText t;
  std::string last = dims.substr(dims.rfind(',') + 1), identity = map(dims, dims),
              bias = tensor({n});
  t.result = "%y";
  t.constants = "%half = arith.constant 0.5 : f32\n%one = arith.constant 1.0 : f32\n%r2 = "
                "arith.constant 0.70710678 : f32\n";
  bool residual = e == Epilogue::Residual;
  std::string second = residual ? type : bias;
  t.arguments = ", %bias: " + second;
  std::string body = "^bb0(%a: f32, %b: f32, %o: f32):\n%s = arith.addf %a, %b : f32\n";
  if (e == Epilogue::BiasGelu)
    body +=
        "%u1 = arith.mulf %s, %r2 : f32\n%u2 = math.erf %u1 : f32\n%x1 = arith.addf %u2, %one : "
        "f32\n"
        "%x2 = arith.mulf %s, %x1 : f32\n%g = arith.mulf %x2, %half : f32\nlinalg.yield %g : f32\n";
  else if (e == Epilogue::BiasRelu)
    body += "%g = arith.maximumf %s, %z : f32\nlinalg.yield %g : f32\n";
  else
    body += "linalg.yield %s : f32\n";
  t.op = generic("%y", identity + ", " + (residual ? identity : map(dims, last)) + ", " + identity,
                 iterators(rank, 0), "%c, %bias : " + type + ", " + second, "%e : " + type, type,
                 body);
  return t;
}

inline std::string kernelText(const std::string &arguments, const EpilogueText &ep,
                              const std::string &out, const std::string &body) {
  return "mt.kernel @k kind(contraction) (" + arguments + ep.arguments + ") -> " + out +
         " {\n%z = arith.constant 0.0 : f32\n" + ep.constants + "%e = tensor.empty() : " + out +
         "\n%f = linalg.fill ins(%z : f32) outs(%e : " + out + ") -> " + out + "\n" + body + ep.op +
         "mt.yield " + ep.result + " : " + out + "\n}";
}

/// [batch, m, k] x [k, n], the weight packed to panels of `nr` (0: as it is).
inline std::string gemm(int64_t m, int64_t n, int64_t k, int64_t nr,
                        Epilogue e = Epilogue::BiasRelu, const Narrow &narrow = {}) {
  std::string a = tensor({1, m, k}), w = tensor({k, n}, narrow.type), o = tensor({1, m, n});
  std::string packed = tensor({(n + nr - 1) / std::max<int64_t>(1, nr), k, nr}, narrow.type);
  EpilogueText ep = epilogueText(e, "b,m,n", o, n, 3);
  std::string body;
  if (nr)
    body = "%we = tensor.empty() : " + w +
           "\n%u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [" +
           n2s(nr) + "] into %we : " + packed + " -> " + w + "\n";
  body += generic(
      "%c", map("b,m,n,k", "b,m,k") + ", " + map("b,m,n,k", "k,n") + ", " + map("b,m,n,k", "b,m,n"),
      iterators(3, 1), std::string("%x, ") + (nr ? "%u" : "%w") + " : " + a + ", " + w, "%f : " + o,
      o, productBody(narrow));
  return kernelText("%x: " + a + ", %w: " + (nr ? packed : w), ep, o, body);
}

/// A product whose weight, of a type, lies as stages want it.
inline std::string stagedGemm(int64_t m, int64_t n, int64_t k, const std::string &type,
                              Epilogue e = Epilogue::None) {
  const int64_t chunk = 8;
  std::string a = tensor({1, m, k}), w = tensor({n, k}, type), o = tensor({1, m, n});
  EpilogueText ep = epilogueText(e, "b,m,n", o, n, 3);
  std::string staged = tensor({k / chunk, n, chunk}, type);
  std::string body =
      "%we = tensor.empty() : " + w +
      "\n%u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8] "
      "into %we : " +
      staged + " -> " + w + "\n" +
      generic("%c",
              map("b,m,n,k", "b,m,k") + ", " + map("b,m,n,k", "n,k") + ", " +
                  map("b,m,n,k", "b,m,n"),
              iterators(3, 1), "%x, %u : " + a + ", " + w, "%f : " + o, o, productBody({type}));
  return kernelText("%x: " + a + ", %w: " + staged, ep, o, body);
}

struct Conv {
  int64_t batch = 1, h = 8, w = 8, c = 8, f = 16, kh = 3, kw = 3, stride = 1, dilation = 1, low = 1,
          high = 1;
};

/// NHWC, the weight [F / nr][KH][KW][C][nr] (0: as it is).
inline std::string conv(const Conv &v, int64_t nr = 32, Epilogue e = Epilogue::BiasRelu) {
  int64_t hp = v.h + v.low + v.high, wp = v.w + v.low + v.high;
  int64_t oh = (hp - (v.kh - 1) * v.dilation - 1) / v.stride + 1,
          ow = (wp - (v.kw - 1) * v.dilation - 1) / v.stride + 1;
  std::string x = tensor({v.batch, v.h, v.w, v.c}), p = tensor({v.batch, hp, wp, v.c});
  std::string w = tensor({v.f, v.kh, v.kw, v.c}),
              packed = tensor({(v.f + nr - 1) / std::max<int64_t>(1, nr), v.kh, v.kw, v.c, nr});
  std::string o = tensor({v.batch, oh, ow, v.f}), s = n2s(v.stride), d = n2s(v.dilation);
  EpilogueText ep = epilogueText(e, "n,h,w,f", o, v.f, 4);
  bool padded = v.low || v.high;
  std::string body;
  if (padded)
    body =
        "%xp = tensor.pad %x low[0, " + n2s(v.low) + ", " + n2s(v.low) + ", 0] high[0, " +
        n2s(v.high) + ", " + n2s(v.high) +
        ", 0] {\n^bb0(%i: index, %j: index, %k: index, %l: index):\ntensor.yield %z : f32\n} : " +
        x + " to " + p + "\n";
  if (nr)
    body +=
        "%we = tensor.empty() : " + w +
        "\n%u = linalg.unpack %w outer_dims_perm = [0, 1, 2, 3] inner_dims_pos = [0] inner_tiles "
        "= [" +
        n2s(nr) + "] into %we : " + packed + " -> " + w + "\n";
  std::string dims = "n,h,w,f,kh,kw,c";
  body += generic("%c",
                  map(dims, "n,h*" + s + "+kh*" + d + ",w*" + s + "+kw*" + d + ",c") + ", " +
                      map(dims, "f,kh,kw,c") + ", " + map(dims, "n,h,w,f"),
                  iterators(4, 3),
                  std::string(padded ? "%xp" : "%x") + (nr ? ", %u : " : ", %w : ") +
                      (padded ? p : x) + ", " + w,
                  "%f : " + o, o, productBody());
  return kernelText("%x: " + x + ", %w: " + (nr ? packed : w), ep, o, body);
}

inline std::string depthwise(const Conv &v, Epilogue e = Epilogue::BiasRelu) {
  int64_t hp = v.h + v.low + v.high, wp = v.w + v.low + v.high;
  int64_t oh = (hp - v.kh) / v.stride + 1, ow = (wp - v.kw) / v.stride + 1;
  std::string x = tensor({v.batch, v.h, v.w, v.c}), p = tensor({v.batch, hp, wp, v.c}),
              w = tensor({v.kh, v.kw, v.c});
  std::string o = tensor({v.batch, oh, ow, v.c}), s = n2s(v.stride), dims = "n,h,w,c,kh,kw";
  EpilogueText ep = epilogueText(e, "n,h,w,f", o, v.c, 4);
  std::string body =
      "%xp = tensor.pad %x low[0, " + n2s(v.low) + ", " + n2s(v.low) + ", 0] high[0, " +
      n2s(v.high) + ", " + n2s(v.high) +
      ", 0] {\n^bb0(%i: index, %j: index, %k: index, %l: index):\ntensor.yield %z : f32\n} : " + x +
      " to " + p + "\n";
  body += generic("%c",
                  map(dims, "n,h*" + s + "+kh,w*" + s + "+kw,c") + ", " + map(dims, "kh,kw,c") +
                      ", " + map(dims, "n,h,w,c"),
                  iterators(4, 2), "%xp, %w : " + p + ", " + w, "%f : " + o, o, productBody());
  return kernelText("%x: " + x + ", %w: " + w, ep, o, body);
}

/// Windows of kh x kw reduced by `combine` ("arith.addf" or "arith.maximumf"), padded by its
/// neutral element.
inline std::string pool(const Conv &v, const std::string &combine) {
  int64_t hp = v.h + v.low + v.high, wp = v.w + v.low + v.high;
  int64_t oh = (hp - v.kh) / v.stride + 1, ow = (wp - v.kw) / v.stride + 1;
  std::string x = tensor({v.batch, v.h, v.w, v.c}), p = tensor({v.batch, hp, wp, v.c}),
              k = tensor({v.kh, v.kw});
  std::string o = tensor({v.batch, oh, ow, v.c}), s = n2s(v.stride), dims = "n,h,w,c,kh,kw";
  std::string neutral = combine == "arith.addf" ? "0.0" : "0xFF800000";
  return "mt.kernel @k kind(contraction) (%x: " + x + ") -> " + o + " {\n%z = arith.constant " +
         neutral + " : f32\n%e = tensor.empty() : " + o + "\n%ke = tensor.empty() : " + k +
         "\n%f = linalg.fill ins(%z : f32) outs(%e : " + o + ") -> " + o +
         "\n%xp = tensor.pad %x low[0, " + n2s(v.low) + ", " + n2s(v.low) + ", 0] high[0, " +
         n2s(v.high) + ", " + n2s(v.high) +
         ", 0] {\n^bb0(%i: index, %j: index, %k: index, %l: index):\ntensor.yield %z : f32\n} : " +
         x + " to " + p + "\n" +
         generic("%c",
                 map(dims, "n,h*" + s + "+kh,w*" + s + "+kw,c") + ", " + map(dims, "kh,kw") + ", " +
                     map(dims, "n,h,w,c"),
                 iterators(4, 2), "%xp, %ke : " + p + ", " + k, "%f : " + o, o,
                 "^bb0(%a: f32, %b: f32, %o: f32):\n%s = " + combine +
                     " %o, %a : f32\nlinalg.yield %s : f32\n") +
         "mt.yield %c : " + o + "\n}";
}

/// Attention scores: [1, m, heads, k] x [1, n, heads, k] -> [1, heads, m, n].
inline std::string scores(int64_t heads, int64_t m, int64_t n, int64_t k) {
  std::string q = tensor({1, m, heads, k}), kt = tensor({1, n, heads, k}),
              o = tensor({1, heads, m, n}), dims = "b,h,m,n,k";
  return kernelText(
      "%x: " + q + ", %w: " + kt, {}, o,
      generic("%c",
              map(dims, "b,m,h,k") + ", " + map(dims, "b,n,h,k") + ", " + map(dims, "b,h,m,n"),
              iterators(4, 1), "%x, %w : " + q + ", " + kt, "%f : " + o, o, productBody()));
}

/// Attention values: [1, heads, m, k] x [1, k, heads, n] -> [1, m, heads, n].
inline std::string values(int64_t heads, int64_t m, int64_t n, int64_t k) {
  std::string p = tensor({1, heads, m, k}), v = tensor({1, k, heads, n}),
              o = tensor({1, m, heads, n}), dims = "b,m,h,n,k";
  return kernelText(
      "%x: " + p + ", %w: " + v, {}, o,
      generic("%c",
              map(dims, "b,h,m,k") + ", " + map(dims, "b,k,h,n") + ", " + map(dims, "b,m,h,n"),
              iterators(4, 1), "%x, %w : " + p + ", " + v, "%f : " + o, o, productBody()));
}

} // namespace mtc::host::test
