//===- WireScan.cpp - protobuf's wire format, read without trust ----------===//
#include "WireScan.h"

#include <cstring>

namespace mtc::onnx_import {

bool WireReader::varint(uint64_t &value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest.empty())
      return fail();
    uint8_t byte = rest.front();
    rest = rest.subspan(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return true;
  }
  return fail();
}

bool WireReader::next(WireField &field) {
  if (rest.empty() || broken)
    return false;
  const uint8_t *start = rest.data();
  uint64_t tag;
  if (!varint(tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
    return fail();
  field.number = static_cast<uint32_t>(tag >> 3);
  field.value = 0;
  field.payload = {};
  uint64_t size;
  switch (tag & 7) {
  case 0:
    field.type = WireType::Varint;
    if (!varint(field.value))
      return false;
    break;
  case 1:
  case 5:
    field.type = static_cast<WireType>(tag & 7);
    size = field.type == WireType::Fixed64 ? 8 : 4;
    if (rest.size() < size)
      return fail();
    std::memcpy(&field.value, rest.data(), size);
    rest = rest.subspan(size);
    break;
  case 2:
    field.type = WireType::Length;
    if (!varint(size) || size > rest.size())
      return fail();
    field.payload = rest.first(size);
    rest = rest.subspan(size);
    break;
  default: // groups, which ONNX never had
    return fail();
  }
  field.whole = {start, static_cast<size_t>(rest.data() - start)};
  return true;
}

void appendVarint(std::string &out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void appendField(std::string &out, uint32_t number, std::string_view payload) {
  appendVarint(out, static_cast<uint64_t>(number) << 3 | 2);
  appendVarint(out, payload.size());
  out.append(payload);
}

} // namespace mtc::onnx_import
