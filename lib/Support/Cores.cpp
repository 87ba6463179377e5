//===- Cores.cpp - affinity and cgroups -----------------------------------===//
#include "mtc/Support/Cores.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <sys/syscall.h>
#include <unistd.h>

namespace mtc {

int CpuBudget::cores() const {
  const int count = std::max<int>(1, static_cast<int>(cpus.size()));
  return quota > 0 ? std::clamp(static_cast<int>(std::floor(quota + 1e-9)), 1, count) : count;
}

bool mayUseMatrixTiles() {
  constexpr long requestPermission = 0x1023, tileData = 18; // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

/// The path of this process in the cgroup hierarchy of `controller` ("" for version 2), or "".
static std::string cgroupPath(const std::string &root, const std::string &controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    // "4:cpu,cpuacct:/path", version 2: "0::/path"
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    std::stringstream names(line.substr(first + 1, second - first - 1));
    bool found = controller.empty() && second == first + 1;
    for (std::string name; std::getline(names, name, ',');)
      found = found || (!controller.empty() && name == controller);
    if (found)
      return line.substr(second + 1);
  }
  return "";
}

/// Calls `read(folder)` for the process's cgroup folder and its parents up to `mount`: the least
/// limit holds. Inside a container the path may be the host's, and only `mount` itself exists.
template <typename Read>
static void eachAncestor(const std::string &mount, std::string path, Read read) {
  while (true) {
    read(mount + path);
    if (path.empty() || path == "/")
      break;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

double cgroupQuota(const std::string &root) {
  double least = 0;
  const auto limit = [&](double quota, double period) {
    if (quota > 0 && period > 0 && (least == 0 || quota / period < least))
      least = quota / period;
  };
  for (const char *mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
    eachAncestor(root + mount, cgroupPath(root, ""), [&](const std::string &folder) {
      std::ifstream file(folder + "/cpu.max"); // "max 100000" or "150000 100000"
      double quota = 0, period = 0;
      if (file >> quota >> period) // "max" is no number
        limit(quota, period);
    });
  for (const char *mount : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"})
    eachAncestor(root + mount, cgroupPath(root, "cpu"), [&](const std::string &folder) {
      double quota = 0, period = 0; // -1: no limit
      std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
      std::ifstream(folder + "/cpu.cfs_period_us") >> period;
      limit(quota, period);
    });
  return least;
}

CpuBudget cpuBudget() {
  CpuBudget budget;
  // Twice as many CPUs each time until the kernel's mask fits.
  for (int capacity = 1024; capacity <= 1 << 16; capacity *= 2) {
    cpu_set_t *set = CPU_ALLOC(capacity);
    const size_t bytes = CPU_ALLOC_SIZE(capacity);
    const bool fits = sched_getaffinity(0, bytes, set) == 0;
    for (int cpu = 0; fits && cpu < capacity; ++cpu)
      if (CPU_ISSET_S(cpu, bytes, set))
        budget.cpus.push_back(cpu);
    CPU_FREE(set);
    if (fits)
      break;
  }
  if (budget.cpus.empty())
    budget.cpus.push_back(0);
  budget.quota = cgroupQuota();
  return budget;
}

int64_t cacheBytes(int cpu, int level, const std::string &root) {
  for (int index = 0; index < 8; ++index) {
    // Streams: such files say that they have a page, and are shorter.
    const std::string at =
        fmt::format("{}/sys/devices/system/cpu/cpu{}/cache/index{}/", root, cpu, index);
    int found = 0;
    int64_t kib = 0;
    std::string type, unit;
    std::ifstream(at + "level") >> found;
    std::ifstream(at + "type") >> type;
    std::ifstream(at + "size") >> kib >> unit; // "2048K"
    if (found == level && type != "Instruction" && unit == "K" && kib > 0)
      return kib << 10;
  }
  return 0;
}

StatusOr<std::vector<int>> parseCpuList(const std::string &text) {
  const auto bad = [&] {
    return invalidInput(fmt::format("'{}' is no list of CPUs like 2-5,8", text));
  };
  std::vector<int> cpus;
  const char *at = text.data(), *end = text.data() + text.size();
  while (true) {
    int first = 0;
    auto [next, error] = std::from_chars(at, end, first);
    if (error != std::errc() || first < 0 || first >= 1 << 16)
      return bad();
    int last = first;
    if (next != end && *next == '-') {
      auto range = std::from_chars(next + 1, end, last);
      if (range.ec != std::errc() || last < first || last >= 1 << 16)
        return bad();
      next = range.ptr;
    }
    for (int cpu = first; cpu <= last; ++cpu)
      cpus.push_back(cpu);
    if (next == end)
      break;
    if (*next != ',')
      return bad();
    at = next + 1;
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

} // namespace mtc
