//===- Hash.cpp - libsodium behind Hash.h ---------------------------------===//
#include "mtc/Support/Hash.h"

#include <sodium.h>

namespace mtc {

static_assert(sizeof(crypto_generichash_blake2b_state) <= 384);
static_assert(alignof(crypto_generichash_blake2b_state) <= 64);

static auto *stateOf(unsigned char *storage) {
  return reinterpret_cast<crypto_generichash_blake2b_state *>(storage);
}

std::string Hash::hex() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

Hasher::Hasher() {
  // Picks the implementation for this CPU; thread-safe, and without it the portable one is used.
  (void)sodium_init();
  crypto_generichash_blake2b_init(stateOf(state_), nullptr, 0, sizeof(Hash::bytes));
}

Hasher &Hasher::update(std::span<const uint8_t> bytes) {
  crypto_generichash_blake2b_update(stateOf(state_), bytes.data(), bytes.size());
  return *this;
}

Hasher &Hasher::update(std::string_view text) {
  return update(std::span(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
}

Hash Hasher::finish() {
  Hash hash;
  crypto_generichash_blake2b_final(stateOf(state_), hash.bytes.data(), hash.bytes.size());
  return hash;
}

Hash hashBytes(std::span<const uint8_t> bytes) { return Hasher().update(bytes).finish(); }
Hash hashText(std::string_view text) { return Hasher().update(text).finish(); }

} // namespace mtc
