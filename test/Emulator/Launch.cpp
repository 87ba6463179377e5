//===- Launch.cpp - run the threads of a GPU kernel on the host -----------===//
#include "Launch.h"

#include "Shadow.h"
#include "Warp.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <memory>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <ucontext.h>
#include <utility>

namespace mtc::emulator {

struct BlockRun;

/// An asynchronous copy under way: what it will have written.
struct Copy {
  int64_t to = 0;
  std::vector<unsigned char> bytes;
};

struct Fiber {
  enum class State { Ready, AtBarrier, AtWarp, Done };
  ThreadView view = {};
  ucontext_t context = {};
  State state = State::Ready;
  BlockRun *block = nullptr;
  WarpCall call;            ///< under way
  bool isChecked = false;   ///< of a load of matrices under way
  std::vector<Copy> copies; ///< that are in no group yet
  std::deque<std::vector<Copy>> groups;
};

namespace {

constexpr size_t stackBytes = 128 << 10;
constexpr unsigned char poison = 0xDB;

} // namespace

/// The blocks of a launch, one after the other on the same fibers.
struct BlockRun {
  explicit BlockRun(const Launch &launch) : launch(launch), random(launch.seed) {
    for (const Buffer &buffer : launch.buffers)
      shadows.emplace_back(buffer.bytes, buffer.written);
    shadows.emplace_back(launch.sharedBytes, false);
    if (launch.synchronizes)
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
    ::swapcontext(&fiber.context, &scheduler);
  }
  bool releaseWarp(int64_t warp);
  const char *performInWarp(std::span<WarpCall *> lanes, int64_t warp);
  const char *loadMatrices(std::span<WarpCall *> lanes, int64_t warp);
  bool releaseBarrier();
  int32_t sharedBuffer() const { return int32_t(launch.buffers.size()); }
  unsigned char *sharedBytes() const { return static_cast<unsigned char *>(pointers.back()); }
  Accessor accessor(const Fiber &fiber) const {
    return {fiber.view.block * launch.threads + fiber.view.thread, fiber.view.block, now};
  }
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
  std::jmp_buf escape; ///< of a thread without a fiber
  int64_t now = 0;     ///< barrier interval
  Status status;
};

namespace {

/// bar.sync 0 (PTX ISA 9.7.13.1): waits for all threads of the block.
void atBarrier(ThreadView *view, void *) {
  view->fiber->state = Fiber::State::AtBarrier;
  view->fiber->block->yield(*view->fiber);
}

/// Enters an operation of the warp; the results are in the fiber's call.
const WarpCall &atWarp(ThreadView *view, const WarpCall &call) {
  Fiber &fiber = *view->fiber;
  fiber.call = call;
  fiber.state = Fiber::State::AtWarp;
  fiber.block->yield(fiber);
  return fiber.call;
}

int64_t atShuffle(ThreadView *view, int32_t value, int32_t operand, int32_t width, int32_t mode) {
  const WarpCall &call = atWarp(view, {WarpCall::Kind::Shuffle, mode, {value, operand, width}, {}});
  return int64_t(call.results[1]) << 32 | int64_t(uint32_t(call.results[0]));
}

void setRegisters(ThreadView *view, const WarpCall &call) {
  std::copy(call.results.begin(), call.results.end(), view->registers);
}

void atLoadMatrix(ThreadView *view, void *, int64_t offset, int32_t count, int32_t isTransposed,
                  int32_t isChecked) {
  view->fiber->isChecked = isChecked != 0 && view->fiber->block->launch.checksAccesses;
  setRegisters(view, atWarp(view, {WarpCall::Kind::LoadMatrix,
                                   2 * count + isTransposed,
                                   {static_cast<int32_t>(offset)},
                                   {}}));
}

void atMultiply(ThreadView *view, int32_t kind, int32_t a0, int32_t a1, int32_t a2, int32_t a3,
                int32_t b0, int32_t b1, int32_t c0, int32_t c1, int32_t c2, int32_t c3) {
  setRegisters(
      view,
      atWarp(view, {WarpCall::Kind::Multiply, kind, {a0, a1, a2, a3, b0, b1, c0, c1, c2, c3}, {}}));
}

/// The thread has done something wrong and never comes back.
void stop(Fiber &fiber, const char *what, int64_t bytes, int64_t offset, int32_t buffer,
          const char *wrong) {
  BlockRun &block = *fiber.block;
  block.fail(fiber, fmt::format("{} of {} bytes at {} of {} {}", what, bytes, offset,
                                buffer == block.sharedBuffer() ? "shared memory"
                                                               : fmt::format("buffer {}", buffer),
                                wrong));
  block.leave(fiber);
}

/// A vector's address is a multiple of its size (PTX ISA 5.4.2, 6.4.1); buffers begin at multiples
/// of more.
const char *alignmentOf(int64_t offset, int64_t bytes) {
  const bool isVector = bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16;
  return isVector && offset % bytes != 0 ? "is not aligned to its size" : nullptr;
}

void atAccess(ThreadView *view, int32_t buffer, int64_t offset, int32_t bytes, int32_t isWrite) {
  Fiber &fiber = *view->fiber;
  BlockRun &block = *fiber.block;
  const char *wrong = alignmentOf(offset, bytes);
  if (!wrong)
    wrong = block.shadows[buffer].touch(offset, bytes, isWrite != 0, block.accessor(fiber));
  if (wrong)
    stop(fiber, isWrite ? "write" : "read", bytes, offset, buffer, wrong);
}

/// cp.async (PTX ISA 9.7.9.25.3.1): the bytes arrive at some time after this and before the wait,
/// so that until then they are nobody's; what is beyond the source's size is zero.
void atCopyAsync(ThreadView *view, void *, int64_t to, int32_t buffer, int64_t from, int32_t bytes,
                 int32_t sourceBytes) {
  Fiber &fiber = *view->fiber;
  BlockRun &block = *fiber.block;
  const char *wrong = bytes != 4 && bytes != 8 && bytes != 16  ? "has no size of a copy"
                      : sourceBytes < 0 || sourceBytes > bytes ? "reads more than it writes"
                                                               : alignmentOf(to, bytes);
  if (!wrong)
    wrong = block.shadows.back().startCopy(to, bytes, block.accessor(fiber));
  if (wrong)
    return stop(fiber, "asynchronous copy", bytes, to, block.sharedBuffer(), wrong);
  wrong = alignmentOf(from, bytes);
  if (!wrong && (from < 0 || from + sourceBytes > block.launch.buffers[buffer].bytes))
    wrong = "is out of bounds";
  if (wrong)
    return stop(fiber, "asynchronous copy", bytes, from, buffer, wrong);
  Copy &copy = fiber.copies.emplace_back();
  copy.to = to;
  copy.bytes.assign(bytes, 0);
  std::memcpy(copy.bytes.data(), static_cast<unsigned char *>(block.pointers[buffer]) + from,
              sourceBytes);
  std::memset(block.sharedBytes() + to, poison, bytes);
}

/// cp.async.commit_group (PTX ISA 9.7.9.25.3.2); a group may be empty.
void atCommitCopies(ThreadView *view) {
  view->fiber->groups.push_back(std::exchange(view->fiber->copies, {}));
}

/// cp.async.wait_group (PTX ISA 9.7.9.25.3.3): at most the last groups are under way; what is in no
/// group is not waited for. The bytes are then visible to this thread, to others behind a barrier.
void atAwaitCopies(ThreadView *view, void *, int32_t groups) {
  Fiber &fiber = *view->fiber;
  for (; int64_t(fiber.groups.size()) > groups; fiber.groups.pop_front())
    for (const Copy &copy : fiber.groups.front()) {
      const auto bytes = int64_t(copy.bytes.size());
      fiber.block->shadows.back().finishCopy(copy.to, bytes, fiber.block->accessor(fiber));
      std::memcpy(fiber.block->sharedBytes() + copy.to, copy.bytes.data(), bytes);
    }
}

void ignoreAccess(ThreadView *, int32_t, int64_t, int32_t, int32_t) {}

void fiberMain(unsigned high, unsigned low) {
  auto *fiber = reinterpret_cast<Fiber *>(uintptr_t(high) << 32 | uintptr_t(low));
  fiber->block->call(*fiber);
  fiber->block->leave(*fiber);
}

} // namespace

void BlockRun::call(Fiber &fiber) {
  MtcKernelArgs args = {0, launch.lo, launch.hi, 0, pointers.data(), &fiber.view, nullptr};
  launch.function(&args);
}

void BlockRun::leave(Fiber &fiber) {
  fiber.state = Fiber::State::Done;
  if (!launch.synchronizes)
    std::longjmp(escape, 1); // over generated code, which has nothing to destroy
  yield(fiber);
}

void BlockRun::start(Fiber &fiber, int64_t thread, int64_t block) {
  fiber.view = {thread,        block,        launch.blocks, atBarrier,   atShuffle,
                atAccess,      atLoadMatrix, atMultiply,    atCopyAsync, atCommitCopies,
                atAwaitCopies, {},           &fiber};
  if (!launch.checksAccesses)
    fiber.view.access = ignoreAccess;
  fiber.block = this;
  fiber.state = Fiber::State::Ready;
  fiber.copies.clear();
  fiber.groups.clear();
  if (!launch.synchronizes)
    return;
  ::getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = static_cast<char *>(stacks) + stackBytes * thread;
  fiber.context.uc_stack.ss_size = stackBytes;
  fiber.context.uc_link = nullptr;
  auto bits = reinterpret_cast<uintptr_t>(&fiber);
  ::makecontext(&fiber.context, reinterpret_cast<void (*)()>(fiberMain), 2, unsigned(bits >> 32),
                unsigned(bits));
}

/// The rows' addresses are those of the first lanes; a lane reads what it gets.
const char *BlockRun::loadMatrices(std::span<WarpCall *> lanes, int64_t warp) {
  const int64_t count = lanes[0]->variant / 2;
  const bool isTransposed = lanes[0]->variant % 2 != 0;
  for (int64_t lane = 0; lane < warpThreads; ++lane)
    for (int64_t result = 0; result < count; ++result) {
      uint32_t bits = 0;
      for (int64_t byte = 0; byte < 4; ++byte) {
        const MatrixByte at = matrixByte(lane, result, byte, isTransposed);
        const int64_t row = lanes[at.row]->operands[0];
        if (row % 16 != 0)
          return "loads a row of a matrix that is not aligned to 16 bytes";
        if (row < 0 || row + 16 > launch.sharedBytes)
          return "loads a row of a matrix out of bounds of shared memory";
        const Fiber &fiber = fibers[warp * warpThreads + lane];
        if (fiber.isChecked)
          if (const char *wrong =
                  shadows.back().touch(row + at.byte, 1, /*isWrite=*/false, accessor(fiber))) {
            fail(fiber, fmt::format("ldmatrix at {} of shared memory {}", row + at.byte, wrong));
            return nullptr;
          }
        bits |= uint32_t(sharedBytes()[row + at.byte]) << 8 * byte;
      }
      lanes[lane]->results[result] = int32_t(bits);
    }
  return nullptr;
}

const char *BlockRun::performInWarp(std::span<WarpCall *> lanes, int64_t warp) {
  for (const WarpCall *call : lanes)
    if (call->kind != lanes[0]->kind || call->variant != lanes[0]->variant)
      return "is in another operation than other lanes of its warp";
  if (lanes[0]->kind == WarpCall::Kind::Shuffle)
    return shuffle(lanes), nullptr;
  if (int64_t(lanes.size()) < warpThreads)
    return "needs a whole warp for a matrix";
  return lanes[0]->kind == WarpCall::Kind::Multiply ? multiply(lanes) : loadMatrices(lanes, warp);
}

bool BlockRun::releaseWarp(int64_t warp) {
  const int64_t first = warp * warpThreads, end = std::min(first + warpThreads, launch.threads);
  std::array<WarpCall *, warpThreads> calls;
  for (int64_t t = first; t < end; ++t) {
    if (fibers[t].state != Fiber::State::AtWarp)
      return false;
    calls[t - first] = &fibers[t].call;
  }
  if (const char *wrong = performInWarp({calls.data(), size_t(end - first)}, warp))
    fail(fibers[first], wrong);
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

/// Threads that wait for nobody need no stacks of their own: one after the other in random order.
void BlockRun::runApart(int64_t block) {
  ++now;
  fibers.resize(1);
  std::vector<int64_t> order(launch.threads);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  for (size_t next = 0; next < order.size() && status.ok(); ++next) {
    start(fibers.front(), order[next], block);
    if (setjmp(escape) == 0)
      call(fibers.front());
  }
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
      if (fiber.state == Fiber::State::AtWarp && releaseWarp(warp))
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
      auto waits = std::find_if(fibers.begin(), fibers.end(), is(Fiber::State::AtWarp));
      const bool isWarp = waits != fibers.end();
      if (!isWarp)
        waits = std::find_if(fibers.begin(), fibers.end(), is(Fiber::State::AtBarrier));
      static constexpr const char *names[] = {"a shuffle", "an ldmatrix", "an mma"};
      fail(*waits, isWarp ? fmt::format("waits in {} that not all lanes of its warp reach",
                                        names[static_cast<int>(waits->call.kind)])
                          : "waits at a barrier that not all threads of the block reach");
      return;
    }
    ready.resize(launch.threads);
    std::iota(ready.begin(), ready.end(), 0);
  }
}

Status run(const Launch &launch) { return BlockRun(launch).runAll(); }

} // namespace mtc::emulator
