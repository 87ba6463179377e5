//===- ElementType.cpp - the table behind ElementType.h -------------------===//
#include "mtc/Support/ElementType.h"

#include <fmt/format.h>

#include <cassert>

namespace mtc {

// DLPack codes: 0 int, 1 unsigned, 2 float, 4 bfloat, 6 bool.
static constexpr ElementTypeInfo table[] = {
    {ElementType::F16, "f16", 2, "<f2", 2, 16},  {ElementType::BF16, "bf16", 2, "<V2", 4, 16},
    {ElementType::F32, "f32", 4, "<f4", 2, 32},  {ElementType::F64, "f64", 8, "<f8", 2, 64},
    {ElementType::I8, "i8", 1, "|i1", 0, 8},     {ElementType::I16, "i16", 2, "<i2", 0, 16},
    {ElementType::I32, "i32", 4, "<i4", 0, 32},  {ElementType::I64, "i64", 8, "<i8", 0, 64},
    {ElementType::U8, "u8", 1, "|u1", 1, 8},     {ElementType::U16, "u16", 2, "<u2", 1, 16},
    {ElementType::U32, "u32", 4, "<u4", 1, 32},  {ElementType::U64, "u64", 8, "<u8", 1, 64},
    {ElementType::Bool, "bool", 1, "|b1", 6, 8},
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
