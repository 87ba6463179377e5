//===- TaskTimes.h - how long each task takes -----------------------------===//
#pragma once

#include "mtc/Runtime/Peak.h"
#include "mtc/Runtime/Session.h"

#include <nlohmann/json_fwd.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace mtc::tool {

/// Times in ns and what is reported of them.
struct Samples {
  std::vector<int64_t> ns;
  double quantileMs(double q) const {
    std::vector<int64_t> sorted = ns;
    std::sort(sorted.begin(), sorted.end());
    const auto at = static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5);
    return static_cast<double>(sorted[at]) / 1e6;
  }
  double medianMs() const { return quantileMs(0.5); }
  /// Distance of the quartiles, relative to the median.
  double spread() const { return (quantileMs(0.75) - quantileMs(0.25)) / medianMs(); }
};

/// Times per task over all jobs of `bench --mode kernels`.
class TaskTimes {
public:
  void add(const JobReport &report);

  /// All tasks, those that take longest first, into `json` ("tasks", "roofline") and, if `print`,
  /// to stdout. A task's part of the roofline is the least time that its arithmetic at the peak of
  /// its workers and its bytes at the memory's bandwidth need, over its time: above 1 if its bytes
  /// come from caches.
  void report(const Problem &problem, const host::Peak &peak, bool print,
              nlohmann::ordered_json &json) const;

private:
  struct Row {
    int32_t kernel = 0, variant = 0, workers = 0;
    int64_t predictedNs = 0;
    Samples times;
  };
  std::map<std::pair<int32_t, int32_t>, Row> rows_; ///< by entry and task
};

} // namespace mtc::tool
