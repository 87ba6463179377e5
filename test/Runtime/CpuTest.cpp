//===- CpuTest.cpp - what this machine offers -----------------------------===//
#include "mtc/Runtime/Cpu.h"

#include <gtest/gtest.h>

#include <sched.h>

using namespace mtc;

// The table agrees with the compiler's own knowledge of this CPU.
TEST(CpuTest, FeaturesAgreeWithTheCompiler) {
  const auto has = [](const char *name) { return host::missingFeatures({name}).empty(); };
  EXPECT_TRUE(has("sse2"));
  EXPECT_EQ(has("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has("fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has("avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(has("avx512vnni"), __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(has("avx512bf16"), __builtin_cpu_supports("avx512bf16") != 0);
  EXPECT_EQ(has("bmi2"), __builtin_cpu_supports("bmi2") != 0);
  EXPECT_EQ(has("sse4a"), __builtin_cpu_supports("sse4a") != 0);
  for (const std::string &name : host::presentFeatures())
    EXPECT_TRUE(has(name.c_str())) << name;
}

// What is unknown is missing, and keeps its order.
TEST(CpuTest, UnknownFeaturesAreMissing) {
  EXPECT_EQ(host::missingFeatures({"quantum", "sse2", "abacus"}),
            (std::vector<std::string>{"quantum", "abacus"}));
}

// The budget follows this thread's affinity; a quota rounds down, but never to none.
TEST(CpuTest, BudgetFollowsAffinity) {
  const host::CpuBudget before = host::cpuBudget();
  ASSERT_FALSE(before.cpus.empty());
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(before.cpus.back(), &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
  const host::CpuBudget one = host::cpuBudget();
  CPU_ZERO(&set);
  for (int cpu : before.cpus)
    CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
  EXPECT_EQ(one.cpus, std::vector<int>{before.cpus.back()});
  EXPECT_EQ(one.cores(), 1);
  EXPECT_EQ((host::CpuBudget{{0, 1, 2, 3}, 2.5}).cores(), 2);
  EXPECT_EQ((host::CpuBudget{{0, 1, 2, 3}, 0.5}).cores(), 1);
  EXPECT_EQ((host::CpuBudget{{0, 1, 2, 3}, 0}).cores(), 4);
  EXPECT_EQ((host::CpuBudget{{0, 1}, 7}).cores(), 2);
}

// Lists of CPUs as taskset takes them; anything else is one line.
TEST(CpuTest, ParsesCpuLists) {
  EXPECT_EQ(*host::parseCpuList("2-5,8"), (std::vector<int>{2, 3, 4, 5, 8}));
  EXPECT_EQ(*host::parseCpuList("3,1,3"), (std::vector<int>{1, 3}));
  for (const char *bad : {"", "a", "1-", "-1", "5-2", "1,", "1;2", "99999999999", "1 2"}) {
    const auto list = host::parseCpuList(bad);
    ASSERT_FALSE(list.ok()) << bad;
    EXPECT_EQ(list.status().message(), "'" + std::string(bad) + "' is no list of CPUs like 2-5,8");
  }
}
