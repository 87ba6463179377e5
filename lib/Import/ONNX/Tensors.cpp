//===- Tensors.cpp - element types and small tensors ----------------------===//
#include "Steps.h"

#include "mtc/Support/ElementType.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/Twine.h"

#include <cstring>

using T = onnx::TensorProto;

namespace mtc::onnx_import {
namespace {

/// `bits` as TensorProto packs them; in the model phase an element has at least a byte.
struct TypeRow {
  int32_t onnx;
  unsigned bits;
  ElementType type;
};

constexpr TypeRow typeRows[] = {
    {T::FLOAT, 32, ElementType::F32},
    {T::DOUBLE, 64, ElementType::F64},
    {T::FLOAT16, 16, ElementType::F16},
    {T::BFLOAT16, 16, ElementType::BF16},
    {T::INT8, 8, ElementType::I8},
    {T::INT16, 16, ElementType::I16},
    {T::INT32, 32, ElementType::I32},
    {T::INT64, 64, ElementType::I64},
    {T::UINT8, 8, ElementType::U8},
    {T::UINT16, 16, ElementType::U16},
    {T::UINT32, 32, ElementType::U32},
    {T::UINT64, 64, ElementType::U64},
    {T::BOOL, 8, ElementType::Bool},
    {T::FLOAT8E4M3FN, 8, ElementType::F8E4M3FN},
    {T::FLOAT8E4M3FNUZ, 8, ElementType::F8E4M3FNUZ},
    {T::FLOAT8E5M2, 8, ElementType::F8E5M2},
    {T::FLOAT8E5M2FNUZ, 8, ElementType::F8E5M2FNUZ},
    {T::FLOAT8E8M0, 8, ElementType::F8E8M0},
    {T::FLOAT6E2M3, 6, ElementType::F6E2M3},
    {T::FLOAT6E3M2, 6, ElementType::F6E3M2},
    {T::FLOAT4E2M1, 4, ElementType::F4E2M1},
    {T::INT4, 4, ElementType::I4},
    {T::UINT4, 4, ElementType::U4},
    {T::INT2, 2, ElementType::I2},
    {T::UINT2, 2, ElementType::U2},
};

const TypeRow *findType(int32_t type) {
  for (const TypeRow &row : typeRows)
    if (row.onnx == type)
      return &row;
  return nullptr;
}

double halfToDouble(uint16_t bits, bool bfloat) {
  llvm::APFloat value(bfloat ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf(),
                      llvm::APInt(16, bits));
  return value.convertToDouble();
}

/// Little-endian elements from a typed field that holds one number each.
template <typename Element, typename Field> std::string pack(const Field &values) {
  std::string bytes(values.size() * sizeof(Element), '\0');
  size_t i = 0;
  for (auto value : values) {
    Element element = static_cast<Element>(value);
    std::memcpy(bytes.data() + i++ * sizeof(Element), &element, sizeof(Element));
  }
  return bytes;
}

template <typename Element, typename Out>
void unpack(const std::string &bytes, std::vector<Out> &out) {
  for (size_t at = 0; at + sizeof(Element) <= bytes.size(); at += sizeof(Element)) {
    Element element;
    std::memcpy(&element, bytes.data() + at, sizeof(Element));
    out.push_back(static_cast<Out>(element));
  }
}

/// One element a byte from elements that lie one after the other, the first in the lowest bits.
/// Integers are extended.
std::string unpackBits(const std::string &packed, int32_t type, unsigned bits, int64_t count) {
  bool isSigned = type == T::INT4 || type == T::INT2;
  std::string bytes;
  for (int64_t i = 0; i < count; ++i) {
    size_t at = i * bits / 8, shift = i * bits % 8;
    unsigned word = static_cast<uint8_t>(packed[at]);
    if (at + 1 < packed.size())
      word |= static_cast<unsigned>(static_cast<uint8_t>(packed[at + 1])) << 8;
    unsigned element = (word >> shift) & ((1u << bits) - 1);
    if (isSigned && element >> (bits - 1))
      element |= ~0u << bits;
    bytes.push_back(static_cast<char>(element));
  }
  return bytes;
}

} // namespace

unsigned elementBits(int32_t type) {
  if (const TypeRow *row = findType(type))
    return row->bits;
  switch (type) {
  case T::COMPLEX64:
    return 64;
  case T::COMPLEX128:
    return 128;
  default:
    return 0;
  }
}

unsigned storedBits(int32_t type, bool raw) {
  bool isFloat6 = type == T::FLOAT6E2M3 || type == T::FLOAT6E3M2;
  return isFloat6 && !raw ? 8 : elementBits(type);
}

uint64_t storedBytes(int32_t type, int64_t elements, bool raw) {
  return (static_cast<uint64_t>(elements) * storedBits(type, raw) + 7) / 8;
}

mlir::Type elementType(int32_t type, mlir::MLIRContext *context) {
  mlir::Builder b(context);
  switch (type) {
  case T::FLOAT:
    return b.getF32Type();
  case T::DOUBLE:
    return b.getF64Type();
  case T::FLOAT16:
    return b.getF16Type();
  case T::BFLOAT16:
    return b.getBF16Type();
  default:
    const TypeRow *row = findType(type);
    return row ? mlir::Type(b.getIntegerType(std::max(8u, row->bits))) : mlir::Type();
  }
}

const char *callerTypeName(int32_t type) {
  const TypeRow *row = findType(type);
  return row ? mtc::elementTypeName(row->type) : nullptr;
}

std::string onnxTypeName(int32_t type) {
  return T::DataType_IsValid(type) ? T::DataType_Name(static_cast<T::DataType>(type))
                                   : std::to_string(type);
}

std::string describeType(const onnx::TypeProto &type) {
  if (type.has_tensor_type())
    return "a tensor of " + onnxTypeName(type.tensor_type().elem_type()) +
           ", which is not supported";
  if (type.has_sequence_type() && type.sequence_type().elem_type().has_tensor_type())
    return "a sequence of " +
           onnxTypeName(type.sequence_type().elem_type().tensor_type().elem_type()) +
           " tensors, which is not supported";
  const char *kind = type.has_sequence_type()        ? "a sequence"
                     : type.has_optional_type()      ? "an optional"
                     : type.has_map_type()           ? "a map"
                     : type.has_sparse_tensor_type() ? "a sparse tensor"
                                                     : "of no type";
  return std::string(kind) + ", not a tensor";
}

std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> dims, int64_t limit) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0)
      return std::nullopt;
    empty |= dim == 0;
    if (dim != 0 && count > limit / dim)
      return std::nullopt;
    count *= std::max<int64_t>(dim, 1);
  }
  return empty ? 0 : count;
}

