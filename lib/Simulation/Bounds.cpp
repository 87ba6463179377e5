//===- Bounds.cpp - what no schedule can beat -----------------------------===//
//
// The path bound takes every task where it is fastest, the area bound where it wastes least; no
// schedule does both. The combined bound asks for the least time T in which the granules can hold
// the area that instances need if each is to end by T: tasks off the longest chain at their least
// area; those on it pay for speed, at least what the Lagrangian dual says. Source: the bound is
// that of moldable tasks with precedences (Lepere, Trystram, Woeginger, "Approximation algorithms
// for scheduling malleable tasks under precedence constraints", IJFCS 13(4), 2002).
//
//===----------------------------------------------------------------------===//
#include "DeviceTasks.h"
#include "mtc/Simulation/Simulate.h"

#include <cmath>

namespace mtc {
namespace {

struct Option {
  double ns, areaNs;
};

/// A kernel's variants on all shares, and the least of each figure on its own.
struct Costs {
  std::vector<Option> options;
  double ns = INFINITY, areaNs = INFINITY, unitNs = INFINITY, bytes = INFINITY;
};

Costs costsOf(const Kernel &kernel, const Device &device, int32_t granules) {
  Costs costs;
  for (size_t v = 0; v < kernel.variants.size(); ++v)
    for (int32_t count = 1; count <= granules; ++count) {
      DeviceTask task =
          deviceTask(device, kernel, static_cast<int32_t>(v), allGranules(count), false);
      double ns = task.launchNs + task.bodyNs;
      costs.options.push_back({ns, ns * count});
      costs.ns = std::min(costs.ns, ns);
      costs.areaNs = std::min(costs.areaNs, ns * count);
      costs.unitNs = std::min(costs.unitNs, task.bodyNs * task.units);
      costs.bytes = std::min(costs.bytes, task.bytes);
    }
  return costs;
}

/// Prices of a ns of an instance's chain, in granules times ns.
std::vector<double> prices(int32_t granules) {
  std::vector<double> result;
  for (double price = granules / 64.0; price < granules * 64.0; price *= 1.2)
    result.push_back(price);
  return result;
}

/// An instance's tasks and its longest chain of least times.
struct Chain {
  double ns = 0;
  double restAreaNs = 0;     ///< least, of the tasks off the chain
  double areaNs = 0;         ///< least, of those on it
  std::vector<double> costs; ///< by price: least area plus price times time, of those on it
};

Chain chainOf(const Problem &problem, const Entry &entry, const std::vector<Costs> &costs,
              const std::vector<double> &prices) {
  std::vector<std::vector<int32_t>> dependences = taskDependences(problem, entry);
  std::vector<double> endNs(entry.tasks.size(), 0);
  std::vector<int32_t> before(entry.tasks.size(), -1);
  int32_t last = -1;
  Chain chain;
  chain.costs.assign(prices.size(), 0);
  for (size_t t = 0; t < entry.tasks.size(); ++t) {
    for (int32_t d : dependences[t])
      if (endNs[static_cast<size_t>(d)] > endNs[t]) {
        endNs[t] = endNs[static_cast<size_t>(d)];
        before[t] = d;
      }
    const Costs &cost = costs[static_cast<size_t>(entry.tasks[t].kernel)];
    endNs[t] += cost.ns;
    chain.restAreaNs += cost.areaNs;
    if (last < 0 || endNs[t] > endNs[static_cast<size_t>(last)])
      last = static_cast<int32_t>(t);
  }
  for (int32_t t = last; t >= 0; t = before[static_cast<size_t>(t)]) {
    const Costs &cost = costs[static_cast<size_t>(entry.tasks[static_cast<size_t>(t)].kernel)];
    chain.ns += cost.ns;
    chain.restAreaNs -= cost.areaNs;
    chain.areaNs += cost.areaNs;
    for (size_t p = 0; p < prices.size(); ++p) {
      double least = INFINITY;
      for (const Option &option : cost.options)
        least = std::min(least, option.areaNs + prices[p] * option.ns);
      chain.costs[p] += least;
    }
  }
  return chain;
}

double combinedNs(const std::vector<Chain> &chains, const std::vector<double> &prices,
                  double granules, double lowNs) {
  // Whether all chains can end by `ns`.
  auto fits = [&](double ns) {
    double areaNs = 0;
    for (const Chain &chain : chains) {
      double least = chain.areaNs;
      for (size_t p = 0; p < prices.size(); ++p)
        least = std::max(least, chain.costs[p] - prices[p] * ns);
      areaNs += chain.restAreaNs + least;
    }
    return areaNs <= granules * ns;
  };
  double highNs = lowNs;
  while (!fits(highNs))
    highNs *= 2;
  for (int i = 0; i < 50 && highNs > lowNs; ++i) {
    double middle = (lowNs + highNs) / 2;
    (fits(middle) ? highNs : lowNs) = middle;
  }
  return lowNs;
}

} // namespace

LowerBounds lowerBounds(const Problem &problem, const Workload &workload) {
  int32_t granules = std::popcount(workload.granules);
  std::vector<Costs> costs;
  for (const Kernel &kernel : problem.kernels)
    costs.push_back(costsOf(kernel, problem.device, granules));
  std::vector<double> pricesOfTime = prices(granules);
  std::vector<Chain> chains;
  double pathNs = 0, areaNs = 0, unitNs = 0, bytes = 0;
  for (int32_t e : workload.instances) {
    const Entry &entry = problem.entries[static_cast<size_t>(e)];
    chains.push_back(chainOf(problem, entry, costs, pricesOfTime));
    pathNs = std::max(pathNs, chains.back().ns);
    areaNs += chains.back().areaNs + chains.back().restAreaNs;
    for (const Task &task : entry.tasks) {
      unitNs += costs[static_cast<size_t>(task.kernel)].unitNs;
      bytes += costs[static_cast<size_t>(task.kernel)].bytes;
    }
  }
  auto whole = [](double ns) { return static_cast<int64_t>(std::floor(ns)); };
  LowerBounds bounds;
  bounds.pathNs = whole(pathNs);
  bounds.areaNs = whole(areaNs / granules);
  bounds.workNs = whole(unitNs / (granules * problem.device.unitsPerGranule));
  bounds.bytesNs = problem.device.bytesPerNs > 0 ? whole(bytes / problem.device.bytesPerNs) : 0;
  bounds.combinedNs =
      whole(combinedNs(chains, pricesOfTime, granules, std::max(pathNs, areaNs / granules)));
  return bounds;
}

} // namespace mtc
