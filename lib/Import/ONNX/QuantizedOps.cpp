//===- QuantizedOps.cpp - contractions of numbers with scale and zero point ===//
//
// Zero points are subtracted before, in i32 (the difference of two 8-bit values has 9 bits), and
// the contraction is the same as for floats with integer arithmetic. 8-bit floats are decoded and
// contracted in f32.
//
//===----------------------------------------------------------------------===//
#include "Convolution.h"
#include "Quantized.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

/// The type that a contraction of numbers of `type` computes in.
int32_t accumulatorType(int32_t type) { return smallFloat(type) ? T::FLOAT : T::INT32; }

Type accumulatorElement(Builder &b, int32_t type) {
  return smallFloat(type) ? Type(b.getF32Type()) : Type(b.getI32Type());
}

/// Input `i` (a scale or a zero point) in a shape that broadcasts to `shape`. One number counts for
/// all, a vector for positions of `dim`, anything else as NumPy broadcasts it.
FailureOr<Operand> parameter(NodeContext &c, unsigned i, ArrayRef<int64_t> shape, int64_t dim) {
  Operand value = operand(c, i);
  if (!value.tensor)
    return value;
  RankedTensorType type = c.type(i);
  if (type.getNumElements() == 1)
    return Operand(reshape(c.b, value.tensor, {}));
  int64_t rank = shape.size();
  Shape wanted(rank, 1);
  if (type.getRank() == 1 && dim >= 0 && dim < rank) {
    wanted[dim] = type.getDimSize(0);
  } else if (type.getRank() > 1 && type.getRank() <= rank) {
    llvm::copy(type.getShape(), wanted.end() - type.getRank());
  } else {
    return c.reject("input " + Twine(i) + " is neither one number nor one along an axis");
  }
  for (auto [want, have] : llvm::zip(wanted, shape))
    if (want != 1 && want != have)
      return c.reject("input " + Twine(i) + " does not fit the tensor it belongs to");
  return Operand(reshape(c.b, value.tensor, wanted));
}

/// Input `i` without its zero point, in i32 (8-bit floats: decoded; their zero point is 0).
FailureOr<Value> withoutZeroPoint(NodeContext &c, unsigned i, unsigned zeroPoint, int64_t dim) {
  RankedTensorType type = c.type(i);
  int32_t from = c.inputTypes[i], to = accumulatorType(from);
  SmallVector<Operand> operands{Operand(c.inputs[i])};
  if (c.hasInput(zeroPoint) && !smallFloat(from)) {
    FailureOr<Operand> zero = parameter(c, zeroPoint, type.getShape(), dim);
    if (failed(zero))
      return failure();
    operands.push_back(*zero);
  }
  return mapElements(c.b, tensorType(type.getShape(), accumulatorElement(c.b, from)), operands,
                     [&](Scalars &s, ValueRange v) {
                       Value x = s.cast(v[0], from, to);
                       return v.size() > 1 ? s.sub(x, s.cast(v[1], from, to)) : x;
                     });
}

/// A scale or zero point of the result: which input, and the dim along which a vector goes.
struct Parameter {
  unsigned input;
  int64_t dim;
};

/// Sums to the result: times the scales of both operands over the result's, plus its zero point.
/// `parameters` are the scales of a, b and y and the zero point of y.
Results requantize(NodeContext &c, Value sum, std::array<Parameter, 4> parameters) {
  RankedTensorType result = c.resultTypes[0];
  SmallVector<Operand> operands{Operand(sum)};
  for (Parameter p : parameters) {
    if (!c.hasInput(p.input))
      continue;
    FailureOr<Operand> value = parameter(c, p.input, result.getShape(), p.dim);
    if (failed(value))
      return failure();
    operands.push_back(*value);
  }
  int32_t from = accumulatorType(c.inputTypes[0]), to = c.outputTypes[0];
  return SmallVector<Value>{mapElements(c.b, result, operands, [&](Scalars &s, ValueRange v) {
    Value scale = s.div(s.mul(v[1], v[2]), v[3]);
    Value x = s.mul(s.cast(v[0], from, T::FLOAT), scale);
    if (smallFloat(to))
      return s.cast(x, T::FLOAT, to);
    return roundToInteger(s, x, v.size() > 4 ? v[4] : Value(), to);
  })};
}

/// a without zero point times b without: zero points per tensor, per row of a, per column of b.
FailureOr<Value> multiplyQuantized(NodeContext &c, unsigned a, unsigned aZero, unsigned b,
                                   unsigned bZero) {
  FailureOr<Value> lhs = withoutZeroPoint(c, a, aZero, c.type(a).getRank() - 2);
  FailureOr<Value> rhs = withoutZeroPoint(c, b, bZero, c.type(b).getRank() - 1);
  if (failed(lhs) || failed(rhs))
    return failure();
  return multiplyMatrices(c.b, *lhs, *rhs);
}

/// The padding is 0 after the zero point is gone.
FailureOr<Value> convolveQuantized(NodeContext &c, unsigned weight, unsigned inputZero,
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

} // namespace

Results matmulInteger(NodeContext &c) {
  FailureOr<Value> product = multiplyQuantized(c, 0, 2, 1, 3);
  if (failed(product))
    return failure();
  return SmallVector<Value>{*product};
}

/// a, its scale and zero point, b, its scale and zero point, the result's scale and zero point.
Results qlinearMatMul(NodeContext &c) {
  FailureOr<Value> product = multiplyQuantized(c, 0, 2, 3, 5);
  if (failed(product))
    return failure();
  int64_t rank = c.resultTypes[0].getRank(), row = rank - 2, column = rank - 1;
  return requantize(c, *product, {{{1, row}, {4, column}, {6, column}, {7, column}}});
}

Results convInteger(NodeContext &c) {
  FailureOr<Value> sum = convolveQuantized(c, 1, 2, 3);
  if (failed(sum))
    return failure();
  return SmallVector<Value>{*sum};
}

/// x, its scale and zero point, w, its scale and zero point, the result's scale and zero point,
/// bias.
Results qlinearConv(NodeContext &c) {
  FailureOr<Value> sum = convolveQuantized(c, 3, 2, 5);
  if (failed(sum))
    return failure();
  if (c.hasInput(8)) {
    auto type = cast<RankedTensorType>(sum->getType());
    int64_t rank = type.getRank();
    sum = mapElements(c.b, type, {*sum, c.inputs[8]},
                      {c.b.getMultiDimIdentityMap(rank), selectDims(c.b, rank, {1})},
                      [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
  }
  return requantize(c, *sum, {{{1, 1}, {4, 1}, {6, 1}, {7, 1}}});
}

} // namespace mtc::onnx_import
