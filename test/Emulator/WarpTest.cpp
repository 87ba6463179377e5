//===- WarpTest.cpp - products of matrices and asynchronous copies --------===//
//
// Kernels written by hand against ThreadView, with fragments filled as the PTX ISA draws them.
//
//===----------------------------------------------------------------------===//
#include "Emulator/Launch.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

using namespace mtc;
using namespace mtc::emulator;

namespace {

ThreadView &viewOf(const MtcKernelArgs *args) { return *static_cast<ThreadView *>(args->scratch); }

/// A launch of a warp (or `threads`) with a buffer of 1 KiB, and as much shared memory.
struct Fixture {
  alignas(256) unsigned char memory[1024] = {};
  std::string message(MtcKernelFn kernel, int64_t threads = 32, int64_t hi = 1) {
    Launch launch;
    launch.function = kernel;
    launch.threads = threads;
    launch.hi = hi;
    launch.sharedBytes = 1024;
    launch.buffers = {{memory, 1024, true}};
    return emulator::run(launch).message();
  }
  int32_t word(int64_t i) const {
    int32_t value = 0;
    std::memcpy(&value, memory + 4 * i, 4);
    return value;
  }
};

void store(const MtcKernelArgs *args, int64_t i, int32_t value) {
  viewOf(args).access(&viewOf(args), 0, 4 * i, 4, 1);
  static_cast<int32_t *>(args->buffers[0])[i] = value;
}

unsigned char *sharedOf(const MtcKernelArgs *args) {
  return static_cast<unsigned char *>(args->buffers[1]);
}

void copy(const MtcKernelArgs *args, int64_t to, int64_t from, int32_t bytes, int32_t sourceBytes) {
  viewOf(args).copyAsync(&viewOf(args), sharedOf(args), to, 0, from, bytes, sourceBytes);
}
void commit(const MtcKernelArgs *args) { viewOf(args).commitCopies(&viewOf(args)); }
void await(const MtcKernelArgs *args, int32_t groups) {
  viewOf(args).awaitCopies(&viewOf(args), sharedOf(args), groups);
}
void barrier(const MtcKernelArgs *args) { viewOf(args).barrier(&viewOf(args), nullptr); }

/// The bits of a small integer in a format, four, two or one to a register.
uint32_t bitsOf(MultiplyKind kind, int value) {
  auto bits = std::bit_cast<uint32_t>(float(value));
  if (kind == MultiplyKind::TF32)
    return bits;
  if (kind == MultiplyKind::BF16)
    return bits >> 16;
  if (kind != MultiplyKind::F16)
    return uint8_t(value);
  if (value == 0)
    return 0;
  return bits >> 16 & 0x8000 | ((bits >> 23 & 255) - 112) << 10 | (bits >> 13 & 1023);
}

// Row r of A is r - 3 + column, column c of B is c - 2 + row: every element of every fragment
// counts, and a wrong place shows. Results are exact in all formats.
TEST(Warp, Multiplies) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    ThreadView &view = viewOf(args);
    const auto kind = static_cast<MultiplyKind>(args->hi);
    const int p = kind == MultiplyKind::TF32 ? 1 : kind <= MultiplyKind::BF16 ? 2 : 4;
    const int group = int(view.thread) / 4, t = int(view.thread) % 4;
    int32_t registers[6] = {};
    for (int r = 0; r < 6; ++r)
      for (int part = 0; part < p; ++part) {
        const int a = group + 8 * (r % 2) - 3 + p * t + part + 4 * p * (r / 2);
        const int b = group - 2 + p * t + part + 4 * p * (r - 4);
        registers[r] |= int32_t(bitsOf(kind, r < 4 ? a : b) << 32 / p * part);
      }
    const int32_t c = kind < MultiplyKind::S8S8 ? std::bit_cast<int32_t>(1.0f) : 1;
    view.multiply(&view, int32_t(kind), registers[0], registers[1], registers[2], registers[3],
                  registers[4], registers[5], c, c, c, c);
    for (int r = 0; r < 4; ++r) {
      const int row = group + 8 * (r / 2), column = 2 * t + r % 2;
      store(args, 8 * row + column, int32_t(view.registers[r]));
    }
    return 0;
  };
  for (MultiplyKind kind : {MultiplyKind::TF32, MultiplyKind::F16, MultiplyKind::BF16,
                            MultiplyKind::S8S8, MultiplyKind::S8U8, MultiplyKind::U8S8}) {
    const int terms = kind == MultiplyKind::TF32 ? 8 : kind <= MultiplyKind::BF16 ? 16 : 32;
    Fixture f;
    ASSERT_EQ(f.message(kernel, 32, int64_t(kind)), "");
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column) {
        int64_t sum = 1;
        for (int k = 0; k < terms; ++k) {
          const int a = row - 3 + k, b = column - 2 + k;
          sum += int64_t(kind == MultiplyKind::U8S8 ? uint8_t(a) : a) *
                 (kind == MultiplyKind::S8U8 ? uint8_t(b) : b);
        }
        const int32_t got = f.word(8 * row + column);
        EXPECT_EQ(kind < MultiplyKind::S8S8 ? int64_t(std::bit_cast<float>(got)) : got, sum)
            << int(kind) << " " << row << " " << column;
      }
  }
}

