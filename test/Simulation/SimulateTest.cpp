//===- SimulateTest.cpp - rounds on a modelled device ---------------------===//
#include "mtc/Simulation/Simulate.h"
#include "../Scheduling/ExampleProblems.h"

#include <chrono>

using namespace mtc;
using namespace mtc::test;

namespace {

/// Two granules of one unit; launches of 100 ns, 10 bytes a ns; two tenants of one task each.
Problem twoTasks(int64_t firstBytes, int64_t secondBytes) {
  Problem problem;
  problem.device = {"test", 2, 1, 0, 10, 100, 0};
  problem.kernels = {kernelOf("a", {1100, 600}), kernelOf("b", {2100, 1100})};
  problem.kernels[0].bytes = firstBytes;
  problem.kernels[1].bytes = secondBytes;
  addChain(problem, "a", {0});
  addChain(problem, "b", {1});
  return problem;
}

/// Each tenant's task on a granule of its own.
Schedule sideBySide(bool shared = false) {
  Schedule schedule;
  schedule.workload = {"round", {0, 1}, 0b11};
  schedule.places.resize(2);
  for (int32_t i : {0, 1}) {
    Place &place = schedule.places[static_cast<size_t>(i)];
    place.instance = place.lane = i;
    place.granules = shared ? 0b11 : GranuleMask(1) << i;
    place.shared = shared;
  }
  return schedule;
}

SimulatedRound roundOf(const Problem &problem, const Schedule &schedule) {
  StatusOr<SimulatedRound> round = simulate(problem, schedule);
  EXPECT_TRUE(round.ok()) << round.status().message();
  return round.ok() ? *round : SimulatedRound();
}

// Without bytes neighbours do not matter: each takes its time on one granule.
TEST(Simulate, Alone) {
  SimulatedRound round = roundOf(twoTasks(0, 0), sideBySide());
  EXPECT_EQ(round.latencyNs, (std::vector<int64_t>{1100, 2100}));
  EXPECT_EQ(round.makespanNs, 2100);
  EXPECT_NEAR(round.busyUnits, (1000 + 2000) / (2 * 2100.0), 1e-9);
  EXPECT_EQ(round.usedBandwidth, 0);
}

// Bodies of 10 and 10 bytes a ns on a device of 10: both run at half speed until the first ends at
// 100 + 2000; the second then has 1000 ns of its body left.
TEST(Simulate, SharedBandwidth) {
  SimulatedRound round = roundOf(twoTasks(10'000, 20'000), sideBySide());
  EXPECT_EQ(round.latencyNs, (std::vector<int64_t>{2100, 3100}));
  EXPECT_NEAR(round.usedBandwidth, 30'000 / (10 * 3100.0), 1e-9);
}

// One wants 10 bytes a ns, the other 2.5: together 12.5 of 10, so both slow down by 1.25. The first
// ends at 100 + 1250, the second has 1000 ns left then.
TEST(Simulate, BandwidthInProportionToDemand) {
  SimulatedRound round = roundOf(twoTasks(10'000, 5'000), sideBySide());
  EXPECT_EQ(round.latencyNs, (std::vector<int64_t>{1350, 2350}));
}

// A kernel that works out of caches, faster than memory, is not slowed down by itself.
TEST(Simulate, FasterThanMemory) {
  Problem problem = twoTasks(1'000'000, 0);
  EXPECT_EQ(roundOf(problem, sideBySide()).latencyNs[0], 1100);
  EXPECT_EQ(lowerBounds(problem, {"round", {0}, 0b11}).bytesNs, 500);
}

// Shared places on both granules have 64 tiles each and want both units: half speed each until the
// first is done, then the second has the device.
TEST(Simulate, SharedUnits) {
  SimulatedRound round = roundOf(twoTasks(0, 0), sideBySide(true));
  EXPECT_EQ(round.latencyNs, (std::vector<int64_t>{1100, 1600}));
  Problem narrow = twoTasks(0, 0);
  for (Kernel &kernel : narrow.kernels)
    kernel.variants[0].phaseTiles = {1};
  EXPECT_EQ(roundOf(narrow, sideBySide(true)).latencyNs, (std::vector<int64_t>{600, 1100}));
}

// Only orders count: a schedule's predicted times are not read, a chain of edges is.
TEST(Simulate, OrdersNotTimes) {
  Problem problem = twoTasks(0, 0);
  Schedule schedule = sideBySide();
  schedule.places[1].startNs = 5'000'000;
  schedule.edges = {{0, 1}};
  SimulatedRound round = roundOf(problem, schedule);
  EXPECT_EQ(round.places[1].startNs, 1100);
  EXPECT_EQ(round.makespanNs, 3200);
  schedule.edges = {{1, 0}};
  EXPECT_FALSE(simulate(problem, schedule).ok());
}

// What policies predict, by other code, is what the simulator finds.
TEST(Simulate, AgreesWithPredictions) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 4, .tenants = 4});
    problem.device.bytesPerNs = 3;
    problem.device.launchNs = 500;
    for (size_t k = 0; k < problem.kernels.size(); ++k)
      problem.kernels[k].bytes = static_cast<int64_t>(k) * 20'000;
    for (const Policy &policy : policies()) {
      Schedule schedule = scheduleOf(policy.name, problem, test::roundOf(problem));
      SimulatedRound round = roundOf(problem, schedule);
      ASSERT_NEAR(double(round.makespanNs), double(schedule.makespanNs), 2) << policy.name;
      for (size_t p = 0; p < round.places.size(); ++p)
        ASSERT_NEAR(double(round.places[p].startNs), double(schedule.places[p].startNs), 2);
    }
  }
}

