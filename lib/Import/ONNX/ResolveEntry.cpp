//===- ResolveEntry.cpp - one walk that makes every shape static ----------===//
//
// Nodes are in topological order, so when a node is reached, the types of its inputs and the
// constants among them are final: libonnx's inference function of its schema, then our folding,
// then the next node. No repetition over the model and no symbolic dims: inference over the whole
// model would have to be repeated with folding until nothing changes.
//
//===----------------------------------------------------------------------===//
#include "NodeContext.h"
#include "Steps.h"

#include "llvm/ADT/ScopeExit.h"

#include <onnx/defs/schema.h>
#include <onnx/shape_inference/implementation.h>

using llvm::Twine;

namespace mtc::onnx_import {

std::optional<llvm::SmallVector<int64_t>>
ResolvedEntry::staticDims(const std::string &value) const {
  auto it = types.find(value);
  if (it == types.end() || !it->second->has_tensor_type() ||
      !it->second->tensor_type().has_shape() || !it->second->tensor_type().elem_type())
    return std::nullopt;
  llvm::SmallVector<int64_t> dims;
  for (const auto &dim : it->second->tensor_type().shape().dim()) {
    if (!dim.has_dim_value())
      return std::nullopt;
    dims.push_back(dim.dim_value());
  }
  return dims;
}

int32_t ResolvedEntry::typeOf(const std::string &value) const {
  auto it = types.find(value);
  return it == types.end() ? 0 : it->second->tensor_type().elem_type();
}

namespace {

std::string firstLine(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

/// A node on the way to being resolved.
struct Pending {
  const onnx::NodeProto *node;
  int depth; ///< functions and branches it came out of
};

class Resolver {
public:
  Resolver(const ModelFile &file, const Opsets &opsets, const ImportLimits &limits)
      : graph(file.model.graph()), opsets(opsets), limits(limits),
        entry(std::make_unique<ResolvedEntry>()) {}

  StatusOr<std::unique_ptr<ResolvedEntry>> run(std::vector<BoundInput> inputs);

private:
  Status resolve(const Pending &pending);
  Status checkNames(const onnx::NodeProto &node);
  Status resolveKnown(const Pending &pending, ResolvedNode &result, const onnx::OpSchema &schema);
  Status resolveConstant(const onnx::NodeProto &node, ResolvedNode &result);
  bool resolveIf(const Pending &pending);
  const onnx::FunctionProto *bodyOf(const onnx::NodeProto &node, const onnx::OpSchema &schema);
  bool expand(const Pending &pending, const onnx::OpSchema &schema);
  bool foldShapeOf(const onnx::NodeProto &node);
  bool fold(const onnx::NodeProto &node);
  void infer(const onnx::NodeProto &node, const onnx::OpSchema &schema, ResolvedNode &result);
  Status checkOutputs(ResolvedNode &result);
  void push(std::vector<onnx::NodeProto> nodes, int depth);

  void setType(const std::string &value, onnx::TypeProto type);
  void setConstant(const std::string &value, onnx::TensorProto tensor);
  void setConstant(const std::string &value, const onnx::TensorProto *tensor);
  const std::optional<SmallTensor> &smallConstant(const std::string &value);
  void keepLiveNodes();
  Status error(const ResolvedNode &node, const Twine &message) const {
    return invalidInput(("node '" + Twine(node.name) + "': " + message).str());
  }

  const onnx::GraphProto &graph;
  const Opsets &opsets;
  const ImportLimits &limits;
  std::unique_ptr<ResolvedEntry> entry;
  std::vector<Pending> stack; ///< the next node last
  std::set<std::string> defined;
  std::unordered_map<std::string, std::optional<SmallTensor>> decoded;
  std::map<std::string, std::unique_ptr<onnx::FunctionProto>> bodies; ///< by call
  int64_t visited = 0, expansions = 0, foldedBytes = 0;
};

void Resolver::setType(const std::string &value, onnx::TypeProto type) {
  entry->ownedTypes.push_back(std::move(type));
  entry->types[value] = &entry->ownedTypes.back();
}

void Resolver::setConstant(const std::string &value, const onnx::TensorProto *tensor) {
  onnx::TypeProto type;
  type.mutable_tensor_type()->set_elem_type(tensor->data_type());
  auto *shape = type.mutable_tensor_type()->mutable_shape();
  for (int64_t dim : tensor->dims())
    shape->add_dim()->set_dim_value(dim);
  setType(value, std::move(type));
  entry->constants[value] = tensor;
}

void Resolver::setConstant(const std::string &value, onnx::TensorProto tensor) {
  entry->ownedTensors.push_back(std::move(tensor));
  setConstant(value, &entry->ownedTensors.back());
}

const std::optional<SmallTensor> &Resolver::smallConstant(const std::string &value) {
  auto [it, isNew] = decoded.try_emplace(value);
  if (isNew)
    if (auto constant = entry->constants.find(value); constant != entry->constants.end())
      it->second = decodeSmall(*constant->second);
  return it->second;
}

void Resolver::push(std::vector<onnx::NodeProto> nodes, int depth) {
  for (onnx::NodeProto &node : llvm::reverse(nodes)) {
    entry->ownedNodes.push_back(std::move(node));
    stack.push_back({&entry->ownedNodes.back(), depth});
  }
}

Status Resolver::checkNames(const onnx::NodeProto &node) {
  const std::string &name =
      node.name().empty() && node.output_size() ? node.output(0) : node.name();
  for (const std::string &input : node.input())
    if (!input.empty() && !defined.count(input))
      return invalidInput("node '" + name + "': its input '" + input +
                          "' is no input, initializer or result of a node before it");
  for (const std::string &output : node.output())
    if (!output.empty() && defined.count(output))
      return invalidInput("node '" + name + "': its output '" + output + "' is defined twice");
  return okStatus();
}

/// The tensor of a Constant node.
Status Resolver::resolveConstant(const onnx::NodeProto &node, ResolvedNode &result) {
  const onnx::AttributeProto &value =
      node.attribute(0); // the schema's inference checked: exactly one
  SmallTensor small;
  switch (value.type()) {
  case onnx::AttributeProto::TENSOR:
    setConstant(node.output(0), &value.t());
    return okStatus();
  case onnx::AttributeProto::INT:
    small = {onnx::TensorProto::INT64, {}, {value.i()}, {}};
    break;
  case onnx::AttributeProto::INTS:
    small = {onnx::TensorProto::INT64,
             {value.ints_size()},
             {value.ints().begin(), value.ints().end()},
             {}};
    break;
  case onnx::AttributeProto::FLOAT:
    small = {onnx::TensorProto::FLOAT, {}, {}, {value.f()}};
    break;
  case onnx::AttributeProto::FLOATS:
    small = {onnx::TensorProto::FLOAT,
             {value.floats_size()},
             {},
             {value.floats().begin(), value.floats().end()}};
    break;
  default:
    result.problem = "constants of strings are not supported";
    entry->nodes.push_back(result);
    return okStatus();
  }
  setConstant(node.output(0), encodeSmall(small));
  return okStatus();
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
    push(instantiate(*body, *pending.node, "fn" + std::to_string(++expansions) + "."),
         pending.depth + 1);
  return body != nullptr;
}

/// Shape and Size read the type, not the tensor.
bool Resolver::foldShapeOf(const onnx::NodeProto &node) {
  auto dims = entry->staticDims(node.input(0));
  if (!dims)
    return false;
  SmallTensor result{onnx::TensorProto::INT64, {}, {}, {}};
  if (node.op_type() == "Size") {
    result.ints = {*countElements(*dims, INT64_MAX)};
  } else {
    int64_t rank = static_cast<int64_t>(dims->size()), start = 0, end = rank;
    for (const onnx::AttributeProto &attribute : node.attribute())
      (attribute.name() == "start" ? start : end) = attribute.i();
    auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
    for (int64_t i = clamp(start); i < clamp(end); ++i)
      result.ints.push_back((*dims)[i]);
    result.dims = {static_cast<int64_t>(result.ints.size())};
  }
  setConstant(node.output(0), encodeSmall(result));
  return true;
}

bool Resolver::fold(const onnx::NodeProto &node) {
  llvm::SmallVector<const SmallTensor *> inputs;
  for (const std::string &input : node.input()) {
    if (input.empty()) {
      inputs.push_back(nullptr);
      continue;
    }
    const std::optional<SmallTensor> &value = smallConstant(input);
    if (!value || value->type == onnx::TensorProto::FLOAT16 ||
        value->type == onnx::TensorProto::BFLOAT16)
      return false;
    inputs.push_back(&*value);
  }
  auto results = foldNode(node, inputs);
  if (!results || static_cast<int>(results->size()) < node.output_size())
    return false;
  for (int i = 0; i < node.output_size(); ++i) {
    if (node.output(i).empty())
      continue;
    onnx::TensorProto tensor = encodeSmall((*results)[i]);
    foldedBytes += static_cast<int64_t>(tensor.raw_data().size());
    setConstant(node.output(i), std::move(tensor));
  }
  return true;
}

void Resolver::infer(const onnx::NodeProto &node, const onnx::OpSchema &schema,
                     ResolvedNode &result) {
  onnx::NodeProto copy = node;
  std::unordered_map<std::string, const onnx::TensorProto *> data;
  for (const std::string &input : node.input())
    if (auto it = entry->constants.find(input);
        it != entry->constants.end() && it->second->data_location() != onnx::TensorProto::EXTERNAL)
      data[input] = it->second;
  onnx::shape_inference::InferenceContextImpl context(
      copy, entry->types, data, {}, onnx::ShapeInferenceOptions(/*check_type=*/true, 1, false));
  try {
    schema.GetTypeAndShapeInferenceFunction()(context);
    if (!result.unresolved)
      schema.CheckInputOutputType(context);
  } catch (const std::exception &e) {
    if (!result.unresolved) {
      result.problem = firstLine(e.what());
      result.invalid = true;
    }
    return;
  }
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty() &&
        context.allOutputTypes_[i].value_case() != onnx::TypeProto::VALUE_NOT_SET)
      setType(node.output(i), std::move(context.allOutputTypes_[i]));
}

/// Every output has to be a static tensor of a type that the model phase has.
Status Resolver::checkOutputs(ResolvedNode &result) {
  // Empty constants are how exporters write "no axes", "no roi"; as data they have no code.
  const onnx::NodeProto &node = *result.node;
  for (int i = 0; i < node.input_size() && result.problem.empty(); ++i)
    if (i == 0 || node.op_type() == "Concat")
      if (auto dims = entry->staticDims(node.input(i)); dims && llvm::is_contained(*dims, 0))
        result.problem = "its input '" + node.input(i) + "' has no elements";
  for (const std::string &output : node.output()) {
    if (output.empty())
      continue;
    auto dims = entry->staticDims(output);
    if (dims && dims->size() > static_cast<size_t>(limits.maxRank))
      return error(result, "its output '" + output + "' has " + Twine(dims->size()) +
                               " dims, at most " + Twine(limits.maxRank) + " are supported");
    if (dims && !countElements(*dims, limits.maxElements))
      return error(result, "its output '" + output + "' has more than " +
                               Twine(limits.maxElements) + " elements");
    if (!result.problem.empty() || result.unresolved)
      continue;
    if (!dims) {
      auto it = entry->types.find(output);
      bool tensor = it == entry->types.end() || it->second->has_tensor_type();
      result.problem = !tensor ? "its output '" + output + "' is not a tensor"
                               : "the shape of its output '" + output + "' depends on values";
    } else if (!callerTypeName(entry->typeOf(output))) {
      result.problem =
          "its output '" + output + "' is of type " + onnxTypeName(entry->typeOf(output));
    } else if (countElements(*dims, limits.maxElements) == 0) {
      result.problem = "its output '" + output + "' has no elements";
    }
  }
  return okStatus();
}

Status Resolver::resolveKnown(const Pending &pending, ResolvedNode &result,
                              const onnx::OpSchema &schema) {
  const onnx::NodeProto &node = *pending.node;
  try {
    schema.Verify(node);
  } catch (const std::exception &e) {
    return error(result, firstLine(e.what()));
  }
  std::string problem = checkAttributes(node, limits);
  for (int i = 0; i < node.input_size() && problem.empty(); ++i) {
    auto dims = entry->staticDims(node.input(i));
    if (dims)
      problem = checkRank(node, i, static_cast<int64_t>(dims->size()));
    if (dims && i == 0 && problem.empty())
      problem = checkAxis(node, static_cast<int64_t>(dims->size()));
  }
  if (!problem.empty())
    return error(result, problem);
  bool isDefault = result.domain.empty();
  if (isDefault && node.op_type() == "If" && resolveIf(pending))
    return okStatus();
  if (isDefault && (node.op_type() == "Shape" || node.op_type() == "Size") && foldShapeOf(node))
    return okStatus();
  if (isDefault && node.op_type() == "Identity")
    if (auto it = entry->constants.find(node.input(0)); it != entry->constants.end()) {
      setConstant(node.output(0), it->second);
      return okStatus();
    }
  bool hasGraphs = llvm::any_of(
      node.attribute(), [](const onnx::AttributeProto &a) { return a.has_g() || a.graphs_size(); });
  bool hasHandler = findOp(result.domain, node.op_type(), canonicalOpset) != nullptr;
  if (hasGraphs)
    result.problem = node.op_type() == "If" ? "its condition is known only at run time"
                                            : "control flow at run time is not supported";
  else if (!hasHandler && !result.unresolved && node.op_type() != "Constant" &&
           expand(pending, schema))
    return okStatus();
  else
    infer(node, schema, result);
  if (isDefault && node.op_type() == "Constant" && result.problem.empty())
    return resolveConstant(node, result);
  if (isDefault && result.problem.empty() && fold(node)) {
    if (foldedBytes > limits.maxFoldedBytes)
      return error(result, "constants computed when compiling exceed " +
                               Twine(limits.maxFoldedBytes) + " bytes");
    return okStatus();
  }
  MTC_RETURN_IF_ERROR(checkOutputs(result));
  if (result.problem.empty() && !hasHandler && !result.unresolved)
    result.problem = "the operator is not implemented";
  entry->nodes.push_back(std::move(result));
  return okStatus();
}

Status Resolver::resolve(const Pending &pending) {
  const onnx::NodeProto &node = *pending.node;
  if (++visited > limits.maxNodes)
    return invalidInput(
        ("has more than " + Twine(limits.maxNodes) + " nodes once its functions are expanded")
            .str());
  if (pending.depth > limits.maxNesting)
    return invalidInput(("functions nest deeper than " + Twine(limits.maxNesting)).str());
  MTC_RETURN_IF_ERROR(checkNames(node));
  llvm::scope_exit define([&] {
    for (const onnx::NodeProto *n = &node; const std::string &output : n->output())
      defined.insert(output);
  });

  ResolvedNode result;
  result.node = &node;
  result.domain = node.domain() == "ai.onnx" ? "" : node.domain();
  result.name = node.name().empty() && node.output_size() ? node.output(0) : node.name();
  for (const std::string &input : node.input())
    result.unresolved |= !input.empty() && !entry->staticDims(input);
  auto opset = opsets.canonical.find(result.domain);
  const onnx::OpSchema *schema = nullptr;
  if (opset != opsets.canonical.end())
    schema = onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset->second),
                                            result.domain);
  if (schema) {
    // An expansion defines the outputs itself.
    size_t before = stack.size();
    Status status = resolveKnown(pending, result, *schema);
    if (stack.size() != before)
      define.release();
    return status;
  }
  if (result.domain == unknownDomain)
    result.problem = "this opset has no such operator";
  else if (opset == opsets.canonical.end())
    result.problem = "the model imports no opset of its domain";
  else
    result.problem = "the operator is not known";
  entry->nodes.push_back(std::move(result));
  return okStatus();
}