TEST(Warp, RefusesUnroundedFactors) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    ThreadView &view = viewOf(args);
    const auto bits = std::bit_cast<int32_t>(0.1f);
    view.multiply(&view, 0, bits, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return 0;
  };
  EXPECT_EQ(Fixture().message(kernel),
            "block 0 thread 0: multiplies a number that was not rounded to tf32");
}

/// Four matrices of 16-bit elements 64 m + 8 row + column, a row behind the other.
int32_t loadMatrices(const MtcKernelArgs *args) {
  ThreadView &view = viewOf(args);
  const int64_t first = 16 * view.thread;
  view.access(&view, 1, first, 16, 1);
  for (int64_t i = 0; i < 8; ++i) {
    const auto element = uint16_t(8 * view.thread + i);
    std::memcpy(sharedOf(args) + first + 2 * i, &element, 2);
  }
  if (args->hi < 2)
    barrier(args);
  view.loadMatrix(&view, sharedOf(args), first, 4, args->hi == 1, 1);
  for (int r = 0; r < 4; ++r)
    store(args, 32 * r + view.thread, int32_t(view.registers[r]));
  return 0;
}

// A lane gets two neighbours of a row, or of a column.
TEST(Warp, LoadsMatrices) {
  for (bool isTransposed : {false, true}) {
    Fixture f;
    ASSERT_EQ(f.message(loadMatrices, 32, isTransposed), "");
    for (int m = 0; m < 4; ++m)
      for (int lane = 0; lane < 32; ++lane) {
        const int i = lane / 4, j = 2 * (lane % 4);
        const int low = 64 * m + (isTransposed ? 8 * j + i : 8 * i + j);
        const int high = low + (isTransposed ? 8 : 1);
        EXPECT_EQ(f.word(32 * m + lane), low | high << 16) << m << " " << lane;
      }
  }
}

// The row that a lane names is read by others too.
TEST(Warp, FindsBadLoadsOfMatrices) {
  EXPECT_NE(Fixture().message(loadMatrices, 32, 2).find("of shared memory races with a write"),
            std::string::npos);
  auto at = [](const MtcKernelArgs *args) -> int32_t {
    viewOf(args).loadMatrix(&viewOf(args), sharedOf(args), args->hi, 1, 0, 0);
    return 0;
  };
  EXPECT_NE(Fixture().message(at, 32, 8).find("not aligned to 16 bytes"), std::string::npos);
  EXPECT_NE(Fixture().message(at, 32, 1024).find("out of bounds"), std::string::npos);
  EXPECT_NE(Fixture().message(at, 16, 16).find("needs a whole warp"), std::string::npos);
}

