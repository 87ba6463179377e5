//===- Canonicalize.cpp - one opset, no local functions -------------------===//
//
// libonnx inlines and converts; the order and the checks around it are ours, since (onnx 1.23.2)
// - ConvertVersion silently drops model-local functions: inline first;
// - 2 KB of nested functions expand without end: count the nodes before;
// - it throws on sparse tensors and on operators without a schema: look for them before, and hide
//   the latter in a domain that it passes over, so that they are reported with all others.
//
//===----------------------------------------------------------------------===//
#include "Canonicalize.h"

#include "llvm/ADT/Twine.h"

#include <onnx/defs/schema.h>
#include <onnx/inliner/inliner.h>
#include <onnx/version_converter/convert.h>

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

bool hasSparse(onnx::ModelProto &model, std::string &where) {
  if (model.graph().sparse_initializer_size())
    where = model.graph().sparse_initializer(0).values().name();
  bool found = model.graph().sparse_initializer_size() != 0;
  forEachNode(*model.mutable_graph()->mutable_node(), [&](onnx::NodeProto &node) {
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (!attribute.has_sparse_tensor() && !attribute.sparse_tensors_size() &&
          !attribute.g().sparse_initializer_size())
        continue;
      found = true;
      where = node.name();
    }
  });
  return found;
}

Status failed(const std::string &action, const std::exception &e) {
  return invalidInput("cannot " + action + ": " + firstLine(e));
}

} // namespace

StatusOr<Opsets> canonicalize(onnx::ModelProto &model, const ImportLimits &limits) {
  Opsets opsets;
  for (onnx::OperatorSetIdProto &import : *model.mutable_opset_import()) {
    import.set_domain(defaultDomain(import.domain()));
    opsets.original[import.domain()] = import.version();
  }
  if (opsets.original.empty())
    return invalidInput("not an ONNX model, or cut short: it imports no opset");
  opsets.canonical = opsets.original;
  std::string where;
  if (hasSparse(model, where))
    return unsupported("'" + where + "' is a sparse tensor, which is not supported");

  if (model.functions_size()) {
    MTC_RETURN_IF_ERROR(checkFunctions(model, limits));
    try {
      onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/true);
    } catch (const std::exception &e) {
      return failed("inline its local functions", e);
    }
  }

  auto current = opsets.original.find("");
  if (current == opsets.original.end())
    return opsets;
  int64_t version = current->second;
  if (version < 1 || version > canonicalOpset)
    return invalidInput(
        ("uses opset " + Twine(version) + ", known are 1 to " + Twine(canonicalOpset)).str());
  std::set<std::string> domains;
  Status status;
  forEachNode(*model.mutable_graph()->mutable_node(), [&](onnx::NodeProto &node) {
    node.set_domain(defaultDomain(node.domain()));
    if (node.domain().empty()) {
      if (const auto *schema =
              onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(version), ""))
        status = status.ok() ? checkNode(node, *schema, limits) : status;
      else
        node.set_domain(unknownDomain);
    }
    domains.insert(node.domain());
  });
  MTC_RETURN_IF_ERROR(status);
  // libonnx cannot infer past a node whose domain is not imported.
  for (const std::string &domain : domains)
    if (!opsets.original.count(domain)) {
      onnx::OperatorSetIdProto &import = *model.add_opset_import();
      import.set_domain(domain);
      import.set_version(1);
    }
  if (version != canonicalOpset) {
    // It knows types of tensors only, and drops the batch dimension of a Scan's inputs.
    auto inputs = model.graph().input();
    try {
      model = onnx::version_conversion::ConvertVersion(model, canonicalOpset);
    } catch (const std::exception &e) {
      return failed("convert from opset " + std::to_string(version) + " to " +
                        std::to_string(canonicalOpset),
                    e);
    }
    *model.mutable_graph()->mutable_input() = std::move(inputs);
  }
  if (version == 8)
    forEachNode(*model.mutable_graph()->mutable_node(), [](onnx::NodeProto &node) {
      if (node.op_type() == "Scan" && node.domain().empty())
        node.set_domain(batchedScanDomain);
    });
  opsets.canonical[""] = canonicalOpset;
  return opsets;
}

} // namespace mtc::onnx_import
