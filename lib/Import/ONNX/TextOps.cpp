//===- TextOps.cpp - TfIdfVectorizer --------------------------------------===//
//
// Counts how often sequences of a pool occur: for all sequences of one length a reduction over
// (start, skip). Columns of the result that no sequence has are 0. Semantics: onnx 1.23.2,
// onnx/reference/ops/op_tfidf_vectorizer.py.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// Sequences of one length, flattened.
struct Grams {
  int64_t length;
  SmallVector<int64_t> items;
  int64_t count() const { return int64_t(items.size()) / length; }
};

/// The pool by lengths; false if the attributes contradict each other.
bool splitPool(NodeContext &c, SmallVector<Grams> &grams) {
  SmallVector<int64_t> pool = c.intsAttr("pool_int64s"), starts = c.intsAttr("ngram_counts");
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t from = starts[i], to = i + 1 < starts.size() ? starts[i + 1] : int64_t(pool.size());
    int64_t length = int64_t(i) + 1;
    if (from < 0 || to < from || to > int64_t(pool.size()) || (to - from) % length)
      return false;
    grams.push_back({length, {pool.begin() + from, pool.begin() + to}});
  }
  return true;
}

/// How often each sequence of `g` occurs in each row of x (rows, positions), as f32.
Value countGrams(NodeContext &c, Value x, int32_t type, const Grams &g, int64_t maxSkip) {
  Builder &b = c.b;
  auto in = cast<RankedTensorType>(x.getType());
  int64_t rows = in.getDimSize(0), length = in.getDimSize(1);
  Value items = reshape(b, c.constant(integersAttr(b, g.items)), {g.count(), g.length});
  int64_t skips = g.length == 1 ? 1 : maxSkip + 1;
  Type i64 = b.getI64Type(), f32 = b.getF32Type();
  return reduceLoops(b, {rows, g.count(), skips, length}, {0, 1}, f32, {}, {}, Combiner::Add, false,
                     [&](Scalars &s, ValueRange) {
                       Value stride = s.add(s.position(2, i64), s.integer(i64, 1)), hits;
                       for (int64_t j = 0; j < g.length; ++j) {
                         Value at = s.add(s.position(3, i64), s.mul(stride, s.integer(i64, j)));
                         Value item =
                             s.extract(items, {s.index(1), s.integer(s.b.getIndexType(), j)});
                         Value own = s.extract(x, {s.index(0), s.clampIndex(at, length)});
                         Value hit =
                             s.both(s.less(at, s.integer(i64, length)),
                                    s.equal(s.cast(own, type, onnx::TensorProto::INT64), item));
                         hits = hits ? s.both(hits, hit) : hit;
                       }
                       return s.select(hits, s.constant(f32, 1), s.constant(f32, 0));
                     });
}

Results tfIdfVectorizer(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  std::string mode = c.stringAttr("mode", "TF");
  int64_t least = c.intAttr("min_gram_length", 1), most = c.intAttr("max_gram_length", 1);
  int64_t maxSkip = c.intAttr("max_skip_count", 0);
  SmallVector<int64_t> columns = c.intsAttr("ngram_indexes");
  SmallVector<Grams> grams;
  if (c.attribute("pool_strings"))
    return c.reject("a pool of strings");
  if (!splitPool(c, grams) || maxSkip < 0 || maxSkip > 65536 || in.getRank() < 1 ||
      in.getRank() > 2 || columns.empty())
    return c.reject("its attributes do not fit together");
  int64_t rows = in.getRank() == 2 ? in.getDimSize(0) : 1, length = in.getShape().back();
  int64_t width = result.getShape().back(), total = 0;
  Value x = reshape(b, c.inputs[0], {rows, length});
  SmallVector<Value> counts{
      fill(b, tensorType({rows, 1}, b.getF32Type()), numberAttr(b.getF32Type(), 0))};
  // For each column of the result the counted sequence, or the zero before all.
  SmallVector<int64_t> source(width, 0);
  int64_t counted = 1;
  for (const Grams &g : grams) {
    int64_t first = total;
    total += g.count();
    if (total > int64_t(columns.size()))
      return c.reject("more sequences than columns");
    if (g.items.empty() || g.length < least || g.length > most)
      continue;
    if (int64_t(g.items.size()) > maxConstantNumbers)
      return c.reject("more than " + Twine(maxConstantNumbers) + " numbers of one length");
    for (int64_t i = 0; i < g.count(); ++i) {
      int64_t column = columns[first + i];
      if (column < 0 || column >= width || source[column])
        return c.reject("two sequences of one column, or a column out of range");
      source[column] = counted++;
    }
    counts.push_back(countGrams(c, x, c.inputTypes[0], g, maxSkip));
  }
  Value y = takeAt(c, concat(b, counts, 1), 1, source);
  if (!y)
    return failure();
  const onnx::AttributeProto *weights = c.attribute("weights");
  if (mode == "TF")
    return SmallVector<Value>{reshape(b, y, result.getShape())};
  SmallVector<Operand> operands{Operand(y)};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(2)};
  if (weights && weights->floats_size()) {
    if (weights->floats_size() != width || width > maxConstantNumbers)
      return c.reject("weights are not one per column");
    SmallVector<double> values(weights->floats().begin(), weights->floats().end());
    operands.push_back(c.constant(floatsAttr(b, {width}, b.getF32Type(), values)));
    maps.push_back(selectDims(b, 2, {1}));
  }
  y = mapElements(b, tensorType({rows, width}, b.getF32Type()), operands, maps,
                  [&](Scalars &s, ValueRange v) {
                    Value n = v[0], zero = s.like(n, 0), one = s.like(n, 1);
                    if (mode == "IDF")
                      n = s.select(s.less(zero, n), one, zero);
                    return v.size() > 1 ? s.mul(n, v[1]) : n;
                  });
  return SmallVector<Value>{reshape(b, y, result.getShape())};
}

const OpRow rows[] = {
    {"", "TfIdfVectorizer", 9, tfIdfVectorizer, "i32 i64", "pools of integers"},
};

} // namespace

ArrayRef<OpRow> textOps() { return rows; }

} // namespace mtc::onnx_import
