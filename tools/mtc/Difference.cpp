//===- Difference.cpp - two bundles of one set beside each other ----------===//
#include "Difference.h"
#include "SimulatedTarget.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace mtc::tool {
namespace {

/// Side of a WasIs.
using Side = int64_t WasIs::*;

using TaskKey = std::tuple<std::string, std::string, int32_t>; ///< tenant, name, which of them

struct PlacedTask {
  size_t place = 0;
  int32_t id = 0;
  GranuleMask granules = 0;
  std::string kernel, variant;
  int64_t ns = 0;
};

const Entry &entryOf(const SimulatedTarget &target, size_t instance) {
  return target.problem.entries[size_t(target.round.workload.instances[instance])];
}

std::map<TaskKey, PlacedTask> tasksOf(const SimulatedTarget &target) {
  std::map<TaskKey, PlacedTask> tasks;
  // Which of the tasks of its name each is, by instance and place in the entry.
  std::map<std::pair<int32_t, int32_t>, int32_t> which;
  for (size_t i = 0; i < target.round.workload.instances.size(); ++i) {
    std::map<std::string, int32_t> seen;
    const std::vector<Task> &all = entryOf(target, i).tasks;
    for (size_t t = 0; t < all.size(); ++t)
      which[{int32_t(i), int32_t(t)}] = seen[all[t].name]++;
  }
  for (size_t p = 0; p < target.round.places.size(); ++p) {
    const Place &place = target.round.places[p];
    const Task &task = entryOf(target, size_t(place.instance)).tasks[size_t(place.task)];
    const Kernel &kernel = target.problem.kernels[size_t(task.kernel)];
    const PlaceRun &run = target.run.places[p];
    tasks.try_emplace({target.tenantName(size_t(place.instance)), task.name,
                       which.at({place.instance, place.task})},
                      PlacedTask{p, task.id, place.granules, kernel.name,
                                 kernel.variants[size_t(place.variant)].config,
                                 run.endNs - run.startNs});
  }
  return tasks;
}

/// Adds what a bundle says of its tenants.
void addTenants(const SimulatedTarget &target, Side side, std::vector<TenantDifference> &tenants) {
  for (size_t i = 0; i < target.run.latencyNs.size(); ++i) {
    const std::string &name = target.tenantName(i);
    auto at = std::find_if(tenants.begin(), tenants.end(),
                           [&](const TenantDifference &t) { return t.name == name; });
    if (at == tenants.end()) {
      at = tenants.insert(tenants.end(), TenantDifference());
      at->name = name;
    }
    at->latencyNs.*side = target.run.latencyNs[i];
    at->aloneNs.*side = target.aloneNs[i];
    at->tasks.*side = int64_t(entryOf(target, i).tasks.size());
    for (const Value &value : entryOf(target, i).values)
      (value.kind == ValueKind::Weight ? at->weightBytes : at->valueBytes).*side += value.bytes;
  }
}

/// Bytes of all tenants' weights, each weight once.
int64_t weightBytesOf(const SimulatedTarget &target) {
  std::map<int32_t, int64_t> bytes; // by weight
  for (size_t i = 0; i < target.run.latencyNs.size(); ++i)
    for (const Value &value : entryOf(target, i).values)
      if (value.kind == ValueKind::Weight)
        bytes[value.index] = value.bytes;
  int64_t sum = 0;
  for (const auto &[index, each] : bytes)
    sum += each;
  return sum;
}

nlohmann::ordered_json json(const WasIs &figure) { return {figure.was, figure.is}; }

} // namespace

Difference differenceOf(const SimulatedTarget &was, const SimulatedTarget &is,
                        const std::string &otherFile) {
  Difference difference;
  difference.other = otherFile;
  difference.makespanNs = {was.run.makespanNs, is.run.makespanNs};
  difference.weightBytes = {weightBytesOf(was), weightBytesOf(is)};
  addTenants(is, &WasIs::is, difference.tenants);
  addTenants(was, &WasIs::was, difference.tenants);
  const std::map<TaskKey, PlacedTask> before = tasksOf(was);
  std::vector<std::pair<TaskKey, PlacedTask>> now;
  for (auto &[key, task] : tasksOf(is))
    now.emplace_back(key, task);
  std::sort(now.begin(), now.end(),
            [](const auto &a, const auto &b) { return a.second.place < b.second.place; });
  for (const auto &[key, task] : now) {
    const auto found = before.find(key);
    if (found == before.end())
      continue;
    const PlacedTask &old = found->second;
    const bool isMoved = old.granules != task.granules;
    const bool isOther = old.kernel != task.kernel || old.variant != task.variant;
    for (TenantDifference &tenant : difference.tenants)
      if (tenant.name == std::get<0>(key)) {
        ++tenant.matched;
        tenant.moved += isMoved;
        tenant.variants += isOther;
      }
    if (isMoved || isOther)
      difference.tasks.push_back({std::get<0>(key),
                                  std::get<1>(key),
                                  task.id,
                                  old.granules,
                                  task.granules,
                                  old.variant,
                                  task.variant,
                                  {old.ns, task.ns}});
  }
  return difference;
}

nlohmann::ordered_json differenceJson(const Difference &difference) {
  nlohmann::ordered_json tenants = nlohmann::ordered_json::array(),
                         tasks = nlohmann::ordered_json::array();
  for (const TenantDifference &tenant : difference.tenants)
    tenants.push_back({{"name", tenant.name},
                       {"latency_ns", json(tenant.latencyNs)},
                       {"alone_ns", json(tenant.aloneNs)},
                       {"weight_bytes", json(tenant.weightBytes)},
                       {"value_bytes", json(tenant.valueBytes)},
                       {"tasks", json(tenant.tasks)},
                       {"in_both", tenant.matched},
                       {"moved", tenant.moved},
                       {"other_variant", tenant.variants}});
  for (const TaskDifference &task : difference.tasks)
    tasks.push_back({{"tenant", task.tenant},
                     {"task", task.id},
                     {"name", task.name},
                     {"granules", {task.wasGranules, task.isGranules}},
                     {"variant", {task.wasVariant, task.isVariant}},
                     {"ns", json(task.ns)}});
  return {{"other", difference.other},
          {"origin", "simulated"},
          {"makespan_ns", json(difference.makespanNs)},
          {"weight_bytes", json(difference.weightBytes)},
          {"tenants", tenants},
          {"tasks", tasks}};
}

std::string printDifference(const Difference &difference) {
  const auto change = [](const WasIs &figure) {
    return fmt::format("{} -> {}{}", formatNs(figure.was), formatNs(figure.is),
                       figure.was > 0 && figure.is > 0
                           ? fmt::format(" ({:.2f}x)", double(figure.is) / double(figure.was))
                           : "");
  };
  std::string text =
      fmt::format("against {}, simulated: makespan {}; weights {} -> {}\n", difference.other,
                  change(difference.makespanNs), formatBytes(difference.weightBytes.was),
                  formatBytes(difference.weightBytes.is));
  for (const TenantDifference &tenant : difference.tenants)
    text += fmt::format(
        "  {}  in the round {}, alone {}; of {} tasks {} are in both, {} moved, {} changed\n",
        tenant.name, change(tenant.latencyNs), change(tenant.aloneNs), tenant.tasks.is,
        tenant.matched, tenant.moved, tenant.variants);
  return text;
}

} // namespace mtc::tool
