// gpulet: the device whole or split once; a tenant's part is the smaller of the knee of its
// efficiency and what its rate needs, stretched by a linear model of interference. Choi et al.,
// USENIX ATC 2022.
#include "Toy.h"

#include <algorithm>
#include <bit>

namespace mtc::test {

/// Granules for a tenant, with a neighbour of mean pressure.
static int32_t partOf(Toy &toy, int32_t tenant) {
  const Tenant &of = toy.problem.tenants[size_t(tenant)];
  int32_t knee = 1, need = toy.allGranules();
  for (int32_t g = toy.allGranules(); g >= 1; --g) {
    const SoloRow *row = toy.solo(tenant, g);
    if (!row)
      return 0;
    const double slowed = double(toy.need(row->meanNs, "meanNs")) *
                          (1 + 0.4 * toy.need(row->pressure.bandwidth, "pressure.bandwidth") +
                           0.2 * toy.need(row->pressure.units, "pressure.units"));
    if (slowed * of.ratePerSecond < 0.7e9 && (of.sloP99Ns == 0 || 2 * slowed < double(of.sloP99Ns)))
      need = g;
    if (g > 1 && knee == 1 && double(toy.soloNs(tenant, 1)) / double(row->meanNs) > 0.7 * double(g))
      knee = g;
  }
  return std::min(knee, need);
}

void gpulet(Toy &toy) {
  if (toy.tables.layouts.empty())
    toy.missing.insert("layouts");
  for (size_t i = 0; i < toy.waiting.size();) {
    const int32_t part = partOf(toy, toy.waiting[i].tenant);
    // The least part of a layout of at most two that holds it and is free.
    GranuleMask best = 0;
    for (const LayoutRow &layout : toy.tables.layouts)
      for (GranuleMask mask : layout.masks)
        if (layout.masks.size() <= 2 && (mask & ~toy.free()) == 0 && std::popcount(mask) >= part &&
            (best == 0 || std::popcount(mask) < std::popcount(best)))
          best = mask;
    if (best)
      toy.start(i, best);
    else
      ++i;
  }
}

} // namespace mtc::test
