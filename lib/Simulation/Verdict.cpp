//===- Verdict.cpp - does the set fit the device? -------------------------===//
#include "mtc/Simulation/Verdict.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace mtc {

double TenantVerdict::used() const {
  int64_t ns = ratePerSecond > 0 ? load.p99HighNs : aloneNs;
  return sloNs > 0 ? static_cast<double>(ns) / static_cast<double>(sloNs) : 0;
}

bool isCalibrated(const Problem &problem) { return originsOf(problem).modelled == 0; }

namespace {

/// What serves a tenant on a share: an entry in turn on as many parts of this size as there are.
struct Share {
  int32_t granules = 1;
  int64_t ns = 0;            ///< of a job
  double perSecond = 0;      ///< requests that all parts together serve
  double granulesWanted = 0; ///< by the rate, mean
};

std::string numberText(double value) {
  return value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

class LoadJudge {
public:
  LoadJudge(const Problem &problem, const SoloPlans &plans, const VerdictOptions &options)
      : problem_(problem), plans_(plans), options_(options), load_(openLoadOf(problem)) {}

  StatusOr<Verdict> run() {
    if (options_.layout != "joint" && options_.layout != "gpulet" && options_.layout != "streams")
      return invalidInput(
          fmt::format("unknown layout '{}'; known: joint, gpulet, streams", options_.layout));
    bool hasRate = false, hasSlo = false;
    for (const Tenant &tenant : problem_.tenants) {
      hasRate |= tenant.ratePerSecond > 0;
      hasSlo |= tenant.sloP99Ns > 0;
    }
    if (!hasRate && !hasSlo)
      return invalidInput("no tenant has a rate or an SLO, so there is nothing to judge");
    verdict_.isCalibrated = isCalibrated(problem_);
    verdict_.times = originsOf(problem_);
    verdict_.outcome.tenants.resize(problem_.tenants.size());
    if (hasRate)
      MTC_RETURN_IF_ERROR(simulateLoad());
    for (size_t t = 0; t < problem_.tenants.size(); ++t)
      verdict_.tenants.push_back(tenantVerdict(t));
    verdict_.fits = !verdict_.outcome.gaveUp && verdict_.impossible.empty();
    for (size_t t = 0; t < verdict_.tenants.size(); ++t) {
      const TenantVerdict &tenant = verdict_.tenants[t];
      verdict_.fits &= tenant.fits;
      if (tenant.sloNs > 0 &&
          (verdict_.binding < 0 ||
           tenant.used() > verdict_.tenants[static_cast<size_t>(verdict_.binding)].used()))
        verdict_.binding = static_cast<int32_t>(t);
    }
    if (hasRate && (!verdict_.fits || options_.headroom))
      MTC_RETURN_IF_ERROR(advise());
    return std::move(verdict_);
  }

private:
  Status simulateLoad() {
    findImpossible();
    MTC_ASSIGN_OR_RETURN(Layout layout, layoutFor(load_, options_.layoutSteps));
    verdict_.layout = printLayout(problem_, layout);
    verdict_.partitions = layout.partitions;
    OpenLoadOptions open;
    open.requests = options_.requests;
    open.seed = options_.seed + 1; // not the arrivals that the search saw
    open.tasks = verdict_.byTasks = taskCount() <= static_cast<double>(options_.mostTasks);
    MTC_ASSIGN_OR_RETURN(verdict_.outcome,
                         simulateOpen(problem_, plans_, layout, load_.arrivals, open));
    return okStatus();
  }

  StatusOr<Layout> layoutFor(const OpenLoad &load, int64_t steps) const {
    if (options_.layout == "streams")
      return streamsLayout(problem_, load);
    if (options_.layout == "gpulet")
      return gpuletLayout(problem_, plans_, load);
    LayoutOptions search;
    search.steps = steps;
    search.seed = options_.seed;
    return searchLayout(problem_, plans_, load, search);
  }

  /// Tasks of the whole run: the rarest tenant's requests, and as many more of the others as come.
  double taskCount() const {
    double perSecond = 0, rarest = INFINITY;
    for (size_t t = 0; t < problem_.tenants.size(); ++t) {
      double rate = load_.arrivals[t].ratePerSecond;
      if (!(rate > 0) || load_.services[t].entries.empty())
        continue;
      rarest = std::min(rarest, rate);
      auto entry = static_cast<size_t>(load_.services[t].entries[0].entry);
      perSecond += rate * static_cast<double>(problem_.entries[entry].tasks.size());
    }
    return perSecond / rarest * static_cast<double>(options_.requests);
  }

  TenantVerdict tenantVerdict(size_t t) const {
    const Tenant &tenant = problem_.tenants[t];
    TenantVerdict result;
    result.name = tenant.name;
    result.ratePerSecond = tenant.ratePerSecond;
    result.arrivals = tenant.arrivals;
    result.sloNs = tenant.sloP99Ns;
    result.load = verdict_.outcome.tenants[t];
    if (!load_.services[t].entries.empty())
      if (const SoloPlan *alone =
              plans_.find(load_.services[t].entries[0].entry, problem_.device.granules))
        result.aloneNs = alone->ns;
    result.fits = result.used() <= 1;
    return result;
  }

  std::vector<Share> sharesOf(size_t t) const {
    std::vector<Share> shares;
    const BatchEntry &largest = load_.services[t].entries.back();
    for (int32_t count : plans_.counts(largest.entry)) {
      // Latency by the smallest batch, rate by the largest.
      const SoloPlan *one = plans_.find(load_.services[t].entries[0].entry, count);
      const SoloPlan *many = plans_.find(largest.entry, count);
      if (!one)
        continue;
      double jobSeconds = static_cast<double>(many->ns) / 1e9 / largest.requests;
      shares.push_back({count, one->ns, problem_.device.granules / count / jobSeconds,
                        load_.arrivals[t].ratePerSecond * jobSeconds * count});
    }
    return shares;
  }

  /// Says of tenants that fit no share, and of rates in all, why no layout helps.
  void findImpossible() {
    double granulesWanted = 0;
    for (size_t t = 0; t < problem_.tenants.size(); ++t) {
      const Tenant &tenant = problem_.tenants[t];
      if (!(tenant.ratePerSecond > 0) || load_.services[t].entries.empty())
        continue;
      std::vector<Share> shares = sharesOf(t);
      std::vector<std::string> reasons;
      double least = INFINITY;
      bool fits = false;
      for (const Share &share : shares) {
        bool inTime = tenant.sloP99Ns == 0 || share.ns <= tenant.sloP99Ns;
        bool isFast = share.perSecond > tenant.ratePerSecond;
        fits |= inTime && isFast;
        least = std::min(least, share.granulesWanted);
        reasons.push_back(fmt::format("on {} it takes {} and serves at most {}/s", share.granules,
                                      formatNs(share.ns), numberText(share.perSecond)));
      }
      if (shares.empty())
        continue;
      if (!fits)
        verdict_.impossible.push_back(fmt::format(
            "tenant '{}' fits no share of the {} granules: it asks for {}/s{}, but {}", tenant.name,
            problem_.device.granules, numberText(tenant.ratePerSecond),
            tenant.sloP99Ns > 0 ? fmt::format(" within {}", formatNs(tenant.sloP99Ns)) : "",
            fmt::join(reasons, ", ")));
      granulesWanted += least;
    }
    if (granulesWanted >= problem_.device.granules)
      verdict_.impossible.push_back(
          fmt::format("the rates keep {:.3g} granules busy, the device has {}", granulesWanted,
                      problem_.device.granules));
  }

  StatusOr<double> fittingFactor(int32_t tenant, double most) const {
    GreatestLoadOptions search;
    search.least = most > 1 ? 1 : 0.02;
    search.most = most;
    search.tenant = tenant;
    search.surely = true;
    search.simulation.requests = std::min<int64_t>(options_.requests, 2000);
    search.simulation.tasks = false;
    search.simulation.seed = options_.seed + 2;
    StatusOr<GreatestLoad> greatest = greatestLoad(
        problem_, plans_, load_,
        [&](const OpenLoad &load) { return layoutFor(load, options_.layoutSteps / 4); }, search);
    // Rates may then differ too much to be simulated: no advice.
    if (!greatest.ok())
      return greatest.status().code() == ErrorCode::InvalidInput ? StatusOr<double>(0.0)
                                                                 : greatest.status();
    return greatest->factor;
  }

  Status advise() {
    if (verdict_.fits) {
      MTC_ASSIGN_OR_RETURN(double factor, fittingFactor(-1, 20));
      if (factor > 1)
        verdict_.advice.push_back(fmt::format("all rates times {}", numberText(factor)));
      return okStatus();
    }
    MTC_ASSIGN_OR_RETURN(double factor, fittingFactor(-1, 1));
    if (factor > 0)
      verdict_.advice.push_back(fmt::format("all rates times {}", numberText(factor)));
    if (verdict_.binding >= 0) {
      auto b = static_cast<size_t>(verdict_.binding);
      const TenantVerdict &tenant = verdict_.tenants[b];
      if (tenant.ratePerSecond > 0) {
        MTC_ASSIGN_OR_RETURN(double own, fittingFactor(verdict_.binding, 1));
        if (own > 0)
          verdict_.advice.push_back(
              fmt::format("'{}' at {}/s", tenant.name, numberText(own * tenant.ratePerSecond)));
      }
      size_t missing = 0;
      for (const TenantVerdict &each : verdict_.tenants)
        missing += !each.fits;
      if (missing == 1 && !tenant.fits && !verdict_.outcome.gaveUp)
        verdict_.advice.push_back(
            fmt::format("a p99 SLO of {} for '{}'",
                        formatNs(tenant.ratePerSecond > 0 ? tenant.load.p99HighNs : tenant.aloneNs),
                        tenant.name));
      if (load_.services[b].entries.empty())
        return okStatus();
      const Entry &entry =
          problem_.entries[static_cast<size_t>(load_.services[b].entries[0].entry)];
      bool isBatch =
          !entry.inputs.empty() && !entry.inputs[0].shape.empty() && entry.inputs[0].shape[0] > 1;
      if (isBatch && !tenant.fits && tenant.aloneNs > tenant.sloNs / 2)
        verdict_.advice.push_back(
            fmt::format("perhaps a smaller batch of '{}': its entry '{}' takes {} rows of '{}' in "
                        "{}",
                        tenant.name, entry.name, entry.inputs[0].shape[0], entry.inputs[0].name,
                        formatNs(tenant.aloneNs)));
    }
    return okStatus();
  }

  const Problem &problem_;
  const SoloPlans &plans_;
  const VerdictOptions &options_;
  OpenLoad load_;
  Verdict verdict_;
};

} // namespace

StatusOr<Verdict> judgeLoad(const Problem &problem, const SoloPlans &plans,
                            const VerdictOptions &options) {
  return LoadJudge(problem, plans, options).run();
}

Status requireFit(const Verdict &verdict) {
  if (verdict.fits || !verdict.isCalibrated)
    return okStatus();
  return {ErrorCode::SloInfeasible, "the set does not fit: " + missesOf(verdict)};
}

std::string printVerdict(const Verdict &verdict) {
  std::vector<std::vector<std::string>> rows = {
      {"tenant", "rate", "alone", "p50", "p99", "95 % interval", "SLO", "missed", "busy", ""}};
  for (const TenantVerdict &tenant : verdict.tenants) {
    bool isAsked = tenant.ratePerSecond > 0;
    rows.push_back(
        {tenant.name,
         isAsked ? fmt::format("{}/s {}", numberText(tenant.ratePerSecond),
                               arrivalKindName(tenant.arrivals))
                 : "-",
         formatNs(tenant.aloneNs), isAsked ? formatNs(tenant.load.p50Ns) : "-",
         isAsked ? formatNs(tenant.load.p99Ns) : "-",
         isAsked ? fmt::format("{} to {}", formatNs(tenant.load.p99LowNs),
                               formatNs(tenant.load.p99HighNs))
                 : "-",
         tenant.sloNs > 0 ? formatNs(tenant.sloNs) : "-",
         isAsked && tenant.sloNs > 0 ? fmt::format("{:.2f} %", 100 * tenant.load.missed) : "-",
         isAsked ? fmt::format("{:.0f} %", 100 * tenant.load.utilisation) : "-",
         tenant.fits ? "" : "misses"});
  }
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const std::vector<std::string> &row : rows)
    for (size_t c = 0; c < row.size(); ++c)
      widths[c] = std::max(widths[c], row[c].size());
  std::string text =
      fmt::format("open load, simulated {} on {} times:\n",
                  verdict.byTasks ? "task by task" : "job by job", printOrigins(verdict.times));
  for (const std::vector<std::string> &row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c)
      line += c == 0 ? fmt::format("  {:<{}}", row[c], widths[c])
                     : fmt::format("  {:>{}}", row[c], widths[c]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  if (!verdict.layout.empty())
    text += fmt::format("layout: {}\ndevice: {:.0f} % of granules held, {:.0f} % of units busy, "
                        "{:.0f} % of bandwidth\n",
                        verdict.layout, 100 * verdict.outcome.heldGranules,
                        100 * verdict.outcome.busyUnits, 100 * verdict.outcome.usedBandwidth);
  if (verdict.binding >= 0) {
    const TenantVerdict &tenant = verdict.tenants[static_cast<size_t>(verdict.binding)];
    text +=
        fmt::format("binding: '{}' uses {:.0f} % of its SLO\n", tenant.name, 100 * tenant.used());
  }
  if (verdict.fits)
    text += "the set fits\n";
  else
    text += fmt::format("the set does not fit: {}\n", missesOf(verdict));
  if (verdict.fits && !verdict.advice.empty())
    text += fmt::format("would still fit: {}\n", fmt::join(verdict.advice, "; "));
  return text;
}

std::string missesOf(const Verdict &verdict) {
  if (verdict.fits)
    return "";
  std::vector<std::string> parts = verdict.impossible;
  for (const TenantVerdict &tenant : verdict.tenants)
    if (!tenant.fits)
      parts.push_back(
          fmt::format("tenant '{}' {} {}, {:.1f} % over its p99 SLO of {}", tenant.name,
                      tenant.ratePerSecond > 0 ? "has a p99 of up to" : "takes, even alone,",
                      formatNs(tenant.ratePerSecond > 0 ? tenant.load.p99HighNs : tenant.aloneNs),
                      100 * (tenant.used() - 1), formatNs(tenant.sloNs)));
  if (parts.empty())
    parts.push_back("requests come faster than they are served");
  std::string text = fmt::format("{}", fmt::join(parts, "; "));
  if (!verdict.advice.empty())
    text += fmt::format("; would fit: {}", fmt::join(verdict.advice, ", or "));
  return text;
}

} // namespace mtc
