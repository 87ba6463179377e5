//===- NeighboursTest.cpp - what a host's schedule may take longer --------===//
#include "ExampleProblems.h"

#include "../../lib/Scheduling/Neighbours.h"

#include <bit>
#include <cmath>

using namespace mtc;
using namespace mtc::test;

namespace {

constexpr int64_t kMs = 1'000'000;

/// A host of two cores.
Problem hostProblem() {
  Problem problem;
  problem.device.target = "host:x86-64-v4,cores=2";
  problem.device.granules = 2;
  return problem;
}

/// Kernels of a host: 0 is large and scales, but for the cost of splitting it; 1 runs on one core.
Problem largeAndSmall(int64_t splitNs) {
  Problem problem = hostProblem();
  problem.kernels = {kernelOf("large", {10 * kMs, 5 * kMs + splitNs}), kernelOf("small", {kMs})};
  problem.kernels[0].bytes = 8 << 20;
  return problem;
}

std::vector<int> widthsOf(const Problem &problem, const Schedule &schedule, int32_t kernel) {
  std::vector<int> widths;
  for (const Place &place : schedule.places) {
    const auto entry =
        static_cast<size_t>(schedule.workload.instances[static_cast<size_t>(place.instance)]);
    if (problem.entries[entry].tasks[static_cast<size_t>(place.task)].kernel == kernel)
      widths.push_back(std::popcount(place.granules));
  }
  return widths;
}

// Tasks in turn are as predicted; side by side they may take longer by a part of the time that they
// have neighbours, more if they are large, and a schedule whose cores meet more often by more.
TEST(Neighbours, Doubt) {
  Problem problem = largeAndSmall(0);
  addChain(problem, "a", {1, 1});
  addChain(problem, "b", {1, 1});
  EXPECT_EQ(doubtNs(problem, scheduleOf("sequential", problem, roundOf(problem))), 0);
  Schedule apart = scheduleOf("apart", problem, roundOf(problem));
  ASSERT_EQ(apart.makespanNs, 2 * kMs);
  const double endNs = 35 * std::sqrt(2 * kMs);
  EXPECT_DOUBLE_EQ(doubtNs(problem, apart), 0.036 * 2 * kMs + endNs);
  EXPECT_DOUBLE_EQ(expectedNs(problem, apart), 1.036 * 2 * kMs + endNs);

  Problem large = problem;
  large.kernels[1].bytes = 8 << 20;
  EXPECT_DOUBLE_EQ(doubtNs(large, apart), 0.066 * 2 * kMs + endNs);

  // b's second task on a's core: two tasks start that read what, or follow where, another core ran.
  Schedule crossed = apart;
  for (Place &place : crossed.places)
    if (place.task == 1) {
      place.granules ^= 0b11;
      place.lane ^= 1;
    }
  ASSERT_TRUE(verify(problem, crossed).ok());
  // Both hand over at one moment: cores get into step once, half of them waits.
  EXPECT_DOUBLE_EQ(doubtNs(problem, crossed),
                   0.036 * 2 * kMs + 35 * std::sqrt(kMs) / 2 + 35 * std::sqrt(kMs));

  Problem device = problem;
  device.device.target = "cuda:sm_90a";
  EXPECT_EQ(doubtNs(device, apart), 0);
}

// Cores that have worked apart for a moment only do not wait for longer than that.
TEST(Neighbours, WaitsAreBounded) {
  Problem problem = hostProblem();
  problem.kernels = {kernelOf("small", {100}), kernelOf("wide", {1000, 500})};
  addChain(problem, "a", {0, 1});
  addChain(problem, "b", {0});
  Schedule schedule;
  schedule.workload = roundOf(problem);
  schedule.policy = "test";
  schedule.makespanNs = 600;
  schedule.places = {
      {0, 0, 0, 0, 0b01, 0, 100}, {1, 0, 0, 1, 0b10, 0, 100}, {0, 1, 0, 0, 0b11, 100, 500}};
  schedule.edges = {{1, 2}};
  ASSERT_TRUE(verify(problem, schedule).ok());
  EXPECT_DOUBLE_EQ(doubtNs(problem, schedule), 0.036 * 100 + 100);
}

// While a tenant's small tasks leave a core idle, another's small tasks run there; large tasks keep
// all cores.
TEST(JointOnHosts, FillsIdleCores) {
  Problem problem = largeAndSmall(0);
  addChain(problem, "a", {0, 1, 1, 1, 1, 0});
  addChain(problem, "b", {0, 1, 1, 1, 1, 0});
  EXPECT_EQ(scheduleOf("sequential", problem, roundOf(problem)).makespanNs, 28 * kMs);
  Schedule schedule = scheduleOf("joint", problem, roundOf(problem));
  EXPECT_EQ(schedule.makespanNs, 24 * kMs);
  EXPECT_EQ(widthsOf(problem, schedule, 0), (std::vector<int>{2, 2, 2, 2}));
  EXPECT_EQ(widthsOf(problem, schedule, 1), std::vector<int>(8, 1));
}

// Large tasks side by side would be predicted 4 % faster, as a device without shared caches has
// them; on a host they stay whole.
TEST(JointOnHosts, LargeTasksStayWhole) {
  Problem problem = largeAndSmall(200'000);
  addChain(problem, "a", {0, 0, 0});
  addChain(problem, "b", {0, 0, 0});
  Schedule schedule = scheduleOf("joint", problem, roundOf(problem));
  EXPECT_EQ(schedule.makespanNs, 6 * (5 * kMs + 200'000));
  EXPECT_EQ(widthsOf(problem, schedule, 0), std::vector<int>(6, 2));
  problem.device.target = "test";
  EXPECT_EQ(scheduleOf("joint", problem, roundOf(problem)).makespanNs, 30 * kMs);
}

// Where the gain is larger than what neighbours may cost, large tasks do run side by side.
TEST(JointOnHosts, ClearGainsAreTaken) {
  Problem problem = largeAndSmall(1'000'000);
  addChain(problem, "a", {0, 0, 0});
  addChain(problem, "b", {0, 0, 0});
  EXPECT_EQ(scheduleOf("joint", problem, roundOf(problem)).makespanNs, 30 * kMs);
}

// Where nothing is small, tasks run in turn, the shortest tenant first.
TEST(JointOnHosts, NothingSmall) {
  Problem problem = largeAndSmall(0);
  addChain(problem, "long", {0, 0, 0});
  addChain(problem, "short", {0});
  Schedule schedule = scheduleOf("joint", problem, roundOf(problem));
  EXPECT_EQ(schedule.makespanNs, 20 * kMs);
  EXPECT_EQ(schedule.places[0].instance, 1);
  for (const Place &place : schedule.places)
    EXPECT_EQ(place.granules, 0b11u);
}

} // namespace
