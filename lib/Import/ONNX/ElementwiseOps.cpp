//===- ElementwiseOps.cpp - arithmetic, comparison, logic, math, Cast -----===//
//
// Each operator is one all-parallel generic. Mixed cases follow ONNX: comparisons give bool (i8
// holding 0 or 1), Max and Min pass a NaN on, integer division truncates and is guarded.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"
#include "Steps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using UnaryBody = Value (*)(Scalars &, Value);
using BinaryBody = Value (*)(Scalars &, Value, Value);

template <UnaryBody body> Results unary(NodeContext &c) {
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], {Operand(c.inputs[0])},
      [](Scalars &s, ValueRange v) { return body(s, v[0]); }, isUnsignedType(c.inputTypes[0]))};
}

template <BinaryBody body> Results binary(NodeContext &c) {
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], {operand(c, 0), operand(c, 1)},
      [](Scalars &s, ValueRange v) { return body(s, v[0], v[1]); },
      isUnsignedType(c.inputTypes[0]))};
}

/// Max, Min, Sum: any number of operands, from the left.
template <BinaryBody body> Results variadic(NodeContext &c) {
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], allOperands(c),
      [](Scalars &s, ValueRange v) {
        Value acc = v[0];
        for (Value x : v.drop_front())
          acc = body(s, acc, x);
        return acc;
      },
      isUnsignedType(c.inputTypes[0]))};
}

template <typename Op> Value mathOp(Scalars &s, Value x) { return Op::create(s.b, x); }

Value add(Scalars &s, Value x, Value y) { return s.add(x, y); }
Value sub(Scalars &s, Value x, Value y) { return s.sub(x, y); }
Value mul(Scalars &s, Value x, Value y) { return s.mul(x, y); }
Value div(Scalars &s, Value x, Value y) { return s.div(x, y); }
Value max(Scalars &s, Value x, Value y) { return s.max(x, y); }
Value min(Scalars &s, Value x, Value y) { return s.min(x, y); }
Value abs(Scalars &s, Value x) { return s.abs(x); }
Value neg(Scalars &s, Value x) { return s.neg(x); }
Value exp(Scalars &s, Value x) { return s.exp(x); }
Value log(Scalars &s, Value x) { return s.log(x); }
Value sqrt(Scalars &s, Value x) { return s.sqrt(x); }
Value reciprocal(Scalars &s, Value x) { return s.div(s.like(x, 1.0), x); }
Value equal(Scalars &s, Value x, Value y) { return s.equal(x, y); }
Value less(Scalars &s, Value x, Value y) { return s.less(x, y); }
Value lessOrEqual(Scalars &s, Value x, Value y) { return s.lessOrEqual(x, y); }
Value greater(Scalars &s, Value x, Value y) { return s.less(y, x); }
Value greaterOrEqual(Scalars &s, Value x, Value y) { return s.lessOrEqual(y, x); }
Value logicalNot(Scalars &s, Value x) { return s.negate(s.isTrue(x)); }
Value logicalAnd(Scalars &s, Value x, Value y) { return s.both(s.isTrue(x), s.isTrue(y)); }
Value logicalOr(Scalars &s, Value x, Value y) { return s.either(s.isTrue(x), s.isTrue(y)); }
Value logicalXor(Scalars &s, Value x, Value y) {
  return arith::XOrIOp::create(s.b, s.isTrue(x), s.isTrue(y));
}
Value bitwiseAnd(Scalars &s, Value x, Value y) { return arith::AndIOp::create(s.b, x, y); }
Value bitwiseOr(Scalars &s, Value x, Value y) { return arith::OrIOp::create(s.b, x, y); }
Value bitwiseXor(Scalars &s, Value x, Value y) { return arith::XOrIOp::create(s.b, x, y); }
Value bitwiseNot(Scalars &s, Value x) {
  return arith::XOrIOp::create(s.b, x, s.integer(x.getType(), -1));
}

/// Floats: a NaN stays, zeros keep their sign.
Value sign(Scalars &s, Value x) {
  Value zero = s.like(x, 0.0), one = s.like(x, 1.0);
  if (s.isUnsigned)
    return s.select(s.isTrue(x), one, zero);
  Value negative = s.select(s.less(x, zero), s.like(x, -1.0), x);
  return s.select(s.less(zero, x), one, negative);
}

/// An amount outside of [0, width) shifts everything out: 0, or the sign of a right shift.
template <typename Op> Value shift(Scalars &s, Value x, Value amount) {
  Type type = x.getType();
  int64_t bits = type.getIntOrFloatBitWidth();
  Value inside =
      arith::CmpIOp::create(s.b, arith::CmpIPredicate::ult, amount, s.integer(type, bits));
  if (std::is_same_v<Op, arith::ShRSIOp>)
    return Op::create(s.b, x, s.select(inside, amount, s.integer(type, bits - 1)));
  Value zero = s.integer(type, 0);
  return s.select(inside, Op::create(s.b, x, s.select(inside, amount, zero)), zero);
}

