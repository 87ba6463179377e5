//===- SmallFloat.cpp - floats of 8 bits and fewer ------------------------===//
#include "mtc/Support/SmallFloat.h"

#include <cmath>
#include <limits>

namespace mtc {

using Specials = SmallFloat::Specials;

int32_t SmallFloat::largest() const {
  int32_t all = (1 << (exponentBits + mantissaBits)) - 1;
  switch (specials) {
  case Specials::InfinityAndNaN:
    return all - (1 << mantissaBits);
  case Specials::NaN:
    return all - 1;
  case Specials::NaNIsMinusZero:
  case Specials::None:
    return all;
  }
  return all;
}

const SmallFloat *smallFloatOf(ElementType type) {
  static constexpr SmallFloat e4m3fn{4, 3, 7, Specials::NaN};
  static constexpr SmallFloat e4m3fnuz{4, 3, 8, Specials::NaNIsMinusZero};
  static constexpr SmallFloat e5m2{5, 2, 15, Specials::InfinityAndNaN};
  static constexpr SmallFloat e5m2fnuz{5, 2, 16, Specials::NaNIsMinusZero};
  static constexpr SmallFloat e8m0{8, 0, 127, Specials::NaN, false};
  static constexpr SmallFloat e2m3{2, 3, 1, Specials::None};
  static constexpr SmallFloat e3m2{3, 2, 3, Specials::None};
  static constexpr SmallFloat e2m1{2, 1, 1, Specials::None};
  switch (type) {
  case ElementType::F8E4M3FN:
    return &e4m3fn;
  case ElementType::F8E4M3FNUZ:
    return &e4m3fnuz;
  case ElementType::F8E5M2:
    return &e5m2;
  case ElementType::F8E5M2FNUZ:
    return &e5m2fnuz;
  case ElementType::F8E8M0:
    return &e8m0;
  case ElementType::F6E2M3:
    return &e2m3;
  case ElementType::F6E3M2:
    return &e3m2;
  case ElementType::F4E2M1:
    return &e2m1;
  default:
    return nullptr;
  }
}

float decodeSmallFloat(const SmallFloat &format, uint8_t code) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  if (!format.isSigned)
    return code == 255 ? nan : std::ldexp(1.0f, code - format.bias);
  const int32_t width = format.exponentBits + format.mantissaBits;
  const int32_t magnitude = code & ((1 << width) - 1);
  const bool negative = code >> width & 1;
  if (format.specials == Specials::NaNIsMinusZero && negative && magnitude == 0)
    return nan;
  float value;
  if (magnitude > format.largest()) {
    bool infinite = format.specials == Specials::InfinityAndNaN &&
                    (magnitude & ((1 << format.mantissaBits) - 1)) == 0;
    value = infinite ? std::numeric_limits<float>::infinity() : nan;
  } else {
    const int32_t one = 1 << format.mantissaBits;
    const int32_t exponent = magnitude >> format.mantissaBits;
    const int32_t fraction = magnitude & (one - 1);
    value = std::ldexp(static_cast<float>(exponent ? fraction + one : fraction),
                       std::max(exponent, 1) - format.bias - format.mantissaBits);
  }
  return negative ? -value : value;
}

} // namespace mtc
