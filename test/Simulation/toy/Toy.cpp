//===- Toy.cpp - the world of toy policies --------------------------------===//
#include "Toy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

namespace mtc::test {

GranuleMask Toy::free() const {
  GranuleMask mask = mtc::allGranules(problem.device.granules);
  for (const ToyRun &run : running)
    mask &= ~run.granules;
  return mask;
}

GranuleMask Toy::pick(int32_t count) const {
  GranuleMask mask = 0;
  for (int32_t g = 0; g < problem.device.granules && std::popcount(mask) < count; ++g)
    mask |= free() & (GranuleMask(1) << g);
  return std::popcount(mask) == count ? mask : 0;
}

const SoloRow *Toy::solo(int32_t tenant, int32_t granules) {
  const SoloRow *best = nullptr;
  for (const SoloRow &row : tables.solos)
    if (problem.entries[size_t(row.entry)].tenant == tenant && row.granules <= granules &&
        (!best || row.granules > best->granules))
      best = &row;
  if (!best)
    missing.insert("solos");
  return best;
}

int64_t Toy::soloNs(int32_t tenant, int32_t granules) {
  const SoloRow *row = solo(tenant, granules);
  return need(row ? row->meanNs : 0, "meanNs");
}

int64_t Toy::mixNs(int32_t one, int32_t other) {
  for (const MixRow &row : tables.mixes) {
    if (row.entries.size() != 2)
      continue;
    const int32_t a = problem.entries[size_t(row.entries[0])].tenant;
    const int32_t b = problem.entries[size_t(row.entries[1])].tenant;
    if (std::minmax(a, b) == std::minmax(one, other))
      return need(row.makespanNs, "mix.makespanNs");
  }
  missing.insert("mixes");
  return 1;
}

void Toy::start(size_t waitingIndex, GranuleMask granules) {
  ToyRun run;
  run.request = waiting[waitingIndex];
  waiting.erase(waiting.begin() + ptrdiff_t(waitingIndex));
  run.row = solo(run.request.tenant, std::popcount(granules));
  if (!run.row || run.row->segments.empty()) {
    missing.insert("segments");
    return;
  }
  run.granules = granules;
  for (const ToyRun &other : running)
    run.factor += other.row->pressure.bandwidth * run.row->bandwidthSensitivity;
  run.startNs = run.endNs = nowNs;
  for (size_t s = run.request.segments; s < run.row->segments.size(); ++s)
    run.endNs += std::llround(run.factor * double(need(run.row->segments[s].ns, "segment.ns")));
  run.stopsAfter = run.row->segments.size();
  running.push_back(run);
}

void Toy::stop(size_t runningIndex) {
  ToyRun &run = running[runningIndex];
  int64_t atNs = run.startNs;
  for (size_t s = run.request.segments; s < run.row->segments.size(); ++s) {
    atNs += std::llround(run.factor * double(run.row->segments[s].ns));
    if (atNs < nowNs)
      continue;
    run.stopsAfter = s + 1;
    run.endNs = atNs;
    return;
  }
}

ToyResult runToy(const Problem &problem, const OnlineTables &tables, ToyPolicy policy,
                 int64_t requests) {
  Toy toy(problem, tables);
  toy.state.assign(problem.tenants.size(), 0);
  std::mt19937_64 rng(7);
  std::vector<int64_t> nextNs(problem.tenants.size(), INT64_MAX);
  auto draw = [&](size_t tenant) {
    const double u = double(rng() >> 11) / double(uint64_t(1) << 53);
    return std::llround(-std::log1p(-u) * 1e9 / problem.tenants[tenant].ratePerSecond);
  };
  for (size_t t = 0; t < nextNs.size(); ++t)
    if (problem.tenants[t].ratePerSecond > 0)
      nextNs[t] = draw(t);
  ToyResult result;
  double sumNs = 0, missed = 0;
  while (result.served < requests && toy.missing.empty()) {
    const size_t tenant = size_t(std::min_element(nextNs.begin(), nextNs.end()) - nextNs.begin());
    auto first =
        std::min_element(toy.running.begin(), toy.running.end(),
                         [](const ToyRun &a, const ToyRun &b) { return a.endNs < b.endNs; });
    if (first == toy.running.end() || nextNs[tenant] < first->endNs) {
      toy.nowNs = nextNs[tenant];
      toy.waiting.push_back({int32_t(tenant), toy.nowNs, 0});
      nextNs[tenant] += draw(tenant);
    } else {
      toy.nowNs = first->endNs;
      ToyRequest request = first->request;
      const bool isOver = first->stopsAfter == first->row->segments.size();
      request.segments = first->stopsAfter;
      toy.running.erase(first);
      if (!isOver) {
        toy.waiting.insert(toy.waiting.begin(), request);
      } else {
        const int64_t ns = toy.nowNs - request.arrivalNs;
        sumNs += double(ns);
        missed += toy.sloNs(request.tenant) > 0 && ns > toy.sloNs(request.tenant);
        ++result.served;
      }
    }
    policy(toy);
    if (toy.waiting.size() > 10'000)
      break; // it starves somebody
  }
  result.meanNs = sumNs / double(std::max<int64_t>(1, result.served));
  result.missed = missed / double(std::max<int64_t>(1, result.served));
  result.missing = toy.missing;
  return result;
}

} // namespace mtc::test
