//===- Schedule.h - which task runs when, where, in which variant ---------===//
//
// A Schedule says for every task of a workload its variant, lane and granules, and the orders
// that make it right. Its times are predictions: nothing depends on them (rule R1). Two places
// that share a granule, or a value, must be ordered by data dependences, lane order and
// explicit edges alone; verify() proves it by reachability.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"

#include <utility>

namespace mtc {

/// What one schedule covers: instances of entries on the granules of `granules`.
struct Workload {
  std::string name; ///< "round", or "TENANT.ENTRY.gN" for an entry alone on N granules
  std::vector<int32_t> instances; ///< entry index of each instance; an entry may occur repeatedly
  GranuleMask granules = 1;
};

/// A task of an instance, placed.
struct Place {
  int32_t instance = 0; ///< position in Workload::instances
  int32_t task = 0;     ///< index in the entry's tasks
  int32_t variant = 0;
  int32_t lane = 0; ///< places of one lane run in the order in which they stand in `places`
  GranuleMask granules = 1;
  int64_t startNs = 0;    ///< predicted (see predictTimes)
  int64_t durationNs = 0; ///< predicted
  bool shared = false;    ///< may overlap others on its granules: a baseline, never a plan
  /// Is part of the command of the place before it, on the same granules: their tiles are one
  /// phase, on a GPU one launch, and who waits for one of them waits for all.
  bool merged = false;
};

struct Schedule {
  Workload workload;
  std::string policy;
  int64_t makespanNs = 0;    ///< predicted
  std::vector<Place> places; ///< a topological order of all ordering relations
  /// Orders beyond data dependences and lanes: the first place must end before the second starts.
  std::vector<std::pair<int32_t, int32_t>> edges;
};

/// The workload of an entry alone on granules [0, granules): "TENANT.ENTRY.gN".
Workload soloWorkload(const Problem &problem, int32_t entry, int32_t granules);

/// Verifies that a workload's instances exist and its granules are some of the device's.
///
/// Fails if they do not, or there is none (InvalidInput).
Status check(const Problem &problem, const Workload &workload);

/// Who must end before whom: for each place (or command) the places before it, ascending and
/// without duplicates. All of them have smaller indices.
using Predecessors = std::vector<std::vector<int32_t>>;

/// By place: the first place of its command, which is itself unless it is merged.
std::vector<int32_t> leadersOf(const Schedule &schedule);

/// Places that are part of another's command.
int64_t mergedTasks(const Schedule &schedule);

/// By instance: the predicted end of its last command.
std::vector<int64_t> latenciesNs(const Schedule &schedule);

/// The orders that a schedule states: data dependences, the previous place of the lane, edges.
/// Places of one command wait for the same places, and whoever waits for one waits for each.
///
/// Fails if a task of the workload is missing, placed twice or out of range, an edge is, or
/// `places` is not a topological order of them, or merged places depend on each other.
StatusOr<Predecessors> directOrders(const Problem &problem, const Schedule &schedule);

/// Orders that hold between places, closed under transitivity, as one bit row per place.
///
/// Memory: n * n / 8 bytes.
class Reachability {
public:
  /// The closure of directOrders().
  ///
  /// Fails as that does.
  static StatusOr<Reachability> compute(const Problem &problem, const Schedule &schedule);

  /// The closure of given orders.
  ///
  /// Complexity: O(orders * n / 64).
  static Reachability compute(const Predecessors &before);

  /// Whether `before` ends before `after` starts in every execution.
  bool reaches(int32_t before, int32_t after) const {
    return bits_[size_t(before) * words_ + size_t(after) / 64] >> (after % 64) & 1;
  }
  bool ordered(int32_t a, int32_t b) const { return reaches(a, b) || reaches(b, a); }

private:
  size_t words_ = 0;
  std::vector<uint64_t> bits_;
};

/// `before` without the orders that follow from the others: the unique transitive reduction.
///
/// Complexity: the sum of squares of the predecessor counts.
Predecessors transitiveReduction(const Predecessors &before, const Reachability &reachability);

/// Sets the predicted times of a schedule: a place starts when all that its orders demand has
/// ended; while all running tasks want more bytes than Device::bytesPerNs, all slow down by that
/// factor; `shared` places slow down while together they have more tiles than the workload has
/// units.
///
/// Precondition: verify() passed.
///
/// Complexity: O(places * (running places + orders)).
Status predictTimes(const Problem &problem, Schedule &schedule);

/// Proves a schedule right for `problem`, ignoring times: every task of every instance placed
/// exactly once, variants exist, masks nonempty and inside the workload's granules, all orders
/// acyclic, and places that share a granule ordered unless both are `shared` or of one command; a
/// command's places on the same lane and granules, of one tenant or isolation group that is not
/// guarded, none of them control flow, on a GPU of one kernel in one variant.
///
/// Precondition: check(problem) passed; the schedule may hold anything.
///
/// Fails if any of these does not hold, naming the tasks (`det.n1 task 17 (conv_3) and rec.n1 task
/// 3 (mul) share granule 1 and are not ordered`).
///
/// Complexity: as Reachability.
Status verify(const Problem &problem, const Schedule &schedule);

/// "det.n1 task 17 (conv_3)" of a place, for messages; with "[2]" after the entry for the third
/// instance, if the workload holds the entry more than once.
std::string describePlace(const Problem &problem, const Schedule &schedule, int32_t place);

} // namespace mtc
