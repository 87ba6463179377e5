//===- Simulate.h - how long a schedule takes on a modelled device --------===//
//
// Discrete events over tasks. What runs shares the device: bandwidth in proportion to demand, and
// units too where places are `shared`. The simulator believes a Problem's times (each without
// neighbours) and nothing of a Schedule's but its orders, places and variants: its predicted times
// are not read. It shares no code with the policies, so it can judge them.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

#include <algorithm>

namespace mtc {

struct PlaceRun {
  int64_t startNs = 0;
  int64_t endNs = 0;
};

/// A round as it went. Everything is simulated; times count from the start of the round.
struct SimulatedRound {
  int64_t makespanNs = 0;
  std::vector<int64_t> latencyNs; ///< by instance: the end of its last task
  std::vector<PlaceRun> places;   ///< by place
  double busyUnits = 0;           ///< units that had work, mean over the round, 0 to 1
  double usedBandwidth = 0;       ///< of the device's, mean over the round, 0 to 1
};

/// Runs a schedule once on an idle device: a place starts when all that its orders demand has
/// ended.
///
/// A place's time without neighbours is launch (Device::launchNs, at most its time) and body. In
/// its body it draws its kernel's bytes evenly. While all bodies together want more than
/// Device::bytesPerNs, all slow down by that factor. `shared` places want as many units as they
/// have tiles; while they want more than their granules have, they slow down by that factor.
///
/// Precondition: check(problem).
///
/// Fails if the schedule's orders are not right (as directOrders).
///
/// Complexity: O(places * (running places + orders)).
StatusOr<SimulatedRound> simulate(const Problem &problem, const Schedule &schedule);

/// What no schedule of a workload can beat in the model of simulate(). Units: ns.
struct LowerBounds {
  int64_t pathNs = 0;     ///< longest chain of an instance, each task where it is fastest
  int64_t areaNs = 0;     ///< granules times time, each task where that is least, launches included
  int64_t workNs = 0;     ///< units that have tiles times time without launches
  int64_t bytesNs = 0;    ///< all bytes at full bandwidth
  int64_t combinedNs = 0; ///< path and area at once: who is to be fast takes more area

  /// For places that have their granules to themselves.
  int64_t exclusiveNs() const { return std::max({pathNs, areaNs, bytesNs, combinedNs}); }
  /// For `shared` places too: longest chain, or all work at full rate.
  int64_t anyNs() const { return std::max({pathNs, workNs, bytesNs}); }
};

/// Precondition: check(problem) and check(problem, workload).
LowerBounds lowerBounds(const Problem &problem, const Workload &workload);

} // namespace mtc