Results bitShift(NodeContext &c) {
  std::string direction = c.stringAttr("direction", "");
  if (direction == "LEFT")
    return binary<shift<arith::ShLIOp>>(c);
  if (direction == "RIGHT")
    return isUnsignedType(c.inputTypes[0]) ? binary<shift<arith::ShRUIOp>>(c)
                                           : binary<shift<arith::ShRSIOp>>(c);
  return c.reject("direction is neither LEFT nor RIGHT");
}

/// The remainder with the divisor's sign, as in Python.
Value flooredMod(Scalars &s, Value x, Value y) {
  Value r = s.rem(x, y);
  if (s.isUnsigned)
    return r;
  Value zero = s.like(x, 0.0);
  Value differs = arith::XOrIOp::create(s.b, s.less(r, zero), s.less(y, zero));
  Value isZero = s.either(s.equal(r, zero), s.equal(y, zero));
  return s.select(s.both(differs, s.negate(isZero)), s.add(r, y), r);
}
Value truncatedMod(Scalars &s, Value x, Value y) { return s.rem(x, y); }

Results mod(NodeContext &c) {
  return c.intAttr("fmod", 0) ? binary<truncatedMod>(c) : binary<flooredMod>(c);
}

Results mean(NodeContext &c) {
  double n = c.inputs.size();
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], allOperands(c), [&](Scalars &s, ValueRange v) {
        Value acc = v[0];
        for (Value x : v.drop_front())
          acc = s.add(acc, x);
        return s.div(acc, s.like(acc, n));
      })};
}

/// x to a constant power without math.powf, or null.
Value powConstant(Scalars &s, Value x, double power) {
  if (power == 1)
    return x;
  if (power == 2)
    return s.mul(x, x);
  if (power == 3)
    return s.mul(s.mul(x, x), x);
  if (!isFloat(x.getType()))
    return {};
  if (power == 0)
    return s.like(x, 1.0);
  if (power == -1)
    return s.div(s.like(x, 1.0), x);
  if (power == 0.5) {
    // pow(-inf, 0.5) is inf and pow(-0, 0.5) is 0: what |x| gives, except for other negative x.
    Value infinite = s.equal(x, s.like(x, -INFINITY));
    return s.select(infinite, s.like(x, INFINITY), s.add(s.sqrt(x), s.like(x, 0.0)));
  }
  return {};
}

/// x to the power y in f64 where y is an integer below 64: by squaring, so that what an f64 can
/// hold is exact and an integer is not cut to the one below; else math.powf.
Value powOfInteger(Scalars &s, Value x, Value y) {
  Value size = s.abs(y), limit = s.like(y, 64);
  Value whole = s.both(s.less(size, limit), s.equal(y, math::FloorOp::create(s.b, y)));
  Type i64 = s.b.getI64Type();
  Value n = s.cast(s.select(whole, size, s.like(y, 0)), onnx::TensorProto::DOUBLE,
                   onnx::TensorProto::INT64);
  Value product = s.like(x, 1), square = x;
  for (int64_t bit = 1; bit < 64; bit *= 2) {
    Value has = s.isTrue(arith::AndIOp::create(s.b, n, s.integer(i64, bit)));
    product = s.select(has, s.mul(product, square), product);
    square = s.mul(square, square);
  }
  Value exact = s.select(s.less(y, s.like(y, 0)), s.div(s.like(x, 1), product), product);
  return s.select(whole, exact, math::PowFOp::create(s.b, x, y));
}

/// Integers go through f64: exact up to 2^53.
Results pow(NodeContext &c) {
  using T = onnx::TensorProto;
  Operand base = operand(c, 0), exponent = operand(c, 1);
  std::optional<double> power;
  if (auto f = dyn_cast_or_null<FloatAttr>(exponent.scalar))
    power = f.getValueAsDouble();
  else if (auto i = dyn_cast_or_null<IntegerAttr>(exponent.scalar))
    power = static_cast<double>(i.getValue().getSExtValue());
  int32_t type = c.inputTypes[0], powerType = c.inputTypes[1];
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {base, exponent}, [&](Scalars &s, ValueRange v) {
        if (power)
          if (Value y = powConstant(s, v[0], *power))
            return y;
        bool viaDouble = !isFloat(v[0].getType());
        Value x = viaDouble ? s.cast(v[0], type, T::DOUBLE) : v[0];
        bool wide = isFloat(x.getType()) && x.getType().isF64();
        Value y = s.cast(v[1], powerType, wide ? T::DOUBLE : T::FLOAT);
        Value r = viaDouble ? powOfInteger(s, x, y) : Value(math::PowFOp::create(s.b, x, y));
        return viaDouble ? s.cast(r, T::DOUBLE, type) : r;
      })};
}

