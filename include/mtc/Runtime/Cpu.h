//===- Cpu.h - which instructions this machine can run --------------------===//
#pragma once

#include <string>
#include <vector>

namespace mtc::host {

/// Those of `features` (LLVM's names: "avx512vnni") that this CPU or its operating system lacks,
/// or whose name is unknown here, in the order given. What a process has to ask for - matrix tiles
/// - is asked for here, for all its threads: code is run after a look here. Source: Intel SDM
/// volume 2A, CPUID; AMD APM volume 3, appendix E.
std::vector<std::string> missingFeatures(const std::vector<std::string> &features);

/// The features of the table that this CPU has, sorted.
std::vector<std::string> presentFeatures();

/// "AMD EPYC 9755 128-Core Processor", or "unknown".
std::string cpuModel();

} // namespace mtc::host
