//===- CostModelTest.cpp - what the roofline says -------------------------===//
#include "mtc/Tuning/CostModel.h"

#include <gtest/gtest.h>

using namespace mtc;

namespace {

/// Four cores of round numbers: 100 flops and 10 bytes a ns each.
Device device() { return hostDevice("test", {"test", 100, 10, 300, 200}, 4); }

// The device of a row: rates a core, bandwidth of all cores.
TEST(CostModel, HostDevice) {
  Device d = device();
  EXPECT_EQ(d.target, "test");
  EXPECT_EQ(d.granules, 4);
  EXPECT_EQ(d.flopsPerNs, 100);
  EXPECT_EQ(d.bytesPerNs, 40);
  EXPECT_EQ(d.launchNs, 300);
  EXPECT_EQ(d.barrierNs, 200);
}

// Bound by arithmetic: 90 flops a ns reach a contraction; two cores halve it and pay one barrier.
TEST(CostModel, ComputeBound) {
  KernelFeatures conv{KernelKind::Contraction, 9'000'000, 1000, {64}};
  EXPECT_EQ(modelledNs(conv, device(), 1), 300 + 100'000);
  EXPECT_EQ(modelledNs(conv, device(), 2), 300 + 50'000 + 200);
  EXPECT_EQ(modelledNs(conv, device(), 4), 300 + 25'000 + 200);
}

// Bound by memory: a core has its share of the bandwidth.
TEST(CostModel, MemoryBound) {
  KernelFeatures copy{KernelKind::Move, 0, 100'000, {64}};
  EXPECT_EQ(modelledNs(copy, device(), 1), 300 + 10'000);
  EXPECT_EQ(modelledNs(copy, device(), 4), 300 + 2'500 + 200);
}

// No more granules help than there are tiles, and tiles are whole: three on two cores are two
// rounds.
TEST(CostModel, TilesLimitShares) {
  KernelFeatures one{KernelKind::Move, 0, 100'000, {1}};
  EXPECT_EQ(modelledNs(one, device(), 4), modelledNs(one, device(), 1));
  KernelFeatures three{KernelKind::Move, 0, 90'000, {3}};
  EXPECT_EQ(modelledNs(three, device(), 2), 300 + 6'000 + 200);
  EXPECT_EQ(modelledNs(three, device(), 3), 300 + 3'000 + 200);
  EXPECT_EQ(modelledNs(three, device(), 4), modelledNs(three, device(), 3));
}

// Each phase has its own tiles and a barrier.
TEST(CostModel, Phases) {
  KernelFeatures phases{KernelKind::Move, 0, 100'000, {64, 1}};
  EXPECT_EQ(modelledNs(phases, device(), 1), 300 + 10'000);
  EXPECT_EQ(modelledNs(phases, device(), 2), 300 + 2'500 + 5'000 + 400);
}

// Tiny kernels stay on one core: barriers cost more than they gain.
TEST(CostModel, TinyKernels) {
  KernelFeatures tiny{KernelKind::Elementwise, 100, 400, {64}};
  EXPECT_EQ(modelledNs(tiny, device(), 4), modelledNs(tiny, device(), 1));
  EXPECT_EQ(modelledTimes(tiny, device()).size(), 1u);
}

// Plain loops are much slower than vectors.
TEST(CostModel, PlainLoops) {
  KernelFeatures conv{KernelKind::Contraction, 9'000'000, 1000, {64}, false};
  EXPECT_EQ(modelledNs(conv, device(), 1), 300 + 9'000'000);
}

// The list for a variant: ascending, faster and faster, marked as modelled.
TEST(CostModel, Times) {
  KernelFeatures conv{KernelKind::Contraction, 9'000'000, 1000, {2}};
  std::vector<ShareTime> times = modelledTimes(conv, device());
  ASSERT_EQ(times.size(), 2u);
  EXPECT_EQ(times[0].granules, 1);
  EXPECT_EQ(times[1].granules, 2);
  EXPECT_EQ(times[1].ns, modelledNs(conv, device(), 2));
  EXPECT_EQ(times[1].origin, TimeOrigin::Modelled);
}

// A kernel that does nothing still has a positive time, which check() demands.
TEST(CostModel, AtLeastOneNanosecond) {
  Device free = hostDevice("test", {"test", 100, 10, 0, 0}, 1);
  EXPECT_EQ(modelledNs({KernelKind::Move, 0, 0, {1}}, free, 1), 1);
}

} // namespace