/// Floats of 8 bits, too.
Results isNaN(NodeContext &c) {
  int32_t from = c.inputTypes[0];
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[0])}, [&](Scalars &s, ValueRange v) {
        return s.isNaN(smallFloat(from) ? s.cast(v[0], from, onnx::TensorProto::FLOAT) : v[0]);
      })};
}

Results isInf(NodeContext &c) {
  int32_t from = c.inputTypes[0];
  bool positive = c.intAttr("detect_positive", 1), negative = c.intAttr("detect_negative", 1);
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[0])}, [&](Scalars &s, ValueRange v) {
        Value x = smallFloat(from) ? s.cast(v[0], from, onnx::TensorProto::FLOAT) : v[0];
        Value no = s.integer(s.b.getI1Type(), 0);
        Value up = positive ? s.equal(x, s.like(x, INFINITY)) : no;
        Value down = negative ? s.equal(x, s.like(x, -INFINITY)) : no;
        return s.either(up, down);
      })};
}

/// min(max(x, low), high), also where low > high; limits absent, known or not.
Results clip(NodeContext &c) {
  SmallVector<Operand> operands{Operand(c.inputs[0])};
  bool hasLow = c.hasInput(1), hasHigh = c.hasInput(2);
  if (hasLow)
    operands.push_back(operand(c, 1));
  if (hasHigh)
    operands.push_back(operand(c, 2));
  // Before opset 11 the limits are attributes.
  const onnx::AttributeProto *low = c.attribute("min"), *high = c.attribute("max");
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], operands,
      [&](Scalars &s, ValueRange v) {
        Value x = v[0];
        if (hasLow)
          x = s.max(x, v[1]);
        else if (low)
          x = s.max(x, s.like(x, low->f()));
        if (hasHigh)
          x = s.min(x, v.back());
        else if (high)
          x = s.min(x, s.like(x, high->f()));
        return x;
      },
      isUnsignedType(c.inputTypes[0]))};
}

Results where(NodeContext &c) {
  // The branches keep their element type: no arithmetic, so no widening would be needed.
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[0]), operand(c, 1), operand(c, 2)},
                  [](Scalars &s, ValueRange v) { return s.select(s.isTrue(v[0]), v[1], v[2]); })};
}

/// The same bits as another type of equal width.
Results bitCast(NodeContext &c) {
  Type from = c.type(0).getElementType(), to = c.resultTypes[0].getElementType();
  int32_t fromType = c.inputTypes[0], toType = c.outputTypes[0];
  if (elementBits(fromType) != elementBits(toType))
    return c.reject("types of different width");
  // Integers of 4 and 2 bits are extended to their byte each in its way.
  if (subByteIntegerBits(toType) && fromType != toType)
    return SmallVector<Value>{
        mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[0])}, [&](Scalars &s, ValueRange v) {
          return s.cast(v[0], onnx::TensorProto::UINT8, toType);
        })};
  if (from == to)
    return SmallVector<Value>{c.inputs[0]};
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[0])}, [&](Scalars &s, ValueRange v) {
        Value x = v[0];
        if (x.getType() != from) // f16 arrives as f32
          x = arith::TruncFOp::create(s.b, from, x);
        return Value(arith::BitcastOp::create(s.b, to, x));
      })};
}

Results castOp(NodeContext &c) {
  int32_t from = c.inputTypes[0], to = c.outputTypes[0];
  if (from == to)
    return SmallVector<Value>{c.inputs[0]};
  CastRules rules;
  rules.saturate = c.intAttr("saturate", 1) != 0;
  std::string rounding = c.stringAttr("round_mode", "up");
  if (rounding != "up" && rounding != "down" && rounding != "nearest")
    return c.reject("round_mode is '" + Twine(rounding) + "', wanted up, down or nearest");
  rules.powerOfTwo = rounding == "up"     ? CastRules::Rounding::Up
                     : rounding == "down" ? CastRules::Rounding::Down
                                          : CastRules::Rounding::Nearest;
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], {Operand(c.inputs[0])},
      [&](Scalars &s, ValueRange v) { return s.cast(v[0], from, to, rules); },
      isUnsignedType(from))};
}

constexpr const char *numbers = "f16 bf16 f32 f64 i8-i64 u8-u64";
constexpr const char *floats = "f16 bf16 f32 f64";
constexpr const char *integers = "i8-i64 u8-u64";
constexpr const char *guarded = "integers: x / 0 = 0, min / -1 = min";

