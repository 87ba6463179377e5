//===- ThreadCalls.cpp - what generated code asks of the emulator ---------===//
//
// A function per operation that generated code leaves to the emulator, with the section of the
// manual that says what it does. Source: PTX ISA 9.0.
//
//===----------------------------------------------------------------------===//
#include "BlockRun.h"

#include <cstring>
#include <utility>

namespace mtc::emulator {
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
    wrong = block.shadows[buffer].touch(offset, bytes, isWrite != 0,
                                        buffer == block.sharedBuffer() ? block.sharedAccessor(fiber)
                                                                       : block.accessor(fiber));
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
  if (!wrong && (to < 0 || to + bytes > block.launch.sharedBytes))
    wrong = "is out of bounds";
  if (!wrong && block.launch.checksAccesses)
    wrong = block.shadows.back().startCopy(to, bytes, block.sharedAccessor(fiber));
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
  for (; int64_t(fiber.groups.size()) > groups; fiber.groups.erase(fiber.groups.begin()))
    for (const Copy &copy : fiber.groups.front()) {
      const auto bytes = int64_t(copy.bytes.size());
      if (fiber.block->launch.checksAccesses)
        fiber.block->shadows.back().finishCopy(copy.to, bytes, fiber.block->sharedAccessor(fiber));
      std::memcpy(fiber.block->sharedBytes() + copy.to, copy.bytes.data(), bytes);
    }
}

void ignoreAccess(ThreadView *, int32_t, int64_t, int32_t, int32_t) {}

/// wgmma.fence (PTX ISA 9.7.15.7.1): orders accesses to registers before the next products.
void atFenceProducts(ThreadView *view) { view->fiber->mayMultiply = true; }

/// wgmma.mma_async (PTX ISA 9.7.15.5.2): a warpgroup's product of two matrices in shared memory.
/// It reads them until somebody waits for it, by the asynchronous proxy; its results are in `sums`
/// at once, but nobody may look at them before (atReadSums).
void atMultiplyGroup(ThreadView *view, void *, int32_t kind, int32_t columns, int64_t a, int64_t b,
                     int32_t layout, int32_t *sums, int32_t isChecked) {
  Fiber &fiber = *view->fiber;
  fiber.product = {static_cast<MultiplyKind>(kind), columns, a, b, layout, sums, isChecked != 0};
  fiber.state = Fiber::State::AtGroup;
  fiber.block->yield(fiber);
}

/// wgmma.commit_group (PTX ISA 9.7.15.7.2).
void atCommitProducts(ThreadView *view) {
  view->fiber->productGroups.push_back(std::exchange(view->fiber->openProducts, 0));
}

/// wgmma.wait_group (PTX ISA 9.7.15.7.3): at most the last groups are under way. The registers may
/// be used again, which only a fence orders before later products.
void atAwaitProducts(ThreadView *view, int32_t groups) {
  Fiber &fiber = *view->fiber;
  BlockRun &block = *fiber.block;
  for (; int64_t(fiber.productGroups.size()) > groups;
       fiber.productGroups.erase(fiber.productGroups.begin()))
    for (int64_t i = 0; i < fiber.productGroups.front() && !fiber.readings.empty(); ++i) {
      for (const Bytes &part : *fiber.readings.front())
        block.shadows.back().finishReading(part, block.sharedAccessor(fiber));
      fiber.readings.erase(fiber.readings.begin());
    }
  fiber.mayMultiply = false;
}

/// A result of a product is read.
void atReadSums(ThreadView *view) {
  Fiber &fiber = *view->fiber;
  if (fiber.openProducts == 0 && fiber.productGroups.empty())
    return;
  fiber.block->fail(fiber, "reads results of a wgmma that nobody has waited for");
  fiber.block->leave(fiber);
}

/// fence.proxy.async (PTX ISA 9.7.13.4): what this thread has written is there for the
/// asynchronous proxy, by which wgmma reads (PTX ISA 9.7.15.4).
void atFenceProxy(ThreadView *view, void *) {
  ++view->fiber->fences;
  view->fiber->fencedAt.push_back(view->fiber->tick);
}

void atInitBarrier(ThreadView *view, void *, int64_t offset, int32_t count) {
  view->fiber->block->initBarrier(*view->fiber, offset, count);
}

/// fence.mbarrier_init (PTX ISA 9.7.13.4): shows initializations, not other writes, to the
/// asynchronous proxy.
void atFenceBarriers(ThreadView *view, void *) { ++view->fiber->barrierFences; }

void atDropBarrier(ThreadView *view, void *, int64_t offset) {
  view->fiber->block->dropBarrier(*view->fiber, offset);
}

void atArrive(ThreadView *view, void *, int64_t offset, int32_t count, int32_t bytes) {
  view->fiber->block->arrive(*view->fiber, offset, count, bytes);
}

void atAwait(ThreadView *view, void *, int64_t offset, int32_t parity) {
  view->fiber->block->await(*view->fiber, offset, parity);
}

