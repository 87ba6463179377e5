//===- Stages.cpp - pointers cut tenants into stages that run together ----===//
//
// Per row - a tenant's instances, one after the other - pointers cut the task list into stages; in
// a stage every row runs its part on granules of its own, split so that the longest part is short;
// stages follow each other. Coordinate descent moves one pointer at a time by powers of two while
// that makes the sum of the stages shorter. Prefix sums per granule count make a stage's cost a
// matter of instances times granules. Source: Yu, Bray, Wang, Shangguan, Tang, Liu, Chen,
// "Automated Runtime-Aware Scheduling for Multi-Tenant DNN Inference on GPU", ICCAD 2021,
// arXiv:2111.14255; there stages run in streams and costs are profiled.
//
//===----------------------------------------------------------------------===//
#include "TaskGraph.h"
#include "mtc/Scheduling/Policies.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace mtc {
namespace {

/// Moves that may be tried, in stages priced: 1 s on one core of an AMD EPYC (Zen 4), 2025-11.
constexpr int64_t kStagePrices = 1'000'000;

class StageSearch {
public:
  StageSearch(const Problem &problem, const Workload &workload)
      : workload_(workload), graph_(buildTaskGraph(problem, workload)),
        granules_(graph_.granules.size()) {
    for (size_t n = 0; n < graph_.nodes.size(); ++n)
      if (n == 0 || entryOf(n) != entryOf(n - 1))
        first_.push_back(n);
    first_.push_back(graph_.nodes.size());
    prefixNs_.assign(granules_, std::vector<int64_t>(graph_.nodes.size() + 1, 0));
    for (size_t g = 0; g < granules_; ++g)
      for (size_t n = 0; n < graph_.nodes.size(); ++n)
        prefixNs_[g][n + 1] = prefixNs_[g][n] + graph_.choice(n, g + 1).ns;
  }

  StatusOr<Schedule> run(const Problem &problem) {
    size_t longest = 1;
    for (size_t i = 0; i < rowCount(); ++i)
      longest = std::max(longest, first_[i + 1] - first_[i]);
    Cuts best;
    int64_t bestNs = INT64_MAX;
    for (size_t stages = 1; stages <= std::min<size_t>(64, longest); stages *= 2) {
      Cuts cuts = evenCuts(stages);
      if (int64_t ns = descend(cuts); ns < bestNs) {
        bestNs = ns;
        best = std::move(cuts);
      }
    }
    return makeSchedule(problem, workload_, "stages", graph_, place(best));
  }

private:
  /// cuts[s][i]: the first node of row i that is not in the stages up to s - 1.
  using Cuts = std::vector<std::vector<size_t>>;

  size_t rowCount() const { return first_.size() - 1; }
  int32_t entryOf(size_t n) const {
    return workload_.instances[static_cast<size_t>(graph_.nodes[n].instance)];
  }
  int64_t partNs(size_t from, size_t to, size_t granules) const {
    return prefixNs_[granules - 1][to] - prefixNs_[granules - 1][from];
  }

  /// Stages of equally many tasks of every row.
  Cuts evenCuts(size_t stages) const {
    Cuts cuts(stages + 1, std::vector<size_t>(rowCount()));
    for (size_t i = 0; i < rowCount(); ++i)
      for (size_t s = 0; s <= stages; ++s) {
        auto count = first_[i + 1] - first_[i];
        cuts[s][i] = first_[i] + count * s / stages;
      }
    return cuts;
  }

