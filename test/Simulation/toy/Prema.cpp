// PREMA: tokens grow with priority and time waited over time alone; of those beyond a threshold the
// shortest goes first, and what runs gives way at the end of a segment. Choi, Rhu, HPCA 2020.
#include "Toy.h"

#include <algorithm>

namespace mtc::test {

void prema(Toy &toy) {
  if (toy.waiting.empty())
    return;
  auto tokensOf = [&](const ToyRequest &r) {
    const double alone = double(toy.soloNs(r.tenant, toy.allGranules()));
    return (1 + toy.problem.tenants[size_t(r.tenant)].priority) *
           (1 + double(toy.nowNs - r.arrivalNs) / alone);
  };
  auto leftNs = [&](const ToyRequest &r) {
    int64_t ns = 0;
    if (const SoloRow *row = toy.solo(r.tenant, toy.allGranules()))
      for (size_t s = r.segments; s < row->segments.size(); ++s)
        ns += toy.need(row->segments[s].ns, "segment.ns");
    return ns;
  };
  double most = 0;
  for (const ToyRequest &r : toy.waiting)
    most = std::max(most, tokensOf(r));
  const double threshold = most >= 9 ? 9 : most >= 3 ? 3 : 1;
  size_t best = toy.waiting.size();
  for (size_t i = 0; i < toy.waiting.size(); ++i)
    if (tokensOf(toy.waiting[i]) >= threshold &&
        (best == toy.waiting.size() || leftNs(toy.waiting[i]) < leftNs(toy.waiting[best])))
      best = i;
  if (best == toy.waiting.size())
    return;
  if (toy.running.empty())
    toy.start(best, toy.free());
  else if (leftNs(toy.waiting[best]) * 2 < toy.running[0].endNs - toy.nowNs)
    toy.stop(0);
}

} // namespace mtc::test
