//===- ScheduleTest.cpp - orders, reachability, verify() ------------------===//
#include "ExampleProblems.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

/// det on granule 0, rec on granule 1, one lane each.
Schedule sideBySide() {
  Schedule schedule;
  schedule.workload = {"round", {0, 1}, 0b11};
  schedule.policy = "by hand";
  for (int32_t t = 0; t < 3; ++t) {
    schedule.places.push_back({0, t, 0, 0, 0b01, t * 1000, 1000, false});
    schedule.places.push_back({1, t, 0, 1, 0b10, t * 1000, 300, false});
  }
  return schedule;
}

/// The message of verify() after a change to a schedule that passes.
template <typename Change> std::string messageAfter(Change change) {
  Problem problem = smallProblem();
  Schedule schedule = sideBySide();
  EXPECT_TRUE(verify(problem, schedule).ok()) << verify(problem, schedule).message();
  change(schedule);
  Status status = verify(problem, schedule);
  EXPECT_EQ(status.code(), ErrorCode::InvalidInput);
  return status.message();
}

// Reachability is the transitive closure: 0 -> 1 -> 3, 0 -> 2, across the boundary of words too.
TEST(Reachability, Closure) {
  Predecessors before = {{}, {0}, {0}, {1}};
  Reachability r = Reachability::compute(before);
  EXPECT_TRUE(r.reaches(0, 3));
  EXPECT_TRUE(r.ordered(3, 0));
  EXPECT_FALSE(r.reaches(3, 0));
  EXPECT_FALSE(r.ordered(1, 2));
  EXPECT_FALSE(r.reaches(1, 1));

  Predecessors chain(200);
  for (int32_t i = 1; i < 200; ++i)
    chain[static_cast<size_t>(i)] = {i - 1};
  Reachability long_ = Reachability::compute(chain);
  for (int32_t i : {0, 63, 64, 127, 128})
    EXPECT_TRUE(long_.reaches(i, 199)) << i;
}

// The closure agrees with a search of paths on random graphs.
TEST(Reachability, AgreesWithPathSearch) {
  std::mt19937 rng(7);
  Predecessors before(150);
  for (int32_t p = 1; p < 150; ++p)
    for (int32_t f = 0; f < p; ++f)
      if (rng() % 60 == 0)
        before[static_cast<size_t>(p)].push_back(f);
  Reachability r = Reachability::compute(before);
  for (int32_t from = 0; from < 150; ++from) {
    std::vector<char> seen(150, 0);
    seen[static_cast<size_t>(from)] = 1;
    for (int32_t p = from + 1; p < 150; ++p)
      for (int32_t f : before[static_cast<size_t>(p)])
        seen[static_cast<size_t>(p)] |= seen[static_cast<size_t>(f)];
    for (int32_t p = 0; p < 150; ++p)
      EXPECT_EQ(r.reaches(from, p), p != from && seen[static_cast<size_t>(p)]) << from << " " << p;
  }
}

// The reduction keeps the closure and nothing that follows from the rest.
TEST(Reachability, Reduction) {
  Predecessors before = {{}, {0}, {0, 1}, {0, 1, 2}, {0}};
  Predecessors reduced = transitiveReduction(before, Reachability::compute(before));
  EXPECT_EQ(reduced, (Predecessors{{}, {0}, {1}, {2}, {0}}));
}

// A schedule's orders are data dependences, lanes and edges.
TEST(Schedule, DirectOrders) {
  Schedule schedule = sideBySide();
  schedule.edges = {{0, 3}};
  StatusOr<Predecessors> orders = directOrders(smallProblem(), schedule);
  ASSERT_TRUE(orders.ok());
  EXPECT_EQ(*orders, (Predecessors{{}, {}, {0}, {0, 1}, {2}, {3}}));
}

// Names in messages: entries that occur twice are counted.
TEST(Schedule, DescribePlace) {
  Problem problem = smallProblem();
  Schedule schedule = sideBySide();
  EXPECT_EQ(describePlace(problem, schedule, 3), "rec.n1 task 11 (op1)");
  schedule.workload.instances = {0, 0};
  EXPECT_EQ(describePlace(problem, schedule, 3), "det.n1[1] task 11 (op1)");
}

