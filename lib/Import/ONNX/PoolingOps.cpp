//===- PoolingOps.cpp - MaxPool, AveragePool, LpPool, Global*Pool ---------===//
//
// A pool is a reduction over a window; the window's size comes from a shape-only operand. Averages
// divide by how many elements a window really covers: a product of one number per spatial dim,
// known when compiling.
//
//===----------------------------------------------------------------------===//
#include "Convolution.h"
#include "Pools.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

FailureOr<Window> poolWindow(NodeContext &c) {
  RankedTensorType in = c.type(0);
  unsigned rank = in.getRank() < 3 ? 0 : in.getRank() - 2;
  Shape kernel = c.intsAttr("kernel_shape");
  if (rank < 1 || rank > 3 || kernel.size() != rank)
    return c.reject("not 1-D, 2-D or 3-D");
  return readWindow(c, kernel, in.getShape().drop_front(2),
                    c.resultTypes[0].getShape().drop_front(2));
}

/// The loops (n, c, out..., window...) and the input's map into them.
struct PoolLoops {
  Shape sizes, result;
  AffineMap input;
};

PoolLoops poolLoops(NodeContext &c, const Window &w) {
  PoolLoops loops;
  unsigned rank = w.rank();
  loops.sizes.assign(c.resultTypes[0].getShape().begin(), c.resultTypes[0].getShape().end());
  loops.result.resize(loops.sizes.size());
  std::iota(loops.result.begin(), loops.result.end(), 0);
  loops.sizes.append(w.kernel);
  SmallVector<AffineExpr> exprs{c.b.getAffineDimExpr(0), c.b.getAffineDimExpr(1)};
  for (unsigned d = 0; d < rank; ++d)
    exprs.push_back(windowExpr(c.b, 2 + d, 2 + rank + d, w.strides[d], w.dilations[d]));
  loops.input = AffineMap::get(loops.sizes.size(), 0, exprs, c.b.getContext());
  return loops;
}

Value poolOver(NodeContext &c, const Window &w, Value padded, Combiner combiner, ScalarBody f) {
  PoolLoops loops = poolLoops(c, w);
  Type accumulator = computeType(c.type(0).getElementType());
  return reduceLoops(c.b, loops.sizes, loops.result, accumulator, {padded}, {loops.input}, combiner,
                     isUnsignedType(c.inputTypes[0]), f);
}

Value itself(Scalars &, ValueRange v) { return v[0]; }

/// The least value of the input's type, which loses every comparison.
TypedAttr lowest(NodeContext &c) {
  Type type = c.type(0).getElementType();
  if (isFloat(type))
    return numberAttr(type, -std::numeric_limits<double>::infinity());
  unsigned width = type.getIntOrFloatBitWidth();
  return IntegerAttr::get(type, isUnsignedType(c.inputTypes[0]) ? APInt::getZero(width)
                                                                : APInt::getSignedMinValue(width));
}

/// The position of each window's first maximum in the flattened input: the least position among the
/// elements that equal the maximum.
Value maxPositions(NodeContext &c, const Window &w, Value padded, Value max) {
  Builder &b = c.b;
  PoolLoops loops = poolLoops(c, w);
  unsigned rank = w.rank();
  ArrayRef<int64_t> in = c.type(0).getShape();
  bool columnMajor = c.intAttr("storage_order", 0) == 1;
  Type i64 = b.getI64Type();
  int64_t none = std::numeric_limits<int64_t>::max();
  AffineMap maxMap = selectDims(b, loops.sizes.size(), loops.result);
  return reduceLoops(
      b, loops.sizes, loops.result, i64, {padded, max}, {loops.input, maxMap}, Combiner::Min, false,
      [&](Scalars &s, ValueRange v) {
        Value x = v[0];
        Value flat = s.add(s.mul(s.position(0, i64), s.integer(i64, in[1])), s.position(1, i64));
        for (unsigned i = 0; i < rank; ++i) {
          unsigned d = columnMajor ? rank - 1 - i : i;
          Value at = s.add(s.mul(s.position(2 + d, i64), s.integer(i64, w.strides[d])),
                           s.mul(s.position(2 + rank + d, i64), s.integer(i64, w.dilations[d])));
          at = s.sub(at, s.integer(i64, w.padsLow[d]));
          flat = s.add(s.mul(flat, s.integer(i64, in[2 + d])), at);
        }
        Value hit = s.equal(x, v[1]);
        if (isFloat(x.getType()))
          hit = s.either(hit, s.isNaN(x));
        return s.select(hit, flat, s.integer(i64, none));
      });
}