llvm::ArrayRef<int64_t> dimsOf(const T &tensor) {
  return {tensor.dims().data(), static_cast<size_t>(tensor.dims_size())};
}

std::optional<std::string> inlineTensorBytes(const T &tensor) {
  const TypeRow *row = findType(tensor.data_type());
  std::optional<int64_t> count = countElements(dimsOf(tensor), inlineBytes * maxFoldedElements);
  if (!row || !count || tensor.data_location() == T::EXTERNAL)
    return std::nullopt;
  std::string bytes;
  if (tensor.has_raw_data()) {
    bytes = tensor.raw_data();
  } else {
    switch (tensor.data_type()) {
    case T::FLOAT:
      bytes = pack<float>(tensor.float_data());
      break;
    case T::DOUBLE:
      bytes = pack<double>(tensor.double_data());
      break;
    case T::INT64:
      bytes = pack<int64_t>(tensor.int64_data());
      break;
    case T::UINT64:
      bytes = pack<uint64_t>(tensor.uint64_data());
      break;
    case T::UINT32:
      bytes = pack<uint32_t>(tensor.uint64_data());
      break;
    case T::INT32:
      bytes = pack<int32_t>(tensor.int32_data());
      break;
    default:
      bytes =
          row->bits <= 8 ? pack<uint8_t>(tensor.int32_data()) : pack<uint16_t>(tensor.int32_data());
    }
  }
  if (bytes.size() != storedBytes(tensor.data_type(), *count, tensor.has_raw_data()))
    return std::nullopt;
  bool isPacked = row->bits < 8 && storedBits(tensor.data_type(), tensor.has_raw_data()) < 8;
  return isPacked ? unpackBits(bytes, tensor.data_type(), row->bits, *count) : bytes;
}