const OpRow rows[] = {
    {"", "Abs", 1, unary<abs>, numbers, ""},
    {"", "Acos", 7, unary<mathOp<math::AcosOp>>, floats, ""},
    {"", "Acosh", 9, unary<mathOp<math::AcoshOp>>, floats, ""},
    {"", "Add", 7, binary<add>, numbers, ""},
    {"", "And", 7, binary<logicalAnd>, "bool", ""},
    {"", "Asin", 7, unary<mathOp<math::AsinOp>>, floats, ""},
    {"", "Asinh", 9, unary<mathOp<math::AsinhOp>>, floats, ""},
    {"", "Atan", 7, unary<mathOp<math::AtanOp>>, floats, ""},
    {"", "Atanh", 9, unary<mathOp<math::AtanhOp>>, floats, ""},
    {"", "BitCast", 26, bitCast, "types of equal width", ""},
    {"", "BitShift", 11, bitShift, integers, "an amount outside of [0, width) shifts all bits out"},
    {"", "BitwiseAnd", 18, binary<bitwiseAnd>, integers, ""},
    {"", "BitwiseNot", 18, unary<bitwiseNot>, integers, ""},
    {"", "BitwiseOr", 18, binary<bitwiseOr>, integers, ""},
    {"", "BitwiseXor", 18, binary<bitwiseXor>, integers, ""},
    {"", "Cast", 6, castOp, "all but strings and complex",
     "floats to integers truncate and saturate (4 and 2 bits: keep the low bits), NaN gives 0"},
    {"", "CastLike", 15, castOp, "all but strings and complex", "as Cast"},
    {"", "Ceil", 6, unary<mathOp<math::CeilOp>>, floats, ""},
    {"", "Clip", 6, clip, numbers, "limits may be data"},
    {"", "Cos", 7, unary<mathOp<math::CosOp>>, floats, ""},
    {"", "Cosh", 9, unary<mathOp<math::CoshOp>>, floats, ""},
    {"", "Div", 7, binary<div>, numbers, guarded},
    {"", "Equal", 7, binary<equal>, "numbers and bool", ""},
    {"", "Exp", 6, unary<exp>, floats, ""},
    {"", "Floor", 6, unary<mathOp<math::FloorOp>>, floats, ""},
    {"", "Greater", 7, binary<greater>, numbers, ""},
    {"", "GreaterOrEqual", 12, binary<greaterOrEqual>, numbers, ""},
    {"", "IsInf", 10, isInf, "f16 bf16 f32 f64, 8-bit floats", ""},
    {"", "IsNaN", 9, isNaN, "f16 bf16 f32 f64, 8-bit floats", ""},
    {"", "Less", 7, binary<less>, numbers, ""},
    {"", "LessOrEqual", 12, binary<lessOrEqual>, numbers, ""},
    {"", "Log", 6, unary<log>, floats, ""},
    {"", "Max", 8, variadic<max>, numbers, "a NaN is passed on"},
    {"", "Mean", 8, mean, floats, ""},
    {"", "Min", 8, variadic<min>, numbers, "a NaN is passed on"},
    {"", "Mod", 10, mod, numbers, "integers: x % 0 = 0"},
    {"", "Mul", 7, binary<mul>, numbers, ""},
    {"", "Neg", 6, unary<neg>, "f16 bf16 f32 f64 i8-i64", ""},
    {"", "Not", 1, unary<logicalNot>, "bool", ""},
    {"", "Or", 7, binary<logicalOr>, "bool", ""},
    {"", "Pow", 7, pow, numbers, "integers are computed in f64"},
    {"", "Reciprocal", 6, unary<reciprocal>, floats, ""},
    {"", "Round", 11, unary<mathOp<math::RoundEvenOp>>, floats, "half to even"},
    {"", "Sign", 9, unary<sign>, numbers, ""},
    {"", "Sin", 7, unary<mathOp<math::SinOp>>, floats, ""},
    {"", "Sinh", 9, unary<mathOp<math::SinhOp>>, floats, ""},
    {"", "Sqrt", 6, unary<sqrt>, floats, ""},
    {"", "Sub", 7, binary<sub>, numbers, ""},
    {"", "Sum", 8, variadic<add>, floats, ""},
    {"", "Tan", 7, unary<mathOp<math::TanOp>>, floats, ""},
    {"", "Where", 9, where, "numbers and bool", ""},
    {"", "Xor", 7, binary<logicalXor>, "bool", ""},
};

} // namespace

ArrayRef<OpRow> elementwiseOps() { return rows; }

} // namespace mtc::onnx_import
