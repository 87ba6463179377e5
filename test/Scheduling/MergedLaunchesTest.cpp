//===- MergedLaunchesTest.cpp - equal kernels in one launch of a GPU ------===//
#include "mtc/Scheduling/MergePlaces.h"

#include "ExampleProblems.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

/// A kernel of `tiles` on granules of 8 SMs: a launch of 2000 ns and 1000 ns for each tile that an
/// SM runs.
Kernel tiled(const std::string &name, int64_t tiles, int32_t granules) {
  std::vector<int64_t> ns;
  for (int32_t g = 1; g <= granules; ++g)
    ns.push_back(2000 + 1000 * ((tiles + 8 * g - 1) / (8 * g)));
  Kernel kernel = kernelOf(name, ns);
  kernel.variants[0].phaseTiles = {tiles};
  return kernel;
}

/// Tenants of one group on a GPU, each a chain of uses of one kernel.
Problem gpuProblem(int32_t granules, int64_t tiles, int tenants, int tasks) {
  Problem problem;
  problem.device.target = "cuda:test";
  problem.device.granules = granules;
  problem.device.unitsPerGranule = 8;
  problem.device.launchNs = 2000;
  problem.kernels = {tiled("k", tiles, granules)};
  for (int t = 0; t < tenants; ++t)
    addChain(problem, std::string(1, char('a' + t)), std::vector<int32_t>(size_t(tasks), 0));
  return problem;
}

Schedule jointOf(const Problem &problem, bool merge) {
  StatusOr<Schedule> schedule = runPolicy("joint", problem, roundOf(problem), {.merge = merge});
  EXPECT_TRUE(schedule.ok()) << schedule.status().message();
  return schedule.ok() ? *schedule : Schedule();
}

// The time of a launch is that of one member whose tiles fill as many turns of the SMs.
TEST(MergedLaunches, Times) {
  Problem problem = gpuProblem(4, 12, 1, 1);
  const auto ns = [&](size_t members, int32_t granules) {
    return mergedNs(problem, std::vector<MergedTask>(members, {0, 0}), granules);
  };
  EXPECT_EQ(ns(1, 1), 2000 + 2000);
  EXPECT_EQ(ns(1, 4), 2000 + 1000);
  EXPECT_EQ(ns(2, 3), 2000 + 1000); // 24 tiles on 24 SMs
  EXPECT_EQ(ns(2, 2), 2000 + 2000);
  // Beyond what one member has to do on one granule: as its times say of each further turn.
  EXPECT_EQ(ns(2, 1), 2000 + 3000);
  EXPECT_EQ(ns(16, 1), 2000 + 24000);
  // Where no granule makes it faster nobody knows what a turn takes: no less than all of it.
  problem = gpuProblem(2, 8, 1, 1);
  EXPECT_EQ(mergedNs(problem, std::vector<MergedTask>(3, {0, 0}), 1), 2000 + 3000);
  // Members bring their own bytes.
  problem.kernels[0].bytes = 50'000;
  problem.device.bytesPerNs = 10;
  EXPECT_EQ(mergedNs(problem, std::vector<MergedTask>(2, {0, 0}), 2), 2000 + 10000);
}

// A launch holds one kernel in one variant, of tenants that are not isolated.
TEST(MergedLaunches, RejectsOthers) {
  Problem problem = gpuProblem(2, 4, 2, 2);
  problem.kernels.push_back(tiled("other", 4, 2));
  problem.kernels[0].variants.push_back(problem.kernels[0].variants[0]);
  Schedule schedule;
  schedule.workload = roundOf(problem);
  for (int32_t t = 0; t < 2; ++t) {
    schedule.places.push_back({0, t, 0, 0, 0b11, t * 3000, 3000, false, false});
    schedule.places.push_back({1, t, 0, 0, 0b11, t * 3000, 3000, false, true});
  }
  EXPECT_TRUE(verify(problem, schedule).ok()) << verify(problem, schedule).message();
  Schedule variants = schedule;
  variants.places[3].variant = 1;
  EXPECT_EQ(verify(problem, variants).message(),
            "b.n1 task 11 (op1) is merged with the place before it: a launch of 'cuda:test' holds "
            "one kernel in one variant, they are 'k' in variant 1 and 'k' in variant 0");
  Problem kernels = problem;
  kernels.entries[1].tasks[0].kernel = 1;
  EXPECT_EQ(verify(kernels, schedule).message(),
            "b.n1 task 10 (op0) is merged with the place before it: a launch of 'cuda:test' holds "
            "one kernel in one variant, they are 'other' in variant 0 and 'k' in variant 0");
  problem.tenants[1].isolation = "guarded";
  EXPECT_EQ(verify(problem, schedule).message(),
            "b.n1 task 10 (op0) is merged with the place before it: the tenant of the place before "
            "it, 'a', is isolated from it");
}

