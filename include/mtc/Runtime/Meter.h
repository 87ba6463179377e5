//===- Meter.h - times of single kernels on this machine ------------------===//
//
// Runs a kernel as the runtime would, again and again on the same buffers (caches are warm): on a
// host its tiles split among pinned workers, alone or beside threads that stream memory on the
// other CPUs; on a GPU in a graph, in the context of its share, alone or beside a kernel that reads
// memory in the context of the other SMs.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Reader.h"

#include <memory>
#include <string>
#include <vector>

namespace mtc {

/// Measures the kernels of one target of a bundle on one device. One thread at a time; who forks
/// does so before prepare().
class KernelMeter {
public:
  virtual ~KernelMeter() = default;

  /// The numbers of granules to measure on, ascending; the last are all. After prepare().
  virtual std::vector<int> shares() const = 0;

  /// Makes buffers with the given contents for a kernel; those of the one before go.
  /// Fails if it has no code (InvalidInput), memory is short (Internal) or the device fails.
  virtual Status prepare(size_t kernel, std::vector<std::vector<uint8_t>> operands) = 0;

  /// Samples of a variant of the prepared kernel on the first `granules`, in ns a run; short runs
  /// are repeated within a sample. `neighbour` (a name of neighbourNames() in Tuning) is what the
  /// other granules do meanwhile; with "flushed" no operand is in a cache
  /// before each run, and no run is repeated.
  ///
  /// Fails if the kernel fails, there are fewer granules or no such neighbour (InvalidInput).
  virtual StatusOr<std::vector<int64_t>> run(size_t variant, int granules,
                                             const std::string &neighbour, int samples) = 0;
};

/// Measures on `device` ("cuda", "cuda:N") of the driver at `driver` (empty: libcuda.so.1), which
/// prepare() opens first: a process that has opened it cannot fork. A sample is between two events.
std::unique_ptr<KernelMeter> makeCudaMeter(const BundleTarget &target, const std::string &device,
                                           const std::string &driver);

} // namespace mtc

namespace mtc::host {

/// Measures the kernels of one target of a bundle.
///
/// Ownership: owns code, buffers and threads. One thread at a time; forks must come before run().
class Meter : public KernelMeter {
public:
  /// Fails if the code cannot be loaded, or no CPU is given.
  static StatusOr<Meter> create(const BundleTarget &target, std::vector<int> cpus);
  Meter(Meter &&) noexcept;
  ~Meter() override;

  /// Powers of two, and all CPUs.
  std::vector<int> shares() const override;
  Status prepare(size_t kernel, std::vector<std::vector<uint8_t>> operands) override;
  StatusOr<std::vector<int64_t>> run(size_t variant, int granules, const std::string &neighbour,
                                     int samples) override;

private:
  struct State;
  explicit Meter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mtc::host
