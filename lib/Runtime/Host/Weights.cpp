//===- Weights.cpp - weights in huge pages --------------------------------===//
//
// A core remembers some 3,000 pages, 12 MB of a mapped file, and prefetches no further than the end
// of a page; the weights of the vision set are 170 MB. Predicted 2 to 4 % of its round; measured
// 109.3 -> 106.9 ms least and 121.4 -> 119.6 ms median of five runs in turn, 132 -> 127 ms median
// of four with other load; nothing for the document set (two cores of AMD EPYC Zen 4, shared VM,
// 2026-11-23).
//
//===----------------------------------------------------------------------===//
#include "Weights.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace mtc::host {

/// Gives back the pages of the file that lie within a range. They are read again if needed.
static void forgetPages(std::span<const uint8_t> range) {
  constexpr uintptr_t page = 4096;
  const auto first = (reinterpret_cast<uintptr_t>(range.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(range.data() + range.size()) / page * page;
  if (first < end)
    madvise(reinterpret_cast<void *>(first), end - first, MADV_DONTNEED);
}

WeightMemory::WeightMemory(const BundleReader &bundle, bool share, uint64_t fewBytes)
    : bundle(bundle) {
  for (size_t i = 0; !share && i < bundle.weightCount(); ++i) {
    const auto info = bundle.weightInfo(i);
    bytes = std::max(bytes, info.offset + info.bytes);
  }
  if (bytes <= fewBytes)
    bytes = 0;
}

StatusOr<uint8_t *> WeightMemory::find(size_t weight) {
  MTC_ASSIGN_OR_RETURN(const auto source, bundle.weight(weight));
  if (bytes == 0)
    return const_cast<uint8_t *>(source.data()); // mapped read-only
  if (!copies.data()) {
    MTC_ASSIGN_OR_RETURN(copies, Mapping::create(static_cast<int64_t>(bytes)));
  }
  const uint64_t offset = bundle.weightInfo(weight).offset;
  uint8_t *copy = static_cast<uint8_t *>(copies.data()) + offset;
  if (copied.insert(offset).second) {
    std::memcpy(copy, source.data(), source.size());
    forgetPages(source);
  }
  return copy;
}

} // namespace mtc::host
