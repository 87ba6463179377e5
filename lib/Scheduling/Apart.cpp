//===- Apart.cpp - one granule per instance -------------------------------===//
#include "TaskGraph.h"
#include "mtc/Scheduling/Policies.h"

#include <algorithm>
#include <numeric>

namespace mtc {

StatusOr<Schedule> scheduleApart(const Problem &problem, const Workload &workload,
                                 const PolicyOptions &) {
  TaskGraph graph = buildTaskGraph(problem, workload);
  std::vector<int64_t> soloNs(workload.instances.size(), 0);
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    soloNs[static_cast<size_t>(graph.nodes[n].instance)] += graph.choice(n, 1).ns;
  std::vector<size_t> order(soloNs.size()), granuleOf(soloNs.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return soloNs[a] > soloNs[b]; });
  std::vector<int64_t> endNs(graph.granules.size(), 0), startNs(soloNs.size());
  for (size_t instance : order) {
    auto least = std::min_element(endNs.begin(), endNs.end());
    granuleOf[instance] = static_cast<size_t>(least - endNs.begin());
    startNs[instance] = *least;
    *least += soloNs[instance];
  }
  std::vector<Placement> placements;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    auto instance = static_cast<size_t>(graph.nodes[n].instance);
    const Choice &choice = graph.choice(n, 1);
    placements.push_back({GranuleMask(1) << graph.granules[granuleOf[instance]], choice.variant,
                          startNs[instance], choice.ns});
    startNs[instance] += choice.ns;
  }
  return makeSchedule(problem, workload, "apart", graph, placements);
}

} // namespace mtc
