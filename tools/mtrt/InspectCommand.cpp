//===- InspectCommand.cpp - mtrt inspect and verify -----------------------===//
#include "Commands.h"
#include "mtc/Bundle/GpuCode.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Support/ElementType.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <bit>
#include <set>

namespace mtc::tool {
namespace {

struct InspectArguments {
  std::string bundle, target, plan, text;
  OutputOptions output;
};

using Json = nlohmann::ordered_json;

/// "[1, 2]": the value that an input has to have.
std::string valueText(const Tensor &tensor) {
  const auto type = parseElementType(tensor.elementType);
  return type.ok() ? formatElements(*type, *tensor.value) : "";
}

std::string padText(const Tensor &tensor) {
  const auto type = parseElementType(tensor.elementType);
  const std::string text = type.ok() ? formatElements(*type, *tensor.pad) : "[]";
  return text.substr(1, text.size() - 2);
}

Json toJson(const std::vector<Tensor> &tensors) {
  Json list = Json::array();
  for (const Tensor &tensor : tensors) {
    list.push_back({{"name", tensor.name},
                    {"element_type", tensor.elementType},
                    {"shape", tensor.shape},
                    {"bytes", tensor.bytes}});
    if (tensor.value)
      list.back()["value"] = valueText(tensor);
    if (tensor.pad)
      list.back()["pad"] = padText(tensor);
    for (const FollowedDim &followed : tensor.follows)
      list.back()["follows"].push_back(
          {{"dim", followed.dim}, {"input", followed.input}, {"input_dim", followed.inputDim}});
    if (tensor.extentOutput >= 0) {
      list.back()["extent_dim"] = tensor.extentDim;
      list.back()["extent"] = tensors[tensor.extentOutput].name;
    }
  }
  return list;
}

Json tenantsJson(const Problem &problem) {
  Json tenants = Json::array();
  for (size_t t = 0; t < problem.tenants.size(); ++t) {
    const Tenant &tenant = problem.tenants[t];
    Json entries = Json::array();
    for (const Entry &entry : problem.entries)
      if (entry.tenant == static_cast<int32_t>(t))
        entries.push_back({{"name", entry.name},
                           {"inputs", toJson(entry.inputs)},
                           {"outputs", toJson(entry.outputs)},
                           {"tasks", entry.tasks.size()}});
    tenants.push_back({{"name", tenant.name},
                       {"slo_p99_ns", tenant.sloP99Ns},
                       {"rate_per_second", tenant.ratePerSecond},
                       {"arrivals", arrivalKindName(tenant.arrivals)},
                       {"priority", tenant.priority},
                       {"isolation", tenant.isolation},
                       {"entries", entries}});
  }
  return tenants;
}

Json tensorMapJson(const GpuTensorMap &map) {
  static constexpr const char *elements[] = {"u8", "f16", "bf16"};
  Json json = {{"buffer", map.buffer},
               {"offset", map.offset},
               {"element", elements[static_cast<size_t>(map.element)]},
               {"mode", map.isIm2col() ? "im2col" : "tiled"},
               {"sizes", map.sizes},
               {"strides", map.strides},
               {"box", map.box},
               {"steps", map.steps},
               {"swizzle_bytes", map.swizzleBytes},
               {"outside", 0}};
  if (map.isIm2col())
    json.update({{"lower", map.lower}, {"upper", map.upper}});
  return json;
}

/// The kernels of a CUDA target as they were assembled; null for a host.
Json gpuKernelsJson(const BundleTarget &target) {
  if (!target.target.starts_with("cuda:"))
    return nullptr;
  const StatusOr<std::vector<GpuModule>> modules = decodeGpuCode(target.code);
  Json rows = Json::array();
  for (size_t k = 0; modules.ok() && k < target.problem.kernels.size(); ++k)
    for (size_t v = 0; v < target.symbols[k].size(); ++v)
      for (const GpuModule &module : *modules) {
        if (module.symbol != target.symbols[k][v])
          continue;
        Json functions = Json::array();
        for (const GpuFunction &f : module.phases) {
          Json maps = Json::array();
          for (const GpuTensorMap &map : f.tensorMaps)
            maps.push_back(tensorMapJson(map));
          functions.push_back({{"threads", f.threads},
                               {"registers", f.registers},
                               {"shared_bytes", f.sharedBytes},
                               {"spill_bytes", f.spillBytes},
                               {"blocks_per_unit", f.blocksPerUnit},
                               {"tensor_maps", maps}});
        }
        rows.push_back({{"kernel", target.problem.kernels[k].name},
                        {"config", target.problem.kernels[k].variants[v].config},
                        {"cubin_bytes", module.cubin.size()},
                        {"ptx_bytes", module.ptx.size()},
                        {"functions", functions}});
      }
  return rows;
}

Json targetJson(const BundleTarget &target) {
  Json schedules = Json::array(), kernels = Json::array();
  for (const BundleSchedule &schedule : target.schedules)
    schedules.push_back({{"name", schedule.workload.name},
                         {"policy", schedule.policy},
                         {"makespan_ns", schedule.makespanNs},
                         {"granules", std::popcount(schedule.workload.granules)},
                         {"instances", schedule.workload.instances}});
  for (const Kernel &kernel : target.problem.kernels)
    kernels.push_back({{"name", kernel.name},
                       {"flops", kernel.flops},
                       {"byte_flops", kernel.byteFlops},
                       {"bytes", kernel.bytes},
                       {"variants", kernel.variants.size()}});
  Json json = {{"target", target.target},     {"granules", target.problem.device.granules},
               {"features", target.features}, {"code_bytes", target.code.size()},
               {"kernels", kernels},          {"schedules", schedules}};
  if (Json rows = gpuKernelsJson(target); !rows.is_null())
    json["gpu_kernels"] = std::move(rows);
  return json;
}

/// Weights, and the bytes that they take: equal ones are stored once.
Json weightsJson(const BundleReader &bundle) {
  int64_t bytes = 0, stored = 0;
  std::set<std::pair<uint64_t, uint64_t>> ranges;
  for (size_t i = 0; i < bundle.weightCount(); ++i) {
    const auto info = bundle.weightInfo(i);
    bytes += static_cast<int64_t>(info.bytes);
    if (ranges.emplace(info.offset, info.bytes).second)
      stored += static_cast<int64_t>(info.bytes);
  }
  return {{"count", bundle.weightCount()}, {"bytes", bytes}, {"stored_bytes", stored}};
}

Json bundleJson(const BundleReader &bundle) {
  Json json = {{"version", 1},
               {"path", bundle.path()},
               {"bytes", bundle.fileBytes()},
               {"compiler", bundle.compilerVersion()},
               {"compile_command", bundle.compileCommand()},
               {"tenants", tenantsJson(bundle.targets().front().problem)},
               {"targets", Json::array()},
               {"weights", weightsJson(bundle)},
               {"sections", Json::array()},
               {"texts", Json::array()}};
  for (const BundleTarget &target : bundle.targets())
    json["targets"].push_back(targetJson(target));
  for (const auto &section : bundle.sections())
    json["sections"].push_back(
        {{"kind", section.kind}, {"offset", section.offset}, {"bytes", section.bytes}});
  for (size_t i = 0; i < bundle.textCount(); ++i)
    json["texts"].push_back(bundle.textName(i));
  return json;
}

void printTensors(const char *what, const std::vector<Tensor> &tensors) {
  for (const Tensor &tensor : tensors)
    if (!isKeptValue(tensor))
      fmt::print(
          "    {:<7} {} {}[{}]{}\n", what, tensor.name, tensor.elementType, shapeText(tensor.shape),
          tensor.value               ? " = " + valueText(tensor)
          : tensor.pad               ? ", or smaller: filled with " + padText(tensor)
          : !tensor.follows.empty()  ? ", smaller where its inputs are"
          : tensor.extentOutput >= 0 ? fmt::format(", at most {} in dim {}: '{}' says how many",
                                                   tensor.shape[tensor.extentDim], tensor.extentDim,
                                                   tensors[tensor.extentOutput].name)
                                     : "");
}

void printBundle(const BundleReader &bundle) {
  fmt::print("{}, {}, by mtc {}\n  {}\n", bundle.path(),
             formatBytes(static_cast<int64_t>(bundle.fileBytes())), bundle.compilerVersion(),
             bundle.compileCommand());
  const Problem &problem = bundle.targets().front().problem;
  for (const Entry &entry : problem.entries) {
    fmt::print("{}.{}: {} tasks\n", problem.tenants[entry.tenant].name, entry.name,
               entry.tasks.size());
    printTensors("input", entry.inputs);
    printTensors("output", entry.outputs);
  }
  for (const BundleTarget &target : bundle.targets()) {
    fmt::print("target {}: {} kernels, {} of code, needs {}\n", target.target,
               target.problem.kernels.size(), formatBytes(static_cast<int64_t>(target.code.size())),
               fmt::join(target.features, " "));
    for (const BundleSchedule &schedule : target.schedules)
      fmt::print("  schedule {:<28} {:>10} predicted, {} of {} granules, policy {}\n",
                 schedule.workload.name, formatNs(schedule.makespanNs),
                 std::popcount(schedule.workload.granules), target.problem.device.granules,
                 schedule.policy);
  }
  const Json weights = weightsJson(bundle);
  fmt::print("{} weights, {}, {} stored\n", bundle.weightCount(),
             formatBytes(weights["bytes"].get<int64_t>()),
             formatBytes(weights["stored_bytes"].get<int64_t>()));
  for (const auto &section : bundle.sections())
    fmt::print("section {:<9} {:>12} bytes at {}\n", section.kind, section.bytes, section.offset);
}

/// The target called `name`, or the first.
StatusOr<size_t> findTarget(const BundleReader &bundle, const std::string &name) {
  std::vector<std::string> known;
  for (size_t i = 0; i < bundle.targets().size(); ++i) {
    if (name.empty() || bundle.targets()[i].target == name)
      return i;
    known.push_back(bundle.targets()[i].target);
  }
  return invalidInput(fmt::format("unknown target '{}'; known: {}", name, fmt::join(known, " ")));
}

Status printStoredPlan(const BundleReader &bundle, const InspectArguments &arguments) {
  MTC_ASSIGN_OR_RETURN(const size_t t, findTarget(bundle, arguments.target));
  const BundleTarget &target = bundle.targets()[t];
  std::vector<std::string> known;
  for (size_t i = 0; i < target.schedules.size(); ++i) {
    known.push_back(target.schedules[i].workload.name);
    if (known.back() != arguments.plan)
      continue;
    MTC_ASSIGN_OR_RETURN(const ScheduledPlan stored, bundle.plan(t, i));
    fmt::print("{}", printPlan(target.problem, stored.schedule, stored.plan));
    return okStatus();
  }
  return invalidInput(
      fmt::format("unknown plan '{}'; known: {}", arguments.plan, fmt::join(known, ", ")));
}

Status printStoredText(const BundleReader &bundle, const std::string &name) {
  std::vector<std::string_view> known;
  for (size_t i = 0; i < bundle.textCount(); ++i) {
    known.push_back(bundle.textName(i));
    if (known.back() != name)
      continue;
    MTC_ASSIGN_OR_RETURN(const std::string_view text, bundle.text(i));
    std::fwrite(text.data(), 1, text.size(), stdout);
    return okStatus();
  }
  return invalidInput(
      fmt::format("unknown text '{}'; known: {}", name,
                  known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
}

Status inspect(const InspectArguments &arguments) {
  MTC_ASSIGN_OR_RETURN(const auto bundle, BundleReader::open(arguments.bundle));
  if (bundle->targets().empty())
    return bundleRefused(fmt::format("'{}': the bundle has no target", arguments.bundle));
  if (!arguments.plan.empty())
    return printStoredPlan(*bundle, arguments);
  if (!arguments.text.empty())
    return printStoredText(*bundle, arguments.text);
  if (arguments.output.printsText())
    printBundle(*bundle);
  return writeJson(arguments.output, bundleJson(*bundle));
}

Status verifyBundle(const InspectArguments &arguments) {
  MTC_ASSIGN_OR_RETURN(const auto bundle, BundleReader::open(arguments.bundle));
  MTC_RETURN_IF_ERROR(bundle->verifyAll());
  if (arguments.output.printsText())
    fmt::print("{}: ok, {} in {} sections\n", arguments.bundle,
               formatBytes(static_cast<int64_t>(bundle->fileBytes())), bundle->sections().size());
  return writeJson(
      arguments.output,
      {{"version", 1}, {"path", arguments.bundle}, {"ok", true}, {"bytes", bundle->fileBytes()}});
}

} // namespace

std::function<Status()> declareInspect(CLI::App &app) {
  auto arguments = std::make_shared<InspectArguments>();
  app.add_option("bundle", arguments->bundle, "OUT.mtb")->type_name("")->required();
  app.add_option("--plan", arguments->plan, "print this plan: \"round\", \"TENANT.ENTRY.gN\"")
      ->type_name("NAME");
  app.add_option("--target", arguments->target, "of --plan; default: the first")->type_name("T");
  app.add_option("--text", arguments->text, "print this stored text")->type_name("NAME");
  addOutputOptions(app, arguments->output);
  return [arguments] { return inspect(*arguments); };
}

std::function<Status()> declareVerify(CLI::App &app) {
  auto arguments = std::make_shared<InspectArguments>();
  app.add_option("bundle", arguments->bundle, "OUT.mtb")->type_name("")->required();
  addOutputOptions(app, arguments->output);
  return [arguments] { return verifyBundle(*arguments); };
}

} // namespace mtc::tool
