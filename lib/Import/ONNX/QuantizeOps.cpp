//===- QuantizeOps.cpp - QuantizeLinear, DequantizeLinear, dynamic too ----===//
//
// y = saturate(round(x / scale) + zeroPoint) and x = (y - zeroPoint) * scale. One scale may count
// for the whole tensor, for a position along an axis, or for a block of positions along an axis;
// the third is the second over a view in which the axis is split into blocks and places.
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"
#include "Steps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

/// x, scale and zero point (if any) with their maps from the dims of `shape`, which has the
/// elements of x in their order.
struct Quantization {
  SmallVector<Operand> values;
  SmallVector<AffineMap> maps;
  Shape shape;
};

/// Adds input `i`: one number, or one for each position of dim `axis`.
LogicalResult addPerAxis(NodeContext &c, Quantization &q, unsigned i, int64_t axis) {
  int64_t rank = q.shape.size();
  Operand value = operand(c, i);
  AffineMap map;
  if (value.tensor) {
    RankedTensorType type = c.type(i);
    bool isOne = type.getNumElements() == 1;
    if (!isOne &&
        (type.getRank() != 1 || axis < 0 || axis >= rank || type.getDimSize(0) != q.shape[axis]))
      return c.reject("input " + Twine(i) + " is neither one number nor one along the axis");
    if (isOne)
      value = reshape(c.b, value.tensor, {});
    map = selectDims(c.b, rank, isOne ? ArrayRef<int64_t>() : ArrayRef<int64_t>(axis));
  }
  q.values.push_back(value);
  q.maps.push_back(map);
  return success();
}

/// Adds input `i`, which has the shape of x but for the number of blocks at `axis`.
LogicalResult addPerBlock(NodeContext &c, Quantization &q, unsigned i, int64_t axis,
                          int64_t blockSize) {
  Shape shape(c.type(0).getShape()), wanted(shape);
  wanted[axis] = llvm::divideCeil(shape[axis], blockSize);
  if (c.type(i).getShape() != ArrayRef<int64_t>(wanted))
    return c.reject("input " + Twine(i) + " has not the shape of blocks of " + Twine(blockSize));
  int64_t rank = q.shape.size();
  if (rank > int64_t(shape.size())) { // the axis is split
    Shape dims;
    for (int64_t d = 0; d < rank; ++d)
      if (d != axis + 1)
        dims.push_back(d);
    q.values.push_back(c.inputs[i]);
    q.maps.push_back(selectDims(c.b, rank, dims));
    return success();
  }
  Value spread =
      takeAt(c, c.inputs[i], axis, shape[axis], [&](int64_t at) { return at / blockSize; });
  if (!spread)
    return failure();
  q.values.push_back(spread);
  q.maps.push_back(c.b.getMultiDimIdentityMap(rank));
  return success();
}

FailureOr<Quantization> readQuantization(NodeContext &c) {
  Shape shape(c.type(0).getShape());
  int64_t rank = shape.size(), axis = normalizeAxis(c.intAttr("axis", 1), rank);
  int64_t blockSize = c.intAttr("block_size", 0);
  bool isBlocked = blockSize > 0 && c.type(1).getRank() == rank && rank > 0;
  if (blockSize < 0 || (blockSize > 0 && !isBlocked && c.type(1).getNumElements() != 1))
    return c.reject("block_size " + Twine(blockSize) + " with a scale of rank " +
                    Twine(c.type(1).getRank()));
  if (isBlocked && (axis < 0 || axis >= rank))
    return c.reject("axis " + Twine(axis) + " of a tensor of rank " + Twine(rank));
  Quantization q;
  q.shape = shape;
  if (isBlocked && shape[axis] % blockSize == 0) {
    q.shape[axis] = shape[axis] / blockSize;
    q.shape.insert(q.shape.begin() + axis + 1, blockSize);
  }
  q.values.push_back(reshape(c.b, c.inputs[0], q.shape));
  q.maps.push_back(c.b.getMultiDimIdentityMap(q.shape.size()));
  for (unsigned i : {1u, 2u})
    if (c.hasInput(i) &&
        failed(isBlocked ? addPerBlock(c, q, i, axis, blockSize) : addPerAxis(c, q, i, axis)))
      return failure();
  return q;
}

Results compute(NodeContext &c, const Quantization &q, ScalarBody body) {
  Value y = mapElements(c.b, tensorType(q.shape, c.resultTypes[0].getElementType()), q.values,
                        q.maps, body);
  return SmallVector<Value>{reshape(c.b, y, c.resultTypes[0].getShape())};
}

/// f16 and bf16 as an f32 of their precision: a division or product of two such numbers, computed
/// in f32, rounds to them as the exact one does.
Value roundTo(Scalars &s, Value x, int32_t type) {
  Type narrow = type == T::FLOAT16    ? Type(s.b.getF16Type())
                : type == T::BFLOAT16 ? Type(s.b.getBF16Type())
                                      : Type();
  if (!narrow || !x.getType().isF32())
    return x;
  Value rounded = arith::TruncFOp::create(s.b, narrow, x);
  return arith::ExtFOp::create(s.b, x.getType(), rounded);
}

} // namespace

