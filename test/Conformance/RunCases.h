//===- RunCases.h - cases as tenants of one bundle ------------------------===//
#pragma once

#include "Cases.h"

namespace mtc::conformance {

/// How a case ended.
struct Outcome {
  std::string name;
  bool plain = false;
  /// "passed", or why not: "unsupported" (refused when compiling), "invalid" (taken for a wrong
  /// model), "internal", "wrong" (another answer), "random" (other numbers where the operator's
  /// schema leaves them open), "failed" (a request that ended in an error), "round" (another answer
  /// beside others), "crashed", "timeout", "unfed" (data of types that the runtime does not have).
  std::string result;
  std::string reason; ///< one line
};

/// Where the cases run.
struct Where {
  std::string target = "host";
  std::string cudaDriver; ///< of a CUDA target
  bool emulates = false;  ///< the driver is the fake, which gets the kernels as host code
};

/// Imports each case alone, compiles those that import as one set into the bundle `scratch`, runs
/// each alone and all in a round, and compares: an outcome per case.
/// Fails if something went wrong that concerns the set of several cases: run them apart then.
StatusOr<std::vector<Outcome>> runCases(const std::vector<Case> &cases, const std::string &scratch,
                                        const Where &where);

} // namespace mtc::conformance
