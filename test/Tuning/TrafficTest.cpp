// What kernels find in caches when their entry runs again and again.
#include "mtc/Tuning/Traffic.h"

#include <gtest/gtest.h>

using namespace mtc;

namespace {

/// Two tasks in a row: input -> k0 -> intermediate -> k1 -> output, each with a weight.
Problem chain() {
  Problem problem;
  problem.kernels.resize(2);
  problem.kernels[0].bytes = 10 + 100 + 1000;
  problem.kernels[1].bytes = 1000 + 50 + 20; // a lookup: it reads 50 of 5000
  Entry entry;
  entry.values = {{ValueKind::Input, 10, 0},
                  {ValueKind::Weight, 100, 0},
                  {ValueKind::Intermediate, 1000, -1},
                  {ValueKind::Weight, 5000, 1},
                  {ValueKind::Output, 20, 0}};
  entry.tasks = {{0, "a", 0, {0, 1, 2}}, {1, "b", 1, {2, 3, 4}}};
  problem.entries.push_back(entry);
  return problem;
}

} // namespace

// Between two runs of an entry pass its weights, as far as they are read, and the most that is
// alive.
TEST(Traffic, WeightsWereReadInTheRunBefore) {
  const std::vector<Traffic> traffic = trafficOf(chain());
  ASSERT_EQ(traffic.size(), 2u);
  EXPECT_EQ(traffic[0].weightBytes, 100);
  EXPECT_EQ(traffic[0].otherBytes, 1010);
  EXPECT_EQ(traffic[1].weightBytes, 1070); // no more than the kernel reads at all
  EXPECT_EQ(traffic[1].otherBytes, 0);
  EXPECT_EQ(traffic[0].reuseBytes, 100 + 1070 + 1020);
  EXPECT_EQ(traffic[1].reuseBytes, traffic[0].reuseBytes);
}

// Tasks in a row that share weights find them where the task before left them.
TEST(Traffic, SharedWeightsAreNear) {
  Problem problem = chain();
  Entry &entry = problem.entries[0];
  entry.values.push_back({ValueKind::Intermediate, 1000, -1});
  entry.values.push_back({ValueKind::Intermediate, 1000, -1});
  entry.tasks = {{0, "a", 0, {0, 1, 2}},
                 {1, "b", 0, {2, 1, 5}},
                 {2, "c", 0, {5, 1, 6}},
                 {3, "d", 1, {6, 3, 4}}};
  EXPECT_EQ(trafficOf(problem)[0].reuseBytes, 1110); // what one such task touches
  EXPECT_EQ(trafficOf(problem)[1].reuseBytes, 100 + 1070 + 2000);
}

// Nothing is missed while all fits; the rest is by how much it does not.
TEST(Traffic, MissedPart) {
  EXPECT_EQ(missedPart(100, 100), 0);
  EXPECT_EQ(missedPart(0, 100), 0);
  EXPECT_EQ(missedPart(400, 100), 0.75);
}
