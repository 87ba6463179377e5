//===- TaskTimes.cpp - how long each task takes ---------------------------===//
#include "TaskTimes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <bit>
#include <cmath>

namespace mtc::tool {

void TaskTimes::add(const JobReport &report) {
  struct Span {
    int64_t startNs, endNs;
    GranuleMask workers;
  };
  std::map<int32_t, Span> spans; // by command, over its workers
  for (const TaskRecord &record : report.tasks) {
    auto [at, isNew] = spans.try_emplace(record.command, Span{record.startNs, record.endNs, 0});
    Span &span = at->second;
    span.startNs = std::min(span.startNs, record.startNs);
    span.endNs = std::max(span.endNs, record.endNs);
    span.workers |= GranuleMask(1) << record.worker;
  }
  for (const auto &[index, span] : spans) {
    const Command &command = report.plan.commands[index];
    const int32_t entry = report.schedule.workload.instances[command.instance];
    Row &row = rows_[{entry, command.task}];
    row.kernel = command.kernel;
    row.variant = command.variant;
    row.workers = std::max(row.workers, std::popcount(span.workers));
    row.predictedNs = report.schedule.places[index].durationNs;
    row.times.ns.push_back(span.endNs - span.startNs);
  }
}

/// The least time that the roofs leave a task that took `ns`. Memory is no roof for who is above
/// it: its operands were in the last cache.
static double floorNs(const Kernel &kernel, int workers, double ns, const host::Peak &peak) {
  const auto bytes = static_cast<double>(kernel.bytes);
  const auto byteFlops = static_cast<double>(kernel.byteFlops);
  const double compute = ((static_cast<double>(kernel.flops) - byteFlops) / peak.flopsPerNs +
                          byteFlops / peak.byteFlopsPerNs) /
                         workers;
  const double memory = bytes / peak.bytesPerNs, cache = bytes / (peak.cacheBytesPerNs * workers);
  return std::max(compute, memory <= ns ? memory : std::min(memory, cache));
}

void TaskTimes::report(const Problem &problem, const host::Peak &peak, bool print,
                       nlohmann::ordered_json &json) const {
  std::vector<std::pair<double, std::pair<int32_t, int32_t>>> order;
  for (const auto &[key, row] : rows_)
    order.emplace_back(-row.times.medianMs(), key);
  std::sort(order.begin(), order.end());
  json["roofline"] = {{"origin", "measured"},
                      {"gflops_per_core", peak.flopsPerNs},
                      {"byte_gops_per_core", peak.byteFlopsPerNs},
                      {"gbytes_per_s", peak.bytesPerNs},
                      {"cache_gbytes_per_s_per_core", peak.cacheBytesPerNs}};
  json["tasks"] = nlohmann::ordered_json::array();
  if (print)
    fmt::print("roofline: {:.1f} GFLOP/s a core (f32), {:.1f} (bytes), {:.1f} GB/s, from the last "
               "cache {:.1f} GB/s a "
               "core\n"
               "{:>10} {:>10} {:>8} {:>7} {:>5}  task\n",
               peak.flopsPerNs, peak.byteFlopsPerNs, peak.bytesPerNs, peak.cacheBytesPerNs, "us",
               "predicted", "GFLOP/s", "GB/s", "roof");
  double logSum = 0;
  int contractions = 0;
  for (const auto &[negativeMs, key] : order) {
    const Row &row = rows_.at(key);
    const Entry &entry = problem.entries[key.first];
    const Task &task = entry.tasks[key.second];
    const Kernel &kernel = problem.kernels[row.kernel];
    const std::string &tenant = problem.tenants[entry.tenant].name;
    const double ns = std::max(1.0, row.times.medianMs() * 1e6);
    const auto flops = static_cast<double>(kernel.flops), bytes = static_cast<double>(kernel.bytes);
    const double part = floorNs(kernel, row.workers, ns, peak) / ns;
    if (kernel.kind == KernelKind::Contraction && flops > 10e6) {
      logSum += std::log(part);
      ++contractions;
    }
    if (print)
      fmt::print("{:>10.1f} {:>10.1f} {:>8.1f} {:>7.1f} {:>4.0f}%  {} {}  {}  {}\n", ns / 1e3,
                 double(row.predictedNs) / 1e3, flops / ns, bytes / ns, part * 100, tenant, task.id,
                 task.name, kernel.name);
    json["tasks"].push_back({{"tenant", tenant},
                             {"task", task.id},
                             {"name", task.name},
                             {"kernel", kernel.name},
                             {"config", kernel.variants[row.variant].config},
                             {"workers", row.workers},
                             {"median_us", ns / 1e3},
                             {"min_us", row.times.quantileMs(0) * 1e3},
                             {"predicted_us", double(row.predictedNs) / 1e3},
                             {"gflops", flops / ns},
                             {"gbytes_per_s", bytes / ns},
                             {"roofline_fraction", part}});
  }
  if (contractions == 0)
    return;
  const double mean = std::exp(logSum / contractions);
  json["contractions"] = {{"count", contractions}, {"geomean_of_roofline", mean}};
  if (print)
    fmt::print("{} contractions above 10 MFLOP: {:.0f}% of their rooflines (geometric mean)\n",
               contractions, mean * 100);
}

} // namespace mtc::tool