/// cp.async.bulk.shared.global (PTX ISA 9.7.9.25, cp.async.bulk): multiples of 16 bytes, at
/// multiples of 16.
void atCopyBulk(ThreadView *view, void *, int64_t to, int64_t source, int32_t bytes,
                int64_t barrier) {
  Fiber &fiber = *view->fiber;
  const int64_t buffer = source >> sourceBits, from = source & ((int64_t(1) << sourceBits) - 1);
  BlockRun &block = *fiber.block;
  const char *wrong = bytes <= 0 || bytes % 16 != 0    ? "has no size of a bulk copy"
                      : to % 16 != 0 || from % 16 != 0 ? "is not aligned to 16 bytes"
                      : to < 0 || to + bytes > block.launch.sharedBytes ? "is out of bounds"
                                                                        : nullptr;
  if (wrong)
    return stop(fiber, "bulk copy", bytes, to, block.sharedBuffer(), wrong);
  if (from + bytes > block.launch.buffers[buffer].bytes)
    return stop(fiber, "bulk copy", bytes, from, static_cast<int32_t>(buffer), "is out of bounds");
  if (block.launch.checksAccesses)
    if (const char *unread =
            block.shadows[buffer].touch(from, bytes, /*isWrite=*/false, block.accessor(fiber)))
      return stop(fiber, "bulk copy", bytes, from, static_cast<int32_t>(buffer), unread);
  BulkCopy copy;
  copy.parts.push_back({to, std::vector<unsigned char>(bytes)});
  std::memcpy(copy.parts.front().bytes.data(),
              static_cast<unsigned char *>(block.pointers[buffer]) + from, bytes);
  block.startBulk(fiber, std::move(copy), barrier);
}

/// cp.async.bulk.tensor with .tile or .im2col (PTX ISA 9.7.9.25): all bytes of the box count, also
/// zeros for what is outside of the tensor. The map's mode is the copy's (5.5, im2col mode), whose
/// offsets are unsigned and share 16 bits.
void atCopyTensor(ThreadView *view, void *, int64_t to, int32_t number, const int32_t *at,
                  int32_t offsets, int64_t barrier) {
  Fiber &fiber = *view->fiber;
  BlockRun &block = *fiber.block;
  if (number < 0 || size_t(number) >= block.launch.tensorMaps.size())
    return stop(fiber, "copy of a tensor", 0, to, block.sharedBuffer(), "has no tensor map");
  const TensorMap &map = block.launch.tensorMaps[number];
  const char *wrong = map.check();
  if (!wrong && (to < 0 || to + map.boxBytes() > block.launch.sharedBytes))
    wrong = "is out of bounds";
  if (!wrong && to % 128 != 0)
    wrong = "is not aligned to 128 bytes";
  constexpr int32_t coordinates = 5;
  const std::span<const int32_t> moved(at + coordinates, size_t(offsets));
  if (!wrong && moved.size() != map.lower.size())
    wrong = "is of another mode than its tensor map";
  if (!wrong && map.isIm2col() && !map.begins({at, map.rank()}))
    wrong = "begins outside of its pixels";
  if (!wrong)
    for (int32_t move : moved)
      if (move < 0 || move >= 1 << (offsets == 1 ? 16 : offsets == 2 ? 8 : 5))
        wrong = "moves pixels further than its offsets have bits";
  if (wrong)
    return stop(fiber, "copy of a tensor", map.boxBytes(), to, block.sharedBuffer(), wrong);
  if (map.offset + map.bytes() > block.launch.buffers[map.buffer].bytes)
    return stop(fiber, "tensor", map.bytes(), map.offset, map.buffer, "is out of bounds");
  BulkCopy copy;
  copy.parts = map.partsOf(
      {at, map.rank()}, static_cast<const unsigned char *>(block.pointers[map.buffer]), to, moved);
  copy.chunks = static_cast<int32_t>(map.chunks);
  block.startBulk(fiber, std::move(copy), barrier);
}

} // namespace

ThreadView makeView(Fiber &fiber, int64_t thread, int64_t block) {
  const Launch &launch = fiber.block->launch;
  ThreadView view = {};
  view.thread = thread;
  view.block = block;
  view.blocks = launch.blocks;
  view.barrier = atBarrier;
  view.shuffle = atShuffle;
  view.access = launch.checksAccesses ? atAccess : ignoreAccess;
  view.loadMatrix = atLoadMatrix;
  view.multiply = atMultiply;
  view.copyAsync = atCopyAsync;
  view.commitCopies = atCommitCopies;
  view.awaitCopies = atAwaitCopies;
  view.fenceProducts = atFenceProducts;
  view.multiplyGroup = atMultiplyGroup;
  view.commitProducts = atCommitProducts;
  view.awaitProducts = atAwaitProducts;
  view.readSums = atReadSums;
  view.fenceProxy = atFenceProxy;
  view.initBarrier = atInitBarrier;
  view.fenceBarriers = atFenceBarriers;
  view.dropBarrier = atDropBarrier;
  view.arrive = atArrive;
  view.await = atAwait;
  view.copyBulk = atCopyBulk;
  view.copyTensor = atCopyTensor;
  view.fiber = &fiber;
  return view;
}

} // namespace mtc::emulator
