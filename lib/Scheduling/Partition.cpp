//===- Partition.cpp - one or two partitions with tenants in turn ---------===//
//
// The device is whole, or split once into two parts; every instance runs alone on its part, all
// tasks on all of the part's granules, and instances of one part follow each other. An instance
// goes to the part whose share is next to its knee - the share beyond which more granules gain less
// than half of what they should - unless the other part would then end earlier. All splits into
// steps of a fifth are tried. Source: Choi, Lee, Kim, Park, Kwon, Huh, "Serving Heterogeneous
// Machine Learning Models on Multi-GPU Servers with Spatio-Temporal Sharing", USENIX ATC 2022
// (gpulet): at most two partitions of 20 to 80 %, each partition the lesser of knee and need. A
// round has no rates, so need is what balances the parts; for open load see openLayout in
// Simulation.
//
//===----------------------------------------------------------------------===//
#include "TaskGraph.h"
#include "mtc/Scheduling/Policies.h"

#include <algorithm>
#include <numeric>

namespace mtc {
namespace {

struct Split {
  size_t first = 0; ///< granules of the first part; all: there is one part
  std::vector<char> inSecond;
  int64_t makespanNs = INT64_MAX;
};

} // namespace

size_t kneeOf(const std::vector<int64_t> &soloNs) {
  // The largest share whose last granules still gain half of their part.
  size_t knee = 1;
  for (size_t g = 2; g <= soloNs.size(); ++g) {
    double gain = static_cast<double>(soloNs[knee - 1]) / static_cast<double>(soloNs[g - 1]) - 1;
    double part = static_cast<double>(g - knee) / static_cast<double>(knee);
    if (gain >= 0.5 * part)
      knee = g;
  }
  return knee;
}

StatusOr<Schedule> schedulePartition(const Problem &problem, const Workload &workload,
                                     const PolicyOptions &) {
  TaskGraph graph = buildTaskGraph(problem, workload);
  size_t granules = graph.granules.size(), instances = workload.instances.size();
  std::vector<std::vector<int64_t>> soloNs(instances, std::vector<int64_t>(granules, 0));
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (size_t g = 0; g < granules; ++g)
      soloNs[static_cast<size_t>(graph.nodes[n].instance)][g] += graph.choice(n, g + 1).ns;

  std::vector<size_t> order(instances);
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(-soloNs[a].back(), a) < std::pair(-soloNs[b].back(), b);
  });
  Split best;
  for (size_t fifth = 1; fifth <= 5; ++fifth) {
    Split split;
    split.first = std::max<size_t>(1, (granules * fifth + 2) / 5);
    split.inSecond.assign(instances, 0);
    size_t second = granules - split.first;
    int64_t firstNs = 0, secondNs = 0;
    for (size_t i : order) {
      int64_t onFirst = firstNs + soloNs[i][split.first - 1];
      int64_t onSecond = second > 0 ? secondNs + soloNs[i][second - 1] : INT64_MAX;
      size_t knee = kneeOf(soloNs[i]);
      bool prefersFirst = knee > second ? split.first > second : split.first <= second;
      bool toFirst = onFirst < onSecond || (onFirst == onSecond && prefersFirst);
      split.inSecond[i] = !toFirst;
      (toFirst ? firstNs : secondNs) = toFirst ? onFirst : onSecond;
    }
    split.makespanNs = std::max(firstNs, secondNs);
    if (split.makespanNs < best.makespanNs)
      best = std::move(split);
  }

  GranuleMask masks[2] = {0, 0};
  for (size_t g = 0; g < granules; ++g)
    masks[g >= best.first] |= GranuleMask(1) << graph.granules[g];
  int64_t atNs[2] = {0, 0};
  std::vector<Placement> placements;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    auto part = static_cast<size_t>(best.inSecond[static_cast<size_t>(graph.nodes[n].instance)]);
    const Choice &choice = graph.choice(n, part ? granules - best.first : best.first);
    placements.push_back({masks[part], choice.variant, atNs[part], choice.ns});
    atNs[part] += choice.ns;
  }
  return makeSchedule(problem, workload, "partition", graph, placements);
}

} // namespace mtc
