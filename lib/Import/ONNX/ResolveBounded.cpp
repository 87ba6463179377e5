//===- ResolveBounded.cpp - sizes that depend on data ---------------------===//
//
// The results of NonZero and its like are as long as their inputs' values say. Such a dim gets its
// most when compiling, and its true extent is a value of its own that the entry returns, too. What
// lies behind the extent means nothing, so a node that reads such a tensor is compiled only if
// nothing of it can reach what lies before: `follow` knows these operators. All others are refused.
//
//===----------------------------------------------------------------------===//
#include "Fold.h"
#include "NodeContext.h"
#include "Resolver.h"

#include "llvm/ADT/StringSwitch.h"

using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;
using T = onnx::TensorProto;

namespace mtc::onnx_import {
namespace {

using fold::attribute;
using fold::intAttribute;

/// Activations and casts that are no elementwiseOps().
bool isActivation(StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"Celu", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish"}, true)
      .Cases({"Relu", "Selu", "Shrink", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh"}, true)
      .Cases({"ThresholdedRelu", "Identity", "PRelu"}, true)
      .Default(false);
}

bool isElementwise(StringRef op) {
  return isActivation(op) ||
         llvm::any_of(elementwiseOps(), [&](const OpRow &row) { return op == row.name; });
}

} // namespace

/// Sizes of the outputs of the operators that make such dims: the first has its bound at `dim`.
std::optional<Resolver::Bounds> Resolver::boundsOf(const onnx::NodeProto &node) {
  StringRef op = node.op_type();
  auto in = node.input_size() ? entry->staticDims(node.input(0)) : std::nullopt;
  if (!in)
    return std::nullopt;
  std::optional<int64_t> all = countElements(*in, limits.maxElements);
  int64_t rank = static_cast<int64_t>(in->size());
  if (!all)
    return std::nullopt;
  if (op == "NonZero")
    return Bounds{{rank, *all}, 1, {}, 1};
  if (op == "NonMaxSuppression") {
    auto scores = node.input_size() > 1 ? entry->staticDims(node.input(1)) : std::nullopt;
    if (!scores || scores->size() != 3)
      return std::nullopt;
    int64_t boxes = 0; // what an absent number means
    if (node.input_size() > 2 && !node.input(2).empty()) {
      const std::optional<SmallTensor> &most = smallConstant(node.input(2));
      if (!most || most->isFloat() || most->size() != 1)
        return std::nullopt;
      boxes = std::clamp<int64_t>(most->ints[0], 0, (*scores)[2]);
    }
    if (!countElements({(*scores)[0], (*scores)[1], boxes, 3}, limits.maxElements))
      return std::nullopt;
    return Bounds{{(*scores)[0] * (*scores)[1] * boxes, 3}, 0, {}, 1};
  }
  if (op != "Compress" && op != "Unique")
    return std::nullopt;
  Bounds bounds{{*all}, 0, {}, 1};
  if (const onnx::AttributeProto *axis = attribute(node, "axis")) {
    bounds.dim = axis->i() < 0 ? axis->i() + rank : axis->i();
    if (bounds.dim < 0 || bounds.dim >= rank)
      return std::nullopt;
    bounds.shape = *in;
  }
  int64_t &size = bounds.shape[bounds.dim];
  if (op == "Compress") {
    auto condition = entry->staticDims(node.input(1));
    if (!condition || condition->size() != 1)
      return std::nullopt;
    size = std::min(size, condition->front());
    return bounds;
  }
  bounds.lists = {size, size, size};
  bounds.outputs = 4;
  return bounds;
}

/// Gives the outputs of NonZero and its like their bounds, and the node one output more.
void Resolver::boundOutputs(ResolvedNode &result) {
  const onnx::NodeProto &node = *result.node;
  std::optional<Bounds> bounds = boundsOf(node);
  if (node.op_type() == "NonMaxSuppression")
    result.wanted.insert(2);
  if (!bounds || node.output_size() < 1)
    return;
  auto give = [&](const std::string &value, int32_t type, ArrayRef<int64_t> dims) {
    onnx::TypeProto proto;
    proto.mutable_tensor_type()->set_elem_type(type);
    auto *shape = proto.mutable_tensor_type()->mutable_shape();
    for (int64_t dim : dims)
      shape->add_dim()->set_dim_value(dim);
    setType(value, std::move(proto));
  };
  bool isPosition = StringRef(node.op_type()).starts_with("Non");
  if (!node.output(0).empty())
    give(node.output(0), isPosition ? int32_t(T::INT64) : entry->typeOf(node.input(0)),
         bounds->shape);
  for (int i = 1; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      give(node.output(i), T::INT64, {bounds->lists[i - 1]});
  if (llvm::is_contained(bounds->shape, 0))
    return; // there is nothing to count
  const std::string named = node.output(0).empty() ? nameOf(node) : node.output(0);
  std::string extent = named + "/extent";
  while (!defined.insert(extent).second)
    extent += "_";
  give(extent, T::INT64, {});
  onnx::NodeProto &longer = entry->ownedNodes.emplace_back(node);
  while (longer.output_size() < bounds->outputs)
    longer.add_output("");
  longer.add_output(extent);
  result.node = &longer;
  if (!node.output(0).empty())
    entry->bounded[node.output(0)] = {bounds->dim, extent};
  for (int i : {1, 3}) // of Unique: first positions and counts
    if (i < node.output_size() && !node.output(i).empty())
      entry->bounded[node.output(i)] = {0, extent};
}

/// Where the bounded dim of an input is in the output: -1 if it is not there; nullopt if elements
/// behind the extent may matter.
std::optional<int64_t> Resolver::follow(const onnx::NodeProto &node, int input, int64_t dim) {
  StringRef op = node.op_type();
  int64_t rank = static_cast<int64_t>(entry->staticDims(node.input(input))->size());
  auto out = entry->staticDims(node.output(0));
  if (!out)
    return std::nullopt;
  int64_t outRank = static_cast<int64_t>(out->size());
  auto normalized = [](int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; };
  if (isElementwise(op) && (op != "CastLike" || input == 0))
    return dim + outRank - rank;
  if (op == "Transpose") {
    const onnx::AttributeProto *perm = attribute(node, "perm");
    if (!perm)
      return rank - 1 - dim;
    for (int i = 0; i < perm->ints_size(); ++i)
      if (perm->ints(i) == dim)
        return i;
    return std::nullopt;
  }
  if ((op == "Squeeze" || op == "Unsqueeze") && input == 0) {
    if (node.input_size() < 2 || !smallConstant(node.input(1)))
      return std::nullopt;
    std::set<int64_t> axes;
    for (int64_t axis : smallConstant(node.input(1))->ints)
      axes.insert(normalized(axis, std::max(rank, outRank)));
    bool adds = op == "Unsqueeze";
    if (!adds && axes.count(dim))
      return std::nullopt;
    for (int64_t at = 0, from = 0, to = 0; at < std::max(rank, outRank); ++at) {
      bool isOne = axes.count(at);
      if (!(adds && isOne) && from++ == dim)
        return adds ? at : to;
      to += !isOne;
    }
    return std::nullopt;
  }
  if (op == "Reshape" && input == 0) { // the dim keeps its place among the elements, unnamed
    const std::optional<SmallTensor> &shape = smallConstant(node.input(1));
    SmallVector<int64_t> in = *entry->staticDims(node.input(0));
    if (!shape || intAttribute(node, "allowzero", 0))
      return std::nullopt;
    auto behind = [](ArrayRef<int64_t> dims, int64_t at) {
      return *countElements(dims.drop_front(at + 1), INT64_MAX);
    };
    for (int64_t at = 0; at < outRank; ++at)
      if ((*out)[at] == in[dim] && behind(*out, at) == behind(in, dim) &&
          (shape->ints[at] == -1 || (shape->ints[at] == 0 && at == dim)))
        return at;
    return std::nullopt;
  }
  if (op == "Gather") {
    auto data = entry->staticDims(node.input(0)), indices = entry->staticDims(node.input(1));
    int64_t axis = normalized(intAttribute(node, "axis", 0), static_cast<int64_t>(data->size()));
    if (input == 1)
      return axis + dim;
    if (dim == axis)
      return std::nullopt;
    return dim < axis ? dim : dim - 1 + static_cast<int64_t>(indices->size());
  }
  if (op == "GatherND" && input == 1 && intAttribute(node, "batch_dims", 0) == 0 && dim < rank - 1)
    return dim;
  if (op == "Concat")
    return normalized(intAttribute(node, "axis", 0), rank) == dim ? std::nullopt
                                                                  : std::optional(dim);
  if (op == "Slice" && input == 0) {
    std::set<int64_t> axes;
    if (node.input_size() < 4 || node.input(3).empty()) {
      auto starts = entry->staticDims(node.input(1));
      for (int64_t axis = 0; axis < starts->front(); ++axis)
        axes.insert(axis);
    } else if (!smallConstant(node.input(3))) {
      return std::nullopt;
    } else {
      for (int64_t axis : smallConstant(node.input(3))->ints)
        axes.insert(normalized(axis, rank));
    }
    return axes.count(dim) ? std::nullopt : std::optional(dim);
  }
  bool isArg = op == "ArgMax" || op == "ArgMin";
  if ((op.starts_with("Reduce") || isArg) && input == 0) {
    std::set<int64_t> axes;
    if (isArg)
      axes.insert(normalized(intAttribute(node, "axis", 0), rank));
    else if (node.input_size() > 1 && !node.input(1).empty() && smallConstant(node.input(1)))
      for (int64_t axis : smallConstant(node.input(1))->ints)
        axes.insert(normalized(axis, rank));
    if (axes.empty() || axes.count(dim))
      return std::nullopt;
    int64_t before = std::distance(axes.begin(), axes.lower_bound(dim));
    return intAttribute(node, "keepdims", 1) ? dim : dim - before;
  }
  if ((op == "Softmax" || op == "LogSoftmax") && input == 0)
    return normalized(intAttribute(node, "axis", -1), rank) == dim ? std::nullopt
                                                                   : std::optional(dim);
  if (op == "MatMul" && input == 0 && dim < rank - 1 && outRank >= rank)
    return dim + outRank - rank;
  if (op == "Gemm" && input == 0 && dim == 0 && intAttribute(node, "transA", 0) == 0)
    return 0;
  return std::nullopt;
}

/// Finds the bounded dims of a node's outputs, or that they cannot be computed.
void Resolver::followBounds(ResolvedNode &result) {
  const onnx::NodeProto &node = *result.node;
  std::optional<BoundedDim> found;
  bool isOpen = false;
  for (int i = 0; i < node.input_size() && !isOpen; ++i) {
    auto bounded = entry->bounded.find(node.input(i));
    if (bounded == entry->bounded.end())
      continue;
    std::optional<int64_t> dim =
        result.domain.empty() && node.output_size() == 1 && entry->staticDims(node.input(i))
            ? follow(node, i, bounded->second.dim)
            : std::nullopt;
    isOpen = !dim || (found && (found->dim != *dim || found->extent != bounded->second.extent));
    if (dim && *dim >= 0)
      found = BoundedDim{*dim, bounded->second.extent};
  }
  // All others are spread along the dim.
  for (int i = 0; i < node.input_size() && found && !isOpen; ++i) {
    if (node.input(i).empty() || entry->bounded.count(node.input(i)))
      continue;
    auto out = entry->staticDims(node.output(0)), in = entry->staticDims(node.input(i));
    int64_t dim = found->dim - static_cast<int64_t>(out->size()) +
                  (in ? static_cast<int64_t>(in->size()) : 0);
    bool spreads = isElementwise(node.op_type()) && !(node.op_type() == "CastLike" && i == 1);
    isOpen = node.op_type() == "Concat" ||
             (node.op_type() == "Gemm" && i == 2 && in->size() == 2 && (*in)[0] != 1) ||
             (node.op_type() == "MatMul" && in->size() > 2) ||
             (spreads && in && dim >= 0 && (*in)[dim] != 1);
  }
  auto most = [&](const std::string &value, int64_t dim) {
    return (*entry->staticDims(value))[dim];
  };
  if (found && !isOpen) // a bound of one is no dim to spread along
    for (const std::string &input : node.input())
      if (auto it = entry->bounded.find(input); it != entry->bounded.end())
        isOpen |= isElementwise(node.op_type()) &&
                  most(input, it->second.dim) != most(node.output(0), found->dim);
  if (isOpen)
    result.problem = "the size of its input depends on values";
  else if (found)
    entry->bounded[node.output(0)] = *found;
}

bool Resolver::hasBounded(const onnx::NodeProto &node) const {
  return llvm::any_of(node.input(), [&](const std::string &i) { return entry->bounded.count(i); });
}

/// The nodes that compute Shape or Size of a tensor with a bounded dim.
std::vector<onnx::NodeProto> Resolver::shapeOfBounded(const onnx::NodeProto &node) {
  const BoundedDim bounded = entry->bounded.at(node.input(0));
  SmallVector<int64_t> dims = *entry->staticDims(node.input(0));
  std::string prefix = "shape" + std::to_string(++budget.expansions) + ".";
  while (defined.count(prefix + "before"))
    prefix += "_";
  const std::string &output = node.output(0);
  if (node.op_type() == "Size") {
    int64_t others = 1;
    for (int64_t d = 0; d < static_cast<int64_t>(dims.size()); ++d)
      others *= d == bounded.dim ? 1 : dims[d];
    SmallTensor factor{T::INT64, {}, {others}, {}};
    return {makeNode("Mul", node.name(),
                     {bounded.extent, defineConstant(prefix + "others", factor)}, {output})};
  }
  int64_t rank = static_cast<int64_t>(dims.size());
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  int64_t start = clamp(intAttribute(node, "start", 0)),
          end = clamp(intAttribute(node, "end", rank));
  if (bounded.dim < start || bounded.dim >= end) {
    std::vector<int64_t> known;
    for (int64_t d = start; d < end; ++d)
      known.push_back(dims[d]);
    return {makeNode("Identity", node.name(), {defineInts(prefix + "known", known)}, {output})};
  }
  std::vector<onnx::NodeProto> nodes;
  std::vector<std::string> parts;
  auto addKnown = [&](const char *name, int64_t from, int64_t to) {
    if (from < to)
      parts.push_back(defineInts(prefix + name, {dims.begin() + from, dims.begin() + to}));
  };
  addKnown("before", start, bounded.dim);
  const std::string single = prefix + "extent";
  nodes.push_back(makeNode("Unsqueeze", node.name(),
                           {bounded.extent, defineInts(prefix + "axes", {0})}, {single}));
  parts.push_back(single);
  addKnown("after", bounded.dim + 1, end);
  onnx::NodeProto concat = makeNode("Concat", node.name(), parts, {output});
  setInt(concat, "axis", 0);
  nodes.push_back(concat);
  return nodes;
}

} // namespace mtc::onnx_import
