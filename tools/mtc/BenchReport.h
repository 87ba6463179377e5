//===- BenchReport.h - what was measured, for reports ---------------------===//
#pragma once

#include "mtc/Simulation/OpenLoad.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mtc::tool {

/// A tenant as `mtrt bench` measured it.
struct MeasuredTenant {
  int64_t aloneNs = 0, togetherNs = 0; ///< medians of --mode solo and round; 0: not measured
  std::optional<TenantLoad> load;      ///< of --mode open
};

/// What `mtrt bench --json` wrote, of any of the modes round, solo and open; by tenant. Later files
/// replace what earlier ones say of the same.
///
/// Fails if a file cannot be read or is no such report (InvalidInput).
StatusOr<std::map<std::string, MeasuredTenant>>
readBenchReports(const std::vector<std::string> &files);

} // namespace mtc::tool
