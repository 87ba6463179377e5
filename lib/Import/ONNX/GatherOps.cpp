//===- GatherOps.cpp - Gather, GatherElements, GatherND -------------------===//
//
// Indices of requests are wrapped and clamped into range, so that none reads out of bounds. Few
// indices that are known when compiling become slices.
//
//===----------------------------------------------------------------------===//
#include "Moves.h"

using namespace mlir;

namespace mtc::onnx_import {

/// Known indices up to this many are made a table; more stay a weight.
static constexpr int64_t maxTable = 4096;

static SmallVector<Value> ownPosition(Scalars &s, int64_t rank) {
  SmallVector<Value> at;
  for (int64_t d = 0; d < rank; ++d)
    at.push_back(s.index(d));
  return at;
}

Results gather(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType data = c.type(0), indices = c.type(1), result = c.resultTypes[0];
  int64_t axis = normalizeAxis(c.intAttr("axis", 0), data.getRank()), size = data.getDimSize(axis);
  if (result.getNumElements() == 0)
    return SmallVector<Value>{fill(b, result, numberAttr(result.getElementType(), 0))};
  if (size == 0)
    return c.reject("an empty axis");
  auto known = c.constantInts(1);
  if (known && int64_t(known->size()) <= maxTable) {
    for (int64_t &i : *known)
      i = std::clamp<int64_t>(i < 0 ? i + size : i, 0, size - 1);
    Value taken = takeAt(c, c.inputs[0], axis, *known);
    return SmallVector<Value>{reshape(b, taken, result.getShape())};
  }
  Shape indexDims;
  for (int64_t d = 0; d < indices.getRank(); ++d)
    indexDims.push_back(axis + d);
  Value x = c.inputs[0];
  return SmallVector<Value>{
      mapElements(b, result, {Operand(c.inputs[1])}, {selectDims(b, result.getRank(), indexDims)},
                  [&](Scalars &s, ValueRange v) {
                    SmallVector<Value> at;
                    for (int64_t d = 0; d < data.getRank(); ++d)
                      at.push_back(d == axis ? s.clampIndex(v[0], size)
                                             : s.index(d < axis ? d : d + indices.getRank() - 1));
                    return s.extract(x, at);
                  })};
}

Results gatherElements(NodeContext &c) {
  RankedTensorType data = c.type(0);
  int64_t axis = normalizeAxis(c.intAttr("axis", 0), data.getRank());
  for (int64_t d = 0; d < data.getRank(); ++d)
    if (d != axis && c.type(1).getDimSize(d) > data.getDimSize(d))
      return c.reject("indices larger than the data in dim " + Twine(d));
  if (data.getDimSize(axis) == 0)
    return c.reject("an empty axis");
  Value x = c.inputs[0];
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[1])}, [&](Scalars &s, ValueRange v) {
        SmallVector<Value> at = ownPosition(s, data.getRank());
        at[axis] = s.clampIndex(v[0], data.getDimSize(axis));
        return s.extract(x, at);
      })};
}

/// Result dims: batch dims, the other dims of indices but the last, then data's dims not indexed.
Results gatherND(NodeContext &c) {
  RankedTensorType data = c.type(0), indices = c.type(1), result = c.resultTypes[0];
  int64_t batch = c.intAttr("batch_dims", 0), outer = indices.getRank() - 1;
  int64_t depth = indices.getDimSize(outer);
  if (batch < 0 || batch > outer || batch + depth > data.getRank() ||
      data.getShape().take_front(batch) != indices.getShape().take_front(batch))
    return c.reject("indices and data do not fit");
  if (data.getNumElements() == 0)
    return c.reject("empty data");
  Value x = c.inputs[0], table = c.inputs[1];
  return SmallVector<Value>{mapElements(c.b, result, {}, [&](Scalars &s, ValueRange) {
    SmallVector<Value> row = ownPosition(s, outer), at = ownPosition(s, batch);
    row.push_back(Value());
    for (int64_t j = 0; j < depth; ++j) {
      row.back() = s.integer(s.b.getIndexType(), j);
      at.push_back(s.clampIndex(s.extract(table, row), data.getDimSize(batch + j)));
    }
    for (int64_t d = outer; d < result.getRank(); ++d)
      at.push_back(s.index(d));
    return s.extract(x, at);
  })};
}

} // namespace mtc::onnx_import
