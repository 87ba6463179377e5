//===- AsyncBarrierTest.cpp - mbarriers, bulk copies and who they order ---===//
//
// Rings of stages written by hand against ThreadView, with producers and consumers: right ones give
// the answer whatever the seed, ones that leave out a wait, a fence or an arrival are named.
//
//===----------------------------------------------------------------------===//
#include "Emulator/WarpGroup.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace mtc;
using namespace mtc::emulator;

namespace {

ThreadView &viewOf(const MtcKernelArgs *args) { return *static_cast<ThreadView *>(args->scratch); }

/// What a kernel leaves out or adds, by the number of tiles.
enum Mistake {
  None,
  NoWait,
  NoWaitForFree,
  EarlyFree,
  MissingFree,
  TooManyFrees,
  TooManyBytes,
  TooFewBytes,
  WrongParity,
  NoInitFence,
  NoBarrier,
  Misaligned,
  BeyondSource,
  LastUnawaited,
  TouchesBarrier,
  TwoMakers,
  Dropped,
  NoProxyFence,
  LateFence,
  UnfencedBefore
};

constexpr int64_t stageBytes = 512, stages = 2, steps = 7, consumers = 32;
constexpr int64_t fullAt = stages * stageBytes, freeAt = fullAt + 8 * stages;
constexpr int64_t sharedBytes = freeAt + 8 * stages;

std::string run(MtcKernelFn kernel, Mistake mistake, int64_t threads, int64_t shared,
                std::vector<Buffer> buffers, uint64_t seed) {
  Launch launch;
  launch.function = kernel;
  launch.threads = threads;
  launch.hi = 1 + mistake;
  launch.sharedBytes = shared;
  launch.buffers = std::move(buffers);
  launch.seed = seed;
  return emulator::run(launch).message();
}

/// Thread 0 brings a stage a step by a bulk copy; 32 others add 16 bytes of it each.
int32_t ring(const MtcKernelArgs *args) {
  ThreadView &view = viewOf(args);
  auto *shared = static_cast<unsigned char *>(args->buffers[2]);
  const auto mistake = static_cast<Mistake>(args->hi - 1);
  const int64_t t = view.thread;
  if (t == 0) {
    for (int64_t s = 0; s < stages; ++s) {
      view.initBarrier(&view, shared, fullAt + 8 * s, 1);
      view.initBarrier(&view, shared, freeAt + 8 * s, consumers);
    }
    if (mistake == TwoMakers)
      view.initBarrier(&view, shared, fullAt, 1);
    if (mistake == Dropped)
      view.dropBarrier(&view, shared, freeAt);
    if (mistake != NoInitFence)
      view.fenceBarriers(&view, shared);
  }
  if (mistake != NoBarrier)
    view.barrier(&view, shared);
  if (mistake == UnfencedBefore && t == 0) {
    view.access(&view, 2, 0, 4, 1);
    std::memset(shared, 0, 4);
  }
  if (t == 0)
    for (int64_t k = 0; k < steps; ++k) {
      const int64_t s = k % stages, full = fullAt + 8 * s, to = s * stageBytes;
      const int64_t offset = mistake == Misaligned     ? k * stageBytes + 8
                             : mistake == BeyondSource ? (k + 1) * stageBytes
                                                       : k * stageBytes;
      if (mistake != NoWaitForFree)
        view.await(&view, shared, freeAt + 8 * s, k / stages % 2 ^ 1);
      const int32_t expected = mistake == TooManyBytes  ? stageBytes + 16
                               : mistake == TooFewBytes ? stageBytes / 2
                                                        : stageBytes;
      view.arrive(&view, shared, full, 1, expected);
      for (int64_t half = 0; half < stageBytes; half += stageBytes / 2)
        view.copyBulk(&view, shared, to + half, offset + half, stageBytes / 2, full);
    }
  if (mistake == TouchesBarrier && t == 1)
    view.access(&view, 2, fullAt, 8, 0);
  if (t < 64 - consumers)
    return 0;
  int32_t sum = 0;
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t s = k % stages, freed = freeAt + 8 * s;
    if (mistake == LastUnawaited && k == steps - 1)
      break;
    if (mistake != NoWait)
      view.await(&view, shared, fullAt + 8 * s, k / stages % 2 ^ (mistake == WrongParity));
    if (mistake == EarlyFree)
      view.arrive(&view, shared, freed, 1, 0);
    const int64_t at = s * stageBytes + 16 * (t % consumers);
    int32_t values[4];
    view.access(&view, 2, at, 16, 0);
    std::memcpy(values, shared + at, 16);
    for (int32_t v : values)
      sum += v;
    if (mistake != EarlyFree && !(mistake == MissingFree && t == 63))
      view.arrive(&view, shared, freed, mistake == TooManyFrees ? 2 : 1, 0);
  }
  view.access(&view, 1, 4 * (t % consumers), 4, 1);
  static_cast<int32_t *>(args->buffers[1])[t % consumers] = sum;
  return 0;
}

