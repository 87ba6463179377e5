//===- ScatterOps.cpp - ScatterElements and ScatterND without scattering --===//
//
// Every element of the result asks which updates hit it, so that no two threads write one element
// and repeated indices have a fixed result: without a reduction the last update wins (a maximum
// over positions of updates), with one all of them are combined in order. The work is elements
// times updates, which suits the small scatters of real models; larger ones are refused.
//
//===----------------------------------------------------------------------===//
#include "Moves.h"

#include <limits>

using namespace mlir;

namespace mtc::onnx_import {

static constexpr int64_t maxWork = int64_t(1) << 26;

static std::optional<Combiner> combinerOf(StringRef reduction) {
  if (reduction == "add")
    return Combiner::Add;
  if (reduction == "mul")
    return Combiner::Mul;
  if (reduction == "max")
    return Combiner::Max;
  if (reduction == "min")
    return Combiner::Min;
  return std::nullopt;
}

static Value combineTwo(Scalars &s, Combiner combiner, Value x, Value y) {
  switch (combiner) {
  case Combiner::Add:
    return s.add(x, y);
  case Combiner::Mul:
    return s.mul(x, y);
  case Combiner::Max:
    return s.max(x, y);
  case Combiner::Min:
    return s.min(x, y);
  }
  llvm_unreachable("unknown combiner");
}

/// What an update that misses contributes.
static Value neutral(Scalars &s, Combiner combiner, Type type) {
  double infinity = std::numeric_limits<double>::infinity();
  bool f = isFloat(type);
  unsigned width = type.getIntOrFloatBitWidth();
  auto integer = [&](const APInt &v) { return s.integer(type, v.getSExtValue()); };
  switch (combiner) {
  case Combiner::Add:
    return s.constant(type, 0);
  case Combiner::Mul:
    return s.constant(type, 1);
  case Combiner::Max:
    return f ? s.constant(type, -infinity)
             : integer(s.isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width));
  case Combiner::Min:
    return f ? s.constant(type, infinity)
             : integer(s.isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width));
  }
  llvm_unreachable("unknown combiner");
}

/// An index as i64, negative ones counted from the end. Out of range it equals no position.
static Value wrapIndex(Scalars &s, Value i, int32_t type, int64_t size) {
  Type i64 = s.b.getI64Type();
  i = s.cast(i, type, onnx::TensorProto::INT64);
  return s.select(s.less(i, s.integer(i64, 0)), s.add(i, s.integer(i64, size)), i);
}

/// How updates reach the elements of a region: loops are the region's dims, then the updates'.
struct Scatter {
  Shape region;        ///< the result's dims
  Shape updates;       ///< sizes of the loops over updates
  Value targets;       ///< for each update the position that it hits
  AffineMap targetMap; ///< in region and update loops
  Value data, values;  ///< of the region; of the updates
  AffineMap valueMap;  ///< in region and update loops
};

/// The region after the updates. `position` gives the region's position as `targets` counts;
/// `valueAt` the indices of an update's value from the update's number.
static Value applyScatter(NodeContext &c, const Scatter &sc, std::optional<Combiner> combiner,
                          function_ref<Value(Scalars &)> position) {
  Builder &b = c.b;
  bool isUnsigned = isUnsignedType(c.inputTypes[0]);
  int64_t rank = sc.region.size();
  Shape loops(sc.region), result(rank);
  loops.append(sc.updates);
  for (int64_t d = 0; d < rank; ++d)
    result[d] = d;
  Type i64 = b.getI64Type(), element = cast<RankedTensorType>(sc.data.getType()).getElementType();
  RankedTensorType type = tensorType(sc.region, element);
  if (combiner) {
    Value sum = reduceLoops(b, loops, result, computeType(element), {sc.targets, sc.values},
                            {sc.targetMap, sc.valueMap}, *combiner, isUnsigned,
                            [&](Scalars &s, ValueRange v) {
                              Value hit = s.equal(v[0], position(s));
                              return s.select(hit, v[1], neutral(s, *combiner, v[1].getType()));
                            });
    return mapElements(
        b, type, {sc.data, sum},
        [&](Scalars &s, ValueRange v) { return combineTwo(s, *combiner, v[0], v[1]); }, isUnsigned);
  }
  // The number of the last update that hits, or -1.
  Value last = reduceLoops(b, loops, result, i64, {sc.targets}, {sc.targetMap}, Combiner::Max,
                           false, [&](Scalars &s, ValueRange v) {
                             Value hit = s.equal(v[0], position(s));
                             return s.select(hit, s.position(rank, i64), s.integer(i64, -1));
                           });
  // One update loop: its place among the dims of `values` is where valueMap has it.
  return mapElements(b, type, {sc.data, last}, [&](Scalars &s, ValueRange v) {
    SmallVector<Value> at;
    for (AffineExpr e : sc.valueMap.getResults()) {
      int64_t d = cast<AffineDimExpr>(e).getPosition();
      at.push_back(d == rank ? s.clampIndex(s.max(v[1], s.integer(i64, 0)), sc.updates[0])
                             : s.index(d));
    }
    Value update = s.extract(sc.values, at);
    if (update.getType() != v[0].getType()) // f16 as f32
      update = s.cast(update, c.inputTypes[0], onnx::TensorProto::FLOAT);
    return s.select(s.less(v[1], s.integer(i64, 0)), v[0], update);
  });
}

