//===- Meter.h - times of single kernels on this machine ------------------===//
//
// Runs a kernel as the runtime would, its tiles split among pinned workers, again and again on the
// same buffers (caches are warm), alone or beside threads that stream memory on the other CPUs.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Reader.h"

#include <memory>
#include <string>
#include <vector>

namespace mtc::host {

/// Measures the kernels of one target of a bundle.
///
/// Ownership: owns code, buffers and threads. One thread at a time; forks must come before run().
class Meter {
public:
  /// Fails if the code cannot be loaded, or no CPU is given.
  static StatusOr<Meter> create(const BundleTarget &target, std::vector<int> cpus);
  Meter(Meter &&) noexcept;
  ~Meter();

  int cpus() const;

  /// Makes buffers with the given contents for a kernel; those of the one before go.
  /// Fails if it has no code (InvalidInput) or memory is short (Internal).
  Status prepare(size_t kernel, std::vector<std::vector<uint8_t>> operands);

  /// Samples of a variant of the prepared kernel on the first `granules` CPUs, in ns a run; short
  /// runs are repeated within a sample. `neighbour` (a name of neighbourNames() in Tuning) is what
  /// the other CPUs do meanwhile; with "flushed" the operands are dropped from all caches before
  /// each run, and no run is repeated.
  ///
  /// Fails if the kernel returns an error, there are fewer CPUs or no such neighbour
  /// (InvalidInput).
  StatusOr<std::vector<int64_t>> run(size_t variant, int granules, const std::string &neighbour,
                                     int samples);

private:
  struct State;
  explicit Meter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mtc::host
