//===- Layouts.cpp - services and the layouts of others -------------------===//
#include "mtc/Simulation/Layouts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace mtc {

/// How many times the first extent of `many` is that of `one`; 0 if anything else differs.
static int64_t timesAsMany(const Tensor &one, const Tensor &many) {
  if (one.name != many.name || one.shape.size() != many.shape.size() || one.shape.empty() ||
      one.shape[0] <= 0 || many.shape[0] % one.shape[0] != 0 ||
      !std::equal(one.shape.begin() + 1, one.shape.end(), many.shape.begin() + 1))
    return 0;
  return many.shape[0] / one.shape[0];
}

static int64_t timesAsMany(const Entry &one, const Entry &many) {
  if (one.inputs.size() != many.inputs.size() || one.outputs.size() != many.outputs.size() ||
      one.inputs.empty())
    return 0;
  int64_t times = timesAsMany(one.inputs[0], many.inputs[0]);
  auto agree = [&](const std::vector<Tensor> &a, const std::vector<Tensor> &b) {
    return std::equal(a.begin(), a.end(), b.begin(),
                      [&](const Tensor &x, const Tensor &y) { return timesAsMany(x, y) == times; });
  };
  return agree(one.inputs, many.inputs) && agree(one.outputs, many.outputs) ? times : 0;
}

std::vector<Service> batchServices(const Problem &problem) {
  std::vector<Service> services = singleServices(problem);
  for (size_t e = 0; e < problem.entries.size(); ++e) {
    const Entry &entry = problem.entries[e];
    Service &service = services[static_cast<size_t>(entry.tenant)];
    int64_t times =
        timesAsMany(problem.entries[static_cast<size_t>(service.entries[0].entry)], entry);
    bool isNew = std::none_of(service.entries.begin(), service.entries.end(),
                              [&](const BatchEntry &batch) { return batch.requests == times; });
    if (times > 1 && times < INT32_MAX && isNew)
      service.entries.push_back({static_cast<int32_t>(e), static_cast<int32_t>(times)});
  }
  for (Service &service : services)
    std::sort(service.entries.begin(), service.entries.end(),
              [](const BatchEntry &a, const BatchEntry &b) { return a.requests < b.requests; });
  return services;
}

OpenLoad openLoadOf(const Problem &problem) {
  return {arrivalsOf(problem), batchServices(problem)};
}

OpenLoad scaled(OpenLoad load, double factor, int32_t tenant) {
  for (size_t t = 0; t < load.arrivals.size(); ++t)
    if (tenant < 0 || static_cast<size_t>(tenant) == t)
      load.arrivals[t].ratePerSecond *= factor;
  return load;
}

/// Services of tenants that have a rate.
static std::vector<Service> wantedServices(const OpenLoad &load) {
  std::vector<Service> services = load.services;
  for (size_t t = 0; t < services.size(); ++t)
    if (!(load.arrivals[t].ratePerSecond > 0))
      services[t].entries.clear();
  return services;
}

Layout wholeLayout(const Problem &problem, const OpenLoad &load) {
  Layout layout{{}, wantedServices(load)};
  Partition &whole = layout.partitions.emplace_back();
  whole.granules = allGranules(problem.device.granules);
  for (size_t t = 0; t < layout.services.size(); ++t)
    if (!layout.services[t].entries.empty())
      whole.tenants.push_back(static_cast<int32_t>(t));
  return layout;
}

Layout streamsLayout(const Problem &problem, const OpenLoad &load) {
  Layout layout{{}, wantedServices(load)};
  for (size_t t = 0; t < layout.services.size(); ++t)
    if (!layout.services[t].entries.empty())
      layout.partitions.push_back(
          {allGranules(problem.device.granules), {static_cast<int32_t>(t)}, true});
  return layout;
}

namespace {

/// A tenant's largest entry alone, as gpulet looks at it.
struct SoloTenant {
  int32_t tenant = 0;
  std::vector<int64_t> ns; ///< by granules - 1
  double batchesPerSecond = 0;
  int64_t sloNs = 0;
  int32_t wanted = 1; ///< granules: min(knee, need)

