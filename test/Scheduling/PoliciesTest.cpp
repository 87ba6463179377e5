//===- PoliciesTest.cpp - what policies promise ---------------------------===//
#include "ExampleProblems.h"
#include "mtc/Scheduling/Mixes.h"

#include <gtest/gtest.h>

#include <bit>
#include <ctime>
#include <map>
#include <set>

using namespace mtc;
using namespace mtc::test;

namespace {

// Sequential: instances in turn, every task on all granules, one lane, no edges.
TEST(Sequential, OneAfterTheOther) {
  Problem problem = smallProblem();
  Schedule schedule = scheduleOf("sequential", problem, roundOf(problem));
  ASSERT_EQ(schedule.places.size(), 6u);
  EXPECT_EQ(schedule.makespanNs, 3 * 520 + 3 * 290);
  EXPECT_TRUE(schedule.edges.empty());
  for (size_t p = 0; p < 6; ++p) {
    EXPECT_EQ(schedule.places[p].instance, p < 3 ? 0 : 1);
    EXPECT_EQ(schedule.places[p].granules, 0b11u);
    EXPECT_EQ(schedule.places[p].lane, 0);
  }
}

// Streams: a lane per instance on the whole device, all shared, no edges; a baseline that no plan
// takes.
TEST(Streams, SharedLanes) {
  Problem problem = smallProblem();
  Schedule schedule = scheduleOf("streams", problem, roundOf(problem));
  for (const Place &place : schedule.places) {
    EXPECT_TRUE(place.shared);
    EXPECT_EQ(place.lane, place.instance);
    EXPECT_EQ(place.granules, 0b11u);
  }
  EXPECT_TRUE(schedule.edges.empty());
  // Both want both units until rec has done 870 at half speed; det then has 690 of 1560 left.
  EXPECT_EQ(schedule.makespanNs, 2 * 870 + 690);
}

// Stages: two tenants that do not scale run side by side; the larger one gets the other granules
// once the smaller one is done.
TEST(Stages, SideBySide) {
  Problem problem;
  problem.device.granules = 2;
  problem.kernels = {kernelOf("serial", {1000, 1000}), kernelOf("even", {1000, 500})};
  addChain(problem, "a", {0, 0});
  addChain(problem, "b", {0, 0});
  EXPECT_EQ(scheduleOf("stages", problem, roundOf(problem)).makespanNs, 2000);
  problem.entries.clear();
  problem.tenants.clear();
  addChain(problem, "a", {1, 1, 1, 1});
  addChain(problem, "b", {0, 0});
  // b's 2000 beside two tasks of a, then two tasks of a on both granules.
  EXPECT_EQ(scheduleOf("stages", problem, roundOf(problem)).makespanNs, 3000);
}

/// A tenant of one task that writes, `width` branches of `length` tasks that read it, and a join.
Problem branches(int width, int length, std::vector<int64_t> ns) {
  Problem problem;
  problem.device.granules = 4;
  problem.kernels = {kernelOf("one", ns), kernelOf("join", ns, width)};
  addChain(problem, "t", {0});
  Entry &entry = problem.entries[0];
  entry.values = {{ValueKind::Input, 100, 0}, {ValueKind::Intermediate, 100, -1}};
  entry.tasks = {{0, "head", 0, {0, 1}}};
  std::vector<int32_t> ends;
  for (int b = 0; b < width; ++b) {
    int32_t value = 1;
    for (int i = 0; i < length; ++i) {
      auto written = static_cast<int32_t>(entry.values.size());
      entry.values.push_back({ValueKind::Intermediate, 100, -1});
      entry.tasks.push_back({static_cast<int32_t>(entry.tasks.size()), "b", 0, {value, written}});
      value = written;
    }
    ends.push_back(value);
  }
  ends.push_back(static_cast<int32_t>(entry.values.size()));
  entry.values.push_back({ValueKind::Output, 100, 0});
  entry.tasks.push_back({static_cast<int32_t>(entry.tasks.size()), "join", 1, ends});
  return problem;
}

// IOS: three branches that do not scale run side by side between head and join; what scales well
// runs one after the other on all granules.
TEST(Ios, BranchesSideBySide) {
  Problem serial = branches(3, 3, {1000});
  EXPECT_EQ(scheduleOf("ios", serial, roundOf(serial)).makespanNs, 1000 + 3000 + 1000);
  Problem even = branches(2, 2, {4000, 2000, 1333, 1000});
  EXPECT_EQ(scheduleOf("ios", even, roundOf(even)).makespanNs, 6 * 1000);
  // Longer than a block: still side by side, cut into stages.
  Problem longer = branches(2, 20, {1000});
  EXPECT_LE(scheduleOf("ios", longer, roundOf(longer)).makespanNs, 24000);
}

// The knee: the last share that still gains half of its part.
TEST(Partition, Knee) {
  EXPECT_EQ(kneeOf({1000}), 1u);
  EXPECT_EQ(kneeOf({1000, 500, 333, 250}), 4u);
  EXPECT_EQ(kneeOf({1000, 1000, 1000}), 1u);
  EXPECT_EQ(kneeOf({1000, 520, 500, 490}), 2u);
}

// Partition: two tenants that stop scaling at half of the device get a half each, their tasks in
// turn.
TEST(Partition, TwoHalves) {
  Problem problem;
  problem.device.granules = 10;
  problem.kernels = {kernelOf("half", {5000, 2500, 1700, 1300, 1000})};
  addChain(problem, "a", {0, 0});
  addChain(problem, "b", {0, 0});
  Schedule schedule = scheduleOf("partition", problem, roundOf(problem));
  EXPECT_LE(schedule.makespanNs, 2 * 1300);
  std::set<GranuleMask> masks;
  for (const Place &place : schedule.places)
    masks.insert(place.granules);
  EXPECT_EQ(masks.size(), 2u);
}

// Rule R1: with durations off by 0.25 to 4, places never clash on a granule and never read too
// early.
TEST(Policies, HoldUnderJitter) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Problem problem =
        randomProblem(seed, {.granules = 1 << seed % 5, .tenants = 1 + int(seed) % 5});
    for (const Policy &policy : policies()) {
      if (policy.run == scheduleStreams) // shares granules
        continue;
      Schedule schedule = scheduleOf(policy.name, problem, roundOf(problem));
      StatusOr<Predecessors> orders = directOrders(problem, schedule);
      ASSERT_TRUE(orders.ok());
      for (uint32_t run = 0; run < 5; ++run)
        EXPECT_EQ(hazards(problem, schedule, execute(schedule, *orders, run)), "")
            << policy.name << " seed " << seed;
    }
  }
}