Results scatterElements(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType data = c.type(0), indices = c.type(1);
  int64_t rank = data.getRank(), axis = normalizeAxis(c.intAttr("axis", 0), rank);
  std::string reduction = c.stringAttr("reduction", "none");
  std::optional<Combiner> combiner = combinerOf(reduction);
  if (!combiner && reduction != "none")
    return c.reject("reduction is " + reduction);
  if (c.type(2).getShape() != indices.getShape())
    return c.reject("indices and updates differ in shape");
  if (indices.getNumElements() == 0)
    return SmallVector<Value>{c.inputs[0]};
  Scatter sc;
  sc.region.assign(indices.getShape().begin(), indices.getShape().end());
  sc.region[axis] = data.getDimSize(axis);
  sc.updates = {indices.getDimSize(axis)};
  if (elementCount(sc.region) > maxWork / sc.updates[0])
    return c.reject("too many elements times updates");
  Shape dims;
  for (int64_t d = 0; d < rank; ++d)
    dims.push_back(d == axis ? rank : d);
  int32_t indexType = c.inputTypes[1];
  sc.targets = mapElements(b, tensorType(indices.getShape(), b.getI64Type()),
                           {Operand(c.inputs[1])}, [&](Scalars &s, ValueRange v) {
                             return wrapIndex(s, v[0], indexType, data.getDimSize(axis));
                           });
  sc.targetMap = sc.valueMap = selectDims(b, rank + 1, dims);
  // Updates may cover only a corner of the other dims.
  Shape zeros(rank, 0), ones(rank, 1);
  sc.data = extractSlice(b, c.inputs[0], zeros, sc.region, ones);
  sc.values = c.inputs[2];
  Value y =
      applyScatter(c, sc, combiner, [&](Scalars &s) { return s.position(axis, s.b.getI64Type()); });
  bool isWhole = data.getShape() == ArrayRef<int64_t>(sc.region);
  return SmallVector<Value>{isWhole ? y : insertSlice(b, y, c.inputs[0], zeros, ones)};
}

/// Positions are numbers of rows: data as (indexed dims flattened, rest).
Results scatterND(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType data = c.type(0), indices = c.type(1);
  std::string reduction = c.stringAttr("reduction", "none");
  std::optional<Combiner> combiner = combinerOf(reduction);
  if (!combiner && reduction != "none")
    return c.reject("reduction is " + reduction);
  if (indices.getRank() == 0 || indices.getShape().back() > data.getRank())
    return c.reject("indices deeper than the data");
  int64_t depth = indices.getShape().back(), count = elementCount(indices.getShape().drop_back());
  int64_t rowCount = elementCount(data.getShape().take_front(depth));
  int64_t rowSize = elementCount(data.getShape().drop_front(depth));
  if (c.type(2).getNumElements() != count * rowSize)
    return c.reject("indices and updates do not fit");
  if (count == 0 || data.getNumElements() == 0)
    return SmallVector<Value>{c.inputs[0]};
  if (rowCount > maxWork / count || (combiner && rowCount * rowSize > maxWork / count))
    return c.reject("too many rows times updates");
  Value table = reshape(b, c.inputs[1], {count, depth});
  int32_t indexType = c.inputTypes[1];
  Scatter sc;
  sc.targets = mapElements(b, tensorType({count}, b.getI64Type()), {}, [&](Scalars &s, ValueRange) {
    Type i64 = s.b.getI64Type(), index = s.b.getIndexType();
    Value flat = s.integer(i64, 0), zero = flat, inside = s.integer(s.b.getI1Type(), 1);
    for (int64_t j = 0; j < depth; ++j) {
      int64_t size = data.getDimSize(j);
      Value i = wrapIndex(s, s.extract(table, {s.index(0), s.integer(index, j)}), indexType, size);
      Value fits = s.both(s.lessOrEqual(zero, i), s.less(i, s.integer(i64, size)));
      inside = s.both(inside, fits);
      flat = s.add(s.mul(flat, s.integer(i64, size)), i);
    }
    return s.select(inside, flat, s.integer(i64, -1));
  });
  sc.updates = {count};
  sc.values = reshape(b, c.inputs[2], {count, rowSize});
  sc.data = reshape(b, c.inputs[0], {rowCount, rowSize});
  sc.region = {rowCount, rowSize};
  sc.targetMap = selectDims(b, 3, {2});
  sc.valueMap = selectDims(b, 3, {2, 1});
  Value y =
      applyScatter(c, sc, combiner, [&](Scalars &s) { return s.position(0, s.b.getI64Type()); });
  return SmallVector<Value>{reshape(b, y, data.getShape())};
}

} // namespace mtc::onnx_import
