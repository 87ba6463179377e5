//===- TaskGraph.cpp - from Problem to graph, from placements to Schedule -===//
#include "TaskGraph.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>
#include <tuple>

namespace mtc {

static Choice fastestVariant(const Kernel &kernel, int32_t granules) {
  Choice best{0, variantNs(kernel.variants[0], granules)};
  for (size_t v = 1; v < kernel.variants.size(); ++v)
    if (int64_t ns = variantNs(kernel.variants[v], granules); ns < best.ns)
      best = {static_cast<int32_t>(v), ns};
  return best;
}

TaskGraph buildTaskGraph(const Problem &problem, const Workload &workload) {
  TaskGraph graph;
  for (int32_t g = 0; g < problem.device.granules; ++g)
    if (workload.granules >> g & 1)
      graph.granules.push_back(g);
  for (const Kernel &kernel : problem.kernels) {
    std::vector<Choice> &row = graph.choices.emplace_back();
    for (size_t count = 1; count <= graph.granules.size(); ++count)
      row.push_back(fastestVariant(kernel, static_cast<int32_t>(count)));
  }
  for (size_t i = 0; i < workload.instances.size(); ++i) {
    const Entry &entry = problem.entries[static_cast<size_t>(workload.instances[i])];
    auto first = static_cast<int32_t>(graph.nodes.size());
    for (size_t t = 0; t < entry.tasks.size(); ++t)
      graph.nodes.push_back(
          {static_cast<int32_t>(i), static_cast<int32_t>(t), entry.tasks[t].kernel});
    for (std::vector<int32_t> &row : taskDependences(problem, entry)) {
      for (int32_t &task : row)
        task += first;
      graph.before.push_back(std::move(row));
    }
  }
  graph.after.resize(graph.nodes.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (int32_t first : graph.before[n])
      graph.after[static_cast<size_t>(first)].push_back(static_cast<int32_t>(n));
  return graph;
}

bool mayMerge(const Problem &problem, const Entry &a, const Entry &b) {
  const std::string &group = problem.tenants[static_cast<size_t>(a.tenant)].isolation;
  return a.tenant == b.tenant ||
         (!group.empty() && group != "guarded" &&
          group == problem.tenants[static_cast<size_t>(b.tenant)].isolation);
}

/// Pairs of neighbours on a granule, commands by their first place. The place index is the order in
/// time.
static std::set<std::pair<int32_t, int32_t>> granuleOrders(const Schedule &schedule) {
  std::set<std::pair<int32_t, int32_t>> orders;
  std::vector<int32_t> last(64, -1);
  for (size_t p = 0; p < schedule.places.size(); ++p)
    for (GranuleMask rest = schedule.places[p].merged ? 0 : schedule.places[p].granules; rest != 0;
         rest &= rest - 1) {
      int32_t &previous = last[static_cast<size_t>(std::countr_zero(rest))];
      if (previous >= 0)
        orders.emplace(previous, static_cast<int32_t>(p));
      previous = static_cast<int32_t>(p);
    }
  return orders;
}

StatusOr<Schedule> makeSchedule(const Problem &problem, const Workload &workload,
                                const std::string &policy, const TaskGraph &graph,
                                const std::vector<Placement> &placements) {
  std::vector<int32_t> byStart(placements.size());
  std::iota(byStart.begin(), byStart.end(), 0);
  // Those of one command stand together, its leader first.
  const auto rank = [&](int32_t n) {
    const Placement &placement = placements[static_cast<size_t>(n)];
    const bool isLeader = placement.leader < 0 || placement.leader == n;
    return std::tuple(placement.startNs, isLeader ? n : placement.leader, !isLeader, n);
  };
  std::sort(byStart.begin(), byStart.end(),
            [&](int32_t a, int32_t b) { return rank(a) < rank(b); });

  Schedule schedule;
  schedule.workload = workload;
  schedule.policy = policy;
  for (int32_t n : byStart) {
    const Placement &placement = placements[static_cast<size_t>(n)];
    const TaskGraph::Node &node = graph.nodes[static_cast<size_t>(n)];
    Place place;
    place.instance = node.instance;
    place.task = node.task;
    place.variant = placement.variant;
    place.lane = std::countr_zero(placement.granules);
    place.granules = placement.granules;
    place.startNs = placement.startNs;
    place.durationNs = placement.durationNs;
    place.merged = placement.leader >= 0 && placement.leader != n;
    schedule.places.push_back(place);
    schedule.makespanNs = std::max(schedule.makespanNs, placement.startNs + placement.durationNs);
  }

  MTC_RETURN_IF_ERROR(addGranuleEdges(problem, schedule));
  return schedule;
}

Status addGranuleEdges(const Problem &problem, Schedule &schedule) {
  // With all granule orders as edges the relation is right; keep the edges of its reduction that
  // neither a dependence nor a lane states anyway.
  schedule.edges.clear();
  MTC_ASSIGN_OR_RETURN(Predecessors stated, directOrders(problem, schedule));
  auto orders = granuleOrders(schedule);
  schedule.edges.assign(orders.begin(), orders.end());
  MTC_ASSIGN_OR_RETURN(Predecessors all, directOrders(problem, schedule));
  Predecessors reduced = transitiveReduction(all, Reachability::compute(all));
  std::erase_if(schedule.edges, [&](const std::pair<int32_t, int32_t> &edge) {
    const std::vector<int32_t> &kept = reduced[static_cast<size_t>(edge.second)];
    const std::vector<int32_t> &known = stated[static_cast<size_t>(edge.second)];
    return std::binary_search(known.begin(), known.end(), edge.first) ||
           !std::binary_search(kept.begin(), kept.end(), edge.first);
  });
  return okStatus();
}

} // namespace mtc
