//===- JointScaleTest.cpp - time and memory of large searches -------------===//
#include "ExampleProblems.h"

#include <sys/resource.h>

#include <chrono>
#include <ctime>

using namespace mtc;
using namespace mtc::test;

namespace {

/// Tenants of 300 tasks in short branches; kernels with three variants on two shares.
Problem wideProblem(int tenants) {
  Problem problem;
  problem.device = {"wide", 16, 8, 0, 4800, 2000, 0};
  std::mt19937 rng(7);
  for (int k = 0; k < 60; ++k) {
    Kernel kernel = kernelOf("k" + std::to_string(k), {}, 1 + k % 2);
    kernel.bytes = static_cast<int64_t>(rng() % 4'000'000);
    kernel.variants.assign(3, kernel.variants[0]);
    auto one = static_cast<int64_t>(10'000 + rng() % 90'000);
    for (size_t v = 0; v < 3; ++v) {
      auto variant = static_cast<int64_t>(v);
      kernel.variants[v].phaseTiles = {8 << (2 * v)};
      kernel.variants[v].times = {{1 + 2 * static_cast<int32_t>(v), one / (1 + variant), {}},
                                  {4 + 4 * static_cast<int32_t>(v), one / (2 + 2 * variant), {}}};
    }
    problem.kernels.push_back(kernel);
  }
  for (int t = 0; t < tenants; ++t) {
    std::vector<int32_t> kernels;
    addChain(problem, "t" + std::to_string(t), std::vector<int32_t>(300, 0));
    for (size_t i = 0; i < 300; ++i) {
      Task &task = problem.entries.back().tasks[i];
      task.kernel = static_cast<int32_t>(rng() % 60);
      int32_t written = task.values.back();
      task.values = {static_cast<int32_t>(i - i % 5)};
      if (task.kernel % 2 == 1)
        task.values.push_back(static_cast<int32_t>(i));
      task.values.push_back(written);
    }
  }
  return problem;
}

// 100 tenants of 300 tasks are planned in 60 s and 1 GB on one core; the curve from 1,200 to 30,000
// tasks is in README.md.
TEST(JointScale, ThirtyThousandTasks) {
  for (int tenants : {4, 12, 35, 100}) {
    Problem problem = wideProblem(tenants);
    auto begin = std::chrono::steady_clock::now();
    std::clock_t cpu = std::clock();
    Schedule schedule = scheduleOf("joint", problem, roundOf(problem));
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu tasks: %.1f s, %.1f s of CPU time, %ld MB\n", schedule.places.size(),
           seconds.count(), static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC,
           usage.ru_maxrss / 1000);
    EXPECT_EQ(schedule.places.size(), static_cast<size_t>(tenants) * 300);
    EXPECT_LT(static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC, 60);
    EXPECT_LT(usage.ru_maxrss, 1'000'000);
  }
}

} // namespace
