//===- BenchPolicies.h - rounds by several policies in turn ---------------===//
#pragma once

#include "Clients.h"
#include "Commands.h"

namespace mtc::tool {

/// What `mtrt bench --policy P,Q,...` compares, and how often.
struct PolicyComparison {
  std::vector<std::string> policies; ///< "bundle" is the stored plan
  int warmup = 0, iterations = 1;
};

/// Rounds by each of the policies in turn, in every order alike, on one session: they share
/// workers, weights and moments of the machine. A round's makespan is from the first worker's start
/// to the last one's end. Each policy is compared with the first one by the ratios of their
/// makespans of an iteration; the median's 95 % interval is by order statistics, whatever their
/// distribution. Prints a table, and writes the report where --json says.
///
/// Fails as the session does; if a policy is named twice or unknown (InvalidInput).
/// Source: W. J. Conover, Practical Nonparametric Statistics, 3.2 (interval of a quantile).
Status benchPolicies(const DeviceOptions &device, const OutputOptions &output, const Fill &fill,
                     const PolicyComparison &comparison);

/// Median of values with the interval that holds it with 95 % where there are six values, else with
/// less: their range.
struct MedianInterval {
  double low = 0, median = 0, high = 0;
};
MedianInterval medianInterval(std::vector<double> values);

} // namespace mtc::tool
