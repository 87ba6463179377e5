// Inter-Aware: what is placed beside what runs is what loses and costs least by the predicted
// slowdown of both, from what each uses alone. Interference-aware scheduling, Kim et al., 2022.
#include "Toy.h"

#include <algorithm>

namespace mtc::test {

void interAware(Toy &toy) {
  const int32_t share = std::max(1, toy.allGranules() / 2);
  while (!toy.waiting.empty()) {
    const GranuleMask mask = toy.pick(share);
    if (mask == 0)
      return;
    size_t best = 0;
    double least = 0;
    for (size_t i = 0; i < toy.waiting.size(); ++i) {
      const SoloRow *row = toy.solo(toy.waiting[i].tenant, share);
      if (!row)
        return;
      double loss = 0;
      for (const ToyRun &run : toy.running) {
        loss += toy.need(run.row->pressure.bandwidth, "pressure.bandwidth") *
                toy.need(row->bandwidthSensitivity, "bandwidthSensitivity");
        loss += row->pressure.bandwidth * run.row->bandwidthSensitivity;
        loss += toy.need(row->pressure.footprint, "pressure.footprint") /
                (row->pressure.footprint + run.row->pressure.footprint) * 0.01;
        loss += toy.need(run.row->pressure.units, "pressure.units") * row->pressure.units * 0.05;
        // A pair that was planned together: what of both alone a round of them takes.
        const int32_t one = toy.waiting[i].tenant, other = run.request.tenant;
        if (one != other)
          loss += double(toy.mixNs(one, other)) /
                  double(toy.soloNs(one, toy.allGranules()) + toy.soloNs(other, toy.allGranules()));
      }
      // Nobody waits for ever.
      loss -= 0.1 * double(toy.nowNs - toy.waiting[i].arrivalNs) /
              double(toy.need(row->meanNs, "meanNs"));
      if (i == 0 || loss < least) {
        least = loss;
        best = i;
      }
    }
    toy.start(best, mask);
    if (!toy.missing.empty())
      return;
  }
}

} // namespace mtc::test
