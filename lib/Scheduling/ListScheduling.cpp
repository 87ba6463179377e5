//===- ListScheduling.cpp - place what can start earliest -----------------===//
//
// Ready nodes wait per instance: `pending` until their inputs are there, `released` after that.
// So one step looks at instances and granules, not at all ready nodes.
//
//===----------------------------------------------------------------------===//
#include "ListScheduling.h"

#include <algorithm>
#include <queue>
#include <tuple>

namespace mtc {
namespace {

using Ranked = std::pair<int64_t, int32_t>;

/// Nodes of one instance whose predecessors are placed.
struct ReadyNodes {
  std::priority_queue<Ranked, std::vector<Ranked>, std::greater<>> pending; ///< (ready, node)
  std::priority_queue<Ranked> released; ///< (priority, -node): of equals the first node

  bool empty() const { return pending.empty() && released.empty(); }
};

class ListScheduler {
public:
  ListScheduler(const TaskGraph &graph, size_t instanceCount, const ListOptions &options)
      : graph_(graph), options_(options), ready_(instanceCount), unplaced_(instanceCount, 0),
        readyNs_(graph.nodes.size(), 0), missing_(graph.nodes.size()),
        availableNs_(graph.granules.size(), 0) {
    result_.placements.resize(graph.nodes.size());
  }

  ListResult run() {
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      ++unplaced_[instanceOf(n)];
      missing_[n] = static_cast<int32_t>(graph_.before[n].size());
      if (missing_[n] == 0)
        ready_[instanceOf(n)].pending.emplace(0, static_cast<int32_t>(n));
    }
    for (size_t placed = 0; placed < graph_.nodes.size(); ++placed) {
      auto [instance, startNs] = nextInstance();
      auto n = static_cast<size_t>(-ready_[instance].released.top().second);
      ready_[instance].released.pop();
      place(n, instance, startNs);
    }
    return std::move(result_);
  }

private:
  size_t instanceOf(size_t n) const { return static_cast<size_t>(graph_.nodes[n].instance); }

  /// The granules that an instance may use now: its own, and those that are nobody's any more.
  GranuleMask allowed(size_t instance) const {
    GranuleMask all = allGranules(static_cast<int>(availableNs_.size()));
    if (options_.homes.empty())
      return all;
    GranuleMask others = 0;
    for (size_t i = 0; i < ready_.size(); ++i)
      if (i != instance && unplaced_[i] > 0)
        others |= options_.homes[i];
    return options_.homes[instance] | (all & ~others);
  }

  /// The instance whose best node can start first, and when. Its best node is then the top of
  /// `released`.
  std::pair<size_t, int64_t> nextInstance() {
    size_t best = ready_.size();
    int64_t bestStart = 0;
    for (size_t i = 0; i < ready_.size(); ++i) {
      ReadyNodes &nodes = ready_[i];
      if (nodes.empty())
        continue;
      int64_t startNs = INT64_MAX;
      GranuleMask mask = allowed(i);
      for (size_t g = 0; g < availableNs_.size(); ++g)
        if (mask >> g & 1)
          startNs = std::min(startNs, availableNs_[g]);
      if (nodes.released.empty())
        startNs = std::max(startNs, nodes.pending.top().first);
      while (!nodes.pending.empty() && nodes.pending.top().first <= startNs) {
        int32_t n = nodes.pending.top().second;
        nodes.pending.pop();
        nodes.released.emplace(options_.priority[static_cast<size_t>(n)], -n);
      }
      if (best == ready_.size() || startNs < bestStart ||
          (startNs == bestStart &&
           nodes.released.top().first > ready_[best].released.top().first)) {
        best = i;
        bestStart = startNs;
      }
    }
    return {best, bestStart};
  }

  /// The most granules a node may get when `idle` of `usable` ones are idle.
  size_t widthLimit(size_t idle, size_t usable) const {
    if (options_.divides) {
      size_t readyNow = 1;
      for (const ReadyNodes &nodes : ready_)
        readyNow += nodes.released.size();
      return std::max<size_t>(1, idle / readyNow);
    }
    return options_.waits ? usable : std::max<size_t>(1, idle);
  }

  void place(size_t n, size_t instance, int64_t startNs) {
    std::vector<size_t> usable;
    for (size_t g = 0, mask = allowed(instance); g < availableNs_.size(); ++g)
      if (mask >> g & 1)
        usable.push_back(g);
    std::sort(usable.begin(), usable.end(), [&](size_t a, size_t b) {
      return std::pair(availableNs_[a], a) < std::pair(availableNs_[b], b);
    });
    startNs = std::max(startNs, readyNs_[n]);
    auto idle = static_cast<size_t>(std::count_if(
        usable.begin(), usable.end(), [&](size_t g) { return availableNs_[g] <= startNs; }));

    size_t limit = widthLimit(idle, usable.size());
    int64_t oneNs = graph_.choice(n, 1).ns;
    size_t width = 0;
    Placement best;
    for (size_t count = 1; count <= limit; ++count) {
      const Choice &choice = graph_.choice(n, count);
      auto size = static_cast<int64_t>(count);
      if (count > 1 && 100 * oneNs < options_.efficiencyPercent[instance] * size * choice.ns)
        continue;
      int64_t begin = std::max(startNs, availableNs_[usable[count - 1]]);
      if (width == 0 || begin + choice.ns < best.startNs + best.durationNs) {
        width = count;
        best = {0, choice.variant, begin, choice.ns};
      }
    }
    occupy(n, instance, best, width, usable);
  }

  /// Gives `width` of the granules that are free at the start: those where the inputs were computed
  /// (their caches hold them) before others, then those that were idle for the shortest time.
  void occupy(size_t n, size_t instance, Placement placement, size_t width,
              std::vector<size_t> usable) {
    GranuleMask warm = 0;
    for (int32_t first : graph_.before[n])
      warm |= result_.placements[static_cast<size_t>(first)].granules;
    std::erase_if(usable, [&](size_t g) { return availableNs_[g] > placement.startNs; });
    auto rank = [&](size_t g) {
      bool isWarm = (warm >> graph_.granules[g] & 1) != 0;
      return std::tuple(!isWarm, -availableNs_[g], g);
    };
    std::sort(usable.begin(), usable.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); });
    int64_t endNs = placement.startNs + placement.durationNs;
    for (size_t i = 0; i < width; ++i) {
      placement.granules |= GranuleMask(1) << graph_.granules[usable[i]];
      availableNs_[usable[i]] = endNs;
    }
    result_.makespanNs = std::max(result_.makespanNs, endNs);
    result_.placements[n] = placement;
    --unplaced_[instance];
    for (int32_t next : graph_.after[n]) {
      auto s = static_cast<size_t>(next);
      readyNs_[s] = std::max(readyNs_[s], endNs);
      if (--missing_[s] == 0)
        ready_[instance].pending.emplace(readyNs_[s], next);
    }
  }

  const TaskGraph &graph_;
  const ListOptions &options_;
  std::vector<ReadyNodes> ready_;
  std::vector<int32_t> unplaced_; ///< nodes left, by instance
  std::vector<int64_t> readyNs_;
  std::vector<int32_t> missing_;     ///< predecessors not yet placed, by node
  std::vector<int64_t> availableNs_; ///< by granule
  ListResult result_;
};

} // namespace

ListResult listSchedule(const TaskGraph &graph, size_t instanceCount, const ListOptions &options) {
  return ListScheduler(graph, instanceCount, options).run();
}

} // namespace mtc
