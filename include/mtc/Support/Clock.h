//===- Clock.h - the clock of everything that is measured -----------------===//
#pragma once

#include <cstdint>
#include <ctime>

namespace mtc {

/// CLOCK_MONOTONIC. Units: ns.
inline int64_t nowNs() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

} // namespace mtc
