//===- LoadJson.h - latencies under load in reports -----------------------===//
#pragma once

#include "mtc/Simulation/OpenLoad.h"

#include <nlohmann/json.hpp>

namespace mtc::tool {

/// Quantiles, misses, utilisation and the histogram of a tenant; the same keys whether they were
/// simulated or measured.
nlohmann::ordered_json loadJson(const TenantLoad &load);

/// The histogram that loadJson() wrote: [from, to, requests] each.
/// Fails if it is something else (InvalidInput).
StatusOr<std::vector<LatencyBin>> histogramOf(const nlohmann::json &load);

} // namespace mtc::tool