/// Drops nodes whose outputs nobody needs; subgraphs may use any value of the graph around them.
void Resolver::keepLiveNodes() {
  std::set<std::string> live(entry->outputs.begin(), entry->outputs.end());
  std::vector<ResolvedNode> kept;
  std::vector<const onnx::GraphProto *> graphs;
  for (ResolvedNode &node : llvm::reverse(entry->nodes)) {
    if (llvm::none_of(node.node->output(), [&](const std::string &o) { return live.count(o); }))
      continue;
    live.insert(node.node->input().begin(), node.node->input().end());
    auto collect = [&](const onnx::NodeProto &n) {
      for (const onnx::AttributeProto &attribute : n.attribute()) {
        if (attribute.has_g())
          graphs.push_back(&attribute.g());
        for (const onnx::GraphProto &g : attribute.graphs())
          graphs.push_back(&g);
      }
    };
    collect(*node.node);
    while (!graphs.empty()) {
      const onnx::GraphProto *inner = graphs.back();
      graphs.pop_back();
      for (const auto &output : inner->output())
        live.insert(output.name());
      for (const onnx::NodeProto &n : inner->node()) {
        live.insert(n.input().begin(), n.input().end());
        collect(n);
      }
    }
    kept.push_back(std::move(node));
  }
  entry->nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

StatusOr<std::unique_ptr<ResolvedEntry>> Resolver::run(std::vector<BoundInput> inputs) {
  for (const BoundInput &input : inputs) {
    onnx::TypeProto type;
    type.mutable_tensor_type()->set_elem_type(input.type);
    auto *shape = type.mutable_tensor_type()->mutable_shape();
    for (int64_t dim : input.dims)
      shape->add_dim()->set_dim_value(dim);
    setType(input.name, std::move(type));
    if (!defined.insert(input.name).second || input.name.empty())
      return invalidInput("input '" + input.name + "' is defined twice or has no name");
  }
  entry->inputs = std::move(inputs);
  for (const onnx::TensorProto &tensor : graph.initializer()) {
    if (!defined.insert(tensor.name()).second || tensor.name().empty())
      return invalidInput("initializer '" + tensor.name() + "' is defined twice or has no name");
    setConstant(tensor.name(), &tensor);
  }
  for (const onnx::NodeProto &node : llvm::reverse(graph.node()))
    stack.push_back({&node, 0});
  while (!stack.empty()) {
    Pending next = stack.back();
    stack.pop_back();
    MTC_RETURN_IF_ERROR(resolve(next));
  }
  if (graph.output_size() == 0)
    return invalidInput("the graph has no outputs");
  for (const onnx::ValueInfoProto &output : graph.output()) {
    if (!defined.count(output.name()))
      return invalidInput("output '" + output.name() + "' is computed by no node");
    entry->outputs.push_back(output.name());
    if (entry->constants.count(output.name()) && !callerTypeName(entry->typeOf(output.name())))
      return unsupported("output '" + output.name() + "' is not a tensor of numbers");
  }
  keepLiveNodes();
  return std::move(entry);
}

} // namespace

StatusOr<std::unique_ptr<ResolvedEntry>> resolveEntry(const ModelFile &file, const Opsets &opsets,
                                                      std::vector<BoundInput> inputs,
                                                      const ImportLimits &limits) {
  return Resolver(file, opsets, limits).run(std::move(inputs));
}

} // namespace mtc::onnx_import
