//===- PlanTest.cpp - makePlan() and printPlan() --------------------------===//
#include "mtc/Planning/Plan.h"
#include "../Scheduling/ExampleProblems.h"

#include <gtest/gtest.h>

#include <map>

using namespace mtc;
using namespace mtc::test;

namespace {

Plan planOf(const Problem &problem, const Schedule &schedule, const PlanOptions &options = {}) {
  StatusOr<Plan> plan = makePlan(problem, schedule, options);
  EXPECT_TRUE(plan.ok()) << plan.status().message();
  return plan.ok() ? *plan : Plan();
}

Predecessors waitsOf(const Plan &plan) {
  Predecessors waits;
  for (const Command &command : plan.commands)
    waits.push_back(command.waits);
  return waits;
}

// One tenant after the other: the chain's two intermediates alternate, the second tenant reuses
// them.
TEST(Plan, SequentialText) {
  Problem problem = smallProblem();
  Schedule schedule = scheduleOf("sequential", problem, roundOf(problem));
  EXPECT_EQ(printPlan(problem, schedule, planOf(problem, schedule)),
            "plan round policy sequential granules 0,1 makespan 2430 ns\n"
            "  arena 0 isolation 'default' 256 bytes\n"
            "  0: det.n1 task 10 (op0) kernel large variant 0 lane 0 granules 0,1 waits [] "
            "reads (input 0) writes (arena 0 [0, 100))\n"
            "  1: det.n1 task 11 (op1) kernel large variant 0 lane 0 granules 0,1 waits [0] "
            "reads (arena 0 [0, 100)) writes (arena 0 [128, 228))\n"
            "  2: det.n1 task 12 (op2) kernel large variant 0 lane 0 granules 0,1 waits [1] "
            "reads (arena 0 [128, 228)) writes (output 0)\n"
            "  3: rec.n1 task 10 (op0) kernel small variant 0 lane 0 granules 0,1 waits [2] "
            "reads (input 0) writes (arena 0 [0, 100))\n"
            "  4: rec.n1 task 11 (op1) kernel small variant 0 lane 0 granules 0,1 waits [3] "
            "reads (arena 0 [0, 100)) writes (arena 0 [128, 228))\n"
            "  5: rec.n1 task 12 (op2) kernel small variant 0 lane 0 granules 0,1 waits [4] "
            "reads (arena 0 [128, 228)) writes (output 0)\n");
}

// Guarded tenants, tenants without a group and different groups have arenas of their own; a group
// that has a guarded tenant's name does not mix with it.
TEST(Plan, ArenasByIsolation) {
  Problem problem = smallProblem();
  addChain(problem, "a", {1, 1}, 100, "guarded");
  addChain(problem, "b", {1, 1}, 100, "");
  addChain(problem, "c", {1, 1}, 100, "a");
  Schedule schedule = scheduleOf("sequential", problem, roundOf(problem));
  Plan plan = planOf(problem, schedule);
  std::vector<std::string> names;
  for (const Arena &arena : plan.arenas)
    names.push_back(arena.isolation + ":" + std::to_string(arena.bytes));
  EXPECT_EQ(names, (std::vector<std::string>{"default:256", "a:128", "b:128", "a:128"}));
  EXPECT_TRUE(verify(problem, schedule, plan).ok());
}

// Without sharing every tenant has its own arena.
TEST(Plan, DoesNotShareArenasIfToldSo) {
  Problem problem = smallProblem();
  Schedule schedule = scheduleOf("sequential", problem, roundOf(problem));
  Plan plan = planOf(problem, schedule, {.shareArenas = false});
  ASSERT_EQ(plan.arenas.size(), 2u);
  EXPECT_EQ(plan.arenas[0].isolation, "det");
  EXPECT_EQ(plan.arenas[1].isolation, "rec");
  EXPECT_TRUE(verify(problem, schedule, plan).ok());
}

// Tenants that run side by side cannot overlap: nothing orders them.
TEST(Plan, SideBySideTenantsDoNotOverlap) {
  Problem problem = smallProblem();
  Schedule schedule;
  schedule.workload = {"round", {0, 1}, 0b11};
  for (int32_t t = 0; t < 3; ++t) {
    schedule.places.push_back({0, t, 0, 0, 0b01, 0, 1, false});
    schedule.places.push_back({1, t, 0, 1, 0b10, 0, 1, false});
  }
  Plan plan = planOf(problem, schedule);
  EXPECT_EQ(plan.arenas[0].bytes, 4 * 128);
  // Data dependences order each lane already: no wait is repeated.
  EXPECT_EQ(waitsOf(plan), (Predecessors{{}, {}, {0}, {1}, {2}, {3}}));
}

// A value that is read late keeps its bytes until then.
TEST(Plan, LongLifetimes) {
  Problem problem = smallProblem();
  problem.kernels.push_back(kernelOf("join", {10}, 2));
  Entry &entry = problem.entries[0];
  entry.tasks[2] = {12, "join", 2, {1, 2, 3}};
  Schedule schedule = scheduleOf("sequential", problem, soloWorkload(problem, 0, 1));
  Plan plan = planOf(problem, schedule);
  EXPECT_EQ(plan.arenas[0].bytes, 2 * 128);
  EXPECT_NE(plan.commands[0].buffers[1].offset, plan.commands[1].buffers[1].offset);
}

// Shared places are a baseline for simulation: there is no plan of them.
TEST(Plan, RejectsSharedPlacesAndWrongSchedules) {
  Problem problem = smallProblem();
  Schedule schedule = scheduleOf("sequential", problem, roundOf(problem));
  Schedule shared = schedule;
  shared.places[1].shared = true;
  EXPECT_EQ(makePlan(problem, shared).status().message(),
            "det.n1 task 11 (op1) is a shared place; those are for simulation and have no plan");
  schedule.places.pop_back();
  EXPECT_EQ(makePlan(problem, schedule).status().message(), "rec.n1 task 12 (op2) is not placed");
}

/// Arena values of one instance as an execution uses them: [first start, last end) of bytes.
struct Use {
  int64_t beginNs = 0, endNs = 0;
  BufferRef ref;
};

/// Every arena value's bytes and the time they hold data in an execution.
std::vector<Use> usesOf(const Problem &problem, const Plan &plan, const Execution &run) {
  std::map<std::tuple<int32_t, int32_t>, Use> uses;
  for (size_t c = 0; c < plan.commands.size(); ++c) {
    const Command &command = plan.commands[c];
    // roundOf() has instance i of entry i in these problems.
    const Task &task = problem.entries[static_cast<size_t>(command.instance)]
                           .tasks[static_cast<size_t>(command.task)];
    for (size_t o = 0; o < task.values.size(); ++o) {
      if (command.buffers[o].space != Space::Arena)
        continue;
      auto [use, isNew] = uses.try_emplace({command.instance, task.values[o]},
                                           Use{run.startNs[c], run.endNs[c], command.buffers[o]});
      if (isNew)
        continue;
      use->second.beginNs = std::min(use->second.beginNs, run.startNs[c]);
      use->second.endNs = std::max(use->second.endNs, run.endNs[c]);
    }
  }
  std::vector<Use> list;
  for (auto &[value, use] : uses)
    list.push_back(use);
  return list;
}

// Rule R1 on random problems: whatever the durations, commands that honour only their waits never
// clash on a granule, never read too early, and values whose times of use overlap have no byte in
// common.
TEST(Plan, HoldsUnderJitter) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    Problem problem =
        randomProblem(seed, {.granules = 1 << seed % 4, .tenants = 1 + int(seed) % 5});
    for (const Policy &policy : policies()) {
      if (policy.run == scheduleStreams) // shares granules
        continue;
      Schedule schedule = scheduleOf(policy.name, problem, roundOf(problem));
      Plan plan = planOf(problem, schedule);
      Status status = verify(problem, schedule, plan);
      ASSERT_TRUE(status.ok()) << status.message();
      for (uint32_t jitter = 0; jitter < 4; ++jitter) {
        Execution run = execute(schedule, waitsOf(plan), jitter);
        ASSERT_EQ(hazards(problem, schedule, run), "") << policy.name << " seed " << seed;
        std::vector<Use> uses = usesOf(problem, plan, run);
        for (size_t a = 0; a < uses.size(); ++a)
          for (size_t b = a + 1; b < uses.size(); ++b) {
            const Use &x = uses[a], &y = uses[b];
            bool sameBytes = x.ref.index == y.ref.index &&
                             x.ref.offset < y.ref.offset + y.ref.bytes &&
                             y.ref.offset < x.ref.offset + x.ref.bytes;
            bool sameTime = x.beginNs < y.endNs && y.beginNs < x.endNs;
            ASSERT_FALSE(sameBytes && sameTime) << policy.name << " seed " << seed;
          }
      }
    }
  }
}

