//===- BlockRun.h - the state of a launch ---------------------------------===//
#pragma once

#include "AsyncBarrier.h"
#include "Launch.h"
#include "Shadow.h"
#include "Stack.h"
#include "Warp.h"
#include "WarpGroup.h"

#include <algorithm>
#include <csetjmp>
#include <fmt/format.h>
#include <memory>
#include <numeric>
#include <random>
#include <sys/mman.h>

namespace mtc::emulator {

struct BlockRun;

struct Fiber {
  enum class State { Ready, AtBarrier, AtAsyncBarrier, AtWarp, AtGroup, Done };
  ThreadView view = {};
  Suspended flow;
  State state = State::Ready;
  BlockRun *block = nullptr;
  WarpCall call;            ///< under way
  bool isChecked = false;   ///< of a load of matrices under way
  std::vector<Copy> copies; ///< that are in no group yet
  std::vector<std::vector<Copy>> groups;
  GroupCall product;                  ///< under way
  bool mayMultiply = false;           ///< registers are ordered before the next product
  int64_t openProducts = 0;           ///< in no group yet
  std::vector<int64_t> productGroups; ///< products of each group under way
  /// Parts of shared memory that products under way read, oldest first; at the first thread of each
  /// warp, which speaks for the warp.
  std::vector<std::shared_ptr<const std::vector<Bytes>>> readings;
  int64_t fences = 0;             ///< of the proxy
  std::vector<uint32_t> fencedAt; ///< the thread's tick at each of them
  int64_t barrierFences = 0;      ///< of initializations of mbarriers
  Clock clock;                    ///< what it knows, where there are mbarriers
  uint32_t tick = 1;              ///< counts its releases
  int64_t awaited = -1;           ///< number of the mbarrier that it waits at
  int64_t parity = 0;             ///< of the phase that it waits for
};

/// Not a multiple of a page, lest the same place of all stacks falls into the same set of a cache.
inline constexpr size_t stackBytes = (128 << 10) + (17 << 6);
inline constexpr unsigned char poison = 0xDB;

/// The blocks of a launch, one after the other on the same fibers.
struct BlockRun {
  explicit BlockRun(const Launch &launch) : launch(launch), random(launch.seed) {
    if (launch.checksAccesses) {
      for (const Buffer &buffer : launch.buffers)
        shadows.emplace_back(buffer.bytes, buffer.written);
      shadows.emplace_back(launch.sharedBytes, false);
    }
    if (launch.synchronizes)
      stacks = ::mmap(nullptr, stackBytes * launch.threads, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    // Swizzles repeat every KiB, from an address that is a multiple of one.
    shared.resize(launch.sharedBytes + 1024);
    for (const Buffer &buffer : launch.buffers)
      pointers.push_back(buffer.data);
    void *base = shared.data();
    size_t space = shared.size();
    pointers.push_back(std::align(1024, launch.sharedBytes, base, space));
  }
  ~BlockRun() {
    if (stacks)
      ::munmap(stacks, stackBytes * launch.threads);
  }

  Status runAll() {
    if (stacks == MAP_FAILED)
      return internalError("no memory for the stacks of emulated threads");
    std::vector<int64_t> order(launch.blocks);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    for (int64_t block : order) {
      launch.synchronizes ? runBlock(block) : runApart(block);
      if (!status.ok())
        return status;
    }
    return okStatus();
  }

  void runBlock(int64_t block);
  void runApart(int64_t block);
  void call(Fiber &fiber);
  /// Ends a thread from within, for good.
  void leave(Fiber &fiber);
  void start(Fiber &fiber, int64_t thread, int64_t block);
  void yield(Fiber &fiber) {
    if (!launch.synchronizes) {
      fail(fiber, "waits, in a launch whose threads wait for nobody");
      leave(fiber);
    }
    resume(fiber.flow, scheduler);
  }
  bool releaseWarp(int64_t warp);
  const char *performInWarp(std::span<WarpCall *> lanes, int64_t warp);
  const char *loadMatrices(std::span<WarpCall *> lanes, int64_t warp);
  bool releaseGroup(int64_t group);
  const char *multiplyInGroup(int64_t group);
  bool releaseBarrier();
  /// What is wrong with the end of a block or with its standstill.
  void failAtEnd();
  void failStuck();

  // AsyncBarrier.cpp
  void initBarrier(Fiber &fiber, int64_t offset, int64_t count);
  void dropBarrier(Fiber &fiber, int64_t offset);
  void arrive(Fiber &fiber, int64_t offset, int64_t count, int64_t bytes);
  void await(Fiber &fiber, int64_t offset, int64_t parity);
  void startBulk(Fiber &fiber, BulkCopy copy, int64_t barrier);
  void completeBulk(size_t which);
  AsyncBarrier *findBarrier(Fiber &fiber, int64_t offset);
  void endPhase(AsyncBarrier &barrier);
  /// Whether `writer` has passed more than `fences` fences of the proxy, as one who knows `clock`
  /// sees it; `isOlder`: as of the last barrier of the block.
  bool isFenced(int64_t writer, int64_t fences, bool isOlder, const Clock *clock) const {
    const int64_t thread = writer % launch.threads;
    const Fiber &fiber = fibers[thread];
    return fiber.fences > fences &&
           (isOlder || !clock || clock->of(thread) >= fiber.fencedAt[fences]);
  }
  int32_t sharedBuffer() const { return int32_t(launch.buffers.size()); }
  unsigned char *sharedBytes() const { return static_cast<unsigned char *>(pointers.back()); }
  Accessor accessor(const Fiber &fiber) const {
    return {fiber.view.block * launch.threads + fiber.view.thread,
            fiber.view.block,
            now,
            fiber.fences,
            nullptr,
            fiber.tick};
  }
  /// Of shared memory: mbarriers order it, too.
  Accessor sharedAccessor(const Fiber &fiber) const {
    Accessor by = accessor(fiber);
    by.clock = barriers.empty() ? nullptr : &fiber.clock;
    by.threads = launch.threads;
    return by;
  }
  void fail(const Fiber &fiber, const std::string &what) {
    if (status.ok())
      status = invalidInput(
          fmt::format("block {} thread {}: {}", fiber.view.block, fiber.view.thread, what));
  }

  const Launch &launch;
  std::mt19937_64 random;
  std::vector<Shadow> shadows; ///< of the buffers, then of shared memory; none: no checks
  std::vector<unsigned char> shared;
  std::vector<void *> pointers;
  std::vector<Fiber> fibers;
  void *stacks = nullptr;
  Suspended scheduler;
  std::jmp_buf escape;                ///< of a thread without a fiber
  int64_t now = 0;                    ///< barrier interval
  std::vector<int64_t> ready;         ///< threads that can go on
  std::vector<AsyncBarrier> barriers; ///< of the block, valid or not any more
  std::vector<BulkCopy> bulks;        ///< under way
  Status status;
};

/// A thread's view with all that it calls (ThreadCalls.cpp).
ThreadView makeView(Fiber &fiber, int64_t thread, int64_t block);

} // namespace mtc::emulator
