//===- Scalars.cpp - the arithmetic inside the bodies of generics ---------===//
//
// arith and LLVM leave x / 0, min / -1 and out-of-range conversions undefined; request data reaches
// all of them, so each is given a result here. (A Div of INT_MIN by -1 kills onnxruntime 1.32.)
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace mtc::onnx_import {

bool isUnsignedType(int32_t type) {
  using T = onnx::TensorProto;
  return type == T::UINT8 || type == T::UINT16 || type == T::UINT32 || type == T::UINT64 ||
         type == T::BOOL || type == T::UINT4 || type == T::UINT2;
}

unsigned subByteIntegerBits(int32_t type) {
  using T = onnx::TensorProto;
  if (type == T::INT4 || type == T::UINT4)
    return 4;
  return type == T::INT2 || type == T::UINT2 ? 2 : 0;
}

bool isFloat(Type type) { return isa<FloatType>(type); }

Type computeType(Type type) {
  return type.isF16() || type.isBF16() ? Float32Type::get(type.getContext()) : type;
}

TypedAttr numberAttr(Type type, double v) {
  if (auto f = dyn_cast<FloatType>(type)) {
    APFloat value(v);
    bool inexact;
    value.convert(f.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
    return FloatAttr::get(f, value);
  }
  return integerAttr(type, static_cast<int64_t>(v));
}

TypedAttr integerAttr(Type type, int64_t v) {
  if (isa<IndexType>(type))
    return IntegerAttr::get(type, v);
  return IntegerAttr::get(
      type, APInt(type.getIntOrFloatBitWidth(), v, /*isSigned=*/true, /*implicitTrunc=*/true));
}

Value Scalars::constant(Type type, double v) {
  return arith::ConstantOp::create(b, numberAttr(type, v));
}
Value Scalars::integer(Type type, int64_t v) {
  return arith::ConstantOp::create(b, integerAttr(type, v));
}

Value Scalars::add(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::AddFOp::create(b, x, y);
  return arith::AddIOp::create(b, x, y);
}
Value Scalars::sub(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::SubFOp::create(b, x, y);
  return arith::SubIOp::create(b, x, y);
}
Value Scalars::mul(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::MulFOp::create(b, x, y);
  return arith::MulIOp::create(b, x, y);
}

/// A constant divisor that needs no guard.
static bool isSafeDivisor(Value y) {
  APInt c;
  return matchPattern(y, m_ConstantInt(&c)) && !c.isZero() && !c.isAllOnes();
}

Value Scalars::div(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::DivFOp::create(b, x, y);
  auto divide = [&](Value x, Value y) -> Value {
    if (isUnsigned)
      return arith::DivUIOp::create(b, x, y);
    return arith::DivSIOp::create(b, x, y);
  };
  if (isSafeDivisor(y))
    return divide(x, y);
  Type type = x.getType();
  Value zero = integer(type, 0), one = integer(type, 1);
  Value byZero = equal(y, zero);
  if (isUnsigned)
    return select(byZero, zero, divide(x, select(byZero, one, y)));
  Value byMinusOne = equal(y, integer(type, -1));
  Value quotient = divide(x, select(either(byZero, byMinusOne), one, y));
  return select(byZero, zero, select(byMinusOne, sub(zero, x), quotient));
}

Value Scalars::rem(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::RemFOp::create(b, x, y);
  Type type = x.getType();
  // Modulo 0 and -1 both give 0, the remainder by 1.
  if (isSafeDivisor(y))
    return isUnsigned ? Value(arith::RemUIOp::create(b, x, y))
                      : Value(arith::RemSIOp::create(b, x, y));
  Value one = integer(type, 1), byZero = equal(y, integer(type, 0));
  if (isUnsigned)
    return arith::RemUIOp::create(b, x, select(byZero, one, y));
  Value unsafe = either(byZero, equal(y, integer(type, -1)));
  return arith::RemSIOp::create(b, x, select(unsafe, one, y));
}

Value Scalars::max(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::MaximumFOp::create(b, x, y);
  if (isUnsigned)
    return arith::MaxUIOp::create(b, x, y);
  return arith::MaxSIOp::create(b, x, y);
}
Value Scalars::min(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::MinimumFOp::create(b, x, y);
  if (isUnsigned)
    return arith::MinUIOp::create(b, x, y);
  return arith::MinSIOp::create(b, x, y);
}
Value Scalars::neg(Value x) {
  if (isFloat(x.getType()))
    return arith::NegFOp::create(b, x);
  return sub(integer(x.getType(), 0), x);
}
Value Scalars::abs(Value x) {
  if (isFloat(x.getType()))
    return math::AbsFOp::create(b, x);
  if (isUnsigned)
    return x;
  return max(x, neg(x));
}
Value Scalars::exp(Value x) { return math::ExpOp::create(b, x); }
Value Scalars::log(Value x) { return math::LogOp::create(b, x); }
Value Scalars::sqrt(Value x) { return math::SqrtOp::create(b, x); }
Value Scalars::tanh(Value x) { return math::TanhOp::create(b, x); }
Value Scalars::sigmoid(Value x) {
  // exp(-x) would overflow before the result is too small for a number.
  Value one = like(x, 1.0), small = exp(neg(abs(x)));
  return div(select(less(x, like(x, 0.0)), small, one), add(one, small));
}
Value Scalars::softplus(Value x) {
  return add(max(x, like(x, 0.0)), math::Log1pOp::create(b, exp(neg(abs(x)))));
}

Value Scalars::equal(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
}
Value Scalars::less(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
  return arith::CmpIOp::create(
      b, isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt, x, y);
}
Value Scalars::lessOrEqual(Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, x, y);
  return arith::CmpIOp::create(
      b, isUnsigned ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle, x, y);
}
Value Scalars::isNaN(Value x) { return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x); }
Value Scalars::isTrue(Value x) {
  if (isFloat(x.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x, like(x, 0.0));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, integer(x.getType(), 0));
}
Value Scalars::both(Value p, Value q) { return arith::AndIOp::create(b, p, q); }
Value Scalars::either(Value p, Value q) { return arith::OrIOp::create(b, p, q); }
Value Scalars::negate(Value p) { return arith::XOrIOp::create(b, p, integer(p.getType(), 1)); }
Value Scalars::select(Value p, Value x, Value y) { return arith::SelectOp::create(b, p, x, y); }

