//===- MergePlaces.h - small tasks in one command -------------------------===//
//
// A small task gains little from a second core: a part of it ends where the barrier before the next
// task costs as much. Two such tasks that do not need each other can have a core each instead, and
// one barrier: tiles of all places of a command are numbered in a row, the cores share that row as
// they share the tiles of one task, and who waits, waits for all. Kernels need not be equal.
//
// On a GPU the members of a command are uses of one kernel in one variant: one launch over the
// tiles of all, which saves launches and fills SMs that the tiles of one leave idle.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

#include <span>

namespace mtc {

/// More places wait for each other's tail, and for the slowest of more caches; and a launch has
/// parameters for each.
inline constexpr size_t kMostMerged = 16;

/// A task of a command of several.
struct MergedTask {
  int32_t kernel = 0;
  int32_t variant = 0;
};

/// Duration of tasks as one command on some cores of a host, without neighbours: the work of all,
/// as long as on one core beside others, in equal parts or as the longest tile takes; what
/// splitting costs the tasks across which a core's part ends; a barrier for each phase. On granules
/// of a GPU: the time of one task on so few that its SMs have as many tiles to run as those of all
/// tasks here, or if one granule gives no SM so many, as much longer as its times on fewer and on
/// more granules say; at least as long as the bytes of all take.
///
/// Precondition: at least one task, on a GPU all equal; check(problem) passed.
int64_t mergedNs(const Problem &problem, std::span<const MergedTask> tasks, int32_t granules);

/// Duration of the command of places [first, end) without neighbours: mergedNs(), or if there is
/// only one place variantNs().
int64_t commandNs(const Problem &problem, const Schedule &schedule, int32_t first, int32_t end);

/// Divides the predicted time of each command of several places, which its first place has, among
/// them, by how long each takes alone: one after the other.
void divideTimes(const Problem &problem, Schedule &schedule);

/// Merges small places of a schedule that wait for the same cores into commands, or on a GPU equal
/// ones that wait for the same granules, pulling later ones forward, and predicts its times again.
/// Greedy, in the order of the schedule. The
/// given schedule comes back if the new one is not predicted at least half a percent better, with
/// what it may be longer (as `joint` counts it), or a tenant misses an SLO that it kept.
///
/// Precondition: verify() and predictTimes() passed.
///
/// Fails if what it made does not verify (Internal).
///
/// Complexity: O(places * ready places), and that of verify().
StatusOr<Schedule> mergePlaces(const Problem &problem, const Schedule &schedule);

} // namespace mtc
