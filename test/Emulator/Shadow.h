//===- Shadow.h - memory with its history ---------------------------------===//
//
// Who wrote and read each byte of a buffer, and when: between two barriers, a byte that one thread
// writes belongs to it alone, or to those that an mbarrier orders behind it. Bytes that an
// asynchronous copy is about to write belong to nobody.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Clock.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace mtc::emulator {

/// A part of a buffer.
struct Bytes {
  int64_t offset = 0, bytes = 0;
  int32_t chunks = 0; ///< in a row of the swizzle that it is read by; 0: none is meant
};

/// Names the copies that signal mbarrier `number` of the block as a writer.
constexpr int64_t firstCopier = -10;
constexpr int64_t copierOf(int64_t number) { return firstCopier - number; }
constexpr bool isCopier(int64_t writer) { return writer <= firstCopier; }

/// Who accesses, and when. Times are numbers of barrier intervals, unique in a launch.
struct Accessor {
  int64_t thread = 0, block = 0, time = 0;
  int64_t fences = 0; ///< of the proxy, that the thread has passed
  /// Where there are mbarriers: what the thread knows, its own tick, and how many threads a block
  /// has, behind which clocks count copiers.
  const Clock *clock = nullptr;
  uint32_t tick = 0;
  int64_t threads = 0;

  int64_t actorOf(int64_t writer) const {
    return isCopier(writer) ? threads + firstCopier - writer : writer - block * threads;
  }
  bool knows(int64_t writer, uint32_t at) const {
    return clock && clock->of(actorOf(writer)) >= at;
  }
};

class Shadow {
public:
  Shadow(int64_t bytes, bool written)
      : bytes_(bytes), pages_((bytes + pageBytes - 1) / pageBytes), written_(written) {}

  void reset() {
    for (const std::unique_ptr<Page> &page : pages_)
      if (page)
        page->fill(Cell());
    readers_.clear();
    freeReader_ = none;
  }

  /// What is wrong with an access, or null. Another block never synchronizes with this one; in a
  /// block a barrier orders, and what an mbarrier has told.
  const char *touch(int64_t offset, int64_t bytes, bool isWrite, const Accessor &by) {
    if (offset < 0 || offset + bytes > bytes_)
      return "is out of bounds";
    for (int64_t i = offset; i < offset + bytes; ++i) {
      Cell &cell = at(i);
      if (cell.isBarrier)
        return "meets an mbarrier";
      if (cell.isInFlight)
        return "meets an asynchronous copy that nobody has waited for";
      const bool wasWritten = cell.writer != nobody;
      if (wasWritten && (cell.writeBlock != by.block || isUnordered(cell, by)))
        return isCopier(cell.writer) ? "meets an asynchronous copy that it has not waited for"
               : isWrite             ? "races with another thread's write"
                                     : "races with a write";
      if (isWrite && cell.readings > 0)
        return "meets a product that nobody has waited for";
      if (!isWrite) {
        if (!wasWritten && !written_)
          return "reads what was never written";
        addReader(cell, by, by.thread);
        continue;
      }
      if (cell.reader != nobody &&
          (cell.readBlock != by.block || (cell.readTime == by.time && isStillRead(cell, by))))
        return "races with a read";
      forgetReaders(cell);
      cell.writer = by.thread;
      cell.writeBlock = by.block;
      cell.writeTime = by.time;
      cell.writeTick = by.tick;
      cell.writeFences = by.fences;
      cell.chunks = 0;
    }
    return nullptr;
  }

  /// A product of a warpgroup reads these bytes from now until `parts` of it are finished, by
  /// another proxy than writes: its own threads, too, are behind a barrier and a fence of the
  /// writer. `by` knows what all threads of the group do. `isFenced(writer, fences, isOlder)`:
  /// whether the group sees that the writer has passed more fences; older is what a barrier of the
  /// block has ordered.
  template <typename IsFenced>
  const char *startReading(const Bytes &part, int32_t parts, const Accessor &by,
                           const IsFenced &isFenced) {
    if (part.offset < 0 || part.offset + part.bytes > bytes_)
      return "is out of bounds";
    for (int64_t i = part.offset; i < part.offset + part.bytes; ++i) {
      Cell &cell = at(i);
      if (cell.isInFlight)
        return "meets an asynchronous copy that nobody has waited for";
      if (cell.writer == nobody && !written_)
        return "reads what was never written";
      if (cell.writer != nobody && (isCopier(cell.writer) || cell.writeTime == by.time) &&
          !by.knows(cell.writer, cell.writeTick))
        return isCopier(cell.writer) ? "meets an asynchronous copy that it has not waited for"
                                     : "races with a write";
      if (isUnfenced(cell, by, isFenced))
        return "reads what no fence of the proxy shows";
      if (cell.chunks != 0 && part.chunks != 0 && cell.chunks != part.chunks)
        return "reads by another swizzle than a tensor's copy wrote by";
      cell.readings += parts;
    }
    return nullptr;
  }

  /// From now on `by` has read its part of the bytes.
  void finishReading(const Bytes &part, const Accessor &by) {
    for (int64_t i = part.offset; i < part.offset + part.bytes; ++i) {
      Cell &cell = at(i);
      --cell.readings;
      addReader(cell, by, several);
    }
  }

