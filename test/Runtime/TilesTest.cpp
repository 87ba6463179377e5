//===- TilesTest.cpp - every tile is given away once ----------------------===//
#include "Host/Tiles.h"

#include <gtest/gtest.h>

#include <barrier>
#include <memory>
#include <thread>
#include <vector>

using namespace mtc::host;

// A worker alone goes through its share from the front, then takes the other's from the back.
TEST(TilesTest, OwnShareFirst) {
  Share shares[2];
  std::vector<std::pair<int64_t, int64_t>> pieces;
  for (auto piece = takeTiles(shares, 1, 7, 0, 2); piece.first < piece.second;
       piece = takeTiles(shares, 1, 7, 0, 2))
    pieces.push_back(piece);
  const std::vector<std::pair<int64_t, int64_t>> want = {{0, 2}, {2, 3}, {3, 4},
                                                         {6, 7}, {5, 6}, {4, 5}};
  EXPECT_EQ(pieces, want);
  EXPECT_EQ(takeTiles(shares, 1, 7, 1, 2), std::pair(int64_t(0), int64_t(0)));
  EXPECT_EQ(takeTiles(shares, 2, 7, 1, 2), std::pair(int64_t(4), int64_t(5)));
}

// Shares without a tile stay behind by epochs; the most tiles fit their field.
TEST(TilesTest, FewAndMostTiles) {
  Share shares[3];
  for (uint32_t epoch = 1; epoch < 5; ++epoch) {
    EXPECT_EQ(takeTiles(shares, epoch, 1, 2, 3), std::pair(int64_t(0), int64_t(1)));
    EXPECT_EQ(takeTiles(shares, epoch, 1, 0, 3), std::pair(int64_t(0), int64_t(0)));
  }
  EXPECT_EQ(takeTiles(shares, 5, kMostTiles, 2, 3).second, 873812);
  EXPECT_EQ(takeTiles(shares, 5, kMostTiles, 2, 3).second, 961193);
}

// Three workers that start together or apart, over many epochs of different sizes.
TEST(TilesTest, EachTileOnce) {
  constexpr uint32_t members = 3, epochs = 2000;
  Share shares[members];
  const auto tilesOf = [](uint32_t epoch) { return int64_t(epoch * 7 % 41); };
  std::vector<std::unique_ptr<std::atomic<int>[]>> given;
  for (uint32_t epoch = 0; epoch <= epochs; ++epoch)
    given.push_back(std::make_unique<std::atomic<int>[]>(41));
  std::barrier together(members);
  auto work = [&](uint32_t rank) {
    for (uint32_t epoch = 1; epoch <= epochs; ++epoch) {
      if (epoch % members == rank)
        std::this_thread::yield();
      for (auto piece = takeTiles(shares, epoch, tilesOf(epoch), rank, members);
           piece.first < piece.second;
           piece = takeTiles(shares, epoch, tilesOf(epoch), rank, members))
        for (int64_t tile = piece.first; tile < piece.second; ++tile)
          ++given[epoch][tile];
      together.arrive_and_wait();
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < members; ++rank)
    threads.emplace_back(work, rank);
  for (std::thread &thread : threads)
    thread.join();
  for (uint32_t epoch = 1; epoch <= epochs; ++epoch)
    for (int64_t tile = 0; tile < 41; ++tile)
      ASSERT_EQ(given[epoch][tile], tile < tilesOf(epoch) ? 1 : 0) << epoch << ' ' << tile;
}
