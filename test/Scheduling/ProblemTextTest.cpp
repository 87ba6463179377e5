//===- ProblemTextTest.cpp - Problems as text -----------------------------===//
#include "mtc/Scheduling/ProblemText.h"
#include "ExampleProblems.h"

using namespace mtc;
using namespace mtc::test;

namespace {

/// A problem with something in every field.
Problem fullProblem() {
  Problem problem = randomProblem(7, {4, 3, 20});
  problem.device = {"host:\"x\\86\"", 4, 8, 0.1, 1e9 / 3, 300, 200};
  Kernel &kernel = problem.kernels[0];
  kernel.kind = KernelKind::Contraction;
  kernel.flops = 123456789012;
  kernel.byteFlops = 23456789012;
  kernel.bytes = 17;
  kernel.extents = {2, 3, 4, 5};
  kernel.variants[0].phaseTiles = {12, 3};
  kernel.variants[0].scratchBytesPerWorker = 4096;
  kernel.variants[0].config = "{emitter = \"plain\"}\nsecond line";
  kernel.variants[0].times[1].origin = TimeOrigin::Learned;
  kernel.variants[0].times[2].origin = TimeOrigin::Measured;
  problem.tenants[0].sloP99Ns = 60'000'000;
  problem.tenants[0].ratePerSecond = 0.1;
  problem.tenants[0].priority = -2;
  problem.tenants[0].arrivals = ArrivalKind::Periodic;
  problem.entries[0].inputs[0].name = "input:0 with a blank";
  problem.entries[0].inputs[0].shape = {};
  problem.entries[0].tasks[0].name = "";
  return problem;
}

/// The error of a text that must not parse.
std::string errorOf(const std::string &text) {
  StatusOr<Problem> parsed = parseProblem(text);
  EXPECT_FALSE(parsed.ok());
  return parsed.ok() ? "" : parsed.status().message();
}

/// The text of fullProblem() with `from` replaced by `to` once.
std::string changed(const std::string &from, const std::string &to) {
  std::string text = printProblem(fullProblem());
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// An extent is an i64 of the entry's outputs, and the dim that it is for exists.
TEST(ProblemText, Extents) {
  Problem problem = smallProblem();
  Entry &entry = problem.entries[0];
  Tensor &output = entry.outputs[0];
  const auto messageOf = [&] {
    const Status status = check(problem);
    return status.ok() ? "" : status.message();
  };
  output.extentDim = 0;
  output.extentOutput = static_cast<int32_t>(entry.outputs.size());
  EXPECT_NE(messageOf().find("has the extent of dim 0 in output"), std::string::npos);
  output.extentOutput = 0;
  EXPECT_NE(messageOf().find("is an extent; wanted one i64, got"), std::string::npos);
  output.extentDim = static_cast<int32_t>(output.shape.size());
  EXPECT_NE(messageOf().find("has the extent of dim"), std::string::npos);
  output.extentDim = 0;
  StatusOr<Problem> parsed = parseProblem(printProblem(problem));
  EXPECT_FALSE(parsed.ok());
  EXPECT_NE(printProblem(problem).find(" extent of 0 in output 0\n"), std::string::npos);
}

// A padded input has an element to fill with; an output follows a padded dim of its size.
TEST(ProblemText, Padding) {
  Problem problem = smallProblem();
  Entry &entry = problem.entries[0];
  Tensor &input = entry.inputs[0], &output = entry.outputs[0];
  const auto messageOf = [&] {
    const Status status = check(problem);
    return status.ok() ? "" : status.message();
  };
  int64_t elements = 1;
  for (int64_t size : input.shape)
    elements *= size;
  input.pad.emplace(static_cast<size_t>(input.bytes / elements + 1), uint8_t(7));
  EXPECT_NE(messageOf().find("and is padded with one of"), std::string::npos);
  input.pad->pop_back();
  EXPECT_EQ(messageOf(), "");
  output.shape = input.shape;
  output.follows = {{0, 0, 0}};
  EXPECT_EQ(messageOf(), "");
  StatusOr<Problem> parsed = parseProblem(printProblem(problem));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(printProblem(*parsed), printProblem(problem));
  EXPECT_EQ(parsed->entries[0].inputs[0].pad, input.pad);
  EXPECT_NE(printProblem(problem).find(" dim 0 follows 0 of input 0"), std::string::npos);
  for (const FollowedDim &wrong :
       {FollowedDim{-1, 0, 0}, {0, -1, 0}, {0, 9, 0}, {0, 0, -1}, {0, 0, 9}, {9, 0, 0}}) {
    output.follows = {wrong};
    EXPECT_NE(messageOf().find("which is no padded dim"), std::string::npos);
  }
  output.follows = {{0, 0, 0}, {0, 0, 0}};
  EXPECT_NE(messageOf().find("which is no padded dim"), std::string::npos);
  output.follows = {{0, 0, 0}};
  output.shape[0] += 1;
  EXPECT_NE(messageOf().find("which is no padded dim"), std::string::npos);
  output.shape[0] -= 1;
  input.pad.reset();
  EXPECT_NE(messageOf().find("which is no padded dim"), std::string::npos);
}

// What was printed reads back as the same Problem: every field is in the text.
TEST(ProblemText, RoundTrip) {
  for (const Problem &problem : {fullProblem(), smallProblem(), randomProblem(1)}) {
    std::string text = printProblem(problem);
    StatusOr<Problem> parsed = parseProblem(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(printProblem(*parsed), text);
    EXPECT_EQ(parsed->device.bytesPerNs, problem.device.bytesPerNs);
    EXPECT_EQ(parsed->kernels[0].extents.depth, problem.kernels[0].extents.depth);
    EXPECT_EQ(parsed->kernels[0].variants[0].config, problem.kernels[0].variants[0].config);
    EXPECT_EQ(parsed->tenants[0].arrivals, problem.tenants[0].arrivals);
    EXPECT_EQ(parsed->entries[0].tasks.size(), problem.entries[0].tasks.size());
  }
}

// Errors name the line and what was wanted.
TEST(ProblemText, Errors) {
  EXPECT_EQ(errorOf(""), "line 1: got nothing, wanted 'problem 1'");
  EXPECT_EQ(errorOf("problem 2\n"), "line 1: got 'problem 2', wanted 'problem 1'");
  EXPECT_EQ(errorOf("problem 1\nthing\n"),
            "line 2: begins with 'thing'; known: device, kernel, variant, region, body, tenant, "
            "entry, input, output, value, task");
  EXPECT_EQ(errorOf("problem 1\n  variant tiles 1\n"),
            "line 2: is a variant before the first kernel");
  EXPECT_EQ(errorOf("problem 1\n  task 1 0 1 \"a\"\n"), "line 2: is 'task' before the first entry");
  EXPECT_EQ(errorOf(changed("granules 4", "granules four")),
            "line 2: has 'four' where a number is wanted");
  EXPECT_EQ(errorOf(changed("granules 4", "cores 4")),
            "line 2: has 'cores' where 'granules' is wanted");
  EXPECT_EQ(errorOf(changed("barrier_ns 200", "barrier_ns 200 1")), "line 2: goes on with '1'");
  EXPECT_EQ(errorOf(changed("barrier_ns 200", "barrier_ns")),
            "line 2: ends where a field is wanted");
  EXPECT_EQ(errorOf(changed("\"k0\" contraction", "\"k0\" convolution")),
            "line 3: has 'convolution'; known: contraction, rows, elementwise, move, attention, "
            "recurrence, opaque");
  EXPECT_EQ(errorOf(changed("\"k0\" contraction", "k0 contraction")),
            "line 3: has no quoted text where one is wanted");
  EXPECT_EQ(errorOf(changed("second line\"", "second line")),
            "line 4: has a text that does not end");
  EXPECT_EQ(errorOf(changed("m,2:", "z,2:")), "line 4: has 'z'; known: mlr");
}

// A text of the right form is still checked as a Problem.
TEST(ProblemText, Checked) {
  EXPECT_EQ(errorOf(changed("granules 4", "granules 65")),
            "device 'host:\"x\\86\"' has 65 granules; wanted 1 to 64");
}

} // namespace
