//===- Dispatcher.cpp - earliest deadline first per partition -------------===//
#include "mtc/Scheduling/Dispatcher.h"

#include <fmt/format.h>

#include <algorithm>

namespace mtc {

static Status checkService(const Problem &problem, size_t tenant, const Service &service) {
  int32_t previous = 0;
  for (const BatchEntry &batch : service.entries) {
    if (batch.entry < 0 || static_cast<size_t>(batch.entry) >= problem.entries.size() ||
        problem.entries[static_cast<size_t>(batch.entry)].tenant != static_cast<int32_t>(tenant))
      return invalidInput(
          fmt::format("tenant '{}' is to be served by entry {}, which is not its own",
                      problem.tenants[tenant].name, batch.entry));
    if (batch.requests <= previous)
      return invalidInput(fmt::format("tenant '{}' lists {} requests after {}; wanted ascending",
                                      problem.tenants[tenant].name, batch.requests, previous));
    previous = batch.requests;
  }
  if (service.waitNs < 0)
    return invalidInput(fmt::format("tenant '{}' waits {} ns for a batch; wanted at least 0",
                                    problem.tenants[tenant].name, service.waitNs));
  if (service.deadlineNs < 0)
    return invalidInput(fmt::format("tenant '{}' has a deadline of {} ns; wanted at least 0",
                                    problem.tenants[tenant].name, service.deadlineNs));
  return okStatus();
}

Status check(const Problem &problem, const Layout &layout) {
  if (layout.services.size() != problem.tenants.size())
    return invalidInput(fmt::format("the layout serves {} tenants of {}", layout.services.size(),
                                    problem.tenants.size()));
  for (size_t t = 0; t < layout.services.size(); ++t)
    MTC_RETURN_IF_ERROR(checkService(problem, t, layout.services[t]));
  std::vector<char> served(problem.tenants.size(), 0);
  GranuleMask device = allGranules(problem.device.granules), exclusive = 0, shared = 0;
  for (size_t p = 0; p < layout.partitions.size(); ++p) {
    const Partition &partition = layout.partitions[p];
    if (partition.granules == 0 || (partition.granules & ~device) != 0)
      return invalidInput(fmt::format("partition {} has granules {:#x}; the device has {:#x}", p,
                                      partition.granules, device));
    if ((partition.granules & exclusive) != 0 ||
        (!partition.shared && (partition.granules & shared) != 0))
      return invalidInput(fmt::format("partition {} overlaps another", p));
    (partition.shared ? shared : exclusive) |= partition.granules;
    for (int32_t tenant : partition.tenants) {
      if (tenant < 0 || static_cast<size_t>(tenant) >= served.size())
        return invalidInput(
            fmt::format("partition {} serves tenant {} of {}", p, tenant, served.size()));
      served[static_cast<size_t>(tenant)] = 1;
    }
  }
  for (size_t t = 0; t < served.size(); ++t)
    if (!served[t] && !layout.services[t].entries.empty())
      return invalidInput(fmt::format("no partition serves tenant '{}'", problem.tenants[t].name));
  return okStatus();
}

std::vector<Service> singleServices(const Problem &problem) {
  std::vector<Service> services(problem.tenants.size());
  for (size_t e = 0; e < problem.entries.size(); ++e) {
    Service &service = services[static_cast<size_t>(problem.entries[e].tenant)];
    if (service.entries.empty())
      service.entries.push_back({static_cast<int32_t>(e), 1});
  }
  return services;
}

Dispatcher::Dispatcher(Layout layout)
    : layout_(std::move(layout)), queues_(layout_.services.size()),
      busy_(layout_.partitions.size(), 0) {}

void Dispatcher::arrive(int32_t tenant, int64_t request, int64_t nowNs) {
  queues_[static_cast<size_t>(tenant)].push_back({request, nowNs});
  ++waiting_;
}

void Dispatcher::finish(int32_t partition) { busy_[static_cast<size_t>(partition)] = 0; }

bool Dispatcher::ready(size_t tenant, int64_t nowNs) const {
  const std::deque<Waiting> &queue = queues_[tenant];
  const Service &service = layout_.services[tenant];
  return !queue.empty() && !service.entries.empty() &&
         (static_cast<int64_t>(queue.size()) >= service.entries.back().requests ||
          nowNs - queue.front().arrivalNs >= service.waitNs);
}

std::optional<PartitionJob> Dispatcher::next(int64_t nowNs) {
  if (waiting_ == 0)
    return std::nullopt;
  for (size_t p = 0; p < busy_.size(); ++p) {
    if (busy_[p])
      continue;
    int32_t chosen = -1;
    int64_t earliestNs = 0;
    for (int32_t tenant : layout_.partitions[p].tenants) {
      auto t = static_cast<size_t>(tenant);
      if (!ready(t, nowNs))
        continue;
      int64_t deadlineNs = queues_[t].front().arrivalNs + layout_.services[t].deadlineNs;
      if (chosen >= 0 && deadlineNs >= earliestNs)
        continue;
      chosen = tenant;
      earliestNs = deadlineNs;
    }
    if (chosen < 0)
      continue;
    std::deque<Waiting> &queue = queues_[static_cast<size_t>(chosen)];
    const std::vector<BatchEntry> &entries = layout_.services[static_cast<size_t>(chosen)].entries;
    auto batch = std::find_if(entries.begin(), entries.end(), [&](const BatchEntry &b) {
      return b.requests >= static_cast<int64_t>(queue.size());
    });
    const BatchEntry &taken = batch == entries.end() ? entries.back() : *batch;
    PartitionJob job{static_cast<int32_t>(p), chosen, taken.entry, {}};
    for (int32_t r = 0; r < taken.requests && !queue.empty(); ++r) {
      job.requests.push_back(queue.front().request);
      queue.pop_front();
    }
    waiting_ -= job.requests.size();
    busy_[p] = 1;
    return job;
  }
  return std::nullopt;
}

int64_t Dispatcher::wakeNs() const {
  int64_t wakeNs = INT64_MAX;
  for (size_t p = 0; p < busy_.size(); ++p)
    if (!busy_[p])
      for (int32_t tenant : layout_.partitions[p].tenants) {
        const std::deque<Waiting> &queue = queues_[static_cast<size_t>(tenant)];
        if (!queue.empty())
          wakeNs = std::min(wakeNs, queue.front().arrivalNs +
                                        layout_.services[static_cast<size_t>(tenant)].waitNs);
      }
  return wakeNs;
}

} // namespace mtc
