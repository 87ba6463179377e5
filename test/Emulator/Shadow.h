//===- Shadow.h - memory with its history ---------------------------------===//
//
// Who wrote and read each byte of a buffer, and when: between two barriers, a byte that one thread
// writes belongs to it alone. Bytes that an asynchronous copy is about to write belong to nobody.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace mtc::emulator {

/// A part of a buffer.
struct Bytes {
  int64_t offset = 0, bytes = 0;
};

/// Who accesses, and when. Times are numbers of barrier intervals, unique in a launch.
struct Accessor {
  int64_t thread = 0, block = 0, time = 0;
  int64_t fences = 0; ///< of the proxy, that the thread has passed
};

class Shadow {
public:
  Shadow(int64_t bytes, bool written)
      : bytes_(bytes), pages_((bytes + pageBytes - 1) / pageBytes), written_(written) {}

  void reset() {
    for (const std::unique_ptr<Page> &page : pages_)
      if (page)
        page->fill(Cell());
  }

  /// What is wrong with an access, or null. Another block never synchronizes with this one; in a
  /// block a barrier orders.
  const char *touch(int64_t offset, int64_t bytes, bool isWrite, const Accessor &by) {
    if (offset < 0 || offset + bytes > bytes_)
      return "is out of bounds";
    for (int64_t i = offset; i < offset + bytes; ++i) {
      Cell &cell = at(i);
      if (cell.isInFlight)
        return "meets an asynchronous copy that nobody has waited for";
      const bool wasWritten = cell.writer != nobody;
      if (wasWritten &&
          (cell.writeBlock != by.block || (cell.writeTime == by.time && cell.writer != by.thread)))
        return isWrite ? "races with another thread's write" : "races with a write";
      if (isWrite && cell.readings > 0)
        return "meets a product that nobody has waited for";
      if (!isWrite) {
        if (!wasWritten && !written_)
          return "reads what was never written";
        cell.reader = cell.readTime == by.time && cell.reader != by.thread ? several : by.thread;
        cell.readBlock =
            cell.readBlock == nobody || cell.readBlock == by.block ? by.block : several;
        cell.readTime = by.time;
        continue;
      }
      if (cell.reader != nobody &&
          (cell.readBlock != by.block || (cell.readTime == by.time && cell.reader != by.thread)))
        return "races with a read";
      cell.writer = by.thread;
      cell.writeBlock = by.block;
      cell.writeTime = by.time;
      cell.writeFences = by.fences;
    }
    return nullptr;
  }

  /// A product of a warpgroup reads these bytes from now until it is finished, by another proxy
  /// than writes: its own threads, too, are behind a barrier and a fence of the writer.
  /// `isFenced(writer, fences)`: whether the writer has passed more fences.
  template <typename IsFenced>
  const char *startReading(const Bytes &part, const Accessor &by, const IsFenced &isFenced) {
    if (part.offset < 0 || part.offset + part.bytes > bytes_)
      return "is out of bounds";
    for (int64_t i = part.offset; i < part.offset + part.bytes; ++i) {
      Cell &cell = at(i);
      if (cell.isInFlight)
        return "meets an asynchronous copy that nobody has waited for";
      if (cell.writer == nobody && !written_)
        return "reads what was never written";
      if (cell.writer != nobody && cell.writeTime == by.time)
        return "races with a write";
      if (cell.writer != nobody && !isFenced(cell.writer, cell.writeFences))
        return "reads what no fence of the proxy shows";
      ++cell.readings;
    }
    return nullptr;
  }

  /// From now on the bytes were read.
  void finishReading(const Bytes &part, const Accessor &by) {
    for (int64_t i = part.offset; i < part.offset + part.bytes; ++i) {
      Cell &cell = at(i);
      --cell.readings;
      cell.reader = several;
      cell.readBlock = by.block;
      cell.readTime = by.time;
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

  /// From now on the bytes are as if `by` had written them.
  void finishCopy(int64_t offset, int64_t bytes, const Accessor &by) {
    for (int64_t i = offset; i < offset + bytes; ++i) {
      Cell &cell = at(i);
      cell.isInFlight = false;
      cell.writer = by.thread;
      cell.writeTime = by.time;
      cell.writeFences = by.fences;
    }
  }

private:
  static constexpr int64_t nobody = -1, several = -2;

  struct Cell {
    int64_t writer = nobody, writeBlock = nobody, writeTime = -1, writeFences = 0;
    int64_t reader = nobody, readBlock = nobody,
            readTime = -1; ///< of the last interval with a read
    int32_t readings = 0;  ///< under way
    bool isInFlight = false;
  };

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
  bool written_;
};

} // namespace mtc::emulator
