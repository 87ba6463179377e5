//===- Policies.h - free functions Problem -> Schedule --------------------===//
//
// A policy takes a checked Problem and a Workload and returns a Schedule that verify() accepts.
// They are listed in one table by name; a new policy is a function, a row, a test and a line of
// documentation.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

namespace mtc {

/// What a search may cost.
struct PolicyOptions {
  /// Schedules that `joint` may try; up to 16 times as many for tiny workloads, fewer for large
  /// ones.
  int64_t searchSteps = 3000;
  /// Wall clock limit of a search in seconds; 0: none. With a limit the result depends on the
  /// machine.
  double budgetSeconds = 0;
  /// `joint`: how much slower than on a stream of its own a tenant may be before that counts more
  /// than the makespan. Infinite: never.
  double slowdownRoom = 1.19;
  /// Every policy's places are merged where that is predicted to pay (MergePlaces.h); on a GPU the
  /// search of `joint` decides itself what to merge.
  bool merge = false;
};

/// One instance after the other, each task on all granules of the workload.
/// This is what a process gets that serves its models in turn: the baseline.
StatusOr<Schedule> scheduleSequential(const Problem &problem, const Workload &workload,
                                      const PolicyOptions &options = {});

/// Every instance in a stream of its own on the whole device, in the order of its tasks, each task
/// in the variant that is fastest on all granules: places are `shared`. This is what users of GPU
/// streams get: a baseline for simulation, never a plan.
StatusOr<Schedule> scheduleStreams(const Problem &problem, const Workload &workload,
                                   const PolicyOptions &options = {});

/// Every instance on one granule: the longest first, each on the granule that is free first. What
/// users get who give each model a core of its own: a baseline, but a plan all the same.
///
/// Source: Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17(2), 1969.
StatusOr<Schedule> scheduleApart(const Problem &problem, const Workload &workload,
                                 const PolicyOptions &options = {});

/// List scheduling of all instances' tasks together by upward rank, each task on the number of
/// granules (and variant) with which it is predicted to finish first without wasting the device.
///
/// Source: Topcuoglu, Hariri, Wu, "Performance-effective and low-complexity task scheduling for
/// heterogeneous computing", IEEE TPDS 13(3), 2002; moldable tasks as in CPA (Radulescu, van Gemund
/// 2001).
StatusOr<Schedule> scheduleHeft(const Problem &problem, const Workload &workload,
                                const PolicyOptions &options = {});

/// Stages in which every entry's instances run a part of their tasks on granules of their own;
/// pointers between the parts are moved by coordinate descent.
///
/// Source: Yu et al., "Automated Runtime-Aware Scheduling for Multi-Tenant DNN Inference on GPU",
/// ICCAD 2021.
StatusOr<Schedule> scheduleStages(const Problem &problem, const Workload &workload,
                                  const PolicyOptions &options = {});

/// One instance after the other; inside an instance independent tasks run side by side in stages,
/// found by dynamic programming over blocks of 12 tasks.
///
/// Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", MLSys 2021.
StatusOr<Schedule> scheduleIos(const Problem &problem, const Workload &workload,
                               const PolicyOptions &options = {});

/// The device whole or split once by fifths; instances of one part run in turn on all of it.
///
/// Source: Choi et al., "Serving Heterogeneous Machine Learning Models on Multi-GPU Servers with
/// Spatio-Temporal Sharing", USENIX ATC 2022 (gpulet).
StatusOr<Schedule> schedulePartition(const Problem &problem, const Workload &workload,
                                     const PolicyOptions &options = {});

/// The knee of an efficiency curve: the largest share beyond which more granules gain less than
/// half of their part. `soloNs[g - 1]`: time on g granules.
size_t kneeOf(const std::vector<int64_t> &soloNs);

/// Order, granules and variants of all instances' tasks together: a large-neighbourhood search from
/// many seeds. Goal, in this order: SLO misses, slowdown of tenants (weighted by 2^priority) beyond
/// what they would have on a stream of their own, makespan, mean slowdown. Anytime: more steps
/// never give a worse prediction. On a host the makespan counts with what it may be longer: by a
/// part of the time in which tasks run side by side, and by a wait wherever cores have to get into
/// step again; predictions see neither.
///
/// Complexity: searchSteps passes of O(n log n), at most 25 million node visits.
StatusOr<Schedule> scheduleJoint(const Problem &problem, const Workload &workload,
                                 const PolicyOptions &options = {});

struct Policy {
  const char *name;
  const char *summary;
  StatusOr<Schedule> (*run)(const Problem &, const Workload &, const PolicyOptions &);
  bool isBaseline = false; ///< for comparison only: bestSchedule() leaves it out
};

/// All policies, by name. The returned array has static storage.
const std::vector<Policy> &policies();

/// Runs the policy called `name`, then verify() and predictTimes(), then mergePlaces() if asked.
///
/// Fails if the name is unknown (the message lists the known ones), or the result does not verify
/// (Internal).
StatusOr<Schedule> runPolicy(const std::string &name, const Problem &problem,
                             const Workload &workload, const PolicyOptions &options = {});

/// The schedule of the policy with the least predicted makespan, on a host with what that may be
/// longer, as `joint` counts it; of those within half a percent the one with the least sum of
/// latencies, each relative to the least that any policy gives. Of equals the first in the table;
/// baselines are left out.
StatusOr<Schedule> bestSchedule(const Problem &problem, const Workload &workload,
                                const PolicyOptions &options = {});

/// @round: the first entry of each tenant on all granules, tenants in the order of their first
/// entries.
///
/// Fails if the problem has no entry.
StatusOr<Workload> roundWorkload(const Problem &problem);

/// The schedules a bundle holds, each verified, each bestSchedule(): @round first, then every entry
/// alone on 1 to 8 granules, on eighths of powers of two beyond, and on all.
StatusOr<std::vector<Schedule>> defaultSchedules(const Problem &problem,
                                                 const PolicyOptions &options = {});

} // namespace mtc
