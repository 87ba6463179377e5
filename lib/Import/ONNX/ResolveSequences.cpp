//===- ResolveSequences.cpp - sequences and optionals, known when compiling ===//
//
// There are no sequences at run time: a sequence is the list of the tensors in it, an optional
// either what it holds or nothing, and operators on them only say which tensor is which.
//
//===----------------------------------------------------------------------===//
#include "Fold.h"
#include "Resolver.h"

#include "llvm/ADT/STLExtras.h"

using llvm::Twine;

namespace mtc::onnx_import {
const std::string *Resolver::intern(const std::string &name) { return &*names.insert(name).first; }

Status Resolver::setSequence(const ResolvedNode &node, const std::string &value, Items items) {
  // Each operator copies its list, so that the sum bounds time and memory.
  budget.sequenceItems += static_cast<int64_t>(items.size());
  if (budget.sequenceItems > limits.maxNodes)
    return error(node, "its sequence grows too long: all sequences together have more than " +
                           Twine(limits.maxNodes) + " elements");
  sequences[value] = std::move(items);
  return okStatus();
}

StatusOr<std::optional<int64_t>> Resolver::positionIn(const ResolvedNode &result, int input,
                                                      int64_t otherwise, int64_t last) {
  const onnx::NodeProto &node = *result.node;
  if (input >= node.input_size() || node.input(input).empty())
    return std::optional<int64_t>(otherwise);
  const std::optional<SmallTensor> &value = smallConstant(node.input(input));
  if (!value || value->ints.size() != 1)
    return std::optional<int64_t>();
  int64_t position = value->ints[0], size = static_cast<int64_t>(sequences[node.input(0)].size());
  if (position < -size || position > last)
    return error(result, "position " + Twine(position) + " of a sequence of " + Twine(size));
  return std::optional<int64_t>(position < 0 ? position + size : position);
}

/// SequenceAt: by a position known only at run time if all elements are of one shape.
StatusOr<bool> Resolver::resolveSequenceAt(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  const Items &items = sequences[node.input(0)];
  MTC_ASSIGN_OR_RETURN(auto position,
                       positionIn(result, 1, 0, static_cast<int64_t>(items.size()) - 1));
  if (position) {
    push({makeNode("Identity", node.name(), {*items[*position]}, {node.output(0)})}, pending.depth);
    return true;
  }
  for (const std::string *item : items) {
    auto dims = entry->staticDims(*item);
    if (!dims)
      return false;
    if (*dims != *entry->staticDims(*items[0])) {
      result.problem = "its position is known only at run time and the elements differ in shape";
      result.wanted = {1};
    }
  }
  if (items.empty())
    result.problem = "its sequence is empty";
  if (!result.problem.empty())
    return false;
  std::string all = "seq" + std::to_string(++budget.expansions);
  onnx::NodeProto stack = makeNode("ConcatFromSequence", node.name(), {node.input(0)}, {all});
  setInt(stack, "axis", 0);
  setInt(stack, "new_axis", 1);
  onnx::NodeProto gather = makeNode("Gather", node.name(), {all, node.input(1)}, {node.output(0)});
  push({stack, gather}, pending.depth + 1);
  return true;
}

StatusOr<bool> Resolver::resolveSplitToSequence(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  auto dims = entry->staticDims(node.input(0));
  if (!dims)
    return false;
  int64_t rank = static_cast<int64_t>(dims->size()), axis = fold::intAttribute(node, "axis", 0);
  if (axis < -rank || axis >= rank)
    return error(result, "axis " + Twine(axis) + " of a tensor of rank " + Twine(rank));
  int64_t length = (*dims)[axis < 0 ? axis + rank : axis];
  bool hasSizes = node.input_size() > 1 && !node.input(1).empty();
  std::vector<int64_t> sizes;
  int64_t each = 1;
  if (hasSizes) {
    const std::optional<SmallTensor> &given = smallConstant(node.input(1));
    if (!given) {
      result.problem = "the sizes of its parts are known only at run time";
      result.wanted = {1};
      return false;
    }
    if (given->dims.empty())
      each = given->ints[0];
    else
      sizes = given->ints;
    if (each < 1)
      return error(result, "parts of size " + Twine(each));
  }
  if (sizes.empty())
    for (int64_t at = 0; at < length; at += each) {
      if (static_cast<int64_t>(sizes.size()) == limits.maxUnrolledNodes) {
        result.problem = "it has more than " + std::to_string(sizes.size()) + " parts";
        return false;
      }
      sizes.push_back(std::min(each, length - at));
    }
  std::string prefix = "seq" + std::to_string(++budget.expansions) + ".";
  bool squeeze = !hasSizes && fold::intAttribute(node, "keepdims", 1) == 0;
  std::vector<std::string> parts;
  std::vector<onnx::NodeProto> nodes(1);
  Items items;
  std::string axes = defineInts(prefix + "axes", {axis});
  for (size_t i = 0; i < sizes.size(); ++i) {
    parts.push_back(prefix + std::to_string(i));
    items.push_back(intern(squeeze ? parts[i] + ".squeezed" : parts[i]));
    if (squeeze)
      nodes.push_back(makeNode("Squeeze", node.name(), {parts[i], axes}, {*items[i]}));
  }
  nodes[0] =
      makeNode("Split", node.name(), {node.input(0), defineInts(prefix + "sizes", sizes)}, parts);
  setInt(nodes[0], "axis", axis);
  MTC_RETURN_IF_ERROR(setSequence(result, node.output(0), std::move(items)));
  defined.insert(node.output(0));
  push(std::move(nodes), pending.depth + 1);
  return true;
}

StatusOr<bool> Resolver::resolveConcatFromSequence(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  const Items &items = sequences[node.input(0)];
  if (items.empty())
    return error(result, "its sequence is empty");
  int64_t axis = fold::intAttribute(node, "axis", 0);
  std::string prefix = "seq" + std::to_string(++budget.expansions) + ".";
  std::vector<onnx::NodeProto> nodes;
  std::vector<std::string> parts;
  for (const std::string *item : items) {
    parts.push_back(*item);
    if (fold::intAttribute(node, "new_axis", 0) == 0)
      continue;
    parts.back() = prefix + std::to_string(parts.size());
    nodes.push_back(makeNode("Unsqueeze", node.name(), {*item, defineInts(prefix + "axes", {axis})},
                             {parts.back()}));
  }
  nodes.push_back(makeNode("Concat", node.name(), parts, {node.output(0)}));
  setInt(nodes.back(), "axis", axis);
  push(std::move(nodes), pending.depth + 1);
  return true;
}

/// SequenceMap: a copy of its body for each element.
StatusOr<bool> Resolver::resolveSequenceMap(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  const onnx::GraphProto &body = fold::attribute(node, "body")->g();
  if (body.input_size() != node.input_size() || body.output_size() < node.output_size())
    return error(result, "has " + Twine(node.input_size()) + " inputs and " +
                             Twine(node.output_size()) + " outputs, its body " +
                             Twine(body.input_size()) + " and " + Twine(body.output_size()));
  std::string prefix = "map" + std::to_string(++budget.expansions) + ".";
  std::vector<onnx::NodeProto> nodes = constantsOf(body, prefix);
  std::vector<Items> outputs(node.output_size());
  size_t length = sequences[node.input(0)].size();
  for (size_t i = 0; i < length; ++i) {
    budget.unrolledNodes += std::max(body.node_size(), 1);
    if (budget.unrolledNodes > limits.maxUnrolledNodes) {
      result.problem =
          "its iterations are more than " + std::to_string(limits.maxUnrolledNodes) + " nodes";
      return false;
    }
    std::vector<std::string> actuals;
    for (const std::string &input : node.input()) {
      auto sequence = sequences.find(input);
      if (sequence != sequences.end() && sequence->second.size() != length)
        return error(result, "its sequence '" + input + "' has " + Twine(sequence->second.size()) +
                                 " elements, the first one " + Twine(length));
      actuals.push_back(sequence == sequences.end() ? input : *sequence->second[i]);
    }
    std::string each = std::to_string(i);
    InlinedGraph inlined =
        inlineGraph(body, actuals, result.name + "[" + each + "]", prefix + each + ".", prefix);
    llvm::append_range(nodes, inlined.nodes);
    for (size_t o = 0; o < outputs.size(); ++o)
      outputs[o].push_back(intern(inlined.results[o]));
  }
  for (size_t o = 0; o < outputs.size(); ++o) {
    const std::string &output = node.output(static_cast<int>(o));
    MTC_RETURN_IF_ERROR(setSequence(result, output, std::move(outputs[o])));
    defined.insert(output);
  }
  push(std::move(nodes), pending.depth + 1);
  return true;
}

StatusOr<bool> Resolver::resolveOptional(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  const std::string &op = node.op_type();
  bool isThere = node.input_size() && !node.input(0).empty() && !absent.count(node.input(0));
  if (op == "OptionalHasElement") {
    setConstant(node.output(0), encodeSmall({onnx::TensorProto::BOOL, {}, {isThere}, {}}));
    return true;
  }
  if (op == "OptionalGetElement" && !isThere)
    return error(result, "its optional is empty");
  if (!isThere)
    absent.insert(node.output(0));
  else
    push({makeNode("Identity", node.name(), {node.input(0)}, {node.output(0)})}, pending.depth);
  return true;
}

StatusOr<bool> Resolver::resolveSequence(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  llvm::StringRef op = node.op_type();
  if (op.starts_with("Optional"))
    return resolveOptional(pending, result);
  if (op == "SplitToSequence")
    return resolveSplitToSequence(pending, result);
  auto set = [&](Items items) -> StatusOr<bool> {
    MTC_RETURN_IF_ERROR(setSequence(result, node.output(0), std::move(items)));
    return true;
  };
  if (op == "SequenceEmpty")
    return set({});
  if (op == "SequenceConstruct") {
    Items items;
    for (const std::string &input : node.input())
      items.push_back(intern(input));
    return set(std::move(items));
  }

  auto list = node.input_size() ? sequences.find(node.input(0)) : sequences.end();
  if (op == "Identity") {
    if (list != sequences.end())
      return set(list->second);
    if (!absent.count(node.input(0)))
      return false;
    absent.insert(node.output(0));
    return true;
  }
  bool wantsList = op.starts_with("Sequence") || op == "ConcatFromSequence";
  if (list == sequences.end()) {
    bool isTensor = wantsList && entry->types.count(node.input(0));
    if (isTensor || (wantsList && absent.count(node.input(0))))
      return error(result, "its input '" + node.input(0) + "' is not a sequence");
    return false;
  }
  int64_t size = static_cast<int64_t>(list->second.size());
  if (op == "SequenceLength") {
    setConstant(node.output(0), encodeSmall({onnx::TensorProto::INT64, {}, {size}, {}}));
    return true;
  }
  if (op == "SequenceAt")
    return resolveSequenceAt(pending, result);
  if (op == "ConcatFromSequence")
    return resolveConcatFromSequence(pending, result);
  if (op == "SequenceMap")
    return resolveSequenceMap(pending, result);
  if (op != "SequenceInsert" && op != "SequenceErase")
    return false;
  bool insert = op == "SequenceInsert";
  MTC_ASSIGN_OR_RETURN(auto position, positionIn(result, insert ? 2 : 1, insert ? size : size - 1,
                                                 insert ? size : size - 1));
  if (!position) {
    result.problem = "its position is known only at run time";
    result.wanted = {insert ? 2 : 1};
    return false;
  }
  if (!insert && size == 0)
    return error(result, "its sequence is empty");
  Items items = list->second;
  if (insert)
    items.insert(items.begin() + *position, intern(node.input(1)));
  else
    items.erase(items.begin() + *position);
  return set(std::move(items));
}

/// Says why a node that is given a list, and is none of the operators above, cannot be compiled.
void Resolver::checkLists(ResolvedNode &result) {
  for (const std::string &input : result.node->input())
    if (result.problem.empty() && !input.empty()) {
      if (sequences.count(input))
        result.problem = "its input '" + input + "' is a sequence";
      else if (absent.count(input))
        result.problem = "its input '" + input + "' is an empty optional";
    }
}

} // namespace mtc::onnx_import
