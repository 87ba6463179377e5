//===- MmaTileTest.cpp - tiles of tensor cores ----------------------------===//
#include "Codegen/CUDA/MmaTile.h"

#include <gtest/gtest.h>

using namespace mtc::cuda;

namespace {

MmaTile groupTile(int64_t bm, int64_t bn, int64_t stages) {
  MmaTile tile{MmaFormat::F16, bm, bn, 64, 64, bn, stages};
  tile.byGroup = true;
  return tile;
}

// Half the results a thread, as many threads, until a product of the least size is left.
TEST(MmaTile, SmallerOnes) {
  for (MmaTile tile : {MmaTile{MmaFormat::F16, 128, 128, 32, 64, 32, 4}, groupTile(128, 256, 4)}) {
    ASSERT_TRUE(isValid(tile));
    int steps = 0;
    for (std::optional<MmaTile> next = smallerTile(tile); next; next = smallerTile(tile), ++steps) {
      EXPECT_TRUE(isValid(*next));
      EXPECT_EQ(next->threads(), tile.threads());
      EXPECT_EQ(2 * next->bm * next->bn, tile.bm * tile.bn);
      EXPECT_EQ(next->bk, tile.bk);
      tile = *next;
    }
    EXPECT_EQ(steps, 3);
  }
}

// What a warpgroup cannot read, or a block has no shared memory for.
TEST(MmaTile, Refused) {
  EXPECT_TRUE(isValid(groupTile(128, 128, 3)));
  EXPECT_FALSE(isValid(groupTile(128, 128, 2))); // the stage before is still being multiplied
  EXPECT_FALSE(isValid(groupTile(128, 256, 5))); // 240 KiB
  MmaTile narrow = groupTile(128, 128, 3);
  narrow.bk = 32; // rows of 64 bytes
  EXPECT_FALSE(isValid(narrow));
  MmaTile rows = groupTile(128, 128, 3);
  rows.wm = 128;
  EXPECT_FALSE(isValid(rows));
}

// Producers are whole warpgroups beside others that multiply, with registers for both.
TEST(MmaTile, Producers) {
  MmaTile tile = groupTile(128, 128, 2);
  tile.producers = 1;
  EXPECT_TRUE(isValid(tile)); // a free stage is told of
  EXPECT_EQ(tile.threads(), 384);
  EXPECT_EQ(tile.copyThreads(), 128);
  tile.producers = 3;
  EXPECT_FALSE(isValid(tile));
  MmaTile wide = groupTile(128, 256, 3);
  wide.producers = 1;
  EXPECT_FALSE(isValid(wide)); // 176 registers of 384 threads
  MmaTile warps{MmaFormat::F16, 128, 128, 32, 64, 32, 4};
  warps.producers = 1;
  EXPECT_FALSE(isValid(warps)); // mma.sync
}

} // namespace
