//===- VerdictTest.cpp - does the set fit the device? ---------------------===//
#include "mtc/Simulation/Verdict.h"
#include "../Scheduling/ExampleProblems.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

/// det takes 10 ms on one granule and 5 ms on two, rec 2 ms and 1 ms.
Problem detAndRec() {
  Problem problem;
  problem.device = {"test", 2, 1, 0, 0, 0, 0};
  problem.kernels = {kernelOf("d", {10'000'000, 5'000'000}), kernelOf("r", {2'000'000, 1'000'000})};
  addChain(problem, "det", {0});
  addChain(problem, "rec", {1});
  problem.tenants[0].ratePerSecond = 20;
  problem.tenants[0].sloP99Ns = 60'000'000;
  problem.tenants[1].ratePerSecond = 50;
  return problem;
}

void setOrigin(Problem &problem, TimeOrigin origin) {
  for (Kernel &kernel : problem.kernels)
    for (Variant &variant : kernel.variants)
      for (ShareTime &time : variant.times)
        time.origin = origin;
}

StatusOr<Verdict> judge(const Problem &problem, VerdictOptions options = {.layoutSteps = 40}) {
  StatusOr<SoloPlans> plans = SoloPlans::make(problem, {1, 2}, {.searchSteps = 20});
  EXPECT_TRUE(plans.ok()) << plans.status().message();
  return judgeLoad(problem, *plans, options);
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

// A light load fits: every tenant has at least 10,000 requests and an interval around its p99.
TEST(Verdict, Fits) {
  StatusOr<Verdict> verdict = judge(detAndRec());
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  EXPECT_TRUE(verdict->fits) << printVerdict(*verdict);
  EXPECT_EQ(verdict->binding, 0); // rec has no SLO
  EXPECT_EQ(verdict->tenants[0].aloneNs, 5'000'000);
  for (const TenantVerdict &tenant : verdict->tenants) {
    EXPECT_GE(tenant.load.requests, 10'000);
    EXPECT_LE(tenant.load.p99LowNs, tenant.load.p99Ns);
    EXPECT_GE(tenant.load.p99HighNs, tenant.load.p99Ns);
    EXPECT_GE(tenant.load.p99Ns, tenant.load.p50Ns);
  }
  EXPECT_TRUE(contains(printVerdict(*verdict), "the set fits"));
  EXPECT_EQ(missesOf(*verdict), "");
}

// Headroom: rates can grow until the SLO is missed, and what is said to fit does fit.
TEST(Verdict, Headroom) {
  Problem problem = detAndRec();
  StatusOr<Verdict> verdict = judge(problem, {.layoutSteps = 40, .headroom = true});
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  ASSERT_EQ(verdict->advice.size(), 1u) << printVerdict(*verdict);
  double factor = 0;
  ASSERT_EQ(sscanf(verdict->advice[0].c_str(), "all rates times %lf", &factor), 1);
  EXPECT_GT(factor, 1.5);
  for (auto [times, fits] : {std::pair(0.9 * factor, true), {1.5 * factor, false}}) {
    Problem more = problem;
    for (Tenant &tenant : more.tenants)
      tenant.ratePerSecond *= times;
    StatusOr<Verdict> again = judge(more);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->fits, fits) << printVerdict(*again);
  }
}

// An SLO that is missed names the tenant, by how much, and what would fit. Modelled times prove
// nothing; measured ones make it an error with exit code 4.
TEST(Verdict, Misses) {
  Problem problem = detAndRec();
  problem.tenants[0].sloP99Ns = 6'000'000;
  StatusOr<Verdict> verdict = judge(problem);
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  EXPECT_FALSE(verdict->fits);
  EXPECT_EQ(verdict->binding, 0);
  EXPECT_GT(verdict->tenants[0].used(), 1);
  std::string misses = missesOf(*verdict);
  EXPECT_TRUE(contains(misses, "tenant 'det' has a p99 of up to ")) << misses;
  EXPECT_TRUE(contains(misses, " % over its p99 SLO of 6 ms")) << misses;
  EXPECT_TRUE(contains(misses, "all rates times 0.")) << misses;
  EXPECT_TRUE(contains(misses, "'det' at ")) << misses;
  EXPECT_TRUE(contains(misses, "a p99 SLO of ")) << misses;
  EXPECT_FALSE(verdict->isCalibrated);
  EXPECT_TRUE(requireFit(*verdict).ok());
  for (TimeOrigin origin : {TimeOrigin::Measured, TimeOrigin::Learned}) {
    setOrigin(problem, origin);
    verdict = judge(problem, {.requests = 1000, .layoutSteps = 16});
    EXPECT_TRUE(verdict->isCalibrated);
    EXPECT_EQ(requireFit(*verdict).exitCode(), 4);
  }
}

// A tenant that no share serves, for its SLO or its rate, and rates that are too much in all, are
// said with numbers.
TEST(Verdict, Impossible) {
  Problem problem = detAndRec();
  problem.tenants[0].sloP99Ns = 4'000'000;
  StatusOr<Verdict> verdict = judge(problem);
  ASSERT_TRUE(verdict.ok());
  ASSERT_EQ(verdict->impossible.size(), 1u);
  EXPECT_EQ(verdict->impossible[0],
            "tenant 'det' fits no share of the 2 granules: it asks for 20/s within 4 ms, but on 1 "
            "it takes 10 ms and serves at most 200/s, on 2 it takes 5 ms and serves at most 200/s");
  EXPECT_FALSE(verdict->fits);

  problem = detAndRec();
  problem.tenants[0].ratePerSecond = 100;
  problem.tenants[1].ratePerSecond = 1500;
  verdict = judge(problem, {.requests = 1000, .layoutSteps = 16});
  ASSERT_TRUE(verdict.ok());
  ASSERT_EQ(verdict->impossible.size(), 2u);
  EXPECT_EQ(verdict->impossible[0],
            "tenant 'rec' fits no share of the 2 granules: it asks for 1500/s, but on 1 it takes 2 "
            "ms and serves at most 1000/s, on 2 it takes 1 ms and serves at most 1000/s");
  EXPECT_EQ(verdict->impossible[1], "the rates keep 4 granules busy, the device has 2");
  EXPECT_FALSE(verdict->fits);
}

// Without rates an SLO is compared with the time alone.
TEST(Verdict, WithoutRates) {
  Problem problem = detAndRec();
  problem.tenants[0].ratePerSecond = problem.tenants[1].ratePerSecond = 0;
  StatusOr<Verdict> verdict = judge(problem);
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  EXPECT_TRUE(verdict->fits);
  problem.tenants[0].sloP99Ns = 4'000'000;
  EXPECT_EQ(missesOf(*judge(problem)),
            "tenant 'det' takes, even alone, 5 ms, 25.0 % over its p99 SLO of 4 ms");
}

TEST(Verdict, Errors) {
  Problem problem = detAndRec();
  EXPECT_EQ(judge(problem, {.layout = "best"}).status().message(),
            "unknown layout 'best'; known: joint, gpulet, streams");
  problem.tenants[0] = {"det", 0, 0, 0, "", {}};
  problem.tenants[1] = {"rec", 0, 0, 0, "", {}};
  EXPECT_EQ(judge(problem).status().message(),
            "no tenant has a rate or an SLO, so there is nothing to judge");
}

// What-if changes what it names and nothing else.
TEST(WhatIf, Changes) {
  Problem problem = detAndRec();
  for (const char *change : {"det.rate=x2", "det.slo=40ms", "rec.rate=120/min", "rec.priority=-3",
                             "rec.arrivals=bursty"})
    EXPECT_TRUE(applyWhatIf(problem, change).ok()) << change;
  EXPECT_EQ(problem.tenants[0].ratePerSecond, 40);
  EXPECT_EQ(problem.tenants[0].sloP99Ns, 40'000'000);
  EXPECT_EQ(problem.tenants[0].priority, 0);
  EXPECT_EQ(problem.tenants[1].ratePerSecond, 2);
  EXPECT_EQ(problem.tenants[1].priority, -3);
  EXPECT_EQ(problem.tenants[1].arrivals, ArrivalKind::Bursty);
  EXPECT_TRUE(applyWhatIf(problem, "rate=x0.5").ok());
  EXPECT_EQ(problem.tenants[0].ratePerSecond, 20);
  EXPECT_EQ(problem.tenants[1].ratePerSecond, 1);
  EXPECT_TRUE(applyWhatIf(problem, "slo=x2").ok()); // rec has none, and keeps none
  EXPECT_EQ(problem.tenants[0].sloP99Ns, 80'000'000);
  EXPECT_EQ(problem.tenants[1].sloP99Ns, 0);
}

TEST(WhatIf, Errors) {
  auto errorOf = [](const char *change) {
    Problem problem = detAndRec();
    return applyWhatIf(problem, change).message();
  };
  EXPECT_EQ(errorOf("det.rate"), "'det.rate' is not [TENANT.]KEY=VALUE, e.g. det.rate=x2");
  EXPECT_EQ(errorOf("cls.rate=x2"), "'cls.rate=x2': unknown tenant 'cls'; known: det, rec");
  EXPECT_EQ(errorOf("det.speed=x2"),
            "'det.speed=x2': unknown key 'speed'; known: rate, slo, priority, arrivals");
  EXPECT_EQ(errorOf("det.rate=x0"),
            "'det.rate=x0': factor 'x0' is not 'x' and a number above 0, e.g. x2");
  EXPECT_EQ(errorOf("det.rate=0/s"),
            "'det.rate=0/s': rate '0/s' is not a positive number with a unit, e.g. 10/s");
  EXPECT_EQ(errorOf("rec.slo=x2"), "'rec.slo=x2': tenant 'rec' has no SLO to multiply; wanted "
                                   "e.g. 40ms");
  EXPECT_EQ(errorOf("det.priority=high"),
            "'det.priority=high': priority 'high' is not a whole number");
  EXPECT_EQ(errorOf("det.arrivals=often"),
            "'det.arrivals=often': unknown arrivals 'often'; known: poisson, periodic, bursty");
}

} // namespace
