//===- QuantizedOps.cpp - operators on integers with scale and zero point -===//
//
// Zero points are subtracted before, in i32 (the difference of two 8-bit values has 9 bits), and
// the contraction is the same as for floats with integer arithmetic.
//
//===----------------------------------------------------------------------===//
#include "Convolution.h"
#include "Quantized.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

/// Operands of an elementwise computation with their maps, side by side.
struct Operands {
  SmallVector<Operand> values;
  SmallVector<AffineMap> maps;
};

/// Adds input `i`: one number, or one for each position of dim `dim` of `rank` dims. Absent:
/// nothing.
LogicalResult addParameter(NodeContext &c, Operands &operands, unsigned i, int64_t rank,
                           int64_t dim) {
  if (!c.hasInput(i))
    return success();
  Operand value = operand(c, i);
  AffineMap map;
  if (value.tensor) {
    RankedTensorType type = c.type(i);
    bool isOne = type.getNumElements() == 1;
    if (!isOne && (type.getRank() != 1 || dim < 0 || dim >= rank))
      return c.reject("input " + Twine(i) + " is neither one number nor one along an axis");
    if (isOne)
      value = reshape(c.b, value.tensor, {});
    map = selectDims(c.b, rank, isOne ? ArrayRef<int64_t>() : ArrayRef<int64_t>(dim));
  }
  operands.values.push_back(value);
  operands.maps.push_back(map);
  return success();
}

/// Input `i` as i32 without its zero point, which is one number or one along `dim`.
FailureOr<Value> withoutZeroPoint(NodeContext &c, unsigned i, unsigned zeroPoint, int64_t dim) {
  RankedTensorType type = c.type(i);
  int64_t rank = type.getRank();
  Operands operands{{Operand(c.inputs[i])}, {c.b.getMultiDimIdentityMap(rank)}};
  if (failed(addParameter(c, operands, zeroPoint, rank, dim)))
    return failure();
  int32_t from = c.inputTypes[i];
  return mapElements(c.b, tensorType(type.getShape(), c.b.getI32Type()), operands.values,
                     operands.maps, [&](Scalars &s, ValueRange v) {
                       Value x = s.cast(v[0], from, T::INT32);
                       return v.size() > 1 ? s.sub(x, s.cast(v[1], from, T::INT32)) : x;
                     });
}

/// Rounds half to even, adds the zero point (if any) and saturates.
Value roundToInteger(Scalars &s, Value x, Value zeroPoint, int32_t to) {
  int32_t from = x.getType().isF64() ? T::DOUBLE : T::FLOAT;
  Value q = math::RoundEvenOp::create(s.b, x);
  if (zeroPoint)
    q = s.add(q, s.cast(zeroPoint, to, from));
  return s.cast(q, from, to);
}

/// Sums in i32 to the result: times the scales of both operands over the result's, plus its zero
/// point. `first` are the inputs (scale of a, scale of b, scale of y, zero point of y).
Results requantize(NodeContext &c, Value sum, std::array<unsigned, 4> inputs, int64_t channelDim) {
  RankedTensorType result = c.resultTypes[0];
  int64_t rank = result.getRank();
  Operands operands{{Operand(sum)}, {c.b.getMultiDimIdentityMap(rank)}};
  for (unsigned i : inputs)
    if (failed(addParameter(c, operands, i, rank, channelDim)))
      return failure();
  int32_t to = c.outputTypes[0];
  return SmallVector<Value>{
      mapElements(c.b, result, operands.values, operands.maps, [&](Scalars &s, ValueRange v) {
        Value scale = s.div(s.mul(v[1], v[2]), v[3]);
        Value x = s.mul(s.cast(v[0], T::INT32, T::FLOAT), scale);
        return roundToInteger(s, x, v.size() > 4 ? v[4] : Value(), to);
      })};
}

/// The operands x, scale and zero point of (De)QuantizeLinear.
FailureOr<Operands> quantizationOperands(NodeContext &c) {
  int64_t rank = c.type(0).getRank(), axis = normalizeAxis(c.intAttr("axis", 1), rank);
  if (c.intAttr("block_size", 0) != 0 || c.type(1).getRank() > 1)
    return c.reject("blocked quantization");
  Operands operands{{Operand(c.inputs[0])}, {c.b.getMultiDimIdentityMap(rank)}};
  if (failed(addParameter(c, operands, 1, rank, axis)) ||
      failed(addParameter(c, operands, 2, rank, axis)))
    return failure();
  return operands;
}

} // namespace

