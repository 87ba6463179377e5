//===- Problem.cpp - check() and the relations of a Problem ---------------===//
//
// check() is the only gate: everything behind it (policies, planner, simulator, runtime) indexes
// without looking again, also when the Problem came out of a damaged bundle.
//
//===----------------------------------------------------------------------===//
#include "mtc/Scheduling/Problem.h"
#include "mtc/Scheduling/Regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace mtc {

template <typename T> static bool inRange(int32_t index, const std::vector<T> &items) {
  return index >= 0 && static_cast<size_t>(index) < items.size();
}

std::string entryName(const Problem &problem, const Entry &entry) {
  return fmt::format("{}.{}", problem.tenants[static_cast<size_t>(entry.tenant)].name, entry.name);
}

int64_t timeOn(std::span<const ShareTime> times, int32_t granules) {
  int64_t ns = times.front().ns;
  for (const ShareTime &time : times) {
    if (time.granules > granules)
      break;
    ns = time.ns;
  }
  return ns;
}

int64_t variantNs(const Variant &variant, int32_t granules) {
  return timeOn(variant.times, granules);
}

std::vector<std::vector<int32_t>> taskDependences(const Problem &problem, const Entry &entry) {
  std::vector<int32_t> writer(entry.values.size(), -1);
  std::vector<std::vector<int32_t>> dependences(entry.tasks.size());
  for (size_t t = 0; t < entry.tasks.size(); ++t) {
    const Task &task = entry.tasks[t];
    const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
    std::vector<int32_t> &before = dependences[t];
    for (size_t o = 0; o < task.values.size(); ++o) {
      auto value = static_cast<size_t>(task.values[o]);
      if (kernel.operands[o] == Access::Write)
        writer[value] = static_cast<int32_t>(t);
      else if (writer[value] >= 0)
        before.push_back(writer[value]);
    }
    std::sort(before.begin(), before.end());
    before.erase(std::unique(before.begin(), before.end()), before.end());
  }
  return dependences;
}

//===- check() ------------------------------------------------------------===//

static Status checkKernel(const Kernel &kernel) {
  auto wrong = [&](const std::string &what) {
    return invalidInput(fmt::format("kernel '{}' {}", kernel.name, what));
  };
  for (size_t o = 0; o < kernel.operands.size(); ++o)
    if (kernel.operands[o] == Access::ReadWrite)
      return wrong(fmt::format("reads and writes operand {} in place; a value has one writer", o));
  if (kernel.variants.empty())
    return wrong("has no variant");
  for (size_t v = 0; v < kernel.variants.size(); ++v) {
    const Variant &variant = kernel.variants[v];
    if (variant.phaseTiles.empty())
      return wrong(fmt::format("variant {} has no phase", v));
    for (int64_t tiles : variant.phaseTiles)
      if (tiles <= 0)
        return wrong(
            fmt::format("variant {} has a phase of {} tiles; wanted at least 1", v, tiles));
    if (variant.scratchBytesPerWorker < 0)
      return wrong(fmt::format("variant {} has {} bytes of scratch; wanted at least 0", v,
                               variant.scratchBytesPerWorker));
    if (variant.times.empty())
      return wrong(fmt::format("variant {} has no time", v));
    int32_t previous = 0;
    for (const ShareTime &time : variant.times) {
      if (time.granules <= previous)
        return wrong(fmt::format("variant {} lists {} granules after {}; wanted ascending numbers",
                                 v, time.granules, previous));
      // A year; sums over tens of thousands of tasks stay far inside 64 bits.
      if (time.ns <= 0 || time.ns > int64_t(365) * 86400 * 1000000000)
        return wrong(fmt::format("variant {} takes {} ns on {} granules; wanted 1 ns to a year", v,
                                 time.ns, time.granules));
      previous = time.granules;
    }
  }
  return okStatus();
}

