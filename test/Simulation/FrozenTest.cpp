//===- FrozenTest.cpp - the frozen problems stay what they were -----------===//
#include "Compare.h"
#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <sstream>

using namespace mtc;
using namespace mtc::test;

namespace {

/// The rows of frozen/baseline.tsv: set, device, batch, tasks, five bounds, and the makespan and
/// three slowdowns of sequential and of streams.
std::vector<std::vector<std::string>> baselineRows() {
  std::vector<std::vector<std::string>> rows;
  StatusOr<std::string> text = readTextFile(MTC_FROZEN_BASELINE);
  EXPECT_TRUE(text.ok()) << text.status().message();
  std::istringstream lines(text.ok() ? *text : "");
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    std::istringstream fields(line);
    std::vector<std::string> &row = rows.emplace_back();
    for (std::string field; std::getline(fields, field, '\t');)
      row.push_back(field);
  }
  return rows;
}

// Bounds and baselines of every frozen problem are those that were committed with it.
TEST(Frozen, Baseline) {
  std::vector<std::vector<std::string>> rows = baselineRows();
  EXPECT_EQ(rows.size(), frozenSets().size() * 3 * 2);
  for (const std::vector<std::string> &row : rows) {
    ASSERT_EQ(row.size(), 17u);
    StatusOr<FrozenProblem> frozen = frozenProblem(row[0], row[1], std::stoi(row[2]));
    ASSERT_TRUE(frozen.ok()) << frozen.status().message();
    LowerBounds bounds = lowerBounds(frozen->problem, frozen->round);
    EXPECT_EQ(
        fmt::format("{} {} {} {}", bounds.pathNs, bounds.areaNs, bounds.workNs, bounds.bytesNs),
        fmt::format("{} {} {} {}", row[4], row[5], row[6], row[7]))
        << row[0] << " " << row[1] << " " << row[2];
    StatusOr<References> references = referencesOf(*frozen);
    ASSERT_TRUE(references.ok());
    for (auto [policy, column] : {std::pair("sequential", 9), {"streams", 13}}) {
      StatusOr<Outcome> outcome = judge(policy, *frozen, *references);
      ASSERT_TRUE(outcome.ok()) << outcome.status().message();
      EXPECT_EQ(std::to_string(outcome->makespanNs), row[static_cast<size_t>(column)])
          << policy << " of " << row[0] << " " << row[1] << " " << row[2];
    }
  }
}

// What joint promises on the frozen GPU problems at batch 1, all simulated.
TEST(Frozen, JointAtBatchOne) {
  Gains f32 = *gainsOf("gpu-f32", 1), f16 = *gainsOf("gpu-f16", 1);
  EXPECT_GE(f32.overSequential, 1.9);
  EXPECT_GE(f16.overSequential, 2.3);
  EXPECT_GE(f32.overStreams, 1.12);
  EXPECT_GE(f16.overStreams, 1.17);
  EXPECT_LE(f32.overBound, 1.12);
  EXPECT_LE(f16.overBound, 1.12);
  EXPECT_LE(std::max(f32.worstAgainstStreams, f16.worstAgainstStreams), 1.2);
}

// Where a model has a fixed batch, batch 8 holds it eight times.
TEST(Frozen, FixedBatch) {
  StatusOr<FrozenProblem> one = frozenProblem("S3_vision", "host", 1);
  StatusOr<FrozenProblem> eight = frozenProblem("S3_vision", "host", 8);
  ASSERT_TRUE(one.ok() && eight.ok());
  EXPECT_EQ(one->round.instances.size(), 4u);
  EXPECT_EQ(eight->round.instances.size(), 3u + 8u); // yolox_det
  EXPECT_EQ(eight->problem.tenants.size(), 4u);
}

// Parameters of the device change times; the unchanged device gives the frozen times again.
TEST(Frozen, ChangedDevices) {
  StatusOr<FrozenProblem> frozen = frozenProblem("S1_document", "gpu-f16", 1);
  ASSERT_TRUE(frozen.ok());
  Problem same = frozen->problem, slower = frozen->problem;
  ASSERT_TRUE(changeDevice(same, "gpu-f16", "launch:1").ok());
  ASSERT_TRUE(changeDevice(slower, "gpu-f16", "launch:1.2").ok());
  for (size_t k = 0; k < same.kernels.size(); ++k) {
    int64_t ns = variantNs(frozen->problem.kernels[k].variants[0], 16);
    EXPECT_NEAR(double(variantNs(same.kernels[k].variants[0], 16)), double(ns), 2);
    EXPECT_NEAR(double(variantNs(slower.kernels[k].variants[0], 16)), double(ns + 400), 2);
  }
  EXPECT_EQ(changeDevice(same, "gpu-f16", "clock:1").message(),
            "cannot change 'clock'; known: flops, memory, cache, launch, ramp, each with a factor");
  EXPECT_EQ(changeDevice(same, "host", "flops:1.2").message(),
            "cannot change 'flops:1.2' of device 'host'");
}

// A set that does not exist is an error.
TEST(Frozen, UnknownSet) {
  EXPECT_EQ(frozenProblem("S9", "host", 1).status().message(), "no frozen set 'S9'");
}

} // namespace
