//===- Explain.h - what a set of models asks of a device ------------------===//
#pragma once

#include "mtc/Pipelines/Compile.h"
#include "mtc/Scheduling/Problem.h"

#include <string>
#include <vector>

namespace mtc {

struct ExplainOptions {
  SetArguments set;
  ModelLimits limits;
  int64_t largest = 5; ///< tasks to list for each entry
};

struct TaskExplanation {
  int32_t id = 0;
  std::string name; ///< ONNX nodes
  int64_t flops = 0, bytes = 0;
};

struct EntryExplanation {
  std::string tenant, entry;
  std::vector<Tensor> inputs, outputs;
  std::vector<std::string> elementTypes; ///< of all values, sorted
  int64_t flops = 0;
  int64_t bytes = 0; ///< read and written by tasks when no operand is cached
  int64_t weightBytes = 0;
  int64_t tasks = 0;
  std::vector<TaskExplanation> largestTasks; ///< by flops, then bytes, descending
};

struct Explanation {
  std::vector<EntryExplanation> entries;
  int64_t weightBytes = 0; ///< of all tenants, equal weights once
};

/// Imports the models and forms their tasks for the first target.
/// Fails as compileSet does: all unsupported nodes and unbound dimensions of all models are in one
/// message.
StatusOr<Explanation> explainSet(const ExplainOptions &options);

} // namespace mtc
