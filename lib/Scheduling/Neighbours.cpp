//===- Neighbours.cpp - tasks beside each other on cores ------------------===//
#include "Neighbours.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace mtc {

/// What a core's own caches hold at least, on servers of x86-64-v3 and later (1 to 2 MiB of L2).
static constexpr int64_t kOwnCacheBytes = int64_t(1) << 20;

/// Parts by which tasks took longer while the other core ran others: sums over the 2,401 kernels of
/// four sets and 12 spare models, by whether their operands fit into a core's own caches (`mtc tune
/// --calibrate --keep-samples`, two cores of an AMD EPYC Zen 4, shared VM, 2026-11-23). In two
/// plans of the text set the pairs themselves took no longer than predicted, tasks with larger
/// weights 6 %.
static constexpr double kSmallDoubt = 0.036, kLargeDoubt = 0.066;

/// By how much later all cores are where they have to be in step again, in ns per root of the ns
/// that they worked side by side: errors of predicted times add up like steps of a random walk.
/// Half of what one core waited for the other in three plans of rounds: 14 us at 13 such places 0.6
/// ms apart and 13 us at 47 that were 0.3 ms apart (text set), 65 us at 5 that were 0.5 ms apart
/// (speech set); medians of 12 to 20 traces, same machine.
static constexpr double kDrift = 35;

double neighbourDoubt(const Problem &problem, const Kernel &kernel) {
  if (!isHost(problem.device))
    return 0;
  return kernel.bytes <= kOwnCacheBytes ? kSmallDoubt : kLargeDoubt;
}

std::vector<double> neighbourDoubts(const Problem &problem) {
  std::vector<double> doubts;
  for (const Kernel &kernel : problem.kernels)
    doubts.push_back(neighbourDoubt(problem, kernel));
  return doubts;
}

double Besides::start(int32_t node, GranuleMask mask, const Predecessors &before) {
  const int32_t last = lastOn_[static_cast<size_t>(std::countr_zero(mask))];
  bool isMeeting = false;
  for (GranuleMask rest = mask; rest != 0; rest &= rest - 1) {
    int32_t &own = lastOn_[static_cast<size_t>(std::countr_zero(rest))];
    isMeeting |= own != last;
    own = node;
  }
  for (int32_t first : before[static_cast<size_t>(node)])
    isMeeting |= (masks_[static_cast<size_t>(first)] & mask) == 0;
  masks_[static_cast<size_t>(node)] = mask;
  return isMeeting ? meet(std::popcount(mask) / granules_) : 0;
}

double Besides::meet(double part) {
  const double waitNs = std::min(besideNs_, kDrift * std::sqrt(besideNs_));
  besideNs_ = 0;
  return part * waitNs;
}

double doubtNs(const Problem &problem, const Schedule &schedule) {
  if (!isHost(problem.device))
    return 0;
  const TaskGraph graph = buildTaskGraph(problem, schedule.workload);
  const std::vector<double> doubts = neighbourDoubts(problem);
  std::vector<const Place *> placeOf(graph.nodes.size());
  std::vector<int32_t> firstNode(schedule.workload.instances.size(), -1);
  for (size_t n = graph.nodes.size(); n-- > 0;)
    firstNode[static_cast<size_t>(graph.nodes[n].instance)] = static_cast<int32_t>(n);
  for (const Place &place : schedule.places)
    placeOf[static_cast<size_t>(firstNode[static_cast<size_t>(place.instance)] + place.task)] =
        &place;
  std::vector<int32_t> byStart(graph.nodes.size());
  std::iota(byStart.begin(), byStart.end(), 0);
  std::sort(byStart.begin(), byStart.end(), [&](int32_t a, int32_t b) {
    return std::pair(placeOf[static_cast<size_t>(a)]->startNs, a) <
           std::pair(placeOf[static_cast<size_t>(b)]->startNs, b);
  });

  struct Running {
    int64_t endNs;
    double doubt;
  };
  std::vector<Running> running;
  Besides besides(graph.nodes.size(), graph.granules.size());
  besides.clear();
  double sum = 0;
  int64_t nowNs = 0;
  // Lets time pass until `untilNs`: from end to end of what runs.
  const auto pass = [&](int64_t untilNs) {
    while (nowNs < untilNs && !running.empty()) {
      int64_t nextNs = untilNs;
      double doubt = 0;
      for (const Running &r : running) {
        nextNs = std::min(nextNs, r.endNs);
        doubt = std::max(doubt, r.doubt);
      }
      if (running.size() > 1)
        sum += besides.pass(static_cast<double>(nextNs - nowNs), doubt);
      nowNs = nextNs;
      std::erase_if(running, [&](const Running &r) { return r.endNs <= nowNs; });
    }
    nowNs = untilNs;
  };
  for (int32_t n : byStart) {
    const auto node = static_cast<size_t>(n);
    const Place &place = *placeOf[node];
    pass(place.startNs);
    sum += besides.start(n, place.granules, graph.before);
    if (place.durationNs > 0)
      running.push_back({place.startNs + place.durationNs,
                         doubts[static_cast<size_t>(graph.nodes[node].kernel)]});
  }
  pass(schedule.makespanNs);
  return sum + besides.meet();
}

} // namespace mtc
