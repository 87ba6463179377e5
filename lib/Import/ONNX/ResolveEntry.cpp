//===- ResolveEntry.cpp - one walk that makes every shape static ----------===//
//
// Nodes are in topological order, so when a node is reached, the types of its inputs and the
// constants among them are final: libonnx's inference function of its schema, then our folding,
// then the next node. No repetition over the model and no symbolic dims: inference over the whole
// model would have to be repeated with folding until nothing changes.
//
//===----------------------------------------------------------------------===//
#include "Canonicalize.h"
#include "ContribFunctions.h"
#include "NodeContext.h"
#include "Resolver.h"

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

namespace {

/// Records for which inputs the inference functions ask whose values are not known.
class InferenceContext : public onnx::shape_inference::InferenceContextImpl {
public:
  using InferenceContextImpl::InferenceContextImpl;
  const onnx::TensorProto *getInputData(size_t index) const override {
    const onnx::TensorProto *data = InferenceContextImpl::getInputData(index);
    if (!data && hasInput(index))
      missed.insert(static_cast<int>(index));
    return data;
  }
  mutable std::set<int> missed;
};

/// Control flow that counts the elements of an input when it is resolved.
bool countsInput(llvm::StringRef op) {
  return op == "If" || op == "Loop" || op == "Scan" || op == "SequenceMap" ||
         op == "SplitToSequence";
}

} // namespace

void Resolver::infer(const onnx::NodeProto &node, const onnx::OpSchema &schema,
                     ResolvedNode &result) {
  onnx::NodeProto copy = node;
  KnownInputs known;
  for (const std::string &input : node.input())
    if (auto it = entry->constants.find(input);
        it != entry->constants.end() && it->second->data_location() != onnx::TensorProto::EXTERNAL)
      known.tensors[input] = it->second;
  mendBeforeInference(copy, known);
  InferenceContext context(copy, entry->types, known.tensors, {},
                           onnx::ShapeInferenceOptions(/*check_type=*/true, 1, false));
  auto recordMissed = llvm::scope_exit([&] {
    result.wanted = std::move(context.missed);
    if (node.op_type() == "MaxUnpool" && node.input_size() > 2) // mendAfterInference looks at it
      result.wanted.insert(2);
  });
  try {
    schema.GetTypeAndShapeInferenceFunction()(context);
    if (!result.unresolved)
      schema.CheckInputOutputType(context);
  } catch (const std::exception &e) {
    if (!result.unresolved) {
      result.problem = firstLine(e);
      result.invalid = true;
    }
    return;
  }
  // onnx 1.23.2 has no inference for MeanVarianceNormalization and GroupNormalization.
  if (schema.domain().empty() && !schema.has_type_and_shape_inference_function() &&
      entry->types.count(node.input(0)))
    context.allOutputTypes_[0] = *entry->types.find(node.input(0))->second;
  result.problem = mendAfterInference(node, known, *entry, context.allOutputTypes_);
  if (!result.problem.empty()) {
    result.invalid = true;
    return;
  }
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty() &&
        context.allOutputTypes_[i].value_case() != onnx::TypeProto::VALUE_NOT_SET)
      setType(node.output(i), std::move(context.allOutputTypes_[i]));
}

/// No output passes a cap, whether it has elements or not.
Status Resolver::checkSizes(const ResolvedNode &result) {
  for (const std::string &output : result.node->output()) {
    auto dims = output.empty() ? std::nullopt : entry->staticDims(output);
    if (!dims)
      continue;
    if (dims->size() > static_cast<size_t>(limits.maxRank))
      return error(result, "its output '" + output + "' has " + Twine(dims->size()) +
                               " dims, at most " + Twine(limits.maxRank) + " are supported");
    for (int64_t dim : *dims)
      if (dim < 0)
        return error(result, "its output '" + output + "' has a dim of " + Twine(dim));
    if (!countElements(*dims, limits.maxElements))
      return error(result, "its output '" + output + "' has more than " +
                               Twine(limits.maxElements) + " elements");
  }
  return okStatus();
}

/// Every output has to be a static tensor of a type that the model phase has.
void Resolver::checkOutputs(ResolvedNode &result) {
  if (!result.problem.empty() || result.unresolved)
    return;
  for (const std::string &output : result.node->output()) {
    if (output.empty() || !result.problem.empty())
      continue;
    if (!entry->staticDims(output)) {
      auto it = entry->types.find(output);
      bool tensor = it == entry->types.end() || it->second->has_tensor_type();
      result.problem = !tensor ? "its output '" + output + "' is not a tensor"
                               : "the shape of its output '" + output + "' depends on values";
    } else if (!callerTypeName(entry->typeOf(output))) {
      result.problem = "its output '" + output + "' is " + describeType(*entry->types[output]);
    }
  }
}

