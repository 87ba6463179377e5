//===- VerdictJson.cpp - verdicts in reports ------------------------------===//
#include "VerdictJson.h"
#include "LoadJson.h"
#include "mtc/Scheduling/ProblemText.h"

namespace mtc::tool {

nlohmann::ordered_json originsJson(const TimeOrigins &origins) {
  return {
      {"measured", origins.measured}, {"learned", origins.learned}, {"modelled", origins.modelled}};
}

nlohmann::ordered_json verdictJson(const Verdict &verdict) {
  nlohmann::ordered_json tenants = nlohmann::ordered_json::array();
  for (const TenantVerdict &tenant : verdict.tenants) {
    nlohmann::ordered_json row = {{"name", tenant.name},
                                  {"rate_per_second", tenant.ratePerSecond},
                                  {"arrivals", arrivalKindName(tenant.arrivals)},
                                  {"slo_p99_ns", tenant.sloNs},
                                  {"alone_ns", tenant.aloneNs}};
    row.update(loadJson(tenant.load));
    row["fits"] = tenant.fits;
    tenants.push_back(std::move(row));
  }
  nlohmann::ordered_json binding; // null: no tenant has an SLO
  if (verdict.binding >= 0)
    binding = verdict.tenants[static_cast<size_t>(verdict.binding)].name;
  return {{"fits", verdict.fits},
          {"origin", "simulated"},
          {"calibrated", verdict.isCalibrated},
          {"times", originsJson(verdict.times)},
          {"by_tasks", verdict.byTasks},
          {"binding", binding},
          {"layout", verdict.layout},
          {"held_granules", verdict.outcome.heldGranules},
          {"busy_units", verdict.outcome.busyUnits},
          {"used_bandwidth", verdict.outcome.usedBandwidth},
          {"tenants", tenants},
          {"impossible", verdict.impossible},
          {"would_fit", verdict.advice}};
}

} // namespace mtc::tool
