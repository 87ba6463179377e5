//===- GridSampleOps.cpp - GridSample -------------------------------------===//
//
// One generic over the result: it computes a place in the source from the grid, reads 1, 2 or 4
// taps a dim there and sums them with their weights. A grid of any values reads in bounds.
// Formulas: the reference implementation of onnx 1.23.2, onnx/reference/ops/op_grid_sample.py.
//
//===----------------------------------------------------------------------===//
#include "Moves.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

enum class Padding { Zeros, Border, Reflection };

struct Grid {
  int taps; ///< per dim: 1 nearest, 2 linear, 4 cubic
  Padding padding;
  bool alignsCorners;
};

/// -1 .. 1 to the source's positions: its first and last element, or its outer borders.
Value toPlace(Scalars &s, const Grid &g, Value n, int64_t size) {
  Value up = s.add(n, s.like(n, 1));
  if (g.alignsCorners)
    return s.mul(s.div(up, s.like(n, 2)), s.like(n, double(size - 1)));
  return s.div(s.sub(s.mul(up, s.like(n, double(size))), s.like(n, 1)), s.like(n, 2));
}

/// x mirrored at both borders until it is between them.
Value reflect(Scalars &s, const Grid &g, Value x, int64_t size) {
  double low = g.alignsCorners ? 0.0 : -0.5, span = double(g.alignsCorners ? size - 1 : size);
  if (span == 0)
    return s.like(x, 0);
  Value lowest = s.like(x, low), width = s.like(x, span);
  Value distance = s.abs(s.sub(x, lowest));
  auto floor = [&](Value v) -> Value { return math::FloorOp::create(s.b, v); };
  Value turns = floor(s.div(distance, width));
  Value rest = s.sub(distance, s.mul(turns, width));
  Value half = s.mul(turns, s.like(x, 0.5));
  Value isEven = s.equal(half, floor(half));
  return s.add(lowest, s.select(isEven, rest, s.sub(width, rest)));
}

/// A place outside of the source as the padding has it.
Value foldPlace(Scalars &s, const Grid &g, Value x, int64_t size) {
  if (g.padding == Padding::Zeros)
    return x;
  double low = g.alignsCorners ? 0.0 : -0.5;
  Value outside = s.either(s.less(x, s.like(x, low)),
                           s.less(s.like(x, low + double(size) - (g.alignsCorners ? 1 : 0)), x));
  Value folded = g.padding == Padding::Border
                     ? s.min(s.max(x, s.like(x, 0)), s.like(x, double(size - 1)))
                     : reflect(s, g, x, size);
  return s.select(outside, folded, x);
}

/// The weights of Keys' cubic convolution with a = -0.75 for taps at -1, 0, 1, 2.
SmallVector<Value> cubicWeights(Scalars &s, Value x) {
  auto polynomial = [&](Value v, ArrayRef<double> coefficients) {
    Value sum = s.like(v, coefficients[0]);
    for (double c : coefficients.drop_front())
      sum = s.add(s.mul(sum, v), s.like(v, c));
    return sum;
  };
  constexpr double a = -0.75;
  Value one = s.like(x, 1), y = s.sub(one, x);
  double far[] = {a, -5 * a, 8 * a, -4 * a}, near[] = {a + 2, -(a + 3), 0, 1};
  return {polynomial(s.add(x, one), far), polynomial(x, near), polynomial(y, near),
          polynomial(s.add(y, one), far)};
}

/// A tap of one dim: where (clamped into the source), whether it counts, and its weight (null is
/// 1).
struct Tap {
  Value at, counts, weight;
};

