//===- LoadDriverTest.cpp - an open load on a device with a fake clock ----===//
#include "mtc/Simulation/LoadDriver.h"
#include "../Scheduling/ExampleProblems.h"

#include <cmath>

using namespace mtc;
using namespace mtc::test;

namespace {

constexpr int64_t kServiceNs = 1'000'000;

/// Tenants of one task of 1 ms, and a granule for each.
Problem oneTask(int tenants) {
  Problem problem;
  problem.device = {"test", tenants, 1, 0, 0, 0, 0};
  problem.kernels = {kernelOf("k", {kServiceNs})};
  for (int t = 0; t < tenants; ++t)
    addChain(problem, "t" + std::to_string(t), {0});
  return problem;
}

Layout onePartition(const Problem &problem) { return {{{0b1, {0}}}, singleServices(problem)}; }

LoadDriver driverOf(const Problem &problem, const Layout &layout,
                    const std::vector<Arrivals> &arrivals, const OpenLoadOptions &options) {
  StatusOr<LoadDriver> driver = LoadDriver::make(problem, layout, arrivals, options);
  EXPECT_TRUE(driver.ok()) << driver.status().message();
  return *driver;
}

/// Serves until `untilNs` on a device where a job takes 1 ms and whose clock is read every `tickNs`
/// (0: whenever something can happen).
OpenOutcome serve(LoadDriver &driver, int64_t tickNs = 0, int64_t untilNs = INT64_MAX) {
  int64_t nowNs = 0;
  std::vector<int64_t> endNs(driver.layout().partitions.size(), INT64_MAX);
  while (true) {
    for (size_t p = 0; p < endNs.size(); ++p)
      if (endNs[p] <= nowNs) {
        driver.finish(int32_t(p), endNs[p]);
        endNs[p] = INT64_MAX;
      }
    while (std::optional<PartitionJob> job = driver.next(nowNs))
      endNs[size_t(job->partition)] = nowNs + kServiceNs;
    if (driver.isOver() || nowNs >= untilNs)
      break;
    nowNs = tickNs > 0 ? nowNs + tickNs
                       : std::min(driver.wakeNs(), *std::min_element(endNs.begin(), endNs.end()));
  }
  driver.abandon(nowNs);
  return driver.outcome(nowNs);
}

// On a device as fast as the model says, the driver counts what the simulator counts.
TEST(LoadDriver, CountsAsTheSimulator) {
  Problem problem = oneTask(2);
  Layout layout{{{0b01, {0}}, {0b10, {0, 1}}}, singleServices(problem)};
  std::vector<Arrivals> arrivals = {{ArrivalKind::Poisson, 900}, {ArrivalKind::Bursty, 300}};
  problem.tenants[1].sloP99Ns = 4'000'000;
  OpenLoadOptions options{.requests = 3000, .seed = 5};
  LoadDriver driver = driverOf(problem, layout, arrivals, options);
  OpenOutcome run = serve(driver);
  StatusOr<SoloPlans> plans = SoloPlans::make(problem, {1});
  ASSERT_TRUE(plans.ok());
  StatusOr<OpenOutcome> simulated = simulateOpen(problem, *plans, layout, arrivals, options);
  ASSERT_TRUE(simulated.ok()) << simulated.status().message();
  EXPECT_EQ(run.endNs, simulated->endNs);
  for (size_t t = 0; t < 2; ++t) {
    const TenantLoad &a = run.tenants[t], &b = simulated->tenants[t];
    EXPECT_EQ(a.requests, b.requests);
    EXPECT_EQ(a.p50Ns, b.p50Ns);
    EXPECT_EQ(a.p90Ns, b.p90Ns);
    EXPECT_EQ(a.p99Ns, b.p99Ns);
    EXPECT_EQ(a.p99HighNs, b.p99HighNs);
    EXPECT_DOUBLE_EQ(a.missed, b.missed);
    EXPECT_DOUBLE_EQ(a.utilisation, b.utilisation);
  }
  EXPECT_GT(run.tenants[1].missed, 0);
}

// A device that hears of requests late is charged for it: latencies count from arrival.
TEST(LoadDriver, LatenciesCountFromArrival) {
  Problem problem = oneTask(1);
  OpenLoadOptions options;
  options.horizonNs = 1'000'000'000;
  const std::vector<Arrivals> arrivals = {{ArrivalKind::Periodic, 10}};
  LoadDriver prompt = driverOf(problem, onePartition(problem), arrivals, options);
  LoadDriver late = driverOf(problem, onePartition(problem), arrivals, options);
  EXPECT_EQ(serve(prompt).tenants[0].p99Ns, kServiceNs);
  const TenantLoad load = serve(late, 70'000'000).tenants[0];
  EXPECT_GT(load.p50Ns, 5'000'000);
  EXPECT_GT(load.p99Ns, 40'000'000);
  EXPECT_LE(load.p99Ns, 70'000'000 + kServiceNs);
}

// A run that is cut short counts who still waits, with the time waited, as unserved.
TEST(LoadDriver, AbandonedRequestsCount) {
  Problem problem = oneTask(1);
  problem.tenants[0].sloP99Ns = 2'000'000;
  OpenLoadOptions options;
  options.horizonNs = 1'000'000'000;
  LoadDriver driver =
      driverOf(problem, onePartition(problem), {{ArrivalKind::Periodic, 1500}}, options);
  EXPECT_EQ(driver.expected(), 1500);
  const OpenOutcome run = serve(driver, 0, 1'000'000'000);
  EXPECT_NEAR(double(run.tenants[0].unserved), 500, 3);
  EXPECT_NEAR(run.tenants[0].servedPerSecond, 1000, 3);
  EXPECT_GT(run.tenants[0].missed, 0.9);
  EXPECT_NEAR(double(run.tenants[0].p99Ns), 333e6, 10e6); // the last served wait a third
  EXPECT_NEAR(run.heldGranules, 1, 0.01);
  EXPECT_FALSE(driver.isOver());
}

// Bins hold every request, ascend, and are a quarter of a doubling wide.
TEST(LoadDriver, Histogram) {
  std::vector<RequestLatency> latencies;
  for (int64_t i = 0; i < 2100; ++i)
    latencies.push_back({i * 1000, 1 + i * i});
  const TenantLoad load = summarizeLoad(latencies, 2100 * 1000, 0);
  EXPECT_EQ(load.requests, 1999); // without the first of 21 parts, that is 101 of 2100
  int64_t sum = 0, previous = 0;
  for (const LatencyBin &bin : load.histogram) {
    EXPECT_GE(bin.fromNs, previous);
    EXPECT_GT(bin.requests, 0);
    EXPECT_NEAR(double(bin.toNs) / double(bin.fromNs), std::exp2(0.25), 0.02);
    previous = bin.toNs;
    sum += bin.requests;
  }
  EXPECT_EQ(sum, load.requests);
  EXPECT_LE(load.p50Ns, load.p90Ns);
  EXPECT_LE(load.p90Ns, load.p99Ns);
  EXPECT_LT(load.p99Ns, load.histogram.back().toNs);
  EXPECT_TRUE(summarizeLoad({}, 1000, 5).histogram.empty());
}

// Wrong input is said with numbers.
TEST(LoadDriver, Errors) {
  Problem problem = oneTask(1);
  Layout layout = onePartition(problem);
  auto errorOf = [&](const std::vector<Arrivals> &arrivals) {
    return LoadDriver::make(problem, layout, arrivals).status().message();
  };
  EXPECT_EQ(errorOf({{}}), "no tenant has a rate");
  EXPECT_EQ(errorOf({{}, {}}), "arrivals of 2 tenants are given for 1");
  EXPECT_EQ(errorOf({{ArrivalKind::Poisson, -1}}),
            "tenant 't0' has a rate of -1/s; wanted 0 or more");
  layout.partitions[0].granules = 0b10;
  EXPECT_EQ(errorOf({{ArrivalKind::Poisson, 1}}),
            "partition 0 has granules 0x2; the device has 0x1");
}

} // namespace