// verify() and execution agree: schedules with a random change either do not verify, or run without
// a clash under every jitter. Changes go beyond what any policy would do.
TEST(Policies, MutatedSchedulesAreRejectedOrSafe) {
  int rejected = 0, accepted = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 4, .tenants = 4, .tasks = 15});
    Schedule original = scheduleOf("heft", problem, roundOf(problem));
    std::mt19937 rng(seed);
    auto below = [&](size_t count) { return static_cast<size_t>(rng() % count); };
    for (int mutation = 0; mutation < 25; ++mutation) {
      Schedule schedule = original;
      Place &place = schedule.places[below(schedule.places.size())];
      Place &other = schedule.places[below(schedule.places.size())];
      switch (below(7)) {
      case 0:
        std::swap(place, other);
        break;
      case 1:
        if (!schedule.edges.empty())
          schedule.edges.erase(schedule.edges.begin() +
                               static_cast<std::ptrdiff_t>(below(schedule.edges.size())));
        break;
      case 2:
        place.granules = 1 + below(15);
        break;
      case 3:
        place.lane = static_cast<int32_t>(below(5));
        break;
      case 4:
        place.task = other.task;
        break;
      case 5:
        std::swap(place.granules, other.granules);
        break;
      case 6:
        schedule.edges.emplace_back(static_cast<int32_t>(below(60)),
                                    static_cast<int32_t>(below(60)));
        break;
      }
      if (!verify(problem, schedule).ok()) {
        ++rejected;
        continue;
      }
      ++accepted;
      StatusOr<Predecessors> orders = directOrders(problem, schedule);
      ASSERT_TRUE(orders.ok());
      for (uint32_t run = 0; run < 4; ++run)
        ASSERT_EQ(hazards(problem, schedule, execute(schedule, *orders, run)), "") << seed;
    }
  }
  EXPECT_GT(rejected, 300);
  EXPECT_GT(accepted, 50);
}

