//===- VerifyTest.cpp - wrong plans do not verify -------------------------===//
#include "../Scheduling/ExampleProblems.h"
#include "mtc/Planning/Plan.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

/// det and rec of one group, in turn, with the plan of that.
struct Planned {
  Problem problem = smallProblem();
  Schedule schedule;
  Plan plan;

  Planned() {
    StatusOr<Schedule> sequential = runPolicy("sequential", problem, roundOf(problem));
    EXPECT_TRUE(sequential.ok());
    schedule = *sequential;
    StatusOr<Plan> made = makePlan(problem, schedule);
    EXPECT_TRUE(made.ok());
    plan = *made;
    EXPECT_TRUE(verify(problem, schedule, plan).ok());
  }
};

/// The message of verify() after a change to a plan that passes.
template <typename Change> std::string messageAfter(Change change) {
  Planned p;
  change(p);
  Status status = verify(p.problem, p.schedule, p.plan);
  EXPECT_EQ(status.code(), ErrorCode::InvalidInput);
  return status.message();
}

// The commands are the schedule's places.
TEST(VerifyPlan, RejectsOtherCommands) {
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.name = "other"; }),
            "plan 'other': is not the plan of schedule 'round'");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands.pop_back(); }),
            "plan 'round': has 5 commands, its schedule has 6 places");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.arenas[0].bytes = -64; }),
            "plan 'round': arena 0 has -64 bytes; wanted at least 0");
  EXPECT_EQ(messageAfter([](Planned &p) { std::swap(p.plan.commands[0], p.plan.commands[3]); }),
            "plan 'round': command 0, det.n1 task 10 (op0) differs from its place");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[4].granules = 0b01; }),
            "plan 'round': command 4, rec.n1 task 11 (op1) differs from its place");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[4].kernel = 0; }),
            "plan 'round': command 4, rec.n1 task 11 (op1) differs from its place");
  EXPECT_EQ(messageAfter([](Planned &p) { p.schedule.places.pop_back(); }),
            "rec.n1 task 12 (op2) is not placed");
}

// Waits name earlier commands once.
TEST(VerifyPlan, RejectsWaits) {
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[1].waits = {1}; }),
            "plan 'round': command 1, det.n1 task 11 (op1) waits for command 1; wanted earlier "
            "commands, ascending");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[1].waits = {-1}; }),
            "plan 'round': command 1, det.n1 task 11 (op1) waits for command -1; wanted earlier "
            "commands, ascending");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[2].waits = {1, 0}; }),
            "plan 'round': command 2, det.n1 task 12 (op2) waits for command 0; wanted earlier "
            "commands, ascending");
}

// A wait that is missing: between a writer and its reader, and between neighbours on a granule.
TEST(VerifyPlan, RejectsMissingWaits) {
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[1].waits.clear(); }),
            "plan 'round': command 1, det.n1 task 11 (op1) reads what command 0, det.n1 task 10 "
            "(op0) writes and does not wait for it");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[3].waits.clear(); }),
            "plan 'round': command 2, det.n1 task 12 (op2) and command 3, rec.n1 task 10 (op0) "
            "share granule 0 and are not ordered");
}

/// det and rec on cores of a host, task by task in one command.
struct PlannedInPairs {
  Problem problem = smallProblem();
  Schedule schedule;
  Plan plan;

  PlannedInPairs() {
    problem.device.target = "host:test";
    schedule.workload = roundOf(problem);
    for (int32_t t = 0; t < 3; ++t) {
      schedule.places.push_back({0, t, 0, 0, 0b11, 0, 0, false, false});
      schedule.places.push_back({1, t, 0, 0, 0b11, 0, 0, false, true});
    }
    StatusOr<Plan> made = makePlan(problem, schedule);
    EXPECT_TRUE(made.ok()) << made.status().message();
    plan = *made;
    EXPECT_EQ(message(), "");
  }
  std::string message() const { return verify(problem, schedule, plan).message(); }
};

// Commands that run as one: all of them wait for the same, whoever comes after waits for all, and
// none of them uses memory of another.
TEST(VerifyPlan, RejectsWrongMergedCommands) {
  PlannedInPairs p;
  ASSERT_EQ(p.plan.commands.size(), 6u);
  EXPECT_EQ(p.plan.commands[3].waits, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(p.plan.arenas[0].bytes, 512); // four values at once, of two tenants of one group
  p.plan.commands[3].merged = false;
  EXPECT_EQ(p.message(), "plan 'round': command 3, rec.n1 task 11 (op1) differs from its place");
  p.plan.commands[3].merged = true;
  p.plan.commands[3].waits = {1};
  EXPECT_EQ(p.message(),
            "plan 'round': command 3, rec.n1 task 11 (op1) waits for [1]; wanted [0, 1] "
            "as command 2, det.n1 task 11 (op1), with which it is merged");
  p.plan.commands[2].waits = {0};
  p.plan.commands[3].waits = {0};
  EXPECT_EQ(p.message(), "plan 'round': command 3, rec.n1 task 11 (op1) reads what command 1, "
                         "rec.n1 task 10 (op0) writes and does not wait for it");
  p = PlannedInPairs();
  // The value that rec's first task writes onto the one of det's.
  const BufferRef at = p.plan.commands[0].buffers[1];
  p.plan.commands[1].buffers[1] = p.plan.commands[3].buffers[0] = at;
  EXPECT_EQ(p.message(), "plan 'round': value 1 written by command 0, det.n1 task 10 (op0) and "
                         "value 1 written by command 1, rec.n1 task 10 (op0) overlap in arena 0 at "
                         "0 and are in use at the same time");
}

// Operands lie where their values do.
TEST(VerifyPlan, RejectsBuffers) {
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers.pop_back(); }),
            "plan 'round': command 0, det.n1 task 10 (op0) has 1 buffers, its task has 2 operands");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[0].space = Space::Weight; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 0 in weight memory; wanted "
            "input");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[1].space = Space::Output; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 1 in output memory; wanted "
            "arena");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[1].bytes = 64; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 1 of 64 bytes, its value 1 "
            "has 100");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[0].index = 1; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 0 at input 1 + 0; wanted "
            "0 + 0");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[0].offset = 64; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 0 at input 0 + 64; wanted "
            "0 + 0");
}

