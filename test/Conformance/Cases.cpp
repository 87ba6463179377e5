//===- Cases.cpp - the node tests of ONNX as files ------------------------===//
#include "Cases.h"

#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>
// after onnx_pb.h, which defines what it needs
#include <onnx/onnx-data.pb.h>

#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>

namespace mtc::conformance {
namespace {

using onnx::TensorProto;

/// How numbers of an ONNX type travel: `bits` in a TensorProto, `bytes` each once decoded.
struct TypeRow {
  int onnx;
  const char *name;
  int bits, bytes;
};

constexpr TypeRow typeRows[] = {
    {TensorProto::FLOAT, "f32", 32, 4},
    {TensorProto::DOUBLE, "f64", 64, 8},
    {TensorProto::FLOAT16, "f16", 16, 2},
    {TensorProto::BFLOAT16, "bf16", 16, 2},
    {TensorProto::INT8, "i8", 8, 1},
    {TensorProto::INT16, "i16", 16, 2},
    {TensorProto::INT32, "i32", 32, 4},
    {TensorProto::INT64, "i64", 64, 8},
    {TensorProto::UINT8, "u8", 8, 1},
    {TensorProto::UINT16, "u16", 16, 2},
    {TensorProto::UINT32, "u32", 32, 4},
    {TensorProto::UINT64, "u64", 64, 8},
    {TensorProto::BOOL, "bool", 8, 1},
    {TensorProto::FLOAT8E4M3FN, "f8e4m3fn", 8, 1},
    {TensorProto::FLOAT8E4M3FNUZ, "f8e4m3fnuz", 8, 1},
    {TensorProto::FLOAT8E5M2, "f8e5m2", 8, 1},
    {TensorProto::FLOAT8E5M2FNUZ, "f8e5m2fnuz", 8, 1},
    {TensorProto::FLOAT8E8M0, "f8e8m0", 8, 1},
    {TensorProto::FLOAT4E2M1, "f4e2m1", 4, 1},
    {TensorProto::INT4, "i4", 4, 1},
    {TensorProto::UINT4, "u4", 4, 1},
    {TensorProto::INT2, "i2", 2, 1},
    {TensorProto::UINT2, "u2", 2, 1},
};

const TypeRow *rowOf(int type) {
  for (const TypeRow &row : typeRows)
    if (row.onnx == type)
      return &row;
  return nullptr;
}

/// Numbers of 2 or 4 bits, the first in the lowest bits of a byte; signed ones are extended.
std::vector<uint8_t> unpack(const std::string &raw, const TypeRow &row, int64_t count) {
  const bool isSigned = row.name[0] == 'i';
  std::vector<uint8_t> bytes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t bit = i * row.bits;
    int value = (static_cast<uint8_t>(raw.at(bit / 8)) >> (bit % 8)) & ((1 << row.bits) - 1);
    if (isSigned && value >> (row.bits - 1))
      value -= 1 << row.bits;
    bytes.push_back(static_cast<uint8_t>(value));
  }
  return bytes;
}

/// The typed field of a tensor as raw bytes: the low bytes of each number.
template <typename Field> std::string rawOf(const Field &field, int bytes) {
  std::string raw;
  for (auto value : field)
    raw.append(reinterpret_cast<const char *>(&value), std::min<size_t>(bytes, sizeof(value)));
  return raw;
}

std::string rawOf(const TensorProto &tensor, const TypeRow &row) {
  static_assert(std::endian::native == std::endian::little);
  if (tensor.has_raw_data())
    return tensor.raw_data();
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return rawOf(tensor.float_data(), 4);
  case TensorProto::DOUBLE:
    return rawOf(tensor.double_data(), 8);
  case TensorProto::INT64:
    return rawOf(tensor.int64_data(), 8);
  case TensorProto::UINT32:
  case TensorProto::UINT64:
    return rawOf(tensor.uint64_data(), row.bytes);
  default:
    return rawOf(tensor.int32_data(), row.bytes);
  }
}

