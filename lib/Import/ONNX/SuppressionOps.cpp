//===- SuppressionOps.cpp - NonMaxSuppression -----------------------------===//
//
// As many steps as a class may have boxes: the best score that is left is taken, and what overlaps
// its box too much is left no more. All batches and classes take a step together.
// Source: https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
//
//===----------------------------------------------------------------------===//
#include "Compact.h"

#include <limits>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int64_t maxSteps = 512;

/// Boxes as (least y, least x, greatest y, greatest x).
Value cornersOf(NodeContext &c) {
  RankedTensorType boxes = c.type(0);
  Value in = c.inputs[0];
  bool isCentered = c.intAttr("center_point_box", 0);
  return mapElements(c.b, boxes, {}, ArrayRef<AffineMap>(), [&](Scalars &s, ValueRange) {
    Type i64 = s.b.getI64Type();
    auto at = [&](int64_t first, int64_t second) {
      Value isSecond = s.equal(s.rem(s.position(2, i64), s.integer(i64, 2)), s.integer(i64, 1));
      Value place = s.select(isSecond, s.integer(i64, second), s.integer(i64, first));
      return s.extract(in, {s.index(0), s.index(1), s.clampIndex(place, 4)});
    };
    Value isGreatest = s.less(s.integer(i64, 1), s.position(2, i64));
    if (isCentered) { // center and size, x before y
      Value center = at(1, 0), half = s.mul(at(3, 2), s.constant(boxes.getElementType(), 0.5));
      return s.select(isGreatest, s.add(center, half), s.sub(center, half));
    }
    Value one = at(0, 1), other = at(2, 3);
    return s.select(isGreatest, s.max(one, other), s.min(one, other));
  });
}

/// A number that an optional input gives.
Operand limit(NodeContext &c, unsigned i, double otherwise) {
  if (!c.hasInput(i))
    return numberAttr(c.b.getF32Type(), otherwise);
  Operand given = operand(c, i);
  return given.tensor ? Operand(reshape(c.b, given.tensor, {})) : given;
}

/// Whether the intersection of two boxes is more than `most` of their union. Boxes without an area
/// overlap nothing.
Value overlaps(Scalars &s, Value corners, ValueRange one, ValueRange other, Value most) {
  auto corner = [&](ValueRange box, int64_t k) {
    return s.extract(corners, {box[0], box[1], s.clampIndex(s.integer(s.b.getI64Type(), k), 4)});
  };
  Value zero = s.like(most, 0);
  auto areaOf = [&](ValueRange low, ValueRange high) { // of the corners' extremes
    return s.mul(s.max(s.sub(high[0], low[0]), zero), s.max(s.sub(high[1], low[1]), zero));
  };
  Value lows[2][2], highs[2][2];
  for (int64_t k = 0; k < 2; ++k) {
    lows[0][k] = corner(one, k), highs[0][k] = corner(one, 2 + k);
    lows[1][k] = corner(other, k), highs[1][k] = corner(other, 2 + k);
  }
  Value low[] = {s.max(lows[0][0], lows[1][0]), s.max(lows[0][1], lows[1][1])};
  Value high[] = {s.min(highs[0][0], highs[1][0]), s.min(highs[0][1], highs[1][1])};
  Value shared = areaOf(low, high), first = areaOf(lows[0], highs[0]),
        second = areaOf(lows[1], highs[1]);
  Value all = s.sub(s.add(first, second), shared);
  auto isPositive = [&](Value v) { return s.less(zero, v); };
  Value haveAreas = s.both(s.both(isPositive(first), isPositive(second)), isPositive(shared));
  return s.both(haveAreas, s.less(most, s.div(shared, all)));
}

} // namespace

