//===- ResolveRegions.cpp - control flow that is left to run time ---------===//
//
// A body is resolved by a walk of its own, as an entry is: the values of a loop's state are inputs
// of fixed shape, and so is what the body uses of the graph around it, unless that is constant.
//
//===----------------------------------------------------------------------===//
#include "Fold.h"
#include "Resolver.h"

#include "llvm/ADT/STLExtras.h"

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

/// How often a loop is taken to run when nothing says so.
constexpr int64_t assumedTrips = 8;

/// The names that a graph and the graphs in it use. Depth: bounded by the reader.
void collectNames(const onnx::GraphProto &graph, std::set<std::string> &names) {
  for (const onnx::ValueInfoProto &output : graph.output())
    names.insert(output.name());
  for (const onnx::NodeProto &node : graph.node()) {
    names.insert(node.input().begin(), node.input().end());
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_g())
        collectNames(attribute.g(), names);
      for (const onnx::GraphProto &inner : attribute.graphs())
        collectNames(inner, names);
    }
  }
}

/// Whether `value` is another name of `of`, or of a constant of the graph.
bool isAliasOf(const onnx::GraphProto &graph, std::string value, const std::string &of) {
  for (int i = graph.node_size() - 1; i >= 0; --i) {
    const onnx::NodeProto &node = graph.node(i);
    if (node.op_type() == "Identity" && node.output(0) == value)
      value = node.input(0);
  }
  return value == of;
}

std::string typeText(int32_t type, llvm::ArrayRef<int64_t> dims) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << callerTypeName(type) << "[";
  llvm::interleave(dims, os, "x");
  os << "]";
  return text;
}

BoundInput elementOf(BoundInput input) {
  input.dims.erase(input.dims.begin());
  return input;
}

} // namespace

std::optional<BoundInput> Resolver::describe(const std::string &value) const {
  auto dims = entry->staticDims(value);
  if (!dims)
    return std::nullopt;
  return BoundInput{value, entry->typeOf(value), *dims, std::nullopt};
}

/// Makes a value of the graph around visible to this body.
void Resolver::capture(const std::string &name, const Resolver &outer) {
  if (!outer.defined.count(name) || !defined.insert(name).second)
    return;
  if (auto constant = outer.entry->constants.find(name); constant != outer.entry->constants.end()) {
    setConstant(name, constant->second);
  } else if (auto list = outer.sequences.find(name); list != outer.sequences.end()) {
    sequences[name] = list->second;
    for (const std::string *item : list->second)
      capture(*item, outer);
  } else if (outer.absent.count(name)) {
    absent.insert(name);
  } else if (auto type = outer.entry->types.find(name); type != outer.entry->types.end()) {
    setType(name, *type->second);
    captured.push_back(name);
  }
}

/// Resolves the graph of this object as a body. Its inputs are the formal ones, then what it uses
/// of the graph around.
StatusOr<std::unique_ptr<ResolvedEntry>> Resolver::runBody(std::vector<BoundInput> formals,
                                                           const Resolver &outer, int depth) {
  MTC_RETURN_IF_ERROR(addInputs(std::move(formals)));
  std::set<std::string> used;
  collectNames(graph, used);
  for (const std::string &name : used)
    capture(name, outer);
  MTC_RETURN_IF_ERROR(walk(depth));
  keepLiveNodes();
  std::set<std::string> read(entry->outputs.begin(), entry->outputs.end());
  for (const ResolvedNode &node : entry->nodes) {
    read.insert(node.node->input().begin(), node.node->input().end());
    if (node.region)
      read.insert(node.region->operands.begin(), node.region->operands.end());
  }
  llvm::sort(captured);
  for (const std::string &name : captured)
    if (auto input = describe(name); input && read.count(name)) // else a node before is to blame
      entry->inputs.push_back(*input);
  return std::move(entry);
}

