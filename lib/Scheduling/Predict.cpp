//===- Predict.cpp - when the places of a schedule run --------------------===//
#include "Contention.h"
#include "mtc/Scheduling/MergePlaces.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mtc {

/// What the command of place `first` draws; of what is merged with it nothing is left.
static Demand demandOf(const Problem &problem, const Schedule &schedule, int32_t first) {
  const auto &places = schedule.places;
  const Place &place = places[static_cast<size_t>(first)];
  if (place.merged)
    return {};
  int64_t bytes = 0, tiles = 0;
  auto end = static_cast<size_t>(first);
  do {
    const Entry &entry = problem.entries[static_cast<size_t>(
        schedule.workload.instances[static_cast<size_t>(places[end].instance)])];
    const Kernel &kernel = problem.kernels[static_cast<size_t>(
        entry.tasks[static_cast<size_t>(places[end].task)].kernel)];
    const Variant &variant = kernel.variants[static_cast<size_t>(places[end].variant)];
    bytes += kernel.bytes;
    tiles += *std::max_element(variant.phaseTiles.begin(), variant.phaseTiles.end());
  } while (++end < places.size() && places[end].merged);
  return demandOf(problem.device, commandNs(problem, schedule, first, static_cast<int32_t>(end)),
                  bytes, tiles, std::popcount(place.granules));
}

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
    place.startNs = std::llround(device.nowNs());
    device.start(p, demandOf(problem, schedule, p), place.shared);
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
  divideTimes(problem, schedule);
  return okStatus();
}

} // namespace mtc
