//===- MergePlaces.cpp - small tasks in one command -----------------------===//
#include "mtc/Scheduling/MergePlaces.h"

#include "Neighbours.h"

#include <algorithm>
#include <bit>
#include <set>

namespace mtc {

/// Of the time a place takes alone, what merging has to gain: predictions of so small tasks are off
/// by as much.
static constexpr double kLeastGain = 0.05;

/// Schedules this close are equal.
static constexpr double kEqual = 1.005;

//===- times --------------------------------------------------------------===//

static const Variant &variantOf(const Problem &problem, const MergedTask &task) {
  return problem.kernels[static_cast<size_t>(task.kernel)]
      .variants[static_cast<size_t>(task.variant)];
}

static int64_t mostTiles(const Variant &variant) {
  return *std::max_element(variant.phaseTiles.begin(), variant.phaseTiles.end());
}

/// `count` equal tasks in one launch.
static int64_t launchedNs(const Problem &problem, const MergedTask &task, size_t count,
                          int32_t granules) {
  const Device &device = problem.device;
  const Variant &variant = variantOf(problem, task);
  const auto members = static_cast<int64_t>(count);
  const auto turns = [&](int64_t times, int32_t on) {
    const int64_t units = int64_t(on) * device.unitsPerGranule;
    int64_t sum = 0;
    for (int64_t tiles : variant.phaseTiles)
      sum += (tiles * times + units - 1) / units;
    return static_cast<double>(sum);
  };
  const auto alone = [&](int32_t on) { return static_cast<double>(variantNs(variant, on)); };
  const double ours = turns(members, granules);
  int32_t like = granules;
  while (like > 1 && turns(1, like) < ours)
    --like;
  const double launchNs = std::min(static_cast<double>(device.launchNs), alone(like));
  double bodyNs = alone(like) - launchNs;
  if (const double most = turns(1, 1), least = turns(1, device.granules); ours > most)
    bodyNs += least < most ? (alone(1) - alone(device.granules)) * (ours - most) / (most - least)
                           : bodyNs * (ours / most - 1);
  if (device.bytesPerNs > 0)
    bodyNs = std::max(bodyNs, double(members) *
                                  double(problem.kernels[static_cast<size_t>(task.kernel)].bytes) /
                                  device.bytesPerNs);
  return static_cast<int64_t>(launchNs + bodyNs + 0.5);
}

int64_t mergedNs(const Problem &problem, std::span<const MergedTask> tasks, int32_t granules) {
  if (!isHost(problem.device))
    return launchedNs(problem, tasks[0], tasks.size(), granules);
  const auto launchNs = static_cast<double>(problem.device.launchNs);
  const auto barrierNs = granules > 1 ? static_cast<double>(problem.device.barrierNs) : 0;
  double workNs = 0, longestNs = 0;
  int64_t tiles = 0;
  size_t phases = 1;
  for (const MergedTask &task : tasks) {
    const Variant &variant = variantOf(problem, task);
    const double oneNs =
        std::max(0.0, static_cast<double>(variantNs(variant, 1)) - launchNs) *
        (1 + neighbourDoubt(problem, problem.kernels[static_cast<size_t>(task.kernel)]));
    workNs += oneNs;
    longestNs = std::max(longestNs, oneNs / static_cast<double>(mostTiles(variant)));
    tiles += mostTiles(variant);
    phases = std::max(phases, variant.phaseTiles.size());
  }
  // The tasks in which one core's tiles end and another's begin pay for that like split ones.
  int64_t firstTile = 0;
  for (const MergedTask &task : tasks) {
    const Variant &variant = variantOf(problem, task);
    const int64_t endTile = firstTile + mostTiles(variant);
    const double splitNs = granules * (static_cast<double>(variantNs(variant, granules)) -
                                       launchNs - barrierNs * double(variant.phaseTiles.size())) -
                           (static_cast<double>(variantNs(variant, 1)) - launchNs);
    for (int32_t core = 1; core < granules; ++core)
      if (const int64_t cut = tiles * core / granules; firstTile < cut && cut < endTile)
        workNs += std::max(0.0, splitNs) / (granules - 1);
    firstTile = endTile;
  }
  return static_cast<int64_t>(launchNs + std::max(longestNs, workNs / granules) +
                              barrierNs * static_cast<double>(phases)) +
         1;
}

static MergedTask taskAt(const Problem &problem, const Schedule &schedule, const Place &place) {
  const Entry &entry = problem.entries[static_cast<size_t>(
      schedule.workload.instances[static_cast<size_t>(place.instance)])];
  return {entry.tasks[static_cast<size_t>(place.task)].kernel, place.variant};
}

int64_t commandNs(const Problem &problem, const Schedule &schedule, int32_t first, int32_t end) {
  const Place &leader = schedule.places[static_cast<size_t>(first)];
  const auto granules = static_cast<int32_t>(std::popcount(leader.granules));
  if (end == first + 1)
    return variantNs(variantOf(problem, taskAt(problem, schedule, leader)), granules);
  std::vector<MergedTask> tasks;
  for (int32_t p = first; p < end; ++p)
    tasks.push_back(taskAt(problem, schedule, schedule.places[static_cast<size_t>(p)]));
  return mergedNs(problem, tasks, granules);
}

void divideTimes(const Problem &problem, Schedule &schedule) {
  auto &places = schedule.places;
  for (size_t first = 0, end = 0; first < places.size(); first = end) {
    double allNs = 0;
    std::vector<double> partNs;
    for (end = first; end < places.size() && (end == first || places[end].merged); ++end) {
      partNs.push_back(static_cast<double>(
          variantNs(variantOf(problem, taskAt(problem, schedule, places[end])), 1)));
      allNs += partNs.back();
    }
    if (end == first + 1)
      continue;
    const int64_t beginNs = places[first].startNs, wholeNs = places[first].durationNs;
    double doneNs = 0;
    int64_t atNs = beginNs;
    for (size_t p = first; p < end; ++p) {
      doneNs += partNs[p - first];
      const int64_t nextNs = beginNs + static_cast<int64_t>(double(wholeNs) * doneNs / allNs + 0.5);
      places[p].startNs = atNs;
      places[p].durationNs = nextNs - atNs;
      atNs = nextNs;
    }
  }
}

//===- the search ---------------------------------------------------------===//

namespace {

/// Goes through a schedule in its order and collects what is ready beside each place.
class Merger {
public:
  Merger(const Problem &problem, const Schedule &schedule)
      : problem_(problem), schedule_(schedule), graph_(buildTaskGraph(problem, schedule.workload)) {
    std::vector<int32_t> firstNode(schedule.workload.instances.size(), 0);
    for (size_t n = graph_.nodes.size(); n-- > 0;)
      firstNode[static_cast<size_t>(graph_.nodes[n].instance)] = static_cast<int32_t>(n);
    placeOf_.resize(graph_.nodes.size());
    for (size_t p = 0; p < schedule.places.size(); ++p) {
      const Place &place = schedule.places[p];
      nodeOf_.push_back(firstNode[static_cast<size_t>(place.instance)] + place.task);
      placeOf_[static_cast<size_t>(nodeOf_.back())] = static_cast<int32_t>(p);
    }
    for (const std::vector<int32_t> &before : graph_.before)
      missing_.push_back(before.size());
    for (size_t p = 0; p < placeOf_.size(); ++p)
      if (missing_[static_cast<size_t>(nodeOf_[p])] == 0)
        ready_.insert(static_cast<int32_t>(p));
  }

