//===- Launch.cpp - run the threads of a GPU kernel on the host -----------===//
#include "Launch.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <ucontext.h>

namespace mtc::emulator {

struct BlockRun;

struct Fiber {
  enum class State { Ready, AtBarrier, AtShuffle, Done };
  ThreadView view = {};
  ucontext_t context = {};
  State state = State::Ready;
  BlockRun *block = nullptr;
  int32_t value = 0, operand = 0, width = 32; ///< of a shuffle under way
  ShuffleMode mode = ShuffleMode::Xor;
  int64_t result = 0;
};

namespace {

constexpr size_t stackBytes = 128 << 10;
constexpr int64_t warpThreads = 32;
constexpr unsigned char poison = 0xDB;

constexpr int64_t nobody = -1, several = -2;

/// Who has touched a byte. Times are numbers of barrier intervals, unique in a launch.
struct Cell {
  int64_t writer = nobody, writeBlock = nobody, writeTime = -1;
  int64_t reader = nobody, readBlock = nobody, readTime = -1; ///< of the last interval with a read
};

/// Memory with its history.
class Shadow {
public:
  Shadow(int64_t bytes, bool written) : cells_(bytes), written_(written) {}

  void reset() { std::fill(cells_.begin(), cells_.end(), Cell()); }

  /// What is wrong with an access, or null. Another block never synchronizes with this one; in a
  /// block a barrier orders.
  const char *touch(int64_t offset, int64_t bytes, bool isWrite, int64_t who, int64_t block,
                    int64_t now) {
    if (offset < 0 || offset + bytes > int64_t(cells_.size()))
      return "is out of bounds";
    for (int64_t i = offset; i < offset + bytes; ++i) {
      Cell &cell = cells_[i];
      const bool wasWritten = cell.writer != nobody;
      if (wasWritten && (cell.writeBlock != block || (cell.writeTime == now && cell.writer != who)))
        return isWrite ? "races with another thread's write" : "races with a write";
      if (!isWrite) {
        if (!wasWritten && !written_)
          return "reads what was never written";
        cell.reader = cell.readTime == now && cell.reader != who ? several : who;
        cell.readBlock = cell.readBlock == nobody || cell.readBlock == block ? block : several;
        cell.readTime = now;
        continue;
      }
      if (cell.reader != nobody &&
          (cell.readBlock != block || (cell.readTime == now && cell.reader != who)))
        return "races with a read";
      cell.writer = who;
      cell.writeBlock = block;
      cell.writeTime = now;
    }
    return nullptr;
  }

private:
  std::vector<Cell> cells_;
  bool written_;
};

} // namespace

/// The blocks of a launch, one after the other on the same fibers.
struct BlockRun {
  explicit BlockRun(const Launch &launch) : launch(launch), random(launch.seed) {
    for (const Buffer &buffer : launch.buffers)
      shadows.emplace_back(buffer.bytes, buffer.written);
    shadows.emplace_back(launch.sharedBytes, false);
    stacks = ::mmap(nullptr, stackBytes * launch.threads, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    // At the end of its block, so that vectors may be aligned as the base of shared memory is.
    shared.resize(launch.sharedBytes + 256);
    for (const Buffer &buffer : launch.buffers)
      pointers.push_back(buffer.data);
    void *base = shared.data();
    size_t space = shared.size();
    pointers.push_back(std::align(256, launch.sharedBytes, base, space));
  }
  ~BlockRun() { ::munmap(stacks, stackBytes * launch.threads); }

  Status runAll() {
    if (stacks == MAP_FAILED)
      return internalError("no memory for the stacks of emulated threads");
    std::vector<int64_t> order(launch.blocks);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    for (int64_t block : order) {
      runBlock(block);
      if (!status.ok())
        return status;
    }
    return okStatus();
  }

  void runBlock(int64_t block);
  void start(Fiber &fiber, int64_t thread, int64_t block);
  void yield(Fiber &fiber) { ::swapcontext(&fiber.context, &scheduler); }
  bool releaseWarp(int64_t warp);
  bool releaseBarrier();
  void fail(const Fiber &fiber, const std::string &what) {
    if (status.ok())
      status = invalidInput(
          fmt::format("block {} thread {}: {}", fiber.view.block, fiber.view.thread, what));
  }

  const Launch &launch;
  std::mt19937_64 random;
  std::vector<Shadow> shadows; ///< of the buffers, then of shared memory
  std::vector<unsigned char> shared;
  std::vector<void *> pointers;
  std::vector<Fiber> fibers;
  void *stacks = nullptr;
  ucontext_t scheduler = {};
  int64_t now = 0; ///< barrier interval
  Status status;
};

namespace {

/// bar.sync 0 (PTX ISA 9.7.13.1): waits for all threads of the block.
void atBarrier(ThreadView *view, void *) {
  view->fiber->state = Fiber::State::AtBarrier;
  view->fiber->block->yield(*view->fiber);
}

int64_t atShuffle(ThreadView *view, int32_t value, int32_t operand, int32_t width, int32_t mode) {
  Fiber &fiber = *view->fiber;
  fiber.value = value;
  fiber.operand = operand;
  fiber.width = width;
  fiber.mode = static_cast<ShuffleMode>(mode);
  fiber.state = Fiber::State::AtShuffle;
  fiber.block->yield(fiber);
  return fiber.result;
}

void atAccess(ThreadView *view, int32_t buffer, int64_t offset, int32_t bytes, int32_t isWrite) {
  Fiber &fiber = *view->fiber;
  BlockRun &block = *fiber.block;
  const int64_t who = view->block * block.launch.threads + view->thread;
  const char *wrong =
      block.shadows[buffer].touch(offset, bytes, isWrite != 0, who, view->block, block.now);
  if (!wrong)
    return;
  const bool isShared = buffer == int32_t(block.launch.buffers.size());
  block.fail(fiber,
             fmt::format("{} of {} bytes at {} of {} {}", isWrite ? "write" : "read", bytes, offset,
                         isShared ? "shared memory" : fmt::format("buffer {}", buffer), wrong));
  fiber.state = Fiber::State::Done; // and never comes back
  block.yield(fiber);
}

void fiberMain(unsigned high, unsigned low) {
  auto *fiber = reinterpret_cast<Fiber *>(uintptr_t(high) << 32 | uintptr_t(low));
  BlockRun &block = *fiber->block;
  MtcKernelArgs args = {
      0, block.launch.lo, block.launch.hi, 0, block.pointers.data(), &fiber->view, nullptr};
  block.launch.function(&args);
  fiber->state = Fiber::State::Done;
  block.yield(*fiber);
}

} // namespace

void BlockRun::start(Fiber &fiber, int64_t thread, int64_t block) {
  fiber.view = {thread, block, launch.blocks, atBarrier, atShuffle, atAccess, &fiber};
  fiber.block = this;
  fiber.state = Fiber::State::Ready;
  ::getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = static_cast<char *>(stacks) + stackBytes * thread;
  fiber.context.uc_stack.ss_size = stackBytes;
  fiber.context.uc_link = nullptr;
  auto bits = reinterpret_cast<uintptr_t>(&fiber);
  ::makecontext(&fiber.context, reinterpret_cast<void (*)()>(fiberMain), 2, unsigned(bits >> 32),
                unsigned(bits));
}

/// shfl.sync with all lanes of the warp (PTX ISA 9.7.9.6): lane j of a segment of `width` lanes
/// reads lane j ^ b, j - b, j + b or b; a source outside the segment leaves a lane its own value.
bool BlockRun::releaseWarp(int64_t warp) {
  const int64_t first = warp * warpThreads, end = std::min(first + warpThreads, launch.threads);
  for (int64_t t = first; t < end; ++t)
    if (fibers[t].state != Fiber::State::AtShuffle)
      return false;
  for (int64_t t = first; t < end; ++t) {
    Fiber &fiber = fibers[t];
    const int64_t lane = t - first, base = lane & ~int64_t(fiber.width - 1);
    int64_t source = 0;
    switch (fiber.mode) {
    case ShuffleMode::Xor:
      source = lane ^ fiber.operand;
      break;
    case ShuffleMode::Up:
      source = lane - fiber.operand;
      break;
    case ShuffleMode::Down:
      source = lane + fiber.operand;
      break;
    case ShuffleMode::Index:
      source = base + (fiber.operand & (fiber.width - 1));
      break;
    }
    const bool valid = source >= base && source < base + fiber.width && first + source < end;
    const int32_t value = fibers[valid ? first + source : t].value;
    fiber.result = int64_t(valid) << 32 | int64_t(uint32_t(value));
  }
  for (int64_t t = first; t < end; ++t)
    fibers[t].state = Fiber::State::Ready;
  return true;
}

bool BlockRun::releaseBarrier() {
  for (Fiber &fiber : fibers)
    if (fiber.state != Fiber::State::AtBarrier)
      return false;
  for (Fiber &fiber : fibers)
    fiber.state = Fiber::State::Ready;
  ++now;
  return true;
}

void BlockRun::runBlock(int64_t block) {
  std::fill(shared.begin(), shared.end(), poison);
  shadows.back().reset();
  ++now;
  fibers.resize(launch.threads);
  for (int64_t t = 0; t < launch.threads; ++t)
    start(fibers[t], t, block);
  std::vector<int64_t> ready(launch.threads);
  std::iota(ready.begin(), ready.end(), 0);
  while (status.ok()) {
    while (!ready.empty() && status.ok()) {
      std::swap(ready[random() % ready.size()], ready.back());
      Fiber &fiber = fibers[ready.back()];
      ready.pop_back();
      ::swapcontext(&scheduler, &fiber.context);
      const int64_t warp = fiber.view.thread / warpThreads;
      if (fiber.state == Fiber::State::AtShuffle && releaseWarp(warp))
        for (int64_t t = warp * warpThreads; t < std::min((warp + 1) * warpThreads, launch.threads);
             ++t)
          ready.push_back(t);
    }
    if (!status.ok())
      return;
    auto is = [](Fiber::State state) {
      return [state](const Fiber &f) { return f.state == state; };
    };
    if (std::all_of(fibers.begin(), fibers.end(), is(Fiber::State::Done)))
      return;
    if (!releaseBarrier()) {
      auto waits = std::find_if(fibers.begin(), fibers.end(), is(Fiber::State::AtShuffle));
      bool isShuffle = waits != fibers.end();
      if (!isShuffle)
        waits = std::find_if(fibers.begin(), fibers.end(), is(Fiber::State::AtBarrier));
      fail(*waits, isShuffle ? "waits in a shuffle that not all lanes of its warp reach"
                             : "waits at a barrier that not all threads of the block reach");
      return;
    }
    ready.resize(launch.threads);
    std::iota(ready.begin(), ready.end(), 0);
  }
}

Status run(const Launch &launch) { return BlockRun(launch).runAll(); }

} // namespace mtc::emulator
