//===- ShapeOps.cpp - Reshape, Expand, Shape, ConstantOfShape, Range, ... -===//
//
// Shapes are static here: reshapes are views, and shapes of tensors are constants. What makes a
// tensor from its positions (Range, EyeLike, OneHot) is a generic over linalg.index.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"
#include "Steps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/Endian.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

Results reshapeToResult(NodeContext &c) {
  return SmallVector<Value>{reshape(c.b, c.inputs[0], c.resultTypes[0].getShape())};
}

Results identity(NodeContext &c) { return SmallVector<Value>{c.inputs[0]}; }

Results expand(NodeContext &c) {
  if (c.type(0) == c.resultTypes[0])
    return identity(c);
  // Only size-1 dims are added: a view.
  if (c.type(0).getNumElements() == c.resultTypes[0].getNumElements())
    return reshapeToResult(c);
  return SmallVector<Value>{mapElements(c.b, c.resultTypes[0], {operand(c, 0)},
                                        [](Scalars &, ValueRange v) { return v[0]; })};
}

Results shapeOf(NodeContext &c) {
  ArrayRef<int64_t> shape = c.type(0).getShape();
  int64_t rank = shape.size();
  auto limit = [&](StringRef name, int64_t otherwise) {
    return std::clamp<int64_t>(normalizeAxis(c.intAttr(name, otherwise), rank), 0, rank);
  };
  int64_t from = limit("start", 0), to = limit("end", rank);
  return SmallVector<Value>{
      c.constant(integersAttr(c.b, shape.slice(from, std::max<int64_t>(to - from, 0))))};
}

Results sizeOf(NodeContext &c) {
  int64_t count = c.type(0).getNumElements();
  return SmallVector<Value>{fill(c.b, c.resultTypes[0], integerAttr(c.b.getI64Type(), count))};
}

/// The only element of a TensorProto as an attribute of `element`, or null.
TypedAttr onlyElement(const onnx::TensorProto &t, Type element) {
  std::optional<std::string> bytes = inlineTensorBytes(t);
  unsigned width = element.getIntOrFloatBitWidth();
  if (!bytes || bytes->size() != width / 8)
    return {};
  uint64_t bits = 0;
  for (size_t i = 0; i < bytes->size(); ++i)
    bits |= uint64_t(uint8_t((*bytes)[i])) << (8 * i);
  APInt value(width, bits);
  if (auto f = dyn_cast<FloatType>(element))
    return FloatAttr::get(f, APFloat(f.getFloatSemantics(), value));
  return IntegerAttr::get(element, value);
}

Results constantOfShape(NodeContext &c) {
  RankedTensorType type = c.resultTypes[0];
  TypedAttr value = numberAttr(type.getElementType(), 0);
  if (const onnx::AttributeProto *a = c.attribute("value"))
    value = onlyElement(a->t(), type.getElementType());
  if (!value)
    return c.reject("value does not have one element");
  return SmallVector<Value>{fill(c.b, type, value)};
}

/// start + i * delta; limits known or not, as long as their count is.
Results range(NodeContext &c) {
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], {operand(c, 0), operand(c, 2)}, [](Scalars &s, ValueRange v) {
        return s.add(v[0], s.mul(s.position(0, v[0].getType()), v[1]));
      })};
}

Results eyeLike(NodeContext &c) {
  int64_t k = c.intAttr("k", 0);
  Type element = computeType(c.resultTypes[0].getElementType());
  return SmallVector<Value>{mapElements(c.b, c.resultTypes[0], {}, [&](Scalars &s, ValueRange) {
    Type i64 = s.b.getI64Type();
    Value on = s.equal(s.position(1, i64), s.add(s.position(0, i64), s.integer(i64, k)));
    return s.select(on, s.constant(element, 1), s.constant(element, 0));
  })};
}

/// Negative indices count from the end; those outside of the depth give a row of off values.
Results oneHot(NodeContext &c) {
  using T = onnx::TensorProto;
  RankedTensorType result = c.resultTypes[0];
  int64_t rank = result.getRank(), axis = normalizeAxis(c.intAttr("axis", -1), rank);
  Shape dims;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis)
      dims.push_back(d);
  int64_t depth = result.getDimSize(axis);
  Value values = c.inputs[2];
  int32_t from = c.inputTypes[0];
  return SmallVector<Value>{mapElements(
      c.b, result, {Operand(c.inputs[0])}, {selectDims(c.b, rank, dims)},
      [&](Scalars &s, ValueRange v) {
        Type i64 = s.b.getI64Type();
        Value i = s.cast(v[0], from, T::INT64);
        Value wrapped = s.select(s.less(i, s.integer(i64, 0)), s.add(i, s.integer(i64, depth)), i);
        Value on = s.equal(wrapped, s.position(axis, i64));
        Type index = s.b.getIndexType();
        return s.extract(values, {s.select(on, s.integer(index, 1), s.integer(index, 0))});
      })};
}

/// Keeps the upper or lower triangle of the last two dims.
Results trilu(NodeContext &c) {
  RankedTensorType type = c.resultTypes[0];
  int64_t rank = type.getRank();
  bool upper = c.intAttr("upper", 1);
  if (rank < 2)
    return c.reject("rank below 2");
  SmallVector<Operand> operands{Operand(c.inputs[0])};
  if (c.hasInput(1))
    operands.push_back(operand(c, 1));
  return SmallVector<Value>{mapElements(c.b, type, operands, [&](Scalars &s, ValueRange v) {
    Type i64 = s.b.getI64Type();
    Value row = s.position(rank - 2, i64), column = s.position(rank - 1, i64);
    // column - row against k, so that no k overflows.
    Value k = v.size() > 1 ? v[1] : s.integer(i64, 0), distance = s.sub(column, row);
    Value keeps = upper ? s.lessOrEqual(k, distance) : s.lessOrEqual(distance, k);
    return s.select(keeps, v[0], s.like(v[0], 0));
  })};
}

constexpr const char *any = "numbers and bool";

const OpRow rows[] = {
    {"", "ConstantOfShape", 9, constantOfShape, any, ""},
    {"", "Expand", 8, expand, any, ""},
    {"", "EyeLike", 9, eyeLike, any, ""},
    {"", "Flatten", 1, reshapeToResult, any, "a view"},
    {"", "Identity", 1, identity, any, ""},
    {"", "OneHot", 9, oneHot, any, ""},
    {"", "Range", 11, range, "f32 f64 i16 i32 i64", "the count must be known when compiling"},
    {"", "Reshape", 5, reshapeToResult, any, "a view"},
    {"", "Shape", 1, shapeOf, any, "a constant"},
    {"", "Size", 1, sizeOf, any, "a constant"},
    {"", "Squeeze", 1, reshapeToResult, any, "a view"},
    {"", "Trilu", 14, trilu, any, ""},
    {"", "Unsqueeze", 1, reshapeToResult, any, "a view"},
};

} // namespace

ArrayRef<OpRow> shapeOps() { return rows; }

} // namespace mtc::onnx_import