  double busy(int32_t granules) const {
    return batchesPerSecond * static_cast<double>(ns[static_cast<size_t>(granules) - 1]) / 1e9;
  }
};

std::vector<SoloTenant> soloTenants(const Problem &problem, const SoloPlans &plans,
                                    const OpenLoad &load) {
  std::vector<SoloTenant> tenants;
  for (size_t t = 0; t < load.services.size(); ++t) {
    if (!(load.arrivals[t].ratePerSecond > 0) || load.services[t].entries.empty())
      continue;
    const BatchEntry &batch = load.services[t].entries.back();
    SoloTenant solo;
    solo.tenant = static_cast<int32_t>(t);
    solo.batchesPerSecond = load.arrivals[t].ratePerSecond / batch.requests;
    solo.sloNs = problem.tenants[t].sloP99Ns;
    for (int32_t g = 1; g <= problem.device.granules; ++g) {
      const SoloPlan *plan = plans.find(batch.entry, g);
      solo.ns.push_back(plan ? plan->ns : INT64_MAX / 4);
    }
    auto knee = static_cast<int32_t>(kneeOf(solo.ns));
    int32_t need = problem.device.granules;
    // Half of the SLO is for waiting: batch and duty cycle both fit into it (section 4 there).
    for (int32_t g = need; g >= 1; --g)
      if (solo.busy(g) <= 1 &&
          (solo.sloNs == 0 || 2 * solo.ns[static_cast<size_t>(g) - 1] <= solo.sloNs))
        need = g;
    solo.wanted = std::min(knee, need);
    tenants.push_back(std::move(solo));
  }
  std::sort(tenants.begin(), tenants.end(), [](const SoloTenant &a, const SoloTenant &b) {
    return std::pair(-a.busy(a.wanted) * a.wanted, a.tenant) <
           std::pair(-b.busy(b.wanted) * b.wanted, b.tenant);
  });
  return tenants;
}

} // namespace

Layout gpuletLayout(const Problem &problem, const SoloPlans &plans, const OpenLoad &load) {
  std::vector<SoloTenant> tenants = soloTenants(problem, plans, load);
  int32_t granules = problem.device.granules;
  Layout best{{}, wantedServices(load)};
  double leastBusy = INFINITY;
  for (int32_t fifth = 1; fifth <= 5; ++fifth) {
    int32_t first = std::max(1, (granules * fifth + 2) / 5);
    std::vector<int32_t> sizes = {first};
    if (first < granules)
      sizes.insert(sizes.begin(), granules - first);
    std::sort(sizes.begin(), sizes.end());
    std::vector<double> busy(sizes.size(), 0);
    std::vector<Partition> partitions(sizes.size());
    for (const SoloTenant &tenant : tenants) {
      size_t chosen = sizes.size();
      for (size_t p = 0; p < sizes.size() && chosen == sizes.size(); ++p)
        if (sizes[p] >= tenant.wanted && busy[p] + tenant.busy(sizes[p]) <= 1)
          chosen = p;
      if (chosen == sizes.size()) {
        chosen = 0;
        for (size_t p = 1; p < sizes.size(); ++p)
          if (busy[p] + tenant.busy(sizes[p]) < busy[chosen] + tenant.busy(sizes[chosen]))
            chosen = p;
      }
      busy[chosen] += tenant.busy(sizes[chosen]);
      partitions[chosen].tenants.push_back(tenant.tenant);
    }
    double busiest = *std::max_element(busy.begin(), busy.end());
    if (busiest >= leastBusy)
      continue;
    leastBusy = busiest;
    int32_t from = 0;
    for (size_t p = 0; p < sizes.size(); ++p) {
      partitions[p].granules = allGranules(from + sizes[p]) & ~allGranules(from);
      from += sizes[p];
    }
    best.partitions = std::move(partitions);
  }
  return best;
}

std::string printGranules(GranuleMask mask) {
  std::string text;
  for (int g = 0; g < 64; ++g) {
    if ((mask >> g & 1) == 0)
      continue;
    int last = g;
    while (last < 63 && (mask >> (last + 1) & 1) != 0)
      ++last;
    text += text.empty() ? "" : ",";
    text += last > g ? fmt::format("{}-{}", g, last) : std::to_string(g);
    g = last;
  }
  return text;
}

std::string printLayout(const Problem &problem, const Layout &layout) {
  std::string text;
  for (const Partition &partition : layout.partitions) {
    std::vector<std::string> names;
    for (int32_t tenant : partition.tenants)
      if (!layout.services[static_cast<size_t>(tenant)].entries.empty())
        names.push_back(problem.tenants[static_cast<size_t>(tenant)].name);
    if (names.empty())
      continue;
    text += fmt::format("{}{} on granule{} {}{}", text.empty() ? "" : "; ", fmt::join(names, ", "),
                        std::popcount(partition.granules) > 1 ? "s" : "",
                        printGranules(partition.granules), partition.shared ? ", shared" : "");
  }
  return text;
}

} // namespace mtc
