//===- CpuTest.cpp - what this machine can run ----------------------------===//
#include "mtc/Runtime/Cpu.h"
#include "mtc/Runtime/Peak.h"
#include "mtc/Support/Cores.h"

#include <gtest/gtest.h>

using namespace mtc;

// The table agrees with the compiler's own knowledge of this CPU.
TEST(CpuTest, FeaturesAgreeWithTheCompiler) {
  const auto has = [](const char *name) { return host::missingFeatures({name}).empty(); };
  EXPECT_TRUE(has("sse2"));
  EXPECT_EQ(has("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has("fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has("avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(has("avx512vnni"), __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(has("avx512bf16"), __builtin_cpu_supports("avx512bf16") != 0);
  EXPECT_EQ(has("bmi2"), __builtin_cpu_supports("bmi2") != 0);
  EXPECT_EQ(has("sse4a"), __builtin_cpu_supports("sse4a") != 0);
  for (const std::string &name : host::presentFeatures())
    EXPECT_TRUE(has(name.c_str())) << name;
}

// What is unknown is missing, and keeps its order.
TEST(CpuTest, UnknownFeaturesAreMissing) {
  EXPECT_EQ(host::missingFeatures({"quantum", "sse2", "abacus"}),
            (std::vector<std::string>{"quantum", "abacus"}));
}

// The roofs are those of real hardware: no core is slower than one scalar multiply-add in two
// cycles of 1 GHz or faster than 8 vectors of 16 at 6 GHz.
TEST(CpuTest, PeakIsPlausible) {
  const std::vector<host::Peak> runs = host::measurePeaks({cpuBudget().cpus[0]});
  const host::Peak peak = host::bestOf(runs), usual = host::medianOf(runs);
  EXPECT_GT(peak.flopsPerNs, 0.5);
  EXPECT_LT(peak.flopsPerNs, 8 * 16 * 2 * 6.0);
  EXPECT_GT(peak.bytesPerNs, 0.05);
  EXPECT_LT(peak.bytesPerNs, 4096.0);
  EXPECT_GT(peak.cacheBytesPerNs, 0.05);
  EXPECT_LT(peak.cacheBytesPerNs, 4 * 64 * 6.0);
  EXPECT_GT(peak.byteFlopsPerNs, 0.5);
  EXPECT_LT(peak.byteFlopsPerNs, 8 * 64 * 2 * 6.0);
  EXPECT_LE(usual.flopsPerNs, peak.flopsPerNs);
  EXPECT_LE(usual.bytesPerNs, peak.bytesPerNs);
}

// Each roof by itself: the runs in which they are high need not be the same.
TEST(CpuTest, QuantilesOfPeaks) {
  const std::vector<host::Peak> runs = {{1, 40, 70, 7, 1}, {2, 10, 80, 9, 2}, {9, 20, 60, 8, 3}};
  EXPECT_EQ(host::bestOf(runs).flopsPerNs, 9);
  EXPECT_EQ(host::bestOf(runs).byteFlopsPerNs, 40);
  EXPECT_EQ(host::medianOf(runs).flopsPerNs, 2);
  EXPECT_EQ(host::medianOf(runs).byteFlopsPerNs, 20);
  EXPECT_EQ(host::medianOf(runs).tileFlopsPerNs, 70);
  EXPECT_EQ(host::medianOf(runs).bytesPerNs, 8);
  EXPECT_EQ(host::medianOf({}).bytesPerNs, 0);
}
