//===- ResolveControlFlow.cpp - subgraphs in place of their node ----------===//
//
// An If whose condition is constant becomes its branch, a Loop or Scan whose iterations can be
// counted when compiling becomes one copy of its body per iteration. Iterations are put on the
// stack one at a time: whether there is another depends on what the one before turned out to be.
// What has been unrolled in vain, since a condition came out unknown, is dead code and goes with
// it.
//
//===----------------------------------------------------------------------===//
#include "Fold.h"
#include "Resolver.h"

#include "llvm/ADT/STLExtras.h"

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

/// Nodes of a graph and of all graphs in it. Depth: nested graphs, bounded by the reader.
int64_t countNodes(const onnx::GraphProto &graph) {
  int64_t count = graph.node_size();
  for (const onnx::NodeProto &node : graph.node())
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_g())
        count += countNodes(attribute.g());
      for (const onnx::GraphProto &inner : attribute.graphs())
        count += countNodes(inner);
    }
  return count;
}

/// The integers of an attribute with one per scan input or output, or as many of `otherwise`;
/// nullopt if it has another number.
std::optional<llvm::SmallVector<int64_t>> perScan(const onnx::NodeProto &node, const char *name,
                                                  size_t count, int64_t otherwise) {
  const onnx::AttributeProto *attribute = fold::attribute(node, name);
  if (!attribute || attribute->ints_size() == 0)
    return llvm::SmallVector<int64_t>(count, otherwise);
  if (static_cast<size_t>(attribute->ints_size()) != count)
    return std::nullopt;
  return llvm::SmallVector<int64_t>(attribute->ints().begin(), attribute->ints().end());
}

} // namespace

//===----------------------------------------------------------------------===//
// Making nodes
//===----------------------------------------------------------------------===//

void Resolver::push(std::vector<onnx::NodeProto> nodes, int depth) {
  for (onnx::NodeProto &node : llvm::reverse(nodes)) {
    entry->ownedNodes.push_back(std::move(node));
    stack.push_back({&entry->ownedNodes.back(), depth});
  }
}

onnx::NodeProto makeNode(llvm::StringRef op, const std::string &name,
                         llvm::ArrayRef<std::string> inputs, llvm::ArrayRef<std::string> outputs) {
  onnx::NodeProto node;
  node.set_op_type(op.str());
  node.set_name(name);
  for (const std::string &input : inputs)
    node.add_input(input);
  for (const std::string &output : outputs)
    node.add_output(output);
  return node;
}

void setInt(onnx::NodeProto &node, const std::string &name, int64_t value) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

std::string Resolver::defineConstant(const std::string &name, SmallTensor value) {
  if (defined.insert(name).second)
    setConstant(name, encodeSmall(value));
  return name;
}

std::string Resolver::defineInts(const std::string &name, std::vector<int64_t> ints) {
  llvm::SmallVector<int64_t> dims = {static_cast<int64_t>(ints.size())};
  return defineConstant(name, {onnx::TensorProto::INT64, dims, std::move(ints), {}});
}

void Resolver::pushElement(std::vector<onnx::NodeProto> &nodes, const std::string &name,
                           const std::string &from, int64_t axis, int64_t index,
                           const std::string &to) {
  std::string axes = defineInts(to + ".axes", {axis});
  std::string start = defineInts(to + ".start", {index}),
              end = defineInts(to + ".end", {index + 1});
  nodes.push_back(makeNode("Slice", name, {from, start, end, axes}, {to + ".slice"}));
  nodes.push_back(makeNode("Squeeze", name, {to + ".slice", axes}, {to}));
}

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

/// Puts a branch in place of an If with a constant condition.
StatusOr<bool> Resolver::resolveIf(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  const std::optional<SmallTensor> &condition = smallConstant(node.input(0));
  if (!condition || condition->ints.size() != 1) {
    if (!result.unresolved)
      MTC_RETURN_IF_ERROR(resolveRegion(result, pending.depth + 1));
    return false;
  }
  const onnx::GraphProto &branch =
      fold::attribute(node, condition->ints[0] ? "then_branch" : "else_branch")->g();
  if (branch.output_size() < node.output_size())
    return error(result, "has " + Twine(node.output_size()) + " outputs, its branch " +
                             Twine(branch.output_size()));
  std::string prefix = "if" + std::to_string(++budget.expansions) + ".";
  std::vector<onnx::NodeProto> nodes = constantsOf(branch, prefix);
  InlinedGraph inlined = inlineGraph(branch, {}, nameOf(node), prefix, prefix);
  llvm::append_range(nodes, inlined.nodes);
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      nodes.push_back(makeNode("Identity", node.name(), {inlined.results[i]}, {node.output(i)}));
  push(std::move(nodes), pending.depth + 1);
  return true;
}