Results nonMaxSuppression(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType boxes = c.type(0), scores = c.type(1), result = c.resultTypes[0];
  if (boxes.getRank() != 3 || boxes.getDimSize(2) != 4 || scores.getRank() != 3 ||
      scores.getDimSize(0) != boxes.getDimSize(0) || scores.getDimSize(2) != boxes.getDimSize(1))
    return c.reject("the shapes of boxes and scores");
  int64_t batches = scores.getDimSize(0), classes = scores.getDimSize(1),
          count = scores.getDimSize(2);
  int64_t steps = result.getDimSize(0) / (batches * classes);
  if (steps > maxSteps)
    return c.reject(Twine(steps) + " boxes of a class, at most " + Twine(maxSteps) +
                    " are supported");
  Type i64 = b.getI64Type(), f32 = b.getF32Type();
  Value corners = cornersOf(c);
  Operand most = limit(c, 3, 0), least = limit(c, 4, -infinity);
  AffineMap all = b.getMultiDimIdentityMap(3), number = selectDims(b, 3, {}),
            perClass = selectDims(b, 3, {0, 1});
  bool hasLeast = c.hasInput(4);
  // Scores of boxes that are left; -infinity for others.
  Value left = mapElements(
      b, scores, {Operand(c.inputs[1]), least}, {all, number}, [&](Scalars &s, ValueRange v) {
        Value none = s.like(v[0], -infinity);
        return s.select(hasLeast ? s.less(v[1], v[0]) : s.equal(v[0], v[0]), v[0], none);
      });
  SmallVector<Value> taken, bests;
  for (int64_t step = 0; step < steps; ++step) {
    Value best = reduceAxes(b, left, {2}, Combiner::Max);
    Value place = reduceLoops(b, scores.getShape(), {0, 1}, i64, {left, best}, {all, perClass},
                              Combiner::Min, false, [&](Scalars &s, ValueRange v) {
                                return s.select(s.equal(v[0], v[1]), s.position(2, i64),
                                                s.integer(i64, count));
                              });
    taken.push_back(reshape(b, place, {batches, classes, 1}));
    bests.push_back(reshape(b, best, {batches, classes, 1}));
    if (step + 1 == steps)
      break;
    left = mapElements(
        b, scores, {left, place, most}, {all, perClass, number}, [&](Scalars &s, ValueRange v) {
          Value own[] = {s.index(0), s.index(2)}, other[] = {s.index(0), s.clampIndex(v[1], count)};
          Value isGone =
              s.either(s.equal(v[1], s.position(2, i64)), overlaps(s, corners, own, other, v[2]));
          return s.select(isGone, s.like(v[0], -infinity), v[0]);
        });
  }
  int64_t rows = result.getDimSize(0);
  Value places = reshape(b, steps > 1 ? concat(b, taken, 2) : taken[0], {rows});
  Value flags = mapElements(
      b, tensorType({rows}, b.getI8Type()),
      {Operand(reshape(b, steps > 1 ? concat(b, bests, 2) : bests[0], {rows}))},
      [&](Scalars &s, ValueRange v) { return s.less(s.constant(f32, -infinity), v[0]); });
  Kept kept = keep(b, flags, rows);
  Value y =
      mapElements(b, result, {kept.places, kept.count},
                  {selectDims(b, 2, {0}), selectDims(b, 2, {})}, [&](Scalars &s, ValueRange v) {
                    Value column = s.position(1, i64),
                          classNumber = s.div(v[0], s.integer(i64, steps));
                    Value batch = s.div(classNumber, s.integer(i64, classes));
                    Value box = s.extract(places, s.clampIndex(v[0], rows));
                    Value isFirst = s.equal(column, s.integer(i64, 0)),
                          isSecond = s.equal(column, s.integer(i64, 1));
                    Value of = s.select(isSecond, s.rem(classNumber, s.integer(i64, classes)), box);
                    return s.select(s.less(s.position(0, i64), v[1]), s.select(isFirst, batch, of),
                                    s.integer(i64, 0));
                  });
  return SmallVector<Value>{y, kept.count};
}

} // namespace mtc::onnx_import
