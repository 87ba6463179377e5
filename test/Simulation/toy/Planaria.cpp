// Planaria: each request gets the least granules that still meet its SLO, what is left goes to the
// most urgent, and a wide run gives way at its segment's end to one that would miss. Ghodrati et
// al., MICRO 2020.
#include "Toy.h"

#include <algorithm>
#include <bit>

namespace mtc::test {

/// The least granules on which it ends in time; all if it cannot.
static int32_t leastFor(Toy &toy, const ToyRequest &request) {
  const int64_t slo = toy.sloNs(request.tenant);
  for (int32_t g = 1; g < toy.allGranules(); ++g) {
    const SoloRow *row = toy.solo(request.tenant, g);
    if (!row)
      return 0;
    int64_t left = 0;
    for (size_t s = std::min(request.segments, row->segments.size()); s < row->segments.size(); ++s)
      left += toy.need(row->segments[s].ns, "segment.ns");
    if (slo == 0 || toy.nowNs + left <= request.arrivalNs + slo)
      return g;
  }
  return toy.allGranules();
}

void planaria(Toy &toy) {
  std::stable_sort(toy.waiting.begin(), toy.waiting.end(),
                   [&](const ToyRequest &a, const ToyRequest &b) {
                     auto score = [&](const ToyRequest &r) {
                       return (1.0 + toy.problem.tenants[size_t(r.tenant)].priority) /
                              double(toy.soloNs(r.tenant, 1));
                     };
                     return score(a) > score(b);
                   });
  while (!toy.waiting.empty() && toy.free() != 0) {
    const int32_t least = leastFor(toy, toy.waiting[0]);
    const int32_t spare = std::popcount(toy.free());
    if (least == 0)
      return;
    // Spare granules go to the only one that waits.
    toy.start(0, toy.pick(toy.waiting.size() == 1 ? spare : std::min(least, spare)));
    if (!toy.missing.empty())
      return;
  }
  for (size_t r = 0; !toy.waiting.empty() && r < toy.running.size(); ++r)
    if (std::popcount(toy.running[r].granules) > 1 &&
        toy.running[r].stopsAfter == toy.running[r].row->segments.size())
      return toy.stop(r);
}

} // namespace mtc::test
