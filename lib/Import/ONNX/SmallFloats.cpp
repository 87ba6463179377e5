//===- SmallFloats.cpp - conversions to and from floats of 8 bits ---------===//
//
// LLVM has no instructions for these formats, so they are i8 in the IR and converted by integer
// arithmetic that vectorizes: no tables, no branches. Rules: the description of ONNX Cast,
// https://onnx.ai/onnx/operators/onnx__Cast.html
//
//===----------------------------------------------------------------------===//
#include "Builders.h"
#include "Steps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;

namespace mtc::onnx_import {

using Specials = SmallFloat::Specials;

const SmallFloat *smallFloat(int32_t type) {
  const char *name = callerTypeName(type);
  if (!name)
    return nullptr;
  StatusOr<ElementType> parsed = parseElementType(name);
  return parsed.ok() ? smallFloatOf(*parsed) : nullptr;
}

namespace {

/// Operations on the bits of a float of 32 or 64 bits.
struct Bits {
  Scalars &s;
  Builder &b;
  Type type;           ///< of the bits
  int width, mantissa; ///< of the float
  int bias;

  Bits(Scalars &s, Type floatType) : s(s), b(s.b) {
    bool wide = floatType.isF64();
    type = wide ? b.getI64Type() : b.getI32Type();
    width = wide ? 64 : 32;
    mantissa = wide ? 52 : 23;
    bias = wide ? 1023 : 127;
  }
  Value number(int64_t v) { return s.integer(type, v); }
  Value of(Value x) { return arith::BitcastOp::create(b, type, x); }
  Value land(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value lor(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value shl(Value x, int by) { return arith::ShLIOp::create(b, x, number(by)); }
  Value shr(Value x, int by) { return arith::ShRUIOp::create(b, x, number(by)); }
  Value above(Value x, int64_t v) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, x, number(v));
  }
  Value is(Value x, int64_t v) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, number(v));
  }
};

/// The code of the nearest power of two, of an f32.
Value encodePowerOfTwo(Scalars &s, Value x, CastRules rules) {
  using Rounding = CastRules::Rounding;
  Bits bits(s, x.getType());
  constexpr int64_t mantissa = 0x7fffff, half = 0x400000, infinity = 0x7f800000;
  Value magnitude = bits.land(bits.of(x), bits.number(0x7fffffff));
  Value exponent = bits.shr(magnitude, 23);
  Value fraction = bits.land(magnitude, bits.number(mantissa));
  // Below 2^-126 an f32 has no leading one: 2^-127, the least power, is half of the mantissa.
  Value isSubnormal = bits.is(exponent, 0);
  Value up;
  switch (rules.powerOfTwo) {
  case Rounding::Up:
    up = bits.above(fraction, 0);
    up = s.select(isSubnormal, bits.above(fraction, half), up);
    break;
  case Rounding::Nearest:
    up = bits.above(fraction, half - 1);
    up = s.select(isSubnormal, bits.above(fraction, half + half / 2 - 1), up);
    break;
  case Rounding::Down:
    up = s.integer(s.b.getI1Type(), 0);
    break;
  }
  Value code = s.add(exponent, arith::ExtUIOp::create(s.b, bits.type, up));
  // Codes from 255 on, infinity among them.
  code = rules.saturate ? s.min(code, bits.number(254)) : s.min(code, bits.number(255));
  if (!rules.saturate) {
    Value below = s.both(isSubnormal, s.negate(bits.above(fraction, half - 1)));
    code = s.select(below, bits.number(255), code);
  }
  code = s.select(bits.above(magnitude, infinity), bits.number(255), code);
  return arith::TruncIOp::create(s.b, s.b.getI8Type(), code);
}

} // namespace

Value Scalars::roundToOdd(Value x) {
  Type f32 = b.getF32Type(), f64 = b.getF64Type();
  Bits bits(*this, f32);
  Value near = arith::TruncFOp::create(b, f32, x);
  Value back = arith::ExtFOp::create(b, f64, near);
  Value isTooLarge = less(abs(x), abs(back));
  Value isInexact = arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, back, x);
  Value code = bits.of(near);
  // One step toward zero; a carry out of the mantissa is the right step, too.
  code = sub(code, arith::ExtUIOp::create(b, bits.type, isTooLarge));
  code = bits.lor(code, arith::ExtUIOp::create(b, bits.type, isInexact));
  return arith::BitcastOp::create(b, f32, code);
}

Value Scalars::decodeSmallFloat(Value code, const SmallFloat &format) {
  Type f32 = b.getF32Type();
  Bits bits(*this, f32);
  constexpr int64_t nan = 0x7fc00000, infinity = 0x7f800000;
  auto asFloat = [&](Value v) -> Value { return arith::BitcastOp::create(b, f32, v); };
  Value wide = arith::ExtUIOp::create(b, bits.type, code);
  if (!format.isSigned) {
    Value value = select(bits.is(wide, 0), bits.number(0x400000), bits.shl(wide, 23));
    return asFloat(select(bits.is(wide, 255), bits.number(nan), value));
  }
  int width = format.exponentBits + format.mantissaBits;
  Value magnitude = bits.land(wide, bits.number((1 << width) - 1));
  Value sign = bits.shl(bits.land(bits.shr(wide, width), bits.number(1)), 31);
  Value normal = add(bits.shl(magnitude, 23 - format.mantissaBits),
                     bits.number(int64_t(127 - format.bias) << 23));
  Value subnormal = mul(Value(arith::SIToFPOp::create(b, f32, magnitude)),
                        constant(f32, std::ldexp(1.0, 1 - format.bias - format.mantissaBits)));
  Value isNormal = bits.above(magnitude, (1 << format.mantissaBits) - 1);
  Value value = select(isNormal, normal, bits.of(subnormal));
  if (format.specials == Specials::InfinityAndNaN)
    value = select(bits.above(magnitude, format.largest()),
                   select(bits.above(magnitude, format.largest() + 1), bits.number(nan),
                          bits.number(infinity)),
                   value);
  if (format.specials == Specials::NaN)
    value = select(bits.above(magnitude, format.largest()), bits.number(nan), value);
  value = bits.lor(value, sign);
  if (format.specials == Specials::NaNIsMinusZero)
    value = select(bits.is(wide, 0x80), bits.number(nan), value);
  return asFloat(value);
}