//===----------------------------------------------------------------------===//
// Loop and Scan
//===----------------------------------------------------------------------===//

/// Starts to unroll a Loop.
StatusOr<bool> Resolver::resolveLoop(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  const onnx::GraphProto &body = fold::attribute(node, "body")->g();
  int carried = node.input_size() - 2;
  if (carried < 0 || body.input_size() != node.input_size() ||
      body.output_size() != node.output_size() + 1 || node.output_size() < carried)
    return error(result, "has " + Twine(node.input_size()) + " inputs and " +
                             Twine(node.output_size()) + " outputs, its body " +
                             Twine(body.input_size()) + " and " + Twine(body.output_size()));
  Unrolled loop;
  loop.trips = INT64_MAX;
  if (!node.input(0).empty()) {
    const std::optional<SmallTensor> &trips = smallConstant(node.input(0));
    if (!trips || trips->ints.size() != 1) {
      if (!result.unresolved)
        MTC_RETURN_IF_ERROR(resolveRegion(result, pending.depth + 1));
      return false;
    }
    loop.trips = std::max<int64_t>(trips->ints[0], 0);
  }
  loop.prefix = "loop" + std::to_string(++budget.expansions) + ".";
  loop.condition = node.input(1);
  if (loop.condition.empty())
    loop.condition = defineConstant(loop.prefix + "cond", {onnx::TensorProto::BOOL, {}, {1}, {}});
  loop.carried.assign(node.input().begin() + 2, node.input().end());
  loop.outputAxes.assign(node.output_size() - carried, 0);
  loop.outputBackwards.assign(node.output_size() - carried, 0);
  return startLoop(pending, result, body, std::move(loop));
}

/// Starts to unroll a Scan (without a batch dimension).
StatusOr<bool> Resolver::resolveScan(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  const onnx::GraphProto &body = fold::attribute(node, "body")->g();
  int64_t scanned = fold::attribute(node, "num_scan_inputs")->i();
  int64_t carried = node.input_size() - scanned, outputs = node.output_size() - carried;
  if (scanned < 1 || carried < 0 || outputs < 0 || body.input_size() != node.input_size() ||
      body.output_size() != node.output_size())
    return error(result, "has " + Twine(carried) + " states, " + Twine(scanned) +
                             " scan inputs and " + Twine(node.output_size()) +
                             " outputs, its body " + Twine(body.input_size()) + " inputs and " +
                             Twine(body.output_size()) + " outputs");
  auto axes = perScan(node, "scan_input_axes", scanned, 0);
  auto backwards = perScan(node, "scan_input_directions", scanned, 0);
  auto outputAxes = perScan(node, "scan_output_axes", outputs, 0);
  auto outputBackwards = perScan(node, "scan_output_directions", outputs, 0);
  if (!axes || !backwards || !outputAxes || !outputBackwards)
    return error(result, "its axes or directions are not one for each scan input or output");
  Unrolled loop;
  loop.isScan = true;
  loop.inputAxes = *axes;
  loop.inputBackwards = *backwards;
  loop.outputAxes = *outputAxes;
  loop.outputBackwards = *outputBackwards;
  for (int64_t i = 0; i < scanned; ++i) {
    const std::string &input = node.input(static_cast<int>(carried + i));
    auto dims = entry->staticDims(input);
    if (!dims)
      return false; // because of a node before
    int64_t rank = static_cast<int64_t>(dims->size()), &axis = loop.inputAxes[i];
    if (axis < -rank || axis >= rank)
      return error(result,
                   "scan input axis " + Twine(axis) + " of a tensor of rank " + Twine(rank));
    axis += axis < 0 ? rank : 0;
    if (i > 0 && (*dims)[axis] != loop.trips)
      return error(result, "its scan input '" + input + "' has length " + Twine((*dims)[axis]) +
                               ", the first one " + Twine(loop.trips));
    loop.trips = (*dims)[axis];
    loop.scanned.push_back(input);
  }
  loop.prefix = "scan" + std::to_string(++budget.expansions) + ".";
  loop.condition = defineConstant(loop.prefix + "cond", {onnx::TensorProto::BOOL, {}, {1}, {}});
  loop.carried.assign(node.input().begin(), node.input().begin() + carried);
  return startLoop(pending, result, body, std::move(loop));
}

