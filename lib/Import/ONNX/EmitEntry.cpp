//===- EmitEntry.cpp - an entry from its resolved nodes -------------------===//
#include "EmitEntry.h"

#include "Compact.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

class Emitter {
public:
  Emitter(mt::TenantOp tenant, const ResolvedEntry &resolved, const Opsets &opsets,
          WeightTable &weights, std::vector<ResolvedNode> &rejected)
      : resolved(resolved), opsets(opsets), weights(weights), rejected(rejected),
        b(tenant.getLoc(), tenant.getContext()), tenant(tenant) {}

  /// Emits the entry behind all others, or a body before the entry it belongs to.
  Status run(const std::string &name, mt::EntryOp before = {});

private:
  RankedTensorType typeOf(const std::string &value) {
    return RankedTensorType::get(*resolved.staticDims(value),
                                 elementType(resolved.typeOf(value), b.getContext()));
  }
  StatusOr<Value> valueOf(const std::string &name);
  Value getWeight(mt::WeightOp weight);
  Status packBounded(const std::string &output, Value &value);
  Status emitNode(const ResolvedNode &node);
  Status callHandler(const ResolvedNode &node);
  Status emitRegion(const ResolvedNode &node);
  std::optional<SmallTensor> constantInput(const onnx::NodeProto &node, unsigned i);

  const ResolvedEntry &resolved;
  const Opsets &opsets;
  WeightTable &weights;
  std::vector<ResolvedNode> &rejected;
  ImplicitLocOpBuilder b;
  mt::TenantOp tenant;
  mt::EntryOp entry;
  int number = 0; ///< of bodies so far
  std::unordered_map<std::string, Value> values;
  llvm::DenseMap<Operation *, Value> loaded; ///< weights that have a value in this entry
  Status failure;                            ///< of a callback
};

Value Emitter::getWeight(mt::WeightOp weight) {
  Value &value = loaded[weight];
  if (!value)
    value = mt::GetWeightOp::create(b, weight.getTensorType(),
                                    FlatSymbolRefAttr::get(weight.getSymNameAttr()));
  return value;
}

StatusOr<Value> Emitter::valueOf(const std::string &name) {
  if (auto it = values.find(name); it != values.end())
    return it->second;
  auto constant = resolved.constants.find(name);
  if (constant == resolved.constants.end())
    return internalError("value '" + name + "' has not been computed");
  if (RankedTensorType type = typeOf(name); type.getNumElements() == 0)
    return Value(tensor::EmptyOp::create(b, type.getShape(), type.getElementType()));
  MTC_ASSIGN_OR_RETURN(mt::WeightOp weight, weights.get(*constant->second, name));
  Value value = getWeight(weight);
  if (value.getType() == typeOf(name))
    return value;
  value = unpackBits(b, value, typeOf(name), elementBits(resolved.typeOf(name)),
                     !isUnsignedType(resolved.typeOf(name)) &&
                         subByteIntegerBits(resolved.typeOf(name)));
  return values[name] = value;
}

std::optional<SmallTensor> Emitter::constantInput(const onnx::NodeProto &node, unsigned i) {
  if (i >= static_cast<unsigned>(node.input_size()))
    return std::nullopt;
  auto it = resolved.constants.find(node.input(static_cast<int>(i)));
  return it == resolved.constants.end() ? std::nullopt : decodeSmall(*it->second);
}

