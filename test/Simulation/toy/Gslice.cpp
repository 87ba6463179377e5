// GSLICE: each tenant has a share; where its latency leaves more than 10 % of the SLO, or none, the
// share is scaled by the error. Dhakal et al., SoCC 2020.
#include "Toy.h"

#include <algorithm>
#include <bit>

namespace mtc::test {

void gslice(Toy &toy) {
  const auto all = double(toy.allGranules());
  if (!toy.tables.verdict) {
    toy.missing.insert("verdict");
    return;
  }
  // Shares start where the compiler put the tenants.
  for (const PartitionRow &partition : toy.tables.verdict->partitions)
    for (int32_t tenant : partition.tenants)
      if (double &share = toy.state[size_t(tenant)]; share == 0)
        share = toy.need(std::popcount(partition.granules), "verdict.partitions");
  for (double &share : toy.state)
    share = std::max(share, 1.0);
  std::vector<char> isBusy(toy.state.size(), 0);
  for (const ToyRun &run : toy.running)
    isBusy[size_t(run.request.tenant)] = 1;
  for (size_t i = 0; i < toy.waiting.size();) {
    const ToyRequest request = toy.waiting[i];
    double &share = toy.state[size_t(request.tenant)];
    const SoloRow *row = toy.solo(request.tenant, std::max(1, int(share)));
    if (!row)
      return;
    const auto p99 = double(toy.need(row->p99Ns, "p99Ns"));
    const double slo = double(toy.sloNs(request.tenant));
    const double slack = slo > 0 ? 1 - (double(toy.nowNs - request.arrivalNs) + p99) / slo : 0.05;
    if (slack < 0 || slack > 0.1)
      share = std::clamp(share * (1 - std::clamp(slack - 0.05, -0.5, 0.5)), 1.0, all);
    const GranuleMask mask = toy.pick(std::min(std::max(1, int(share)), std::popcount(toy.free())));
    if (isBusy[size_t(request.tenant)] || mask == 0) {
      ++i;
      continue;
    }
    isBusy[size_t(request.tenant)] = 1;
    toy.start(i, mask);
  }
}

} // namespace mtc::test