Results maxPool(NodeContext &c) {
  FailureOr<Window> w = poolWindow(c);
  if (failed(w))
    return failure();
  Value padded = padSpatial(c.b, c.inputs[0], w->padsLow, w->padsHigh, lowest(c));
  Value max = poolOver(c, *w, padded, Combiner::Max, itself);
  SmallVector<Value> results{convertFloat(c.b, max, c.resultTypes[0].getElementType())};
  if (c.resultTypes.size() > 1)
    results.push_back(c.resultTypes[1] ? maxPositions(c, *w, padded, max) : Value());
  return results;
}

/// 1 / (elements that a window covers) along spatial dim `d`, for each position of the window; one
/// number if no window reaches over an end.
FailureOr<SmallVector<double>> reciprocalCounts(NodeContext &c, const Window &w, unsigned d,
                                                bool includePad) {
  int64_t size = c.type(0).getDimSize(2 + d), windows = c.resultTypes[0].getDimSize(2 + d);
  int64_t from = includePad ? -w.padsLow[d] : 0, to = size + (includePad ? w.declaredHigh[d] : 0);
  // The first k with first + k * dilation >= end.
  auto reach = [&](int64_t first, int64_t end) {
    return std::clamp<int64_t>(llvm::divideCeilSigned(end - first, w.dilations[d]), 0, w.kernel[d]);
  };
  auto count = [&](int64_t window) {
    int64_t first = window * w.strides[d] - w.padsLow[d];
    return reach(first, to) - reach(first, from);
  };
  SmallVector<double> reciprocals;
  if (windows == 0 || (count(0) == w.kernel[d] && count(windows - 1) == w.kernel[d]))
    return SmallVector<double>{1.0 / double(w.kernel[d])};
  if (windows > maxConstantNumbers)
    return c.reject("an unevenly covered axis longer than " + Twine(maxConstantNumbers));
  for (int64_t window = 0; window < windows; ++window)
    reciprocals.push_back(1.0 / double(std::max<int64_t>(count(window), 1)));
  return reciprocals;
}

Results averagePool(NodeContext &c) {
  Builder &b = c.b;
  FailureOr<Window> w = poolWindow(c);
  if (failed(w))
    return failure();
  Type element = c.type(0).getElementType(), wide = computeType(element);
  Value padded = padSpatial(b, c.inputs[0], w->padsLow, w->padsHigh, numberAttr(element, 0));
  Value sum = poolOver(c, *w, padded, Combiner::Add, itself);
  unsigned rank = c.type(0).getRank();
  double common = 1.0;
  SmallVector<Operand> operands{Operand(sum)};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank)};
  for (unsigned d = 0; d < w->rank(); ++d) {
    auto counts = reciprocalCounts(c, *w, d, c.intAttr("count_include_pad", 0));
    if (failed(counts))
      return failure();
    if (llvm::all_equal(*counts)) {
      common *= counts->front();
      continue;
    }
    operands.push_back(c.constant(floatsAttr(b, {int64_t(counts->size())}, wide, *counts)));
    maps.push_back(selectDims(b, rank, {2 + d}));
  }
  return SmallVector<Value>{
      mapElements(b, c.resultTypes[0], operands, maps, [&](Scalars &s, ValueRange v) {
        Value factor = s.like(v[0], common);
        for (Value count : v.drop_front())
          factor = s.mul(factor, count);
        return s.mul(v[0], factor);
      })};
}

