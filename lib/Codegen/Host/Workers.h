//===- Workers.h - work in processes that may crash, hang or run out ------===//
//
// Rule R8. Workers are forked, not executed: they see the program as it is in memory, and nothing
// has to be serialized but the results. The caller must have no other threads that matter (MLIR's
// pool is off).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Codegen/Host/Compile.h"

#include <functional>
#include <string>
#include <vector>

namespace mtc::host {

/// What became of one job.
struct Outcome {
  bool ok = false;
  std::string bytes; ///< the result, or why there is none: "took more than 20 s"
};

/// Runs work(0) ... work(jobs - 1), each in one of `workers` forked processes, and returns the
/// outcomes in order. A job that crashes or exceeds `limits` ends its process; another one takes
/// its place. One that crashes where earlier jobs have run is tried again in a new process, so that
/// the memory those have left does not decide its outcome.
///
/// Fails if no process can be forked.
StatusOr<std::vector<Outcome>> runContained(size_t jobs, int workers, const KernelLimits &limits,
                                            const std::function<Outcome(size_t)> &work,
                                            const std::function<void(size_t done)> &progress);

} // namespace mtc::host