StatusOr<bool> Resolver::startLoop(const Pending &pending, const ResolvedNode &result,
                                   const onnx::GraphProto &body, Unrolled loop) {
  loop.node = result;
  loop.body = &body;
  loop.bodyNodes = std::max<int64_t>(countNodes(body), 1);
  loop.depth = pending.depth + 1;
  loop.results.resize(loop.outputAxes.size());
  loops.push_back(std::move(loop));
  stack.push_back({nullptr, pending.depth, &loops.back()});
  push(constantsOf(body, loops.back().prefix), pending.depth + 1);
  return true;
}

/// Puts the next iteration on the stack, or the loop's results if there is none.
Status Resolver::nextIteration(Unrolled &loop) {
  const std::string &name = loop.node.name;
  const std::optional<SmallTensor> &condition = smallConstant(loop.condition);
  if (!condition || condition->ints.size() != 1)
    return leaveLoop(loop);
  if (condition->ints[0] == 0 || loop.trip == loop.trips)
    return finishLoop(loop);
  // Where the trip count says nothing, as in a while loop, iterations are tried one by one.
  constexpr int64_t noLimit = INT32_MAX;
  int64_t left = loop.trips >= noLimit ? 1 : loop.trips - loop.trip;
  if (left > (limits.maxUnrolledNodes - budget.unrolledNodes) / loop.bodyNodes)
    return leaveLoop(loop);
  budget.unrolledNodes += loop.bodyNodes;

  std::string prefix = loop.prefix + std::to_string(loop.trip) + ".";
  std::string inner = name + "[" + std::to_string(loop.trip) + "]";
  std::vector<onnx::NodeProto> nodes;
  std::vector<std::string> actuals;
  if (!loop.isScan)
    actuals = {defineConstant(prefix + "trip", {onnx::TensorProto::INT64, {}, {loop.trip}, {}}),
               loop.condition};
  llvm::append_range(actuals, loop.carried);
  for (size_t i = 0; i < loop.scanned.size(); ++i) {
    int64_t index = loop.inputBackwards[i] ? loop.trips - 1 - loop.trip : loop.trip;
    actuals.push_back(prefix + "in" + std::to_string(i));
    pushElement(nodes, inner, loop.scanned[i], loop.inputAxes[i], index, actuals.back());
  }
  InlinedGraph inlined = inlineGraph(*loop.body, actuals, inner, prefix, loop.prefix);
  llvm::append_range(nodes, inlined.nodes);
  size_t next = 0;
  if (!loop.isScan)
    loop.condition = inlined.results[next++];
  for (std::string &value : loop.carried)
    value = inlined.results[next++];
  for (size_t i = 0; i < loop.results.size(); ++i) {
    std::string axes = defineInts(loop.prefix + "axes" + std::to_string(i), {loop.outputAxes[i]});
    loop.results[i].push_back(prefix + "out" + std::to_string(i));
    nodes.push_back(
        makeNode("Unsqueeze", inner, {inlined.results[next++], axes}, {loop.results[i].back()}));
  }
  ++loop.trip;
  stack.push_back({nullptr, loop.depth, &loop});
  push(std::move(nodes), loop.depth);
  return okStatus();
}

