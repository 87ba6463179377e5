//===- Explain.cpp - what a set of models asks of a device ----------------===//
//
// The numbers are those that the scheduler will see: the phases run as for a bundle, up to the
// kernels' variants, for the first target; nothing is compiled.
//
//===----------------------------------------------------------------------===//
#include "mtc/Pipelines/Explain.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Pipelines/Phases.h"

#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <map>
#include <set>

using namespace mlir;

namespace mtc {
namespace {

/// The element types of every tensor in the model phase, by "tenant.entry", sorted.
std::map<std::string, std::vector<std::string>> elementTypesOf(ModuleOp model) {
  std::map<std::string, std::vector<std::string>> result;
  model->walk([&](mt::EntryOp entry) {
    std::set<std::string> types;
    auto add = [&](Type type) {
      if (auto tensor = dyn_cast<RankedTensorType>(type)) {
        std::string text;
        llvm::raw_string_ostream(text) << tensor.getElementType();
        types.insert(text);
      }
    };
    for (mlir::Value argument : entry.getBody().getArguments())
      add(argument.getType());
    for (Operation &op : entry.getBody().front())
      for (Type type : op.getResultTypes())
        add(type);
    auto tenant = cast<mt::TenantOp>(entry->getParentOp());
    result[(tenant.getSymName() + "." + entry.getSymName()).str()] = {types.begin(), types.end()};
  });
  return result;
}

EntryExplanation explainEntry(const Problem &problem, const Entry &entry, int64_t largest) {
  EntryExplanation result;
  result.tenant = problem.tenants[entry.tenant].name;
  result.entry = entry.name;
  result.inputs = entry.inputs;
  result.outputs = entry.outputs;
  result.tasks = int64_t(entry.tasks.size());
  std::set<int32_t> weights;
  for (const Value &value : entry.values)
    if (value.kind == ValueKind::Weight && weights.insert(value.index).second)
      result.weightBytes += value.bytes;
  for (const Task &task : entry.tasks) {
    const Kernel &kernel = problem.kernels[task.kernel];
    result.flops += kernel.flops;
    result.bytes += kernel.bytes;
    result.largestTasks.push_back({task.id, task.name, kernel.flops, kernel.bytes});
  }
  std::stable_sort(result.largestTasks.begin(), result.largestTasks.end(),
                   [](const TaskExplanation &a, const TaskExplanation &b) {
                     return std::pair(a.flops, a.bytes) > std::pair(b.flops, b.bytes);
                   });
  result.largestTasks.resize(std::min<size_t>(result.largestTasks.size(), size_t(largest)));
  return result;
}

} // namespace

StatusOr<Explanation> explainSet(const ExplainOptions &options) {
  CompileOptions compileOptions;
  compileOptions.set = options.set;
  compileOptions.limits = options.limits;
  MTC_ASSIGN_OR_RETURN(SetSpec set, makeSet(options.set));
  set.targets.resize(1);
  MTC_ASSIGN_OR_RETURN(std::unique_ptr<Compilation> compilation,
                       Compilation::create(std::move(set)));
  MTC_RETURN_IF_ERROR(buildModel(*compilation, compileOptions));
  MTC_RETURN_IF_ERROR(formTasks(*compilation, compileOptions));
  MTC_RETURN_IF_ERROR(tuneKernels(*compilation, compileOptions));
  auto program = *compilation->targets[0].module->getOps<mt::ProgramOp>().begin();
  MTC_ASSIGN_OR_RETURN(mt::ExportedProblem exported,
                       mt::exportProblem(program, mt::deviceOf(program)));

  Explanation explanation;
  std::set<int32_t> weights;
  auto types = elementTypesOf(*compilation->model);
  for (const Entry &entry : exported.problem.entries) {
    EntryExplanation &result =
        explanation.entries.emplace_back(explainEntry(exported.problem, entry, options.largest));
    result.elementTypes = types[result.tenant + "." + result.entry];
    for (const Value &value : entry.values)
      if (value.kind == ValueKind::Weight && weights.insert(value.index).second)
        explanation.weightBytes += value.bytes;
  }
  return explanation;
}

} // namespace mtc
