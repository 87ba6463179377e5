//===- Cores.h - how many cores this process may use ----------------------===//
//
// The compiler (target `host`), the worker processes and the runtime must agree on this, so there
// is one answer: the thread's affinity, cut by the cgroups' quota of CPU time.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mtc {

/// What limits the cores of this process.
struct CpuBudget {
  std::vector<int> cpus; ///< this thread's affinity, ascending
  double quota = 0;      ///< cores' worth of time per period by cgroup v1 or v2; 0: no limit
  /// Workers that can run at full speed: cpus, or the quota rounded down (at least 1) if that is
  /// less. Down, since one worker too many is stopped for the rest of each period and the others
  /// wait for it.
  int cores() const;
};
CpuBudget cpuBudget();

/// Whether this process may use matrix tiles (AMX): asks Linux for their state, 8 KiB a thread,
/// which all its threads then have. Asking again costs a system call. Source: Linux,
/// Documentation/arch/x86/xstate.rst.
bool mayUseMatrixTiles();

/// The least quota of this process's cgroup and the groups around it, in cores' worth of time; 0:
/// no limit. `root` is where /proc and /sys lie: tests give a folder.
/// Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max),
/// https://docs.kernel.org/scheduler/sched-bwc.html (version 1).
double cgroupQuota(const std::string &root = "");

/// Bytes of a CPU's data or unified cache of a level; 0: unknown. Not sysconf(): it says what the
/// whole package has where a CPU reaches a part of it. `root` as above.
/// Source: https://docs.kernel.org/ABI/stable/sysfs-devices-system-cpu.html
int64_t cacheBytes(int cpu, int level, const std::string &root = "");

/// The CPUs of a list like "2-5,8".
/// Fails if it is no such list (InvalidInput).
StatusOr<std::vector<int>> parseCpuList(const std::string &text);

} // namespace mtc