// Workloads name what exists.
TEST(Schedule, RejectsWorkloads) {
  EXPECT_EQ(messageAfter([](Schedule &s) { s.workload.instances.clear(); }),
            "workload 'round' has no instance");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.workload.instances[1] = 2; }),
            "workload 'round' has an instance of entry 2 of 2");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.workload.granules = 0; }),
            "workload 'round' uses granules 0x0; the device has 0x3");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.workload.granules = 0b111; }),
            "workload 'round' uses granules 0x7; the device has 0x3");
}

// Every task exactly once, in a variant and on granules that exist.
TEST(Schedule, RejectsPlaces) {
  EXPECT_EQ(messageAfter([](Schedule &s) { s.places.pop_back(); }),
            "rec.n1 task 12 (op2) is not placed");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.places[4].task = 1; }),
            "det.n1 task 11 (op1) is placed twice");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.places[4].instance = 2; }),
            "place 4 belongs to instance 2 of 2");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.places[4].task = 3; }),
            "place 4 is task 3 of 3 of det.n1");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.places[4].variant = 1; }),
            "det.n1 task 12 (op2) uses variant 1 of 1");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.places[4].granules = 0; }),
            "det.n1 task 12 (op2) has no granule");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.workload.granules = 0b10; }),
            "det.n1 task 10 (op0) uses granules 0x1; the workload has 0x2");
}

// Orders are acyclic and agree with the order of places.
TEST(Schedule, RejectsOrders) {
  EXPECT_EQ(messageAfter([](Schedule &s) { s.edges = {{4, 1}}; }),
            "det.n1 task 12 (op2) must end before rec.n1 task 10 (op0), which stands no later in "
            "the schedule");
  EXPECT_EQ(messageAfter([](Schedule &s) { std::swap(s.places[0], s.places[2]); }),
            "det.n1 task 10 (op0) must end before det.n1 task 11 (op1), which stands no later in "
            "the schedule");
  EXPECT_EQ(messageAfter([](Schedule &s) { s.edges = {{1, 6}}; }),
            "edge 1 -> 6 names a place outside the 6 places");
}

// Places on one granule are ordered; an edge is enough.
TEST(Schedule, RejectsUnorderedPlacesOnAGranule) {
  auto widen = [](Schedule &s) { s.places[3].granules = 0b11; };
  EXPECT_EQ(messageAfter(widen),
            "det.n1 task 11 (op1) and rec.n1 task 11 (op1) share granule 0 and are not ordered");

  Problem problem = smallProblem();
  Schedule schedule = sideBySide();
  widen(schedule);
  schedule.edges = {{2, 3}};
  EXPECT_EQ(verify(problem, schedule).message(),
            "rec.n1 task 11 (op1) and det.n1 task 12 (op2) share granule 0 and are not ordered");
  schedule.edges = {{2, 3}, {3, 4}};
  EXPECT_TRUE(verify(problem, schedule).ok()) << verify(problem, schedule).message();
}

// Shared places may overlap each other, but not an exclusive one.
TEST(Schedule, SharedPlaces) {
  Problem problem = smallProblem();
  Schedule schedule = sideBySide();
  for (Place &place : schedule.places) {
    place.granules = 0b11;
    place.shared = true;
  }
  EXPECT_TRUE(verify(problem, schedule).ok()) << verify(problem, schedule).message();
  schedule.places[4].shared = false;
  EXPECT_EQ(verify(problem, schedule).message(),
            "rec.n1 task 10 (op0) and det.n1 task 12 (op2) share granule 0 and are not ordered");
  schedule.places[4].shared = true;
  schedule.places[0].shared = false;
  EXPECT_EQ(verify(problem, schedule).message(),
            "det.n1 task 10 (op0) and rec.n1 task 10 (op0) share granule 0 and are not ordered");
}

} // namespace
