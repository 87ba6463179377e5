//===- LoadJson.cpp - latencies under load in reports ---------------------===//
#include "LoadJson.h"

namespace mtc::tool {

nlohmann::ordered_json loadJson(const TenantLoad &load) {
  nlohmann::ordered_json bins = nlohmann::ordered_json::array();
  for (const LatencyBin &bin : load.histogram)
    bins.push_back({bin.fromNs, bin.toNs, bin.requests});
  return {{"requests", load.requests},
          {"p50_ns", load.p50Ns},
          {"p90_ns", load.p90Ns},
          {"p99_ns", load.p99Ns},
          {"p99_low_ns", load.p99LowNs},
          {"p99_high_ns", load.p99HighNs},
          {"missed", load.missed},
          {"utilisation", load.utilisation},
          {"unserved", load.unserved},
          {"served_per_second", load.servedPerSecond},
          {"histogram", bins}};
}

StatusOr<std::vector<LatencyBin>> histogramOf(const nlohmann::json &load) {
  std::vector<LatencyBin> bins;
  const auto wrong = [] { return invalidInput("'histogram' is no list of [from, to, requests]"); };
  if (!load.is_object() || !load.contains("histogram") || !load["histogram"].is_array())
    return wrong();
  for (const nlohmann::json &bin : load["histogram"]) {
    if (!bin.is_array() || bin.size() != 3 || !bin[0].is_number_integer() ||
        !bin[1].is_number_integer() || !bin[2].is_number_integer())
      return wrong();
    bins.push_back({bin[0].get<int64_t>(), bin[1].get<int64_t>(), bin[2].get<int64_t>()});
    if (bins.back().fromNs < 1 || bins.back().toNs <= bins.back().fromNs ||
        bins.back().requests < 1)
      return wrong();
  }
  return bins;
}

} // namespace mtc::tool
