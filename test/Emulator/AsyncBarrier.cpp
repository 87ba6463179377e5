//===- AsyncBarrier.cpp - mbarriers and the copies that signal them -------===//
#include "BlockRun.h"

#include <cstring>

namespace mtc::emulator {

std::string AsyncBarrier::describe() const {
  return fmt::format("at the mbarrier at {} of shared memory, whose phase {} lacks {} "
                     "arrivals and {} bytes",
                     offset, phase, pending, lacks);
}

/// The mbarrier there, which the thread knows of; null after an error.
AsyncBarrier *BlockRun::findBarrier(Fiber &fiber, int64_t offset) {
  for (AsyncBarrier &barrier : barriers) {
    if (!barrier.isValid || barrier.offset != offset)
      continue;
    const bool isKnown = barrier.made < now || barrier.maker == fiber.view.thread ||
                         fiber.clock.of(barrier.maker) >= barrier.madeAt;
    if (isKnown)
      return &barrier;
    fail(fiber,
         fmt::format("uses the mbarrier at {} of shared memory, whose initialization it does "
                     "not wait for",
                     offset));
    leave(fiber);
  }
  fail(fiber, fmt::format("uses {} of shared memory, where no mbarrier is", offset));
  leave(fiber);
  return nullptr;
}

/// mbarrier.init (PTX ISA 9.7.13.15).
void BlockRun::initBarrier(Fiber &fiber, int64_t offset, int64_t count) {
  const char *wrong = nullptr;
  if (offset % AsyncBarrier::bytes != 0)
    wrong = "is not aligned to its size";
  else if (count < 1 || count > AsyncBarrier::mostCount)
    wrong = "counts no number of arrivals";
  else if (offset < 0 || offset + AsyncBarrier::bytes > launch.sharedBytes)
    wrong = "is out of bounds";
  else if (launch.checksAccesses)
    wrong =
        shadows.back().touch(offset, AsyncBarrier::bytes, /*isWrite=*/true, sharedAccessor(fiber));
  if (wrong) {
    fail(fiber, fmt::format("mbarrier at {} of shared memory {}", offset, wrong));
    leave(fiber);
  }
  // From here on clocks count.
  if (barriers.empty())
    for (int64_t t = 0; t < launch.threads; ++t)
      fibers[t].clock.set(t, fibers[t].tick);
  AsyncBarrier barrier;
  barrier.offset = offset;
  barrier.number = int64_t(barriers.size());
  barrier.count = barrier.pending = count;
  barrier.maker = fiber.view.thread;
  barrier.made = now;
  barrier.makerFences = fiber.fences;
  barrier.makerBarrierFences = fiber.barrierFences;
  barrier.madeAt = fiber.tick;
  barriers.push_back(std::move(barrier));
  if (launch.checksAccesses)
    shadows.back().setBarrier(offset, AsyncBarrier::bytes, true);
}

/// mbarrier.inval (PTX ISA 9.7.13.15): the memory may be used otherwise.
void BlockRun::dropBarrier(Fiber &fiber, int64_t offset) {
  AsyncBarrier *barrier = findBarrier(fiber, offset);
  barrier->isValid = false;
  if (launch.checksAccesses)
    shadows.back().setBarrier(offset, AsyncBarrier::bytes, false);
}

/// All arrivals and bytes of a phase are there (PTX ISA 9.7.13.15, phase completion): who waits
/// goes on, knowing what those know that arrived, and having what the copies brought.
void BlockRun::endPhase(AsyncBarrier &barrier) {
  if (barrier.pending != 0 || barrier.lacks != 0)
    return;
  barrier.ended = std::exchange(barrier.arrived, Clock());
  ++barrier.phase;
  barrier.ended.set(launch.threads + barrier.number, uint32_t(barrier.phase));
  barrier.pending = barrier.count;
  for (Fiber &fiber : fibers)
    if (fiber.state == Fiber::State::AtAsyncBarrier && fiber.awaited == barrier.number &&
        (barrier.phase & 1) != fiber.parity) {
      fiber.state = Fiber::State::Ready;
      ready.push_back(fiber.view.thread);
    }
}

/// mbarrier.arrive (PTX ISA 9.7.13.15), which releases, and mbarrier.expect_tx
/// before it; without an arrival only that, which releases nothing.
void BlockRun::arrive(Fiber &fiber, int64_t offset, int64_t count, int64_t bytes) {
  AsyncBarrier &barrier = *findBarrier(fiber, offset);
  barrier.lacks += bytes;
  barrier.pending -= count;
  const char *wrong = barrier.pending < 0 ? "has more arrivals than it counts"
                      : barrier.lacks > AsyncBarrier::mostCount
                          ? "expects more bytes than it counts"
                          : nullptr;
  if (wrong) {
    fail(fiber, fmt::format("the mbarrier at {} of shared memory {}", offset, wrong));
    leave(fiber);
  }
  if (count > 0) {
    barrier.arrived.join(fiber.clock);
    fiber.clock.set(fiber.view.thread, ++fiber.tick);
  }
  endPhase(barrier);
}

/// mbarrier.try_wait.parity until it is true (PTX ISA 9.7.13.15): until the phase before the
/// present one has this parity, as it has the odd one at the beginning. It acquires.
void BlockRun::await(Fiber &fiber, int64_t offset, int64_t parity) {
  const int64_t number = findBarrier(fiber, offset)->number;
  if ((barriers[number].phase & 1) == parity) {
    fiber.awaited = number;
    fiber.parity = parity;
    fiber.state = Fiber::State::AtAsyncBarrier;
    yield(fiber);
  }
  fiber.clock.join(barriers[number].ended);
  barriers[number].awaited = barriers[number].phase - 1;
}

/// The bytes come at any time from now on, by the asynchronous proxy, to which the mbarrier must
/// have been shown.
void BlockRun::startBulk(Fiber &fiber, BulkCopy copy, int64_t offset) {
  AsyncBarrier &barrier = *findBarrier(fiber, offset);
  const Fiber &maker = fibers[barrier.maker];
  auto refuse = [&](int64_t at, const char *wrong) {
    fail(fiber, fmt::format("bulk copy to {} of shared memory {}", at, wrong));
    leave(fiber);
  };
  if (maker.fences <= barrier.makerFences && maker.barrierFences <= barrier.makerBarrierFences)
    refuse(copy.parts.front().to, "signals an mbarrier that no fence shows to its proxy");
  const Accessor by = sharedAccessor(fiber);
  auto fenced = [&](int64_t writer, int64_t fences, bool isOlder) {
    return isFenced(writer, fences, isOlder, by.clock);
  };
  for (const Copy &part : copy.parts) {
    const auto bytes = int64_t(part.bytes.size());
    if (launch.checksAccesses)
      if (const char *wrong = shadows.back().startBulkCopy(part.to, bytes, by, fenced))
        refuse(part.to, wrong);
    std::memset(sharedBytes() + part.to, poison, bytes);
  }
  copy.barrier = barrier.number;
  copy.phase = barrier.copied = barrier.phase;
  bulks.push_back(std::move(copy));
}

/// The bytes have come (complete-tx, PTX ISA 9.7.13.15).
void BlockRun::completeBulk(size_t which) {
  std::swap(bulks[which], bulks.back());
  const BulkCopy copy = std::move(bulks.back());
  bulks.pop_back();
  AsyncBarrier &barrier = barriers[copy.barrier];
  const Fiber &maker = fibers[barrier.maker];
  if (!barrier.isValid || barrier.phase != copy.phase)
    return fail(maker, fmt::format("the mbarrier at {} of shared memory ends phase {} before its "
                                   "copies have come: it expects too few bytes",
                                   barrier.offset, copy.phase));
  Accessor by = sharedAccessor(maker);
  by.thread = copierOf(barrier.number);
  by.tick = uint32_t(barrier.phase + 1);
  for (const Copy &part : copy.parts) {
    const auto bytes = int64_t(part.bytes.size());
    if (launch.checksAccesses)
      shadows.back().finishCopy(part.to, bytes, by, copy.chunks);
    std::memcpy(sharedBytes() + part.to, part.bytes.data(), bytes);
    barrier.lacks -= bytes;
  }
  endPhase(barrier);
}

/// Shared memory must not go while copies still write to it.
void BlockRun::failAtEnd() {
  for (const BulkCopy &copy : bulks)
    return fail(fibers[barriers[copy.barrier].maker],
                fmt::format("the block ends while a bulk copy to {} of shared memory is under way",
                            copy.parts.front().to));
  for (const AsyncBarrier &barrier : barriers)
    if (barrier.copied > barrier.awaited)
      return fail(fibers[barrier.maker],
                  fmt::format("the block ends and nobody has waited for the copies of phase {} of "
                              "the mbarrier at {} of shared memory",
                              barrier.copied, barrier.offset));
}

} // namespace mtc::emulator
