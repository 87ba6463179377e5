//===- ExpandNode.cpp - a function's body or a subgraph in place of a node ===//
//
// libonnx's inliner wants a whole model and infers all its types again for every call; with the
// call's static types at hand a copy and a renaming are enough.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include <onnx/version_converter/convert.h>

namespace mtc::onnx_import {
namespace {

using Names = std::map<std::string, std::string>;

/// Depth: nested graphs, bounded by the reader.
void renameNode(onnx::NodeProto &node, const Names &names) {
  auto rename = [&](std::string &name) {
    if (auto it = names.find(name); it != names.end() && !name.empty())
      name = it->second;
  };
  for (std::string &name : *node.mutable_input())
    rename(name);
  for (std::string &name : *node.mutable_output())
    rename(name);
  auto renameGraph = [&](onnx::GraphProto &graph) {
    for (auto &value : *graph.mutable_input())
      rename(*value.mutable_name());
    for (auto &value : *graph.mutable_output())
      rename(*value.mutable_name());
    for (auto &tensor : *graph.mutable_initializer())
      rename(*tensor.mutable_name());
    for (auto &inner : *graph.mutable_node())
      renameNode(inner, names);
  };
  for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
    if (attribute.has_g())
      renameGraph(*attribute.mutable_g());
    for (onnx::GraphProto &graph : *attribute.mutable_graphs())
      renameGraph(graph);
  }
}

/// Replaces references to the function's attributes by what the call gives, the default, or
/// nothing.
void bindAttributes(onnx::NodeProto &node,
                    const std::map<std::string, onnx::AttributeProto> &values) {
  auto *attributes = node.mutable_attribute();
  for (int i = attributes->size() - 1; i >= 0; --i) {
    onnx::AttributeProto &attribute = *attributes->Mutable(i);
    if (!attribute.ref_attr_name().empty()) {
      auto it = values.find(attribute.ref_attr_name());
      if (it == values.end()) {
        attributes->DeleteSubrange(i, 1);
        continue;
      }
      std::string name = attribute.name();
      attribute = it->second;
      attribute.set_name(name);
      continue;
    }
    auto bindGraph = [&](onnx::GraphProto &graph) {
      for (onnx::NodeProto &inner : *graph.mutable_node())
        bindAttributes(inner, values);
    };
    if (attribute.has_g())
      bindGraph(*attribute.mutable_g());
    for (onnx::GraphProto &graph : *attribute.mutable_graphs())
      bindGraph(graph);
  }
}

/// A name for messages and locations: the call's and the place in it.
std::string innerName(const std::string &outer, const onnx::NodeProto &inner, int index) {
  return outer + "/" +
         (inner.name().empty() ? inner.op_type() + "_" + std::to_string(index) : inner.name());
}

onnx::NodeProto constantNode(const onnx::TensorProto &tensor, const std::string &output) {
  onnx::NodeProto constant;
  constant.set_op_type("Constant");
  constant.set_name(tensor.name());
  constant.add_output(output);
  onnx::AttributeProto &value = *constant.add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  *value.mutable_t() = tensor;
  return constant;
}

} // namespace

std::string nameOf(const onnx::NodeProto &node) {
  return !node.name().empty() || !node.output_size() ? node.name() : node.output(0);
}

void specialize(onnx::FunctionProto &function,
                const std::map<std::string, onnx::AttributeProto> &defaults,
                const onnx::NodeProto &call, llvm::ArrayRef<onnx::TypeProto> inputTypes,
                int version) {
  std::map<std::string, onnx::AttributeProto> values = defaults;
  for (const onnx::AttributeProto &attribute : function.attribute_proto())
    values[attribute.name()] = attribute;
  for (const onnx::AttributeProto &attribute : call.attribute())
    values[attribute.name()] = attribute;
  Names absent;
  for (int i = 0; i < function.input_size(); ++i)
    if (i >= call.input_size() || call.input(i).empty())
      absent[function.input(i)] = "";
  for (onnx::NodeProto &node : *function.mutable_node()) {
    bindAttributes(node, values);
    renameNode(node, absent);
  }
  if (version == canonicalOpset)
    return;

  onnx::ModelProto model;
  model.set_ir_version(onnx::IR_VERSION);
  model.add_opset_import()->set_version(version);
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("function");
  for (int i = 0; i < function.input_size(); ++i) {
    if (absent.count(function.input(i)))
      continue;
    onnx::ValueInfoProto &input = *graph.add_input();
    input.set_name(function.input(i));
    *input.mutable_type() = inputTypes[i];
  }
  *graph.mutable_node() = function.node();
  for (int i = 0; i < function.output_size() && i < call.output_size(); ++i)
    graph.add_output()->set_name(function.output(i));
  model = onnx::version_conversion::ConvertVersion(model, canonicalOpset);
  function.clear_node();
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    *function.add_node() = constantNode(tensor, tensor.name());
  for (const onnx::NodeProto &node : model.graph().node())
    *function.add_node() = node;
}

std::vector<onnx::NodeProto> instantiate(const onnx::FunctionProto &function,
                                         const onnx::NodeProto &call, const std::string &prefix) {
  Names names;
  for (const onnx::NodeProto &node : function.node())
    for (const std::string &output : node.output())
      if (!output.empty())
        names[output] = prefix + output;
  for (int i = 0; i < function.input_size() && i < call.input_size(); ++i)
    names[function.input(i)] = call.input(i);
  for (int i = 0; i < function.output_size() && i < call.output_size(); ++i)
    if (!call.output(i).empty())
      names[function.output(i)] = call.output(i);

  std::vector<onnx::NodeProto> nodes;
  for (const onnx::NodeProto &node : function.node()) {
    onnx::NodeProto &copy = nodes.emplace_back(node);
    copy.set_name(innerName(nameOf(call), node, static_cast<int>(nodes.size()) - 1));
    renameNode(copy, names);
  }
  return nodes;
}

std::vector<onnx::NodeProto> constantsOf(const onnx::GraphProto &graph, const std::string &prefix) {
  std::vector<onnx::NodeProto> nodes;
  for (const onnx::TensorProto &tensor : graph.initializer())
    nodes.push_back(constantNode(tensor, prefix + tensor.name()));
  return nodes;
}

InlinedGraph inlineGraph(const onnx::GraphProto &graph, llvm::ArrayRef<std::string> actuals,
                         const std::string &name, const std::string &prefix,
                         const std::string &constantPrefix) {
  Names names;
  for (const onnx::TensorProto &tensor : graph.initializer())
    names[tensor.name()] = constantPrefix + tensor.name();
  for (const onnx::NodeProto &inner : graph.node())
    for (const std::string &output : inner.output())
      if (!output.empty())
        names[output] = prefix + output;
  for (size_t i = 0; i < actuals.size(); ++i)
    names[graph.input(static_cast<int>(i)).name()] = actuals[i];
  InlinedGraph inlined;
  int index = 0;
  for (const onnx::NodeProto &inner : graph.node()) {
    onnx::NodeProto &copy = inlined.nodes.emplace_back(inner);
    copy.set_name(innerName(name, inner, index++));
    renameNode(copy, names);
  }
  for (const onnx::ValueInfoProto &output : graph.output()) {
    auto it = names.find(output.name());
    inlined.results.push_back(it == names.end() ? output.name() : it->second);
  }
  return inlined;
}

} // namespace mtc::onnx_import
