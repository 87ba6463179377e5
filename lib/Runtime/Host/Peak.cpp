//===- Peak.cpp - what this machine reaches at most -----------------------===//
//
// Twelve independent chains of multiply-adds cover latency (4 cycles) times units (2) on every core
// of the last ten years; a copy of buffers larger than a core's share of the last cache shows the
// bandwidth of memory. Reads and writes count, the reads of a line that is then overwritten do not.
// Reading a buffer again and again that a core's own caches cannot hold shows the last cache's.
//
//===----------------------------------------------------------------------===//
#include "mtc/Runtime/Peak.h"

#include "mtc/Runtime/Cpu.h"
#include "mtc/Support/Clock.h"

#include <immintrin.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>

namespace mtc::host {
namespace {

constexpr int chains = 12, steps = 200'000, runs = 9;
constexpr size_t copyBytes = size_t(32) << 20;
constexpr size_t sharedBytes = size_t(4) << 20; ///< more than a core's own caches hold

/// Each returns the floating-point operations that it did.
using Spin = int64_t (*)();

__attribute__((target("avx512f"))) int64_t spinAvx512() {
  __m512 sums[chains], factor = _mm512_set1_ps(0.999f);
  for (__m512 &sum : sums)
    sum = _mm512_set1_ps(1.0f);
  for (int i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < chains; ++j)
      sums[j] = _mm512_fmadd_ps(sums[j], factor, factor);
  }
  for (__m512 &sum : sums)
    asm volatile("" : : "v"(sum));
  return int64_t(steps) * chains * 16 * 2;
}

__attribute__((target("avx2,fma"))) int64_t spinAvx2() {
  __m256 sums[chains], factor = _mm256_set1_ps(0.999f);
  for (__m256 &sum : sums)
    sum = _mm256_set1_ps(1.0f);
  for (int i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < chains; ++j)
      sums[j] = _mm256_fmadd_ps(sums[j], factor, factor);
  }
  for (__m256 &sum : sums)
    asm volatile("" : : "x"(sum));
  return int64_t(steps) * chains * 8 * 2;
}

int64_t spinSse() {
  __m128 sums[chains], factor = _mm_set1_ps(0.999f);
  for (__m128 &sum : sums)
    sum = _mm_set1_ps(1.0f);
  for (int i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < chains; ++j)
      sums[j] = _mm_add_ps(_mm_mul_ps(sums[j], factor), factor);
  }
  for (__m128 &sum : sums)
    asm volatile("" : : "x"(sum));
  return int64_t(steps) * chains * 4 * 2;
}

/// Products of bytes: 64 of them and their sums of four in an instruction.
__attribute__((target("avx512f,avx512vnni"))) int64_t spinBytes() {
  __m512i sums[chains], factor = _mm512_set1_epi8(3);
  for (__m512i &sum : sums)
    sum = _mm512_set1_epi32(1);
  for (int i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < chains; ++j)
      sums[j] = _mm512_dpbusd_epi32(sums[j], factor, factor);
  }
  for (__m512i &sum : sums)
    asm volatile("" : : "v"(sum));
  return int64_t(steps) * chains * 64 * 2;
}

/// Products of tiles: 16 rows of 32 numbers by 32 rows of 16, into four tiles of sums in turn.
__attribute__((target("amx-tile,amx-bf16"))) int64_t spinTiles() {
  struct alignas(64) {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
  _tile_loadconfig(&config); // all tiles are 0
  for (int i = 0; i < steps; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return int64_t(steps) * 4 * 16 * 16 * 32 * 2;
}

Spin widestSpin() {
  if (missingFeatures({"avx512f"}).empty())
    return spinAvx512;
  return missingFeatures({"avx2", "fma"}).empty() ? spinAvx2 : spinSse;
}

void pinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/// Reads `bytes`, a multiple of 64; returns the sum of what it read.
uint64_t readAll(const uint8_t *from, size_t bytes) {
  __m128i sums[4] = {};
  for (size_t at = 0; at < bytes; at += 64) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j)
      sums[j] = _mm_add_epi64(
          sums[j], _mm_loadu_si128(reinterpret_cast<const __m128i *>(from + at + 16 * j)));
  }
  const __m128i sum =
      _mm_add_epi64(_mm_add_epi64(sums[0], sums[1]), _mm_add_epi64(sums[2], sums[3]));
  return uint64_t(_mm_cvtsi128_si64(sum));
}