Value Scalars::encodeSmallFloat(Value x, const SmallFloat &format, CastRules rules) {
  if (!format.isSigned)
    return encodePowerOfTwo(*this, x.getType().isF64() ? roundToOdd(x) : x, rules);
  Bits bits(*this, x.getType());
  int width = format.exponentBits + format.mantissaBits;
  int64_t most = (int64_t(1) << (bits.width - 1)) - 1, signCode = 1 << width;
  Value code = bits.of(x);
  Value absolute = bits.land(code, bits.number(most)), size = abs(x);
  Value sign = bits.shl(bits.shr(code, bits.width - 1), width);
  // Normal: adding almost half of the last place, and its lowest bit, rounds half to even; the
  // carry moves into the exponent.
  int shift = bits.mantissa - format.mantissaBits;
  Value lowest = bits.land(bits.shr(absolute, shift), bits.number(1));
  Value rounded = add(add(absolute, bits.number((int64_t(1) << (shift - 1)) - 1)), lowest);
  Value magnitude = sub(bits.shr(rounded, shift),
                        bits.number(int64_t(bits.bias - format.bias) << format.mantissaBits));
  // Subnormal: a count of the least number.
  Value isSubnormal = less(size, like(x, std::ldexp(1.0, 1 - format.bias)));
  Value count = mul(select(isSubnormal, size, like(x, 0)),
                    like(x, std::ldexp(1.0, format.bias - 1 + format.mantissaBits)));
  count = math::RoundEvenOp::create(b, count);
  magnitude = select(isSubnormal, Value(arith::FPToSIOp::create(b, bits.type, count)), magnitude);

  int64_t largest = format.largest(), nan = 0;
  Value isLarge = bits.above(magnitude, largest);
  switch (format.specials) {
  case Specials::InfinityAndNaN:
    nan = (largest + 1) | (1 << (format.mantissaBits - 1));
    magnitude = select(isLarge, bits.number(rules.saturate ? largest : largest + 1), magnitude);
    break;
  case Specials::NaN:
    nan = signCode - 1;
    magnitude = select(isLarge, bits.number(rules.saturate ? largest : nan), magnitude);
    break;
  case Specials::None: // always saturates; NaN becomes -0, as in ml_dtypes
  case Specials::NaNIsMinusZero:
    nan = signCode;
    magnitude = select(isLarge, bits.number(largest), magnitude);
    break;
  }
  bool hasSignedZero = format.specials != Specials::NaNIsMinusZero;
  bool hasSignedNaN = nan != signCode;
  Value isNotANumber = isNaN(x);
  if (hasSignedNaN)
    magnitude = select(isNotANumber, bits.number(nan), magnitude);
  Value result = bits.lor(magnitude, sign);
  if (!hasSignedZero)
    result = select(bits.is(magnitude, 0), bits.number(0), result);
  if (!hasSignedZero && !rules.saturate)
    result = select(isLarge, bits.number(nan), result);
  if (!hasSignedNaN)
    result = select(isNotANumber, bits.number(nan), result);
  return arith::TruncIOp::create(b, b.getI8Type(), result);
}

Value unpackBits(Builder &b, Value packed, RankedTensorType result, unsigned bits, bool isSigned) {
  int64_t bytes = cast<RankedTensorType>(packed.getType()).getNumElements();
  RankedTensorType flat = tensorType({result.getNumElements()}, b.getI8Type());
  Value unpacked = mapElements(b, flat, {}, [&](Scalars &s, ValueRange) {
    Type i32 = s.b.getI32Type(), i64 = s.b.getI64Type();
    Value at = s.mul(s.position(0, i64), s.integer(i64, bits));
    Value byte = arith::ShRUIOp::create(s.b, at, s.integer(i64, 3));
    auto load = [&](Value i) -> Value {
      return arith::ExtUIOp::create(s.b, i32, s.extract(packed, {s.clampIndex(i, bytes)}));
    };
    Value word = load(byte);
    if (8 % bits != 0) { // an element may end in the next byte
      Value next = load(s.add(byte, s.integer(i64, 1)));
      word = arith::OrIOp::create(s.b, word, arith::ShLIOp::create(s.b, next, s.integer(i32, 8)));
    }
    Value offset =
        arith::TruncIOp::create(s.b, i32, arith::AndIOp::create(s.b, at, s.integer(i64, 7)));
    word = arith::ShRUIOp::create(s.b, word, offset);
    Value unused = s.integer(i32, 32 - bits);
    word = arith::ShLIOp::create(s.b, word, unused);
    word = isSigned ? Value(arith::ShRSIOp::create(s.b, word, unused))
                    : Value(arith::ShRUIOp::create(s.b, word, unused));
    return Value(arith::TruncIOp::create(s.b, s.b.getI8Type(), word));
  });
  return reshape(b, unpacked, result.getShape());
}

} // namespace mtc::onnx_import
