//===- Trace.cpp - see the header -----------------------------------------===//
#include "Trace.h"

#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mtc::tool {

static std::string quoted(const std::string &text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Trace::add(const JobReport &report) {
  for (const TaskRecord &record : report.tasks) {
    const Command &command = report.plan.commands[record.command];
    const Place &place = report.schedule.places[record.command];
    const Entry &entry =
        report.problem.entries[report.schedule.workload.instances[command.instance]];
    const Task &task = entry.tasks[command.task];
    const Kernel &kernel = report.problem.kernels[command.kernel];
    processes_[entry.tenant] = report.problem.tenants[entry.tenant].name;
    const bool isHost = report.problem.device.target.starts_with("host");
    threads_[{entry.tenant, record.worker}] =
        fmt::format("{} {}", isHost ? "worker" : "SM group", record.worker);
    events_ += fmt::format(
        R"({{"ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"name":{},"cat":"task",)"
        R"("args":{{"task":{},"kernel":{},"config":{},"merged":{},"predicted_us":{:.3f}}}}},)"
        "\n",
        entry.tenant, record.worker, double(record.startNs) / 1e3,
        double(record.endNs - record.startNs) / 1e3, quoted(task.name), task.id,
        quoted(kernel.name), quoted(kernel.variants[command.variant].config), command.merged,
        double(place.durationNs) / 1e3);
  }
}

Status Trace::write(const std::string &path) const {
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" + events_;
  for (const auto &[tenant, name] : processes_)
    text += fmt::format(R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":{}}}}},)"
                        "\n",
                        tenant, quoted(name));
  for (const auto &[key, name] : threads_)
    text +=
        fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":{}}}}},)"
                    "\n",
                    key.first, key.second, quoted(name));
  text += "{\"ph\":\"M\",\"pid\":0,\"name\":\"trace_end\",\"args\":{}}\n]}\n";
  return writeFile(path, text);
}

} // namespace mtc::tool