Value Scalars::index(int64_t dim) { return linalg::IndexOp::create(b, dim); }
Value Scalars::toInteger(Value index, Type type) {
  return arith::IndexCastOp::create(b, type, index);
}
Value Scalars::position(int64_t dim, Type type) {
  Value i = toInteger(index(dim), isFloat(type) ? Type(b.getI64Type()) : type);
  return isFloat(type) ? Value(arith::SIToFPOp::create(b, type, i)) : i;
}

Value Scalars::clampIndex(Value i, int64_t size) {
  Type i64 = b.getI64Type();
  if (isa<IndexType>(i.getType()))
    i = arith::IndexCastOp::create(b, i64, i);
  else if (i.getType() != i64)
    i = isUnsigned ? Value(arith::ExtUIOp::create(b, i64, i))
                   : Value(arith::ExtSIOp::create(b, i64, i));
  Value zero = integer(i64, 0);
  Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, i, zero);
  Value wrapped = select(isNegative, arith::AddIOp::create(b, i, integer(i64, size)), i);
  Value low = arith::MaxSIOp::create(b, wrapped, zero);
  Value clamped = arith::MinSIOp::create(b, low, integer(i64, size > 0 ? size - 1 : 0));
  return arith::IndexCastOp::create(b, b.getIndexType(), clamped);
}

Value Scalars::extract(Value tensor, ValueRange indices) {
  return tensor::ExtractOp::create(b, tensor, indices);
}

/// Truncates toward zero and saturates; NaN gives 0. The bounds are powers of two, exact in any
/// float.
static Value floatToInteger(Scalars &s, Value x, Type to, bool toUnsigned) {
  Builder &b = s.b;
  unsigned width = to.getIntOrFloatBitWidth();
  double low = toUnsigned ? 0.0 : -std::ldexp(1.0, width - 1);
  double high = std::ldexp(1.0, toUnsigned ? width : width - 1);
  APInt least = toUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
  APInt most = toUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  auto limit = [&](const APInt &v) -> Value {
    return arith::ConstantOp::create(b, IntegerAttr::get(to, v));
  };
  Value lowF = s.like(x, low), highF = s.like(x, high);
  Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, lowF);
  Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, x, highF);
  Value outside = s.either(s.either(below, above), s.isNaN(x));
  Value safe = s.select(outside, s.like(x, 0.0), x);
  Value inside = toUnsigned ? Value(arith::FPToUIOp::create(b, to, safe))
                            : Value(arith::FPToSIOp::create(b, to, safe));
  return s.select(above, limit(most), s.select(below, limit(least), inside));
}

/// The number in the low bits of an i8.
static Value keepLowBits(Scalars &s, Value x, int32_t type) {
  unsigned bits = subByteIntegerBits(type);
  if (isUnsignedType(type))
    return arith::AndIOp::create(s.b, x, s.integer(x.getType(), (1 << bits) - 1));
  Value by = s.integer(x.getType(), 8 - bits);
  return arith::ShRSIOp::create(s.b, arith::ShLIOp::create(s.b, x, by), by);
}

