//===- Ios.cpp - stages inside a tenant by dynamic programming ------------===//
//
// One instance after the other, but inside an instance independent tasks run side by side: a stage
// is a set of tasks, its groups are the connected ones among them; groups run at once on granules
// split so that the longest is short, tasks of a group in turn. The best sequence of stages of a
// block is found over its down-sets. Blocks end where a single task separates what is before from
// what is after, or after kBlock tasks: there the search is not exact. Source: Ding, Zhu, Jia,
// Pekhimenko, Han, "IOS: Inter-Operator Scheduler for CNN Acceleration", MLSys 2021,
// arXiv:2011.01302; merging operators is not part of it here.
//
//===----------------------------------------------------------------------===//
#include "TaskGraph.h"
#include "mtc/Scheduling/Policies.h"

#include <algorithm>
#include <bit>
#include <span>
#include <unordered_map>

namespace mtc {
namespace {

constexpr size_t kBlock = 12;  ///< tasks; at most 4096 down-sets
constexpr int kStageTasks = 6; ///< of one stage
constexpr size_t kStageGroups = 4;

using Set = uint32_t; ///< tasks of a block, by position in it

/// Tasks of a group in order, and where they run.
struct Group {
  std::vector<size_t> nodes;
  size_t granules = 1;
  int64_t ns = 0;
};

class BlockSearch {
public:
  /// `nodes` in a topological order.
  BlockSearch(const TaskGraph &graph, std::span<const size_t> nodes)
      : graph_(graph), nodes_(nodes), before_(nodes.size(), 0), next_(nodes.size(), 0) {
    for (size_t t = 0; t < nodes.size(); ++t)
      for (size_t b = 0; b < t; ++b) {
        const std::vector<int32_t> &reads = graph.before[nodes[t]];
        if (!std::binary_search(reads.begin(), reads.end(), static_cast<int32_t>(nodes[b])))
          continue;
        before_[t] |= Set(1) << b;
        next_[b] |= Set(1) << t;
      }
  }

  /// The stages of least time.
  std::vector<Set> run() {
    Set all = static_cast<Set>((uint64_t(1) << nodes_.size()) - 1);
    best(all);
    std::vector<Set> stages;
    for (Set left = all; left != 0; left &= ~stages.back())
      stages.push_back(plans_.at(left).last);
    std::reverse(stages.begin(), stages.end());
    return stages;
  }

  /// The groups of a stage with their granules; the longest is the stage's time.
  std::vector<Group> groupsOf(Set stage) const {
    std::vector<Group> groups;
    for (Set rest = stage; rest != 0;) {
      Set group = rest & -rest, grown = 0;
      while (group != grown) {
        grown = group;
        for (Set bits = grown; bits != 0; bits &= bits - 1) {
          auto t = static_cast<size_t>(std::countr_zero(bits));
          group |= (before_[t] | next_[t]) & stage;
        }
      }
      Group &g = groups.emplace_back();
      for (Set bits = group; bits != 0; bits &= bits - 1)
        g.nodes.push_back(nodes_[static_cast<size_t>(std::countr_zero(bits))]);
      rest &= ~group;
    }
    for (Group &g : groups)
      g.ns = groupNs(g, 1);
    size_t used = groups.size();
    for (; used < graph_.granules.size(); ++used) {
      auto slowest = std::max_element(groups.begin(), groups.end(),
                                      [](const Group &a, const Group &b) { return a.ns < b.ns; });
      slowest->ns = groupNs(*slowest, ++slowest->granules);
    }
    return groups;
  }

private:
  /// How a down-set is reached with least time: its last stage.
  struct Plan {
    int64_t ns = 0;
    Set last = 0;
  };

  int64_t groupNs(const Group &group, size_t granules) const {
    int64_t ns = 0;
    for (size_t n : group.nodes)
      ns += graph_.choice(n, granules).ns;
    return ns;
  }

  int64_t stageNs(Set stage) {
    auto [known, isNew] = stages_.try_emplace(stage, 0);
    if (isNew) {
      std::vector<Group> groups = groupsOf(stage);
      known->second = INT64_MAX;
      if (groups.size() <= std::min(kStageGroups, graph_.granules.size())) {
        known->second = 0;
        for (const Group &g : groups)
          known->second = std::max(known->second, g.ns);
      }
    }
    return known->second;
  }

