// Irina: of waiting, running beside and preempting, what has the least predicted sum of completion
// times. Wu et al., "Irina: Accelerating DNN Inference with Efficient Online Scheduling", 2020.
#include "Toy.h"

#include <algorithm>

namespace mtc::test {

void irina(Toy &toy) {
  if (toy.waiting.empty())
    return;
  const int32_t all = toy.allGranules();
  auto shortest = std::min_element(toy.waiting.begin(), toy.waiting.end(),
                                   [&](const ToyRequest &a, const ToyRequest &b) {
                                     return toy.soloNs(a.tenant, all) < toy.soloNs(b.tenant, all);
                                   });
  const auto index = size_t(shortest - toy.waiting.begin());
  const int64_t fullNs = toy.soloNs(shortest->tenant, all);
  if (toy.running.empty()) {
    // Alone on everything, or on a half so that another may join: by the sum for two like it.
    const int64_t halfNs = toy.soloNs(shortest->tenant, std::max(1, all / 2));
    const bool isPair = toy.waiting.size() > 1 && 2 * halfNs < 3 * fullNs;
    toy.start(index, isPair ? toy.pick(std::max(1, all / 2)) : toy.free());
    return;
  }
  const ToyRun &run = toy.running[0];
  const int64_t runLeftNs = run.endNs - toy.nowNs;
  const SoloRow *row = toy.solo(shortest->tenant, std::max(1, all / 2));
  if (!row)
    return;
  const double beside = double(toy.need(row->meanNs, "meanNs")) *
                        (1 + toy.need(row->bandwidthSensitivity, "bandwidthSensitivity") *
                                 toy.need(run.row->pressure.bandwidth, "pressure.bandwidth"));
  const double waits = double(runLeftNs + fullNs);
  const double preempts = double(fullNs + fullNs + runLeftNs) - double(runLeftNs);
  if (toy.pick(row->granules) && beside <= waits)
    toy.start(index, toy.pick(row->granules));
  else if (preempts < waits && fullNs * 2 < runLeftNs)
    toy.stop(0);
}

} // namespace mtc::test
