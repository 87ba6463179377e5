//===- BlockRun.h - the state of a launch ---------------------------------===//
#pragma once

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

/// An asynchronous copy under way: what it will have written.
struct Copy {
  int64_t to = 0;
  std::vector<unsigned char> bytes;
};

struct Fiber {
  enum class State { Ready, AtBarrier, AtWarp, AtGroup, Done };
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
  /// Parts of shared memory that products under way read, oldest first; at a warpgroup's first
  /// thread.
  std::vector<std::vector<Bytes>> readings;
  int64_t fences = 0; ///< of the proxy
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
  int32_t sharedBuffer() const { return int32_t(launch.buffers.size()); }
  unsigned char *sharedBytes() const { return static_cast<unsigned char *>(pointers.back()); }
  Accessor accessor(const Fiber &fiber) const {
    return {fiber.view.block * launch.threads + fiber.view.thread, fiber.view.block, now,
            fiber.fences};
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
  std::jmp_buf escape; ///< of a thread without a fiber
  int64_t now = 0;     ///< barrier interval
  Status status;
};

/// A thread's view with all that it calls (ThreadCalls.cpp).
ThreadView makeView(Fiber &fiber, int64_t thread, int64_t block);

} // namespace mtc::emulator
