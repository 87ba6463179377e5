//===- ResolveControlFlow.cpp - subgraphs in place of their node ----------===//
#include "Resolver.h"

namespace mtc::onnx_import {

void Resolver::push(std::vector<onnx::NodeProto> nodes, int depth) {
  for (onnx::NodeProto &node : llvm::reverse(nodes)) {
    entry->ownedNodes.push_back(std::move(node));
    stack.push_back({&entry->ownedNodes.back(), depth});
  }
}

/// Puts a branch in place of an If with a constant condition.
bool Resolver::resolveIf(const Pending &pending) {
  const std::optional<SmallTensor> &condition = smallConstant(pending.node->input(0));
  if (!condition || condition->ints.size() != 1)
    return false;
  const char *wanted = condition->ints[0] ? "then_branch" : "else_branch";
  for (const onnx::AttributeProto &attribute : pending.node->attribute())
    if (attribute.name() == wanted)
      push(inlineBranch(attribute.g(), *pending.node, "if" + std::to_string(++expansions) + "."),
           pending.depth + 1);
  return true;
}

} // namespace mtc::onnx_import
