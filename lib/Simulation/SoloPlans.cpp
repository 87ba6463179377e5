//===- SoloPlans.cpp - what partitions run --------------------------------===//
#include "mtc/Simulation/OpenLoad.h"

#include <bit>

namespace mtc {

void SoloPlans::addStreams(const Problem &problem) {
  for (size_t e = 0; e < problem.entries.size(); ++e) {
    auto entry = static_cast<int32_t>(e);
    // Cannot fail: the stream of a checked entry is a chain.
    StatusOr<Schedule> stream =
        runPolicy("streams", problem, soloWorkload(problem, entry, problem.device.granules));
    if (stream.ok())
      streams_[entry] = std::move(*stream);
  }
}

StatusOr<SoloPlans> SoloPlans::make(const Problem &problem, const std::vector<int32_t> &counts,
                                    const PolicyOptions &options) {
  SoloPlans plans;
  for (size_t e = 0; e < problem.entries.size(); ++e)
    for (int32_t count : counts) {
      auto entry = static_cast<int32_t>(e);
      MTC_ASSIGN_OR_RETURN((plans.plans_[{entry, count}]),
                           bestSchedule(problem, soloWorkload(problem, entry, count), options));
    }
  plans.addStreams(problem);
  return plans;
}

SoloPlans SoloPlans::of(const Problem &problem, const std::vector<Schedule> &schedules) {
  SoloPlans plans;
  for (const Schedule &schedule : schedules) {
    int32_t count = std::popcount(schedule.workload.granules);
    if (schedule.workload.instances.size() == 1 && schedule.workload.granules == allGranules(count))
      plans.plans_.emplace(std::pair(schedule.workload.instances[0], count), schedule);
  }
  plans.addStreams(problem);
  return plans;
}

const Schedule *SoloPlans::find(int32_t entry, int32_t granules) const {
  auto after = plans_.upper_bound({entry, granules});
  if (after == plans_.begin() || std::prev(after)->first.first != entry)
    return nullptr;
  return &std::prev(after)->second;
}

const Schedule *SoloPlans::stream(int32_t entry) const {
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