// Waits are what orders need and no more: the same closure as the schedule's, reduced.
TEST(Plan, WaitsAreTheReducedOrders) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 4});
    Schedule schedule = scheduleOf("heft", problem, roundOf(problem));
    Predecessors waits = waitsOf(planOf(problem, schedule));
    Reachability byWaits = Reachability::compute(waits);
    StatusOr<Reachability> bySchedule = Reachability::compute(problem, schedule);
    ASSERT_TRUE(bySchedule.ok());
    auto count = static_cast<int32_t>(waits.size());
    for (int32_t a = 0; a < count; ++a)
      for (int32_t b = 0; b < count; ++b)
        ASSERT_EQ(byWaits.reaches(a, b), bySchedule->reaches(a, b));
    EXPECT_EQ(transitiveReduction(waits, byWaits), waits);
  }
}

// One after the other, packing comes within 15 % of the largest set of values that live at once (in
// total; alignment and holes are the rest).
TEST(Plan, PacksNearTheLargestLiveSet) {
  int64_t arenaBytes = 0, liveBytes = 0;
  for (uint32_t seed = 0; seed < 30; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 1, .tenants = 1, .tasks = 80});
    Schedule schedule = scheduleOf("sequential", problem, roundOf(problem));
    Plan plan = planOf(problem, schedule);
    const Entry &entry = problem.entries[0];
    std::vector<int64_t> live(entry.tasks.size(), 0);
    for (size_t v = 0; v < entry.values.size(); ++v) {
      if (entry.values[v].kind != ValueKind::Intermediate)
        continue;
      size_t first = entry.tasks.size(), last = 0;
      for (size_t t = 0; t < entry.tasks.size(); ++t)
        for (int32_t value : entry.tasks[t].values)
          if (value == static_cast<int32_t>(v)) {
            first = std::min(first, t);
            last = t;
          }
      for (size_t t = first; t <= last; ++t)
        live[t] += (entry.values[v].bytes + 63) / 64 * 64;
    }
    liveBytes += *std::max_element(live.begin(), live.end());
    for (const Arena &arena : plan.arenas)
      arenaBytes += arena.bytes;
  }
  EXPECT_GE(arenaBytes, liveBytes);
  EXPECT_LE(arenaBytes * 100, liveBytes * 115);
}

} // namespace
