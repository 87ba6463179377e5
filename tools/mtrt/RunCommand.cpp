//===- RunCommand.cpp - mtrt run ------------------------------------------===//
#include "Commands.h"
#include "Tensors.h"
#include "mtc/Support/Percent.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

namespace mtc::tool {
namespace {

struct RunArguments {
  DeviceOptions device;
  OutputOptions output;
  std::string tenant, entry, fill, outputFolder, valuesFolder;
  std::vector<std::string> inputs, expected;
  Tolerance tolerance;
};

using Requests = std::vector<std::unique_ptr<Request>>;

/// The requests of this run: one tenant, or all, at --entry or the first.
StatusOr<Requests> makeRequests(Session &session, const RunArguments &arguments) {
  Requests requests;
  if (!arguments.tenant.empty()) {
    MTC_ASSIGN_OR_RETURN(auto request, session.createRequest(arguments.tenant, arguments.entry));
    requests.push_back(std::move(request));
    return requests;
  }
  if (!arguments.entry.empty())
    return invalidInput("--entry needs --tenant");
  for (const Tenant &tenant : session.target().problem.tenants) {
    MTC_ASSIGN_OR_RETURN(auto request, session.createRequest(tenant.name));
    requests.push_back(std::move(request));
  }
  return requests;
}

/// A file of --input.
struct GivenInput {
  TensorFile named;
  NpyArray array;
};

/// Names are checked before files are read.
StatusOr<std::vector<GivenInput>> readInputs(const Requests &requests,
                                             const RunArguments &arguments) {
  std::vector<GivenInput> inputs;
  for (const std::string &text : arguments.inputs) {
    MTC_ASSIGN_OR_RETURN(TensorFile named, parseTensorFile(text));
    MTC_RETURN_IF_ERROR(findPlace(requests, named.name, true, !arguments.tenant.empty()).status());
    MTC_ASSIGN_OR_RETURN(NpyArray array, readNpy(named.file));
    inputs.push_back({std::move(named), std::move(array)});
  }
  return inputs;
}

/// Without --entry: for each tenant the entry that takes the files' shapes.
Status chooseEntries(Session &session, Requests &requests, const RunArguments &arguments,
                     const std::vector<GivenInput> &inputs) {
  const Problem &problem = session.target().problem;
  if (!arguments.entry.empty() || problem.entries.size() == problem.tenants.size())
    return okStatus();
  std::vector<std::vector<std::pair<std::string, std::span<const int64_t>>>> shapes(
      requests.size());
  for (const GivenInput &input : inputs) {
    MTC_ASSIGN_OR_RETURN(const TensorPlace place,
                         findPlace(requests, input.named.name, true, !arguments.tenant.empty()));
    shapes[place.request].emplace_back(requests[place.request]->entry().inputs[place.index].name,
                                       input.array.shape);
  }
  for (size_t r = 0; r < requests.size(); ++r) {
    const std::string tenant = requests[r]->tenant().name;
    MTC_ASSIGN_OR_RETURN(const int32_t index, findTenant(problem, tenant));
    std::vector<GivenShape> given;
    for (const auto &[input, shape] : shapes[r])
      given.push_back({input, shape});
    MTC_ASSIGN_OR_RETURN(const int32_t entry, chooseEntry(problem, index, given));
    const std::string &name = problem.entries[entry].name;
    if (name != requests[r]->entry().name) {
      MTC_ASSIGN_OR_RETURN(requests[r], session.createRequest(tenant, name));
    }
  }
  return okStatus();
}

/// Gives every input its values; all that have none are named at once. Arrays that are smaller than
/// their input have to stay until the run has ended.
Status loadInputs(const Requests &requests, const RunArguments &arguments,
                  std::vector<GivenInput> &inputs) {
  const bool single = !arguments.tenant.empty();
  std::vector<std::vector<bool>> given;
  for (const auto &request : requests)
    given.emplace_back(request->entry().inputs.size());
  for (auto &[named, array] : inputs) {
    MTC_ASSIGN_OR_RETURN(const TensorPlace place, findPlace(requests, named.name, true, single));
    if (given[place.request][place.index])
      return invalidInput(fmt::format("input '{}' is given twice", named.name));
    given[place.request][place.index] = true;
    Request &request = *requests[place.request];
    const Tensor &tensor = request.entry().inputs[place.index];
    MTC_RETURN_IF_ERROR(fitTensor(array, named.file, tensor));
    if (array.shape != tensor.shape) {
      MTC_RETURN_IF_ERROR(request.bindSmaller(tensor.name, array.bytes.data(), array.shape));
      continue;
    }
    MTC_ASSIGN_OR_RETURN(void *memory, request.memory(tensor.name, true));
    std::copy(array.bytes.begin(), array.bytes.end(), static_cast<uint8_t *>(memory));
    array = {};
  }
  Fill fill;
  if (!arguments.fill.empty()) {
    MTC_ASSIGN_OR_RETURN(fill, parseFill(arguments.fill));
  }
  std::vector<std::string> missing;
  for (size_t r = 0; r < requests.size(); ++r)
    for (size_t i = 0; i < given[r].size(); ++i) {
      const std::string &tenant = requests[r]->tenant().name;
      const Tensor &tensor = requests[r]->entry().inputs[i];
      if (given[r][i] || tensor.value)
        continue;
      if (arguments.fill.empty()) {
        missing.push_back((single ? "" : tenant + "/") + tensor.name);
        continue;
      }
      MTC_ASSIGN_OR_RETURN(void *memory, requests[r]->memory(tensor.name, true));
      MTC_RETURN_IF_ERROR(fillTensor(fill, tenant, tensor, memory));
    }
  if (missing.empty())
    return okStatus();
  return invalidInput(fmt::format("missing input {}; add --input {}=@FILE.npy, or --fill seed:0",
                                  fmt::join(missing, ", "), missing[0]));
}

/// A reference for an output, read before anything runs so that a bad file costs no time.
struct Expected {
  TensorPlace place;
  NpyArray array;
};

StatusOr<std::vector<Expected>> loadExpected(const Requests &requests,
                                             const RunArguments &arguments) {
  std::vector<Expected> all;
  for (const std::string &text : arguments.expected) {
    MTC_ASSIGN_OR_RETURN(const TensorFile named, parseTensorFile(text));
    MTC_ASSIGN_OR_RETURN(const TensorPlace place,
                         findPlace(requests, named.name, false, !arguments.tenant.empty()));
    const Tensor &tensor = requests[place.request]->entry().outputs[place.index];
    MTC_ASSIGN_OR_RETURN(NpyArray array, readTensor(named.file, tensor));
    all.push_back({place, std::move(array)});
  }
  return all;
}

Status makeFolder(const std::filesystem::path &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? invalidInput(fmt::format("cannot make the folder '{}': {}", folder.string(),
                                          error.message()))
               : okStatus();
}

Status writeTensor(const std::filesystem::path &file, const Tensor &tensor, const void *data) {
  MTC_ASSIGN_OR_RETURN(const ElementType type, parseElementType(tensor.elementType));
  return writeNpy(file, type, tensor.shape,
                  {static_cast<const uint8_t *>(data), static_cast<size_t>(tensor.bytes)});
}

/// The id of the task that writes output `index`.
int32_t writerOf(const Problem &problem, const Entry &entry, int32_t index) {
  for (const Task &task : entry.tasks)
    for (size_t o = 0; o < task.values.size(); ++o) {
      const Value &value = entry.values[task.values[o]];
      if (problem.kernels[task.kernel].operands[o] != Access::Read &&
          value.kind == ValueKind::Output && value.index == index)
        return task.id;
    }
  return 0;
}

/// DIR/TENANT/OUTPUT.npy for outputs, DIR/TENANT.ENTRY/TASK.NODE.npy for kept values and outputs.
Status writeOutputs(const Session &session, const Requests &requests,
                    const RunArguments &arguments) {
  const Problem &problem = session.target().problem;
  for (const auto &request : requests) {
    const Entry &entry = request->entry();
    const std::string &tenant = request->tenant().name;
    const auto outputs = std::filesystem::path(arguments.outputFolder) / tenant;
    const auto values =
        std::filesystem::path(arguments.valuesFolder) / percentEncode(tenant + "." + entry.name);
    if (!arguments.outputFolder.empty())
      MTC_RETURN_IF_ERROR(makeFolder(outputs));
    if (!arguments.valuesFolder.empty())
      MTC_RETURN_IF_ERROR(makeFolder(values));
    for (size_t i = 0; i < entry.outputs.size(); ++i) {
      MTC_ASSIGN_OR_RETURN(const Tensor tensor, outputOf(*request, entry.outputs[i]));
      const void *data = request->bound(tensor.name, false);
      if (!arguments.outputFolder.empty() && !isKeptValue(tensor))
        MTC_RETURN_IF_ERROR(
            writeTensor(outputs / (percentEncode(tensor.name) + ".npy"), tensor, data));
      if (arguments.valuesFolder.empty())
        continue;
      const std::string node = isKeptValue(tensor) ? tensor.name.substr(6) : tensor.name;
      const int32_t task = writerOf(problem, entry, static_cast<int32_t>(i));
      MTC_RETURN_IF_ERROR(writeTensor(
          values / fmt::format("{:05}.{}.npy", task, percentEncode(node)), tensor, data));
    }
  }
  return okStatus();
}

/// Least, largest and mean of an output, for people.
std::string summarize(const Tensor &tensor, const void *data) {
  const auto type = parseElementType(tensor.elementType);
  if (!type.ok() || *type != ElementType::F32 || tensor.bytes == 0)
    return "";
  const auto *values = static_cast<const float *>(data);
  const int64_t count = tensor.bytes / 4;
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += values[i];
  const auto [least, largest] = std::minmax_element(values, values + count);
  return fmt::format("min {:.4g}, max {:.4g}, mean {:.4g}", *least, *largest,
                     sum / static_cast<double>(count));
}

/// A number JSON can hold, or null.
nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

/// Prints a line per output, compares those with a reference and fills the report.
Status checkOutputs(const Requests &requests, const std::vector<Expected> &expected,
                    const RunArguments &arguments, nlohmann::ordered_json &json) {
  std::string first;
  int mismatches = 0;
  for (size_t r = 0; r < requests.size(); ++r) {
    const Request &request = *requests[r];
    for (size_t i = 0; i < request.entry().outputs.size(); ++i) {
      if (isKeptValue(request.entry().outputs[i]))
        continue;
      MTC_ASSIGN_OR_RETURN(const Tensor tensor, outputOf(request, request.entry().outputs[i]));
      const void *data = request.bound(tensor.name, false);
      nlohmann::ordered_json row = {{"tenant", request.tenant().name},
                                    {"name", tensor.name},
                                    {"element_type", tensor.elementType},
                                    {"shape", tensor.shape}};
      std::string text = summarize(tensor, data);
      for (const Expected &e : expected) {
        if (e.place.request != r || e.place.index != static_cast<int32_t>(i))
          continue;
        const bool fits = e.array.shape == tensor.shape;
        const size_t bytes = fits ? e.array.bytes.size() : 0;
        const Difference d = difference(e.array.type, {static_cast<const uint8_t *>(data), bytes},
                                        std::span(e.array.bytes).first(bytes), arguments.tolerance);
        const std::string mismatch =
            fits ? describeMismatch(d, arguments.tolerance, tensor.shape)
                 : fmt::format("has shape {}, wanted {}", shapeText(tensor.shape),
                               shapeText(e.array.shape));
        row["rel_norm"] = number(d.relNorm);
        row["max_abs_error"] = number(d.maxAbs);
        row["ok"] = mismatch.empty();
        text = fmt::format("{}, rel-norm {:.2g}, largest error {:.2g}",
                           mismatch.empty() ? "ok" : "MISMATCH", d.relNorm, d.maxAbs);
        if (!mismatch.empty() && mismatches++ == 0)
          first = fmt::format("tenant '{}': output '{}': {}", request.tenant().name, tensor.name,
                              mismatch);
      }
      if (arguments.output.printsText())
        fmt::print("{}  {}  {}[{}]  {}\n", request.tenant().name, tensor.name, tensor.elementType,
                   shapeText(tensor.shape), text);
      json["outputs"].push_back(std::move(row));
    }
  }
  if (mismatches == 0)
    return okStatus();
  return {ErrorCode::NumericMismatch,
          mismatches == 1 ? first
                          : fmt::format("{}; {} outputs more differ", first, mismatches - 1)};
}

Status run(RunArguments &arguments) {
  arguments.tolerance.setDefaults();
  MTC_ASSIGN_OR_RETURN(const auto session, openSession(arguments.device, arguments.output));
  MTC_ASSIGN_OR_RETURN(Requests requests, makeRequests(*session, arguments));
  MTC_ASSIGN_OR_RETURN(std::vector<GivenInput> inputs, readInputs(requests, arguments));
  MTC_RETURN_IF_ERROR(chooseEntries(*session, requests, arguments, inputs));
  MTC_ASSIGN_OR_RETURN(const auto expected, loadExpected(requests, arguments));
  MTC_RETURN_IF_ERROR(loadInputs(requests, arguments, inputs));
  std::vector<Request *> round;
  for (const auto &request : requests) {
    for (const Tensor &tensor : request->entry().outputs)
      MTC_RETURN_IF_ERROR(request->memory(tensor.name, false).status());
    round.push_back(request.get());
  }
  MTC_RETURN_IF_ERROR(runRound(*session, round));
  MTC_RETURN_IF_ERROR(writeOutputs(*session, requests, arguments));

  nlohmann::ordered_json json = {{"version", 1},
                                 {"device", describeDevice(*session)},
                                 {"tenants", nlohmann::ordered_json::array()},
                                 {"outputs", nlohmann::ordered_json::array()}};
  for (const Request *request : round)
    json["tenants"].push_back(
        {{"name", request->tenant().name},
         {"entry", request->entry().name},
         {"run_ms", double(request->finishedNs() - request->startedNs()) / 1e6}});
  const Status outcome = checkOutputs(requests, expected, arguments, json);
  MTC_RETURN_IF_ERROR(writeJson(arguments.output, json));
  return outcome;
}

} // namespace

std::function<Status()> declareRun(CLI::App &app) {
  auto arguments = std::make_shared<RunArguments>();
  const auto addRepeated = [&](const char *name, std::vector<std::string> &values,
                               const char *description) {
    app.add_option(name, values, description)
        ->type_name("[TENANT/]NAME=@FILE")
        ->type_size(1)
        ->allow_extra_args(false);
  };
  addDeviceOptions(app, arguments->device);
  app.add_option("--tenant", arguments->tenant, "run this tenant alone; default: a round of all")
      ->type_name("T");
  app.add_option("--entry", arguments->entry,
                 "which of the tenant's entries; default: the one that takes the inputs' shapes")
      ->type_name("E");
  addRepeated("--input", arguments->inputs, "values of an input, from an .npy file");
  app.add_option("--fill", arguments->fill, "values of all other inputs: seed:N or zeros")
      ->type_name("F");
  addRepeated("--expected-output", arguments->expected, "compare an output with an .npy file");
  addToleranceOptions(app, arguments->tolerance);
  app.add_option("--output-dir", arguments->outputFolder, "write outputs to D/TENANT/NAME.npy")
      ->type_name("D");
  app.add_option("--dump-values", arguments->valuesFolder,
                 "write outputs and the values of mtc compile --keep-values to "
                 "D/TENANT.ENTRY/TASK.NODE.npy")
      ->type_name("D");
  addOutputOptions(app, arguments->output);
  return [arguments] { return run(*arguments); };
}

} // namespace mtc::tool
