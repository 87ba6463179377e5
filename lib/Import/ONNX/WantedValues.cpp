//===- WantedValues.cpp - inputs whose values would make a node static ----===//
//
// A node that cannot be compiled because a shape or an axis is not known says for which of its
// inputs it was asked. From there back to the inputs of the graph: what is computed from a large
// tensor is data, and no value that a user could give would help.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include "llvm/ADT/STLExtras.h"

namespace mtc::onnx_import {

/// Shapes, axes and limits are scalars and short vectors (regions of interest have two dims).
static bool couldBeKnown(const BoundInput &input) {
  constexpr int64_t maxWantedElements = 256;
  return input.dims.size() <= 2 && countElements(input.dims, maxWantedElements);
}

std::vector<std::string> ResolvedEntry::wantedValues(const ResolvedNode &node) const {
  std::unordered_map<std::string, const onnx::NodeProto *> producers;
  for (const ResolvedNode &other : nodes)
    for (const std::string &output : other.node->output())
      producers.emplace(output, other.node);

  std::vector<std::string> stack, wanted;
  for (int i : node.wanted)
    if (i < node.node->input_size())
      stack.push_back(node.node->input(i));
  std::set<std::string> seen;
  while (!stack.empty()) {
    std::string value = std::move(stack.back());
    stack.pop_back();
    if (value.empty() || constants.count(value) || !seen.insert(value).second)
      continue;
    if (auto producer = producers.find(value); producer != producers.end()) {
      // These read the type alone.
      if (producer->second->op_type() != "Shape" && producer->second->op_type() != "Size")
        stack.insert(stack.end(), producer->second->input().begin(),
                     producer->second->input().end());
      continue;
    }
    auto input = llvm::find_if(inputs, [&](const BoundInput &i) { return i.name == value; });
    if (input == inputs.end() || !couldBeKnown(*input))
      return {};
    wanted.push_back(value);
  }
  llvm::sort(wanted);
  return wanted;
}

} // namespace mtc::onnx_import
