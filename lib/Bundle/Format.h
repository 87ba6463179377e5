//===- Format.h - the byte layout of a bundle file ------------------------===//
//
//   0    magic, 8 bytes          } the preamble: every format number keeps these four, so that
//   8    format number, u32      } any reader can name the format and print the command that
//   12   length of the command   } compiled the bundle
//   64   the compile command     }
//   16   file size, u64; 24 number of sections, u32; 28 size of the header, u32
//   32   BLAKE2b-256 of the header (these 32 bytes as zeros)
//   ...  section table, on a multiple of 64 after the command; then the sections, each on a page
//
// Everything is little-endian. Bytes between sections are zero. The header's hash covers the
// section table, whose hashes cover the manifest, the code and the texts; the manifest holds the
// hashes of the weights, one per MiB. So every byte of the file is covered by exactly one of them
// or known to be zero. The hashes detect damage, not malice: a bundle is native code.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Hash.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

static_assert(std::endian::native == std::endian::little, "bundles are read in place");

namespace mtc::bundle {

// As PNG's: a byte above 127, line ends that a text transfer would change, an end-of-file mark.
inline constexpr std::array<uint8_t, 8> kMagic = {0x89, 'M', 'T', 'B', '\r', '\n', 0x1a, '\n'};
inline constexpr uint32_t kFormatNumber = 1;
/// Of bundles with merged places: a reader of format 1 would run them one after the other without
/// the orders between them that it needs.
inline constexpr uint32_t kMergedFormatNumber = 2;
/// Of bundles whose kernels take tensor maps: an earlier reader would launch them without.
inline constexpr uint32_t kTensorMapFormatNumber = 3;

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kChunkBytes = uint64_t(1) << 20;
inline constexpr uint64_t kWeightAlignment = 64;
inline constexpr uint64_t kTableAlignment = 64;
inline constexpr uint32_t kMaxCommandBytes = 1 << 20;
inline constexpr uint32_t kMaxSections = 1 << 16;

struct Header {
  std::array<uint8_t, 8> magic;
  uint32_t format;
  uint32_t commandBytes;
  uint64_t fileBytes;
  uint32_t sections;
  uint32_t headerBytes; ///< a multiple of the page size
  Hash hash;
};
static_assert(sizeof(Header) == 64);

/// What a section holds. A reader skips kinds that it does not know (it still checks their hash).
enum class SectionKind : uint32_t { Manifest = 1, Weights = 2, Code = 3, Text = 4 };

struct Section {
  uint32_t kind;
  uint32_t reserved;
  uint64_t offset; ///< in the file, a multiple of the page size
  uint64_t bytes;
  uint64_t reserved2;
  Hash hash; ///< of the bytes; of the chunks' hashes for weights
};
static_assert(sizeof(Section) == 64);

inline constexpr uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

} // namespace mtc::bundle
