//===- BranchAndBound.h - the least makespan of small problems ------------===//
//
// Exact, for problems without contention (no bytes): every left-shifted schedule starts each task
// at 0 or when another ends, so going through time and choosing at every end which ready tasks
// start, on how many granules, reaches an optimum. Which granules does not matter, only how many.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

#include <algorithm>
#include <bit>

namespace mtc::test {

class BranchAndBound {
public:
  /// Looks for a makespan below `upperNs` in at most `maxNodes` steps.
  BranchAndBound(const Problem &problem, const Workload &workload, int64_t upperNs,
                 int64_t maxNodes)
      : granules_(std::popcount(workload.granules)), bestNs_(upperNs), nodesLeft_(maxNodes) {
    for (int32_t e : workload.instances) {
      const Entry &entry = problem.entries[static_cast<size_t>(e)];
      size_t first = options_.size();
      for (std::vector<int32_t> &row : taskDependences(problem, entry)) {
        before_.emplace_back();
        for (int32_t task : row)
          before_.back().push_back(first + static_cast<size_t>(task));
      }
      for (const Task &task : entry.tasks)
        options_.push_back(optionsOf(problem.kernels[static_cast<size_t>(task.kernel)]));
    }
    size_t count = options_.size();
    tailNs_.assign(count, 0);
    leastArea_.assign(count, 0);
    for (size_t t = count; t-- > 0;) {
      tailNs_[t] += options_[t].back().second;
      for (size_t b : before_[t])
        tailNs_[b] = std::max(tailNs_[b], tailNs_[t]);
      leastArea_[t] = INT64_MAX;
      for (auto [granules, ns] : options_[t])
        leastArea_[t] = std::min(leastArea_[t], granules * ns);
    }
    state_.assign(count, Waiting);
    endNs_.assign(count, 0);
    held_.assign(count, 0);
  }

  /// The least makespan, or `upperNs` if there is none below. `proved()` says whether that is all.
  int64_t run() {
    int64_t area = 0;
    for (int64_t a : leastArea_)
      area += a;
    step(0, 0, granules_, area, options_.size());
    return bestNs_;
  }
  bool proved() const { return nodesLeft_ > 0; }

private:
  enum State : char { Waiting, Running, Done };
  using Option = std::pair<int64_t, int64_t>; ///< granules, ns

  /// Ascending in granules, each faster than the one before.
  std::vector<Option> optionsOf(const Kernel &kernel) const {
    std::vector<Option> options;
    for (int32_t count = 1; count <= granules_; ++count) {
      int64_t ns = INT64_MAX;
      for (const Variant &variant : kernel.variants)
        ns = std::min(ns, variantNs(variant, count));
      if (options.empty() || ns < options.back().second)
        options.emplace_back(count, ns);
    }
    return options;
  }

  bool isReady(size_t t) const {
    return state_[t] == Waiting && std::all_of(before_[t].begin(), before_[t].end(),
                                               [&](size_t b) { return state_[b] == Done; });
  }

  /// At `nowNs`, tasks below `from` have been decided on. `areaLeft`: least, of tasks not started.
  void step(int64_t nowNs, size_t from, int64_t freeGranules, int64_t areaLeft, size_t left) {
    if (--nodesLeft_ <= 0)
      return;
    int64_t lastEnd = nowNs, busyArea = 0, boundNs = nowNs;
    for (size_t t = 0; t < state_.size(); ++t) {
      if (state_[t] == Running) {
        lastEnd = std::max(lastEnd, endNs_[t]);
        busyArea += (endNs_[t] - nowNs) * held_[t];
        // Its successors start when it ends.
        boundNs = std::max(boundNs, endNs_[t] + tailNs_[t] - options_[t].back().second);
      } else if (state_[t] == Waiting) {
        boundNs = std::max(boundNs, nowNs + tailNs_[t]);
      }
    }
    if (left == 0) {
      bestNs_ = std::min(bestNs_, lastEnd);
      return;
    }
    boundNs = std::max(boundNs, nowNs + (areaLeft + busyArea + granules_ - 1) / granules_);
    if (std::max(boundNs, lastEnd) >= bestNs_)
      return;
    for (size_t t = from; t < state_.size() && freeGranules > 0; ++t) {
      if (!isReady(t))
        continue;
      for (size_t o = options_[t].size(); o-- > 0;) {
        auto [granules, ns] = options_[t][o];
        if (granules > freeGranules)
          continue;
        state_[t] = Running;
        endNs_[t] = nowNs + ns;
        held_[t] = granules;
        step(nowNs, t + 1, freeGranules - granules, areaLeft - leastArea_[t], left - 1);
        state_[t] = Waiting;
      }
    }
    // Nothing more starts now: go to the next end.
    int64_t nextNs = INT64_MAX;
    for (size_t t = 0; t < state_.size(); ++t)
      if (state_[t] == Running)
        nextNs = std::min(nextNs, endNs_[t]);
    if (nextNs == INT64_MAX)
      return;
    std::vector<size_t> ended;
    for (size_t t = 0; t < state_.size(); ++t)
      if (state_[t] == Running && endNs_[t] == nextNs) {
        state_[t] = Done;
        freeGranules += held_[t];
        ended.push_back(t);
      }
    step(nextNs, 0, freeGranules, areaLeft, left);
    for (size_t t : ended)
      state_[t] = Running;
  }

  int32_t granules_;
  int64_t bestNs_, nodesLeft_;
  std::vector<std::vector<Option>> options_;
  std::vector<std::vector<size_t>> before_;
  std::vector<int64_t> tailNs_, leastArea_, endNs_;
  std::vector<State> state_;
  std::vector<int64_t> held_; ///< granules, of running tasks
};

} // namespace mtc::test
