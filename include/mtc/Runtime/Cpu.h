//===- Cpu.h - what this machine and process can run ----------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <string>
#include <vector>

namespace mtc::host {

/// Those of `features` (LLVM's names: "avx512vnni") that this CPU or its operating system lacks,
/// or whose name is unknown here, in the order given.
/// Source: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
std::vector<std::string> missingFeatures(const std::vector<std::string> &features);

/// The features of the table that this CPU has, sorted.
std::vector<std::string> presentFeatures();

/// "AMD EPYC 9755 128-Core Processor", or "unknown".
std::string cpuModel();

/// What limits the cores of this process.
struct CpuBudget {
  std::vector<int> cpus; ///< this thread's affinity, ascending
  double quota = 0;      ///< cores' worth of time per period by cgroup v1 or v2; 0: no limit
  /// Workers that can run at full speed: cpus, or the quota rounded down (at least 1) if that is
  /// less.
  int cores() const;
};
CpuBudget cpuBudget();

/// The CPUs of a list like "2-5,8".
/// Fails if it is no such list (InvalidInput).
StatusOr<std::vector<int>> parseCpuList(const std::string &text);

} // namespace mtc::host
