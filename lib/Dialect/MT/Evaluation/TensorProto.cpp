//===- TensorProto.cpp - ONNX tensors that are not stored raw -------------===//
//
// A decoder of the six data fields of TensorProto instead of libprotobuf, of which the importer is
// the only user: the message is small, its wire format is fixed, and the bytes of large weights
// never pass through here (they are raw and referred to in place).
//
//===----------------------------------------------------------------------===//
#include "TensorProto.h"

#include "mtc/Dialect/MT/Evaluation/Evaluate.h"

#include <cstring>
#include <string>

using namespace mlir;

namespace mtc::mt {

namespace {

/// Reads the wire format; after the first damage everything reads as the end.
class Wire {
public:
  explicit Wire(ArrayRef<uint8_t> bytes) : bytes_(bytes) {}

  bool atEnd() const { return bytes_.empty() || damaged_; }
  bool damaged() const { return damaged_; }
  void damage() { damaged_ = true; }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty())
        break;
      uint8_t byte = bytes_.front();
      bytes_ = bytes_.drop_front();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return value;
    }
    damaged_ = true;
    return 0;
  }

  ArrayRef<uint8_t> take(uint64_t count) {
    if (count > bytes_.size()) {
      damaged_ = true;
      return {};
    }
    ArrayRef<uint8_t> taken = bytes_.take_front(count);
    bytes_ = bytes_.drop_front(count);
    return taken;
  }

private:
  ArrayRef<uint8_t> bytes_;
  bool damaged_ = false;
};

/// Numbers of the fields of TensorProto.
enum Field : uint64_t {
  DataType = 2,
  FloatData = 4,
  Int32Data = 5,
  Int64Data = 7,
  RawData = 9,
  DoubleData = 10,
  Uint64Data = 11,
  DataLocation = 14
};

/// An element type of TensorProto: its bytes and the field that holds it when it is not raw.
struct Element {
  int64_t dataType;
  const char *name;
  int64_t bytes;
  Field field;
  bool isFloat;
};

constexpr Element kElements[] = {
    {1, "FLOAT", 4, FloatData, true},     {2, "UINT8", 1, Int32Data, false},
    {3, "INT8", 1, Int32Data, false},     {4, "UINT16", 2, Int32Data, false},
    {5, "INT16", 2, Int32Data, false},    {6, "INT32", 4, Int32Data, false},
    {7, "INT64", 8, Int64Data, false},    {9, "BOOL", 1, Int32Data, false},
    {10, "FLOAT16", 2, Int32Data, true},  {11, "DOUBLE", 8, DoubleData, true},
    {12, "UINT32", 4, Uint64Data, false}, {13, "UINT64", 8, Uint64Data, false},
    {16, "BFLOAT16", 2, Int32Data, true},
    // Codes and packed bytes, which the weight's type counts.
    {17, "FLOAT8E4M3FN", 1, Int32Data, false},
    {18, "FLOAT8E4M3FNUZ", 1, Int32Data, false},
    {19, "FLOAT8E5M2", 1, Int32Data, false},
    {20, "FLOAT8E5M2FNUZ", 1, Int32Data, false},
    {21, "UINT4", 1, Int32Data, false},
    {22, "INT4", 1, Int32Data, false},
    {23, "FLOAT4E2M1", 1, Int32Data, false},
    {24, "FLOAT8E8M0", 1, Int32Data, false},
    {25, "UINT2", 1, Int32Data, false},
    {26, "INT2", 1, Int32Data, false},
    {27, "FLOAT6E2M3", 1, Int32Data, false},
    {28, "FLOAT6E3M2", 1, Int32Data, false},
};

/// The data fields as they were found; packed and single elements of a field are appended in order.
struct Message {
  int64_t dataType = 0;
  bool isExternal = false;
  bool hasRaw = false;
  ArrayRef<uint8_t> raw;
  std::vector<uint8_t> fixed;    ///< float_data, double_data
  std::vector<uint64_t> varints; ///< int32_data, int64_data, uint64_data
};

} // namespace

static void appendFixed(Message &message, ArrayRef<uint8_t> bytes) {
  message.fixed.insert(message.fixed.end(), bytes.begin(), bytes.end());
}

/// Reads one field's value.
static void readField(Wire &wire, uint64_t field, uint64_t wireType, Message &message) {
  switch (wireType) {
  case 0: {
    uint64_t value = wire.varint();
    if (field == DataType)
      message.dataType = static_cast<int64_t>(value);
    else if (field == DataLocation)
      message.isExternal = value == 1;
    else if (field == Int32Data || field == Int64Data || field == Uint64Data)
      message.varints.push_back(value);
    return;
  }
  case 1:
  case 5: {
    ArrayRef<uint8_t> bytes = wire.take(wireType == 1 ? 8 : 4);
    if (field == FloatData || field == DoubleData)
      appendFixed(message, bytes);
    return;
  }
  case 2: {
    ArrayRef<uint8_t> bytes = wire.take(wire.varint());
    if (field == FloatData || field == DoubleData)
      appendFixed(message, bytes);
    if (field == RawData) {
      message.raw = bytes;
      message.hasRaw = true;
    }
    if (field == Int32Data || field == Int64Data || field == Uint64Data) {
      Wire packed(bytes);
      while (!packed.atEnd())
        message.varints.push_back(packed.varint());
      if (packed.damaged())
        wire.damage();
    }
    return;
  }
  default: // groups do not occur in ONNX
    wire.damage();
  }
}

StatusOr<std::vector<uint8_t>> decodeTensorProto(ArrayRef<uint8_t> bytes, RankedTensorType type) {
  Message message;
  Wire wire(bytes);
  while (!wire.atEnd()) {
    uint64_t tag = wire.varint();
    if (!wire.damaged())
      readField(wire, tag >> 3, tag & 7, message);
  }
  if (wire.damaged())
    return invalidInput("damaged TensorProto");
  if (message.isExternal)
    return invalidInput("TensorProto with external data");
  const auto *element =
      llvm::find_if(kElements, [&](const Element &e) { return e.dataType == message.dataType; });
  if (element == std::end(kElements))
    return invalidInput("TensorProto has element type " + std::to_string(message.dataType) +
                        ", which cannot be a weight");
  Type wanted = type.getElementType();
  if (element->bytes != elementBytes(wanted) || element->isFloat != isa<FloatType>(wanted))
    return invalidInput(std::string("TensorProto holds ") + element->name +
                        ", which does not fit the weight's element type");

  std::vector<uint8_t> result;
  if (message.hasRaw) {
    result.assign(message.raw.begin(), message.raw.end());
  } else if (element->field == FloatData || element->field == DoubleData) {
    result = std::move(message.fixed);
  } else {
    result.resize(message.varints.size() * element->bytes);
    for (size_t i = 0; i < message.varints.size(); ++i)
      std::memcpy(result.data() + i * element->bytes, &message.varints[i], element->bytes);
  }
  if (static_cast<int64_t>(result.size()) != tensorBytes(type))
    return invalidInput("TensorProto holds " + std::to_string(result.size()) + " bytes, wanted " +
                        std::to_string(tensorBytes(type)));
  return result;
}

} // namespace mtc::mt
