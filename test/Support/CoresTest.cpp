//===- CoresTest.cpp - affinity, quotas and lists of CPUs -----------------===//
#include "mtc/Support/Cores.h"
#include "FileFixture.h"

#include <sched.h>

using namespace mtc;

namespace {

// The budget follows this thread's affinity; a quota rounds down, but never to none.
TEST(CoresTest, BudgetFollowsAffinity) {
  const CpuBudget before = cpuBudget();
  ASSERT_FALSE(before.cpus.empty());
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(before.cpus.back(), &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
  const CpuBudget one = cpuBudget();
  CPU_ZERO(&set);
  for (int cpu : before.cpus)
    CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
  EXPECT_EQ(one.cpus, std::vector<int>{before.cpus.back()});
  EXPECT_EQ(one.cores(), 1);
  EXPECT_EQ((CpuBudget{{0, 1, 2, 3}, 2.5}).cores(), 2);
  EXPECT_EQ((CpuBudget{{0, 1, 2, 3}, 0.5}).cores(), 1);
  EXPECT_EQ((CpuBudget{{0, 1, 2, 3}, 0}).cores(), 4);
  EXPECT_EQ((CpuBudget{{0, 1}, 7}).cores(), 2);
}

// Lists of CPUs as taskset takes them; anything else is one line.
TEST(CoresTest, ParsesCpuLists) {
  EXPECT_EQ(*parseCpuList("2-5,8"), (std::vector<int>{2, 3, 4, 5, 8}));
  EXPECT_EQ(*parseCpuList("3,1,3"), (std::vector<int>{1, 3}));
  for (const char *bad : {"", "a", "1-", "-1", "5-2", "1,", "1;2", "99999999999", "1 2"}) {
    const auto list = parseCpuList(bad);
    ASSERT_FALSE(list.ok()) << bad;
    EXPECT_EQ(list.status().message(), "'" + std::string(bad) + "' is no list of CPUs like 2-5,8");
  }
}

// The kernel's own files, which say that they are longer than they are.
TEST(CoresTest, CachesOfThisMachine) {
  if (!fs::exists("/sys/devices/system/cpu/cpu0/cache/index0/size"))
    GTEST_SKIP() << "this system says nothing of caches";
  EXPECT_GE(cacheBytes(0, 1), 4 << 10);
}

/// A folder with the files of /proc and /sys that tell of cgroups and caches.
class Cgroups : public File {
protected:
  void put(const std::string &name, const std::string &text) {
    fs::create_directories(fs::path(path(name)).parent_path());
    ASSERT_TRUE(writeFile(path(name), text).ok());
  }
};

// Nothing to read, and "max", are no limit.
TEST_F(Cgroups, NoLimit) {
  EXPECT_EQ(cgroupQuota(folder), 0);
  put("proc/self/cgroup", "0::/user\n");
  put("sys/fs/cgroup/user/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroupQuota(folder), 0);
}

// Version 2: of the own group and those around it, the least holds; fractions are kept.
TEST_F(Cgroups, Version2Nested) {
  put("proc/self/cgroup", "0::/outer/middle/inner\n");
  put("sys/fs/cgroup/outer/middle/inner/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/outer/middle/cpu.max", "250000 100000\n");
  put("sys/fs/cgroup/outer/cpu.max", "400000 100000\n");
  put("sys/fs/cgroup/elsewhere/cpu.max", "1000 100000\n");
  EXPECT_DOUBLE_EQ(cgroupQuota(folder), 2.5);
  put("sys/fs/cgroup/outer/cpu.max", "50000 200000\n");
  EXPECT_DOUBLE_EQ(cgroupQuota(folder), 0.25);
}

// In a container the group's path is the host's, but only the container's own folder is there.
TEST_F(Cgroups, PathFromOutside) {
  put("proc/self/cgroup", "0::/system.slice/docker-12ab.scope\n");
  put("sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(cgroupQuota(folder), 1.5);
}

// Version 1, alone and beside an empty version 2; -1 is no limit.
TEST_F(Cgroups, Version1) {
  put("proc/self/cgroup", "4:cpu,cpuacct:/a/b\n3:cpuset:/other\n0::/\n");
  put("sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroupQuota(folder), 0);
  put("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "350000\n");
  put("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(cgroupQuota(folder), 3.5);
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "20000\n");
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "10000\n");
  EXPECT_DOUBLE_EQ(cgroupQuota(folder), 2);
}

// What makes no sense limits nothing.
TEST_F(Cgroups, NonsenseIsIgnored) {
  put("proc/self/cgroup", "no colons\n0::relative\n");
  put("sys/fs/cgroup/cpu.max", "100000 0\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  EXPECT_EQ(cgroupQuota(folder), 0);
}

// Instructions have caches of their own; what is missing or no number of KiB is unknown.
TEST_F(Cgroups, Caches) {
  const auto cache = [&](int index, const char *level, const char *type, const char *size) {
    const std::string at = "sys/devices/system/cpu/cpu3/cache/index" + std::to_string(index) + "/";
    put(at + "level", level);
    put(at + "type", type);
    put(at + "size", size);
  };
  EXPECT_EQ(cacheBytes(3, 2, folder), 0);
  cache(0, "1\n", "Instruction\n", "64K\n");
  cache(1, "1\n", "Data\n", "48K\n");
  cache(2, "2\n", "Unified\n", "2048K\n");
  cache(3, "3\n", "Unified\n", "many\n");
  EXPECT_EQ(cacheBytes(3, 1, folder), 48 << 10);
  EXPECT_EQ(cacheBytes(3, 2, folder), 2 << 20);
  EXPECT_EQ(cacheBytes(3, 3, folder), 0);
  EXPECT_EQ(cacheBytes(2, 2, folder), 0);
}

} // namespace
