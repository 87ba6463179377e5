//===- TimeOrigins.cpp - what a simulation's times rest on ----------------===//
#include "mtc/Simulation/TimeOrigins.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace mtc {

void TimeOrigins::add(TimeOrigin origin) {
  ++(origin == TimeOrigin::Measured  ? measured
     : origin == TimeOrigin::Learned ? learned
                                     : modelled);
}

/// The origin of the time that variantNs() takes.
static TimeOrigin originOn(const Variant &variant, int32_t granules) {
  const ShareTime *used = &variant.times.front();
  for (const ShareTime &time : variant.times)
    if (time.granules <= granules)
      used = &time;
  return used->origin;
}

TimeOrigins originsOf(const Problem &problem, const Schedule &schedule) {
  TimeOrigins origins;
  for (const Place &place : schedule.places) {
    int32_t entry = schedule.workload.instances[static_cast<size_t>(place.instance)];
    const Task &task =
        problem.entries[static_cast<size_t>(entry)].tasks[static_cast<size_t>(place.task)];
    const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
    origins.add(originOn(kernel.variants[static_cast<size_t>(place.variant)],
                         std::popcount(place.granules)));
  }
  return origins;
}

TimeOrigins originsOf(const Problem &problem) {
  TimeOrigins origins;
  for (const Kernel &kernel : problem.kernels) {
    TimeOrigin least = TimeOrigin::Measured; // the enumerators ascend in certainty
    for (const Variant &variant : kernel.variants)
      for (const ShareTime &time : variant.times)
        least = std::min(least, time.origin);
    origins.add(least);
  }
  return origins;
}

std::string printOrigins(const TimeOrigins &origins) {
  const std::pair<int64_t, const char *> all[] = {
      {origins.measured, "measured"}, {origins.learned, "learned"}, {origins.modelled, "modelled"}};
  int64_t kinds = std::count_if(std::begin(all), std::end(all),
                                [](const auto &each) { return each.first > 0; });
  std::string text;
  int64_t left = kinds;
  for (const auto &[count, name] : all) {
    if (count == 0)
      continue;
    text += kinds == 1 ? name : fmt::format("{} {}", count, name);
    if (--left > 0)
      text += left == 1 ? " and " : ", ";
  }
  return text;
}

} // namespace mtc