Status Resolver::resolveBranches(ResolvedNode &result, ResolvedRegion &region, int depth) {
  const onnx::NodeProto &node = *result.node;
  std::vector<std::vector<int64_t>> items;
  std::map<std::string, BoundInput> inputs;
  for (const char *name : {"then_branch", "else_branch"}) {
    const onnx::GraphProto &graph = fold::attribute(node, name)->g();
    if (graph.output_size() != node.output_size())
      return error(result, "has " + Twine(node.output_size()) + " outputs, its branch " +
                               Twine(graph.output_size()));
    Resolver branch(graph, *this);
    MTC_ASSIGN_OR_RETURN(auto body, branch.runBody({}, *this, depth));
    for (const BoundInput &input : body->inputs)
      inputs.emplace(input.name, input);
    items.push_back(std::move(branch.outputItems));
    region.bodies.push_back(std::move(body));
  }
  region.operands = {node.input(0)};
  for (auto &body : region.bodies)
    body->inputs.clear();
  for (const auto &[name, input] : inputs) {
    region.operands.push_back(name);
    for (auto &body : region.bodies) {
      body->inputs.push_back(input);
      body->types.emplace(name, entry->types.at(name)); // one that only the other branch reads
    }
  }
  if (items[0] != items[1]) {
    result.problem = "its condition is known only at run time, and its branches give sequences or "
                     "optionals of different length";
    return okStatus();
  }
  for (int i = 0; i < node.output_size(); ++i) {
    const std::string &output = node.output(i);
    std::string unique = output.empty() ? "if" + std::to_string(++budget.expansions) : output;
    if (items[0][i] == emptyOptional)
      absent.insert(output);
    else if (items[0][i] == oneTensor)
      region.results.push_back(unique);
    else
      for (int64_t k = 0; k < items[0][i]; ++k) {
        region.results.push_back(unique + "." + std::to_string(k));
        sequences[output].push_back(intern(region.results.back()));
      }
    if (items[0][i] == 0)
      sequences[output];
  }
  return okStatus();
}

Status Resolver::resolveIterations(ResolvedNode &result, ResolvedRegion &region,
                                   const std::string &prefix, int depth) {
  const onnx::NodeProto &node = *result.node;
  const onnx::GraphProto &graph = fold::attribute(node, "body")->g();
  const bool isScan = node.op_type() == "Scan";
  std::vector<std::string> operands(node.input().begin(), node.input().end());
  std::vector<BoundInput> formals;
  if (isScan) {
    region.scanned = fold::attribute(node, "num_scan_inputs")->i();
    auto dims = entry->staticDims(operands.back());
    int64_t length = dims && !dims->empty() ? dims->front() : 0;
    operands.insert(operands.begin(),
                    {defineConstant(prefix + "trips", {onnx::TensorProto::INT64, {}, {length}, {}}),
                     defineConstant(prefix + "cond", {onnx::TensorProto::BOOL, {}, {1}, {}})});
    formals = {{prefix + "i", onnx::TensorProto::INT64, {}, {}},
               {prefix + "c", onnx::TensorProto::BOOL, {}, {}}};
  } else {
    if (operands[0].empty())
      operands[0] =
          defineConstant(prefix + "trips", {onnx::TensorProto::INT64, {}, {INT64_MAX}, {}});
    if (operands[1].empty())
      operands[1] = defineConstant(prefix + "cond", {onnx::TensorProto::BOOL, {}, {1}, {}});
    formals = {{graph.input(0).name(), onnx::TensorProto::INT64, {}, {}}};
  }
  region.isLoop = true;
  region.carried = static_cast<int64_t>(operands.size()) - 2 - region.scanned;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (sequences.count(operands[i]) || absent.count(operands[i])) {
      result.problem =
          "it cannot be unrolled and carries '" + operands[i] + "', a sequence or " + "optional";
      return okStatus();
    }
    std::optional<BoundInput> input = describe(operands[i]);
    if (!input) {
      result.unresolved = true; // because of a node before
      return okStatus();
    }
    if (llvm::is_contained(input->dims, 0)) {
      result.problem = "its input '" + operands[i] + "' has no elements";
      return okStatus();
    }
    if (i == 0 || (isScan && i == 1))
      continue;
    if (static_cast<int64_t>(i) >= 2 + region.carried)
      input = elementOf(std::move(*input));
    input->name = graph.input(static_cast<int>(isScan ? i - 2 : i)).name();
    formals.push_back(std::move(*input));
  }
  Resolver inner(graph, *this);
  MTC_ASSIGN_OR_RETURN(auto body, inner.runBody(formals, *this, depth));
  if (llvm::any_of(inner.outputItems, [](int64_t items) { return items != oneTensor; })) {
    result.problem = "it cannot be unrolled and its body gives a sequence or optional";
    return okStatus();
  }
  if (isScan)
    body->outputs.insert(body->outputs.begin(), formals[1].name);
  region.operands = operands;
  for (size_t i = formals.size(); i < body->inputs.size(); ++i)
    region.operands.push_back(body->inputs[i].name);
  for (int i = 0; i < node.output_size(); ++i)
    region.results.push_back(node.output(i).empty() ? "loop" + std::to_string(++budget.expansions)
                                                    : node.output(i));

  // The number of iterations, if it is known.
  const std::optional<SmallTensor> &trips = smallConstant(operands[0]);
  const std::optional<SmallTensor> &condition = smallConstant(operands[1]);
  bool endless = condition && condition->ints.size() == 1 && condition->ints[0];
  if (endless && !isScan) {
    auto constant = body->constants.find(body->outputs[0]);
    std::optional<SmallTensor> next =
        constant == body->constants.end() ? std::nullopt : decodeSmall(*constant->second);
    endless = isAliasOf(graph, graph.output(0).name(), graph.input(1).name()) ||
              (next && next->ints.size() == 1 && next->ints[0]);
  }
  region.expected = assumedTrips;
  if (trips && trips->ints.size() == 1) {
    int64_t count = std::max<int64_t>(trips->ints[0], 0);
    if (endless && count > limits.maxTrips)
      return error(result, "runs " + Twine(count) + " iterations, at most " +
                               Twine(limits.maxTrips) + " are allowed");
    if (endless)
      region.length = count;
    if (endless || count < assumedTrips)
      region.expected = count;
  }
  region.bodies.push_back(std::move(body));
  return okStatus();
}

