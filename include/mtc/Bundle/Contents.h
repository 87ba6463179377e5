//===- Contents.h - what a bundle holds, in memory ------------------------===//
//
// The same structs on both sides of the file: the writer takes a Contents whose large byte
// ranges come from callbacks, the reader gives one whose byte ranges point into the mapping.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Online.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mtc {

/// A weight as the plan's Space::Weight refers to it (by position). Its bytes have the layout the
/// kernels want. Weights with equal bytes are stored once by the writer.
struct BundleWeight {
  std::string name; ///< "det.w0.packed", for people
  int64_t bytes = 0;
  /// Appends nothing but the weight's bytes to the (empty) vector. Called once, when its section is
  /// written.
  std::function<Status(std::vector<uint8_t> &)> produce;
};

/// Everything compiled for one target. Problem, schedules and plans refer to each other by index:
/// plans[i] belongs to schedules[i].
struct TargetProgram {
  std::string target;                ///< resolved, e.g. "host:x86-64-v4+avx512vnni,cores=2"
  std::vector<std::string> features; ///< CPU features the code needs, LLVM's names, sorted
  Problem problem;
  std::vector<Schedule> schedules;
  std::vector<Plan> plans;
  std::optional<VerdictTable> verdict;
  std::vector<uint8_t> code; ///< host: an ELF shared object without dependencies
  /// symbols[k][v] names the function of variant v of kernel k in `code`.
  std::vector<std::vector<std::string>> symbols;
};

/// Text kept for people: the IR of a phase, the compile report.
struct BundleText {
  std::string name;
  std::string text;
};

struct Contents {
  std::string compilerVersion;
  std::string compileCommand; ///< printed when a reader cannot read the format
  std::vector<BundleWeight> weights;
  std::vector<TargetProgram> targets;
  std::vector<BundleText> texts;
};

} // namespace mtc