TEST(Warp, FindsLanesApart) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    ThreadView &view = viewOf(args);
    if (view.thread == 3)
      view.shuffle(&view, 1, 1, 32, 0);
    else
      view.multiply(&view, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return 0;
  };
  EXPECT_NE(Fixture().message(kernel).find("is in another operation than other lanes of its warp"),
            std::string::npos);
  auto missing = [](const MtcKernelArgs *args) -> int32_t {
    ThreadView &view = viewOf(args);
    if (view.thread != 3)
      view.multiply(&view, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return 0;
  };
  EXPECT_NE(Fixture().message(missing).find("waits in an mma that not all lanes"),
            std::string::npos);
}

// Two groups: the first has arrived when one is left; what lies beyond the source's size is zero.
// `hi` says what is left out.
int32_t copies(const MtcKernelArgs *args) {
  ThreadView &view = viewOf(args);
  const int64_t at = 16 * view.thread;
  auto load = [&](int64_t from) {
    view.access(&view, 1, from, 16, 0);
    int32_t word = 0;
    std::memcpy(&word, sharedOf(args) + from, 4);
    return word;
  };
  copy(args, at, at, 16, 4);
  if (args->hi != 2)
    commit(args);
  copy(args, 512 + at, at, 16, 0);
  commit(args);
  if (args->hi != 3)
    await(args, 1);
  if (args->hi != 4)
    barrier(args);
  const int64_t other = 16 * (31 - view.thread);
  const int32_t first = load(other);
  if (args->hi != 5)
    await(args, 0);
  const int32_t second = load(512 + at);
  barrier(args);
  store(args, view.thread, first + second);
  return 0;
}

TEST(Warp, CopiesAsynchronously) {
  Fixture f;
  for (int i = 0; i < 32; ++i)
    std::memcpy(f.memory + 16 * i, &i, 4);
  ASSERT_EQ(f.message(copies), "");
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(f.word(i), 31 - i);
}

// Not committed, not waited for, no barrier before others read, only one of two groups waited for.
TEST(Warp, FindsCopiesUnderWay) {
  for (int64_t fault : {2, 3, 5})
    EXPECT_NE(Fixture()
                  .message(copies, 32, fault)
                  .find("meets an asynchronous copy that nobody has waited for"),
              std::string::npos)
        << fault;
  EXPECT_NE(Fixture().message(copies, 32, 4), "");
}

TEST(Warp, FindsBadCopies) {
  auto message = [](MtcKernelFn kernel) { return Fixture().message(kernel, 1); };
  EXPECT_EQ(
      message([](const MtcKernelArgs *args) -> int32_t { return copy(args, 8, 0, 16, 16), 0; }),
      "block 0 thread 0: asynchronous copy of 16 bytes at 8 of shared memory is not aligned "
      "to its size");
  EXPECT_EQ(message([](const MtcKernelArgs *args) -> int32_t { return copy(args, 0, 4, 8, 8), 0; }),
            "block 0 thread 0: asynchronous copy of 8 bytes at 4 of buffer 0 is not aligned to its "
            "size");
  EXPECT_EQ(
      message([](const MtcKernelArgs *args) -> int32_t { return copy(args, 1024, 0, 4, 4), 0; }),
      "block 0 thread 0: asynchronous copy of 4 bytes at 1024 of shared memory is out of bounds");
  EXPECT_EQ(message([](const MtcKernelArgs *args) -> int32_t { return copy(args, 0, 0, 2, 2), 0; }),
            "block 0 thread 0: asynchronous copy of 2 bytes at 0 of shared memory has no size of a "
            "copy");
  EXPECT_EQ(
      message([](const MtcKernelArgs *args) -> int32_t { return copy(args, 0, 1024, 4, 4), 0; }),
      "block 0 thread 0: asynchronous copy of 4 bytes at 1024 of buffer 0 is out of bounds");
}

// An access of a vector that is not aligned to its size.
TEST(Warp, FindsMisalignedVectors) {
  EXPECT_EQ(Fixture().message(
                [](const MtcKernelArgs *args) -> int32_t {
                  viewOf(args).access(&viewOf(args), 0, 8, 16, 0);
                  return 0;
                },
                1),
            "block 0 thread 0: read of 16 bytes at 8 of buffer 0 is not aligned to its size");
}

} // namespace