  /// A copy writes these bytes at any time from now until it is finished.
  const char *startCopy(int64_t offset, int64_t bytes, const Accessor &by) {
    if (const char *wrong = touch(offset, bytes, /*isWrite=*/true, by))
      return wrong;
    for (int64_t i = offset; i < offset + bytes; ++i)
      at(i).isInFlight = true;
    return nullptr;
  }

  /// The same of a bulk copy, which writes by the other proxy: what a thread has written there
  /// before is behind a fence.
  template <typename IsFenced>
  const char *startBulkCopy(int64_t offset, int64_t bytes, const Accessor &by,
                            const IsFenced &isFenced) {
    if (offset >= 0 && offset + bytes <= bytes_)
      for (int64_t i = offset; i < offset + bytes; ++i)
        if (isUnfenced(at(i), by, isFenced))
          return "overwrites what no fence of the proxy shows";
    return startCopy(offset, bytes, by);
  }

  /// From now on the bytes are as if `by` had written them: the thread that has waited, or the
  /// copiers of an mbarrier, whose tick those know that have waited for it.
  void finishCopy(int64_t offset, int64_t bytes, const Accessor &by, int32_t chunks = 0) {
    for (int64_t i = offset; i < offset + bytes; ++i) {
      Cell &cell = at(i);
      cell.isInFlight = false;
      cell.writer = by.thread;
      cell.writeTime = by.time;
      cell.writeTick = by.tick;
      cell.writeFences = by.fences;
      cell.chunks = chunks;
    }
  }

  /// The bytes become those of an mbarrier, which nothing else may touch, or cease to be.
  void setBarrier(int64_t offset, int64_t bytes, bool isBarrier) {
    for (int64_t i = offset; i < offset + bytes; ++i)
      at(i).isBarrier = isBarrier;
  }

private:
  static constexpr int64_t nobody = -1, several = -2;
  static constexpr int32_t none = -1;

  struct Cell {
    int64_t writer = nobody, writeBlock = nobody, writeTime = -1, writeFences = 0;
    int64_t reader = nobody, readBlock = nobody,
            readTime = -1; ///< of the last interval with a read
    uint32_t writeTick = 0;
    int32_t readers = none; ///< where there are mbarriers: those of that interval
    int32_t readings = 0;   ///< under way
    int32_t chunks = 0;     ///< in a row of the swizzle that a tensor's copy wrote by; 0: none did
    bool isInFlight = false, isBarrier = false;
  };

  /// A thread that has read a byte, and the next one that has.
  struct Reader {
    int64_t thread = nobody;
    uint32_t tick = 0;
    int32_t next = none;
  };

  bool isUnordered(const Cell &cell, const Accessor &by) const {
    return (isCopier(cell.writer) || cell.writeTime == by.time) && cell.writer != by.thread &&
           !by.knows(cell.writer, cell.writeTick);
  }

  template <typename IsFenced>
  static bool isUnfenced(const Cell &cell, const Accessor &by, const IsFenced &isFenced) {
    return cell.writer != nobody && !isCopier(cell.writer) &&
           !isFenced(cell.writer, cell.writeFences, cell.writeTime != by.time);
  }

  /// Whether another thread reads the byte in this interval and `by` does not know that it has.
  bool isStillRead(const Cell &cell, const Accessor &by) const {
    if (!by.clock || cell.readers == none)
      return cell.reader != by.thread;
    for (int32_t r = cell.readers; r != none; r = readers_[r].next)
      if (readers_[r].thread != by.thread && !by.knows(readers_[r].thread, readers_[r].tick))
        return true;
    return false;
  }

  void forgetReaders(Cell &cell) {
    cell.reader = nobody;
    while (cell.readers != none) {
      const int32_t r = cell.readers;
      cell.readers = readers_[r].next;
      readers_[r].next = freeReader_;
      freeReader_ = r;
    }
  }

  /// `first` is noted as the interval's reader if it is the only one.
  void addReader(Cell &cell, const Accessor &by, int64_t first) {
    if (cell.readTime != by.time && cell.readers != none)
      forgetReaders(cell);
    const bool isAnother =
        cell.readTime == by.time && cell.reader != nobody && cell.reader != by.thread;
    cell.reader = isAnother ? several : first;
    cell.readBlock = cell.readBlock == nobody || cell.readBlock == by.block ? by.block : several;
    cell.readTime = by.time;
    if (!by.clock)
      return;
    for (int32_t r = cell.readers; r != none; r = readers_[r].next)
      if (readers_[r].thread == by.thread) {
        readers_[r].tick = by.tick;
        return;
      }
    int32_t added = freeReader_;
    if (added == none) {
      added = static_cast<int32_t>(readers_.size());
      readers_.emplace_back();
    } else {
      freeReader_ = readers_[added].next;
    }
    readers_[added] = {by.thread, by.tick, cell.readers};
    cell.readers = added;
  }

  /// Cells exist where somebody was: a few tiles touch little of a buffer.
  static constexpr int64_t pageBytes = 256;
  using Page = std::array<Cell, pageBytes>;

  Cell &at(int64_t i) {
    std::unique_ptr<Page> &page = pages_[i / pageBytes];
    if (!page)
      page = std::make_unique<Page>();
    return (*page)[i % pageBytes];
  }

  int64_t bytes_;
  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<Reader> readers_;
  int32_t freeReader_ = none;
  bool written_;
};

} // namespace mtc::emulator
