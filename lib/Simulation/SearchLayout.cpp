//===- SearchLayout.cpp - partitions, their sizes and tenants together ----===//
//
// A layout is a list of parts, each some granules and some tenants; a tenant may be in several. The
// search starts from simple layouts and changes the best one: a granule moves from one part to
// another, a tenant joins, leaves or moves, a part splits in two or two become one, batches wait
// longer or shorter. A change is kept when a short simulation of the load - the same arrivals for
// all - scores it no worse.
//
//===----------------------------------------------------------------------===//
#include "mtc/Simulation/Layouts.h"
#include "mtc/Support/Random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

namespace mtc {
namespace {

/// Without an SLO a tenant's p99 may be so many times its time alone before it counts as missed.
constexpr double kPatience = 100;
/// Requests of all tenants in a try, and of the rarest, whatever LayoutOptions::requests asks for.
constexpr double kMostRequests = 20'000, kLeastRequests = 200;
/// Waits of the oldest request of a batch that are tried, as parts of the SLO.
constexpr double kWaits[] = {0, 0.05, 0.1, 0.2, 0.4};

struct Part {
  int32_t granules = 1;
  std::set<int32_t> tenants;
};

/// Parts that together have at most the device's granules, and the wait (of kWaits) by tenant.
struct Draft {
  std::vector<Part> parts;
  std::vector<uint8_t> wait;
};

class LayoutSearch {
public:
  LayoutSearch(const Problem &problem, const SoloPlans &plans, const OpenLoad &load,
               const LayoutOptions &options)
      : problem_(problem), plans_(plans), load_(load), options_(options),
        random_(options.seed * 0x9e3779b97f4a7c15 + 11) {
    for (size_t t = 0; t < load.arrivals.size(); ++t)
      if (load.arrivals[t].ratePerSecond > 0 && !load.services[t].entries.empty())
        tenants_.push_back(static_cast<int32_t>(t));
  }

  StatusOr<Layout> run() {
    for (const Draft &seed : seeds())
      if (stepsLeft() || !hasBest_)
        MTC_RETURN_IF_ERROR(tryDraft(seed));
    // A single granule leaves nothing to move.
    while (stepsLeft() && failed_ < options_.steps / 2 + 20) {
      Draft draft = best_;
      size_t changes = 1 + random() % 3;
      for (size_t c = 0; c < changes; ++c)
        change(draft);
      MTC_RETURN_IF_ERROR(tryDraft(draft));
    }
    return layoutOf(best_);
  }

private:
  bool stepsLeft() const { return steps_ < options_.steps; }
  uint64_t random() { return random_.next(); }
  int32_t granules() const { return problem_.device.granules; }

  Status tryDraft(const Draft &draft) {
    Layout layout = layoutOf(draft);
    ++steps_;
    ++failed_;
    if (!check(problem_, layout).ok())
      return okStatus(); // a change that left a tenant without a part
    MTC_ASSIGN_OR_RETURN(LayoutScore score, scoreLayout(problem_, plans_, load_, layout, options_));
    if (!hasBest_ || score <= bestScore_) {
      if (!hasBest_ || score < bestScore_)
        failed_ = 0;
      hasBest_ = true;
      bestScore_ = score;
      best_ = draft;
    }
    return okStatus();
  }

  Layout layoutOf(const Draft &draft) const {
    Layout layout;
    layout.services = load_.services;
    for (size_t t = 0; t < layout.services.size(); ++t) {
      if (!(load_.arrivals[t].ratePerSecond > 0))
        layout.services[t].entries.clear();
      if (layout.services[t].entries.empty())
        continue;
      int64_t sloNs = problem_.tenants[t].sloP99Ns;
      const SoloPlan *alone = plans_.find(load_.services[t].entries[0].entry, granules());
      layout.services[t].deadlineNs =
          sloNs > 0 || !alone ? sloNs : static_cast<int64_t>(kPatience) * alone->ns;
      if (layout.services[t].entries.size() > 1)
        layout.services[t].waitNs =
            std::llround(kWaits[draft.wait[t]] * static_cast<double>(sloNs));
    }
    int32_t from = 0;
    for (const Part &part : draft.parts) {
      GranuleMask mask = allGranules(from + part.granules) & ~allGranules(from);
      layout.partitions.push_back({mask, {part.tenants.begin(), part.tenants.end()}, false});
      from += part.granules;
    }
    return layout;
  }

  Draft empty() const { return {{}, std::vector<uint8_t>(load_.services.size(), 0)}; }

  std::vector<Draft> seeds() const {
    std::vector<Draft> seeds;
    std::set<int32_t> all(tenants_.begin(), tenants_.end());
    for (int32_t count = 1; count <= granules(); count += count < 4 ? 1 : count / 2) {
      Draft draft = empty();
      for (int32_t p = 0; p < count; ++p)
        draft.parts.push_back({granules() * (p + 1) / count - granules() * p / count, all});
      seeds.push_back(std::move(draft));
    }
    Draft gpulet = empty();
    for (const Partition &partition : gpuletLayout(problem_, plans_, load_).partitions)
      gpulet.parts.push_back({std::popcount(partition.granules),
                              {partition.tenants.begin(), partition.tenants.end()}});
    seeds.push_back(std::move(gpulet));
    if (static_cast<int32_t>(tenants_.size()) <= granules())
      seeds.push_back(onePartEach());
    return seeds;
  }

