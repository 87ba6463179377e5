//===- HeftTest.cpp - what heft promises beyond other policies ------------===//
#include "ExampleProblems.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

// Tenants side by side, the tail on both cores: rec's 900 ns beside det's first task, which then
// has two tasks left that scale well. Sequential needs 2430, det alone on one core 3000.
TEST(Heft, SideBySideThenTheTailOnAll) {
  Problem problem = smallProblem();
  Schedule schedule = scheduleOf("heft", problem, roundOf(problem));
  EXPECT_EQ(schedule.makespanNs, 1000 + 520 + 520);
}

// A task that scales badly gets one granule even if both are idle and nobody else wants them.
TEST(Heft, DoesNotWasteGranulesThatDoNotHelp) {
  Problem problem = smallProblem();
  problem.kernels[1] = kernelOf("small", {300, 300});
  Schedule schedule = scheduleOf("heft", problem, soloWorkload(problem, 1, 2));
  EXPECT_EQ(schedule.makespanNs, 900);
  for (const Place &place : schedule.places)
    EXPECT_EQ(place.granules, 0b01u);
}

// The variant is the fastest for the number of granules.
TEST(Heft, ChoosesVariants) {
  Problem problem = smallProblem();
  Variant wide = problem.kernels[0].variants[0];
  wide.times = {{1, 1200, TimeOrigin::Modelled}, {2, 400, TimeOrigin::Modelled}};
  problem.kernels[0].variants.push_back(wide);
  Schedule alone = scheduleOf("heft", problem, soloWorkload(problem, 0, 1));
  EXPECT_EQ(alone.places[0].variant, 0);
  EXPECT_EQ(alone.makespanNs, 3000);
  Schedule both = scheduleOf("heft", problem, soloWorkload(problem, 0, 2));
  EXPECT_EQ(both.places[0].variant, 1);
  EXPECT_EQ(both.makespanNs, 1200);
}

// A workload that does not start at granule 0 stays on its granules.
TEST(Heft, StaysOnTheWorkloadsGranules) {
  Problem problem = randomProblem(3, {.granules = 8});
  Workload workload = roundOf(problem);
  workload.granules = 0b10110100;
  Schedule schedule = scheduleOf("heft", problem, workload);
  GranuleMask used = 0;
  for (const Place &place : schedule.places)
    used |= place.granules;
  EXPECT_EQ(used & ~workload.granules, 0u);
}

// No edge follows from the other orders, and without any one of them the schedule is wrong.
TEST(Heft, EveryEdgeIsNeeded) {
  int edgesSeen = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 4});
    Schedule schedule = scheduleOf("heft", problem, roundOf(problem));
    for (size_t e = 0; e < schedule.edges.size(); ++e) {
      Schedule without = schedule;
      without.edges.erase(without.edges.begin() + static_cast<std::ptrdiff_t>(e));
      EXPECT_FALSE(verify(problem, without).ok()) << "seed " << seed << " edge " << e;
      ++edgesSeen;
    }
  }
  EXPECT_GT(edgesSeen, 50);
}

// Where tasks scale perfectly heft comes within 5 % of the bound on two cores, and it is never
// worse than sequential by more than 5 % anywhere.
TEST(Heft, ComesNearTheBound) {
  for (uint32_t seed = 0; seed < 30; ++seed) {
    Problem problem = randomProblem(seed, {.tenants = 5, .perfectScaling = true});
    Workload round = roundOf(problem);
    int64_t heft = scheduleOf("heft", problem, round).makespanNs;
    EXPECT_LE(heft * 100, lowerBoundNs(problem, round, 2) * 105) << seed;

    Problem uneven = randomProblem(seed, {.granules = 4, .tenants = 5});
    EXPECT_LE(scheduleOf("heft", uneven, round).makespanNs * 100,
              scheduleOf("sequential", uneven, round).makespanNs * 105)
        << seed;
  }
}

} // namespace
