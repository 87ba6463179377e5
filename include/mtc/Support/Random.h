//===- Random.h - pseudo-random numbers that are the same everywhere ------===//
#pragma once

#include <cstddef>
#include <cstdint>

namespace mtc {

/// SplitMix64: the distributions of the standard library differ from one to the next, these numbers
/// follow from the state alone. Generators whose states differ by the increment give one stream,
/// shifted: mix seeds that lie close together.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014;
/// https://prng.di.unimi.it/splitmix64.c
class SplitMix64 {
public:
  explicit SplitMix64(uint64_t state) : state_(state) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  /// In [0, count); `count` is above 0.
  size_t below(size_t count) { return static_cast<size_t>(next() % count); }
  /// In [0, 1).
  double real() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
  uint64_t state_;
};

} // namespace mtc
