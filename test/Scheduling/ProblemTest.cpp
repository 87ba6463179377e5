//===- ProblemTest.cpp - check() and what a Problem says ------------------===//
#include "ExampleProblems.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

/// The message of check() after a change to a problem that passes.
template <typename Change> std::string messageAfter(Change change) {
  Problem problem = smallProblem();
  EXPECT_TRUE(check(problem).ok()) << check(problem).message();
  change(problem);
  Status status = check(problem);
  EXPECT_EQ(status.code(), ErrorCode::InvalidInput);
  return status.message();
}

// A time that is not listed is that of the next smaller listed number, or of the smallest.
TEST(Problem, VariantTimes) {
  Variant variant;
  variant.times = {{2, 100, TimeOrigin::Modelled}, {4, 60, TimeOrigin::Measured}};
  EXPECT_EQ(variantNs(variant, 1), 100);
  EXPECT_EQ(variantNs(variant, 2), 100);
  EXPECT_EQ(variantNs(variant, 3), 100);
  EXPECT_EQ(variantNs(variant, 4), 60);
  EXPECT_EQ(variantNs(variant, 64), 60);
}

// A task depends on the writers of what it reads, once each; inputs and weights have none.
TEST(Problem, Dependences) {
  Problem problem = smallProblem();
  problem.kernels.push_back(kernelOf("join", {10}, 3));
  Entry &entry = problem.entries[0];
  entry.values.push_back({ValueKind::Intermediate, 8, -1});
  entry.tasks.push_back({99, "join", 2, {2, 0, 2, 4}});
  EXPECT_EQ(taskDependences(problem, entry),
            (std::vector<std::vector<int32_t>>{{}, {0}, {1}, {1}}));
}

// The device has 1 to 64 granules: a mask has 64 bits.
TEST(Problem, RejectsGranules) {
  EXPECT_EQ(messageAfter([](Problem &p) { p.device.granules = 65; }),
            "device 'test' has 65 granules; wanted 1 to 64");
  EXPECT_EQ(messageAfter([](Problem &p) { p.device.granules = 0; }),
            "device 'test' has 0 granules; wanted 1 to 64");
}

// Everything that a kernel must say.
TEST(Problem, RejectsKernels) {
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].operands[0] = Access::ReadWrite; }),
            "kernel 'large' reads and writes operand 0 in place; a value has one writer");
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].variants.clear(); }),
            "kernel 'large' has no variant");
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].variants[0].phaseTiles.clear(); }),
            "kernel 'large' variant 0 has no phase");
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].variants[0].phaseTiles = {4, 0}; }),
            "kernel 'large' variant 0 has a phase of 0 tiles; wanted at least 1");
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].variants[0].scratchBytesPerWorker = -1; }),
            "kernel 'large' variant 0 has -1 bytes of scratch; wanted at least 0");
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].variants[0].times.clear(); }),
            "kernel 'large' variant 0 has no time");
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].variants[0].times[1].granules = 1; }),
            "kernel 'large' variant 0 lists 1 granules after 1; wanted ascending numbers");
  EXPECT_EQ(messageAfter([](Problem &p) { p.kernels[0].variants[0].times[1].ns = 0; }),
            "kernel 'large' variant 0 takes 0 ns on 2 granules; wanted 1 ns to a year");
}

// Values: kinds, indices and sizes agree with the tensors that a caller sees.
TEST(Problem, RejectsValues) {
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[1].tenant = 2; }),
            "entry 'n1' belongs to tenant 2 of 2");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].values[1].bytes = -4; }),
            "det.n1 value 1 has -4 bytes; wanted at least 0");
  EXPECT_EQ(messageAfter([](Problem &p) {
              p.entries[0].values[0].kind = ValueKind::Weight, p.entries[0].values[0].index = -1;
            }),
            "det.n1 value 0 is weight -1; wanted at least 0");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].values[0].index = 1; }),
            "det.n1 value 0 is input 1 of 1");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].values[3].bytes = 99; }),
            "det.n1 value 3 has 99 bytes, its output 'y' has 100");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].values[2] = {ValueKind::Output, 100, 0}; }),
            "det.n1 value 3 is output 'y', and so is value 2");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].values[3].kind = ValueKind::Intermediate; }),
            "det.n1 output 'y' has no value");
}

// Tasks: operands exist, and every value is written once, before it is read.
TEST(Problem, RejectsTasks) {
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].tasks[1].id = 10; }),
            "det.n1 task 10 (op1) has the id of an earlier task");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].tasks[1].kernel = 2; }),
            "det.n1 task 11 (op1) uses kernel 2 of 2");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].tasks[1].values.pop_back(); }),
            "det.n1 task 11 (op1) has 1 operands, its kernel 'large' has 2");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].tasks[1].values[0] = 4; }),
            "det.n1 task 11 (op1) has value 4 of 4 as operand 0");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].tasks[1].values[0] = 2; }),
            "det.n1 task 11 (op1) reads value 2 before a task wrote it");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].tasks[1].values[1] = 0; }),
            "det.n1 task 11 (op1) writes value 0, which is an input");
  EXPECT_EQ(messageAfter([](Problem &p) {
              p.entries[0].values.push_back({ValueKind::Weight, 8, 0}),
                  p.entries[0].tasks[1].values[1] = 4;
            }),
            "det.n1 task 11 (op1) writes value 4, which is a weight");
  EXPECT_EQ(messageAfter([](Problem &p) { p.entries[0].tasks[1].values[1] = 1; }),
            "det.n1 task 11 (op1) writes value 1, which has been written already");
  EXPECT_EQ(messageAfter([](Problem &p) {
              p.entries[0].values.push_back({ValueKind::Intermediate, 8, -1});
            }),
            "det.n1 value 4 has no writer");
}

// The generator of the other tests makes problems that pass.
TEST(Problem, RandomProblemsAreChecked) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    Status status = check(randomProblem(seed));
    EXPECT_TRUE(status.ok()) << seed << ": " << status.message();
  }
}

} // namespace
