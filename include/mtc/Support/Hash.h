//===- Hash.h - BLAKE2b-256 of bytes --------------------------------------===//
//
// One hash for everything: weights, bundle sections, cache keys. It detects damage and names
// content; it does not authenticate (a bundle is native code, whoever wrote the hash wrote that).
// libsodium's BLAKE2b: 0.8 GB/s on one core of an AMD EPYC (Zen 5), 2025-11.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mtc {

/// 256 bits that name content.
struct Hash {
  std::array<uint8_t, 32> bytes{};

  /// 64 lower-case hexadecimal digits.
  std::string hex() const;
  auto operator<=>(const Hash &) const = default;
};

/// Streaming BLAKE2b-256: update any number of times, then finish once.
class Hasher {
public:
  Hasher();
  Hasher &update(std::span<const uint8_t> bytes);
  Hasher &update(std::string_view text);
  /// The hash of everything so far. Nothing may be added afterwards.
  Hash finish();

private:
  alignas(64) unsigned char state_[384]; // crypto_generichash_blake2b_state, checked in Hash.cpp
};

/// The hash of one range of bytes.
Hash hashBytes(std::span<const uint8_t> bytes);
Hash hashText(std::string_view text);

} // namespace mtc
