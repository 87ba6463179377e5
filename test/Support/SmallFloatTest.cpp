//===- SmallFloatTest.cpp - floats of 8 bits and fewer --------------------===//
#include "mtc/Support/SmallFloat.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace mtc;

namespace {

float decode(ElementType type, int code) {
  return decodeSmallFloat(*smallFloatOf(type), static_cast<uint8_t>(code));
}

// Largest, smallest and special values as the tables of ONNX and of OCP MX give them.
TEST(SmallFloat, Landmarks) {
  EXPECT_EQ(decode(ElementType::F8E4M3FN, 0x7e), 448);
  EXPECT_EQ(decode(ElementType::F8E4M3FN, 0x01), std::ldexp(1.0f, -9));
  EXPECT_TRUE(std::isnan(decode(ElementType::F8E4M3FN, 0xff)));
  EXPECT_EQ(decode(ElementType::F8E4M3FNUZ, 0x7f), 240);
  EXPECT_TRUE(std::isnan(decode(ElementType::F8E4M3FNUZ, 0x80)));
  EXPECT_EQ(decode(ElementType::F8E5M2, 0x7b), 57344);
  EXPECT_EQ(decode(ElementType::F8E5M2, 0xfc), -INFINITY);
  EXPECT_TRUE(std::isnan(decode(ElementType::F8E5M2, 0x7d)));
  EXPECT_TRUE(std::signbit(decode(ElementType::F8E5M2, 0x80)));
  EXPECT_EQ(decode(ElementType::F8E5M2FNUZ, 0xff), -57344);
  EXPECT_EQ(decode(ElementType::F8E8M0, 0), std::ldexp(1.0f, -127));
  EXPECT_EQ(decode(ElementType::F8E8M0, 254), std::ldexp(1.0f, 127));
  EXPECT_TRUE(std::isnan(decode(ElementType::F8E8M0, 255)));
  EXPECT_EQ(decode(ElementType::F6E2M3, 0x1f), 7.5);
  EXPECT_EQ(decode(ElementType::F6E3M2, 0x3f), -28);
  EXPECT_EQ(decode(ElementType::F4E2M1, 0x7), 6);
  EXPECT_EQ(decode(ElementType::F4E2M1, 0x9), -0.5);
  // Bits above the format's do not count.
  EXPECT_EQ(decode(ElementType::F4E2M1, 0xf7), 6);
}

// Magnitudes grow with their codes, so every code has a value of its own.
TEST(SmallFloat, Ordered) {
  int formats = 0;
  for (const ElementTypeInfo &row : elementTypes()) {
    const SmallFloat *format = smallFloatOf(row.type);
    if (!format)
      continue;
    ++formats;
    EXPECT_EQ(row.bits, format->isSigned + format->exponentBits + format->mantissaBits) << row.name;
    for (int code = 1; code <= format->largest(); ++code)
      EXPECT_LT(decode(row.type, code - 1), decode(row.type, code)) << row.name << " " << code;
  }
  EXPECT_EQ(formats, 8);
}

} // namespace