// The same of commands of several places, and all their tenants end with them.
TEST(Simulate, AgreesOnMergedPlaces) {
  int64_t merged = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 4, .tenants = 5});
    problem.device.target = "host:test";
    problem.device.bytesPerNs = 3;
    problem.device.launchNs = 500;
    problem.device.barrierNs = 1000;
    for (size_t k = 0; k < problem.kernels.size(); ++k) {
      problem.kernels[k].bytes = static_cast<int64_t>(k) * 20'000;
      for (Variant &variant : problem.kernels[k].variants)
        variant.phaseTiles = {1 + static_cast<int64_t>(k) % 3};
    }
    StatusOr<Schedule> schedule =
        runPolicy("sequential", problem, test::roundOf(problem), {.merge = true});
    ASSERT_TRUE(schedule.ok()) << schedule.status().message();
    merged += mergedTasks(*schedule);
    SimulatedRound round = roundOf(problem, *schedule);
    ASSERT_NEAR(double(round.makespanNs), double(schedule->makespanNs), 2);
    for (size_t p = 0; p < round.places.size(); ++p)
      ASSERT_NEAR(double(round.places[p].startNs), double(schedule->places[p].startNs), 2);
    EXPECT_EQ(*std::max_element(round.latencyNs.begin(), round.latencyNs.end()), round.makespanNs);
    for (size_t p = 0; p + 1 < round.places.size(); ++p)
      if (schedule->places[p + 1].merged)
        EXPECT_GE(round.latencyNs[static_cast<size_t>(schedule->places[p].instance)],
                  round.places[p + 1].endNs);
  }
  EXPECT_GT(merged, 100);
}

// No policy beats the bounds, and a chain on an idle device meets its path.
TEST(Simulate, LowerBounds) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 4, .tenants = 4});
    problem.device.bytesPerNs = 3;
    problem.device.launchNs = 500;
    for (size_t k = 0; k < problem.kernels.size(); ++k)
      problem.kernels[k].bytes = static_cast<int64_t>(k) * 20'000;
    Workload workload = test::roundOf(problem);
    LowerBounds bounds = lowerBounds(problem, workload);
    for (const Policy &policy : policies()) {
      Schedule schedule = scheduleOf(policy.name, problem, workload);
      int64_t makespanNs = roundOf(problem, schedule).makespanNs;
      EXPECT_GE(makespanNs, bounds.anyNs()) << policy.name << " seed " << seed;
      if (!policy.isBaseline)
        EXPECT_GE(makespanNs, bounds.exclusiveNs()) << policy.name << " seed " << seed;
    }
  }
  Problem chain = twoTasks(0, 0);
  LowerBounds bounds = lowerBounds(chain, {"round", {0, 1}, 0b11});
  EXPECT_EQ(bounds.pathNs, 1100);
  EXPECT_EQ(bounds.areaNs, (1100 + 2100) / 2);
  EXPECT_EQ(bounds.workNs, (1000 + 2000) / 2);
}

// At least 200,000 task events a second on one core (measured 2025-11 on an AMD EPYC (Zen 4): see
// README.md); the test leaves room for a busy machine and a build without optimization.
TEST(Simulate, EventsPerSecond) {
  Problem problem = randomProblem(3, {.granules = 16, .tenants = 40, .tasks = 400});
  problem.device.bytesPerNs = 3;
  for (Kernel &kernel : problem.kernels)
    kernel.bytes = 10'000;
  Schedule schedule = scheduleOf("heft", problem, test::roundOf(problem));
  size_t events = 0;
  auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> seconds{0};
  while (seconds.count() < 0.5) {
    events += roundOf(problem, schedule).places.size();
    seconds = std::chrono::steady_clock::now() - begin;
  }
  double rate = static_cast<double>(events) / seconds.count();
  RecordProperty("task_events_per_second", std::to_string(rate));
  printf("%.0f task events a second\n", rate);
  EXPECT_GT(rate, 100'000);
}

} // namespace
