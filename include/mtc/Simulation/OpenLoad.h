//===- OpenLoad.h - latencies under arrivals ------------------------------===//
//
// Requests arrive by themselves, the reference dispatcher (Scheduling/Dispatcher.h) starts them on
// a layout of partitions, and the device is shared as in Simulate.h. Everything is simulated.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Dispatcher.h"
#include "mtc/Scheduling/Policies.h"

#include <map>

namespace mtc {

/// How requests of a tenant arrive.
struct Arrivals {
  ArrivalKind kind = ArrivalKind::Poisson;
  double ratePerSecond = 0; ///< 0: none
  double meanBurst = 8;     ///< requests of a group, at least 1; only for Bursty
};

/// Arrivals until `horizonNs`, ascending. Units: ns. Equal seeds give equal times.
std::vector<int64_t> arrivalTimes(const Arrivals &arrivals, int64_t horizonNs, uint64_t seed);

/// The arrivals that a problem's tenants ask for: their rates and kinds.
std::vector<Arrivals> arrivalsOf(const Problem &problem);

/// An entry alone on a share: its schedule, and what it takes as one job of an idle device.
/// Simulated.
struct SoloPlan {
  Schedule schedule;
  int64_t ns = 0;
  double bytes = 0; ///< moved
  double units = 0; ///< with work, mean
};

/// What partitions run: plans of entries alone, by entry and number of granules.
class SoloPlans {
public:
  /// Plans with bestSchedule(): every entry on each of `counts`, and streams on all granules.
  ///
  /// Fails as bestSchedule() does.
  static StatusOr<SoloPlans> make(const Problem &problem, const std::vector<int32_t> &counts,
                                  const PolicyOptions &options = {});

  /// Takes the schedules that are of one instance on granules [0, n), such as those of a bundle;
  /// streams on all granules are added.
  ///
  /// Fails if one of them has orders that are not right (as directOrders).
  static StatusOr<SoloPlans> of(const Problem &problem, const std::vector<Schedule> &schedules);

  /// The plan on the largest planned number of granules up to `granules`; null if there is none.
  const SoloPlan *find(int32_t entry, int32_t granules) const;
  /// The stream of an entry on the whole device.
  const SoloPlan *stream(int32_t entry) const;
  /// Numbers of granules for which `entry` is planned, ascending.
  std::vector<int32_t> counts(int32_t entry) const;

private:
  Status addStreams(const Problem &problem);

  std::map<std::pair<int32_t, int32_t>, SoloPlan> plans_;
  std::map<int32_t, SoloPlan> streams_;
};

/// Parts of a run from which intervals are estimated; one more, the first, is warm-up.
inline constexpr size_t kLoadParts = 20;

struct OpenLoadOptions {
  /// At least as many of every tenant that has a rate, warm-up not counted.
  int64_t requests = 10'000;
  int64_t horizonNs = 0; ///< not 0: arrivals come so long, in place of `requests`
  uint64_t seed = 1;
  /// Tasks share the device one by one; false: a job is one task with its plan's mean demands, 20
  /// to 100 times faster.
  bool tasks = true;
  /// Stops once more than this part of the requests of a tenant with an SLO must miss it.
  double giveUpAbove = 1;
  /// More requests than these in all are not simulated (InvalidInput names the rates).
  int64_t mostRequests = 5'000'000;
};

/// Requests that took [fromNs, toNs).
struct LatencyBin {
  int64_t fromNs = 0, toNs = 0, requests = 0;
};

/// Latencies of a tenant, from arrival to end.
struct TenantLoad {
  int64_t requests = 0;
  int64_t p50Ns = 0, p90Ns = 0, p99Ns = 0;
  /// 95 % interval of p99, from 20 parts of the run (they need not be independent of each other one
  /// by one, only part by part).
  int64_t p99LowNs = 0, p99HighNs = 0;
  double missed = 0;      ///< part of the requests beyond the SLO
  double utilisation = 0; ///< of the device: granules that its jobs held, mean over the run
  int64_t unserved = 0;   ///< when the run ended; latencies count them with the time until then
  double servedPerSecond = 0;
  std::vector<LatencyBin> histogram; ///< ascending, four bins in a doubling, without empty ones
};

struct OpenOutcome {
  std::vector<TenantLoad> tenants;
  double heldGranules = 0, busyUnits = 0, usedBandwidth = 0; ///< means over the run, 0 to 1
  int64_t endNs = 0;
  /// Stopped: it was clear that too many miss, or more wait than the run can ever serve. Latencies
  /// are then of what had ended.
  bool gaveUp = false;
};

/// Simulates an open load.
///
/// Fails if the layout is not right, a rate is negative or not finite, nothing arrives, a tenant
/// with a rate has no entry or no plan for its partition, or the rates differ so much that
/// `mostRequests` are too few (InvalidInput).
///
/// Complexity: O(events * running tasks).
StatusOr<OpenOutcome> simulateOpen(const Problem &problem, const SoloPlans &plans,
                                   const Layout &layout, const std::vector<Arrivals> &arrivals,
                                   const OpenLoadOptions &options = {});

} // namespace mtc
