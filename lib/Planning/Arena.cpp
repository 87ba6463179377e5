//===- Arena.cpp - first fit by decreasing size ---------------------------===//
//
// The usual packers compare intervals of time. Here time proves nothing (rule R1), so two buffers
// conflict unless reachability orders them; the relation is no interval graph, and first fit by
// decreasing size is the simple heuristic that does not need one. Source: "greedy by size for
// offset calculation" of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
// Inference", 2020, arXiv:2001.03288.
//
//===----------------------------------------------------------------------===//
#include "Arena.h"

#include <algorithm>
#include <numeric>

namespace mtc {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

/// For each buffer the commands that every one of its uses precedes, as bits.
class CommandsAfter {
public:
  CommandsAfter(const std::vector<Lifetime> &buffers, const Reachability &reachability,
                size_t commandCount)
      : words_((commandCount + 63) / 64), bits_(buffers.size() * words_, 0) {
    for (size_t b = 0; b < buffers.size(); ++b)
      for (size_t c = 0; c < commandCount; ++c)
        if (std::all_of(buffers[b].uses.begin(), buffers[b].uses.end(), [&](int32_t use) {
              return reachability.reaches(use, static_cast<int32_t>(c));
            }))
          bits_[b * words_ + c / 64] |= uint64_t(1) << (c % 64);
  }

  bool contains(size_t buffer, int32_t command) const {
    auto c = static_cast<size_t>(command);
    return (bits_[buffer * words_ + c / 64] >> (c % 64) & 1) != 0;
  }

private:
  size_t words_;
  std::vector<uint64_t> bits_;
};

} // namespace

std::vector<int64_t> packArenas(const std::vector<Lifetime> &buffers,
                                const Reachability &reachability, size_t commandCount,
                                std::vector<Arena> &arenas) {
  CommandsAfter after(buffers, reachability, commandCount);
  auto conflict = [&](size_t a, size_t b) {
    return !after.contains(a, buffers[b].writer) && !after.contains(b, buffers[a].writer);
  };

  std::vector<size_t> bySize(buffers.size());
  std::iota(bySize.begin(), bySize.end(), size_t(0));
  std::sort(bySize.begin(), bySize.end(), [&](size_t a, size_t b) {
    return std::pair(-buffers[a].bytes, a) < std::pair(-buffers[b].bytes, b);
  });

  std::vector<int64_t> offsets(buffers.size(), 0);
  std::vector<std::vector<size_t>> placed(arenas.size()); // by arena, ascending in offset
  for (size_t b : bySize) {
    int64_t bytes = aligned(buffers[b].bytes);
    std::vector<size_t> &others = placed[static_cast<size_t>(buffers[b].arena)];
    int64_t offset = 0;
    for (size_t other : others) {
      if (!conflict(b, other))
        continue;
      if (offsets[other] - offset >= bytes)
        break;
      offset = std::max(offset, offsets[other] + aligned(buffers[other].bytes));
    }
    offsets[b] = offset;
    others.insert(std::upper_bound(others.begin(), others.end(), b,
                                   [&](size_t x, size_t y) { return offsets[x] < offsets[y]; }),
                  b);
    Arena &arena = arenas[static_cast<size_t>(buffers[b].arena)];
    arena.bytes = std::max(arena.bytes, offset + bytes);
  }
  return offsets;
}

} // namespace mtc