// Other policies' places are merged afterwards, where they are of one kernel.
TEST(MergedLaunches, FollowsPolicies) {
  Problem problem = gpuProblem(2, 4, 4, 5);
  StatusOr<Schedule> merged = runPolicy("sequential", problem, roundOf(problem), {.merge = true});
  ASSERT_TRUE(merged.ok()) << merged.status().message();
  EXPECT_EQ(mergedTasks(*merged), 15);
  EXPECT_EQ(merged->makespanNs, 5 * 3000);
  for (size_t e = 1; e < problem.entries.size(); ++e) {
    problem.kernels.push_back(problem.kernels[0]);
    for (Task &task : problem.entries[e].tasks)
      task.kernel = int32_t(e);
  }
  StatusOr<Schedule> apart = runPolicy("sequential", problem, roundOf(problem), {.merge = true});
  ASSERT_TRUE(apart.ok());
  EXPECT_EQ(mergedTasks(*apart), 0);
  EXPECT_EQ(apart->makespanNs, 20 * 3000);
}

// The search: eight tenants of one tile on two granules are as fast as one in launches of all,
// which is four times as fast as a granule each.
TEST(MergedLaunches, SearchMergesWhatPays) {
  const Problem problem = gpuProblem(2, 1, 8, 6);
  const Schedule merged = jointOf(problem, true);
  EXPECT_EQ(merged.makespanNs, 6 * 3000);
  EXPECT_GE(mergedTasks(merged), 6 * 6); // two launches side by side do as well
  EXPECT_EQ(jointOf(problem, false).makespanNs, 4 * 6 * 3000);
  EXPECT_EQ(mergedTasks(jointOf(problem, false)), 0);
}

// And leaves what is better apart: in one launch, which takes less area, a tenant would miss its
// SLO; without SLO it is merged.
TEST(MergedLaunches, SearchLeavesWhatHurts) {
  Problem problem = gpuProblem(1, 16, 2, 1);
  const Schedule merged = jointOf(problem, true);
  EXPECT_EQ(mergedTasks(merged), 1);
  EXPECT_EQ(merged.makespanNs, 2000 + 4000);
  problem.tenants[0].sloP99Ns = 5000;
  const Schedule apart = jointOf(problem, true);
  EXPECT_EQ(mergedTasks(apart), 0);
  EXPECT_EQ(latenciesNs(apart), (std::vector<int64_t>{4000, 8000}));
}

// Tenants of two kinds: those of tiny tasks share launches although those of wide ones do not, one
// of which would miss its SLO.
TEST(MergedLaunches, SearchDecidesByKernel) {
  Problem problem = gpuProblem(2, 1, 4, 4);
  problem.kernels.push_back(tiled("wide", 64, 2)); // fills both granules
  addChain(problem, "x", {1, 1});
  addChain(problem, "y", {1, 1});
  problem.tenants[4].sloP99Ns = 20'000; // alone it takes 12,000
  const Schedule schedule = jointOf(problem, true);
  EXPECT_LE(latenciesNs(schedule)[4], 20'000);
  int64_t ofSmall = 0;
  for (const Place &place : schedule.places)
    ofSmall += place.merged && place.instance < 4;
  EXPECT_GT(ofSmall, 0);
  EXPECT_LT(schedule.makespanNs, jointOf(problem, false).makespanNs);
}

// Equal problems, equal schedules; whatever durations are, nobody reads too early or shares a
// granule outside of a launch.
TEST(MergedLaunches, HoldUnderJitter) {
  int64_t merged = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    Problem problem =
        randomProblem(seed, {.granules = 1 + int(seed) % 4, .tenants = 1 + int(seed) % 6});
    problem.device.target = "cuda:random";
    problem.device.unitsPerGranule = 8;
    problem.device.launchNs = 500;
    std::mt19937 rng(seed);
    for (Kernel &kernel : problem.kernels)
      for (Variant &variant : kernel.variants)
        variant.phaseTiles = {1 + int64_t(rng() % 12)};
    for (const char *policy : {"sequential", "heft", "joint"}) {
      const PolicyOptions options = {.searchSteps = 200, .merge = true};
      StatusOr<Schedule> schedule = runPolicy(policy, problem, roundOf(problem), options);
      ASSERT_TRUE(schedule.ok()) << schedule.status().message();
      StatusOr<Schedule> again = runPolicy(policy, problem, roundOf(problem), options);
      ASSERT_TRUE(again.ok());
      EXPECT_EQ(schedule->makespanNs, again->makespanNs);
      EXPECT_EQ(leadersOf(*schedule), leadersOf(*again));
      merged += mergedTasks(*schedule);
      StatusOr<Predecessors> orders = directOrders(problem, *schedule);
      ASSERT_TRUE(orders.ok());
      for (uint32_t run = 0; run < 5; ++run)
        EXPECT_EQ(hazards(problem, *schedule, execute(*schedule, *orders, run)), "")
            << policy << " seed " << seed;
    }
  }
  EXPECT_GT(merged, 200);
}

} // namespace
