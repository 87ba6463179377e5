//===- CheckFunctions.cpp - local functions before they are inlined -------===//
//
// libonnx (1.23.2) takes a lot for granted: 2 KB of nested functions expand without end, attributes
// are bound whatever their type, bodies are converted as if their nodes were valid.
//
//===----------------------------------------------------------------------===//
#include "Canonicalize.h"

#include "llvm/ADT/Twine.h"

#include <onnx/defs/schema.h>

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

class FunctionChecker {
public:
  explicit FunctionChecker(const ImportLimits &limits) : limits(limits) {}
  Status check(onnx::ModelProto &model);

private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  struct Callee {
    onnx::FunctionProto *function;
    int64_t nodes = -1; ///< that inlining it would give; -1: not counted yet
  };
  static std::string key(const std::string &domain, const std::string &name,
                         const std::string &overload) {
    return defaultDomain(domain) + '\0' + name + '\0' + overload;
  }
  Callee *calleeOf(const onnx::NodeProto &node) {
    auto it = callees.find(key(node.domain(), node.op_type(), node.overload()));
    return it == callees.end() ? nullptr : &it->second;
  }
  StatusOr<int64_t> count(Nodes &nodes, int depth);
  Status checkBody(onnx::FunctionProto &function);
  Status checkCalls(Nodes &nodes);

  const ImportLimits &limits;
  std::map<std::string, Callee> callees;
};

/// The nodes that inlining all local functions would give, on the call graph.
StatusOr<int64_t> FunctionChecker::count(Nodes &nodes, int depth) {
  if (depth > limits.maxNesting)
    return invalidInput(
        ("local functions call each other deeper than " + Twine(limits.maxNesting)).str());
  int64_t total = 0;
  Status status;
  forEachNode(nodes, [&](onnx::NodeProto &node) {
    if (!status.ok() || total > limits.maxNodes)
      return;
    Callee *callee = calleeOf(node);
    if (callee && callee->nodes < 0) {
      auto inner = count(*callee->function->mutable_node(), depth + 1);
      if (!inner.ok()) {
        status = inner.status();
        return;
      }
      callee->nodes = *inner;
    }
    total += callee ? callee->nodes + 1 : 1;
  });
  MTC_RETURN_IF_ERROR(status);
  if (total > limits.maxNodes)
    return invalidInput(
        ("has more than " + Twine(limits.maxNodes) + " nodes once its local functions are expanded")
            .str());
  return total;
}

/// A body's nodes fit the schemas of the function's own opset.
Status FunctionChecker::checkBody(onnx::FunctionProto &function) {
  int64_t version = 0;
  for (const onnx::OperatorSetIdProto &import : function.opset_import())
    if (defaultDomain(import.domain()).empty())
      version = import.version();
  Status status;
  forEachNode(*function.mutable_node(), [&](onnx::NodeProto &node) {
    const onnx::OpSchema *schema =
        status.ok() && version > 0 && version <= canonicalOpset &&
                defaultDomain(node.domain()).empty()
            ? onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(version), "")
            : nullptr;
    if (schema)
      status = checkNode(node, *schema, limits);
  });
  return status.ok() ? status : status.withContext("function '" + function.name() + "'");
}

/// A call's attributes have the types that the body's references to them say.
Status checkCall(const onnx::NodeProto &call, onnx::FunctionProto &function) {
  std::map<std::string, int> types;
  for (const onnx::AttributeProto &attribute : function.attribute_proto())
    types[attribute.name()] = attribute.type();
  for (const onnx::AttributeProto &attribute : call.attribute())
    types[attribute.name()] = attribute.type();
  Status status;
  forEachNode(*function.mutable_node(), [&](onnx::NodeProto &node) {
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      auto bound = types.find(attribute.ref_attr_name());
      if (status.ok() && !attribute.ref_attr_name().empty() && bound != types.end() &&
          bound->second != attribute.type())
        status =
            invalidInput("node '" + call.name() + "': attribute '" + bound->first +
                         "' is not of the type that function '" + function.name() + "' uses it as");
    }
  });
  return status;
}

Status FunctionChecker::checkCalls(Nodes &nodes) {
  Status status;
  forEachNode(nodes, [&](onnx::NodeProto &call) {
    if (Callee *callee = status.ok() ? calleeOf(call) : nullptr)
      status = checkCall(call, *callee->function);
  });
  return status;
}

Status FunctionChecker::check(onnx::ModelProto &model) {
  for (onnx::FunctionProto &function : *model.mutable_functions())
    if (!callees
             .emplace(key(function.domain(), function.name(), function.overload()),
                      Callee{&function})
             .second)
      return invalidInput("function '" + function.name() + "' of domain '" + function.domain() +
                          "' is defined twice");
  Nodes &nodes = *model.mutable_graph()->mutable_node();
  MTC_RETURN_IF_ERROR(count(nodes, 0).status());
  MTC_RETURN_IF_ERROR(checkCalls(nodes));
  for (onnx::FunctionProto &function : *model.mutable_functions()) {
    MTC_RETURN_IF_ERROR(checkCalls(*function.mutable_node()));
    MTC_RETURN_IF_ERROR(checkBody(function));
  }
  return okStatus();
}

} // namespace

std::string firstLine(const std::exception &e) {
  auto [text, rest] = llvm::StringRef(e.what()).split('\n');
  auto [place, words] = text.split("` failed: ");
  return (words.empty() ? text : words).str();
}

Status checkNode(const onnx::NodeProto &node, const onnx::OpSchema &schema,
                 const ImportLimits &limits) {
  std::string problem = checkAttributes(node, limits);
  try {
    schema.Verify(node);
  } catch (const std::exception &e) {
    problem = firstLine(e);
  }
  if (problem.empty())
    return okStatus();
  const std::string &name =
      node.name().empty() && node.output_size() ? node.output(0) : node.name();
  return invalidInput("node '" + name + "': " + problem);
}

Status checkFunctions(onnx::ModelProto &model, const ImportLimits &limits) {
  return FunctionChecker(limits).check(model);
}

} // namespace mtc::onnx_import
