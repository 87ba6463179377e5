//===- OpenLoadTest.cpp - latencies under arrivals ------------------------===//
#include "mtc/Simulation/OpenLoad.h"
#include "../Scheduling/ExampleProblems.h"

#include <chrono>
#include <cmath>
#include <set>

using namespace mtc;
using namespace mtc::test;

namespace {

/// Tenants of one task of 1 ms on a granule, 0.5 ms on two.
Problem oneTask(int tenants, int32_t granules = 2) {
  Problem problem;
  problem.device = {"test", granules, 1, 0, 0, 0, 0};
  problem.kernels = {kernelOf("k", {1'000'000, 500'000})};
  for (int t = 0; t < tenants; ++t)
    addChain(problem, "t" + std::to_string(t), {0});
  return problem;
}

SoloPlans plansOf(const Problem &problem) {
  std::vector<int32_t> counts;
  for (int32_t g = 1; g <= problem.device.granules; ++g)
    counts.push_back(g);
  StatusOr<SoloPlans> plans = SoloPlans::make(problem, counts);
  EXPECT_TRUE(plans.ok()) << plans.status().message();
  return *plans;
}

Layout layoutOf(const Problem &problem, std::vector<Partition> partitions) {
  return {std::move(partitions), singleServices(problem)};
}

OpenOutcome outcomeOf(const Problem &problem, const Layout &layout,
                      const std::vector<Arrivals> &arrivals, OpenLoadOptions options = {}) {
  StatusOr<OpenOutcome> outcome =
      simulateOpen(problem, plansOf(problem), layout, arrivals, options);
  EXPECT_TRUE(outcome.ok()) << outcome.status().message();
  return outcome.ok() ? *outcome : OpenOutcome();
}

// Rates and burst sizes are what was asked for; periodic gaps are all equal.
TEST(Arrivals, Rates) {
  constexpr int64_t second = 1'000'000'000;
  std::vector<int64_t> poisson = arrivalTimes({ArrivalKind::Poisson, 1000}, 100 * second, 1);
  EXPECT_NEAR(double(poisson.size()), 1e5, 1500);
  std::vector<int64_t> bursty = arrivalTimes({ArrivalKind::Bursty, 1000, 10}, 100 * second, 1);
  EXPECT_NEAR(double(bursty.size()), 1e5, 8000);
  size_t groups = 1;
  for (size_t i = 1; i < bursty.size(); ++i)
    groups += bursty[i] != bursty[i - 1];
  EXPECT_NEAR(double(bursty.size()) / double(groups), 10, 0.5);
  std::vector<int64_t> periodic = arrivalTimes({ArrivalKind::Periodic, 1000}, second, 1);
  EXPECT_EQ(periodic.size(), 1000u);
  for (size_t i = 1; i < periodic.size(); ++i)
    EXPECT_NEAR(double(periodic[i] - periodic[i - 1]), 1e6, 1);
  EXPECT_EQ(poisson, arrivalTimes({ArrivalKind::Poisson, 1000}, 100 * second, 1));
  EXPECT_NE(poisson, arrivalTimes({ArrivalKind::Poisson, 1000}, 100 * second, 2));
  EXPECT_TRUE(arrivalTimes({ArrivalKind::Poisson, 0}, second, 1).empty());
}

// Streams of neighbouring seeds - a run's tenants - have no gap in common.
TEST(Arrivals, Independent) {
  auto gaps = [](uint64_t seed) {
    std::vector<int64_t> times = arrivalTimes({ArrivalKind::Poisson, 1000}, 1'000'000'000, seed);
    std::set<int64_t> gaps;
    for (size_t i = 1; i < times.size(); ++i)
      gaps.insert(times[i] - times[i - 1]);
    return gaps;
  };
  std::set<int64_t> one = gaps(1001), two = gaps(1002), both;
  std::set_intersection(one.begin(), one.end(), two.begin(), two.end(),
                        std::inserter(both, both.end()));
  EXPECT_LT(both.size(), one.size() / 10);
}

/// P(wait <= t) of M/D/1 (Erlang 1909), times in units of the service time.
double waitCdf(double rho, double t) {
  double sum = 0, factorial = 1;
  for (int k = 0; k <= static_cast<int>(t); ++k) {
    factorial *= k > 0 ? k : 1;
    sum += std::pow(rho * (k - t), k) / factorial * std::exp(-rho * (k - t));
  }
  return (1 - rho) * sum;
}

// One tenant, constant service, Poisson arrivals: the queue M/D/1, whose quantiles are known.
TEST(OpenLoad, KnownQueue) {
  Problem problem = oneTask(1, 1);
  for (double rho : {0.4, 0.7}) {
    OpenLoadOptions options;
    options.requests = 100'000;
    OpenOutcome outcome = outcomeOf(problem, layoutOf(problem, {{0b1, {0}}}),
                                    {{ArrivalKind::Poisson, rho * 1000}}, options);
    double t99 = 0;
    while (waitCdf(rho, t99) < 0.99)
      t99 += 0.001;
    double wanted = (1 + t99) * 1e6;
    const TenantLoad &load = outcome.tenants[0];
    EXPECT_NEAR(double(load.p99Ns), wanted, 0.05 * wanted) << rho;
    EXPECT_LE(load.p99LowNs, load.p99Ns);
    EXPECT_GE(double(load.p99HighNs), 0.97 * wanted);
    EXPECT_NEAR(outcome.heldGranules, rho, 0.02);
    EXPECT_GE(load.requests, 100'000);
    if (rho < 0.5)
      EXPECT_EQ(load.p50Ns, 1'000'000); // most do not wait
  }
}

// Two granules: one partition of both serves twice as fast; a replica each serves two at once.
TEST(OpenLoad, PartitionsAndReplicas) {
  Problem problem = oneTask(2);
  std::vector<Arrivals> slow(2, {ArrivalKind::Periodic, 10});
  EXPECT_EQ(outcomeOf(problem, layoutOf(problem, {{0b11, {0, 1}}}), slow).tenants[0].p50Ns,
            500'000);
  EXPECT_EQ(
      outcomeOf(problem, layoutOf(problem, {{0b01, {0}}, {0b10, {1}}}), slow).tenants[0].p99Ns,
      1'000'000);
  // 1.6 requests per service time: too much for a granule, not for two.
  std::vector<Arrivals> fast = {{ArrivalKind::Poisson, 1600}, {ArrivalKind::Poisson, 0}};
  EXPECT_TRUE(outcomeOf(problem, layoutOf(problem, {{0b01, {0}}, {0b10, {1}}}), fast).gaveUp);
  EXPECT_FALSE(outcomeOf(problem, layoutOf(problem, {{0b01, {0}}, {0b10, {0, 1}}}), fast).gaveUp);
}

// Streams on a shared device: two that want both granules run at half speed side by side.
TEST(OpenLoad, SharedPartitions) {
  Problem problem = oneTask(2);
  std::vector<Arrivals> together(2, {ArrivalKind::Bursty, 10, 1});
  OpenOutcome outcome =
      outcomeOf(problem, layoutOf(problem, {{0b11, {0}, true}, {0b11, {1}, true}}), together);
  EXPECT_EQ(outcome.tenants[0].p50Ns, 500'000);
  EXPECT_GT(outcome.tenants[0].p99Ns, 500'000);
  EXPECT_LE(outcome.tenants[0].p99Ns, 2'000'000);
}

// An entry that serves four at once carries a rate that one by one is too much.
TEST(OpenLoad, Batches) {
  Problem problem = oneTask(1, 1);
  problem.entries.push_back(problem.entries[0]);
  problem.entries.back().name = "n4";
  Layout layout{{{0b1, {0}}}, {{{{0, 1}, {1, 4}}, 1'000'000}}};
  std::vector<Arrivals> fast = {{ArrivalKind::Poisson, 2500}};
  EXPECT_FALSE(outcomeOf(problem, layout, fast).gaveUp);
  EXPECT_TRUE(outcomeOf(problem, layoutOf(problem, {{0b1, {0}}}), fast).gaveUp);
}

// Misses count against the tenant's SLO; a run that must miss too many stops.
TEST(OpenLoad, Slos) {
  Problem problem = oneTask(1, 1);
  problem.tenants[0].sloP99Ns = 1'000'000;
  std::vector<Arrivals> arrivals = {{ArrivalKind::Poisson, 300}};
  OpenOutcome outcome = outcomeOf(problem, layoutOf(problem, {{0b1, {0}}}), arrivals);
  EXPECT_NEAR(outcome.tenants[0].missed, 0.3, 0.02); // who finds the granule busy
  OpenLoadOptions options;
  options.giveUpAbove = 0.01;
  EXPECT_TRUE(outcomeOf(problem, layoutOf(problem, {{0b1, {0}}}), arrivals, options).gaveUp);
}

// Jobs as single tasks give nearly the latencies that tasks give, when little is shared.
TEST(OpenLoad, JobsInsteadOfTasks) {
  Problem problem = randomProblem(4, {.granules = 4, .tenants = 3});
  std::vector<Arrivals> arrivals(3, {ArrivalKind::Poisson, 20});
  Layout layout = layoutOf(problem, {{0b0011, {0, 1}}, {0b1100, {2}}});
  OpenLoadOptions options;
  options.requests = 2000;
  OpenOutcome tasks = outcomeOf(problem, layout, arrivals, options);
  options.tasks = false;
  OpenOutcome jobs = outcomeOf(problem, layout, arrivals, options);
  for (size_t t = 0; t < 3; ++t) {
    EXPECT_EQ(tasks.tenants[t].requests, jobs.tenants[t].requests);
    EXPECT_NEAR(double(tasks.tenants[t].p99Ns), double(jobs.tenants[t].p99Ns),
                0.01 * double(jobs.tenants[t].p99Ns));
  }
}

// Equal seeds give equal results (rule R4), another seed others.
TEST(OpenLoad, Deterministic) {
  Problem problem = oneTask(2);
  Layout layout = layoutOf(problem, {{0b11, {0, 1}}});
  std::vector<Arrivals> arrivals(2, {ArrivalKind::Poisson, 700});
  OpenLoadOptions options;
  options.requests = 1000;
  OpenOutcome a = outcomeOf(problem, layout, arrivals, options),
              b = outcomeOf(problem, layout, arrivals, options);
  options.seed = 2;
  OpenOutcome c = outcomeOf(problem, layout, arrivals, options);
  EXPECT_EQ(a.tenants[1].p99Ns, b.tenants[1].p99Ns);
  EXPECT_NE(a.tenants[1].p99Ns, c.tenants[1].p99Ns);
}

// Wrong input is said with numbers.
TEST(OpenLoad, Errors) {
  Problem problem = oneTask(2);
  Layout layout = layoutOf(problem, {{0b11, {0, 1}}});
  auto errorOf = [&](std::vector<Arrivals> arrivals, OpenLoadOptions options = {}) {
    return simulateOpen(problem, plansOf(problem), layout, arrivals, options).status().message();
  };
  EXPECT_EQ(errorOf({{}, {}}), "no tenant has a rate");
  EXPECT_EQ(errorOf({{ArrivalKind::Poisson, 1}}), "arrivals of 1 tenants are given for 2");
  EXPECT_EQ(errorOf({{ArrivalKind::Poisson, -3}, {}}),
            "tenant 't0' has a rate of -3/s; wanted 0 or more");
  EXPECT_EQ(
      errorOf({{ArrivalKind::Poisson, 1}, {ArrivalKind::Poisson, 1e6}}),
      "10900010900 requests are needed until the rarest tenant has 10000; at most 5000000 are "
      "simulated");
  layout.services[1].entries.clear();
  EXPECT_EQ(errorOf({{}, {ArrivalKind::Poisson, 1}}), "tenant 't1' has a rate but no entry");
  layout = layoutOf(problem, {{0b11, {0, 1}}});
  EXPECT_EQ(simulateOpen(problem, SoloPlans(), layout, {{ArrivalKind::Poisson, 1}, {}})
                .status()
                .message(),
            "entry t0.n1 has no plan for 2 granules or fewer");
}

// At least 200,000 task events a second on one core; the test leaves room for busy machines.
TEST(OpenLoad, EventsPerSecond) {
  Problem problem = randomProblem(3, {.granules = 16, .tenants = 8, .tasks = 200});
  problem.device.bytesPerNs = 3;
  for (Kernel &kernel : problem.kernels)
    kernel.bytes = 10'000;
  SoloPlans plans = *SoloPlans::make(problem, {4}, {.searchSteps = 50});
  Layout layout =
      layoutOf(problem, {{0xf, {0, 1}}, {0xf0, {2, 3}}, {0xf00, {4, 5}}, {0xf000, {6, 7}}});
  size_t tasks = 0;
  for (const Entry &entry : problem.entries)
    tasks += entry.tasks.size();
  auto begin = std::chrono::steady_clock::now();
  StatusOr<OpenOutcome> outcome =
      simulateOpen(problem, plans, layout, std::vector<Arrivals>(8, {ArrivalKind::Poisson, 10}),
                   {.requests = 200});
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  double events = 0;
  for (size_t t = 0; t < problem.entries.size(); ++t)
    events += double(outcome->tenants[t].requests) * double(problem.entries[t].tasks.size());
  printf("%.0f task events a second\n", events / seconds.count());
  RecordProperty("task_events_per_second", std::to_string(events / seconds.count()));
  EXPECT_GT(events / seconds.count(), 100'000);
}

} // namespace
