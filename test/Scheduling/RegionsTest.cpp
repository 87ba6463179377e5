//===- RegionsTest.cpp - memory and proof of control flow -----------------===//
#include "mtc/Scheduling/Regions.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Scheduling/ProblemText.h"

#include <gtest/gtest.h>

using namespace mtc;

namespace {

const auto R = Access::Read, W = Access::Write;

Kernel kernel(const char *name, std::vector<Access> operands, int64_t ns = 100) {
  Kernel k;
  k.name = name;
  k.operands = std::move(operands);
  Variant variant;
  variant.phaseTiles = {1};
  variant.times = {{1, ns, TimeOrigin::Modelled}};
  k.variants = {variant};
  return k;
}

/// A loop that carries 100 bytes, scans and stacks three elements of 8: its body copies the
/// condition, moves its state through two intermediate values of 100 bytes and one of 8.
Problem example() {
  Problem problem;
  problem.device = {"host", 2, 1, 1, 1, 0, 10};
  problem.tenants = {{"t", 0, 0, 0, "guarded"}};
  problem.kernels = {kernel("copy", {R, W}), kernel("join", {R, R, W}, 300)};

  Body body;
  body.graph.name = "body";
  body.graph.inputs = {{"i", "i64", {}, 8},
                       {"c", "bool", {}, 1},
                       {"s", "f32", {25}, 100},
                       {"x", "f32", {2}, 8},
                       {"w", "f32", {4}, 16}};
  body.graph.outputs = {{"more", "bool", {}, 1}, {"t", "f32", {25}, 100}, {"y", "f32", {2}, 8}};
  auto K = [](ValueKind kind, int64_t bytes, int32_t index = -1) {
    return Value{kind, bytes, index};
  };
  using enum ValueKind;
  body.graph.values = {K(Input, 8, 0),       K(Input, 1, 1),    K(Input, 100, 2),
                       K(Input, 8, 3),       K(Input, 16, 4),   K(Output, 1, 0),
                       K(Output, 100, 1),    K(Output, 8, 2),   K(Intermediate, 100),
                       K(Intermediate, 100), K(Intermediate, 8)};
  body.graph.tasks = {{0, "more", 0, {1, 5}}, {1, "a", 0, {2, 8}},     {2, "b", 1, {8, 4, 9}},
                      {3, "c", 0, {3, 10}},   {4, "d", 1, {9, 10, 6}}, {5, "e", 0, {10, 7}}};
  layoutBody(problem, body);
  problem.bodies = {body};

  Kernel loop = kernel("loop", {R, R, R, R, R, W, W, W});
  loop.region = Region{RegionKind::Loop, {0}, 1, 1, 3, 1000};
  problem.kernels.push_back(loop);

  Entry entry;
  entry.name = "n1";
  entry.inputs = {{"n", "i64", {}, 8},
                  {"c", "bool", {}, 1},
                  {"s", "f32", {25}, 100},
                  {"x", "f32", {3, 2}, 24},
                  {"w", "f32", {4}, 16}};
  entry.outputs = {{"t", "f32", {25}, 100}, {"y", "f32", {3, 2}, 24}};
  entry.values = {K(Input, 8, 0),   K(Input, 1, 1),
                  K(Input, 100, 2), K(Input, 24, 3),
                  K(Input, 16, 4),  K(Output, 100, 0),
                  K(Output, 24, 1), K(Intermediate, layoutOf(problem, *loop.region).bytes)};
  entry.tasks = {{0, "loop", 2, {0, 1, 2, 3, 4, 5, 6, 7}}};
  problem.entries = {entry};
  return problem;
}

std::string problemOf(const Problem &problem) {
  Status status = check(problem);
  return status.ok() ? "" : status.message();
}

// The example is right; values of a body share memory only after their last use.
TEST(Regions, Layout) {
  Problem problem = example();
  EXPECT_EQ(problemOf(problem), "");
  const Body &body = problem.bodies[0];
  EXPECT_EQ(body.offsets[0], -1);
  EXPECT_NE(body.offsets[8], body.offsets[9]);  // b reads one and writes the other
  EXPECT_EQ(body.offsets[10], body.offsets[8]); // c writes after b has read
  EXPECT_EQ(body.workspaceBytes, 128 + 128);
  RegionLayout layout = layoutOf(problem, *problem.kernels[2].region);
  EXPECT_EQ(layout.state.size(), 2u);
  EXPECT_EQ(layout.scannedElement.size(), 1u);
  EXPECT_EQ(layout.stackedElement.size(), 1u);
  // trip, condition twice, state twice, two elements, the body's own
  EXPECT_EQ(layout.bytes, 64 + 2 * 64 + 2 * 128 + 2 * 64 + body.workspaceBytes);
}

// The text form has all of it.
TEST(Regions, Text) {
  const std::string text = printProblem(example());
  StatusOr<Problem> parsed = parseProblem(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(printProblem(*parsed), text);
  EXPECT_EQ(parsed->bodies[0].offsets, example().bodies[0].offsets);
  EXPECT_EQ(parsed->kernels[2].region->maxTrips, 1000);
  EXPECT_EQ(parsed->kernels[2].region->length, 3);
}

// To policies a region is a task like any other, as long as its body so many times.
TEST(Regions, Time) {
  Problem problem = example();
  const Region &region = *problem.kernels[2].region;
  EXPECT_EQ(regionNs(problem, region, 7, 1), 7 * (4 * 100 + 2 * 300 + 6 * 10));
  EXPECT_EQ(regionNs(problem, region, 0, 1), regionNs(problem, region, 1, 1));
  EXPECT_EQ(regionNs(problem, region, INT64_MAX, 1), int64_t(86400) * 1000000000);
  for (const Policy &policy : policies())
    EXPECT_TRUE(runPolicy(policy.name, problem, soloWorkload(problem, 0, 2)).ok()) << policy.name;
  // A GPU waits for the host in each iteration.
  const int64_t onHost = regionNs(problem, region, 7, 1);
  problem.device.target = "cuda:sm_90a,units=132";
  EXPECT_EQ(regionNs(problem, region, 7, 1), onHost + 7 * 20'000);
}

// Whatever contradicts the bodies is refused, so that the runtime need not look again.
TEST(Regions, Errors) {
  auto wrong = [](auto change) {
    Problem problem = example();
    change(problem);
    return problemOf(problem);
  };
  EXPECT_EQ(wrong([](Problem &p) { p.bodies[0].offsets[9] = p.bodies[0].offsets[8] + 64; }),
            "body 'body' has values 8 and 9 at 64 while both are in use");
  EXPECT_EQ(wrong([](Problem &p) { p.bodies[0].offsets[10] = 300; }),
            "body 'body' has value 10 of 8 bytes at 300 of 256; wanted it inside, at a multiple of "
            "64");
  EXPECT_EQ(
      wrong([](Problem &p) { p.bodies[0].workspaceBytes = 128; }),
      "body 'body' has value 9 of 100 bytes at 128 of 128; wanted it inside, at a multiple of "
      "64");
  EXPECT_EQ(wrong([](Problem &p) { p.bodies[0].offsets.pop_back(); }),
            "body 'body' has 10 offsets for 11 values in 256 bytes");
  EXPECT_EQ(wrong([](Problem &p) { p.bodies[0].graph.tasks[0].kernel = 2; }),
            "body 'body' task 0 (more) has 2 operands, its kernel 'loop' has 8");
  EXPECT_EQ(wrong([](Problem &p) {
              p.kernels.push_back(kernel("inner", {R, R, W, W}));
              p.kernels.back().region = Region{RegionKind::If, {0, 0}, 0, 0, 0, 1};
              p.bodies[0].graph.tasks[0] = {0, "more", 3, {1, 1, 5, 10}};
              p.bodies[0].graph.tasks.erase(p.bodies[0].graph.tasks.begin() + 3);
            }),
            "body 'body' has a region of body 0, which is not before it");
  EXPECT_EQ(wrong([](Problem &p) { p.kernels[2].region->bodies = {1}; }),
            "region 'loop' has body 1 of 1");
  EXPECT_EQ(wrong([](Problem &p) { p.kernels[2].region->bodies = {0, 0}; }),
            "region 'loop' has 2 bodies");
  EXPECT_EQ(wrong([](Problem &p) { p.kernels[2].region->carried = 5; }),
            "region 'loop' carries 5 and scans 1 values of length 3, its body has 5 inputs and 3 "
            "outputs");
  EXPECT_EQ(wrong([](Problem &p) { p.kernels[2].region->maxTrips = 0; }),
            "region 'loop' allows 0 iterations");
  EXPECT_EQ(wrong([](Problem &p) { p.kernels[2].region->length = 4; }),
            "t.n1: task 0 (loop) has 24 bytes as operand 3 of region 'loop', which wants 32");
  EXPECT_EQ(wrong([](Problem &p) { p.kernels[2].region->length = INT64_MAX; }),
            "t.n1: task 0 (loop) has 24 bytes as operand 3 of region 'loop', which wants -1");
  EXPECT_EQ(wrong([](Problem &p) { p.entries[0].values[7].bytes -= 64; }),
            "t.n1: task 0 (loop) has 768 bytes as operand 7 of region 'loop', which wants 832");
  EXPECT_EQ(wrong([](Problem &p) { p.kernels[2].operands[4] = W; }),
            "region 'loop' does not read operand 4");
  EXPECT_EQ(wrong([](Problem &p) {
              p.kernels[2].region->kind = RegionKind::If;
              p.kernels[2].region->bodies = {0, 0};
            }),
            "region 'loop' has 8 operands, its bodies want 10");
}

} // namespace
