//===- TaskTimes.cpp - how long each task takes ---------------------------===//
#include "TaskTimes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <bit>
#include <cmath>
#include <numeric>

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
    for (int64_t time : {record.startNs, record.endNs})
      clockStepNs_ = std::gcd(clockStepNs_, time - report.tasks.front().startNs);
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

void TaskTimes::report(const Problem &problem, const Roofline &roofline, bool print,
                       nlohmann::ordered_json &json) const {
  std::vector<std::pair<double, std::pair<int32_t, int32_t>>> order;
  for (const auto &[key, row] : rows_)
    order.emplace_back(-row.times.medianMs(), key);
  std::sort(order.begin(), order.end());
  json["roofline"] = roofline.json();
  if (roofline.isOfGpu())
    json["roofline"]["clock_step_ns"] = clockStepNs_;
  json["tasks"] = nlohmann::ordered_json::array();
  if (print)
    fmt::print("roofline: {}\n{:>10} {:>10} {:>8} {:>7} {:>5} {:<10}  task\n", roofline.text(),
               "us", "predicted", "GFLOP/s", "GB/s", "roof", "limit");
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
    const Roofline::Floor floor =
        roofline.floorOf(problem, kernel, kernel.variants[row.variant], row.workers, ns);
    const double part = floor.ns / ns;
    if (kernel.kind == KernelKind::Contraction && flops > 10e6) {
      logSum += std::log(part);
      ++contractions;
    }
    if (print)
      fmt::print("{:>10.1f} {:>10.1f} {:>8.1f} {:>7.1f} {:>4.0f}% {:<10}  {} {}  {}  {}\n",
                 ns / 1e3, double(row.predictedNs) / 1e3, flops / ns, bytes / ns, part * 100,
                 floor.limit, tenant, task.id, task.name, kernel.name);
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
                             {"roofline_fraction", part},
                             {"limit", floor.limit}});
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