/// Inputs that may be smaller than compiled, and what of the outputs is smaller then.
static Status checkPadding(const Entry &entry, const std::string &name) {
  for (const Tensor &tensor : entry.inputs) {
    int64_t elements = 1;
    for (int64_t size : tensor.shape)
      elements *= size;
    if (tensor.pad && (tensor.value || tensor.pad->empty() || elements == 0 ||
                       std::ssize(*tensor.pad) != tensor.bytes / elements))
      return invalidInput(fmt::format(
          "{} input '{}' has {} elements in {} bytes{} and is padded with one of {} bytes", name,
          tensor.name, elements, tensor.bytes, tensor.value ? ", a known value," : "",
          tensor.pad->size()));
  }
  for (const Tensor &tensor : entry.outputs) {
    int32_t before = -1;
    for (const FollowedDim &followed : tensor.follows) {
      const bool isThere = followed.dim > before && inRange(followed.dim, tensor.shape) &&
                           inRange(followed.input, entry.inputs) &&
                           inRange(followed.inputDim, entry.inputs[followed.input].shape);
      if (!isThere || !entry.inputs[followed.input].pad || tensor.extentOutput >= 0 ||
          entry.inputs[followed.input].shape[followed.inputDim] != tensor.shape[followed.dim])
        return invalidInput(
            fmt::format("{} dim {} of output '{}' follows dim {} of input {}, which "
                        "is no padded dim of its size",
                        name, followed.dim, tensor.name, followed.inputDim, followed.input));
      before = followed.dim;
    }
  }
  return okStatus();
}

/// The values of an entry, apart from who writes them.
static Status checkValues(const Entry &entry, const std::string &name) {
  std::vector<int32_t> valueOfOutput(entry.outputs.size(), -1);
  for (size_t v = 0; v < entry.values.size(); ++v) {
    const Value &value = entry.values[v];
    auto wrong = [&](const std::string &what) {
      return invalidInput(fmt::format("{} value {} {}", name, v, what));
    };
    if (value.bytes < 0)
      return wrong(fmt::format("has {} bytes; wanted at least 0", value.bytes));
    if (value.kind == ValueKind::Weight && value.index < 0)
      return wrong(fmt::format("is weight {}; wanted at least 0", value.index));
    if (value.kind != ValueKind::Input && value.kind != ValueKind::Output)
      continue;
    bool isInput = value.kind == ValueKind::Input;
    const std::vector<Tensor> &tensors = isInput ? entry.inputs : entry.outputs;
    const char *role = isInput ? "input" : "output";
    if (!inRange(value.index, tensors))
      return wrong(fmt::format("is {} {} of {}", role, value.index, tensors.size()));
    const Tensor &tensor = tensors[static_cast<size_t>(value.index)];
    if (value.bytes != tensor.bytes)
      return wrong(fmt::format("has {} bytes, its {} '{}' has {}", value.bytes, role, tensor.name,
                               tensor.bytes));
    if (tensor.value && static_cast<int64_t>(tensor.value->size()) != tensor.bytes)
      return wrong(fmt::format("is {} '{}' of {} bytes, whose known value has {}", role,
                               tensor.name, tensor.bytes, tensor.value->size()));
    if (isInput)
      continue;
    int32_t &first = valueOfOutput[static_cast<size_t>(value.index)];
    if (first >= 0)
      return wrong(fmt::format("is output '{}', and so is value {}", tensor.name, first));
    first = static_cast<int32_t>(v);
  }
  for (size_t o = 0; o < valueOfOutput.size(); ++o)
    if (valueOfOutput[o] < 0)
      return invalidInput(fmt::format("{} output '{}' has no value", name, entry.outputs[o].name));
  MTC_RETURN_IF_ERROR(checkPadding(entry, name));
  for (const Tensor &tensor : entry.outputs) {
    if (tensor.extentDim < 0 && tensor.extentOutput < 0)
      continue;
    if (!inRange(tensor.extentDim, tensor.shape) || !inRange(tensor.extentOutput, entry.outputs))
      return invalidInput(
          fmt::format("{} output '{}' has the extent of dim {} in output {}; it has "
                      "{} dims, and there are {} outputs",
                      name, tensor.name, tensor.extentDim, tensor.extentOutput, tensor.shape.size(),
                      entry.outputs.size()));
    const Tensor &extent = entry.outputs[static_cast<size_t>(tensor.extentOutput)];
    if (extent.elementType != "i64" || extent.bytes != 8)
      return invalidInput(
          fmt::format("{} output '{}' is an extent; wanted one i64, got {} bytes of {}", name,
                      extent.name, extent.bytes, extent.elementType));
  }
  return okStatus();
}