/// |x|^p inside the sum of an Lp norm.
Value toPower(Scalars &s, Value x, int64_t p) {
  if (p == 2)
    return s.mul(x, x);
  Value magnitude = s.abs(x);
  return p == 1 ? magnitude : Value(math::PowFOp::create(s.b, magnitude, s.like(x, double(p))));
}
Value rootOf(Scalars &s, Value x, int64_t p) {
  if (p == 1)
    return x;
  return p == 2 ? s.sqrt(x) : Value(math::PowFOp::create(s.b, x, s.like(x, 1.0 / double(p))));
}

Results lpPool(NodeContext &c) {
  FailureOr<Window> w = poolWindow(c);
  if (failed(w))
    return failure();
  int64_t p = c.intAttr("p", 2);
  Value padded = padSpatial(c.b, c.inputs[0], w->padsLow, w->padsHigh,
                            numberAttr(c.type(0).getElementType(), 0));
  Value sum = poolOver(c, *w, padded, Combiner::Add,
                       [&](Scalars &s, ValueRange v) { return toPower(s, v[0], p); });
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {Operand(sum)},
                  [&](Scalars &s, ValueRange v) { return rootOf(s, v[0], p); })};
}

/// Reduces all spatial dims to size 1; `finish` turns the reduced values into the result's.
Results globalPool(NodeContext &c, Combiner combiner, ScalarBody f, ScalarBody finish) {
  RankedTensorType in = c.type(0);
  if (in.getRank() < 2)
    return c.reject("rank below 2");
  SmallVector<int64_t> axes;
  for (int64_t d = 2; d < in.getRank(); ++d)
    axes.push_back(d);
  Value reduced = reduceAxes(c.b, c.inputs[0], axes, combiner, false, f);
  RankedTensorType kept = tensorType(in.getShape().take_front(2), in.getElementType());
  Value y = mapElements(c.b, kept, {Operand(reduced)}, finish);
  return SmallVector<Value>{reshape(c.b, y, c.resultTypes[0].getShape())};
}

Results globalAveragePool(NodeContext &c) {
  double n = elementCount(c.type(0).getShape().drop_front(2));
  return globalPool(c, Combiner::Add, itself,
                    [&](Scalars &s, ValueRange v) { return s.div(v[0], s.like(v[0], n)); });
}
Results globalLpPool(NodeContext &c) {
  int64_t p = c.intAttr("p", 2);
  return globalPool(
      c, Combiner::Add, [&](Scalars &s, ValueRange v) { return toPower(s, v[0], p); },
      [&](Scalars &s, ValueRange v) { return rootOf(s, v[0], p); });
}
Results globalMaxPool(NodeContext &c) {
  RankedTensorType in = c.type(0);
  SmallVector<int64_t> axes;
  for (int64_t d = 2; d < in.getRank(); ++d)
    axes.push_back(d);
  Value max = reduceAxes(c.b, c.inputs[0], axes, Combiner::Max);
  max = convertFloat(c.b, max, in.getElementType());
  return SmallVector<Value>{reshape(c.b, max, c.resultTypes[0].getShape())};
}

constexpr const char *floats = "f16 bf16 f32 f64";

const OpRow rows[] = {
    {"", "AveragePool", 7, averagePool, floats, "1-D to 3-D, ceil_mode, dilations"},
    {"", "Col2Im", 18, col2im, "numbers", "shapes known when compiling"},
    {"", "GlobalAveragePool", 1, globalAveragePool, floats, ""},
    {"", "GlobalLpPool", 2, globalLpPool, floats, ""},
    {"", "GlobalMaxPool", 1, globalMaxPool, floats, ""},
    {"", "LpPool", 2, lpPool, floats, "1-D to 3-D, ceil_mode, dilations"},
    {"", "MaxPool", 1, maxPool, "f16 bf16 f32 f64 i8 u8",
     "1-D to 3-D, ceil_mode, dilations, Indices"},
    {"", "MaxUnpool", 9, maxUnpool, floats,
     "1-D to 3-D; an index outside of its own window is ignored"},
};

} // namespace

ArrayRef<OpRow> poolingOps() { return rows; }

} // namespace mtc::onnx_import