SmallVector<Tap> tapsAt(Scalars &s, const Grid &g, Value x, int64_t size) {
  bool isDouble = x.getType().isF64();
  int32_t type = isDouble ? onnx::TensorProto::DOUBLE : onnx::TensorProto::FLOAT;
  Type i64 = s.b.getI64Type();
  if (g.taps == 1)
    x = math::RoundEvenOp::create(s.b, x);
  x = foldPlace(s, g, x, size);
  Value floor = math::FloorOp::create(s.b, x), fraction = s.sub(x, floor);
  SmallVector<Value> weights{Value()};
  if (g.taps == 2)
    weights = {s.sub(s.like(x, 1), fraction), fraction};
  else if (g.taps == 4)
    weights = cubicWeights(s, fraction);
  SmallVector<Tap> taps;
  for (int t = 0; t < g.taps; ++t) {
    Value place = s.add(floor, s.like(x, t - (g.taps == 4 ? 1 : 0)));
    if (g.padding == Padding::Reflection)
      place = reflect(s, g, place, size);
    Value i = s.cast(place, type, onnx::TensorProto::INT64);
    Value zero = s.integer(i64, 0);
    Tap tap{s.clampIndex(s.max(i, zero), size), Value(), weights[t]};
    if (g.padding == Padding::Zeros)
      tap.counts = s.both(s.lessOrEqual(zero, i), s.less(i, s.integer(i64, size)));
    taps.push_back(tap);
  }
  return taps;
}

} // namespace

/// X: N C D1 .. Dk; grid: N O1 .. Ok k, its last dim in the order Dk .. D1.
Results gridSample(NodeContext &c) {
  RankedTensorType in = c.type(0), gridType = c.type(1), result = c.resultTypes[0];
  int64_t rank = in.getRank(), dims = rank - 2;
  if (dims < 1 || dims > 3 || gridType.getRank() != rank || gridType.getShape().back() != dims ||
      gridType.getDimSize(0) != in.getDimSize(0))
    return c.reject("the grid does not fit, or the data are not 1-D to 3-D");
  if (!isFloat(in.getElementType()) || in.getNumElements() == 0)
    return c.reject("integers or empty data");
  std::string mode = c.stringAttr("mode", "linear"),
              padding = c.stringAttr("padding_mode", "zeros");
  Grid g{mode == "nearest"                      ? 1
         : mode == "cubic" || mode == "bicubic" ? 4
                                                : 2,
         padding == "border"       ? Padding::Border
         : padding == "reflection" ? Padding::Reflection
                                   : Padding::Zeros,
         c.intAttr("align_corners", 0) != 0};
  Value x = c.inputs[0], grid = c.inputs[1];
  int32_t dataType = c.inputTypes[0], gridElement = c.inputTypes[1];
  return SmallVector<Value>{mapElements(c.b, result, {}, [&](Scalars &s, ValueRange) {
    SmallVector<Value> row{s.index(0)};
    for (int64_t d = 2; d < rank; ++d)
      row.push_back(s.index(d));
    row.push_back(Value());
    SmallVector<SmallVector<Tap>> taps;
    for (int64_t d = 0; d < dims; ++d) {
      row.back() = s.integer(s.b.getIndexType(), dims - 1 - d);
      Value n = s.cast(s.extract(grid, row), gridElement, dataType);
      taps.push_back(tapsAt(s, g, toPlace(s, g, n, in.getDimSize(2 + d)), in.getDimSize(2 + d)));
    }
    int64_t points = 1;
    for (int64_t d = 0; d < dims; ++d)
      points *= g.taps;
    Value sum;
    for (int64_t p = 0; p < points; ++p) {
      SmallVector<Value> at{s.index(0), s.index(1)};
      Value counts, weight;
      int64_t rest = p;
      for (int64_t d = 0; d < dims; ++d, rest /= g.taps) {
        const Tap &tap = taps[d][rest % g.taps];
        at.push_back(tap.at);
        if (tap.counts)
          counts = counts ? s.both(counts, tap.counts) : tap.counts;
        if (tap.weight)
          weight = weight ? s.mul(weight, tap.weight) : tap.weight;
      }
      Value element = s.cast(s.extract(x, at), dataType, dataType);
      if (counts)
        element = s.select(counts, element, s.like(element, 0));
      if (weight)
        element = s.mul(element, weight);
      sum = sum ? s.add(sum, element) : element;
    }
    return sum;
  })};
}

} // namespace mtc::onnx_import