/// What one thread found, by run.
struct Found {
  Peak run[runs];
};

double rateOf(Spin spin) {
  const int64_t start = nowNs();
  const int64_t flops = spin();
  return double(flops) / double(std::max<int64_t>(1, nowNs() - start));
}

void measureOn(int cpu, std::barrier<> &together, Found &found) {
  pinTo(cpu);
  const Spin spin = widestSpin();
  const bool hasByteProducts = missingFeatures({"avx512f", "avx512vnni"}).empty();
  const bool hasTiles = missingFeatures({"amx-tile", "amx-bf16"}).empty();
  auto from = std::make_unique<uint8_t[]>(copyBytes), to = std::make_unique<uint8_t[]>(copyBytes);
  std::memset(from.get(), 1, copyBytes);
  std::memset(to.get(), 1, copyBytes);
  for (int run = 0; run < runs; ++run) {
    together.arrive_and_wait();
    found.run[run].flopsPerNs = rateOf(spin);
    found.run[run].byteFlopsPerNs = found.run[run].flopsPerNs;
    if (hasByteProducts) {
      together.arrive_and_wait();
      found.run[run].byteFlopsPerNs = rateOf(spinBytes);
    }
    found.run[run].tileFlopsPerNs = found.run[run].flopsPerNs;
    if (hasTiles) {
      together.arrive_and_wait();
      found.run[run].tileFlopsPerNs = rateOf(spinTiles);
    }
    together.arrive_and_wait();
    int64_t start = nowNs();
    std::memcpy(to.get(), from.get(), copyBytes);
    asm volatile("" : : "r"(to.get()) : "memory");
    found.run[run].bytesPerNs = 2.0 * copyBytes / double(std::max<int64_t>(1, nowNs() - start));
    uint64_t sum = readAll(from.get(), sharedBytes);
    together.arrive_and_wait();
    constexpr int times = 4;
    start = nowNs();
    for (int time = 0; time < times; ++time)
      sum += readAll(from.get(), sharedBytes);
    asm volatile("" : : "r"(sum));
    found.run[run].cacheBytesPerNs =
        double(times) * sharedBytes / double(std::max<int64_t>(1, nowNs() - start));
  }
}

} // namespace

std::vector<Peak> measurePeaks(const std::vector<int> &cpus) {
  std::vector<Found> found(cpus.size());
  std::barrier together(static_cast<ptrdiff_t>(cpus.size()));
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < cpus.size(); ++i)
      threads.emplace_back([&, i] { measureOn(cpus[i], together, found[i]); });
  }
  std::vector<Peak> all(runs);
  for (int run = 0; run < runs; ++run)
    for (const Found &f : found) {
      const auto threads = double(found.size());
      all[run].flopsPerNs += f.run[run].flopsPerNs / threads;
      all[run].byteFlopsPerNs += f.run[run].byteFlopsPerNs / threads;
      all[run].tileFlopsPerNs += f.run[run].tileFlopsPerNs / threads;
      all[run].bytesPerNs += f.run[run].bytesPerNs;
      all[run].cacheBytesPerNs += f.run[run].cacheBytesPerNs / threads;
    }
  return all;
}

/// The roofs one by one, each at a quantile of its own values.
static Peak quantileOf(const std::vector<Peak> &runs, double q) {
  Peak peak;
  for (double Peak::*roof : {&Peak::flopsPerNs, &Peak::byteFlopsPerNs, &Peak::tileFlopsPerNs,
                             &Peak::bytesPerNs, &Peak::cacheBytesPerNs}) {
    std::vector<double> values;
    for (const Peak &run : runs)
      values.push_back(run.*roof);
    std::sort(values.begin(), values.end());
    if (!values.empty())
      peak.*roof = values[static_cast<size_t>(q * double(values.size() - 1) + 0.5)];
  }
  return peak;
}

Peak bestOf(const std::vector<Peak> &runs) { return quantileOf(runs, 1); }

Peak medianOf(const std::vector<Peak> &runs) { return quantileOf(runs, 0.5); }

} // namespace mtc::host
