//===- ElementType.h - the element types of tensors -----------------------===//
//
// One table for the names a caller sees ("f32"), sizes, .npy descriptors and DLPack codes.
// A bool is one byte holding 0 or 1. A number of fewer than 8 bits has a byte of its own: an
// integer is sign- or zero-extended in it, a float lies in its low bits. Of a caller's byte only
// the low bits count.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
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
  Bool,
  F8E4M3FN,
  F8E4M3FNUZ,
  F8E5M2,
  F8E5M2FNUZ,
  F8E8M0,
  F6E2M3,
  F6E3M2,
  F4E2M1,
  I4,
  U4,
  I2,
  U2
};

/// What is known about an element type.
struct ElementTypeInfo {
  ElementType type;
  const char *name; ///< "f32", "bf16", "i64", "u8", "bool", "f8e4m3fn", "i4"
  int32_t bytes;
  const char *npyDescr; ///< numpy's dtype string; bf16, unknown to numpy, is two raw bytes
  uint8_t dlpackCode;   ///< DLDataTypeCode: https://dmlc.github.io/dlpack/latest/c_api.html
  uint8_t dlpackBits;   ///< of the byte, where the number has fewer
  int32_t bits;         ///< of the number
  ElementType storage;  ///< the type of numpy that holds it: u8 or i8 for what numpy does not know
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

/// "[1, 2, 3]": row-major little-endian elements for a message, at most `most` of them.
std::string formatElements(ElementType type, std::span<const uint8_t> bytes, size_t most = 8);

} // namespace mtc
