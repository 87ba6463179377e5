//===- ElementTypeTest.cpp - elements in messages -------------------------===//
#include "mtc/Support/ElementType.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

using namespace mtc;

namespace {

template <typename T> std::string format(ElementType type, std::vector<T> values, size_t most = 8) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return formatElements(type, bytes, most);
}

} // namespace

// Integers are exact up to their ends; floats are short.
TEST(FormatElements, KnowsTheTypes) {
  EXPECT_EQ(format<int64_t>(ElementType::I64, {std::numeric_limits<int64_t>::min(), 1}),
            "[-9223372036854775808, 1]");
  EXPECT_EQ(format<uint64_t>(ElementType::U64, {~uint64_t(0)}), "[18446744073709551615]");
  EXPECT_EQ(format<int8_t>(ElementType::I8, {-1}), "[-1]");
  EXPECT_EQ(format<uint8_t>(ElementType::U8, {255}), "[255]");
  EXPECT_EQ(format<uint8_t>(ElementType::Bool, {1, 0}), "[true, false]");
  EXPECT_EQ(format<float>(ElementType::F32, {0.1f, -2}), "[0.1, -2]");
  EXPECT_EQ(format<double>(ElementType::F64, {0.1}), "[0.1]");
  EXPECT_EQ(format<uint16_t>(ElementType::F16, {0x3c00, 0xfc00}), "[1, -inf]");
  EXPECT_EQ(format<uint16_t>(ElementType::BF16, {0x3f80}), "[1]");
}

// Nothing, and more than fits.
TEST(FormatElements, CutsLongLists) {
  EXPECT_EQ(format<int32_t>(ElementType::I32, {}), "[]");
  EXPECT_EQ(format<int32_t>(ElementType::I32, {1, 2, 3}, 2), "[1, 2, ... 3 in all]");
}