std::string runRing(Mistake mistake, uint64_t seed = 1, std::vector<int32_t> *result = nullptr) {
  std::vector<int32_t> source(steps * stageBytes / 4), sums(consumers);
  for (size_t i = 0; i < source.size(); ++i)
    source[i] = int32_t(i * i);
  std::string text =
      run(ring, mistake, 64, sharedBytes,
          {{source.data(), steps * stageBytes, true}, {sums.data(), 4 * consumers, true}}, seed);
  if (result)
    *result = sums;
  return text;
}

TEST(AsyncBarrier, OrdersCopies) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<int32_t> sums;
    ASSERT_EQ(runRing(None, seed, &sums), "");
    for (int64_t c = 0; c < consumers; ++c) {
      int32_t wanted = 0;
      for (int64_t k = 0; k < steps; ++k)
        for (int64_t i = 0; i < 4; ++i) {
          const auto at = int32_t(k * stageBytes / 4 + 4 * c + i);
          wanted += at * at;
        }
      EXPECT_EQ(sums[c], wanted) << c;
    }
  }
}

/// The message for each seed holds one of `what`.
void names(std::string (*runOne)(Mistake, uint64_t), Mistake mistake,
           std::vector<const char *> what) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const std::string text = runOne(mistake, seed);
    EXPECT_TRUE(std::any_of(what.begin(), what.end(),
                            [&](const char *w) { return text.find(w) != std::string::npos; }))
        << mistake << ": " << text;
  }
}

// Whatever the order of threads and of arriving bytes is, each mistake is found.
TEST(AsyncBarrier, Mistakes) {
  auto one = [](Mistake mistake, uint64_t seed) { return runRing(mistake, seed); };
  const char *early = "meets an asynchronous copy that nobody has waited for";
  const char *unknown = "meets an asynchronous copy that it has not waited for";
  names(one, NoWait, {early, unknown, "reads what was never written"});
  names(one, NoWaitForFree, {early, unknown, "races with a read", "more arrivals than it counts"});
  names(one, EarlyFree, {early, unknown, "races with a read"});
  names(one, MissingFree,
        {"at the mbarrier at 1040 of shared memory, whose phase 0 lacks 1 "
         "arrivals and 0 bytes"});
  names(one, TooManyFrees, {"has more arrivals than it counts", "races with a read", early});
  names(one, TooManyBytes,
        {"at the mbarrier at 1024 of shared memory, whose phase 0 lacks 0 "
         "arrivals and 16 bytes"});
  names(one, TooFewBytes, {"before its copies have come: it expects too few bytes", early});
  names(one, WrongParity, {early, unknown, "reads what was never written"});
  names(one, NoInitFence, {"signals an mbarrier that no fence shows to its proxy"});
  names(one, NoBarrier, {"whose initialization it does not wait for", "where no mbarrier is"});
  names(one, Misaligned, {"is not aligned to 16 bytes"});
  names(one, BeyondSource, {"is out of bounds"});
  names(one, LastUnawaited, {"nobody has waited for the copies of phase 3", "is under way"});
  names(one, TouchesBarrier, {"meets an mbarrier"});
  names(one, TwoMakers, {"mbarrier at 1024 of shared memory meets an mbarrier"});
  names(one, Dropped, {"where no mbarrier is"});
  names(one, UnfencedBefore, {"overwrites what no fence of the proxy shows"});
}

