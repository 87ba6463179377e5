//===- BindShapes.cpp - a value for every dim of every input --------------===//
//
// In the order of trust: what the model fixes, the shape given for the input, the value given for
// the dim's name, the value that another input's shape gave this name. Everything that is left is
// reported at once, each with the flag that binds it.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

using Dim = onnx::TensorShapeProto_Dimension;

/// Exporters write -1 for a free dim, too.
bool isFixed(const Dim &dim) { return dim.has_dim_value() && dim.dim_value() >= 0; }

/// Whether `--dim NAME=1` can name it: exporters also write "-1" and "?".
bool isNameable(llvm::StringRef name) {
  if (name.empty() || !(llvm::isAlpha(name.front()) || name.front() == '_'))
    return false;
  return llvm::all_of(name, [](char c) { return llvm::isPrint(c) && c != '=' && c != ','; });
}

std::string quotedList(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

class Binder {
public:
  Binder(const std::string &tenant, const EntryBinding &binding, const ImportLimits &limits)
      : tenant(tenant), binding(binding), limits(limits) {}

  void addInput(const onnx::ValueInfoProto &value);
  Status checkNames();
  /// An input that is a sequence or an optional, as what the binding says it holds.
  Status addList(const onnx::ValueInfoProto &value);
  StatusOr<BoundInputs> bind();

private:
  Status applyShape(const onnx::ValueInfoProto &value);
  StatusOr<BoundInput> bindInput(const onnx::ValueInfoProto &value);
  Status bindPad(BoundInput &input, const onnx::ValueInfoProto &declared);
  Status error(const Twine &message) const { return invalidInput((tenant + ": " + message).str()); }

  const std::string &tenant;
  const EntryBinding &binding;
  const ImportLimits &limits;
  std::vector<const onnx::ValueInfoProto *> inputs;
  std::map<std::string, int64_t> dims; ///< by name, given or taken from a given shape
  std::map<std::string, std::vector<int64_t>> shapes; ///< given, or those of given values
  std::vector<std::string> lists;                     ///< names of sequences and optionals
  std::deque<onnx::ValueInfoProto> elements;
  std::map<std::string, int64_t> sequences;
  std::set<std::string> absent;
  std::string unbound; ///< a line for all that is
};

void Binder::addInput(const onnx::ValueInfoProto &value) { inputs.push_back(&value); }

Status Binder::addList(const onnx::ValueInfoProto &value) {
  const std::string &name = value.name();
  const onnx::TypeProto *type = &value.type();
  bool isOptional = type->has_optional_type(), isEmpty = binding.absent.count(name);
  if (isOptional)
    type = &type->optional_type().elem_type();
  bool isSequence = type->has_sequence_type();
  if (isSequence)
    type = &type->sequence_type().elem_type();
  if (!type->has_tensor_type() || !callerTypeName(type->tensor_type().elem_type()))
    return unsupported(tenant + ": input '" + name + "' is " + describeType(value.type()));
  lists.push_back(name);
  if (isEmpty && isOptional) {
    absent.insert(name);
  } else if (!isSequence) {
    elements.emplace_back().set_name(name);
    *elements.back().mutable_type() = *type;
    addInput(elements.back());
  } else {
    int64_t &length = sequences[name];
    for (; binding.shapes.count(elementName(name, length)); ++length) {
      // What the model says of the elements' shape need not hold for any of them.
      elements.emplace_back().set_name(elementName(name, length));
      elements.back().mutable_type()->mutable_tensor_type()->set_elem_type(
          type->tensor_type().elem_type());
      addInput(elements.back());
    }
    if (length == 0 && !isEmpty)
      unbound +=
          (unbound.empty() ? "" : "\n") +
          (tenant + ": input '" + name + "' is a sequence, its length unbound; add --shapes " +
           tenant + "/" + elementName(name, 0) + ":DIMS for each element, or " + tenant + "/" +
           name + ":none");
    else if (length != 0 && isEmpty)
      return error("input '" + name + "' is both none and has elements");
  }
  return okStatus();
}

Status Binder::checkNames() {
  std::vector<std::string> inputNames, dimNames;
  for (const std::string &name : binding.absent)
    if (!llvm::is_contained(lists, name))
      return error("'" + name +
                   "' is no sequence or optional among the inputs, it cannot be none; "
                   "those are " +
                   quotedList(lists));
  for (const auto *value : inputs) {
    inputNames.push_back(value->name());
    for (const Dim &dim : value->type().tensor_type().shape().dim())
      if (!isFixed(dim) && !dim.dim_param().empty() &&
          !llvm::is_contained(dimNames, dim.dim_param()))
        dimNames.push_back(dim.dim_param());
  }
  std::vector<std::string> given;
  for (const auto &[name, shape] : binding.shapes)
    given.push_back(name);
  for (const auto &[name, value] : binding.values)
    given.push_back(name);
  for (const auto &[name, value] : binding.pad)
    given.push_back(name);
  for (const std::string &name : given)
    if (!llvm::is_contained(inputNames, name))
      return error("no input '" + name + "'; inputs are " + quotedList(inputNames));
  for (const auto &[name, size] : binding.dims) {
    if (!llvm::is_contained(dimNames, name))
      return error("no dim '" + name + "'; dims are " + quotedList(dimNames));
    if (size < 0)
      return error("dim '" + name + "' must be at least 0, got " + Twine(size));
  }
  return okStatus();
}

/// Checks a given shape and learns what it says about named dims.
Status Binder::applyShape(const onnx::ValueInfoProto &value) {
  auto it = shapes.find(value.name());
  if (it == shapes.end())
    return okStatus();
  const auto &type = value.type().tensor_type();
  const std::vector<int64_t> &shape = it->second;
  if (type.has_shape() && type.shape().dim_size() != static_cast<int>(shape.size()))
    return error("input '" + value.name() + "' has " + Twine(type.shape().dim_size()) +
                 " dims in the model, got " + Twine(shape.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0)
      return error("input '" + value.name() + "' dim " + Twine(i) + " must be at least 0, got " +
                   Twine(shape[i]));
    if (!type.has_shape())
      continue;
    const Dim &dim = type.shape().dim(static_cast<int>(i));
    if (isFixed(dim) && dim.dim_value() != shape[i])
      return error("input '" + value.name() + "' dim " + Twine(i) + " is " +
                   Twine(dim.dim_value()) + " in the model, got " + Twine(shape[i]));
    if (isFixed(dim) || !isNameable(dim.dim_param()))
      continue;
    if (auto given = binding.dims.find(dim.dim_param());
        given != binding.dims.end() && given->second != shape[i])
      return error("input '" + value.name() + "' dim " + Twine(i) + " '" + dim.dim_param() +
                   "' is " + Twine(shape[i]) + " by its shape and " + Twine(given->second) +
                   " by its name");
    dims.emplace(dim.dim_param(), shape[i]);
  }
  return okStatus();
}

StatusOr<BoundInput> Binder::bindInput(const onnx::ValueInfoProto &value) {
  const auto &type = value.type().tensor_type();
  BoundInput input{value.name(), type.elem_type(), {}, std::nullopt};
  auto shape = shapes.find(value.name());
  if (shape != shapes.end()) {
    input.dims.assign(shape->second.begin(), shape->second.end());
    return input;
  }
  auto missing = [&](const Twine &what, const Twine &flag) {
    unbound += (unbound.empty() ? "" : "\n") +
               (tenant + ": input '" + value.name() + "' " + what + " unbound; add " + flag).str();
  };
  const std::string flag = "--shapes " + tenant + "/" + value.name() + ":";
  if (!type.has_shape()) {
    missing("shape", flag + "DIMS");
    return input;
  }
  std::string example; // the whole shape, with 1 for what is free
  for (const Dim &dim : type.shape().dim()) {
    auto known = dims.find(dim.dim_param());
    int64_t size = isFixed(dim) ? dim.dim_value() : known != dims.end() ? known->second : 1;
    example += (example.empty() ? "" : "x") + std::to_string(size);
  }
  for (int i = 0; i < type.shape().dim_size(); ++i) {
    const Dim &dim = type.shape().dim(i);
    if (isFixed(dim)) {
      input.dims.push_back(dim.dim_value());
      continue;
    }
    auto known = dims.find(dim.dim_param());
    input.dims.push_back(known == dims.end() ? 1 : known->second);
    if (known != dims.end())
      continue;
    std::string name = dim.has_dim_value()       ? " '" + std::to_string(dim.dim_value()) + "'"
                       : dim.dim_param().empty() ? ""
                                                 : " '" + dim.dim_param() + "'";
    if (isNameable(dim.dim_param()))
      missing("dim " + Twine(i) + name, "--dim " + tenant + "/" + dim.dim_param() + "=1");
    else
      missing("dim " + Twine(i) + name, flag + example);
  }
  return input;
}

/// What fills an input that callers may give smaller, and the names of its dims.
Status Binder::bindPad(BoundInput &input, const onnx::ValueInfoProto &declared) {
  auto pad = binding.pad.find(input.name);
  if (pad == binding.pad.end())
    return okStatus();
  if (binding.values.count(input.name))
    return error("input '" + input.name + "' has a known value and cannot be padded");
  if (input.dims.empty() || llvm::is_contained(input.dims, 0))
    return error("input '" + input.name +
                 "' has no dim that could be smaller, it cannot be padded");
  auto element = bindValue({input.name, input.type, {}, std::nullopt}, pad->second);
  if (!element.ok())
    return element.status().withContext(tenant + ": pad");
  input.pad = std::move(*element);
  for (const Dim &dim : declared.type().tensor_type().shape().dim())
    input.dimNames.push_back(isFixed(dim) ? "" : dim.dim_param());
  return okStatus();
}

StatusOr<BoundInputs> Binder::bind() {
  MTC_RETURN_IF_ERROR(checkNames());
  dims = binding.dims;
  shapes = binding.shapes;
  for (const auto *input : inputs)
    if (auto value = binding.values.find(input->name()); value != binding.values.end())
      if (auto shape = shapeOfValue(value->second, input->type().tensor_type()))
        shapes.emplace(input->name(), *shape); // bindValue compares it with a given one
  for (const auto *value : inputs)
    MTC_RETURN_IF_ERROR(applyShape(*value));
  BoundInputs bound{{}, sequences, absent};
  for (const auto *value : inputs) {
    MTC_ASSIGN_OR_RETURN(BoundInput input, bindInput(*value));
    if (input.dims.size() > static_cast<size_t>(limits.maxRank))
      return error("input '" + value->name() + "' has " + Twine(input.dims.size()) +
                   " dims, at most " + Twine(limits.maxRank) + " are supported");
    if (!countElements(input.dims, limits.maxElements))
      return error("input '" + value->name() + "' has more than " + Twine(limits.maxElements) +
                   " elements");
    bound.tensors.push_back(std::move(input));
  }
  if (!unbound.empty())
    return invalidInput(unbound);
  for (auto [input, declared] : llvm::zip(bound.tensors, inputs))
    MTC_RETURN_IF_ERROR(bindPad(input, *declared));
  for (BoundInput &input : bound.tensors) {
    auto value = binding.values.find(input.name);
    bool isEmpty = llvm::is_contained(input.dims, 0); // then there is only one value
    if (value == binding.values.end() && !isEmpty)
      continue;
    auto tensor = bindValue(input, value == binding.values.end() ? InputValue() : value->second);
    if (!tensor.ok())
      return tensor.status().withContext(tenant);
    input.value = std::move(*tensor);
  }
  return bound;
}

} // namespace

std::string elementName(const std::string &sequence, int64_t index) {
  return sequence + "/" + std::to_string(index);
}

StatusOr<BoundInputs> bindInputs(const onnx::GraphProto &graph, const std::string &tenant,
                                 const EntryBinding &binding, const ImportLimits &limits) {
  std::set<std::string> initializers;
  for (const onnx::TensorProto &tensor : graph.initializer())
    initializers.insert(tensor.name());
  Binder binder(tenant, binding, limits);
  for (const onnx::ValueInfoProto &value : graph.input()) {
    if (initializers.count(value.name()))
      continue; // a default that callers of old IR versions could override: a constant here
    if (value.type().has_sequence_type() || value.type().has_optional_type()) {
      MTC_RETURN_IF_ERROR(binder.addList(value));
      continue;
    }
    if (!value.type().has_tensor_type() || !callerTypeName(value.type().tensor_type().elem_type()))
      return unsupported(tenant + ": input '" + value.name() + "' is " +
                         describeType(value.type()));
    binder.addInput(value);
  }
  return binder.bind();
}

} // namespace mtc::onnx_import
