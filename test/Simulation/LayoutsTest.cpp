//===- LayoutsTest.cpp - which tenants share which part of the device -----===//
#include "mtc/Simulation/Layouts.h"
#include "../Scheduling/ExampleProblems.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

/// A tenant of one task that takes 1 ms on every number of granules, and one of 100 us; SLOs of
/// 3 ms and 250 us.
Problem longAndShort(int32_t granules = 4) {
  Problem problem;
  problem.device = {"test", granules, 1, 0, 0, 0, 0};
  problem.kernels = {kernelOf("long", {1'000'000}), kernelOf("short", {100'000})};
  addChain(problem, "long", {0});
  addChain(problem, "short", {1});
  problem.tenants[0].sloP99Ns = 3'000'000;
  problem.tenants[1].sloP99Ns = 250'000;
  problem.tenants[0].ratePerSecond = problem.tenants[1].ratePerSecond = 300;
  return problem;
}

SoloPlans plansOf(const Problem &problem) {
  std::vector<int32_t> counts;
  for (int32_t g = 1; g <= problem.device.granules; ++g)
    counts.push_back(g);
  StatusOr<SoloPlans> plans = SoloPlans::make(problem, counts, {.searchSteps = 50});
  EXPECT_TRUE(plans.ok()) << plans.status().message();
  return *plans;
}

bool serves(const Problem &problem, const Layout &layout, const OpenLoad &load) {
  StatusOr<OpenOutcome> outcome =
      simulateOpen(problem, plansOf(problem), layout, load.arrivals, {.requests = 2000});
  EXPECT_TRUE(outcome.ok()) << outcome.status().message();
  return outcome.ok() && isServed(problem, *outcome, false);
}

// What stops scaling at one granule of four is not kept behind each other: one partition for all
// misses the short tenant's SLO, the search does not.
TEST(Layouts, SearchSeparates) {
  Problem problem = longAndShort();
  OpenLoad load = openLoadOf(problem);
  EXPECT_FALSE(serves(problem, {{{0b1111, {0, 1}}}, load.services}, load));
  StatusOr<Layout> layout = searchLayout(problem, plansOf(problem), load);
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  EXPECT_TRUE(serves(problem, *layout, load)) << printLayout(problem, *layout);
}

// The search never does worse than gpulet's layout, from which it starts; equal options give equal
// layouts, more steps no worse a score.
TEST(Layouts, NeverWorse) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    Problem problem = randomProblem(seed, {.granules = 8, .tenants = 4});
    for (Tenant &tenant : problem.tenants)
      tenant.ratePerSecond = 40;
    SoloPlans plans = plansOf(problem);
    OpenLoad load = openLoadOf(problem);
    LayoutOptions few{.steps = 20, .requests = 200}, more{.steps = 60, .requests = 200};
    auto scoreOf = [&](const Layout &layout) {
      return *scoreLayout(problem, plans, load, layout, few);
    };
    StatusOr<Layout> a = searchLayout(problem, plans, load, few),
                     b = searchLayout(problem, plans, load, more),
                     c = searchLayout(problem, plans, load, more);
    ASSERT_TRUE(a.ok() && b.ok() && c.ok()) << a.status().message();
    EXPECT_LE(scoreOf(*a), scoreOf(gpuletLayout(problem, plans, load)));
    EXPECT_LE(scoreOf(*b), scoreOf(*a));
    EXPECT_EQ(printLayout(problem, *b), printLayout(problem, *c));
    EXPECT_TRUE(check(problem, *b).ok());
  }
}

// Streams: everybody on the whole device, except who has no rate.
TEST(Layouts, Streams) {
  Problem problem = longAndShort();
  OpenLoad load = openLoadOf(problem);
  EXPECT_EQ(printLayout(problem, streamsLayout(problem, load)),
            "long on granules 0-3, shared; short on granules 0-3, shared");
  load.arrivals[0].ratePerSecond = 0;
  EXPECT_EQ(printLayout(problem, streamsLayout(problem, load)), "short on granules 0-3, shared");
}

// gpulet: two tenants whose knee is one granule get the two parts of a split.
TEST(Layouts, Gpulet) {
  Problem problem = longAndShort(10);
  problem.tenants[0].ratePerSecond = 600;
  problem.tenants[1].ratePerSecond = 6000;
  EXPECT_EQ(printLayout(problem, gpuletLayout(problem, plansOf(problem), openLoadOf(problem))),
            "long on granules 0-1; short on granules 2-9");
}

// Entries whose first extents are a multiple of the first entry's serve as many requests at once.
TEST(Layouts, BatchServices) {
  Problem problem = longAndShort();
  problem.entries[0].inputs[0].shape = problem.entries[0].outputs[0].shape = {2, 25};
  auto add = [&](std::vector<int64_t> in, std::vector<int64_t> out) {
    problem.entries.push_back(problem.entries[0]);
    problem.entries.back().inputs[0].shape = std::move(in);
    problem.entries.back().outputs[0].shape = std::move(out);
  };
  add({8, 25}, {8, 25});
  add({4, 25}, {4, 25});
  add({3, 25}, {3, 25});   // no multiple
  add({4, 50}, {4, 50});   // another extent differs
  add({16, 25}, {12, 25}); // inputs and outputs disagree
  std::vector<Service> services = batchServices(problem);
  ASSERT_EQ(services[0].entries.size(), 3u);
  EXPECT_EQ(services[0].entries[1].entry, 3);
  EXPECT_EQ(services[0].entries[1].requests, 2);
  EXPECT_EQ(services[0].entries[2].entry, 2);
  EXPECT_EQ(services[0].entries[2].requests, 4);
  EXPECT_EQ(services[1].entries.size(), 1u);
}

// The greatest rate of a queue M/D/1 with an SLO of four service times: p99 = 4 at a load of 0.462
// (Erlang 1909).
TEST(Layouts, GreatestLoad) {
  Problem problem = longAndShort(1);
  problem.tenants[0].sloP99Ns = 4'000'000;
  problem.tenants[0].ratePerSecond = 1000;
  problem.tenants[1].ratePerSecond = 0;
  OpenLoad load = openLoadOf(problem);
  auto whole = [&](const OpenLoad &) -> StatusOr<Layout> {
    Layout layout{{{0b1, {0}}}, load.services};
    layout.services[1].entries.clear();
    return layout;
  };
  GreatestLoadOptions options;
  options.simulation.requests = 50'000;
  StatusOr<GreatestLoad> greatest = greatestLoad(problem, plansOf(problem), load, whole, options);
  ASSERT_TRUE(greatest.ok()) << greatest.status().message();
  EXPECT_NEAR(greatest->factor, 0.462, 0.02);
  options.tenant = 1; // a tenant without requests changes nothing: too much stays too much
  EXPECT_EQ(greatestLoad(problem, plansOf(problem), load, whole, options)->factor, 0);
}

} // namespace
