//===- VerdictJson.cpp - verdicts in reports ------------------------------===//
#include "VerdictJson.h"
#include "mtc/Scheduling/ProblemText.h"

namespace mtc::tool {

nlohmann::ordered_json verdictJson(const Verdict &verdict) {
  nlohmann::ordered_json tenants = nlohmann::ordered_json::array();
  for (const TenantVerdict &tenant : verdict.tenants)
    tenants.push_back({{"name", tenant.name},
                       {"rate_per_second", tenant.ratePerSecond},
                       {"arrivals", arrivalKindName(tenant.arrivals)},
                       {"slo_p99_ns", tenant.sloNs},
                       {"alone_ns", tenant.aloneNs},
                       {"requests", tenant.load.requests},
                       {"p50_ns", tenant.load.p50Ns},
                       {"p99_ns", tenant.load.p99Ns},
                       {"p99_low_ns", tenant.load.p99LowNs},
                       {"p99_high_ns", tenant.load.p99HighNs},
                       {"missed", tenant.load.missed},
                       {"utilisation", tenant.load.utilisation},
                       {"fits", tenant.fits}});
  nlohmann::ordered_json binding; // null: no tenant has an SLO
  if (verdict.binding >= 0)
    binding = verdict.tenants[static_cast<size_t>(verdict.binding)].name;
  return {{"fits", verdict.fits},
          {"origin", "simulated"},
          {"calibrated", verdict.isCalibrated},
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