std::string decode(const TensorProto &tensor, const std::string &name,
                   std::vector<CaseTensor> &into) {
  const TypeRow *row = rowOf(tensor.data_type());
  if (!row)
    return fmt::format("'{}' is a tensor of {}", name,
                       TensorProto::DataType_Name(tensor.data_type()));
  CaseTensor result{name, row->name, {tensor.dims().begin(), tensor.dims().end()}, {}};
  int64_t count = 1;
  for (int64_t dim : result.shape)
    count *= dim;
  const std::string raw = rawOf(tensor, *row);
  if (row->bits < 8)
    result.bytes = unpack(raw, *row, count);
  else
    result.bytes.assign(raw.begin(), raw.end());
  if (int64_t(result.bytes.size()) != count * row->bytes)
    return fmt::format("'{}' has {} bytes, wanted {}", name, result.bytes.size(),
                       count * row->bytes);
  into.push_back(std::move(result));
  return "";
}

/// Adds what a file holds; the type of the graph's value says what that is.
std::string decodeFile(const std::string &text, const onnx::TypeProto &type,
                       const std::string &name, std::vector<CaseTensor> &into) {
  if (type.has_tensor_type()) {
    TensorProto tensor;
    return tensor.ParseFromString(text) ? decode(tensor, name, into) : "malformed tensor";
  }
  if (type.has_optional_type()) {
    onnx::OptionalProto optional;
    if (!optional.ParseFromString(text))
      return "malformed optional";
    if (optional.has_tensor_value())
      return decode(optional.tensor_value(), name, into);
    if (optional.has_sequence_value())
      return decodeFile(optional.sequence_value().SerializeAsString(),
                        type.optional_type().elem_type(), name, into);
    return "";
  }
  onnx::SequenceProto sequence;
  if (!type.has_sequence_type() || !sequence.ParseFromString(text))
    return fmt::format("'{}' is neither tensor nor sequence", name);
  for (int i = 0; i < sequence.tensor_values_size(); ++i)
    if (auto problem = decode(sequence.tensor_values(i), fmt::format("{}/{}", name, i), into);
        !problem.empty())
      return problem;
  return sequence.elem_type() == onnx::SequenceProto::TENSOR || sequence.tensor_values_size() == 0
             ? ""
             : fmt::format("'{}' is a sequence of other things than tensors", name);
}

bool isPlain(const onnx::TypeProto &type) {
  const int element = type.tensor_type().elem_type();
  return type.has_tensor_type() &&
         (element == TensorProto::FLOAT || element == TensorProto::INT32 ||
          element == TensorProto::INT64 || element == TensorProto::BOOL);
}

template <typename Values>
Status readData(const std::string &folder, const char *kind, const Values &values, Case &result,
                std::vector<CaseTensor> &into) {
  for (int i = 0; i < values.size(); ++i) {
    result.plain &= isPlain(values[i].type());
    const std::string path = fmt::format("{}/test_data_set_0/{}_{}.pb", folder, kind, i);
    MTC_ASSIGN_OR_RETURN(const std::string text, readTextFile(path));
    const size_t before = into.size();
    if (auto problem = decodeFile(text, values[i].type(), values[i].name(), into);
        !problem.empty() && result.problem.empty())
      result.problem = problem;
    if (&into == &result.inputs && into.size() == before)
      result.empty.push_back(values[i].name());
  }
  return okStatus();
}

} // namespace

StatusOr<Case> readCase(const std::string &folder, const std::string &name) {
  Case result;
  result.name = name;
  result.model = folder + "/" + name + "/model.onnx";
  result.plain = name.find("_expanded") == std::string::npos;
  MTC_ASSIGN_OR_RETURN(const std::string text, readTextFile(result.model));
  onnx::ModelProto model;
  if (!model.ParseFromString(text))
    return invalidInput(fmt::format("'{}' is not an ONNX model", result.model));
  for (const onnx::NodeProto &node : model.graph().node()) {
    const onnx::OpSchema *schema = onnx::OpSchemaRegistry::Schema(node.op_type(), node.domain());
    result.isRandom |=
        schema && schema->GetNodeDeterminism() == onnx::OpSchema::NodeDeterminism::NonDeterministic;
  }
  MTC_RETURN_IF_ERROR(
      readData(folder + "/" + name, "input", model.graph().input(), result, result.inputs));
  MTC_RETURN_IF_ERROR(
      readData(folder + "/" + name, "output", model.graph().output(), result, result.outputs));
  return result;
}

} // namespace mtc::conformance