Status Resolver::finishLoop(Unrolled &loop) {
  const onnx::NodeProto &node = *loop.node.node;
  std::vector<onnx::NodeProto> nodes;
  int output = 0;
  for (const std::string &value : loop.carried) {
    if (!node.output(output).empty())
      nodes.push_back(makeNode("Identity", node.name(), {value}, {node.output(output)}));
    ++output;
  }
  for (size_t i = 0; i < loop.results.size(); ++i, ++output) {
    const std::string &name = node.output(output);
    if (name.empty())
      continue;
    std::vector<std::string> &parts = loop.results[i];
    if (loop.outputBackwards[i])
      std::reverse(parts.begin(), parts.end());
    nodes.push_back(makeNode("Concat", node.name(), parts, {name}));
    setInt(nodes.back(), "axis", loop.outputAxes[i]);
    if (!parts.empty())
      continue;
    ResolvedNode empty = loop.node;
    entry->ownedNodes.push_back(makeNode(node.op_type(), node.name(), {}, {name}));
    empty.node = &entry->ownedNodes.back();
    empty.problem = "its output '" + name + "' has no elements: no iteration runs";
    entry->nodes.push_back(std::move(empty));
    defined.insert(name);
    nodes.pop_back();
  }
  push(std::move(nodes), loop.depth);
  return okStatus();
}

/// Leaves a loop to run time.
Status Resolver::leaveLoop(Unrolled &loop) {
  if (loop.isScan && normalizeScan(loop))
    return okStatus();
  for (int i = 0; i < loop.node.node->input_size(); ++i)
    loop.node.wanted.insert(i);
  if (loop.node.problem.empty())
    MTC_RETURN_IF_ERROR(resolveRegion(loop.node, loop.depth));
  checkOutputs(loop.node);
  for (const std::string &output : loop.node.node->output())
    defined.insert(output);
  entry->nodes.push_back(loop.node);
  return okStatus();
}

/// A Scan of opset 8 is one Scan for each element of its batch.
Status Resolver::resolveBatchedScan(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  auto dims = node.input_size() ? entry->staticDims(node.input(0)) : std::nullopt;
  if (!dims || dims->empty()) {
    if (!result.unresolved)
      return error(result, "its first input has no batch dimension");
    entry->nodes.push_back(result);
    return okStatus();
  }
  int64_t batch = dims->front();
  std::string prefix = "scan" + std::to_string(++budget.expansions) + ".";
  std::vector<onnx::NodeProto> nodes;
  std::vector<std::vector<std::string>> parts(node.output_size());
  for (int64_t b = 0; b < batch; ++b) {
    if (++budget.unrolledNodes > limits.maxUnrolledNodes) {
      result.problem =
          "its batch is more than " + std::to_string(limits.maxUnrolledNodes) + " nodes";
      entry->nodes.push_back(result);
      return okStatus();
    }
    std::string each = prefix + std::to_string(b) + ".";
    std::string name = result.name + "[" + std::to_string(b) + "]";
    onnx::NodeProto scan = node;
    scan.clear_domain();
    scan.set_name(name);
    for (int i = 0; i < node.input_size(); ++i) {
      auto shape = entry->staticDims(node.input(i));
      if (shape && (shape->empty() || shape->front() != batch))
        return error(result, "its inputs have no common batch dimension");
      scan.set_input(i, each + "in" + std::to_string(i));
      pushElement(nodes, name, node.input(i), 0, b, scan.input(i));
    }
    for (int i = 0; i < node.output_size(); ++i)
      scan.set_output(i, each + "out" + std::to_string(i));
    nodes.push_back(scan);
    std::string axes = defineInts(prefix + "axes", {0});
    for (int i = 0; i < node.output_size(); ++i) {
      parts[i].push_back(each + "part" + std::to_string(i));
      nodes.push_back(makeNode("Unsqueeze", name, {scan.output(i), axes}, {parts[i].back()}));
    }
  }
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty()) {
      nodes.push_back(makeNode("Concat", result.name, parts[i], {node.output(i)}));
      setInt(nodes.back(), "axis", 0);
    }
  push(std::move(nodes), pending.depth + 1);
  return okStatus();
}

StatusOr<bool> Resolver::resolveControlFlow(const Pending &pending, ResolvedNode &result) {
  const std::string &op = pending.node->op_type();
  if (op == "If")
    return resolveIf(pending, result);
  if (op == "Loop")
    return resolveLoop(pending, result);
  if (op == "Scan")
    return resolveScan(pending, result);
  return resolveSequence(pending, result);
}

} // namespace mtc::onnx_import