// Arena buffers are inside, aligned, and one value has one address.
TEST(VerifyPlan, RejectsAddresses) {
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[1].index = 1; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 1 in arena 1 of 1");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[1].offset = 192; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 1 at 192 + 100 of arena 0, "
            "which has 256 bytes");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[1].offset = -64; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 1 at -64 + 100 of arena 0, "
            "which has 256 bytes");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[0].buffers[1].offset = 32; }),
            "plan 'round': command 0, det.n1 task 10 (op0) has operand 1 at offset 32; wanted a "
            "multiple of 64");
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.commands[1].buffers[0].offset = 64; }),
            "plan 'round': command 1, det.n1 task 11 (op1) has operand 0 at arena 0 + 64, but "
            "value 1 lies at arena 0 + 0");
}

// A value moved onto one that is still in use.
TEST(VerifyPlan, RejectsOverlap) {
  EXPECT_EQ(messageAfter([](Planned &p) {
              p.plan.commands[1].buffers[1].offset = 64;
              p.plan.commands[2].buffers[0].offset = 64;
            }),
            "plan 'round': value 1 written by command 0, det.n1 task 10 (op0) and value 2 written "
            "by command 1, det.n1 task 11 (op1) overlap in arena 0 at 64 and are in use at the "
            "same time");
}

// Memory is not shared between isolation groups, however the arenas are labelled.
TEST(VerifyPlan, RejectsIsolation) {
  EXPECT_EQ(messageAfter([](Planned &p) { p.plan.arenas[0].isolation = "other"; }),
            "plan 'round': arena 0 of isolation 'other' holds a value of tenant 'det', isolation "
            "'default'");
  EXPECT_EQ(messageAfter([](Planned &p) { p.problem.tenants[1].isolation = "guarded"; }),
            "plan 'round': arena 0 of isolation 'default' holds a value of tenant 'rec', isolation "
            "'guarded'");
  EXPECT_EQ(messageAfter([](Planned &p) {
              p.problem.tenants[0].name = "rec";
              p.problem.tenants[0].isolation = "guarded";
              p.problem.tenants[1].isolation = "rec";
              p.plan.arenas[0].isolation = "rec";
            }),
            "plan 'round': arena 0 is shared by tenants 'rec' and 'rec', which are isolated");
}

// Random plans, each with one thing wrong: a wait dropped (they are reduced, so every one is
// needed), or what a command writes moved onto what it reads.
TEST(VerifyPlan, RejectsRandomMutations) {
  int dropped = 0, moved = 0;
  for (uint32_t seed = 0; seed < 25; ++seed) {
    std::mt19937 rng(seed);
    Problem problem = randomProblem(seed, {.granules = 4, .tenants = 4});
    StatusOr<Schedule> schedule = runPolicy("heft", problem, roundOf(problem));
    ASSERT_TRUE(schedule.ok());
    StatusOr<Plan> plan = makePlan(problem, *schedule);
    ASSERT_TRUE(plan.ok());

    // Waits are reduced: each is a dependence or the only order between neighbours on a granule.
    for (size_t c = 0; c < plan->commands.size(); ++c)
      for (size_t w = 0; w < plan->commands[c].waits.size(); ++w) {
        Plan mutated = *plan;
        mutated.commands[c].waits.erase(mutated.commands[c].waits.begin() +
                                        static_cast<std::ptrdiff_t>(w));
        EXPECT_FALSE(verify(problem, *schedule, mutated).ok()) << seed << " " << c << " " << w;
        ++dropped;
      }

    // Put what a command writes onto an arena value that it reads.
    for (size_t c = 0; c < plan->commands.size(); ++c) {
      const std::vector<BufferRef> &buffers = plan->commands[c].buffers;
      const BufferRef &written = buffers.back();
      for (size_t o = 0; o + 1 < buffers.size(); ++o) {
        const BufferRef &read = buffers[o];
        if (written.space != Space::Arena || read.space != Space::Arena || read.bytes == 0 ||
            written.bytes == 0)
          continue;
        Plan mutated = *plan;
        for (Arena &arena : mutated.arenas)
          arena.bytes += 8192;
        const Task &task = problem.entries[static_cast<size_t>(plan->commands[c].instance)]
                               .tasks[static_cast<size_t>(plan->commands[c].task)];
        for (Command &command : mutated.commands) {
          if (command.instance != plan->commands[c].instance)
            continue;
          const Task &other = problem.entries[static_cast<size_t>(command.instance)]
                                  .tasks[static_cast<size_t>(command.task)];
          for (size_t i = 0; i < other.values.size(); ++i)
            if (other.values[i] == task.values.back())
              command.buffers[i].offset = read.offset;
        }
        EXPECT_FALSE(verify(problem, *schedule, mutated).ok()) << seed << " " << c;
        ++moved;
      }
    }
  }
  EXPECT_GT(dropped, 500);
  EXPECT_GT(moved, 200);
}

} // namespace
