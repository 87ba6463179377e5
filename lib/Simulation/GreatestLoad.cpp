//===- GreatestLoad.cpp - how high rates may be ---------------------------===//
#include "mtc/Simulation/Layouts.h"

#include <cmath>

namespace mtc {

bool isServed(const Problem &problem, const OpenOutcome &outcome, bool surely) {
  if (outcome.gaveUp)
    return false;
  for (size_t t = 0; t < outcome.tenants.size(); ++t) {
    const TenantLoad &load = outcome.tenants[t];
    int64_t sloNs = problem.tenants[t].sloP99Ns;
    if (sloNs > 0 && load.requests > 0 && (surely ? load.p99HighNs : load.p99Ns) > sloNs)
      return false;
  }
  return true;
}

StatusOr<GreatestLoad> greatestLoad(const Problem &problem, const SoloPlans &plans,
                                    const OpenLoad &load,
                                    const std::function<StatusOr<Layout>(const OpenLoad &)> &policy,
                                    const GreatestLoadOptions &options) {
  GreatestLoad greatest;
  // What serves little is often a good layout for more: all that were found are tried.
  auto serves = [&](double factor) -> StatusOr<bool> {
    OpenLoad more = scaled(load, factor, options.tenant);
    MTC_ASSIGN_OR_RETURN(Layout layout, policy(more));
    for (const Layout *candidate : {&layout, &greatest.layout}) {
      if (candidate->services.empty())
        continue;
      MTC_ASSIGN_OR_RETURN(OpenOutcome outcome, simulateOpen(problem, plans, *candidate,
                                                             more.arrivals, options.simulation));
      if (!isServed(problem, outcome, options.surely))
        continue;
      if (candidate == &layout)
        greatest.layout = std::move(layout);
      greatest.factor = factor;
      return true;
    }
    return false;
  };
  double low = std::log(options.least), high = std::log(options.most);
  for (int64_t step = 0; step < options.steps; ++step) {
    double middle = (low + high) / 2;
    MTC_ASSIGN_OR_RETURN(bool served, serves(std::exp(middle)));
    (served ? low : high) = middle;
  }
  return greatest;
}

} // namespace mtc