/// Gives the results of a region their types, or says why they have none.
void Resolver::setResultTypes(ResolvedNode &result, const ResolvedRegion &region) {
  const ResolvedEntry &body = *region.bodies[0];
  for (size_t i = 0; i < region.results.size(); ++i) {
    const std::string &name = region.results[i];
    const std::string &output = body.outputs[i + (region.isLoop ? 1 : 0)];
    auto dims = body.staticDims(output);
    int32_t type = body.typeOf(output);
    const ResolvedEntry &other = *region.bodies.back();
    auto wanted = region.isLoop ? dims : other.staticDims(other.outputs[i]);
    int32_t wantedType = region.isLoop ? type : other.typeOf(other.outputs[i]);
    const bool isState = region.isLoop && i < static_cast<size_t>(region.carried);
    if (isState) {
      wanted = body.staticDims(body.inputs[2 + i].name);
      wantedType = body.typeOf(body.inputs[2 + i].name);
    }
    if (!dims || !wanted) {
      result.unresolved = true;
      continue;
    }
    if (*dims != *wanted || type != wantedType) {
      std::string types = typeText(wantedType, *wanted) + " and " + typeText(type, *dims);
      result.problem =
          isState ? "it cannot be unrolled and its state '" + name + "' changes its type: " + types
                  : "its condition is known only at run time, and its branches give '" + name +
                        "' different types: " + types;
      return;
    }
    if (region.isLoop && !isState) {
      if (!region.length || *region.length == 0) {
        result.problem = "the length of its scan output '" + name + "' is known only at run time";
        return;
      }
      dims->insert(dims->begin(), *region.length);
    }
    onnx::TypeProto proto;
    proto.mutable_tensor_type()->set_elem_type(type);
    proto.mutable_tensor_type()->mutable_shape();
    for (int64_t dim : *dims)
      proto.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(dim);
    setType(name, std::move(proto));
  }
}

/// Bodies neither read nor give values whose size depends on data: their tensors have no extent.
void Resolver::checkBounds(ResolvedNode &result, const ResolvedRegion &region) {
  if (!result.problem.empty())
    return;
  for (const std::string &operand : region.operands)
    if (entry->bounded.count(operand))
      result.problem = "it is left to run time and the size of '" + operand +
                       "', which it reads, depends on values";
  for (const auto &body : region.bodies)
    for (const std::string &output : body->outputs)
      if (body->bounded.count(output))
        result.problem = "it is left to run time and the size of its body's output '" + output +
                         "' depends on values";
}

Status Resolver::resolveRegion(ResolvedNode &result, int depth) {
  auto region = std::make_shared<ResolvedRegion>();
  region->maxTrips = limits.maxTrips;
  std::string prefix = "region" + std::to_string(++budget.expansions) + ".";
  const bool isIf = result.node->op_type() == "If";
  MTC_RETURN_IF_ERROR(isIf ? resolveBranches(result, *region, depth)
                           : resolveIterations(result, *region, prefix, depth));
  result.region = region; // also for the problems in its bodies
  checkBounds(result, *region);
  if (result.problem.empty() && !result.unresolved)
    setResultTypes(result, *region);
  for (const std::string &name : region->results)
    defined.insert(name);
  return okStatus();
}

