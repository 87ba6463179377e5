//===- BenchReport.cpp - reads reports of mtrt bench ----------------------===//
#include "BenchReport.h"
#include "LoadJson.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>

#include <cmath>

namespace mtc::tool {

/// The number at `key`; 0 if there is none.
template <typename T> static T numberOf(const nlohmann::json &object, const char *key) {
  return object.contains(key) && object[key].is_number() ? object[key].get<T>() : T(0);
}

static Status readTenant(const nlohmann::json &json, const std::string &mode,
                         MeasuredTenant &tenant) {
  if (mode != "open") {
    const auto ns = std::llround(numberOf<double>(json, "median_ms") * 1e6);
    if (ns <= 0)
      return invalidInput("a tenant has no 'median_ms'");
    (mode == "solo" ? tenant.aloneNs : tenant.togetherNs) = ns;
    return okStatus();
  }
  TenantLoad load;
  load.requests = numberOf<int64_t>(json, "requests");
  load.p50Ns = numberOf<int64_t>(json, "p50_ns");
  load.p90Ns = numberOf<int64_t>(json, "p90_ns");
  load.p99Ns = numberOf<int64_t>(json, "p99_ns");
  load.missed = numberOf<double>(json, "missed");
  load.utilisation = numberOf<double>(json, "utilisation");
  load.unserved = numberOf<int64_t>(json, "unserved");
  load.servedPerSecond = numberOf<double>(json, "served_per_second");
  MTC_ASSIGN_OR_RETURN(load.histogram, histogramOf(json));
  tenant.load = std::move(load);
  return okStatus();
}

static Status readReport(const std::string &text, std::map<std::string, MeasuredTenant> &tenants) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("mode") || !json["mode"].is_string() ||
      !json.contains("tenants") || !json["tenants"].is_array())
    return invalidInput("no report of mtrt bench: it has no 'mode' and 'tenants'");
  const auto mode = json["mode"].get<std::string>();
  if (mode != "round" && mode != "solo" && mode != "open")
    return invalidInput(
        fmt::format("a report of mtrt bench --mode {}; wanted round, solo or open", mode));
  for (const nlohmann::json &tenant : json["tenants"]) {
    if (!tenant.is_object() || !tenant.contains("name") || !tenant["name"].is_string())
      return invalidInput("a tenant has no 'name'");
    MTC_RETURN_IF_ERROR(readTenant(tenant, mode, tenants[tenant["name"].get<std::string>()]));
  }
  return okStatus();
}

StatusOr<std::map<std::string, MeasuredTenant>>
readBenchReports(const std::vector<std::string> &files) {
  std::map<std::string, MeasuredTenant> tenants;
  for (const std::string &file : files) {
    MTC_ASSIGN_OR_RETURN(const std::string text, readTextFile(file));
    MTC_RETURN_IF_ERROR(readReport(text, tenants).withContext(file));
  }
  return tenants;
}

} // namespace mtc::tool
