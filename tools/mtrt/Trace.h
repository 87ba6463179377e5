//===- Trace.h - what the workers did, as a Chrome trace ------------------===//
//
// Process = tenant, thread = worker or group of SMs, a slice per task. Open it in
// https://ui.perfetto.dev or chrome://tracing. Source: "Trace Event Format", Google, 2016.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Runtime/Session.h"

#include <map>
#include <string>

namespace mtc::tool {

/// Collects jobs as trace events. Not thread-safe: one job ends at a time.
class Trace {
public:
  void add(const JobReport &report);
  /// Fails as writeFile does.
  Status write(const std::string &path) const;
  bool empty() const { return events_.empty(); }
  void clear() { events_.clear(); }

private:
  std::string events_;
  std::map<int32_t, std::string> processes_;                   ///< tenant index to name
  std::map<std::pair<int32_t, int32_t>, std::string> threads_; ///< by tenant and worker
};

} // namespace mtc::tool
