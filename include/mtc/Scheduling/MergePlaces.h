//===- MergePlaces.h - small tasks in one command -------------------------===//
//
// A small task gains little from a second core: a part of it ends where the barrier before the next
// task costs as much. Two such tasks that do not need each other can have a core each instead, and
// one barrier: tiles of all places of a command are numbered in a row, the cores share that row as
// they share the tiles of one task, and who waits, waits for all. Kernels need not be equal.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

#include <span>

namespace mtc {

/// A task of a command of several.
struct MergedTask {
  int32_t kernel = 0;
  int32_t variant = 0;
};

/// Duration of tasks as one command on some cores of a host, without neighbours: the work of all,
/// as long as on one core beside others, in equal parts or as the longest tile takes; what
/// splitting costs the tasks across which a core's part ends; a barrier for each phase.
///
/// Precondition: at least one task; check(problem) passed.
int64_t mergedNs(const Problem &problem, std::span<const MergedTask> tasks, int32_t granules);

/// Duration of the command of places [first, end) without neighbours: mergedNs(), or if there is
/// only one place variantNs().
int64_t commandNs(const Problem &problem, const Schedule &schedule, int32_t first, int32_t end);

/// Divides the predicted time of each command of several places, which its first place has, among
/// them, by how long each takes alone: one after the other.
void divideTimes(const Problem &problem, Schedule &schedule);

/// Merges small places of a host's schedule that wait for the same cores into commands, pulling
/// later ones forward, and predicts its times again. Greedy, in the order of the schedule. The
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
