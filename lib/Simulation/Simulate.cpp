//===- Simulate.cpp - one round of a schedule -----------------------------===//
#include "mtc/Simulation/Simulate.h"
#include "DeviceTasks.h"

#include <cmath>
#include <limits>

namespace mtc {

/// Merged places end with their command, whose time is divided among them.
static void endMerged(const Problem &problem, const Schedule &schedule, SimulatedRound &round) {
  Schedule divided = schedule;
  for (size_t p = 0; p < schedule.places.size(); ++p) {
    const PlaceRun &run = round.places[p];
    divided.places[p].startNs = run.startNs;
    divided.places[p].durationNs = run.endNs - run.startNs;
  }
  divideTimes(problem, divided);
  for (size_t p = 0; p < schedule.places.size(); ++p)
    round.places[p] = {divided.places[p].startNs,
                       divided.places[p].startNs + divided.places[p].durationNs};
  round.latencyNs = latenciesNs(divided);
}

StatusOr<SimulatedRound> simulate(const Problem &problem, const Schedule &schedule) {
  MTC_ASSIGN_OR_RETURN(Predecessors before, directOrders(problem, schedule));
  std::vector<int32_t> missing(before.size());
  std::vector<std::vector<int32_t>> after(before.size());
  SharedDevice device(problem.device);
  SimulatedRound round;
  round.places.resize(before.size());
  round.latencyNs.assign(schedule.workload.instances.size(), 0);

  auto start = [&](int32_t p) {
    round.places[static_cast<size_t>(p)].startNs = std::llround(device.nowNs());
    device.start(p, commandTask(problem, schedule, static_cast<size_t>(p)));
  };
  for (size_t p = 0; p < before.size(); ++p) {
    missing[p] = static_cast<int32_t>(before[p].size());
    for (int32_t first : before[p])
      after[static_cast<size_t>(first)].push_back(static_cast<int32_t>(p));
  }
  for (size_t p = 0; p < before.size(); ++p)
    if (missing[p] == 0)
      start(static_cast<int32_t>(p));

  std::vector<int32_t> ended;
  while (!device.idle()) {
    ended.clear();
    device.advance(std::numeric_limits<double>::infinity(), ended);
    int64_t nowNs = std::llround(device.nowNs());
    for (int32_t p : ended) {
      round.places[static_cast<size_t>(p)].endNs = nowNs;
      int32_t instance = schedule.places[static_cast<size_t>(p)].instance;
      round.latencyNs[static_cast<size_t>(instance)] = nowNs;
      for (int32_t next : after[static_cast<size_t>(p)])
        if (--missing[static_cast<size_t>(next)] == 0)
          start(next);
    }
    round.makespanNs = nowNs;
  }
  endMerged(problem, schedule, round);
  if (round.makespanNs > 0) {
    auto ns = static_cast<double>(round.makespanNs);
    double units = std::popcount(schedule.workload.granules) * problem.device.unitsPerGranule;
    round.busyUnits = device.unitNs() / (units * ns);
    round.usedBandwidth =
        problem.device.bytesPerNs > 0 ? device.movedBytes() / (problem.device.bytesPerNs * ns) : 0;
  }
  return round;
}

} // namespace mtc
