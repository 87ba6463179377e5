//===- ReportParts.h - parts of the page apart from the timeline ----------===//
#pragma once

#include "SimulatedTarget.h"

namespace mtc::tool {

/// Text as HTML shows it.
std::string escaped(const std::string &text);

/// Distributions of latencies under open load, a picture a tenant: simulated upwards, measured
/// downwards, time logarithmic and of one scale for all.
void addHistograms(const SimulatedTarget &target, std::string &out);

/// Tables of what is different from another bundle.
void addDifference(const Difference &difference, std::string &out);

} // namespace mtc::tool
