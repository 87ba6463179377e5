//===- ResolveFunctions.cpp - an operator's function body in its place ----===//
#include "ContribFunctions.h"
#include "Resolver.h"

#include <onnx/shape_inference/implementation.h>

namespace mtc::onnx_import {

/// The function body of an operator for calls like this one; null if it has none for these types.
const onnx::FunctionProto *Resolver::bodyOf(const onnx::NodeProto &node,
                                            const onnx::OpSchema &schema) {
  std::vector<onnx::TypeProto> types;
  std::string key = node.op_type();
  for (const std::string &input : node.input()) {
    auto it = entry->types.find(input);
    types.push_back(it == entry->types.end() ? onnx::TypeProto() : *it->second);
    key += '\n' + types.back().SerializeAsString();
  }
  for (const onnx::AttributeProto &attribute : node.attribute())
    key += '\n' + attribute.SerializeAsString();
  for (const std::string &output : node.output())
    key += output.empty() ? '0' : '1';
  auto [it, isNew] = bodies.try_emplace(key);
  if (!isNew)
    return it->second.get();

  std::map<std::string, onnx::AttributeProto> defaults;
  for (const auto &[name, attribute] : schema.attributes())
    if (!attribute.default_value.name().empty())
      defaults[name] = attribute.default_value;
  try {
    // A body speaks the opset it was written for.
    int version = 0;
    auto body = std::make_unique<onnx::FunctionProto>();
    if (const onnx::FunctionProto *fixed = schema.GetFunction(canonicalOpset)) {
      *body = *fixed;
      for (const onnx::OperatorSetIdProto &import : fixed->opset_import())
        if (import.domain().empty())
          version = static_cast<int>(import.version());
    } else {
      for (int v : schema.context_dependent_function_opset_versions())
        if (v <= canonicalOpset)
          version = std::max(version, v);
      onnx::FunctionBodyBuildContextImpl context(node, types);
      if (version == 0 || !schema.BuildContextDependentFunction(context, *body, version))
        return nullptr;
      if (!schema.domain().empty())
        version = canonicalOpset; // its own version says nothing of the body's
    }
    specialize(*body, defaults, node, types, version);
    it->second = std::move(body);
  } catch (const std::exception &) {
    // No body for these types, or one that cannot be converted.
  }
  return it->second.get();
}

/// Puts the function body of an operator without a handler in its place.
bool Resolver::expand(const Pending &pending, const onnx::OpSchema &schema) {
  const onnx::FunctionProto *body = bodyOf(*pending.node, schema);
  if (body)
    push(instantiate(*body, *pending.node, "fn" + std::to_string(++budget.expansions) + "."),
         pending.depth + 1);
  return body != nullptr;
}

/// Puts standard operators in place of one of onnxruntime's.
bool Resolver::expandContrib(const Pending &pending, const std::string &domain,
                             ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  ContribCall call{node,
                   [&](int i) {
                     auto known =
                         i < node.input_size() ? entry->staticDims(node.input(i)) : std::nullopt;
                     return known ? *known : llvm::SmallVector<int64_t>();
                   },
                   node.input_size() ? entry->typeOf(node.input(0)) : 0,
                   {}};
  std::optional<onnx::FunctionProto> body = contribFunction(call, domain);
  if (!body) {
    result.problem = call.problem;
    return false;
  }
  specialize(*body, {}, node, {}, canonicalOpset);
  push(instantiate(*body, node, "fn" + std::to_string(++budget.expansions) + "."), pending.depth + 1);
  return true;
}

} // namespace mtc::onnx_import