Value roundToInteger(Scalars &s, Value x, Value zeroPoint, int32_t to) {
  int32_t from = x.getType().isF64() ? T::DOUBLE : T::FLOAT;
  Value q = math::RoundEvenOp::create(s.b, x);
  if (zeroPoint)
    q = s.add(q, s.cast(zeroPoint, to, from));
  if (unsigned bits = subByteIntegerBits(to)) {
    bool isUnsigned = isUnsignedType(to);
    double low = isUnsigned ? 0 : -std::ldexp(1.0, bits - 1);
    q = s.min(s.max(q, s.like(q, low)), s.like(q, low + std::ldexp(1.0, bits) - 1));
  }
  return s.cast(q, from, to);
}

Quantized quantizeDynamically(Builder &b, Value x) {
  auto type = cast<RankedTensorType>(x.getType());
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  RankedTensorType number = tensorType({}, b.getF32Type()), code = tensorType({}, b.getI8Type());
  auto low = [](Scalars &s, Value v) { return s.min(v, s.like(v, 0)); };
  auto high = [](Scalars &s, Value v) { return s.max(v, s.like(v, 0)); };
  Value least = reduceAxes(b, x, axes, Combiner::Min), most = reduceAxes(b, x, axes, Combiner::Max);
  Quantized q;
  q.scale = mapElements(b, number, {least, most}, [&](Scalars &s, ValueRange v) {
    return s.div(s.sub(high(s, v[1]), low(s, v[0])), s.like(v[0], 255));
  });
  // All zeros: 0 / 0 is NaN, which becomes 0.
  q.zeroPoint = mapElements(b, code, {least, q.scale}, [&](Scalars &s, ValueRange v) {
    return roundToInteger(s, s.div(s.sub(s.like(v[0], 0), low(s, v[0])), v[1]), {}, T::UINT8);
  });
  q.codes = mapElements(b, tensorType(type.getShape(), b.getI8Type()), {x, q.scale, q.zeroPoint},
                        [](Scalars &s, ValueRange v) {
                          return roundToInteger(s, s.div(v[0], v[1]), v[2], T::UINT8);
                        });
  return q;
}

Results dynamicQuantizeLinear(NodeContext &c) {
  Quantized q = quantizeDynamically(c.b, c.inputs[0]);
  return SmallVector<Value>{q.codes, q.scale, q.zeroPoint};
}

Results dequantizeLinear(NodeContext &c) {
  FailureOr<Quantization> q = readQuantization(c);
  if (failed(q))
    return failure();
  int32_t from = c.inputTypes[0], scaleType = c.inputTypes[1];
  bool isFloat8 = smallFloat(from) && elementBits(from) == 8; // whose zero point is always 0
  return compute(c, *q, [&](Scalars &s, ValueRange v) {
    Value scale = s.cast(v[1], scaleType, scaleType == T::DOUBLE ? T::DOUBLE : T::FLOAT);
    int32_t floatType = scaleType == T::DOUBLE ? T::DOUBLE : T::FLOAT;
    if (smallFloat(from)) {
      Value x = s.cast(v[0], from, floatType);
      if (v.size() > 2 && !isFloat8)
        x = s.sub(x, s.cast(v[2], from, floatType));
      return s.mul(x, scale);
    }
    Value x = s.cast(v[0], from, T::INT32);
    if (v.size() > 2)
      x = s.sub(x, s.cast(v[2], from, T::INT32));
    return s.mul(s.cast(x, T::INT32, floatType), scale);
  });
}

Results quantizeLinear(NodeContext &c) {
  FailureOr<Quantization> q = readQuantization(c);
  if (failed(q))
    return failure();
  int32_t from = c.inputTypes[0], scaleType = c.inputTypes[1], to = c.outputTypes[0];
  // The division is as precise as the scale unless the node says otherwise; integers, and scales
  // that are only powers of two, are no precision to divide in.
  auto precision = static_cast<int32_t>(c.intAttr("precision", 0));
  if (precision == 0)
    precision = scaleType;
  bool isWide = precision == T::INT32 || from == T::INT32;
  if (smallFloat(precision))
    precision = T::FLOAT;
  int32_t floatType = isWide ? T::DOUBLE : T::FLOAT;
  CastRules rules;
  rules.saturate = c.intAttr("saturate", 1) != 0;
  bool isFloat8 = smallFloat(to) && elementBits(to) == 8;
  return compute(c, *q, [&](Scalars &s, ValueRange v) -> Value {
    Value x = roundTo(s, s.cast(v[0], from, floatType), precision);
    Value scale = roundTo(s, s.cast(v[1], scaleType, floatType), precision);
    Value ratio = roundTo(s, s.div(x, scale), precision);
    if (!smallFloat(to))
      return roundToInteger(s, ratio, v.size() > 2 ? v[2] : Value(), to);
    if (v.size() > 2 && !isFloat8)
      ratio = s.add(ratio, s.cast(v[2], to, floatType));
    return s.cast(ratio, floatType, to, rules);
  });
}

} // namespace mtc::onnx_import
