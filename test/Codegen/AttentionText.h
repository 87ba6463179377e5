//===- AttentionText.h - attentions as text, for tests and the benchmark --===//
#pragma once

#include "ContractionText.h"

namespace mtc::host::test {

/// What is added to the scores: nothing, a number for each key, a row for each query, or one for
/// each query of each head.
enum class Mask { None, Keys, Rows, Full };

struct AttentionShape {
  int64_t batch = 1, heads = 2, queries = 16, keys = 16, depth = 8, width = 8;
  Mask mask = Mask::None;
  bool guarded = false; ///< 0 where a sum is no number
};

/// [b, m, h, k] x [b, n, h, k] -> softmax over n -> x [b, n, h, w] -> [b, m, h, w], the division
/// last, as mt-fuse-attention writes it.
inline std::string attention(const AttentionShape &s) {
  const std::string q = tensor({s.batch, s.queries, s.heads, s.depth}),
                    k = tensor({s.batch, s.keys, s.heads, s.depth}),
                    v = tensor({s.batch, s.keys, s.heads, s.width}),
                    o = tensor({s.batch, s.queries, s.heads, s.width}),
                    p = tensor({s.batch, s.heads, s.queries, s.keys}),
                    r = tensor({s.batch, s.heads, s.queries}), dims = "b,h,m,n",
                    all = map(dims, dims), row = map(dims, "b,h,m");
  std::string mask, maskMap;
  if (s.mask == Mask::Keys) {
    mask = tensor({s.batch, s.keys});
    maskMap = map(dims, "b,n");
  } else if (s.mask == Mask::Rows) {
    mask = tensor({s.batch, s.queries, s.keys});
    maskMap = map(dims, "b,m,n");
  } else if (s.mask == Mask::Full) {
    mask = p;
    maskMap = all;
  }
  std::string scores = "%qk";
  std::string text = "mt.kernel @k kind(attention) (%q: " + q + ", %k: " + k + ", %v: " + v +
                     (mask.empty() ? "" : ", %mask: " + mask) + ") -> " + o +
                     " {\n%z = arith.constant 0.0 : f32\n%scale = arith.constant 3.0 : f32\n"
                     "%ninf = arith.constant 0xFF800000 : f32\n%es = tensor.empty() : " +
                     p + "\n%er = tensor.empty() : " + r + "\n%eo = tensor.empty() : " + o +
                     "\n%fs = linalg.fill ins(%z : f32) outs(%es : " + p + ") -> " + p +
                     "\n%fm = linalg.fill ins(%ninf : f32) outs(%er : " + r + ") -> " + r +
                     "\n%fr = linalg.fill ins(%z : f32) outs(%er : " + r + ") -> " + r +
                     "\n%fo = linalg.fill ins(%z : f32) outs(%eo : " + o + ") -> " + o + "\n";
  text += generic("%qk",
                  map("b,h,m,n,d", "b,m,h,d") + ", " + map("b,h,m,n,d", "b,n,h,d") + ", " +
                      map("b,h,m,n,d", dims),
                  iterators(4, 1), "%q, %k : " + q + ", " + k, "%fs : " + p, p, productBody());
  if (!mask.empty()) {
    scores = "%adjusted";
    text += generic(scores, all + ", " + maskMap + ", " + all, iterators(4, 0),
                    "%qk, %mask : " + p + ", " + mask, "%es : " + p, p,
                    "^bb0(%a: f32, %b: f32, %o: f32):\n%c = arith.divf %a, %scale : f32\n"
                    "%d = arith.addf %c, %b : f32\nlinalg.yield %d : f32\n");
  }
  text += generic("%m", all + ", " + row, iterators(3, 1), scores + " : " + p, "%fm : " + r, r,
                  "^bb0(%a: f32, %o: f32):\n%c = arith.maximumf %o, %a : f32\nlinalg.yield %c : "
                  "f32\n");
  text += generic("%e", all + ", " + row + ", " + all, iterators(4, 0),
                  scores + ", %m : " + p + ", " + r, "%es : " + p, p,
                  "^bb0(%a: f32, %b: f32, %o: f32):\n%c = arith.subf %a, %b : f32\n%d = math.exp "
                  "%c : f32\nlinalg.yield %d : f32\n");
  text += generic("%sum", all + ", " + row, iterators(3, 1), "%e : " + p, "%fr : " + r, r,
                  "^bb0(%a: f32, %o: f32):\n%c = arith.addf %o, %a : f32\nlinalg.yield %c : "
                  "f32\n");
  text += generic("%w",
                  map("b,m,h,w,n", "b,h,m,n") + ", " + map("b,m,h,w,n", "b,n,h,w") + ", " +
                      map("b,m,h,w,n", "b,m,h,w"),
                  iterators(4, 1), "%e, %v : " + p + ", " + v, "%fo : " + o, o, productBody());
  text += generic("%y",
                  map("b,m,h,w", "b,m,h,w") + ", " + map("b,m,h,w", "b,h,m") + ", " +
                      map("b,m,h,w", "b,m,h,w"),
                  iterators(4, 0), "%w, %sum : " + o + ", " + r, "%eo : " + o, o,
                  std::string("^bb0(%a: f32, %b: f32, %o: f32):\n%c = arith.divf %a, %b : f32\n") +
                      (s.guarded ? "%n = arith.cmpf uno, %b, %b : f32\n%d = arith.select %n, %z, "
                                   "%c : f32\nlinalg.yield %d : f32\n"
                                 : "linalg.yield %c : f32\n"));
  return text + "mt.yield %y : " + o + "\n}";
}

} // namespace mtc::host::test
