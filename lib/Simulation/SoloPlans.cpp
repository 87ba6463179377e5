//===- SoloPlans.cpp - what partitions run --------------------------------===//
#include "mtc/Simulation/OpenLoad.h"
#include "mtc/Simulation/Simulate.h"

#include <bit>

namespace mtc {

static StatusOr<SoloPlan> planOf(const Problem &problem, Schedule schedule) {
  MTC_ASSIGN_OR_RETURN(SimulatedRound alone, simulate(problem, schedule));
  SoloPlan plan;
  plan.ns = std::max<int64_t>(1, alone.makespanNs);
  plan.bytes = alone.usedBandwidth * problem.device.bytesPerNs * static_cast<double>(plan.ns);
  plan.units =
      alone.busyUnits * std::popcount(schedule.workload.granules) * problem.device.unitsPerGranule;
  plan.schedule = std::move(schedule);
  return plan;
}

Status SoloPlans::addStreams(const Problem &problem) {
  for (size_t e = 0; e < problem.entries.size(); ++e) {
    auto entry = static_cast<int32_t>(e);
    MTC_ASSIGN_OR_RETURN(
        Schedule stream,
        runPolicy("streams", problem, soloWorkload(problem, entry, problem.device.granules)));
    MTC_ASSIGN_OR_RETURN(streams_[entry], planOf(problem, std::move(stream)));
  }
  return okStatus();
}

StatusOr<SoloPlans> SoloPlans::make(const Problem &problem, const std::vector<int32_t> &counts,
                                    const PolicyOptions &options) {
  std::vector<Schedule> schedules;
  for (size_t e = 0; e < problem.entries.size(); ++e)
    for (int32_t count : counts) {
      Workload alone = soloWorkload(problem, static_cast<int32_t>(e), count);
      MTC_ASSIGN_OR_RETURN(Schedule schedule, bestSchedule(problem, alone, options));
      schedules.push_back(std::move(schedule));
    }
  return of(problem, schedules);
}

StatusOr<SoloPlans> SoloPlans::of(const Problem &problem, const std::vector<Schedule> &schedules) {
  SoloPlans plans;
  for (const Schedule &schedule : schedules) {
    int32_t count = std::popcount(schedule.workload.granules);
    if (schedule.workload.instances.size() != 1 || schedule.workload.granules != allGranules(count))
      continue;
    MTC_ASSIGN_OR_RETURN(SoloPlan plan, planOf(problem, schedule));
    plans.plans_.emplace(std::pair(schedule.workload.instances[0], count), std::move(plan));
  }
  MTC_RETURN_IF_ERROR(plans.addStreams(problem));
  return plans;
}

const SoloPlan *SoloPlans::find(int32_t entry, int32_t granules) const {
  auto after = plans_.upper_bound({entry, granules});
  if (after == plans_.begin() || std::prev(after)->first.first != entry)
    return nullptr;
  return &std::prev(after)->second;
}

const SoloPlan *SoloPlans::stream(int32_t entry) const {
  auto at = streams_.find(entry);
  return at == streams_.end() ? nullptr : &at->second;
}

std::vector<int32_t> SoloPlans::counts(int32_t entry) const {
  std::vector<int32_t> counts;
  for (auto at = plans_.lower_bound({entry, 0}); at != plans_.end() && at->first.first == entry;
       ++at)
    counts.push_back(at->first.second);
  return counts;
}

} // namespace mtc
