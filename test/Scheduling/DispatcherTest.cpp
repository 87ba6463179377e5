//===- DispatcherTest.cpp - queues, batches and partitions ----------------===//
#include "mtc/Scheduling/Dispatcher.h"
#include "ExampleProblems.h"

using namespace mtc;
using namespace mtc::test;

namespace {

/// det (entries for 1 and 4 requests) and rec (1) on two granules, one partition for both.
Problem twoTenants() {
  Problem problem = smallProblem();
  problem.entries.push_back(problem.entries[0]);
  problem.entries.back().name = "n4";
  return problem;
}
Layout oneForBoth() {
  Layout layout;
  layout.partitions = {{0b11, {0, 1}}};
  layout.services = {{{{0, 1}, {2, 4}}, 100}, {{{1, 1}}, 0}};
  return layout;
}

// Of tenants that share a partition the one whose request is oldest goes first.
TEST(Dispatcher, FirstComeFirstServed) {
  Layout layout = oneForBoth();
  layout.services[0].waitNs = 0;
  Dispatcher dispatcher(layout);
  EXPECT_FALSE(dispatcher.next(0));
  dispatcher.arrive(1, 7, 10);
  dispatcher.arrive(0, 8, 11);
  dispatcher.arrive(1, 9, 12);
  for (int64_t wanted : {7, 8, 9}) {
    std::optional<PartitionJob> job = dispatcher.next(20);
    ASSERT_TRUE(job);
    EXPECT_EQ(job->requests, (std::vector<int64_t>{wanted}));
    EXPECT_FALSE(dispatcher.next(20)); // the partition is busy
    dispatcher.finish(job->partition);
  }
  EXPECT_EQ(dispatcher.waiting(), 0u);
}

// With deadlines the tenant that has less time goes first, though it came later.
TEST(Dispatcher, EarliestDeadlineFirst) {
  Layout layout = oneForBoth();
  layout.services[0].waitNs = 0;
  layout.services[0].deadlineNs = 1000;
  layout.services[1].deadlineNs = 100;
  Dispatcher dispatcher(layout);
  dispatcher.arrive(0, 1, 0);
  dispatcher.arrive(1, 2, 899);
  dispatcher.arrive(1, 3, 901);
  for (int64_t wanted : {2, 1, 3}) {
    std::optional<PartitionJob> job = dispatcher.next(950);
    ASSERT_TRUE(job);
    EXPECT_EQ(job->requests, (std::vector<int64_t>{wanted}));
    dispatcher.finish(job->partition);
  }
}

// A batch waits until it is full or its oldest request has waited long enough.
TEST(Dispatcher, Batches) {
  Dispatcher dispatcher(oneForBoth());
  dispatcher.arrive(0, 1, 0);
  dispatcher.arrive(0, 2, 50);
  EXPECT_FALSE(dispatcher.next(60));
  EXPECT_EQ(dispatcher.wakeNs(), 100);
  std::optional<PartitionJob> job = dispatcher.next(100);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->entry, 2); // the entry of four, half full: one of 1 would leave a request
  EXPECT_EQ(job->requests, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(dispatcher.wakeNs(), INT64_MAX);
  dispatcher.finish(0);
  for (int64_t r = 0; r < 5; ++r)
    dispatcher.arrive(0, 10 + r, 200);
  job = dispatcher.next(200); // full: at once
  ASSERT_TRUE(job);
  EXPECT_EQ(job->requests.size(), 4u);
  dispatcher.finish(0);
  EXPECT_FALSE(dispatcher.next(250));
  job = dispatcher.next(300);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->entry, 0);
}

// A tenant that waits for its batch does not hold up others of its partition.
TEST(Dispatcher, WaitingHoldsNobodyUp) {
  Dispatcher dispatcher(oneForBoth());
  dispatcher.arrive(0, 1, 0);
  dispatcher.arrive(1, 2, 5);
  std::optional<PartitionJob> job = dispatcher.next(5);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->tenant, 1);
}

// A tenant with two partitions runs on both at once.
TEST(Dispatcher, Replicas) {
  Layout layout;
  layout.partitions = {{0b01, {0}}, {0b10, {0, 1}}};
  layout.services = singleServices(twoTenants());
  Dispatcher dispatcher(layout);
  dispatcher.arrive(0, 1, 0);
  dispatcher.arrive(0, 2, 0);
  dispatcher.arrive(1, 3, 1);
  EXPECT_EQ(dispatcher.next(2)->partition, 0);
  EXPECT_EQ(dispatcher.next(2)->partition, 1);
  EXPECT_FALSE(dispatcher.next(2));
  dispatcher.finish(0);
  EXPECT_FALSE(dispatcher.next(3)); // the first partition does not serve rec
  dispatcher.finish(1);
  EXPECT_EQ(dispatcher.next(3)->tenant, 1);
}

// What is wrong with a layout is said, with numbers.
TEST(Dispatcher, CheckLayout) {
  Problem problem = twoTenants();
  EXPECT_TRUE(check(problem, oneForBoth()).ok());
  auto errorOf = [&](auto change) {
    Layout layout = oneForBoth();
    change(layout);
    return check(problem, layout).message();
  };
  EXPECT_EQ(errorOf([](Layout &l) { l.services.pop_back(); }), "the layout serves 1 tenants of 2");
  EXPECT_EQ(errorOf([](Layout &l) { l.services[1].entries[0].entry = 0; }),
            "tenant 'rec' is to be served by entry 0, which is not its own");
  EXPECT_EQ(errorOf([](Layout &l) { l.services[0].entries[1].requests = 1; }),
            "tenant 'det' lists 1 requests after 1; wanted ascending");
  EXPECT_EQ(errorOf([](Layout &l) { l.services[0].waitNs = -1; }),
            "tenant 'det' waits -1 ns for a batch; wanted at least 0");
  EXPECT_EQ(errorOf([](Layout &l) { l.services[1].deadlineNs = -5; }),
            "tenant 'rec' has a deadline of -5 ns; wanted at least 0");
  EXPECT_EQ(errorOf([](Layout &l) { l.partitions[0].granules = 0b100; }),
            "partition 0 has granules 0x4; the device has 0x3");
  EXPECT_EQ(errorOf([](Layout &l) { l.partitions.push_back({0b10, {0}}); }),
            "partition 1 overlaps another");
  EXPECT_EQ(errorOf([](Layout &l) { l.partitions[0].tenants = {0, 5}; }),
            "partition 0 serves tenant 5 of 2");
  EXPECT_EQ(errorOf([](Layout &l) { l.partitions[0].tenants = {0}; }),
            "no partition serves tenant 'rec'");
  // Shared partitions may overlap each other, not exclusive ones.
  EXPECT_EQ(errorOf([](Layout &l) { l.partitions = {{0b11, {0}, true}, {0b11, {1}, true}}; }), "");
}

} // namespace