Status Resolver::resolveKnown(const Pending &pending, ResolvedNode &result,
                              const onnx::OpSchema &schema) {
  const onnx::NodeProto &node = *pending.node;
  try {
    schema.Verify(node);
  } catch (const std::exception &e) {
    return error(result, firstLine(e));
  }
  std::string problem = checkAttributes(node, limits);
  for (int i = 0; i < node.input_size() && problem.empty(); ++i) {
    auto dims = entry->staticDims(node.input(i));
    if (dims)
      problem = checkInput(node, i, *dims);
    if (dims && i == 0 && problem.empty())
      problem = checkAxis(node, static_cast<int64_t>(dims->size()));
  }
  if (!problem.empty())
    return error(result, problem);
  bool isDefault = result.domain.empty();
  bool readsBounded = hasBounded(node);
  auto refuseSize = [&] {
    result.problem = "the size of its input depends on values";
    entry->nodes.push_back(std::move(result));
    return okStatus();
  };
  if (readsBounded && isDefault && countsInput(node.op_type()))
    return refuseSize();
  if (isDefault) {
    MTC_ASSIGN_OR_RETURN(bool resolved, resolveControlFlow(pending, result));
    if (resolved)
      return okStatus();
    checkLists(result);
  }
  if (isDefault && (node.op_type() == "Shape" || node.op_type() == "Size")) {
    if (readsBounded) {
      push(shapeOfBounded(node), pending.depth + 1);
      return okStatus();
    }
    if (foldShapeOf(node))
      return okStatus();
  }
  if (isDefault && node.op_type() == "Identity")
    if (auto it = entry->constants.find(node.input(0)); it != entry->constants.end()) {
      setConstant(node.output(0), it->second);
      return okStatus();
    }
  bool hasGraphs = llvm::any_of(
      node.attribute(), [](const onnx::AttributeProto &a) { return a.has_g() || a.graphs_size(); });
  bool hasHandler = findOp(result.domain, node.op_type(), canonicalOpset) != nullptr;
  if ((hasGraphs && isDefault) || !result.problem.empty()) {
    if (hasGraphs)
      result.wanted = {0, 1}; // left to run time, unless its condition or count were known
  } else if (!hasHandler && !result.unresolved && node.op_type() != "Constant") {
    if (readsBounded && schema.HasContextDependentFunction()) // written for these sizes
      return refuseSize();
    if (expand(pending, schema))
      return okStatus();
    infer(node, schema, result);
    MTC_RETURN_IF_ERROR(checkSizes(result));
  } else {
    infer(node, schema, result);
    MTC_RETURN_IF_ERROR(checkSizes(result));
  }
  if (isDefault && node.op_type() == "Constant" && result.problem.empty())
    return resolveConstant(node, result);
  if (isDefault && result.problem.empty() && fold(node)) {
    if (budget.foldedBytes > limits.maxFoldedBytes)
      return error(result, "constants computed when compiling exceed " +
                               Twine(limits.maxFoldedBytes) + " bytes");
    return okStatus();
  }
  if (isDefault && result.problem.empty() && !result.unresolved && !readsBounded) {
    boundOutputs(result);
    MTC_RETURN_IF_ERROR(checkSizes(result));
  }
  if (result.problem.empty() && !result.unresolved && resolveEmpty(pending, result))
    return okStatus();
  if (readsBounded && result.problem.empty() && !result.unresolved)
    followBounds(result);
  checkOutputs(result);
  if (result.problem.empty() && !hasHandler && !result.unresolved && !result.region)
    result.problem = "the operator is not implemented";
  entry->nodes.push_back(std::move(result));
  return okStatus();
}

