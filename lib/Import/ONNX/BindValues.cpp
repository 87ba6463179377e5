//===- BindValues.cpp - inputs whose values are known ---------------------===//
//
// Numbers are written without a type; the input's decides what they mean, and one that it cannot
// hold is an error, never rounded to another integer.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

using llvm::Twine;
using T = onnx::TensorProto;

namespace mtc::onnx_import {
namespace {

std::string shapeText(llvm::ArrayRef<int64_t> dims) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "[";
  llvm::interleaveComma(dims, os);
  os << "]";
  return text;
}

const llvm::fltSemantics *floatSemantics(int32_t type) {
  switch (type) {
  case T::FLOAT:
    return &llvm::APFloat::IEEEsingle();
  case T::DOUBLE:
    return &llvm::APFloat::IEEEdouble();
  case T::FLOAT16:
    return &llvm::APFloat::IEEEhalf();
  case T::BFLOAT16:
    return &llvm::APFloat::BFloat();
  default:
    return nullptr;
  }
}

bool isSigned(int32_t type) {
  return type == T::INT8 || type == T::INT16 || type == T::INT32 || type == T::INT64;
}

/// The bits of a number in a type of `elementBits`; nullopt if it is none of the type.
std::optional<uint64_t> parseNumber(int32_t type, llvm::StringRef text) {
  if (const llvm::fltSemantics *semantics = floatSemantics(type)) {
    llvm::APFloat value(*semantics);
    auto parsed = value.convertFromString(text, llvm::APFloat::rmNearestTiesToEven);
    if (!parsed) {
      llvm::consumeError(parsed.takeError());
      return std::nullopt;
    }
    if (*parsed & llvm::APFloat::opOverflow)
      return std::nullopt;
    return value.bitcastToAPInt().getZExtValue();
  }
  if (type == T::BOOL) {
    if (text != "true" && text != "1" && text != "false" && text != "0")
      return std::nullopt;
    return text == "true" || text == "1";
  }
  unsigned bits = elementBits(type);
  if (isSigned(type)) {
    int64_t value = 0;
    if (text.getAsInteger(10, value) || !llvm::isIntN(bits, value))
      return std::nullopt;
    return static_cast<uint64_t>(value);
  }
  uint64_t value = 0;
  if (text.getAsInteger(10, value) || !llvm::isUIntN(bits, value))
    return std::nullopt;
  return value;
}

bool hasNumbers(int32_t type) {
  return floatSemantics(type) || isSigned(type) || type == T::BOOL || type == T::UINT8 ||
         type == T::UINT16 || type == T::UINT32 || type == T::UINT64;
}

} // namespace

std::optional<std::vector<int64_t>> shapeOfValue(const InputValue &value,
                                                 const onnx::TypeProto_Tensor &type) {
  if (value.tensor)
    return value.tensor->shape;
  if (type.has_shape() && type.shape().dim_size() != 1)
    return std::nullopt;
  return std::vector<int64_t>{static_cast<int64_t>(value.numbers.size())};
}

StatusOr<T> bindValue(const BoundInput &input, const InputValue &value) {
  auto error = [&](const Twine &message) {
    return invalidInput(("the value of input '" + Twine(input.name) + "' " + message).str());
  };
  const char *typeName = callerTypeName(input.type);
  std::optional<int64_t> count = countElements(input.dims, maxFoldedElements);
  if (!count)
    return error("has more than " + Twine(maxFoldedElements) + " elements");
  T tensor;
  tensor.set_data_type(input.type);
  for (int64_t dim : input.dims)
    tensor.add_dims(dim);
  std::string &raw = *tensor.mutable_raw_data();

  if (elementBits(input.type) < 8 && *count > 0)
    return unsupported(error("cannot be known: type " + Twine(typeName)).message());
  if (value.tensor) {
    const NpyArray &given = *value.tensor;
    const ElementType wanted = *parseElementType(typeName);
    if (given.type != wanted && given.type != elementTypeInfo(wanted).storage)
      return error("is of type " + Twine(elementTypeName(given.type)) + ", the input of type " +
                   typeName);
    if (llvm::ArrayRef<int64_t>(given.shape) != llvm::ArrayRef<int64_t>(input.dims))
      return error("has shape " + shapeText(given.shape) + ", the input " + shapeText(input.dims));
    raw.assign(given.bytes.begin(), given.bytes.end());
  } else {
    if (!hasNumbers(input.type) && *count > 0)
      return unsupported(error("has to come from a file: numbers of type " + Twine(typeName) +
                               " cannot be written")
                             .message());
    if (static_cast<int64_t>(value.numbers.size()) != *count)
      return error("has " + Twine(value.numbers.size()) + " elements, the input's shape " +
                   shapeText(input.dims) + " " + Twine(*count));
    for (const std::string &text : value.numbers) {
      std::optional<uint64_t> bits = parseNumber(input.type, text);
      if (!bits)
        return error("holds '" + Twine(text) + "', which is no " + typeName);
      for (unsigned byte = 0; byte < elementBits(input.type) / 8; ++byte)
        raw += static_cast<char>(*bits >> 8 * byte);
    }
  }
  if (input.type == T::BOOL && llvm::any_of(raw, [](uint8_t byte) { return byte > 1; }))
    return error("is of type bool but holds other bytes than 0 and 1");
  return tensor;
}

} // namespace mtc::onnx_import