  /// The places in their new order, merged.
  std::vector<Place> run() {
    std::vector<Place> merged;
    while (!ready_.empty()) {
      std::vector<int32_t> command = collect(*ready_.begin());
      // Tenants keep their cores from command to command, so that these find what they wrote.
      std::sort(command.begin(), command.end(), [&](int32_t a, int32_t b) {
        return std::pair(place(a).instance, a) < std::pair(place(b).instance, b);
      });
      for (int32_t p : command) {
        merged.push_back(place(p));
        merged.back().merged = p != command.front();
        end(p);
      }
    }
    return merged;
  }

private:
  const Place &place(int32_t p) const { return schedule_.places[static_cast<size_t>(p)]; }
  const Entry &entryOf(int32_t p) const {
    return problem_.entries[static_cast<size_t>(
        schedule_.workload.instances[static_cast<size_t>(place(p).instance)])];
  }
  bool isRegion(int32_t p) const {
    const auto kernel = static_cast<size_t>(taskAt(problem_, schedule_, place(p)).kernel);
    return problem_.kernels[kernel].region.has_value();
  }

  /// Place `leader`, the first that is ready, and those that gain by running with it.
  std::vector<int32_t> collect(int32_t leader) {
    std::vector<int32_t> command = {leader};
    const auto granules = static_cast<int32_t>(std::popcount(place(leader).granules));
    const bool isGpu = !isHost(problem_.device);
    if ((granules < 2 && !isGpu) || isRegion(leader))
      return command;
    std::vector<MergedTask> tasks = {taskAt(problem_, schedule_, place(leader))};
    int64_t ns = variantNs(variantOf(problem_, tasks[0]), granules);
    for (auto at = std::next(ready_.begin()); at != ready_.end() && tasks.size() < kMostMerged;
         ++at) {
      if (place(*at).granules != place(leader).granules || isRegion(*at) ||
          !mayMerge(problem_, entryOf(leader), entryOf(*at)))
        continue;
      const MergedTask task = taskAt(problem_, schedule_, place(*at));
      if (isGpu && (task.kernel != tasks[0].kernel || task.variant != tasks[0].variant))
        continue;
      tasks.push_back(task);
      const int64_t aloneNs = variantNs(variantOf(problem_, tasks.back()), granules);
      const int64_t togetherNs = mergedNs(problem_, tasks, granules);
      if (double(ns + aloneNs - togetherNs) < kLeastGain * double(aloneNs)) {
        tasks.pop_back();
        continue;
      }
      command.push_back(*at);
      ns = togetherNs;
    }
    return command;
  }

