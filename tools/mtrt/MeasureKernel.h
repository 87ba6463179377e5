//===- MeasureKernel.h - all times of one kernel, in a process of its own -===//
#pragma once

#include "mtc/Runtime/Meter.h"
#include "mtc/Tuning/Candidates.h"

#include <functional>
#include <string>
#include <vector>

namespace mtc::tool {

struct MeasureOptions {
  std::vector<std::string> neighbours = {"none", "high"};
  int samples = 15;       ///< of the candidates that are left at the end
  bool besideAll = false; ///< neighbours beside all shares but the whole, not one granule
  bool equally = false;   ///< no halving: all candidates as often, see measureKernel
  int64_t timeoutNs = 60'000'000'000; ///< without a sign of life from the process
  std::string device;
};

/// Measures the variants of a kernel by successive halving on each of the meter's shares - on one
/// granule of several, or on all shares that leave some, also beside each neighbour - and then the
/// winners and the first variant anew on all shares, so that times can be compared. With `equally`
/// every variant is sampled as often as the others, in turns, and the halves of its samples are
/// kept: for rankings to learn from.
///
/// A forked process does it: a variant that crashes it, fails or hangs is recorded as a failure,
/// and the others are measured without it. The caller must have no threads.
StatusOr<std::vector<TimeRecord>> measureKernel(KernelMeter &meter, const BundleTarget &target,
                                                size_t kernel, const CandidateKernel &candidate,
                                                const MeasureOptions &options);

} // namespace mtc::tool
