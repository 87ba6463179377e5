//===- WarpGroupTest.cpp - products of warpgroups -------------------------===//
//
// Layouts against the examples that the PTX ISA draws (9.7.15.5.1.2.1.3), and kernels written by
// hand against ThreadView: right ones give the product, ones that leave out a fence or a wait are
// named.
//
//===----------------------------------------------------------------------===//
#include "Emulator/WarpGroup.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace mtc;
using namespace mtc::emulator;

namespace {

/// A descriptor of offsets in bytes; `swizzle` as the manual numbers it.
int64_t descriptor(int64_t start, int64_t leading, int64_t stride, int64_t swizzle) {
  return int64_t(uint64_t(start / 16) | uint64_t(leading / 16) << 16 | uint64_t(stride / 16) << 32 |
                 uint64_t(swizzle) << 62);
}

/// Bits 4 and following of a byte's address xor bits 7 and following: Swizzle<bits, 4, 3>.
int64_t swizzled(int64_t at, int bits) { return at ^ ((at >> 7) % (1 << bits)) * 16; }

TEST(DescribedMatrix, TermsSideBySide) {
  // tf32: ((8,2),(4,4)) : ((4,32),(1,64)), leading 64 elements, stride 32.
  DescribedMatrix plain(descriptor(0, 256, 128, 0), 4, false);
  // tf32, 32 bytes: ((8,2),(4,4)) : ((8,64),(1,4)), stride 64 elements.
  DescribedMatrix narrow(descriptor(0, 16, 256, 3), 4, false);
  // f16, 128 bytes: eight rows of 64 elements, the next eight behind them.
  DescribedMatrix wide(descriptor(2048, 16, 1024, 1), 2, false);
  for (int64_t row = 0; row < 16; ++row) {
    for (int64_t k = 0; k < 8; ++k) {
      EXPECT_EQ(plain.offsetOf(row, k), 4 * (row % 8 * 4 + row / 8 * 32 + k % 4 + k / 4 * 64));
      EXPECT_EQ(narrow.offsetOf(row, k),
                swizzled(4 * (row % 8 * 8 + row / 8 * 64 + k % 4 + k / 4 * 4), 1));
    }
    for (int64_t k = 0; k < 16; ++k)
      EXPECT_EQ(wide.offsetOf(row, k), swizzled(2048 + 128 * row + 2 * k, 3));
  }
}

TEST(DescribedMatrix, RowsSideBySide) {
  // bf16: ((8,1,2),(8,2)) : ((1,8,64),(8,128)), leading 128 elements, stride 64.
  DescribedMatrix plain(descriptor(0, 256, 128, 0), 2, true);
  // bf16, 64 bytes: ((8,4,2),(8,2)) : ((1,8,256),(32,512)), leading 256 elements, stride 512.
  DescribedMatrix middle(descriptor(0, 512, 1024, 2), 2, true);
  for (int64_t k = 0; k < 16; ++k) {
    for (int64_t row = 0; row < 16; ++row)
      EXPECT_EQ(plain.offsetOf(row, k), 2 * (row % 8 + row / 8 * 64 + k % 8 * 8 + k / 8 * 128));
    for (int64_t row = 0; row < 64; ++row)
      EXPECT_EQ(middle.offsetOf(row, k), swizzled(2 * (row % 8 + row % 32 / 8 * 8 + row / 32 * 256 +
                                                       k % 8 * 32 + k / 8 * 512),
                                                  2));
  }
}

ThreadView &viewOf(const MtcKernelArgs *args) { return *static_cast<ThreadView *>(args->scratch); }

/// What a kernel leaves out or adds, by the number of tiles.
enum Mistake { None, NoProxyFence, NoFence, NoWait, EarlyWrite, NoBarrier, HalfGroup, Beyond };

constexpr int32_t columns = 16, terms = 32;

/// Bytes: A [64][32] holds row + term, B [16][32] column - term, both as 8 rows of 32 bytes with
/// swizzle, A first. Each thread writes 16 bytes of A, the first 32 of B, too.
int32_t product(const MtcKernelArgs *args) {
  ThreadView &view = viewOf(args);
  auto *shared = static_cast<unsigned char *>(args->buffers[1]);
  const auto mistake = static_cast<Mistake>(args->hi - 1);
  auto fill = [&](int64_t base, int64_t part, int sign) {
    const int64_t row = part / 2, chunk = part % 2;
    const int64_t at = swizzled(base + row * 32 + chunk * 16, 1);
    view.access(&view, 1, at, 16, 1);
    for (int64_t i = 0; i < 16; ++i)
      shared[at + i] = static_cast<unsigned char>(row + sign * (16 * chunk + i));
  };
  fill(0, view.thread, 1);
  if (view.thread < 2 * columns)
    fill(2048, view.thread, -1);
  if (mistake != NoProxyFence)
    view.fenceProxy(&view, shared);
  if (mistake != NoBarrier)
    view.barrier(&view, shared);
  int32_t sums[columns / 2];
  for (int32_t &sum : sums)
    sum = 5;
  if (mistake != NoFence)
    view.fenceProducts(&view);
  if (mistake != HalfGroup || view.thread < 64)
    view.multiplyGroup(&view, shared, int32_t(MultiplyKind::S8S8), columns,
                       descriptor(mistake == Beyond ? 1024 : 0, 16, 256, 3),
                       descriptor(2048, 16, 256, 3), 0, sums, 1);
  view.commitProducts(&view);
  if (mistake == EarlyWrite) {
    view.barrier(&view, shared);
    fill(0, view.thread, 1);
  }
  view.awaitProducts(&view, mistake == NoWait ? 1 : 0);
  view.readSums(&view);
  for (int64_t r = 0; r < columns / 2; ++r) {
    const int64_t row = view.thread / 32 * 16 + view.thread % 32 / 4 + r / 2 % 2 * 8;
    const int64_t column = r / 4 * 8 + view.thread % 4 * 2 + r % 2;
    view.access(&view, 0, 4 * (row * columns + column), 4, 1);
    static_cast<int32_t *>(args->buffers[0])[row * columns + column] = sums[r];
  }
  return 0;
}

std::string message(Mistake mistake, std::vector<int32_t> *result = nullptr) {
  std::vector<int32_t> memory(64 * columns);
  Launch launch;
  launch.function = product;
  launch.threads = 128;
  launch.hi = 1 + mistake;
  launch.sharedBytes = 2048 + 32 * columns;
  launch.buffers = {{memory.data(), int64_t(4 * memory.size()), true}};
  const std::string text = emulator::run(launch).message();
  if (result)
    *result = memory;
  return text;
}

TEST(WarpGroup, Multiplies) {
  std::vector<int32_t> result;
  ASSERT_EQ(message(None, &result), "");
  for (int64_t row = 0; row < 64; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      int64_t sum = 5;
      for (int64_t k = 0; k < terms; ++k)
        sum += (row + k) * (column - k);
      EXPECT_EQ(result[row * columns + column], sum) << row << " " << column;
    }
}

TEST(WarpGroup, Mistakes) {
  auto names = [](Mistake mistake, const char *what) {
    const std::string text = message(mistake);
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  names(NoProxyFence, "reads what no fence of the proxy shows");
  names(NoFence, "multiplies without a wgmma.fence before");
  names(NoWait, "reads results of a wgmma that nobody has waited for");
  names(EarlyWrite, "meets a product that nobody has waited for");
  names(NoBarrier, "races with a write");
  names(HalfGroup, "waits in a wgmma that not all threads of its warpgroup reach");
  names(Beyond, "reads a matrix out of bounds of shared memory");
}

} // namespace
