//===- GpuModelTest.cpp - waves, bytes and variants of GPUs ---------------===//
#include "mtc/Tuning/GpuModel.h"

#include <gtest/gtest.h>

using namespace mtc;

namespace {

/// 4 granules of 2 SMs of round numbers.
GpuRow row() { return {"test", "sm_1", 9, 2, 100, 1000, 10, 40, 1000, 100}; }

Kernel product(int64_t batch, int64_t rows, int64_t columns, int64_t depth, int64_t bytes = 0) {
  Kernel kernel;
  kernel.kind = KernelKind::Contraction;
  kernel.extents = {batch, rows, columns, depth};
  kernel.flops = 2 * batch * rows * columns * depth;
  kernel.bytes = bytes;
  return kernel;
}

int64_t bestNs(const Kernel &kernel, int32_t granules, GpuPrecision precision = GpuPrecision::F32) {
  int64_t best = INT64_MAX;
  for (const Variant &variant : gpuVariants(kernel, row(), precision))
    best = std::min(best, variantNs(variant, granules));
  return best;
}

// Granules are whole: the ninth SM belongs to none.
TEST(GpuModel, DeviceOfARow) {
  Device d = gpuDevice(row(), GpuPrecision::F16);
  EXPECT_EQ(d.target, "cuda:sm_1,units=9");
  EXPECT_EQ(d.granules, 4);
  EXPECT_EQ(d.unitsPerGranule, 2);
  EXPECT_EQ(d.flopsPerNs, 2000);
  EXPECT_EQ(d.bytesPerNs, 40);
  EXPECT_EQ(d.launchNs, 1000);
}

// Nine tiles of 128x128 on two SMs are five waves, on eight two: the ninth tile costs a whole wave,
// and smaller tiles avoid that.
TEST(GpuModel, Waves) {
  Kernel kernel = product(9, 128, 128, 1000);
  double tileNs = 2.0 * 128 * 128 * 1000 / (100 * 0.8);
  for (const Variant &variant : gpuVariants(kernel, row(), GpuPrecision::F32))
    if (variant.config == "128x128") {
      EXPECT_EQ(variant.phaseTiles, (std::vector<int64_t>{9}));
      EXPECT_EQ(variantNs(variant, 1), 1100 + 5 * tileNs);
      EXPECT_EQ(variantNs(variant, 3), 1100 + 2 * tileNs);
    }
  EXPECT_LT(bestNs(kernel, 4), 1100 + 2 * tileNs);
}

// A small product fills the device only with small tiles, but runs best on one granule with large
// ones: several variants.
TEST(GpuModel, VariantsPerShare) {
  std::vector<Variant> variants = gpuVariants(product(1, 256, 128, 512), row(), GpuPrecision::F32);
  ASSERT_GE(variants.size(), 2u);
  EXPECT_GT(variants.front().phaseTiles[0], variants.back().phaseTiles[0]);
  EXPECT_LT(variantNs(variants.front(), 4), variantNs(variants.back(), 4));
  EXPECT_GT(variantNs(variants.front(), 1), variantNs(variants.back(), 1));
}

// Bound by memory: the share's SMs draw 20 bytes a ns a granule, the device 40.
TEST(GpuModel, Bandwidth) {
  Kernel copy;
  copy.kind = KernelKind::Move;
  copy.bytes = 800 * (16 << 10); // whole tiles, a multiple of all SM counts
  EXPECT_EQ(bestNs(copy, 1), 1100 + 655'360);
  EXPECT_EQ(bestNs(copy, 2), 1100 + 327'680);
  EXPECT_EQ(bestNs(copy, 4), 1100 + 327'680);
  EXPECT_EQ(bestNs(copy, 4, GpuPrecision::F16), 1100 + 163'840);
}

// Half precision runs contractions on tensor cores; a depthwise convolution stays on CUDA cores.
TEST(GpuModel, Precision) {
  Kernel large = product(1, 1024, 1024, 1024);
  EXPECT_GT(bestNs(large, 4), 3 * bestNs(large, 4, GpuPrecision::F16));
  Kernel depthwise = product(64, 4096, 1, 9, 1000);
  EXPECT_EQ(bestNs(depthwise, 4), bestNs(depthwise, 4, GpuPrecision::F16));
}

// Rows are whole, and a recurrence is one chain: more granules do not help.
TEST(GpuModel, LimitsOfParallelism) {
  Kernel rows;
  rows.kind = KernelKind::Rows;
  rows.extents = {1, 2, 1, 100'000};
  rows.flops = 200'000;
  rows.bytes = 800'000;
  EXPECT_EQ(bestNs(rows, 1), bestNs(rows, 4));
  rows.kind = KernelKind::Recurrence;
  EXPECT_GT(bestNs(rows, 1), 1100 + 80'000 - 1);
}

// Times never rise with granules and are marked as modelled; a Problem is repriced as a whole.
TEST(GpuModel, Problem) {
  Problem problem;
  problem.kernels = {product(3, 100, 70, 33, 5001)};
  Problem gpu = onGpu(problem, row(), GpuPrecision::F16);
  EXPECT_EQ(gpu.kernels[0].bytes, 2501);
  EXPECT_EQ(gpu.device.granules, 4);
  for (const Variant &variant : gpu.kernels[0].variants)
    for (size_t t = 0; t < variant.times.size(); ++t) {
      EXPECT_EQ(variant.times[t].origin, TimeOrigin::Modelled);
      if (t > 0)
        EXPECT_LT(variant.times[t].ns, variant.times[t - 1].ns);
    }
}

// Unknown names list the rows.
TEST(GpuModel, Table) {
  StatusOr<GpuRow> h200 = gpuRow("h200");
  ASSERT_TRUE(h200.ok());
  EXPECT_EQ(h200->units, 132);
  EXPECT_EQ(gpuRow("v100").status().message(), "unknown GPU 'v100'; known: h200, h100, a100, l4");
}

// Each phase is a launch; five tiles on four SMs are two waves.
TEST(GpuModel, TimesOfACut) {
  GpuCut cut;
  cut.flops = 100'000;
  cut.phaseTiles = {5};
  cut.efficiency = 0.5;
  double tileNs = 100'000 / 5 / (100 * 0.5);
  std::vector<ShareTime> times = gpuTimes(cut, row());
  ASSERT_GE(times.size(), 2u);
  EXPECT_EQ(times[0].ns, 1100 + 3 * tileNs);
  EXPECT_EQ(times[1].ns, 1100 + 2 * tileNs);
  cut.phaseTiles = {5, 5};
  EXPECT_EQ(gpuTimes(cut, row())[0].ns, 2 * 1100 + 3 * tileNs);
}

// Tiles of a contraction are as large as they are, whatever the kernel's flops; where an SM holds
// one block, every tile after the first waits for its own ramp, where it holds several nobody does.
TEST(GpuModel, TimesOfTiles) {
  GpuCut cut;
  cut.flops = 1;
  cut.phaseTiles = {6};
  cut.efficiency = 1;
  cut.tile = GpuTile{/*flops=*/50'000, /*loads=*/1000, /*resident=*/1};
  EXPECT_EQ(gpuTimes(cut, row())[0].ns, 1100 + 3 * 500 + 2 * 100); // 2 SMs
  cut.tile->resident = 3;
  EXPECT_EQ(gpuTimes(cut, row())[0].ns, 1100 + 3 * 500);
  cut.tile->loads = 10'000; // 1000 ns
  EXPECT_EQ(gpuTimes(cut, row())[0].ns, 1100 + 3 * 1000);
}

// By threads, registers in units of 256 a warp, shared memory with 1 KiB for the system.
TEST(GpuModel, ResidentBlocks) {
  const GpuRow h200 = *gpuRow("h200");
  EXPECT_EQ(residentBlocks({256, 0, 0}, h200), 8);
  EXPECT_EQ(residentBlocks({256, 128, 0}, h200), 2);
  EXPECT_EQ(residentBlocks({256, 129, 0}, h200), 1);
  EXPECT_EQ(residentBlocks({128, 32, 100 << 10}, h200), 2);
  EXPECT_EQ(residentBlocks({1024, 255, 227 << 10}, h200), 1);
}

/// Times on 1 to 16 granules.
std::vector<ShareTime> timesOf(int64_t onOne, int64_t onQuarter, int64_t onAll) {
  return {{1, onOne, TimeOrigin::Modelled},
          {4, onQuarter, TimeOrigin::Modelled},
          {16, onAll, TimeOrigin::Modelled}};
}

// The fastest on a quarter first; of those that are faster elsewhere the one that gains most; who
// gains no more than the margin is left out; of equals on a quarter
// the one that is faster elsewhere, or the first.
TEST(GpuModel, ChoosesCuts) {
  const std::vector<std::vector<ShareTime>> times = {
      timesOf(1000, 400, 390), timesOf(900, 410, 405), timesOf(1100, 500, 200),
      timesOf(1600, 450, 210), timesOf(890, 600, 500)};
  EXPECT_EQ(chooseCuts(times, 16), (std::vector<size_t>{0, 2, 4}));
  EXPECT_EQ(chooseCuts(times, 16, 0.03, 2), (std::vector<size_t>{0, 2}));
  EXPECT_EQ(chooseCuts(times, 16, 0.03, 1), (std::vector<size_t>{0}));
  EXPECT_EQ(chooseCuts(times, 16, 0.2), (std::vector<size_t>{0, 2}));
  const std::vector<std::vector<ShareTime>> equal = {times[0], times[0], timesOf(1000, 400, 389)};
  EXPECT_EQ(chooseCuts(equal, 16), (std::vector<size_t>{2}));
  EXPECT_EQ(chooseCuts(std::span(equal).first(2), 16), (std::vector<size_t>{0}));
}

} // namespace
