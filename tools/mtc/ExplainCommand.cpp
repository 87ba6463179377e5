//===- ExplainCommand.cpp - mtc explain -----------------------------------===//
#include "Commands.h"
#include "SetOptions.h"
#include "mtc/Pipelines/Explain.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace mtc::tool {
namespace {

struct ExplainArguments {
  ExplainOptions options;
  std::string json;
};

std::string shapeText(const std::vector<int64_t> &shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

nlohmann::ordered_json toJson(const std::vector<Tensor> &tensors) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Tensor &tensor : tensors)
    list.push_back({{"name", tensor.name}, {"type", tensor.elementType}, {"shape", tensor.shape}});
  return list;
}

std::string toJson(const Explanation &explanation) {
  nlohmann::ordered_json json = {{"version", 1},
                                 {"weight_bytes", explanation.weightBytes},
                                 {"entries", nlohmann::ordered_json::array()}};
  for (const EntryExplanation &entry : explanation.entries) {
    nlohmann::ordered_json tasks = nlohmann::ordered_json::array();
    for (const TaskExplanation &task : entry.largestTasks)
      tasks.push_back(
          {{"id", task.id}, {"name", task.name}, {"flops", task.flops}, {"bytes", task.bytes}});
    json["entries"].push_back({{"tenant", entry.tenant},
                               {"entry", entry.entry},
                               {"inputs", toJson(entry.inputs)},
                               {"outputs", toJson(entry.outputs)},
                               {"element_types", entry.elementTypes},
                               {"flops", entry.flops},
                               {"bytes", entry.bytes},
                               {"weight_bytes", entry.weightBytes},
                               {"tasks", entry.tasks},
                               {"largest_tasks", tasks}});
  }
  return json.dump(2) + "\n";
}

void printText(const Explanation &explanation) {
  for (const EntryExplanation &entry : explanation.entries) {
    fmt::print("{}.{}\n", entry.tenant, entry.entry);
    for (const Tensor &t : entry.inputs)
      fmt::print("  input   {} {} {}\n", t.name, t.elementType, shapeText(t.shape));
    for (const Tensor &t : entry.outputs)
      fmt::print("  output  {} {} {}\n", t.name, t.elementType, shapeText(t.shape));
    fmt::print("  {:.3f} GFLOP, {} moved, {} weights, {} tasks, element types {}\n",
               double(entry.flops) / 1e9, formatBytes(entry.bytes), formatBytes(entry.weightBytes),
               entry.tasks, fmt::join(entry.elementTypes, " "));
    for (const TaskExplanation &task : entry.largestTasks)
      fmt::print("  task {:>4} {:>9.3f} MFLOP {:>9}  {}\n", task.id, double(task.flops) / 1e6,
                 formatBytes(task.bytes), task.name);
  }
  fmt::print("{} of weights in all, each stored once\n", formatBytes(explanation.weightBytes));
}

Status runExplain(const ExplainArguments &arguments) {
  MTC_ASSIGN_OR_RETURN(Explanation explanation, explainSet(arguments.options));
  if (arguments.json != "-")
    printText(explanation);
  return writeReport(arguments.json, toJson(explanation));
}

} // namespace

std::function<Status()> declareExplain(CLI::App &app) {
  auto arguments = std::make_shared<ExplainArguments>();
  addSetOptions(app, arguments->options.set);
  addLimitOptions(app, arguments->options.limits);
  app.add_option("--largest", arguments->options.largest, "how many of the largest tasks to list")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(0), int64_t(1000000)));
  app.add_option("--json", arguments->json, "write a report; '-' is stdout")->type_name("FILE");
  return [arguments] { return runExplain(*arguments); };
}

} // namespace mtc::tool