// Predicted times are those of an execution that takes exactly as long as predicted, or later ones.
TEST(Policies, PredictionsAreFeasible) {
  for (uint32_t seed = 0; seed < 30; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 4});
    for (const Policy &policy : policies()) {
      Schedule schedule = scheduleOf(policy.name, problem, roundOf(problem));
      StatusOr<Predecessors> orders = directOrders(problem, schedule);
      ASSERT_TRUE(orders.ok());
      int64_t lastNs = 0;
      for (size_t p = 0; p < schedule.places.size(); ++p) {
        const Place &place = schedule.places[p];
        for (int32_t before : (*orders)[p]) {
          const Place &first = schedule.places[static_cast<size_t>(before)];
          EXPECT_LE(first.startNs + first.durationNs, place.startNs);
        }
        lastNs = std::max(lastNs, place.startNs + place.durationNs);
      }
      EXPECT_EQ(schedule.makespanNs, lastNs);
      EXPECT_GE(schedule.makespanNs, lowerBoundNs(problem, roundOf(problem), 4));
    }
  }
}

// Every tenant has one granule to itself or in turn, and the longest goes first.
TEST(Policies, ApartGivesEveryTenantAGranule) {
  Problem problem = randomProblem(3, {.granules = 2, .tenants = 5});
  Schedule schedule = scheduleOf("apart", problem, roundOf(problem));
  std::map<int32_t, GranuleMask> granuleOf;
  for (const Place &place : schedule.places) {
    EXPECT_EQ(std::popcount(place.granules), 1);
    EXPECT_EQ(granuleOf.try_emplace(place.instance, place.granules).first->second, place.granules);
  }
  EXPECT_EQ(granuleOf.size(), 5u);
}

// Equal inputs give equal schedules (rule R4).
TEST(Policies, AreDeterministic) {
  Problem problem = randomProblem(11, {.granules = 8, .tenants = 5});
  for (const Policy &policy : policies()) {
    Schedule a = scheduleOf(policy.name, problem, roundOf(problem));
    Schedule b = scheduleOf(policy.name, problem, roundOf(problem));
    EXPECT_EQ(a.edges, b.edges);
    ASSERT_EQ(a.places.size(), b.places.size());
    for (size_t p = 0; p < a.places.size(); ++p) {
      EXPECT_EQ(a.places[p].instance, b.places[p].instance);
      EXPECT_EQ(a.places[p].task, b.places[p].task);
      EXPECT_EQ(a.places[p].granules, b.places[p].granules);
      EXPECT_EQ(a.places[p].startNs, b.places[p].startNs);
    }
  }
}

// The same entry may occur several times in a workload.
TEST(Policies, RepeatedInstances) {
  Problem problem = smallProblem();
  Workload workload{"round", {0, 0, 1}, 0b11};
  for (const Policy &policy : policies())
    EXPECT_EQ(scheduleOf(policy.name, problem, workload).places.size(), 9u);
}

// Three thousand tasks are scheduled within seconds even on a busy machine (0.5 s on an idle core).
TEST(Policies, LargeRounds) {
  Problem problem = randomProblem(5, {.tenants = 5});
  for (Entry &entry : problem.entries) {
    entry.values = {{ValueKind::Input, 64, 0}};
    entry.outputs = {{"y", "u8", {64}, 64}};
    entry.tasks.clear();
    for (int32_t t = 0; t < 600; ++t) {
      entry.values.push_back(t == 599 ? Value{ValueKind::Output, 64, 0}
                                      : Value{ValueKind::Intermediate, 64, -1});
      int32_t kernel = t % 12;
      Task task{t, "t", kernel, {}};
      for (size_t r = 1; r < problem.kernels[static_cast<size_t>(kernel)].operands.size(); ++r)
        task.values.push_back(std::max<int32_t>(0, t - static_cast<int32_t>(r) + 1));
      task.values.push_back(t + 1);
      entry.tasks.push_back(task);
    }
  }
  std::clock_t begin = std::clock(); // CPU time: other processes do not count
  Schedule schedule = scheduleOf("heft", problem, roundOf(problem));
  double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_EQ(schedule.places.size(), 3000u);
  EXPECT_LT(seconds, 10);
}

