//===- MergePlacesTest.cpp - commands of several places -------------------===//
#include "mtc/Scheduling/MergePlaces.h"

#include "ExampleProblems.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

/// smallProblem() on a host's cores.
Problem hostProblem() {
  Problem problem = smallProblem();
  problem.device.target = "host:test";
  return problem;
}

/// Both tenants task by task, each task of det in one command with that of rec.
Schedule inPairs() {
  Schedule schedule;
  schedule.workload = {"round", {0, 1}, 0b11};
  schedule.policy = "by hand";
  for (int32_t t = 0; t < 3; ++t) {
    schedule.places.push_back({0, t, 0, 0, 0b11, t * 1000, 500, false, false});
    schedule.places.push_back({1, t, 0, 0, 0b11, t * 1000 + 500, 500, false, true});
  }
  return schedule;
}

/// The message of verify() after a change to what passes.
template <typename Change> std::string messageAfter(Change change) {
  Problem problem = hostProblem();
  Schedule schedule = inPairs();
  EXPECT_TRUE(verify(problem, schedule).ok()) << verify(problem, schedule).message();
  change(problem, schedule);
  Status status = verify(problem, schedule);
  EXPECT_EQ(status.code(), ErrorCode::InvalidInput);
  return status.message();
}

// Who waits for one place of a command waits for all; the places of a command have equal waits.
TEST(MergedPlaces, OrdersAreThoseOfCommands) {
  const Schedule schedule = inPairs();
  StatusOr<Predecessors> orders = directOrders(hostProblem(), schedule);
  ASSERT_TRUE(orders.ok()) << orders.status().message();
  EXPECT_EQ(*orders, (Predecessors{{}, {}, {0, 1}, {0, 1}, {2, 3}, {2, 3}}));
  EXPECT_EQ(leadersOf(schedule), (std::vector<int32_t>{0, 0, 2, 2, 4, 4}));
  EXPECT_EQ(mergedTasks(schedule), 3);
  // Both tenants end with the last command, not with their part of it.
  EXPECT_EQ(latenciesNs(schedule), (std::vector<int64_t>{3000, 3000}));
}

// What does not fit the place before it.
TEST(MergedPlaces, RejectsWrongNeighbours) {
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places[0].merged = true; }),
            "det.n1 task 10 (op0) is merged with the place before it: no place stands before it");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places[3].granules = 0b01; }),
            "rec.n1 task 11 (op1) is merged with the place before it: it has lane 0 and granules "
            "0x1, the place before it 0 and 0x3");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places[3].lane = 1; }),
            "rec.n1 task 11 (op1) is merged with the place before it: it has lane 1 and granules "
            "0x3, the place before it 0 and 0x3");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places[3].shared = true; }),
            "rec.n1 task 11 (op1) is merged with the place before it: one of them is shared");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places[2].shared = true; }),
            "rec.n1 task 11 (op1) is merged with the place before it: one of them is shared");
  EXPECT_EQ(messageAfter([](Problem &p, Schedule &) { p.kernels[1].region = Region(); }),
            "rec.n1 task 10 (op0) is merged with the place before it: one of them is control flow");
  EXPECT_EQ(messageAfter([](Problem &p, Schedule &) { p.device.target = "cuda:sm_90a"; }),
            "rec.n1 task 10 (op0) is merged with the place before it: a launch of 'cuda:sm_90a' "
            "holds one kernel in one variant, they are 'small' in variant 0 and 'large' in variant "
            "0");
}

// Tenants that are isolated from each other have commands of their own.
TEST(MergedPlaces, RejectsIsolatedTenants) {
  for (const char *group : {"guarded", "", "other"})
    EXPECT_EQ(messageAfter([&](Problem &p, Schedule &) { p.tenants[0].isolation = group; }),
              "rec.n1 task 10 (op0) is merged with the place before it: the tenant of the place "
              "before it, 'det', is isolated from it");
  EXPECT_EQ(messageAfter([&](Problem &p, Schedule &) {
              p.tenants[0].isolation = p.tenants[1].isolation = "guarded";
            }),
            "rec.n1 task 10 (op0) is merged with the place before it: the tenant of the place "
            "before it, 'det', is isolated from it");
}

// Places of a command need each other neither directly nor through a third one.
TEST(MergedPlaces, RejectsDependences) {
  EXPECT_EQ(
      messageAfter([](Problem &, Schedule &s) { std::swap(s.places[1].task, s.places[3].task); }),
      "rec.n1 task 10 (op0) must end before rec.n1 task 11 (op1), which stands no later in "
      "the schedule");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places[2].merged = true; }),
            "det.n1 task 10 (op0) must end before det.n1 task 11 (op1), with which it is merged");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.edges = {{2, 3}}; }),
            "det.n1 task 11 (op1) must end before rec.n1 task 11 (op1), with which it is merged");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.edges = {{3, 2}}; }),
            "rec.n1 task 11 (op1) must end before det.n1 task 11 (op1), with which it is merged");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.edges = {{4, 1}}; }),
            "det.n1 task 12 (op2) must end before rec.n1 task 10 (op0), which stands no later in "
            "the schedule");
}

// A task is in one command.
TEST(MergedPlaces, RejectsMissingTasks) {
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places[3].task = 0; }),
            "rec.n1 task 10 (op0) is placed twice");
  EXPECT_EQ(messageAfter([](Problem &, Schedule &s) { s.places.pop_back(); }),
            "rec.n1 task 12 (op2) is not placed");
  // Without the mark they are neighbours of a lane, as ever.
  Schedule schedule = inPairs();
  for (Place &place : schedule.places)
    place.merged = false;
  EXPECT_TRUE(verify(hostProblem(), schedule).ok());
}

