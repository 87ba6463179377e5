//===- Mixes.cpp - rounds of some tenants ---------------------------------===//
#include "mtc/Scheduling/Mixes.h"

#include <fmt/format.h>

namespace mtc {

/// Rounds of some tenants that a bundle may hold.
static constexpr size_t kMostMixes = 256;
/// There are many of them: a part of the steps each.
static constexpr int64_t kMixPart = 8;

StatusOr<std::vector<Schedule>> mixSchedules(const Problem &problem, int64_t mostTenants,
                                             const PolicyOptions &options) {
  MTC_ASSIGN_OR_RETURN(const Workload round, roundWorkload(problem));
  const size_t all = round.instances.size();
  PolicyOptions mixOptions = options;
  mixOptions.searchSteps /= kMixPart;
  // Sets of positions in the round that grow at their end: by size, then in order.
  std::vector<std::vector<size_t>> sets;
  for (size_t i = 0; i < all; ++i)
    sets.push_back({i});
  std::vector<Schedule> schedules;
  for (size_t s = 0; s < sets.size(); ++s) {
    const std::vector<size_t> set = sets[s];
    if (static_cast<int64_t>(set.size()) < mostTenants && set.size() + 1 < all)
      for (size_t next = set.back() + 1; next < all; ++next) {
        sets.push_back(set);
        sets.back().push_back(next);
      }
    if (sets.size() - all > kMostMixes)
      return invalidInput(fmt::format("more than {} rounds of 2 to {} of {} tenants; wanted fewer",
                                      kMostMixes, mostTenants, all));
    if (set.size() < 2)
      continue;
    Workload mix{"", {}, round.granules};
    for (size_t i : set) {
      const Entry &entry = problem.entries[static_cast<size_t>(round.instances[i])];
      mix.instances.push_back(round.instances[i]);
      mix.name +=
          (mix.name.empty() ? "" : "+") + problem.tenants[static_cast<size_t>(entry.tenant)].name;
    }
    MTC_ASSIGN_OR_RETURN(schedules.emplace_back(), bestSchedule(problem, mix, mixOptions));
  }
  return schedules;
}

} // namespace mtc