/// Bytes: A [64][32] is ones and B [8][32] the step's number, both as eight rows of 32 bytes
/// without a swizzle that matters since rows are constant. 128 threads write a stage a step, 128
/// multiply.
int32_t products(const MtcKernelArgs *args) {
  ThreadView &view = viewOf(args);
  auto *shared = static_cast<unsigned char *>(args->buffers[1]);
  const auto mistake = static_cast<Mistake>(args->hi - 1);
  constexpr int64_t size = 64 * 32 + 8 * 32, full = stages * 2560, freed = full + 8 * stages;
  const int64_t t = view.thread;
  if (t == 0) {
    for (int64_t s = 0; s < stages; ++s) {
      view.initBarrier(&view, shared, full + 8 * s, 128);
      view.initBarrier(&view, shared, freed + 8 * s, 4);
    }
  }
  view.barrier(&view, shared);
  if (t < 128) {
    for (int64_t k = 0; k < steps; ++k) {
      const int64_t s = k % stages;
      if (mistake != NoWaitForFree)
        view.await(&view, shared, freed + 8 * s, k / stages % 2 ^ 1);
      for (int64_t at = 16 * t; at < size; at += 16 * 128) {
        view.access(&view, 1, 2560 * s + at, 16, 1);
        std::memset(shared + 2560 * s + at, at < 64 * 32 ? 1 : int(k), 16);
      }
      if (mistake != NoProxyFence && mistake != LateFence)
        view.fenceProxy(&view, shared);
      view.arrive(&view, shared, full + 8 * s, 1, 0);
      if (mistake == LateFence)
        view.fenceProxy(&view, shared);
    }
    return 0;
  }
  auto descriptor = [](int64_t start) {
    return int64_t(uint64_t(start / 16) | uint64_t(1) << 16 | uint64_t(16) << 32 |
                   uint64_t(3) << 62);
  };
  int32_t sums[4] = {};
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t s = k % stages;
    if (mistake != NoWait || t != 200)
      view.await(&view, shared, full + 8 * s, k / stages % 2);
    view.fenceProducts(&view);
    view.multiplyGroup(&view, shared, int32_t(MultiplyKind::S8S8), 8, descriptor(2560 * s),
                       descriptor(2560 * s + 64 * 32), 0, sums, 1);
    view.commitProducts(&view);
    if (mistake == EarlyFree && t % 32 == 0)
      view.arrive(&view, shared, freed + 8 * s, 1, 0);
    view.awaitProducts(&view, 0);
    if (mistake != EarlyFree && t % 32 == 0)
      view.arrive(&view, shared, freed + 8 * s, 1, 0);
  }
  view.readSums(&view);
  for (int32_t r = 0; r < 4; ++r) {
    const int64_t at = 4 * (t - 128) + r;
    view.access(&view, 0, 4 * at, 4, 1);
    static_cast<int32_t *>(args->buffers[0])[at] = sums[r];
  }
  return 0;
}

std::string runProducts(Mistake mistake, uint64_t seed) {
  std::vector<int32_t> result(512);
  std::string text =
      run(products, mistake, 256, stages * 2560 + 16 * stages, {{result.data(), 2048, true}}, seed);
  for (int32_t value : result)
    if (text.empty() && value != 32 * steps * (steps - 1) / 2)
      return "wrong sum";
  return text;
}

TEST(AsyncBarrier, OrdersProducts) {
  for (uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_EQ(runProducts(None, seed), "");
}

TEST(AsyncBarrier, MistakesOfProducts) {
  names(runProducts, NoProxyFence, {"reads what no fence of the proxy shows"});
  names(runProducts, LateFence, {"reads what no fence of the proxy shows"});
  names(runProducts, NoWait, {"races with a write", "reads what was never written"});
  names(runProducts, NoWaitForFree,
        {"races with a write", "races with a read", "meets a product", "whose phase"});
  names(runProducts, EarlyFree,
        {"meets a product that nobody has waited for", "races with a read"});
}

} // namespace
