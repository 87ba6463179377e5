//===- WireScan.h - protobuf's wire format, read without trust ------------===//
//
// Source: https://protobuf.dev/programming-guides/encoding/
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace mtc::onnx_import {

enum class WireType : uint8_t { Varint = 0, Fixed64 = 1, Length = 2, Fixed32 = 5 };

/// One field of a message, as it lies in the file.
struct WireField {
  uint32_t number = 0;
  WireType type = WireType::Varint;
  uint64_t value = 0;               ///< of Varint, Fixed64, Fixed32
  std::span<const uint8_t> payload; ///< of Length
  std::span<const uint8_t> whole;   ///< tag and value

  std::string text() const { return {payload.begin(), payload.end()}; }
};

/// Reads the fields of a message one after the other.
class WireReader {
public:
  explicit WireReader(std::span<const uint8_t> bytes) : rest(bytes) {}

  /// False at the end or where the bytes are no field; ok() tells which.
  bool next(WireField &field);
  /// A varint of a packed field.
  bool varint(uint64_t &value);
  bool atEnd() const { return rest.empty(); }
  bool ok() const { return !broken; }

private:
  bool fail() {
    broken = true;
    return false;
  }
  std::span<const uint8_t> rest;
  bool broken = false;
};

/// Appends a field of type Length.
void appendField(std::string &out, uint32_t number, std::string_view payload);
void appendVarint(std::string &out, uint64_t value);

} // namespace mtc::onnx_import