bool SmallTensor::isFloat() const {
  return type == T::FLOAT || type == T::DOUBLE || type == T::FLOAT16 || type == T::BFLOAT16;
}

bool isFoldable(int32_t type) {
  const TypeRow *row = findType(type);
  if (!row || row->bits < 8 || type == T::FLOAT16 || type == T::BFLOAT16)
    return false;
  return elementTypeInfo(row->type).storage == row->type;
}

int64_t wrapInteger(int32_t type, int64_t value) {
  switch (type) {
  case T::INT8:
    return static_cast<int8_t>(value);
  case T::INT16:
    return static_cast<int16_t>(value);
  case T::INT32:
    return static_cast<int32_t>(value);
  case T::UINT8:
    return static_cast<uint8_t>(value);
  case T::UINT16:
    return static_cast<uint16_t>(value);
  case T::UINT32:
    return static_cast<uint32_t>(value);
  case T::BOOL:
    return value != 0;
  default:
    return value;
  }
}

std::optional<SmallTensor> decodeSmall(const T &tensor) {
  std::optional<int64_t> count = countElements(dimsOf(tensor), maxFoldedElements);
  if (!count)
    return std::nullopt;
  std::optional<std::string> bytes = inlineTensorBytes(tensor);
  if (!bytes)
    return std::nullopt;
  SmallTensor small;
  small.type = tensor.data_type();
  small.dims.assign(tensor.dims().begin(), tensor.dims().end());
  switch (tensor.data_type()) {
  case T::FLOAT:
    unpack<float>(*bytes, small.floats);
    break;
  case T::DOUBLE:
    unpack<double>(*bytes, small.floats);
    break;
  case T::FLOAT16:
  case T::BFLOAT16:
    unpack<uint16_t>(*bytes, small.floats);
    for (double &value : small.floats)
      value = halfToDouble(static_cast<uint16_t>(value), tensor.data_type() == T::BFLOAT16);
    break;
  case T::INT64:
  case T::UINT64:
    unpack<int64_t>(*bytes, small.ints);
    break;
  case T::INT32:
    unpack<int32_t>(*bytes, small.ints);
    break;
  case T::UINT32:
    unpack<uint32_t>(*bytes, small.ints);
    break;
  case T::INT16:
    unpack<int16_t>(*bytes, small.ints);
    break;
  case T::UINT16:
    unpack<uint16_t>(*bytes, small.ints);
    break;
  case T::INT8:
  case T::INT4:
  case T::INT2:
    unpack<int8_t>(*bytes, small.ints);
    break;
  default:
    unpack<uint8_t>(*bytes, small.ints);
  }
  return small;
}

T encodeSmall(const SmallTensor &small) {
  T tensor;
  tensor.set_data_type(small.type);
  for (int64_t dim : small.dims)
    tensor.add_dims(dim);
  std::string &raw = *tensor.mutable_raw_data();
  if (small.type == T::FLOAT)
    raw = pack<float>(small.floats);
  else if (small.type == T::DOUBLE)
    raw = pack<double>(small.floats);
  else if (small.type == T::FLOAT16 || small.type == T::BFLOAT16)
    for (double value : small.floats) {
      llvm::APFloat narrow(value);
      bool inexact = false;
      narrow.convert(small.type == T::FLOAT16 ? llvm::APFloat::IEEEhalf() : llvm::APFloat::BFloat(),
                     llvm::APFloat::rmNearestTiesToEven, &inexact);
      uint64_t bits = narrow.bitcastToAPInt().getZExtValue();
      raw += static_cast<char>(bits);
      raw += static_cast<char>(bits >> 8);
    }
  else if (elementBits(small.type) == 8)
    raw = pack<uint8_t>(small.ints);
  else if (elementBits(small.type) == 16)
    raw = pack<uint16_t>(small.ints);
  else if (elementBits(small.type) == 32)
    raw = pack<uint32_t>(small.ints);
  else
    raw = pack<int64_t>(small.ints);
  return tensor;
}

} // namespace mtc::onnx_import