/// The tasks of an entry: every value is written once, before it is read.
static Status checkTasks(const Problem &problem, const Entry &entry, const std::string &name) {
  std::vector<char> written(entry.values.size(), 0);
  for (size_t v = 0; v < entry.values.size(); ++v)
    written[v] =
        entry.values[v].kind == ValueKind::Input || entry.values[v].kind == ValueKind::Weight;
  std::unordered_set<int32_t> ids;
  for (const Task &task : entry.tasks) {
    auto wrong = [&](const std::string &what) {
      return invalidInput(fmt::format("{} task {} ({}) {}", name, task.id, task.name, what));
    };
    if (!ids.insert(task.id).second)
      return wrong("has the id of an earlier task");
    if (!inRange(task.kernel, problem.kernels))
      return wrong(fmt::format("uses kernel {} of {}", task.kernel, problem.kernels.size()));
    const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
    if (task.values.size() != kernel.operands.size())
      return wrong(fmt::format("has {} operands, its kernel '{}' has {}", task.values.size(),
                               kernel.name, kernel.operands.size()));
    for (size_t o = 0; o < task.values.size(); ++o) {
      int32_t v = task.values[o];
      if (!inRange(v, entry.values))
        return wrong(fmt::format("has value {} of {} as operand {}", v, entry.values.size(), o));
      if (kernel.operands[o] == Access::Read && !written[static_cast<size_t>(v)])
        return wrong(fmt::format("reads value {} before a task wrote it", v));
      const Value &value = entry.values[static_cast<size_t>(v)];
      if (value.kind == ValueKind::Input && entry.inputs[static_cast<size_t>(value.index)].value)
        return wrong(fmt::format("reads value {}, an input with a known value", v));
    }
    for (size_t o = 0; o < task.values.size(); ++o) {
      if (kernel.operands[o] != Access::Write)
        continue;
      auto v = static_cast<size_t>(task.values[o]);
      ValueKind kind = entry.values[v].kind;
      if (kind == ValueKind::Input || kind == ValueKind::Weight)
        return wrong(fmt::format("writes value {}, which is {}", v,
                                 kind == ValueKind::Input ? "an input" : "a weight"));
      if (written[v])
        return wrong(fmt::format("writes value {}, which has been written already", v));
      written[v] = 1;
    }
  }
  for (size_t v = 0; v < written.size(); ++v)
    if (!written[v])
      return invalidInput(fmt::format("{} value {} has no writer", name, v));
  return okStatus();
}

Status check(const Problem &problem) {
  if (problem.device.granules < 1 || problem.device.granules > 64)
    return invalidInput(fmt::format("device '{}' has {} granules; wanted 1 to 64",
                                    problem.device.target, problem.device.granules));
  for (const Kernel &kernel : problem.kernels)
    MTC_RETURN_IF_ERROR(checkKernel(kernel));
  for (size_t b = 0; b < problem.bodies.size(); ++b) {
    const Entry &graph = problem.bodies[b].graph;
    std::string name = fmt::format("body '{}'", graph.name);
    MTC_RETURN_IF_ERROR(checkValues(graph, name));
    MTC_RETURN_IF_ERROR(checkTasks(problem, graph, name));
    MTC_RETURN_IF_ERROR(checkBody(problem, static_cast<int32_t>(b)));
  }
  for (const Kernel &kernel : problem.kernels)
    if (kernel.region)
      MTC_RETURN_IF_ERROR(checkRegion(problem, kernel));
  for (const Entry &entry : problem.entries) {
    if (!inRange(entry.tenant, problem.tenants))
      return invalidInput(fmt::format("entry '{}' belongs to tenant {} of {}", entry.name,
                                      entry.tenant, problem.tenants.size()));
    std::string name = entryName(problem, entry);
    MTC_RETURN_IF_ERROR(checkValues(entry, name));
    MTC_RETURN_IF_ERROR(checkTasks(problem, entry, name));
    for (const Task &task : entry.tasks)
      if (const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)]; kernel.region)
        if (Status status = checkRegionTask(problem, kernel, entry, task); !status.ok())
          return status.withContext(name);
  }
  return okStatus();
}

} // namespace mtc
