//===- Chunk.h - a worker's share of tiles or bytes -----------------------===//
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace mtc::host {

/// The part [lo, hi) of `count` for one of `members`: contiguous, sizes differ by at most one.
inline std::pair<int64_t, int64_t> chunk(int64_t count, int64_t rank, int64_t members) {
  const int64_t each = count / members, more = count % members;
  const int64_t lo = each * rank + std::min(rank, more);
  return {lo, lo + each + (rank < more ? 1 : 0)};
}

} // namespace mtc::host
