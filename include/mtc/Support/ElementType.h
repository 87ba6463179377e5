//===- ElementType.h - the element types of tensors -----------------------===//
//
// One table for the names a caller sees ("f32"), sizes, .npy descriptors and DLPack codes.
// A bool is one byte holding 0 or 1.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace mtc {

enum class ElementType : uint8_t {
  F16,
  BF16,
  F32,
  F64,
  I8,
  I16,
  I32,
  I64,
  U8,
  U16,
  U32,
  U64,
  Bool
};

/// What is known about an element type.
struct ElementTypeInfo {
  ElementType type;
  const char *name; ///< "f32", "bf16", "i64", "u8", "bool"
  int32_t bytes;
  const char *npyDescr; ///< numpy's dtype string; bf16, unknown to numpy, is two raw bytes
  uint8_t dlpackCode;   ///< DLDataTypeCode: https://dmlc.github.io/dlpack/latest/c_api.html
  uint8_t dlpackBits;
};

/// All element types, in the order of the enumeration.
std::span<const ElementTypeInfo> elementTypes();

const ElementTypeInfo &elementTypeInfo(ElementType type);
inline const char *elementTypeName(ElementType type) { return elementTypeInfo(type).name; }
inline int32_t elementTypeBytes(ElementType type) { return elementTypeInfo(type).bytes; }

/// The element type called `name`.
///
/// Fails if there is none (InvalidInput; the message lists the names).
StatusOr<ElementType> parseElementType(std::string_view name);

} // namespace mtc
