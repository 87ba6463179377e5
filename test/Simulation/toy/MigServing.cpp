// MIG-Serving's greedy step: the layout whose parts serve most of the rates that are not yet
// served, for what changing to it costs; a tenant fits a part whose memory holds it. Tan et al.,
// 2021.
#include "Toy.h"

#include <algorithm>
#include <bit>

namespace mtc::test {

/// Requests a second that the parts of a layout can serve of the rates asked for.
static double served(Toy &toy, const LayoutRow &layout) {
  double sum = 0;
  std::vector<double> left;
  for (const Tenant &tenant : toy.problem.tenants)
    left.push_back(tenant.ratePerSecond);
  for (size_t part = 0; part < layout.masks.size(); ++part) {
    const GranuleMask mask = layout.masks[part];
    size_t best = 0;
    double most = 0;
    for (size_t t = 0; t < left.size(); ++t) {
      const SoloRow *row = toy.solo(int32_t(t), std::popcount(mask));
      if (!row)
        return 0;
      const int64_t bytes = toy.need(row->arenaBytes + row->weightBytes, "arenaBytes");
      if (part < layout.partMemoryBytes.size() && bytes > layout.partMemoryBytes[part])
        continue;
      const double rate =
          std::min(left[t], 1e9 / double(toy.need(row->p99Ns, "p99Ns")) *
                                toy.need(row->maximalInstances > 0 ? 1 : 0, "maximalInstances"));
      if (rate > most) {
        most = rate;
        best = t;
      }
    }
    sum += most;
    left[best] -= most;
  }
  return sum / (1 + double(layout.reconfigureNs) / 1e9) /
         double(toy.need(std::ssize(layout.partUnits), "layout.partUnits") > 0);
}

void migServing(Toy &toy) {
  const LayoutRow *best = nullptr;
  double most = -1;
  for (const LayoutRow &layout : toy.tables.layouts)
    if (const double rate = served(toy, layout); rate > most) {
      most = rate;
      best = &layout;
    }
  if (!best) {
    toy.missing.insert("layouts");
    return;
  }
  for (GranuleMask mask : best->masks)
    if (!toy.waiting.empty() && (mask & ~toy.free()) == 0)
      toy.start(0, mask);
}

} // namespace mtc::test