  /// Recursion is as deep as a block has tasks.
  int64_t best(Set done) {
    if (done == 0)
      return 0;
    if (auto known = plans_.find(done); known != plans_.end())
      return known->second.ns;
    Plan plan{INT64_MAX, 0};
    tryEndings(done, 0, done, plan);
    plans_[done] = plan;
    return plan.ns;
  }

  /// All endings of `done`: `ending` and more tasks out of `open`, none of which a task outside the
  /// ending reads.
  void tryEndings(Set done, Set ending, Set open, Plan &plan) {
    if (ending != 0)
      if (int64_t last = stageNs(ending); last < INT64_MAX && last < plan.ns)
        if (int64_t ns = best(done & ~ending) + last; ns < plan.ns)
          plan = {ns, ending};
    if (std::popcount(ending) == kStageTasks)
      return;
    // Positions descend, so that every ending is built once.
    for (Set bits = open; bits != 0;) {
      auto t = static_cast<size_t>(std::bit_width(bits)) - 1;
      bits &= ~(Set(1) << t);
      if ((next_[t] & done & ~ending) == 0)
        tryEndings(done, ending | Set(1) << t, bits, plan);
    }
  }

  const TaskGraph &graph_;
  std::span<const size_t> nodes_;
  std::vector<Set> before_, next_;
  std::unordered_map<Set, Plan> plans_;
  std::unordered_map<Set, int64_t> stages_;
};

/// The nodes [from, to) of an instance in blocks: between cuts, which all paths pass, by depth.
std::vector<std::vector<size_t>> blocksOf(const TaskGraph &graph, size_t from, size_t to) {
  std::vector<std::vector<size_t>> blocks;
  std::vector<size_t> depth(to - from, 0), region;
  size_t reach = from; // the last node that reads one of the region
  for (size_t n = from; n < to; ++n) {
    for (int32_t b : graph.before[n])
      depth[n - from] = std::max(depth[n - from], depth[static_cast<size_t>(b) - from] + 1);
    region.push_back(n);
    bool isCut = reach <= n;
    for (int32_t next : graph.after[n])
      reach = std::max(reach, static_cast<size_t>(next));
    if (!isCut && n + 1 < to)
      continue;
    std::sort(region.begin(), region.end(), [&](size_t a, size_t b) {
      return std::pair(depth[a - from], a) < std::pair(depth[b - from], b);
    });
    for (size_t at = 0; at < region.size(); at += kBlock)
      blocks.emplace_back(region.begin() + static_cast<std::ptrdiff_t>(at),
                          region.begin() +
                              static_cast<std::ptrdiff_t>(std::min(at + kBlock, region.size())));
    region.clear();
  }
  return blocks;
}

} // namespace

StatusOr<Schedule> scheduleIos(const Problem &problem, const Workload &workload,
                               const PolicyOptions &) {
  TaskGraph graph = buildTaskGraph(problem, workload);
  std::vector<Placement> placements(graph.nodes.size());
  int64_t nowNs = 0;
  for (size_t from = 0; from < graph.nodes.size();) {
    size_t to = from;
    while (to < graph.nodes.size() && graph.nodes[to].instance == graph.nodes[from].instance)
      ++to;
    for (const std::vector<size_t> &block : blocksOf(graph, from, to)) {
      BlockSearch search(graph, block);
      for (Set stage : search.run()) {
        size_t granule = 0;
        int64_t stageEndNs = nowNs;
        for (const Group &group : search.groupsOf(stage)) {
          GranuleMask mask = 0;
          for (size_t g = 0; g < group.granules; ++g)
            mask |= GranuleMask(1) << graph.granules[granule++];
          int64_t atNs = nowNs;
          for (size_t n : group.nodes) {
            const Choice &choice = graph.choice(n, group.granules);
            placements[n] = {mask, choice.variant, atNs, choice.ns};
            atNs += choice.ns;
          }
          stageEndNs = std::max(stageEndNs, atNs);
        }
        nowNs = stageEndNs;
      }
    }
    from = to;
  }
  return makeSchedule(problem, workload, "ios", graph, placements);
}

} // namespace mtc
