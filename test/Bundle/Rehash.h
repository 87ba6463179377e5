//===- Rehash.h - bundles that are wrong under right hashes ---------------===//
#pragma once

#include "Format.h"

#include <cstring>
#include <vector>

namespace mtc::test {

/// The file's hashes made right again after its manifest was changed: what only malice or a bug
/// in the writer produces.
inline void rehash(std::vector<uint8_t> &bytes) {
  bundle::Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const size_t table =
      bundle::alignUp(sizeof(header) + header.commandBytes, bundle::kTableAlignment);
  for (uint32_t i = 0; i < header.sections; ++i) {
    bundle::Section section;
    uint8_t *at = bytes.data() + table + i * sizeof(section);
    std::memcpy(&section, at, sizeof(section));
    if (section.kind != static_cast<uint32_t>(bundle::SectionKind::Manifest))
      continue;
    section.hash = hashBytes({bytes.data() + section.offset, section.bytes});
    std::memcpy(at, &section, sizeof(section));
  }
  header.hash = {};
  std::memcpy(bytes.data(), &header, sizeof(header));
  header.hash = hashBytes({bytes.data(), header.headerBytes});
  std::memcpy(bytes.data(), &header, sizeof(header));
}

} // namespace mtc::test
