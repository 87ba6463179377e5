//===- Arena.h - packing buffers into arenas (internal) -------------------===//
#pragma once

#include "mtc/Planning/Plan.h"

namespace mtc {

/// A buffer of one instance with everybody who uses it.
struct Lifetime {
  int32_t arena = 0;
  int64_t bytes = 0;
  int32_t writer = 0;        ///< command
  std::vector<int32_t> uses; ///< commands: the writer and all readers
};

/// Offsets for buffers such that those that share bytes of an arena never hold data at the same
/// time: all uses of one are ordered before the write of the other. First fit by decreasing size;
/// sets the arenas' sizes.
///
/// Complexity: O(buffers * (commands * uses + buffers)).
std::vector<int64_t> packArenas(const std::vector<Lifetime> &buffers,
                                const Reachability &reachability, size_t commandCount,
                                std::vector<Arena> &arenas);

} // namespace mtc
