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

/// Who accesses, and when. Times are numbers of barrier intervals, unique in a launch.
struct Accessor {
  int64_t thread = 0, block = 0, time = 0;
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
    }
    return nullptr;
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
    }
  }

private:
  static constexpr int64_t nobody = -1, several = -2;

  struct Cell {
    int64_t writer = nobody, writeBlock = nobody, writeTime = -1;
    int64_t reader = nobody, readBlock = nobody,
            readTime = -1; ///< of the last interval with a read
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
