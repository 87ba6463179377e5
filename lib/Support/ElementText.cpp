//===- ElementText.cpp - elements as people write them --------------------===//
//
// For messages: exact integers, floats short enough to read and long enough to tell apart.
//
//===----------------------------------------------------------------------===//
#include "mtc/Support/ElementType.h"

#include <fmt/format.h>

#include <cstring>

namespace mtc {

template <typename T> static T read(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

static std::string elementText(ElementType type, const uint8_t *at) {
  switch (type) {
  case ElementType::F16:
    return fmt::format("{:.4g}", static_cast<float>(read<_Float16>(at)));
  case ElementType::BF16: {
    const uint32_t bits = uint32_t(read<uint16_t>(at)) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return fmt::format("{:.3g}", value);
  }
  case ElementType::F32:
    return fmt::format("{}", read<float>(at));
  case ElementType::F64:
    return fmt::format("{}", read<double>(at));
  case ElementType::I8:
    return fmt::format("{}", int(read<int8_t>(at)));
  case ElementType::I16:
    return fmt::format("{}", read<int16_t>(at));
  case ElementType::I32:
    return fmt::format("{}", read<int32_t>(at));
  case ElementType::I64:
    return fmt::format("{}", read<int64_t>(at));
  case ElementType::U16:
    return fmt::format("{}", read<uint16_t>(at));
  case ElementType::U32:
    return fmt::format("{}", read<uint32_t>(at));
  case ElementType::U64:
    return fmt::format("{}", read<uint64_t>(at));
  case ElementType::Bool:
    return *at ? "true" : "false";
  default:
    return fmt::format("{}", int(*at));
  }
}

std::string formatElements(ElementType type, std::span<const uint8_t> bytes, size_t most) {
  const auto width = static_cast<size_t>(elementTypeBytes(type));
  const size_t count = bytes.size() / width;
  std::string text = "[";
  for (size_t i = 0; i < std::min(count, most); ++i)
    text += (i ? ", " : "") + elementText(type, bytes.data() + i * width);
  if (count > most)
    text += fmt::format(", ... {} in all", count);
  return text + "]";
}

} // namespace mtc
