//===- VerdictJson.h - verdicts in reports --------------------------------===//
#pragma once

#include "mtc/Simulation/Verdict.h"

#include <nlohmann/json.hpp>

namespace mtc::tool {

nlohmann::ordered_json verdictJson(const Verdict &verdict);

} // namespace mtc::tool