  void end(int32_t p) {
    ready_.erase(p);
    for (int32_t next : graph_.after[static_cast<size_t>(nodeOf_[static_cast<size_t>(p)])])
      if (--missing_[static_cast<size_t>(next)] == 0)
        ready_.insert(placeOf_[static_cast<size_t>(next)]);
  }

  const Problem &problem_;
  const Schedule &schedule_;
  TaskGraph graph_;
  std::vector<int32_t> nodeOf_, placeOf_;
  std::vector<size_t> missing_; ///< by node: tasks that it reads from and that have not run
  std::set<int32_t> ready_;     ///< places
};

} // namespace

static bool missesMore(const Problem &problem, const Schedule &before, const Schedule &after) {
  const std::vector<int64_t> beforeNs = latenciesNs(before), afterNs = latenciesNs(after);
  for (size_t i = 0; i < beforeNs.size(); ++i) {
    const Entry &entry = problem.entries[static_cast<size_t>(before.workload.instances[i])];
    const int64_t sloNs = problem.tenants[static_cast<size_t>(entry.tenant)].sloP99Ns;
    if (sloNs > 0 && beforeNs[i] <= sloNs && afterNs[i] > sloNs)
      return true;
  }
  return false;
}

StatusOr<Schedule> mergePlaces(const Problem &problem, const Schedule &schedule) {
  for (const Place &place : schedule.places)
    if (place.shared || place.merged) // a baseline, or done
      return schedule;
  Schedule merged = schedule;
  merged.places = Merger(problem, schedule).run();
  if (mergedTasks(merged) == 0)
    return schedule;
  MTC_RETURN_IF_ERROR(addGranuleEdges(problem, merged));
  if (Status status = verify(problem, merged); !status.ok())
    return internalError("merged schedule of workload '" + merged.workload.name +
                         "': " + status.message());
  MTC_RETURN_IF_ERROR(predictTimes(problem, merged));
  const bool pays = expectedNs(problem, merged) * kEqual < expectedNs(problem, schedule);
  return pays && !missesMore(problem, schedule, merged) ? merged : schedule;
}

} // namespace mtc
