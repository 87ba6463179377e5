//===- TaskTimes.h - how long each task takes -----------------------------===//
#pragma once

#include "Clients.h"
#include "Roofline.h"

#include <nlohmann/json_fwd.hpp>

#include <map>

namespace mtc::tool {

/// Times per task over all jobs of `bench --mode kernels`.
class TaskTimes {
public:
  void add(const JobReport &report);

  /// All tasks, those that take longest first, into `json` ("tasks", "roofline") and, if `print`,
  /// to stdout. A task's part of the roofline is the least time that its arithmetic at the peak of
  /// its workers and its bytes at the memory's bandwidth need, over its time: above 1 if its bytes
  /// come from caches.
  void report(const Problem &problem, const Roofline &roofline, bool print,
              nlohmann::ordered_json &json) const;

private:
  struct Row {
    int32_t kernel = 0, variant = 0, workers = 0;
    int64_t predictedNs = 0;
    Samples times;
  };
  std::map<std::pair<int32_t, int32_t>, Row> rows_; ///< by entry and task
  int64_t clockStepNs_ = 0;                         ///< divides all times that were seen of a job
};

} // namespace mtc::tool
