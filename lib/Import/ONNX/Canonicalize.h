//===- Canonicalize.h - what the way to one opset looks at ----------------===//
#pragma once

#include "Steps.h"

namespace mtc::onnx_import {

/// "" for both names of ONNX's own domain.
inline std::string defaultDomain(const std::string &domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

/// What libonnx says, without the place in its source of a failed assertion.
std::string firstLine(const std::exception &e);

/// Calls `visit` for every graph's nodes in `nodes`, also in subgraphs; depth is bounded by the
/// reader.
template <typename Nodes, typename Visit> void forEachNode(Nodes &nodes, Visit visit) {
  for (auto &node : nodes) {
    visit(node);
    for (auto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        forEachNode(*attribute.mutable_g()->mutable_node(), visit);
      for (auto &graph : *attribute.mutable_graphs())
        forEachNode(*graph.mutable_node(), visit);
    }
  }
}

/// libonnx's conversion takes for granted that nodes fit their schemas.
/// Fails if this one does not (InvalidInput, with its name).
Status checkNode(const onnx::NodeProto &node, const onnx::OpSchema &schema,
                 const ImportLimits &limits);

/// Whether libonnx can inline the model's local functions.
/// Fails if one is defined twice, their nodes do not fit the schemas of their opset, a call's
/// attributes have other types than the body says, or what they expand to passes a cap
/// (InvalidInput). Complexity: linear in the nodes of the graph and of the functions.
Status checkFunctions(onnx::ModelProto &model, const ImportLimits &limits);

} // namespace mtc::onnx_import
