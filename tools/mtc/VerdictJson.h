//===- VerdictJson.h - verdicts in reports --------------------------------===//
#pragma once

#include "mtc/Simulation/Verdict.h"

#include <nlohmann/json.hpp>

namespace mtc::tool {

/// {measured, learned, modelled}: how many times come from where.
nlohmann::ordered_json originsJson(const TimeOrigins &origins);

nlohmann::ordered_json verdictJson(const Verdict &verdict);

} // namespace mtc::tool
