//===- Candidates.h - what a bundle says of its kernels to a tuner --------===//
//
// A bundle carries, as a text named "tuning", which kernel of which hash each of its kernels is and
// the configs of the variants: so a device without a compiler can measure a bundle made to be
// measured, and also the bundle that it runs, and give records that the compiler understands.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Tuning/ConfigSpace.h"
#include "mtc/Tuning/Record.h"

namespace mtc {

/// A kernel of a bundle's target; empty for kernels that cannot be tuned (control flow).
struct CandidateKernel {
  std::string kernel;               ///< hash
  std::vector<std::string> configs; ///< printed, of its variants in order
  int64_t searched = 0; ///< > 0: all that a search may measure of it is here; see SearchRecord
};

/// The kernels of one target, in the order of its Problem.
struct Candidates {
  std::string target;   ///< as in the bundle
  std::string compiler; ///< whose times they are
  std::vector<CandidateKernel> kernels;
  std::vector<KernelRecord> features; ///< may be empty
  int64_t seed = 0;                   ///< of the search
};

/// The name of the bundle's text.
constexpr const char *kTuningTextName = "tuning";

/// One line a target.
std::string printCandidates(const Candidates &candidates);

/// The candidates of a target in a bundle's text. Fails if there are none or they are damaged
/// (BundleRefused).
StatusOr<Candidates> parseCandidates(std::string_view text, const std::string &target);

} // namespace mtc
