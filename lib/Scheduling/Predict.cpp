//===- Predict.cpp - when the places of a schedule run --------------------===//
#include "Contention.h"
#include "mtc/Scheduling/Schedule.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mtc {

Status predictTimes(const Problem &problem, Schedule &schedule) {
  MTC_ASSIGN_OR_RETURN(Predecessors before, directOrders(problem, schedule));
  std::vector<std::vector<int32_t>> after(before.size());
  std::vector<size_t> missing(before.size());
  for (size_t p = 0; p < before.size(); ++p) {
    missing[p] = before[p].size();
    for (int32_t first : before[p])
      after[static_cast<size_t>(first)].push_back(static_cast<int32_t>(p));
  }
  Contention device(problem.device, std::popcount(schedule.workload.granules) *
                                        double(problem.device.unitsPerGranule));
  auto start = [&](int32_t p) {
    Place &place = schedule.places[static_cast<size_t>(p)];
    const Entry &entry = problem.entries[static_cast<size_t>(
        schedule.workload.instances[static_cast<size_t>(place.instance)])];
    auto kernel = static_cast<size_t>(entry.tasks[static_cast<size_t>(place.task)].kernel);
    place.startNs = std::llround(device.nowNs());
    device.start(p,
                 demandOf(problem.device, problem.kernels[kernel], place.variant,
                          std::popcount(place.granules)),
                 place.shared);
  };
  for (size_t p = 0; p < before.size(); ++p)
    if (missing[p] == 0)
      start(static_cast<int32_t>(p));
  std::vector<int32_t> ended;
  while (!device.idle()) {
    ended.clear();
    device.run(ended);
    schedule.makespanNs = std::llround(device.nowNs());
    for (int32_t p : ended) {
      Place &place = schedule.places[static_cast<size_t>(p)];
      place.durationNs = schedule.makespanNs - place.startNs;
      for (int32_t next : after[static_cast<size_t>(p)])
        if (--missing[static_cast<size_t>(next)] == 0)
          start(next);
    }
  }
  return okStatus();
}

} // namespace mtc
