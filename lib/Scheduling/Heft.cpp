//===- Heft.cpp - many list schedules, the best kept ----------------------===//
//
// HEFT orders tasks by upward rank and gives each the place where it ends first. With moldable
// tasks that alone is greedy: the first task takes the whole device although it scales badly and
// another tenant could have run beside it. What is right depends on how the tenants' loads
// compare: on two cores usually "tenants side by side on one core each, the tail on both". So
// this runs list scheduling with several orders, efficiency thresholds and partitions, then
// changes one instance at a time (coordinate descent, as Yu et al. 2021 move one model's pointers
// at a time, arXiv:2111.14255), and keeps what is predicted to end first. All of it is integer
// arithmetic in a fixed order, bounded by a number of passes.
//
//===----------------------------------------------------------------------===//
#include "ListScheduling.h"
#include "mtc/Scheduling/Policies.h"

#include <algorithm>
#include <numeric>

namespace mtc {
namespace {

constexpr int32_t kThresholds[] = {0, 50, 60, 70, 80, 90, 95, 101};

/// What a search may cost in placed nodes: 0.25 s on one core of an AMD EPYC (Zen 4), 2025-11.
constexpr size_t kNodeVisits = 600'000;

/// The order of nodes that can start at the same time.
enum class Order { RankOnOne, RankOnBest, LargestInstanceFirst, SmallestInstanceFirst };

class Search {
public:
  Search(const Problem &problem, const Workload &workload)
      : workload_(workload), graph_(buildTaskGraph(problem, workload)),
        passesLeft_(std::max<size_t>(32, kNodeVisits / std::max<size_t>(1, graph_.nodes.size()))) {
    size_t granules = graph_.granules.size();
    workNs_.assign(workload.instances.size(), std::vector<int64_t>(granules, 0));
    for (size_t n = 0; n < graph_.nodes.size(); ++n)
      for (size_t g = 0; g < granules; ++g)
        workNs_[instanceOf(n)][g] += fastestNs(n, g + 1);
  }

  StatusOr<Schedule> run(const Problem &problem) {
    tryUniform();
    improveInstances();
    return makeSchedule(problem, workload_, "heft", graph_, best_.placements);
  }

private:
  size_t instanceOf(size_t n) const { return static_cast<size_t>(graph_.nodes[n].instance); }
  size_t instanceCount() const { return workload_.instances.size(); }

  /// Time of a node on at most `count` granules.
  int64_t fastestNs(size_t n, size_t count) const {
    int64_t ns = graph_.choice(n, 1).ns;
    for (size_t g = 2; g <= count; ++g)
      ns = std::min(ns, graph_.choice(n, g).ns);
    return ns;
  }

  /// The longest path from a node's start to the end of its instance, each node on at most `count`
  /// granules.
  std::vector<int64_t> upwardRank(size_t count) const {
    std::vector<int64_t> rank(graph_.nodes.size(), 0);
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      for (int32_t next : graph_.after[n])
        rank[n] = std::max(rank[n], rank[static_cast<size_t>(next)]);
      rank[n] += fastestNs(n, count);
    }
    return rank;
  }