  /// A part per tenant; granules one by one to whoever is busiest.
  Draft onePartEach() const {
    Draft draft = empty();
    for (int32_t tenant : tenants_)
      draft.parts.push_back({1, {tenant}});
    auto busy = [&](const Part &part) {
      auto t = static_cast<size_t>(*part.tenants.begin());
      const SoloPlan *plan = plans_.find(load_.services[t].entries[0].entry, part.granules);
      auto ns = plan ? static_cast<double>(plan->ns) : INFINITY;
      double slo = problem_.tenants[t].sloP99Ns > 0
                       ? static_cast<double>(problem_.tenants[t].sloP99Ns)
                       : INFINITY;
      return std::max(load_.arrivals[t].ratePerSecond * ns / 1e9, ns / slo);
    };
    for (auto left = granules() - static_cast<int32_t>(tenants_.size()); left > 0; --left)
      ++std::max_element(draft.parts.begin(), draft.parts.end(), [&](const Part &a, const Part &b) {
          return busy(a) < busy(b);
        })->granules;
    return draft;
  }

  void change(Draft &draft) {
    size_t p = random() % draft.parts.size(), q = random() % draft.parts.size();
    Part &part = draft.parts[p], &other = draft.parts[q];
    int32_t tenant = tenants_[random() % tenants_.size()];
    switch (random() % 6) {
    case 0:
    case 1: { // granules move
      int32_t count = 1 + static_cast<int32_t>(random() % 2);
      if (p != q && part.granules > count) {
        part.granules -= count;
        other.granules += count;
      }
      break;
    }
    case 2: // a tenant joins or leaves
      if (!part.tenants.insert(tenant).second)
        part.tenants.erase(tenant);
      break;
    case 3: // a tenant moves
      if (part.tenants.erase(tenant) > 0)
        other.tenants.insert(tenant);
      break;
    case 4: // a part splits, or two become one
      if (random() % 2 == 0 && part.granules > 1) {
        Part half{1 + static_cast<int32_t>(random() % (static_cast<uint64_t>(part.granules) - 1)),
                  part.tenants};
        part.granules -= half.granules;
        draft.parts.push_back(std::move(half));
      } else if (p != q) {
        part.granules += other.granules;
        part.tenants.insert(other.tenants.begin(), other.tenants.end());
        draft.parts.erase(draft.parts.begin() + static_cast<std::ptrdiff_t>(q));
      }
      break;
    default:
      draft.wait[static_cast<size_t>(tenant)] = static_cast<uint8_t>(random() % std::size(kWaits));
    }
  }

  const Problem &problem_;
  const SoloPlans &plans_;
  const OpenLoad &load_;
  const LayoutOptions &options_;
  SplitMix64 random_;
  std::vector<int32_t> tenants_; ///< that have a rate
  Draft best_;
  LayoutScore bestScore_;
  bool hasBest_ = false;
  int64_t steps_ = 0, failed_ = 0;
};

} // namespace

StatusOr<LayoutScore> scoreLayout(const Problem &problem, const SoloPlans &plans,
                                  const OpenLoad &load, const Layout &layout,
                                  const LayoutOptions &options) {
  OpenLoadOptions open;
  double all = 0, rarest = INFINITY;
  for (const Arrivals &arrivals : load.arrivals)
    if (arrivals.ratePerSecond > 0) {
      all += arrivals.ratePerSecond;
      rarest = std::min(rarest, arrivals.ratePerSecond);
    }
  double wanted = all > 0 ? kMostRequests * rarest / all : kLeastRequests;
  open.requests =
      std::min<int64_t>(options.requests, std::llround(std::max(wanted, kLeastRequests)));
  open.seed = options.seed;
  open.tasks = false;
  MTC_ASSIGN_OR_RETURN(OpenOutcome outcome,
                       simulateOpen(problem, plans, layout, load.arrivals, open));
  LayoutScore score;
  double weights = 0;
  for (size_t t = 0; t < outcome.tenants.size(); ++t) {
    if (outcome.tenants[t].requests == 0)
      continue;
    auto p99 = static_cast<double>(outcome.tenants[t].p99Ns);
    const SoloPlan *alone = plans.find(load.services[t].entries[0].entry, problem.device.granules);
    auto aloneNs = static_cast<double>(alone ? alone->ns : 1);
    int64_t sloNs = problem.tenants[t].sloP99Ns;
    score.worst =
        std::max(score.worst, p99 / (sloNs > 0 ? static_cast<double>(sloNs) : kPatience * aloneNs));
    double weight = std::exp2(std::clamp(problem.tenants[t].priority, -30, 30));
    score.mean += weight * p99 / aloneNs;
    weights += weight;
  }
  score.mean /= std::max(weights, 1e-300);
  if (outcome.gaveUp)
    score.worst = std::max(score.worst, 1e6);
  return score;
}

StatusOr<Layout> searchLayout(const Problem &problem, const SoloPlans &plans, const OpenLoad &load,
                              const LayoutOptions &options) {
  return LayoutSearch(problem, plans, load, options).run();
}

} // namespace mtc
