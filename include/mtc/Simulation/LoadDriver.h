//===- LoadDriver.h - an open load on any device --------------------------===//
//
// Arrivals, the reference dispatcher and what is counted, without a clock and without a device.
// Whoever has these - the simulator, or `mtrt bench --mode open` with cores and a real clock -
// starts the jobs that it gets here and says when they ended, so both serve a load by the same
// code. Latencies count from arrival, however late the device hears of a request.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Simulation/OpenLoad.h"

namespace mtc {

/// A finished request: when it came, how long it took.
struct RequestLatency {
  int64_t arrivalNs = 0, ns = 0;
};

/// What is reported of a tenant's requests that came within `horizonNs`. The first of 21 parts is
/// warm-up and left out; the interval of p99 comes from the other 20.
TenantLoad summarizeLoad(const std::vector<RequestLatency> &latencies, int64_t horizonNs,
                         int64_t sloNs);

/// Not thread-safe. Times are ns from the start of the run, never going back.
class LoadDriver {
public:
  /// Draws the arrivals: for `options.horizonNs`, else as long as it takes until the rarest tenant
  /// has `options.requests`.
  ///
  /// Fails if the layout is not right, a rate is negative or not finite, nothing arrives, a tenant
  /// with a rate has no entry, or there would be more than `options.mostRequests` (InvalidInput).
  static StatusOr<LoadDriver> make(const Problem &problem, const Layout &layout,
                                   const std::vector<Arrivals> &arrivals,
                                   const OpenLoadOptions &options = {});

  /// Lets arrive what is due; the next job to start now, if any. Call until there is none.
  std::optional<PartitionJob> next(int64_t nowNs);
  /// The partition's job has ended.
  void finish(int32_t partition, int64_t nowNs);
  /// When next() is to be called again though no job ends; INT64_MAX: never.
  int64_t wakeNs() const;

  /// All requests have come and were served.
  bool isOver() const;
  /// It is clear that too many miss, or more wait than can ever be served.
  bool gaveUp() const { return gaveUp_; }
  /// Counts what waits or runs as unserved, with the time that it has waited so far: a run that is
  /// cut short does not look better than it is.
  void abandon(int64_t nowNs);

  int64_t horizonNs() const { return horizonNs_; }
  int64_t served() const { return served_; }
  int64_t expected() const { return static_cast<int64_t>(requests_.size()); }
  const Layout &layout() const { return dispatcher_.layout(); }

  /// Latencies and held granules; units and bandwidth are the device's to say.
  OpenOutcome outcome(int64_t endNs) const;

private:
  struct Request {
    int64_t arrivalNs;
    int32_t tenant;
    bool isServed = false;
  };
  /// The job of a partition.
  struct Running {
    int64_t startNs = -1; ///< -1: none
    PartitionJob job;
  };

  LoadDriver(const Problem &problem, const Layout &layout, const std::vector<Arrivals> &arrivals,
             const OpenLoadOptions &options);
  Status drawRequests();

  std::vector<Tenant> tenants_;
  int32_t granules_;
  std::vector<Arrivals> arrivals_;
  OpenLoadOptions options_;
  Dispatcher dispatcher_;
  std::vector<Request> requests_; ///< by arrival
  size_t arrived_ = 0;
  std::vector<Running> running_; ///< by partition
  size_t runningJobs_ = 0;
  std::vector<std::vector<RequestLatency>> latencies_; ///< by tenant
  std::vector<int64_t> missed_, unserved_;             ///< by tenant
  std::vector<double> heldNs_;                         ///< granules times ns, by tenant
  int64_t horizonNs_ = 0, served_ = 0;
  bool gaveUp_ = false;
};

} // namespace mtc
