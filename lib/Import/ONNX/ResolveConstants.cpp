//===- ResolveConstants.cpp - values known when compiling -----------------===//
#include "Resolver.h"

namespace mtc::onnx_import {

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
    if (!value || !isFoldable(value->type))
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
    budget.foldedBytes += static_cast<int64_t>(tensor.raw_data().size());
    setConstant(node.output(i), std::move(tensor));
  }
  return true;
}

} // namespace mtc::onnx_import
