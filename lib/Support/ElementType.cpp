//===- ElementType.cpp - the table behind ElementType.h -------------------===//
#include "mtc/Support/ElementType.h"

#include <fmt/format.h>

#include <cassert>

namespace mtc {

// DLPack codes: 0 int, 1 unsigned, 2 float, 4 bfloat, 6 bool, 10 to 17 the small floats.
static constexpr ElementTypeInfo table[] = {
    {ElementType::F16, "f16", 2, "<f2", 2, 16, 16, ElementType::F16},
    {ElementType::BF16, "bf16", 2, "<V2", 4, 16, 16, ElementType::BF16},
    {ElementType::F32, "f32", 4, "<f4", 2, 32, 32, ElementType::F32},
    {ElementType::F64, "f64", 8, "<f8", 2, 64, 64, ElementType::F64},
    {ElementType::I8, "i8", 1, "|i1", 0, 8, 8, ElementType::I8},
    {ElementType::I16, "i16", 2, "<i2", 0, 16, 16, ElementType::I16},
    {ElementType::I32, "i32", 4, "<i4", 0, 32, 32, ElementType::I32},
    {ElementType::I64, "i64", 8, "<i8", 0, 64, 64, ElementType::I64},
    {ElementType::U8, "u8", 1, "|u1", 1, 8, 8, ElementType::U8},
    {ElementType::U16, "u16", 2, "<u2", 1, 16, 16, ElementType::U16},
    {ElementType::U32, "u32", 4, "<u4", 1, 32, 32, ElementType::U32},
    {ElementType::U64, "u64", 8, "<u8", 1, 64, 64, ElementType::U64},
    {ElementType::Bool, "bool", 1, "|b1", 6, 8, 8, ElementType::Bool},
    {ElementType::F8E4M3FN, "f8e4m3fn", 1, "|u1", 10, 8, 8, ElementType::U8},
    {ElementType::F8E4M3FNUZ, "f8e4m3fnuz", 1, "|u1", 11, 8, 8, ElementType::U8},
    {ElementType::F8E5M2, "f8e5m2", 1, "|u1", 12, 8, 8, ElementType::U8},
    {ElementType::F8E5M2FNUZ, "f8e5m2fnuz", 1, "|u1", 13, 8, 8, ElementType::U8},
    {ElementType::F8E8M0, "f8e8m0", 1, "|u1", 14, 8, 8, ElementType::U8},
    {ElementType::F6E2M3, "f6e2m3", 1, "|u1", 15, 8, 6, ElementType::U8},
    {ElementType::F6E3M2, "f6e3m2", 1, "|u1", 16, 8, 6, ElementType::U8},
    {ElementType::F4E2M1, "f4e2m1", 1, "|u1", 17, 8, 4, ElementType::U8},
    {ElementType::I4, "i4", 1, "|i1", 0, 8, 4, ElementType::I8},
    {ElementType::U4, "u4", 1, "|u1", 1, 8, 4, ElementType::U8},
    {ElementType::I2, "i2", 1, "|i1", 0, 8, 2, ElementType::I8},
    {ElementType::U2, "u2", 1, "|u1", 1, 8, 2, ElementType::U8},
};

std::span<const ElementTypeInfo> elementTypes() { return table; }

const ElementTypeInfo &elementTypeInfo(ElementType type) {
  const ElementTypeInfo &row = table[static_cast<size_t>(type)];
  assert(row.type == type && "the table is in the order of the enumeration");
  return row;
}

StatusOr<ElementType> parseElementType(std::string_view name) {
  std::string known;
  for (const ElementTypeInfo &row : table) {
    if (name == row.name)
      return row.type;
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  return invalidInput(fmt::format("unknown element type '{}'; known: {}", name, known));
}

} // namespace mtc