Status Resolver::resolve(const Pending &pending) {
  const onnx::NodeProto &node = *pending.node;
  if (++budget.visited > limits.maxNodes)
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
  if (result.domain == batchedScanDomain && !hasBounded(node)) {
    size_t before = stack.size();
    Status status = resolveBatchedScan(pending, result);
    if (stack.size() != before)
      define.release();
    return status;
  }
  auto opset = opsets.canonical.find(result.domain);
  const onnx::OpSchema *schema = nullptr;
  if (opset != opsets.canonical.end())
    schema = findSchema(result.domain, node.op_type(), opset->second);
  if (schema) {
    // An expansion defines the outputs itself.
    size_t before = stack.size();
    Status status = resolveKnown(pending, result, *schema);
    if (stack.size() != before)
      define.release();
    return status;
  }
  // The default domain of onnxruntime has operators that ONNX's has not.
  const std::string contrib = result.domain == unknownDomain ? "" : result.domain;
  if (isContribFunction(contrib, node.op_type())) {
    if (hasBounded(node))
      result.problem = "the size of its input depends on values";
    if (!result.unresolved && result.problem.empty() && expandContrib(pending, contrib, result))
      define.release();
    else
      entry->nodes.push_back(std::move(result));
    return okStatus();
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
  auto isLive = [&](const std::string &value) { return live.count(value) != 0; };
  for (ResolvedNode &node : llvm::reverse(entry->nodes)) {
    if (llvm::none_of(node.node->output(), isLive) &&
        (!node.region || llvm::none_of(node.region->results, isLive)))
      continue;
    if (node.region)
      live.insert(node.region->operands.begin(), node.region->operands.end());
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

/// Adds an output of the graph: a tensor, or all elements of a sequence.
Status Resolver::addOutput(const std::string &name) {
  if (!defined.count(name))
    return invalidInput("output '" + name + "' is computed by no node");
  auto sequence = sequences.find(name);
  if (sequence == sequences.end()) {
    outputItems.push_back(absent.count(name) ? emptyOptional : oneTensor);
    if (absent.count(name))
      return okStatus(); // an empty optional is no tensor
    entry->outputs.push_back(name);
    if (entry->constants.count(name) && !callerTypeName(entry->typeOf(name)))
      return unsupported("output '" + name + "' is " + describeType(*entry->types[name]));
    return okStatus();
  }
  outputItems.push_back(static_cast<int64_t>(sequence->second.size()));
  for (size_t i = 0; i < sequence->second.size(); ++i) {
    std::string element = elementName(name, i);
    push({makeNode("Identity", name, {*sequence->second[i]}, {element})}, 0);
    Pending identity = stack.back();
    stack.pop_back();
    MTC_RETURN_IF_ERROR(resolve(identity));
    entry->outputs.push_back(element);
  }
  return okStatus();
}

Status Resolver::addInputs(std::vector<BoundInput> inputs) {
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
  for (const BoundInput &input : entry->inputs)
    if (input.value)
      setConstant(input.name, &*input.value);
  return okStatus();
}

/// From the initializers to the outputs.
Status Resolver::walk(int depth) {
  for (const onnx::TensorProto &tensor : graph.initializer()) {
    if (!defined.insert(tensor.name()).second || tensor.name().empty())
      return invalidInput("initializer '" + tensor.name() + "' is defined twice or has no name");
    setConstant(tensor.name(), &tensor);
  }
  for (const onnx::NodeProto &node : llvm::reverse(graph.node()))
    stack.push_back({&node, depth});
  while (!stack.empty()) {
    Pending next = stack.back();
    stack.pop_back();
    MTC_RETURN_IF_ERROR(next.loop ? nextIteration(*next.loop) : resolve(next));
  }
  for (const onnx::ValueInfoProto &output : graph.output())
    MTC_RETURN_IF_ERROR(addOutput(output.name()));
  return okStatus();
}

/// Finds the dims of outputs that are smaller where a padded input is: those of its dims' names.
void Resolver::followPadding() {
  std::map<std::string, std::pair<int64_t, int64_t>> named;
  for (size_t i = 0; i < entry->inputs.size(); ++i)
    for (size_t dim = 0; dim < entry->inputs[i].dimNames.size(); ++dim)
      named.emplace(entry->inputs[i].dimNames[dim], std::pair(i, dim));
  named.erase("");
  for (const onnx::ValueInfoProto &output : graph.output()) {
    auto dims = entry->staticDims(output.name());
    const auto &shape = output.type().tensor_type().shape();
    if (!dims || shape.dim_size() != static_cast<int>(dims->size()) ||
        entry->bounded.count(output.name()))
      continue;
    for (int dim = 0; dim < shape.dim_size(); ++dim)
      if (auto it = named.find(shape.dim(dim).dim_param());
          it != named.end() &&
          entry->inputs[it->second.first].dims[it->second.second] == (*dims)[dim])
        for (int64_t number : {int64_t(dim), it->second.first, it->second.second})
          entry->follows[output.name()].push_back(number);
  }
}

StatusOr<std::unique_ptr<ResolvedEntry>> Resolver::run(BoundInputs inputs) {
  MTC_RETURN_IF_ERROR(addInputs(std::move(inputs.tensors)));
  for (const auto &[name, length] : inputs.sequences) {
    if (!defined.insert(name).second)
      return invalidInput("input '" + name + "' is defined twice");
    for (int64_t i = 0; i < length; ++i)
      sequences[name].push_back(intern(elementName(name, i)));
    sequences[name]; // also an empty one
  }
  for (const std::string &name : inputs.absent)
    if (!defined.insert(name).second || !absent.insert(name).second)
      return invalidInput("input '" + name + "' is defined twice");
  if (graph.output_size() == 0)
    return invalidInput("the graph has no outputs");
  MTC_RETURN_IF_ERROR(walk(0));
  if (entry->outputs.empty())
    return unsupported("all its outputs are empty");
  for (size_t i = 0, count = entry->outputs.size(); i < count; ++i)
    if (auto it = entry->bounded.find(entry->outputs[i]);
        it != entry->bounded.end() && !llvm::is_contained(entry->outputs, it->second.extent))
      entry->outputs.push_back(it->second.extent);
  followPadding();
  keepLiveNodes();
  return std::move(entry);
}

StatusOr<std::unique_ptr<ResolvedEntry>> resolveEntry(const ModelFile &file, const Opsets &opsets,
                                                      BoundInputs inputs,
                                                      const ImportLimits &limits) {
  return Resolver(file, opsets, limits).run(std::move(inputs));
}

} // namespace mtc::onnx_import