  /// Granules of each part of a stage, and its time. With more parts than granules the parts that
  /// share one follow each other.
  int64_t split(const Cuts &cuts, size_t stage, std::vector<GranuleMask> *masks) const {
    std::vector<size_t> parts;
    for (size_t i = 0; i < rowCount(); ++i)
      if (cuts[stage][i] < cuts[stage + 1][i])
        parts.push_back(i);
    auto ns = [&](size_t i, size_t granules) {
      return partNs(cuts[stage][i], cuts[stage + 1][i], granules);
    };
    if (masks)
      masks->assign(rowCount(), 0);
    if (parts.empty())
      return 0;
    if (parts.size() > granules_) {
      std::sort(parts.begin(), parts.end(), [&](size_t a, size_t b) {
        return std::pair(-ns(a, 1), a) < std::pair(-ns(b, 1), b);
      });
      std::vector<int64_t> loadNs(granules_, 0);
      for (size_t i : parts) {
        auto least = std::min_element(loadNs.begin(), loadNs.end());
        *least += ns(i, 1);
        if (masks)
          (*masks)[i] = maskOf(static_cast<size_t>(least - loadNs.begin()), 1);
      }
      return *std::max_element(loadNs.begin(), loadNs.end());
    }
    std::vector<size_t> counts(parts.size(), 1);
    auto slowest = [&] {
      size_t p = 0;
      for (size_t q = 1; q < parts.size(); ++q)
        if (ns(parts[q], counts[q]) > ns(parts[p], counts[p]))
          p = q;
      return p;
    };
    for (size_t used = parts.size(); used < granules_; ++used)
      ++counts[slowest()];
    size_t p = slowest(), next = 0;
    if (masks)
      for (size_t q = 0; q < parts.size(); ++q) {
        (*masks)[parts[q]] = maskOf(next, counts[q]);
        next += counts[q];
      }
    return ns(parts[p], counts[p]);
  }

  GranuleMask maskOf(size_t from, size_t count) const {
    GranuleMask mask = 0;
    for (size_t g = from; g < from + count; ++g)
      mask |= GranuleMask(1) << graph_.granules[g];
    return mask;
  }

  /// Moves pointers while that helps; returns the sum of the stages.
  int64_t descend(Cuts &cuts) {
    std::vector<int64_t> ns(cuts.size() - 1);
    for (size_t s = 0; s + 1 < cuts.size(); ++s)
      ns[s] = split(cuts, s, nullptr);
    for (bool improved = true; improved && pricesLeft_ > 0;) {
      improved = false;
      for (size_t i = 0; i < rowCount(); ++i)
        for (size_t s = 1; s + 1 < cuts.size(); ++s)
          for (size_t step = 1; step <= 64; step *= 2)
            for (int sign : {-1, 1}) {
              size_t old = cuts[s][i];
              auto moved =
                  static_cast<std::ptrdiff_t>(old) + sign * static_cast<std::ptrdiff_t>(step);
              if (moved < static_cast<std::ptrdiff_t>(cuts[s - 1][i]) ||
                  moved > static_cast<std::ptrdiff_t>(cuts[s + 1][i]))
                continue;
              cuts[s][i] = static_cast<size_t>(moved);
              pricesLeft_ -= 2;
              int64_t before = split(cuts, s - 1, nullptr), after = split(cuts, s, nullptr);
              if (before + after < ns[s - 1] + ns[s]) {
                ns[s - 1] = before;
                ns[s] = after;
                improved = true;
              } else {
                cuts[s][i] = old;
              }
            }
    }
    return std::accumulate(ns.begin(), ns.end(), int64_t(0));
  }

  std::vector<Placement> place(const Cuts &cuts) const {
    std::vector<Placement> placements(graph_.nodes.size());
    int64_t nowNs = 0;
    for (size_t s = 0; s + 1 < cuts.size(); ++s) {
      std::vector<GranuleMask> masks;
      int64_t endNs = nowNs + split(cuts, s, &masks);
      std::vector<int64_t> freeNs(64, nowNs);
      for (size_t i = 0; i < rowCount(); ++i)
        for (size_t n = cuts[s][i]; n < cuts[s + 1][i]; ++n) {
          int64_t &at = freeNs[static_cast<size_t>(std::countr_zero(masks[i]))];
          const Choice &choice = graph_.choice(n, static_cast<size_t>(std::popcount(masks[i])));
          placements[n] = {masks[i], choice.variant, at, choice.ns};
          at += choice.ns;
        }
      nowNs = endNs;
    }
    return placements;
  }

  const Workload &workload_;
  TaskGraph graph_;
  size_t granules_;
  std::vector<size_t> first_;                  ///< node of each row, and one more
  std::vector<std::vector<int64_t>> prefixNs_; ///< by granule count - 1, then node
  int64_t pricesLeft_ = kStagePrices;
};

} // namespace

StatusOr<Schedule> scheduleStages(const Problem &problem, const Workload &workload,
                                  const PolicyOptions &) {
  return StageSearch(problem, workload).run(problem);
}

} // namespace mtc