/// An integer as an f32 that rounds to bf16 as the integer would.
static Value integerToBf16(Scalars &s, Value x, bool isUnsigned) {
  Builder &b = s.b;
  Type type = x.getType(), f32 = b.getF32Type(), f64 = b.getF64Type();
  auto toFloat = [&](Value v, Type to) -> Value {
    return isUnsigned ? Value(arith::UIToFPOp::create(b, to, v))
                      : Value(arith::SIToFPOp::create(b, to, v));
  };
  auto shiftRight = [&](int64_t by) -> Value {
    Value amount = s.integer(type, by);
    return isUnsigned ? Value(arith::ShRUIOp::create(b, x, amount))
                      : Value(arith::ShRSIOp::create(b, x, amount));
  };
  unsigned width = type.getIntOrFloatBitWidth();
  if (width <= 16)
    return toFloat(x, f32);
  if (width == 32)
    return s.roundToOdd(toFloat(x, f64));
  // Above 48 bits, the lowest of the upper 48 stands for the lower 16: exact in f64, rounded alike.
  Value rest = s.isTrue(arith::AndIOp::create(b, x, s.integer(type, 0xffff)));
  Value upper = arith::OrIOp::create(b, shiftRight(16), arith::ExtUIOp::create(b, type, rest));
  Value large = s.mul(toFloat(upper, f64), s.constant(f64, 65536));
  Value top = shiftRight(48), isSmall = s.equal(top, s.integer(type, 0));
  if (!isUnsigned)
    isSmall = s.either(isSmall, s.equal(top, s.integer(type, -1)));
  return s.roundToOdd(s.select(isSmall, toFloat(x, f64), large));
}

/// The type that bodies compute a type in.
static Type bodyType(Builder &b, int32_t type) {
  using T = onnx::TensorProto;
  switch (type) {
  case T::DOUBLE:
    return b.getF64Type();
  case T::FLOAT:
  case T::FLOAT16:
  case T::BFLOAT16:
    return b.getF32Type();
  case T::INT8:
  case T::UINT8:
    return b.getI8Type();
  case T::INT16:
  case T::UINT16:
    return b.getI16Type();
  case T::INT32:
  case T::UINT32:
    return b.getI32Type();
  default:
    return b.getI64Type();
  }
}

Value Scalars::cast(Value x, int32_t from, int32_t to, CastRules rules) {
  using T = onnx::TensorProto;
  if (const SmallFloat *format = smallFloat(from)) {
    x = decodeSmallFloat(x, *format);
    from = T::FLOAT;
  } else if (subByteIntegerBits(from)) {
    x = keepLowBits(*this, x, from);
    from = isUnsignedType(from) ? T::UINT8 : T::INT8;
  }
  if (to == T::BOOL)
    return from == T::BOOL ? x : Value(arith::ExtUIOp::create(b, b.getI8Type(), isTrue(x)));
  if (const SmallFloat *format = smallFloat(to)) // integers beyond f32's are beyond these, too
    return encodeSmallFloat(isFloat(x.getType()) ? x : cast(x, from, T::FLOAT), *format, rules);
  if (subByteIntegerBits(to)) {
    if (isFloat(x.getType())) {
      x = cast(x, from, T::INT32);
      from = T::INT32;
    }
    return keepLowBits(*this, cast(x, from, T::INT8), to);
  }
  Type source = x.getType(), target = bodyType(b, to);
  bool narrow = to == T::FLOAT16 || to == T::BFLOAT16;
  if (isFloat(source) && isFloat(target)) {
    if (source == target)
      return x;
    if (source.getIntOrFloatBitWidth() < target.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(b, target, x);
    return narrow ? roundToOdd(x) : Value(arith::TruncFOp::create(b, target, x));
  }
  if (isFloat(source))
    return floatToInteger(*this, x, target, isUnsignedType(to));
  bool fromUnsigned = isUnsignedType(from);
  if (to == T::BFLOAT16) // f16 ends where f32 is still exact
    return integerToBf16(*this, x, fromUnsigned);
  if (isFloat(target))
    return fromUnsigned ? Value(arith::UIToFPOp::create(b, target, x))
                        : Value(arith::SIToFPOp::create(b, target, x));
  unsigned have = source.getIntOrFloatBitWidth(), want = target.getIntOrFloatBitWidth();
  if (have == want)
    return x;
  if (have > want)
    return arith::TruncIOp::create(b, target, x);
  return fromUnsigned ? Value(arith::ExtUIOp::create(b, target, x))
                      : Value(arith::ExtSIOp::create(b, target, x));
}

} // namespace mtc::onnx_import
