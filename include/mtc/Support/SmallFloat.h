//===- SmallFloat.h - floats of 8 bits and fewer --------------------------===//
//
// The formats of ONNX and of the OCP Microscaling specification, each described by the widths of
// its fields and by what its largest codes mean. Source: https://onnx.ai/onnx/technical/float8.html
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/ElementType.h"

namespace mtc {

/// A float of up to 8 bits: sign, exponent, mantissa from the highest bit down; subnormals as in
/// IEEE 754. e8m0 is an exponent alone: no sign, no zero, no subnormals.
struct SmallFloat {
  enum class Specials : uint8_t {
    InfinityAndNaN, ///< as IEEE 754: the largest exponent
    NaN,            ///< the largest magnitude is NaN, no infinity ("fn")
    NaNIsMinusZero, ///< what would be -0 is the only NaN, no infinity ("fnuz")
    None            ///< every code is finite
  };
  int32_t exponentBits;
  int32_t mantissaBits;
  int32_t bias;
  Specials specials;
  bool isSigned = true;

  /// The largest finite magnitude, as its code.
  int32_t largest() const;
};

/// The format of an element type; null for all others.
const SmallFloat *smallFloatOf(ElementType type);

/// The number that `code` stands for; exact. Bits above the format's are ignored.
float decodeSmallFloat(const SmallFloat &format, uint8_t code);

} // namespace mtc