Status Emitter::callHandler(const ResolvedNode &resolvedNode) {
  const onnx::NodeProto &node = *resolvedNode.node;
  SmallVector<Value> inputs;
  SmallVector<int32_t> inputTypes, outputTypes;
  SmallVector<RankedTensorType> resultTypes;
  for (const std::string &input : node.input()) {
    inputs.push_back({});
    inputTypes.push_back(input.empty() ? 0 : resolved.typeOf(input));
    if (input.empty() || llvm::is_contained(*resolved.staticDims(input), 0))
      continue; // absent, or an empty constant that only constantInts can see
    MTC_ASSIGN_OR_RETURN(inputs.back(), valueOf(input));
  }
  for (const std::string &output : node.output()) {
    resultTypes.push_back(output.empty() ? RankedTensorType() : typeOf(output));
    outputTypes.push_back(output.empty() ? 0 : resolved.typeOf(output));
  }
  int64_t opset = opsets.canonical.at(resolvedNode.domain);
  NodeContext context{b, node, opset, inputs, inputTypes, resultTypes, outputTypes, {}, {}, {}, {}};
  std::set<int> wanted;
  context.constantIntsOf = [&](unsigned i) -> std::optional<SmallVector<int64_t>> {
    std::optional<SmallTensor> value = constantInput(node, i);
    if (!value)
      wanted.insert(static_cast<int>(i));
    if (!value || value->isFloat())
      return std::nullopt;
    return SmallVector<int64_t>(value->ints.begin(), value->ints.end());
  };
  context.constantFloatsOf = [&](unsigned i) -> std::optional<SmallVector<double>> {
    std::optional<SmallTensor> value = constantInput(node, i);
    if (!value)
      wanted.insert(static_cast<int>(i));
    if (!value || !value->isFloat())
      return std::nullopt;
    return SmallVector<double>(value->floats.begin(), value->floats.end());
  };
  context.makeConstant = [&](DenseElementsAttr value) {
    auto weight = weights.get(value, "constant");
    if (weight.ok())
      return getWeight(*weight);
    failure = weight.status();
    return Value(tensor::EmptyOp::create(b, cast<RankedTensorType>(value.getType()).getShape(),
                                         value.getElementType()));
  };

  Results results = findOp(resolvedNode.domain, node.op_type(), opset)->handler(context);
  MTC_RETURN_IF_ERROR(failure);
  if (mlir::failed(results)) {
    rejected.push_back(resolvedNode);
    rejected.back().wanted = wanted;
    rejected.back().problem = context.rejection.empty() ? "not supported" : context.rejection;
    results = SmallVector<Value>();
    // Something to go on with, so that all such nodes are reported at once.
    for (RankedTensorType type : resultTypes)
      results->push_back(
          type ? Value(tensor::EmptyOp::create(b, type.getShape(), type.getElementType()))
               : Value());
  }
  for (int i = 0; i < node.output_size(); ++i) {
    if (node.output(i).empty())
      continue;
    if (resolved.constants.count(node.output(i))) { // without elements: nobody reads it
      Operation *op = (*results)[i] ? (*results)[i].getDefiningOp() : nullptr;
      if (op && isOpTriviallyDead(op))
        op->erase();
      continue;
    }
    if (static_cast<size_t>(i) >= results->size() || !(*results)[i] ||
        (*results)[i].getType() != resultTypes[i]) {
      std::string text;
      llvm::raw_string_ostream os(text);
      os << "node '" << resolvedNode.name << "': its inputs do not fit together: output " << i
         << " would be ";
      if (static_cast<size_t>(i) < results->size() && (*results)[i])
        os << (*results)[i].getType();
      else
        os << "absent";
      os << " instead of " << resultTypes[i];
      return invalidInput(text);
    }
    values[node.output(i)] = (*results)[i];
  }
  return okStatus();
}

Status Emitter::emitNode(const ResolvedNode &node) {
  b.setLoc(NameLoc::get(b.getStringAttr(node.name)));
  if (node.domain.empty() && node.node->op_type() == "Identity") {
    MTC_ASSIGN_OR_RETURN(values[node.node->output(0)], valueOf(node.node->input(0)));
    return okStatus();
  }
  return node.region ? emitRegion(node) : callHandler(node);
}

/// Callers get the elements of a bounded tensor one after the other.
Status Emitter::packBounded(const std::string &output, Value &value) {
  auto bounded = resolved.bounded.find(output);
  if (bounded == resolved.bounded.end())
    return okStatus();
  RankedTensorType type = typeOf(output);
  int64_t dim = bounded->second.dim, most = type.getDimSize(dim);
  int64_t before = elementCount(type.getShape().take_front(dim));
  if (before == 1)
    return okStatus();
  MTC_ASSIGN_OR_RETURN(Value extent, valueOf(bounded->second.extent));
  int64_t behind = type.getNumElements() / (before * most);
  value = moveTogether(b, reshape(b, value, {before, most, behind}), extent);
  value = reshape(b, value, type.getShape());
  return okStatus();
}

