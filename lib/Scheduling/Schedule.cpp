//===- Schedule.cpp - orders of a schedule and their proof ----------------===//
//
// All proofs rest on one relation: the transitive closure of the stated orders, as a bit matrix.
// Places stand in a topological order, so a single backward sweep closes it, and the places of a
// granule need only be compared with their neighbours.
//
//===----------------------------------------------------------------------===//
#include "TaskGraph.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

namespace mtc {

Workload soloWorkload(const Problem &problem, int32_t entry, int32_t granules) {
  const Entry &e = problem.entries[static_cast<size_t>(entry)];
  return {fmt::format("{}.g{}", entryName(problem, e), granules), {entry}, allGranules(granules)};
}

Status check(const Problem &problem, const Workload &workload) {
  if (workload.instances.empty())
    return invalidInput(fmt::format("workload '{}' has no instance", workload.name));
  for (int32_t entry : workload.instances)
    if (entry < 0 || static_cast<size_t>(entry) >= problem.entries.size())
      return invalidInput(fmt::format("workload '{}' has an instance of entry {} of {}",
                                      workload.name, entry, problem.entries.size()));
  if (workload.granules == 0 || (workload.granules & ~allGranules(problem.device.granules)) != 0)
    return invalidInput(fmt::format("workload '{}' uses granules {:#x}; the device has {:#x}",
                                    workload.name, workload.granules,
                                    allGranules(problem.device.granules)));
  return okStatus();
}

static const Entry &entryOf(const Problem &problem, const Schedule &schedule, int32_t instance) {
  int32_t entry = schedule.workload.instances[static_cast<size_t>(instance)];
  return problem.entries[static_cast<size_t>(entry)];
}

/// "det.n1", or "det.n1[2]" where the entry occurs more than once.
static std::string instanceName(const Problem &problem, const Schedule &schedule,
                                int32_t instance) {
  const std::vector<int32_t> &all = schedule.workload.instances;
  std::string name = entryName(problem, entryOf(problem, schedule, instance));
  int32_t entry = all[static_cast<size_t>(instance)];
  if (std::count(all.begin(), all.end(), entry) < 2)
    return name;
  return fmt::format("{}[{}]", name, std::count(all.begin(), all.begin() + instance, entry));
}

std::string describePlace(const Problem &problem, const Schedule &schedule, int32_t place) {
  const Place &p = schedule.places[static_cast<size_t>(place)];
  const Task &task = entryOf(problem, schedule, p.instance).tasks[static_cast<size_t>(p.task)];
  return fmt::format("{} task {} ({})", instanceName(problem, schedule, p.instance), task.id,
                     task.name);
}

std::vector<int32_t> leadersOf(const Schedule &schedule) {
  std::vector<int32_t> leaders;
  for (size_t p = 0; p < schedule.places.size(); ++p)
    leaders.push_back(p > 0 && schedule.places[p].merged ? leaders.back()
                                                         : static_cast<int32_t>(p));
  return leaders;
}

int64_t mergedTasks(const Schedule &schedule) {
  return std::count_if(schedule.places.begin(), schedule.places.end(),
                       [](const Place &place) { return place.merged; });
}

std::vector<int64_t> latenciesNs(const Schedule &schedule) {
  std::vector<int64_t> ends(schedule.workload.instances.size(), 0);
  int64_t endNs = 0; // of a command, which its last place has
  for (size_t p = schedule.places.size(); p-- > 0;) {
    const Place &place = schedule.places[p];
    const bool isLast = p + 1 == schedule.places.size() || !schedule.places[p + 1].merged;
    endNs = isLast ? place.startNs + place.durationNs : endNs;
    int64_t &end = ends[static_cast<size_t>(place.instance)];
    end = std::max(end, endNs);
  }
  return ends;
}

//===- orders -------------------------------------------------------------===//

/// placeOf[instance][task]: each task's place.
static StatusOr<std::vector<std::vector<int32_t>>> placesOfTasks(const Problem &problem,
                                                                 const Schedule &schedule) {
  std::vector<std::vector<int32_t>> placeOf;
  for (int32_t entry : schedule.workload.instances)
    placeOf.emplace_back(problem.entries[static_cast<size_t>(entry)].tasks.size(), -1);
  for (size_t p = 0; p < schedule.places.size(); ++p) {
    const Place &place = schedule.places[p];
    if (place.instance < 0 || static_cast<size_t>(place.instance) >= placeOf.size())
      return invalidInput(
          fmt::format("place {} belongs to instance {} of {}", p, place.instance, placeOf.size()));
    std::vector<int32_t> &row = placeOf[static_cast<size_t>(place.instance)];
    if (place.task < 0 || static_cast<size_t>(place.task) >= row.size())
      return invalidInput(fmt::format("place {} is task {} of {} of {}", p, place.task, row.size(),
                                      instanceName(problem, schedule, place.instance)));
    if (row[static_cast<size_t>(place.task)] >= 0)
      return invalidInput(fmt::format("{} is placed twice",
                                      describePlace(problem, schedule, static_cast<int32_t>(p))));
    row[static_cast<size_t>(place.task)] = static_cast<int32_t>(p);
  }
  for (size_t i = 0; i < placeOf.size(); ++i)
    for (size_t t = 0; t < placeOf[i].size(); ++t)
      if (placeOf[i][t] < 0) {
        const Task &task = entryOf(problem, schedule, static_cast<int32_t>(i)).tasks[t];
        return invalidInput(fmt::format("{} task {} ({}) is not placed",
                                        instanceName(problem, schedule, static_cast<int32_t>(i)),
                                        task.id, task.name));
      }
  return placeOf;
}

/// Sorts what each place waits for, and makes all places of a command wait for all of each command
/// that one of them waits for.
static Status waitByCommand(const Problem &problem, const Schedule &schedule,
                            const std::vector<int32_t> &leaders, Predecessors &before) {
  const auto count = static_cast<int32_t>(leaders.size());
  for (int32_t leader = 0, end = 0; leader < count; leader = end) {
    std::vector<int32_t> waits; // leaders
    for (end = leader; end < count && leaders[static_cast<size_t>(end)] == leader; ++end) {
      std::vector<int32_t> &row = before[static_cast<size_t>(end)];
      std::sort(row.begin(), row.end());
      if (!row.empty() && row.back() >= leader) {
        const bool isMember =
            row.back() != end && leaders[static_cast<size_t>(row.back())] == leader;
        return invalidInput(fmt::format(
            "{} must end before {}, {}", describePlace(problem, schedule, row.back()),
            describePlace(problem, schedule, end),
            isMember ? "with which it is merged" : "which stands no later in the schedule"));
      }
      for (int32_t first : row)
        waits.push_back(leaders[static_cast<size_t>(first)]);
    }
    std::sort(waits.begin(), waits.end());
    waits.erase(std::unique(waits.begin(), waits.end()), waits.end());
    std::vector<int32_t> &row = before[static_cast<size_t>(leader)];
    row.clear();
    for (int32_t first : waits)
      for (int32_t p = first; p < count && leaders[static_cast<size_t>(p)] == first; ++p)
        row.push_back(p);
    std::fill(before.begin() + leader + 1, before.begin() + end, row);
  }
  return okStatus();
}

StatusOr<Predecessors> directOrders(const Problem &problem, const Schedule &schedule) {
  MTC_RETURN_IF_ERROR(check(problem, schedule.workload));
  MTC_ASSIGN_OR_RETURN(auto placeOf, placesOfTasks(problem, schedule));
  auto count = static_cast<int32_t>(schedule.places.size());
  Predecessors before(schedule.places.size());
  for (size_t i = 0; i < placeOf.size(); ++i) {
    const Entry &entry = entryOf(problem, schedule, static_cast<int32_t>(i));
    std::vector<std::vector<int32_t>> dependences = taskDependences(problem, entry);
    for (size_t t = 0; t < dependences.size(); ++t)
      for (int32_t writer : dependences[t])
        before[static_cast<size_t>(placeOf[i][t])].push_back(
            placeOf[i][static_cast<size_t>(writer)]);
  }
  const std::vector<int32_t> leaders = leadersOf(schedule);
  std::map<int32_t, int32_t> lastOfLane;
  for (int32_t p = 0; p < count; ++p) {
    auto [last, isFirst] = lastOfLane.try_emplace(schedule.places[static_cast<size_t>(p)].lane, p);
    if (!isFirst && leaders[static_cast<size_t>(p)] == p)
      before[static_cast<size_t>(p)].push_back(std::exchange(last->second, p));
  }
  for (auto [first, second] : schedule.edges) {
    if (first < 0 || first >= count || second < 0 || second >= count)
      return invalidInput(
          fmt::format("edge {} -> {} names a place outside the {} places", first, second, count));
    before[static_cast<size_t>(second)].push_back(first);
  }
  MTC_RETURN_IF_ERROR(waitByCommand(problem, schedule, leaders, before));
  return before;
}

Reachability Reachability::compute(const Predecessors &before) {
  Reachability result;
  size_t count = before.size();
  result.words_ = (count + 63) / 64;
  result.bits_.assign(count * result.words_, 0);
  // Backwards: the row of p is complete before it is added to those of its predecessors.
  for (size_t p = count; p-- > 0;) {
    const uint64_t *row = result.bits_.data() + p * result.words_;
    for (int32_t first : before[p]) {
      uint64_t *target = result.bits_.data() + static_cast<size_t>(first) * result.words_;
      target[p / 64] |= uint64_t(1) << (p % 64);
      for (size_t w = p / 64; w < result.words_; ++w)
        target[w] |= row[w];
    }
  }
  return result;
}

StatusOr<Reachability> Reachability::compute(const Problem &problem, const Schedule &schedule) {
  MTC_ASSIGN_OR_RETURN(Predecessors before, directOrders(problem, schedule));
  return compute(before);
}

Predecessors transitiveReduction(const Predecessors &before, const Reachability &reachability) {
  Predecessors reduced(before.size());
  for (size_t p = 0; p < before.size(); ++p)
    for (int32_t first : before[p])
      if (std::none_of(before[p].begin(), before[p].end(),
                       [&](int32_t other) { return reachability.reaches(first, other); }))
        reduced[p].push_back(first);
  return reduced;
}

//===- verify() -----------------------------------------------------------===//

/// What keeps a merged place from running in the command of the place before it; empty if nothing.
static std::string mergeFault(const Problem &problem, const Schedule &schedule, int32_t index) {
  if (index == 0)
    return "no place stands before it";
  const Place &place = schedule.places[static_cast<size_t>(index)];
  const Place &other = schedule.places[static_cast<size_t>(index) - 1];
  if (place.lane != other.lane || place.granules != other.granules)
    return fmt::format("it has lane {} and granules {:#x}, the place before it {} and {:#x}",
                       place.lane, place.granules, other.lane, other.granules);
  if (place.shared || other.shared)
    return "one of them is shared";
  const Entry &entry = entryOf(problem, schedule, place.instance);
  const Entry &otherEntry = entryOf(problem, schedule, other.instance);
  const auto kernelOf = [&](const Entry &of, const Place &p) -> const Kernel & {
    return problem.kernels[static_cast<size_t>(of.tasks[static_cast<size_t>(p.task)].kernel)];
  };
  const Kernel &kernel = kernelOf(entry, place), &otherKernel = kernelOf(otherEntry, other);
  if (kernel.region || otherKernel.region)
    return "one of them is control flow";
  if (!isHost(problem.device) && (&kernel != &otherKernel || place.variant != other.variant))
    return fmt::format("a launch of '{}' holds one kernel in one variant, they are '{}' in variant "
                       "{} and '{}' in variant {}",
                       problem.device.target, kernel.name, place.variant, otherKernel.name,
                       other.variant);
  if (!mayMerge(problem, entry, otherEntry))
    return fmt::format("the tenant of the place before it, '{}', is isolated from it",
                       problem.tenants[static_cast<size_t>(otherEntry.tenant)].name);
  return "";
}

static Status checkPlace(const Problem &problem, const Schedule &schedule, int32_t index) {
  const Place &place = schedule.places[static_cast<size_t>(index)];
  auto wrong = [&](const std::string &what) {
    return invalidInput(describePlace(problem, schedule, index) + " " + what);
  };
  const Task &task =
      entryOf(problem, schedule, place.instance).tasks[static_cast<size_t>(place.task)];
  const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
  if (place.variant < 0 || static_cast<size_t>(place.variant) >= kernel.variants.size())
    return wrong(fmt::format("uses variant {} of {}", place.variant, kernel.variants.size()));
  if (place.granules == 0)
    return wrong("has no granule");
  if ((place.granules & ~schedule.workload.granules) != 0)
    return wrong(fmt::format("uses granules {:#x}; the workload has {:#x}", place.granules,
                             schedule.workload.granules));
  if (place.merged)
    if (std::string fault = mergeFault(problem, schedule, index); !fault.empty())
      return wrong("is merged with the place before it: " + fault);
  return okStatus();
}

/// Places on one granule in the order of `places`: each exclusive one must be ordered after the
/// previous exclusive one and the shared ones since; the rest follows by transitivity.
static Status verifyGranule(const Problem &problem, const Schedule &schedule,
                            const Reachability &reachability, const std::vector<int32_t> &leaders,
                            int granule) {
  int32_t exclusive = -1;
  std::vector<int32_t> sharedSince;
  auto unordered = [&](int32_t a, int32_t b) {
    return invalidInput(fmt::format("{} and {} share granule {} and are not ordered",
                                    describePlace(problem, schedule, a),
                                    describePlace(problem, schedule, b), granule));
  };
  for (int32_t p = 0; p < static_cast<int32_t>(schedule.places.size()); ++p) {
    const Place &place = schedule.places[static_cast<size_t>(p)];
    if (!(place.granules >> granule & 1))
      continue;
    if (exclusive >= 0 &&
        leaders[static_cast<size_t>(exclusive)] != leaders[static_cast<size_t>(p)] &&
        !reachability.reaches(exclusive, p))
      return unordered(exclusive, p);
    if (place.shared) {
      sharedSince.push_back(p);
      continue;
    }
    for (int32_t other : sharedSince)
      if (!reachability.reaches(other, p))
        return unordered(other, p);
    sharedSince.clear();
    exclusive = p;
  }
  return okStatus();
}

Status verify(const Problem &problem, const Schedule &schedule) {
  MTC_ASSIGN_OR_RETURN(Reachability reachability, Reachability::compute(problem, schedule));
  for (int32_t p = 0; p < static_cast<int32_t>(schedule.places.size()); ++p)
    MTC_RETURN_IF_ERROR(checkPlace(problem, schedule, p));
  const std::vector<int32_t> leaders = leadersOf(schedule);
  for (int granule = 0; granule < problem.device.granules; ++granule)
    MTC_RETURN_IF_ERROR(verifyGranule(problem, schedule, reachability, leaders, granule));
  return okStatus();
}

} // namespace mtc
