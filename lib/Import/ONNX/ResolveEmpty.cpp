//===- ResolveEmpty.cpp - tensors without elements ------------------------===//
//
// A tensor without elements has only one value, so it is a constant, and no kernel ever sees one. A
// node that reads such a tensor as data and still has results computes something simpler: the
// neutral element of a sum over nothing, the other parts of a Concat. Values of reductions over
// empty sets: https://onnx.ai/onnx/operators/onnx__ReduceMax.html and its siblings.
//
//===----------------------------------------------------------------------===//
#include "Resolver.h"

#include "llvm/ADT/StringSwitch.h"

using T = onnx::TensorProto;

namespace mtc::onnx_import {
namespace {

/// Whether an operator reads a list at this input, which may be empty: axes, a shape, regions.
bool readsList(llvm::StringRef op, int input) {
  if (op.starts_with("Reduce") || op == "Squeeze" || op == "Unsqueeze" || op == "Reshape" ||
      op == "Expand" || op == "Tile" || op == "Split" || op == "Upsample" || op == "CenterCropPad")
    return input == 1;
  if (op == "ConstantOfShape")
    return input == 0;
  if (op == "Slice" || op == "Resize")
    return input >= 1;
  return op == "Pad" && (input == 1 || input == 3);
}

/// The least (or greatest) number of an element type; nullopt if it has none.
std::optional<SmallTensor> endOf(int32_t type, bool least) {
  SmallTensor end{type, {}, {}, {}};
  if (end.isFloat()) {
    end.floats = {least ? -INFINITY : INFINITY};
    return end;
  }
  unsigned bits = elementBits(type);
  bool isSigned = type == T::INT8 || type == T::INT16 || type == T::INT32 || type == T::INT64;
  if (bits == 0 || type == T::BOOL)
    end.ints = {!least};
  else if (isSigned)
    end.ints = {least ? llvm::minIntN(bits) : llvm::maxIntN(bits)};
  else
    end.ints = {least ? 0 : static_cast<int64_t>(llvm::maxUIntN(bits))};
  return end;
}

/// What an operator gives that combines no elements at all; nullopt if that is not defined.
std::optional<SmallTensor> neutralElement(llvm::StringRef op, int32_t type) {
  SmallTensor number{type, {}, {0}, {0.0}};
  if (op == "ReduceMax" || op == "ReduceMin")
    return endOf(type, op == "ReduceMax");
  if (op == "ReduceLogSum" || op == "ReduceLogSumExp")
    return number.isFloat() ? endOf(type, true) : std::nullopt;
  if (op == "ReduceProd")
    number.ints = {1}, number.floats = {1.0};
  else if (op != "ReduceSum" && op != "ReduceL1" && op != "ReduceL2" && op != "ReduceSumSquare" &&
           op != "MatMul" && op != "MatMulInteger" && op != "Einsum" && op != "Gemm" && op != "Pad")
    return std::nullopt;
  return number;
}

} // namespace

/// The nodes that compute what `node` computes when one of its inputs has no elements; none if
/// there are no such nodes.
std::vector<onnx::NodeProto> Resolver::withoutEmptyInput(const onnx::NodeProto &node, int empty) {
  llvm::StringRef op = node.op_type();
  const std::string &output = node.output(0);
  llvm::SmallVector<int64_t> dims = *entry->staticDims(output);
  auto isEmpty = [&](const std::string &value) {
    return llvm::is_contained(*entry->staticDims(value), 0);
  };
  std::string prefix;
  do
    prefix = "empty" + std::to_string(++budget.expansions) + ".";
  while (defined.count(prefix + "shape"));
  auto shape = [&] { return defineInts(prefix + "shape", {dims.begin(), dims.end()}); };
  auto given = [&](int input) { return node.input_size() > input && !node.input(input).empty(); };
  auto attribute = [&](const char *name) {
    auto it = llvm::find_if(node.attribute(), [&](const auto &a) { return a.name() == name; });
    return it == node.attribute().end() ? nullptr : &*it;
  };

  if (op == "Concat") {
    onnx::NodeProto shorter = node;
    shorter.clear_input();
    for (const std::string &input : node.input())
      if (!isEmpty(input))
        shorter.add_input(input);
    return {shorter};
  }
  if (op == "CastLike" && empty == 1) {
    onnx::NodeProto cast = makeNode("Cast", node.name(), {node.input(0)}, {output});
    setInt(cast, "to", entry->typeOf(output));
    for (const onnx::AttributeProto &a : node.attribute())
      *cast.add_attribute() = a;
    return {cast};
  }
  if (op == "Scatter" || op == "ScatterElements" || op == "ScatterND" || op == "TensorScatter")
    return empty > 0 ? std::vector{makeNode("Identity", node.name(), {node.input(0)}, {output})}
                     : std::vector<onnx::NodeProto>();
  if (op == "Pad") {
    if (const auto *mode = attribute("mode"); empty != 0 || (mode && mode->s() != "constant"))
      return {};
    if (given(2))
      return {makeNode("Expand", node.name(), {node.input(2), shape()}, {output})};
  }
  if (op == "Gemm" && given(2)) {
    const auto *beta = attribute("beta");
    SmallTensor factor{entry->typeOf(output), {}, {}, {beta ? double(beta->f()) : 1.0}};
    factor.ints = {static_cast<int64_t>(factor.floats[0])};
    if (!factor.isFloat() && static_cast<double>(factor.ints[0]) != factor.floats[0])
      return {};
    const std::string scaled = prefix + "scaled";
    return {makeNode("Mul", node.name(), {node.input(2), defineConstant(prefix + "beta", factor)},
                     {scaled}),
            makeNode("Expand", node.name(), {scaled, shape()}, {output})};
  }
  std::optional<SmallTensor> number = neutralElement(op, entry->typeOf(output));
  if (!number || node.output_size() != 1)
    return {};
  onnx::NodeProto fill = makeNode("ConstantOfShape", node.name(), {shape()}, {output});
  number->dims = {1};
  onnx::AttributeProto &value = *fill.add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  *value.mutable_t() = encodeSmall(*number);
  return {fill};
}

/// Makes outputs without elements constants. Done with the node if it has no others, or if it reads
/// a tensor without elements and becomes something simpler; else such a tensor is its problem.
bool Resolver::resolveEmpty(const Pending &pending, ResolvedNode &result) {
  const onnx::NodeProto &node = *pending.node;
  bool hasElements = false;
  for (const std::string &output : node.output()) {
    if (output.empty())
      continue;
    auto dims = entry->staticDims(output);
    bool isEmpty = dims && llvm::is_contained(*dims, 0) && callerTypeName(entry->typeOf(output));
    hasElements |= !isEmpty;
    if (isEmpty && dims->size() <= static_cast<size_t>(limits.maxRank))
      setConstant(output, encodeSmall({entry->typeOf(output), *dims, {}, {}}));
  }
  if (!hasElements)
    return true;
  for (int i = 0; i < node.input_size(); ++i) {
    auto dims = entry->staticDims(node.input(i));
    if (!dims || !llvm::is_contained(*dims, 0) ||
        (result.domain.empty() && readsList(node.op_type(), i)))
      continue;
    std::vector<onnx::NodeProto> nodes;
    if (result.domain.empty() && llvm::all_of(node.output(), [&](const std::string &output) {
          return entry->staticDims(output).has_value();
        }))
      nodes = withoutEmptyInput(node, i);
    if (!nodes.empty()) {
      push(std::move(nodes), pending.depth + 1);
      return true;
    }
    result.problem = "its input '" + node.input(i) + "' has no elements";
  }
  return false;
}

} // namespace mtc::onnx_import