// The time of a command: the work of all in equal parts, or its longest tile, and a barrier.
TEST(MergedPlaces, Times) {
  Problem problem = hostProblem();
  problem.device.launchNs = 100;
  problem.device.barrierNs = 1000;
  problem.kernels = {kernelOf("one", {10100, 10100}), kernelOf("long", {50100, 50100}),
                     kernelOf("even", {20100, 11100})};
  problem.kernels[0].variants[0].phaseTiles = {1};
  problem.kernels[1].variants[0].phaseTiles = {1};
  const auto ns = [&](std::vector<MergedTask> tasks) { return mergedNs(problem, tasks, 2); };
  // Two of one tile each: side by side, each 3.6 % slower than alone.
  EXPECT_NEAR(ns({{0, 0}, {0, 0}}), 100 + 10000 * 1.036 + 1000, 1);
  EXPECT_NEAR(ns({{0, 0}, {0, 0}, {0, 0}, {0, 0}}), 100 + 20000 * 1.036 + 1000, 1);
  // One tile that is longer than all others.
  EXPECT_NEAR(ns({{0, 0}, {1, 0}}), 100 + 50000 * 1.036 + 1000, 1);
  // Divided in the middle of a task that splits without loss.
  EXPECT_NEAR(ns({{2, 0}}), 100 + 10000 * 1.036 + 1000, 1);
}

/// Four tenants of five tasks that are not faster on two cores.
Problem fourOfOneTile() {
  Problem problem;
  problem.device.target = "host:test";
  problem.device.granules = 2;
  problem.device.barrierNs = 500;
  problem.kernels = {kernelOf("one", {10000, 10000}), kernelOf("other", {8000, 8000})};
  for (Kernel &kernel : problem.kernels)
    kernel.variants[0].phaseTiles = {1};
  for (const char *name : {"a", "b", "c", "d"})
    addChain(problem, name, {0, 1, 0, 1, 0});
  return problem;
}

// Small tasks of several tenants run in one command; what the others do stays.
TEST(MergePlaces, MergesWhatDoesNotScale) {
  const Problem problem = fourOfOneTile();
  const Schedule apart = scheduleOf("sequential", problem, roundOf(problem));
  StatusOr<Schedule> merged = mergePlaces(problem, apart);
  ASSERT_TRUE(merged.ok()) << merged.status().message();
  EXPECT_TRUE(verify(problem, *merged).ok());
  EXPECT_EQ(mergedTasks(*merged), 15);
  EXPECT_LT(merged->makespanNs * 3, apart.makespanNs * 2);
  // Asked for by an option, it follows every policy.
  StatusOr<Schedule> asked = runPolicy("sequential", problem, roundOf(problem), {.merge = true});
  ASSERT_TRUE(asked.ok());
  EXPECT_EQ(asked->makespanNs, merged->makespanNs);
  // Merged once.
  StatusOr<Schedule> again = mergePlaces(problem, *merged);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->makespanNs, merged->makespanNs);
}

// It stays as it was: alone on a core, for isolated tenants, where tasks scale, and where a tenant
// would miss its SLO.
TEST(MergePlaces, LeavesOthersAlone) {
  const auto mergedOf = [](const Problem &problem, GranuleMask granules = 0b11) {
    Workload workload = roundOf(problem);
    workload.granules = granules;
    StatusOr<Schedule> merged = mergePlaces(problem, scheduleOf("sequential", problem, workload));
    EXPECT_TRUE(merged.ok());
    return merged.ok() ? mergedTasks(*merged) : -1;
  };
  Problem problem = fourOfOneTile();
  EXPECT_EQ(mergedOf(problem), 15);
  EXPECT_EQ(mergedOf(problem, 0b01), 0);
  problem = fourOfOneTile();
  for (Tenant &tenant : problem.tenants)
    tenant.isolation = "guarded";
  EXPECT_EQ(mergedOf(problem), 0);

  problem = fourOfOneTile();
  for (Kernel &kernel : problem.kernels) {
    kernel.variants[0].phaseTiles = {64};
    kernel.variants[0].times[1].ns = kernel.variants[0].times[0].ns / 2 + 500;
  }
  EXPECT_EQ(mergedOf(problem), 0);

  problem = fourOfOneTile();
  problem.tenants[0].sloP99Ns = 60000; // alone it takes 46000
  EXPECT_EQ(mergedOf(problem), 0);
}

// Whatever durations are, nobody reads too early or shares a core outside of a command.
TEST(MergePlaces, HoldUnderJitter) {
  int64_t merged = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Problem problem =
        randomProblem(seed, {.granules = 2 + int(seed) % 3, .tenants = 1 + int(seed) % 6});
    problem.device.target = "host:random";
    problem.device.barrierNs = 2000;
    std::mt19937 rng(seed);
    for (Kernel &kernel : problem.kernels)
      for (Variant &variant : kernel.variants) {
        variant.phaseTiles = {1 + int64_t(rng() % 3)};
        if (rng() % 3 == 0)
          variant.phaseTiles.push_back(1 + int64_t(rng() % 70));
      }
    for (const char *policy : {"sequential", "heft", "ios"}) {
      StatusOr<Schedule> schedule = runPolicy(policy, problem, roundOf(problem), {.merge = true});
      ASSERT_TRUE(schedule.ok()) << schedule.status().message();
      merged += mergedTasks(*schedule);
      StatusOr<Predecessors> orders = directOrders(problem, *schedule);
      ASSERT_TRUE(orders.ok());
      for (uint32_t run = 0; run < 5; ++run)
        EXPECT_EQ(hazards(problem, *schedule, execute(*schedule, *orders, run)), "")
            << policy << " seed " << seed;
    }
  }
  EXPECT_GT(merged, 500);
}

} // namespace