  /// Positions of instances by their work on one granule, largest first.
  std::vector<size_t> largestFirst() const {
    std::vector<size_t> order(instanceCount());
    std::iota(order.begin(), order.end(), size_t(0));
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(-workNs_[a][0], a) < std::pair(-workNs_[b][0], b);
    });
    return order;
  }

  /// `rank`, with all nodes of an instance of a higher class before those of a lower one.
  std::vector<int64_t> withClasses(std::vector<int64_t> rank,
                                   const std::vector<int64_t> &classOf) const {
    int64_t step = rank.empty() ? 0 : *std::max_element(rank.begin(), rank.end()) + 1;
    for (size_t n = 0; n < rank.size(); ++n)
      rank[n] += classOf[instanceOf(n)] * step;
    return rank;
  }

  std::vector<int64_t> priorities(Order order) const {
    if (order == Order::RankOnOne)
      return upwardRank(1);
    if (order == Order::RankOnBest)
      return upwardRank(graph_.granules.size());
    std::vector<int64_t> classOf(instanceCount());
    std::vector<size_t> sorted = largestFirst();
    for (size_t i = 0; i < sorted.size(); ++i)
      classOf[sorted[i]] =
          static_cast<int64_t>(order == Order::LargestInstanceFirst ? sorted.size() - 1 - i : i);
    return withClasses(upwardRank(1), classOf);
  }

  /// Granules per instance. With more instances than granules each gets one, the largest first to
  /// the granule with the least work (LPT); else each further granule goes to the instance that
  /// would end last.
  std::vector<GranuleMask> partition() const {
    size_t granules = graph_.granules.size();
    std::vector<GranuleMask> homes(instanceCount(), 0);
    std::vector<size_t> sorted = largestFirst();
    if (instanceCount() >= granules) {
      std::vector<int64_t> loadNs(granules, 0);
      for (size_t i : sorted) {
        auto least = std::min_element(loadNs.begin(), loadNs.end()) - loadNs.begin();
        homes[i] = GranuleMask(1) << least;
        loadNs[static_cast<size_t>(least)] += workNs_[i][0];
      }
      return homes;
    }
    std::vector<size_t> counts(instanceCount(), 1);
    for (size_t used = instanceCount(); used < granules; ++used)
      ++counts[*std::max_element(sorted.begin(), sorted.end(), [&](size_t a, size_t b) {
        return workNs_[a][counts[a] - 1] < workNs_[b][counts[b] - 1];
      })];
    size_t next = 0;
    for (size_t i : sorted) {
      homes[i] = allGranules(static_cast<int>(counts[i])) << next;
      next += counts[i];
    }
    return homes;
  }

  /// Runs one pass; keeps its result and options if it ends before the best so far.
  bool attempt(const ListOptions &options) {
    if (passesLeft_ == 0)
      return false;
    --passesLeft_;
    ListResult result = listSchedule(graph_, instanceCount(), options);
    if (!best_.placements.empty() && result.makespanNs >= best_.makespanNs)
      return false;
    best_ = std::move(result);
    bestOptions_ = options;
    return true;
  }

  /// The same order and threshold for all instances.
  void tryUniform() {
    for (int32_t threshold : kThresholds)
      for (Order order : {Order::RankOnOne, Order::RankOnBest, Order::LargestInstanceFirst,
                          Order::SmallestInstanceFirst}) {
        if (instanceCount() == 1 && order > Order::RankOnBest)
          continue;
        ListOptions options;
        options.priority = priorities(order);
        options.efficiencyPercent.assign(instanceCount(), threshold);
        attempt(options);
        options.waits = true;
        attempt(options);
        options.waits = false;
        options.divides = true;
        attempt(options);
        if (order != Order::RankOnOne || instanceCount() == 1)
          continue;
        options.divides = false;
        options.homes = partition();
        attempt(options);
      }
  }

  /// Changes the threshold and the class of one instance at a time while that helps.
  void improveInstances() {
    std::vector<int64_t> rank = upwardRank(1);
    for (bool improved = true; improved && passesLeft_ > 0;) {
      improved = false;
      for (size_t i = 0; i < instanceCount(); ++i) {
        for (int32_t threshold : kThresholds) {
          ListOptions options = bestOptions_;
          options.efficiencyPercent[i] = threshold;
          improved |= attempt(options);
        }
        for (int64_t classOf : {-1, 1}) {
          std::vector<int64_t> classes(instanceCount(), 0);
          classes[i] = classOf;
          ListOptions options = bestOptions_;
          options.priority = withClasses(rank, classes);
          improved |= attempt(options);
        }
      }
    }
  }

  const Workload &workload_;
  TaskGraph graph_;
  std::vector<std::vector<int64_t>> workNs_; ///< by instance, then by granule count - 1
  size_t passesLeft_;
  ListResult best_;
  ListOptions bestOptions_;
};

} // namespace

StatusOr<Schedule> scheduleHeft(const Problem &problem, const Workload &workload,
                                const PolicyOptions &) {
  return Search(problem, workload).run(problem);
}

} // namespace mtc
