//===- Launch.cpp - run the threads of a GPU kernel on the host -----------===//
#include "BlockRun.h"

#include <array>

namespace mtc::emulator {
namespace {

void fiberMain(void *argument) {
  auto *fiber = static_cast<Fiber *>(argument);
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
  fiber = Fiber();
  fiber.block = this;
  fiber.view = makeView(fiber, thread, block);
  if (!launch.synchronizes)
    return;
  prepare(fiber.flow, static_cast<char *>(stacks) + stackBytes * thread, stackBytes, fiberMain,
          &fiber);
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
          if (const char *wrong = shadows.back().touch(row + at.byte, 1, /*isWrite=*/false,
                                                       sharedAccessor(fiber))) {
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

/// Reads both matrices by their descriptors, adds their product to the sums of each thread.
const char *BlockRun::multiplyInGroup(int64_t group) {
  Fiber &first = fibers[group * groupThreads];
  const GroupCall &call = first.product;
  const std::span<Fiber> threads(&first, groupThreads);
  std::vector<int32_t *> sums;
  for (Fiber &fiber : threads) {
    if (!fiber.product.isSame(call))
      return "is in another wgmma than other threads of its warpgroup";
    if (!fiber.mayMultiply)
      return "multiplies without a wgmma.fence before";
    sums.push_back(fiber.product.sums);
    ++fiber.openProducts;
  }
  GroupProduct product(call);
  if (const char *wrong = product.check(launch.sharedBytes))
    return wrong;
  if (launch.checksAccesses && call.isChecked) {
    // All threads of the group start it, so what orders a write before it is known to all.
    Clock known = first.clock;
    for (const Fiber &fiber : threads)
      known.meet(fiber.clock);
    Accessor by = sharedAccessor(first);
    if (by.clock)
      by.clock = &known;
    auto fenced = [&](int64_t writer, int64_t fences, bool isOlder) {
      return isFenced(writer, fences, isOlder, by.clock);
    };
    auto parts = std::make_shared<const std::vector<Bytes>>(product.parts());
    for (const Bytes &part : *parts)
      if (const char *wrong =
              shadows.back().startReading(part, groupThreads / warpThreads, by, fenced)) {
        fail(first, fmt::format("wgmma at {} of shared memory {}", part.offset, wrong));
        return nullptr;
      }
    for (int64_t warp = 0; warp < groupThreads; warp += warpThreads)
      threads[warp].readings.push_back(parts);
  }
  return product.multiply(sharedBytes(), sums);
}

bool BlockRun::releaseGroup(int64_t group) {
  const int64_t begin = group * groupThreads, end = begin + groupThreads;
  if (end > launch.threads) {
    fail(fibers[begin], "needs a whole warpgroup for a wgmma");
    return true;
  }
  for (int64_t t = begin; t < end; ++t)
    if (fibers[t].state != Fiber::State::AtGroup)
      return false;
  if (const char *wrong = multiplyInGroup(group))
    fail(fibers[begin], wrong);
  for (int64_t t = begin; t < end; ++t)
    fibers[t].state = Fiber::State::Ready;
  return true;
}

bool BlockRun::releaseBarrier() {
  for (Fiber &fiber : fibers)
    if (fiber.state != Fiber::State::AtBarrier)
      return false;
  Clock all;
  if (!barriers.empty())
    for (const Fiber &fiber : fibers)
      all.join(fiber.clock);
  for (Fiber &fiber : fibers) {
    fiber.state = Fiber::State::Ready;
    fiber.clock = all;
  }
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
  if (launch.checksAccesses)
    shadows.back().reset();
  ++now;
  barriers.clear();
  bulks.clear();
  fibers.resize(launch.threads);
  for (int64_t t = 0; t < launch.threads; ++t)
    start(fibers[t], t, block);
  auto readyAll = [&] {
    ready.resize(launch.threads);
    std::iota(ready.begin(), ready.end(), 0);
  };
  readyAll();
  while (status.ok()) {
    while (!ready.empty() && status.ok()) {
      if (!bulks.empty() && random() % 8 == 0)
        completeBulk(random() % bulks.size());
      std::swap(ready[random() % ready.size()], ready.back());
      Fiber &fiber = fibers[ready.back()];
      ready.pop_back();
      resume(scheduler, fiber.flow);
      const bool isWarp = fiber.state == Fiber::State::AtWarp;
      const int64_t size = isWarp ? warpThreads : groupThreads, team = fiber.view.thread / size;
      if ((isWarp && releaseWarp(team)) ||
          (fiber.state == Fiber::State::AtGroup && releaseGroup(team)))
        for (int64_t t = team * size; t < std::min((team + 1) * size, launch.threads); ++t)
          ready.push_back(t);
    }
    if (!status.ok())
      return;
    if (std::all_of(fibers.begin(), fibers.end(),
                    [](const Fiber &f) { return f.state == Fiber::State::Done; }))
      return failAtEnd();
    if (!bulks.empty())
      completeBulk(random() % bulks.size());
    else if (releaseBarrier())
      readyAll();
    else
      failStuck();
  }
}

void BlockRun::failStuck() {
  static constexpr std::pair<Fiber::State, const char *> stuck[] = {
      {Fiber::State::AtAsyncBarrier, ""},
      {Fiber::State::AtWarp, "waits in {} that not all lanes of its warp reach"},
      {Fiber::State::AtGroup, "waits in a wgmma that not all threads of its warpgroup reach"},
      {Fiber::State::AtBarrier, "waits at a barrier that not all threads of the block reach"}};
  auto isAt = [](Fiber::State state) {
    return [state](const Fiber &f) { return f.state == state; };
  };
  const auto &[state, what] =
      *std::find_if(std::begin(stuck), std::end(stuck), [&](const auto &row) {
        return std::any_of(fibers.begin(), fibers.end(), isAt(row.first));
      });
  const Fiber &waits = *std::find_if(fibers.begin(), fibers.end(), isAt(state));
  static constexpr const char *names[] = {"a shuffle", "an ldmatrix", "an mma"};
  if (state != Fiber::State::AtAsyncBarrier)
    return fail(waits, fmt::format(fmt::runtime(what), names[static_cast<int>(waits.call.kind)]));
  std::string all; // any of them may be the one to blame
  for (const AsyncBarrier &barrier : barriers)
    if (std::any_of(fibers.begin(), fibers.end(), [&](const Fiber &f) {
          return f.state == state && f.awaited == barrier.number;
        }))
      all += (all.empty() ? "" : "; others wait ") + barrier.describe();
  fail(waits, "waits " + all);
}

Status run(const Launch &launch) { return BlockRun(launch).runAll(); }

} // namespace mtc::emulator
