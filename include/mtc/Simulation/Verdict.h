//===- Verdict.h - does the set fit the device? ---------------------------===//
//
// From rates, arrivals, priorities and SLOs: the latencies that the tenants will see, whether all
// SLOs hold, which tenant binds, and what would fit. Simulated, on the times that the Problem has.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Simulation/Layouts.h"
#include "mtc/Simulation/TimeOrigins.h"

namespace mtc {

struct VerdictOptions {
  int64_t requests = 10'000; ///< at least, of every tenant
  uint64_t seed = 1;
  std::string layout = "joint"; ///< or "gpulet", "streams"
  int64_t layoutSteps = 200;    ///< of the search for a layout
  /// Up to so many tasks are simulated one by one; beyond, jobs as single tasks.
  int64_t mostTasks = 3'000'000;
  bool headroom = false; ///< say how much more would fit, if the set fits
};

/// What a tenant will see.
struct TenantVerdict {
  std::string name;
  double ratePerSecond = 0; ///< 0: it gets no requests, and `load` is empty
  ArrivalKind arrivals = ArrivalKind::Poisson;
  int64_t sloNs = 0;   ///< p99; 0: none
  int64_t aloneNs = 0; ///< one request on the idle device, on all granules
  TenantLoad load;
  /// The upper end of p99's interval (without a rate: the time alone) is within the SLO.
  bool fits = true;

  /// The upper end over the SLO; 0 without an SLO.
  double used() const;
};

struct Verdict {
  std::vector<TenantVerdict> tenants; ///< in the order of the problem
  std::vector<Partition> partitions;  ///< which tenants ran where
  std::string layout; ///< which tenants ran where (printLayout()); empty: no tenant has a rate
  OpenOutcome outcome;
  bool byTasks = true; ///< tasks were simulated one by one
  /// Nothing was merely modelled: all times were learned from measurements, or measured.
  bool isCalibrated = false;
  TimeOrigins times; ///< of the problem's kernels
  bool fits = true;
  int32_t binding = -1; ///< tenant that uses most of its SLO; -1: no tenant has one
  /// Why no layout can do: who fits no share, or rates beyond the device.
  std::vector<std::string> impossible;
  std::vector<std::string> advice; ///< what would fit, or how much more would
};

/// Whether every time of the problem was measured or learned from measurements.
bool isCalibrated(const Problem &problem);

/// Judges the load that the problem's tenants ask for, on the plans given.
///
/// Fails if no tenant has a rate or an SLO, `options.layout` is unknown (the message lists the
/// known), or as simulateOpen() (InvalidInput).
///
/// Complexity: `layoutSteps` short simulations and a long one; ten times that if the set does not
/// fit.
StatusOr<Verdict> judgeLoad(const Problem &problem, const SoloPlans &plans,
                            const VerdictOptions &options = {});

/// An error (SloInfeasible) if the set does not fit and the times are measured: modelled ones prove
/// nothing.
Status requireFit(const Verdict &verdict);

/// A table for people, of several lines.
std::string printVerdict(const Verdict &verdict);

/// "tenant 'det' has a p99 of up to 62.6 ms, 4.3 % over its SLO of 60 ms", what is impossible, and
/// what would fit; empty if the set fits.
std::string missesOf(const Verdict &verdict);

/// Changes a problem's tenants: "det.rate=x2", "det.rate=20/s", "det.slo=x0.5", "det.slo=40ms",
/// "det.priority=3", "det.arrivals=periodic"; without "det." all tenants that have a rate or SLO.
///
/// Fails if the text has another form, a tenant or key is unknown (the message lists the known), or
/// a value is not positive (InvalidInput).
Status applyWhatIf(Problem &problem, const std::string &change);

} // namespace mtc
