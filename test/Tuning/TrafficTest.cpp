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

// Weights count as far as they are read, other values while they are alive.
TEST(Traffic, FootprintIsWeightsAndTheMostThatIsAlive) {
  const std::vector<Traffic> traffic = trafficOf(chain());
  ASSERT_EQ(traffic.size(), 2u);
  EXPECT_EQ(traffic[0].weightBytes, 100);
  EXPECT_EQ(traffic[0].otherBytes, 1010);
  EXPECT_EQ(traffic[1].weightBytes, 1070); // no more than the kernel reads at all
  EXPECT_EQ(traffic[1].otherBytes, 0);
  EXPECT_EQ(traffic[0].footprint, 100 + 1070 + 1020);
  EXPECT_EQ(traffic[1].footprint, traffic[0].footprint);
}

// A kernel of a small and a large entry is taken as in the large one, in whatever order they come.
TEST(Traffic, TheLargestEntryCounts) {
  Problem problem = chain();
  Entry small;
  small.values = {{ValueKind::Input, 10, 0}, {ValueKind::Weight, 7, 0}, {ValueKind::Output, 3, 0}};
  small.tasks = {{0, "a", 0, {0, 1, 2}}};
  problem.entries.push_back(small);
  EXPECT_EQ(trafficOf(problem)[0].weightBytes, 100);
  std::swap(problem.entries[0], problem.entries[1]);
  EXPECT_EQ(trafficOf(problem)[0].weightBytes, 100);
}

// Nothing is missed while all fits; the rest is by how much it does not.
TEST(Traffic, MissedPart) {
  EXPECT_EQ(missedPart(100, 100), 0);
  EXPECT_EQ(missedPart(0, 100), 0);
  EXPECT_EQ(missedPart(400, 100), 0.75);
}