/// A Scan along other axes or backwards is one along the first, between moves. False if it is one
/// already, or `loop.node.problem` says why it cannot be.
bool Resolver::normalizeScan(Unrolled &loop) {
  const onnx::NodeProto &node = *loop.node.node;
  auto isPlain = [](llvm::ArrayRef<int64_t> numbers) {
    return llvm::all_of(numbers, [](int64_t n) { return n == 0; });
  };
  if (isPlain(loop.inputAxes) && isPlain(loop.inputBackwards) && isPlain(loop.outputAxes) &&
      isPlain(loop.outputBackwards))
    return false;
  int carried = node.input_size() - static_cast<int>(loop.scanned.size());
  const onnx::GraphProto &body = fold::attribute(node, "body")->g();
  for (size_t i = 0; i < loop.outputAxes.size(); ++i)
    if (loop.outputAxes[i] &&
        !body.output(carried + static_cast<int>(i)).type().tensor_type().has_shape()) {
      loop.node.problem = "it cannot be unrolled and its body does not say the rank of output '" +
                          body.output(carried + static_cast<int>(i)).name() + "'";
      return false;
    }
  std::string prefix = "scan" + std::to_string(++budget.expansions) + ".";
  std::vector<onnx::NodeProto> nodes;
  auto transpose = [&](const std::string &from, int64_t rank, int64_t axis, bool toFront) {
    if (axis == 0)
      return from;
    std::string to = prefix + std::to_string(nodes.size());
    onnx::NodeProto &move = nodes.emplace_back(makeNode("Transpose", node.name(), {from}, {to}));
    onnx::AttributeProto &perm = *move.add_attribute();
    perm.set_name("perm");
    perm.set_type(onnx::AttributeProto::INTS);
    for (int64_t d = 0; d < rank; ++d)
      if (toFront)
        perm.add_ints(d == 0 ? axis : d <= axis ? d - 1 : d);
      else
        perm.add_ints(d < axis ? d + 1 : d == axis ? 0 : d);
    return to;
  };
  auto reverse = [&](const std::string &from, bool backwards) {
    if (!backwards)
      return from;
    std::string to = prefix + std::to_string(nodes.size());
    nodes.push_back(makeNode("Slice", node.name(),
                             {from, defineInts(prefix + "last", {-1}),
                              defineInts(prefix + "before", {INT64_MIN + 1}),
                              defineInts(prefix + "first", {0}), defineInts(prefix + "back", {-1})},
                             {to}));
    return to;
  };
  onnx::NodeProto scan = node;
  auto *attributes = scan.mutable_attribute();
  for (int i = attributes->size() - 1; i >= 0; --i)
    if (llvm::StringRef(attributes->Get(i).name()).starts_with("scan_"))
      attributes->DeleteSubrange(i, 1);
  for (size_t i = 0; i < loop.scanned.size(); ++i) {
    int64_t rank = static_cast<int64_t>(entry->staticDims(loop.scanned[i])->size());
    scan.set_input(
        carried + static_cast<int>(i),
        reverse(transpose(loop.scanned[i], rank, loop.inputAxes[i], true), loop.inputBackwards[i]));
  }
  size_t position = nodes.size();
  nodes.emplace_back();
  for (size_t i = 0; i < loop.outputAxes.size(); ++i) {
    int output = carried + static_cast<int>(i);
    if (node.output(output).empty() || (!loop.outputAxes[i] && !loop.outputBackwards[i]))
      continue;
    scan.set_output(output, prefix + "out" + std::to_string(i));
    int64_t rank = body.output(output).type().tensor_type().shape().dim_size() + 1;
    std::string value = reverse(scan.output(output), loop.outputBackwards[i]);
    int64_t axis = loop.outputAxes[i] < 0 ? loop.outputAxes[i] + rank : loop.outputAxes[i];
    value = transpose(value, rank, axis, false);
    nodes.push_back(makeNode("Identity", node.name(), {value}, {node.output(output)}));
  }
  nodes[position] = std::move(scan);
  push(std::move(nodes), loop.depth);
  return true;
}

} // namespace mtc::onnx_import
