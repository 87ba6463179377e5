//===- AsyncBarrier.h - mbarriers and the copies that signal them ---------===//
//
// An mbarrier counts arrivals of threads and bytes of bulk copies; when a phase has all of both, it
// ends and the next begins. Who waits for a phase knows what those that arrived have done, and has
// what the copies brought. Copies arrive one by one at random moments.
// Source: PTX ISA 9.0, 9.7.13.15 (mbarrier), 9.7.9.25 (cp.async.bulk).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Clock.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mtc::emulator {

/// Bytes that a copy brings to a place of shared memory.
struct Copy {
  int64_t to = 0;
  std::vector<unsigned char> bytes;
};

/// A bulk copy under way.
struct BulkCopy {
  std::vector<Copy> parts;
  int32_t chunks = 0;  ///< of a row of the swizzle that it writes by; 0: none is meant
  int64_t barrier = 0; ///< number in the block
  int64_t phase = 0;   ///< of the mbarrier when it began
};

struct AsyncBarrier {
  static constexpr int64_t bytes = 8, mostCount = (1 << 20) - 1;

  int64_t offset = 0, number = 0;
  int64_t count = 0;              ///< arrivals that end a phase
  int64_t pending = 0, lacks = 0; ///< arrivals and bytes of this phase
  int64_t phase = 0;
  bool isValid = true;
  Clock arrived, ended;                         ///< what is known of this phase, of the last one
  int64_t maker = 0, made = 0, makerFences = 0; ///< who, in which interval, after which fences
  int64_t makerBarrierFences = 0;
  uint32_t madeAt = 0;               ///< tick of the maker
  int64_t copied = -1, awaited = -1; ///< last phases with copies, and that somebody waited for

  /// Where it is and what its phase lacks.
  std::string describe() const;
};

} // namespace mtc::emulator
