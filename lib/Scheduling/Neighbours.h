//===- Neighbours.h - what predictions leave out of a host (internal) -----===//
//
// Cores share the last cache, memory and a power budget; a Problem's times know of that only what
// bandwidth says. And cores that work side by side drift apart, whatever is predicted: where one
// needs what the other computes, or both are to share a task, the first one waits. So a host's
// schedule may take longer than predicted: by a part of the time in which tasks run side by side,
// and by a wait for each moment at which cores have to be in step again. A schedule that puts small
// tasks beside each other for a while deserves little doubt, one that runs large ones side by side
// all along, or meets every few tasks, much of it, and tasks in turn on all cores none.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "TaskGraph.h"

#include <array>

namespace mtc {

/// How much longer a task may take beside another than predicted, as a part of its time. 0 unless
/// granules are a host's cores.
double neighbourDoubt(const Problem &problem, const Kernel &kernel);

/// neighbourDoubt() by kernel.
std::vector<double> neighbourDoubts(const Problem &problem);

/// Goes through a schedule in time and sums up how much longer it may take.
class Besides {
public:
  Besides(size_t nodes, size_t granules)
      : masks_(nodes, 0), granules_(static_cast<double>(granules)) {}

  void clear() {
    lastOn_.fill(-1);
    besideNs_ = 0;
  }

  /// Something runs beside something else for `ns`; `doubt`: the largest of their doubts.
  double pass(double ns, double doubt) {
    besideNs_ += ns;
    return ns * doubt;
  }

  /// `node` starts on `mask`: the wait of its granules, if they have to get into step for it.
  double start(int32_t node, GranuleMask mask, const Predecessors &before);

  /// Cores get into step, that part of them: as they do at the end.
  double meet(double part = 1);

private:
  std::vector<GranuleMask> masks_; ///< by node
  std::array<int32_t, 64> lastOn_; ///< by granule: its last node
  double granules_;
  double besideNs_ = 0; ///< since cores were in step
};

/// How much longer than predicted a schedule may take: over the time in which places run side by
/// side, the largest doubt of those that run, and the waits to get into step. 0 unless granules are
/// a host's cores.
///
/// Precondition: the schedule's times are predicted; none of its places is shared.
///
/// Complexity: O(places * (log places + granules) + dependences).
double doubtNs(const Problem &problem, const Schedule &schedule);

/// The predicted makespan and what it may be longer.
inline double expectedNs(const Problem &problem, const Schedule &schedule) {
  return static_cast<double>(schedule.makespanNs) + doubtNs(problem, schedule);
}

} // namespace mtc