// Names are looked up in the table; what is wrong with the input is said before a policy runs.
TEST(Policies, RunPolicyErrors) {
  Problem problem = smallProblem();
  EXPECT_EQ(runPolicy("fifo", problem, roundOf(problem)).status().message(),
            "unknown policy 'fifo'; known: sequential, streams, apart, heft, stages, ios, "
            "partition, joint");
  EXPECT_EQ(runPolicy("heft", problem, {"none", {}, 1}).status().message(),
            "workload 'none' has no instance");
  problem.kernels[0].variants.clear();
  EXPECT_EQ(runPolicy("heft", problem, roundOf(problem)).status().message(),
            "kernel 'large' has no variant");
}

// @round first, then each entry alone on each share; the better policy wins.
TEST(DefaultSchedules, RoundAndSolos) {
  Problem problem = smallProblem();
  problem.entries.push_back(problem.entries[0]);
  problem.entries.back().name = "n4";
  StatusOr<std::vector<Schedule>> schedules = defaultSchedules(problem);
  ASSERT_TRUE(schedules.ok()) << schedules.status().message();
  std::vector<std::string> names;
  for (const Schedule &schedule : *schedules)
    names.push_back(schedule.workload.name);
  EXPECT_EQ(names, (std::vector<std::string>{"round", "det.n1.g1", "det.n1.g2", "rec.n1.g1",
                                             "rec.n1.g2", "det.n4.g1", "det.n4.g2"}));
  EXPECT_EQ((*schedules)[0].policy, "heft");
  EXPECT_EQ((*schedules)[0].workload.instances, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ((*schedules)[1].policy, "sequential");
  EXPECT_EQ((*schedules)[2].workload.granules, 0b11u);
}

// On large devices shares thin out, and all granules are always one of them.
TEST(DefaultSchedules, SharesOfLargeDevices) {
  Problem problem = smallProblem();
  problem.device.granules = 17;
  problem.tenants.resize(1);
  problem.entries.resize(1);
  StatusOr<std::vector<Schedule>> schedules = defaultSchedules(problem);
  ASSERT_TRUE(schedules.ok()) << schedules.status().message();
  std::string names;
  for (const Schedule &schedule : *schedules)
    names += schedule.workload.name.substr(schedule.workload.name.rfind('.') + 1) + " ";
  EXPECT_EQ(names, "round g1 g2 g3 g4 g5 g6 g7 g8 g10 g12 g14 g16 g17 ");
}

TEST(DefaultSchedules, RejectsAnEmptyProblem) {
  Problem problem = smallProblem();
  problem.entries.clear();
  EXPECT_EQ(defaultSchedules(problem).status().message(), "the problem has no entry to schedule");
}

// Rounds of subsets: every pair, then every three; never all, which is @round.
TEST(DefaultSchedules, Mixes) {
  Problem problem = randomProblem(3, {.granules = 2, .tenants = 4, .tasks = 3});
  StatusOr<std::vector<Schedule>> mixes = mixSchedules(problem, 2, {.searchSteps = 80});
  ASSERT_TRUE(mixes.ok()) << mixes.status().message();
  ASSERT_EQ(mixes->size(), 6u);
  EXPECT_EQ((*mixes)[0].workload.instances, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ((*mixes)[0].workload.name, problem.tenants[0].name + "+" + problem.tenants[1].name);
  EXPECT_EQ((*mixes)[5].workload.instances, (std::vector<int32_t>{2, 3}));
  for (const Schedule &mix : *mixes)
    EXPECT_TRUE(verify(problem, mix).ok());
  mixes = mixSchedules(problem, 64, {.searchSteps = 80});
  ASSERT_TRUE(mixes.ok());
  ASSERT_EQ(mixes->size(), 10u); // and four of three
  EXPECT_EQ(mixes->back().workload.instances, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(mixSchedules(randomProblem(3, {.granules = 1, .tenants = 40, .tasks = 1}), 3)
                .status()
                .message(),
            "more than 256 rounds of 2 to 3 of 40 tenants; wanted fewer");
}

} // namespace
