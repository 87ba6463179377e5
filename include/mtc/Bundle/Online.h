//===- Online.h - what decides at run time reads of a bundle --------------===//
//
// Schedulers that decide while requests arrive need little of a plan: how long it takes on which
// share, where it can be stopped and what is live then, what it presses on and suffers from. These
// rows are derived from a target's problem, schedules and plans when the bundle is written, so that
// a scheduler needs neither cost model nor planner. Times are those of the problem; `source` says
// whether they were measured.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Planning/Plan.h"

#include <optional>

namespace mtc {

/// Commands up to one after which a plan may stop: what runs is drained, the rest is not started.
/// Commands stand in a topological order, so the end of every command is such a point.
struct SegmentRow {
  int32_t commands = 0;  ///< of the plan, up to this point
  int64_t ns = 0;        ///< predicted, from the point before to the end of all these commands
  int64_t liveBytes = 0; ///< of the arenas, that later commands read
};

/// Parts of the device's rates that a plan uses, means over its time: 0 to 1.
struct Pressure {
  double units = 0;     ///< with work, of the device's
  double bandwidth = 0; ///< of main memory
  double footprint = 0; ///< bytes touched, weights once; in bytes
};

/// An entry alone on granules [0, granules): relocatable to any others of the same number.
struct SoloRow {
  int32_t schedule = 0; ///< and plan, of the target
  int32_t entry = 0;
  int32_t granules = 1;
  int64_t meanNs = 0, p50Ns = 0, p99Ns = 0; ///< all equal where `samples` is 0
  int64_t samples = 0;
  std::string source; ///< "modelled", "learned" or "measured"
  std::string device; ///< on which
  int64_t arenaBytes = 0;
  int64_t weightBytes = 0;
  int64_t movedBytes = 0;
  int32_t maximalInstances = 1; ///< side by side on disjoint granules
  Pressure pressure;
  /// Longer by this part beside neighbours that want all of the bandwidth.
  double bandwidthSensitivity = 0;
  std::vector<SegmentRow> segments;
};

/// Disjoint parts of the device, and what it takes to change to them.
struct LayoutRow {
  std::string name; ///< "2x1", "1+3", or a profile of the device
  std::vector<GranuleMask> masks;
  int64_t units = 0;         ///< of the first part
  int64_t memoryBytes = 0;   ///< of the first part; 0: all share the device's
  int64_t reconfigureNs = 0; ///< to this layout from another
  /// By part. A MIG instance has units beyond its mask's where those are no whole granule; no
  /// memory: all share the device's.
  std::vector<int64_t> partUnits, partMemoryBytes;
};

/// A stored round of several instances.
struct MixRow {
  int32_t schedule = 0;
  std::vector<int32_t> entries;
  std::vector<int64_t> latencyNs; ///< by instance, predicted
  int64_t makespanNs = 0;
};

/// What the compiler found that a tenant will see under the load it was told of; simulated.
struct VerdictRow {
  int32_t tenant = 0;
  double ratePerSecond = 0;
  ArrivalKind arrivals = ArrivalKind::Poisson;
  int64_t sloNs = 0;
  int64_t aloneNs = 0; ///< on the idle device, on all granules
  int64_t p50Ns = 0, p99Ns = 0;
  int64_t p99LowNs = 0, p99HighNs = 0; ///< 95 % interval
  double missed = 0, utilisation = 0;
  bool fits = true;
};

/// A part of the device that runs one job at a time.
struct PartitionRow {
  GranuleMask granules = 1;
  std::vector<int32_t> tenants; ///< that it serves
};

/// Whether the set fits the device, and on what this rests.
struct VerdictTable {
  bool fits = true;
  int64_t requests = 0;                            ///< at least, of each tenant with a rate
  uint64_t seed = 0;                               ///< of the arrivals
  int64_t measured = 0, learned = 0, modelled = 0; ///< kernels, by where their times come from
  std::vector<PartitionRow> partitions;            ///< which tenants ran where
  std::vector<VerdictRow> tenants;                 ///< all, in the order of the problem
};

struct OnlineTables {
  std::vector<SoloRow> solos;
  std::vector<LayoutRow> layouts;
  std::vector<MixRow> mixes;
  std::optional<VerdictTable> verdict; ///< none: no tenant has a rate or an SLO
};

/// The rows of a target. Segments are of at least `quantumNs`, but for the last.
///
/// Precondition: plans[i] belongs to schedules[i], both verified.
///
/// Complexity: linear in the commands, plus sorting.
OnlineTables makeOnlineTables(const Problem &problem, const std::vector<Schedule> &schedules,
                              const std::vector<Plan> &plans, int64_t quantumNs = 2'000'000);

} // namespace mtc