Results dequantizeLinear(NodeContext &c) {
  FailureOr<Operands> operands = quantizationOperands(c);
  if (failed(operands))
    return failure();
  int32_t from = c.inputTypes[0];
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], operands->values, operands->maps, [&](Scalars &s, ValueRange v) {
        Value x = s.cast(v[0], from, T::INT32);
        if (v.size() > 2)
          x = s.sub(x, s.cast(v[2], from, T::INT32));
        return s.mul(s.cast(x, T::INT32, v[1].getType().isF64() ? T::DOUBLE : T::FLOAT), v[1]);
      })};
}

Results quantizeLinear(NodeContext &c) {
  if (!isFloat(c.type(0).getElementType()))
    return c.reject("quantization of integers");
  FailureOr<Operands> operands = quantizationOperands(c);
  if (failed(operands))
    return failure();
  int32_t to = c.outputTypes[0];
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], operands->values, operands->maps, [&](Scalars &s, ValueRange v) {
        return roundToInteger(s, s.div(v[0], v[1]), v.size() > 2 ? v[2] : Value(), to);
      })};
}

/// Zero points: one, or one per row of A or column of B.
Results matmulInteger(NodeContext &c) {
  FailureOr<Value> a = withoutZeroPoint(c, 0, 2, c.type(0).getRank() - 2);
  FailureOr<Value> b = withoutZeroPoint(c, 1, 3, c.type(1).getRank() - 1);
  if (failed(a) || failed(b))
    return failure();
  return SmallVector<Value>{multiplyMatrices(c.b, *a, *b)};
}

/// a, its scale and zero point, b, its scale and zero point, the result's scale and zero point.
Results qlinearMatMul(NodeContext &c) {
  for (unsigned i : {1u, 2u, 4u, 5u, 6u, 7u})
    if (c.type(i).getNumElements() != 1)
      return c.reject("scales or zero points per row or column");
  FailureOr<Value> a = withoutZeroPoint(c, 0, 2, -1), b = withoutZeroPoint(c, 3, 5, -1);
  if (failed(a) || failed(b))
    return failure();
  return requantize(c, multiplyMatrices(c.b, *a, *b), {1, 4, 6, 7}, -1);
}

/// The padding is 0 after the zero point is gone.
static FailureOr<Value> convolveIntegers(NodeContext &c, unsigned weight, unsigned inputZero,
                                         unsigned weightZero) {
  FailureOr<Window> w = convWindow(c, weight);
  if (failed(w))
    return failure();
  FailureOr<Value> x = withoutZeroPoint(c, 0, inputZero, -1);
  FailureOr<Value> filter = withoutZeroPoint(c, weight, weightZero, 0);
  if (failed(x) || failed(filter))
    return failure();
  Value padded = padSpatial(c.b, *x, w->padsLow, w->padsHigh, integerAttr(c.b.getI32Type(), 0));
  return convolve(c.b, padded, *filter, c.intAttr("group", 1), *w,
                  c.resultTypes[0].getShape().drop_front(2));
}

Results convInteger(NodeContext &c) {
  FailureOr<Value> sum = convolveIntegers(c, 1, 2, 3);
  if (failed(sum))
    return failure();
  return SmallVector<Value>{*sum};
}

/// x, its scale and zero point, w, its scale and zero point, the result's scale and zero point,
/// bias.
Results qlinearConv(NodeContext &c) {
  FailureOr<Value> sum = convolveIntegers(c, 3, 2, 5);
  if (failed(sum))
    return failure();
  if (c.hasInput(8)) {
    auto type = cast<RankedTensorType>(sum->getType());
    int64_t rank = type.getRank();
    sum = mapElements(c.b, type, {*sum, c.inputs[8]},
                      {c.b.getMultiDimIdentityMap(rank), selectDims(c.b, rank, {1})},
                      [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
  }
  return requantize(c, *sum, {1, 4, 6, 7}, 1);
}

} // namespace mtc::onnx_import