Status Emitter::emitRegion(const ResolvedNode &node) {
  const ResolvedRegion &region = *node.region;
  SmallVector<Attribute> bodies;
  for (const auto &body : region.bodies) {
    std::string name = (entry.getSymName() + "." + Twine(number++)).str();
    MTC_RETURN_IF_ERROR(Emitter(tenant, *body, opsets, weights, rejected).run(name, entry));
    bodies.push_back(FlatSymbolRefAttr::get(b.getContext(), name));
  }
  SmallVector<Value> operands;
  for (const std::string &name : region.operands) {
    MTC_ASSIGN_OR_RETURN(Value operand, valueOf(name));
    operands.push_back(operand);
  }
  ArrayRef<Value> rest(operands);
  Value trips = region.isLoop ? rest.front() : Value();
  rest = rest.drop_front(region.isLoop ? 1 : 0);
  Value condition = rest.front();
  rest = rest.drop_front();
  SmallVector<Type> types;
  for (const std::string &result : region.results)
    types.push_back(typeOf(result));
  auto kind = region.isLoop ? mt::RegionKind::Loop : mt::RegionKind::If;
  auto op = mt::RegionTaskOp::create(
      b, types, 0, kind, b.getArrayAttr(bodies), region.maxTrips,
      region.isLoop ? region.expected : 1, condition, trips, rest.take_front(region.carried),
      rest.slice(region.carried, region.scanned), rest.drop_front(region.carried + region.scanned));
  for (auto [name, value] : llvm::zip(region.results, op.getResults()))
    values[name] = value;
  return okStatus();
}

Status Emitter::run(const std::string &name, mt::EntryOp before) {
  SmallVector<Type> arguments, results;
  SmallVector<Attribute> argumentAttrs, resultAttrs;
  auto describe = [&](const std::string &value) {
    return NamedAttrList({b.getNamedAttr("mt.name", b.getStringAttr(value)),
                          b.getNamedAttr("mt.element_type",
                                         b.getStringAttr(callerTypeName(resolved.typeOf(value))))});
  };
  for (const BoundInput &input : resolved.inputs) {
    arguments.push_back(typeOf(input.name));
    NamedAttrList attrs = describe(input.name);
    if (input.value)
      attrs.append("mt.value", DenseElementsAttr::getFromRawBuffer(
                                   cast<ShapedType>(arguments.back()), input.value->raw_data()));
    if (input.pad)
      attrs.append("mt.pad", DenseElementsAttr::getFromRawBuffer(
                                 RankedTensorType::get(
                                     {}, cast<ShapedType>(arguments.back()).getElementType()),
                                 input.pad->raw_data()));
    argumentAttrs.push_back(attrs.getDictionary(b.getContext()));
  }
  for (const std::string &output : resolved.outputs) {
    results.push_back(typeOf(output));
    NamedAttrList attrs = describe(output);
    if (auto it = resolved.bounded.find(output); it != resolved.bounded.end())
      attrs.append(
          "mt.extent",
          b.getDenseI64ArrayAttr({it->second.dim, llvm::find(resolved.outputs, it->second.extent) -
                                                      resolved.outputs.begin()}));
    if (auto it = resolved.follows.find(output); it != resolved.follows.end())
      attrs.append("mt.follows", b.getDenseI64ArrayAttr(it->second));
    resultAttrs.push_back(attrs.getDictionary(b.getContext()));
  }
  if (before)
    b.setInsertionPoint(before);
  else
    b.setInsertionPointToEnd(&tenant.getBody().front());
  entry = mt::EntryOp::create(b, name, b.getFunctionType(arguments, results));
  entry.setArgAttrsAttr(b.getArrayAttr(argumentAttrs));
  entry.setResAttrsAttr(b.getArrayAttr(resultAttrs));
  entry.setIsBody(static_cast<bool>(before));
  Block &body = entry.getBody().front();
  b.setInsertionPointToStart(&body);
  for (auto [input, argument] : llvm::zip(resolved.inputs, body.getArguments()))
    if (!input.value) // a known value is a constant, and nothing reads the argument
      values[input.name] = argument;
  for (const ResolvedNode &node : resolved.nodes)
    MTC_RETURN_IF_ERROR(emitNode(node));
  SmallVector<Value> returned;
  for (const std::string &output : resolved.outputs) {
    MTC_ASSIGN_OR_RETURN(Value value, valueOf(output));
    MTC_RETURN_IF_ERROR(packBounded(output, value));
    returned.push_back(value);
  }
  b.setLoc(tenant.getLoc());
  mt::ReturnOp::create(b, returned);
  for (auto [weight, value] : loaded)
    if (value.use_empty())
      value.getDefiningOp()->erase();
  return okStatus();
}

} // namespace

Status emitEntry(mt::TenantOp tenant, const std::string &name, const ResolvedEntry &resolved,
                 const Opsets &opsets, WeightTable &weights, std::vector<ResolvedNode> &rejected) {
  return Emitter(tenant, resolved, opsets, weights, rejected).run(name);
}

} // namespace mtc::onnx_import
