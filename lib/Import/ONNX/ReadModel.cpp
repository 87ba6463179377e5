//===- ReadModel.cpp - an ONNX file, its large tensors left where they are -===//
//
// protobuf would copy every weight, and libonnx again at every step. So the wire format is scanned
// first: each TensorProto's payload above `inlineBytes` is replaced by a reference (an
// external_data entry "mtc.payload" = index), and only what remains is parsed. The scan is also
// where hostile files end: bounds, nesting, sizes that contradict shapes.
//
// All external_data entries of the file are resolved and dropped here, so nobody can forge a
// reference.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"
#include "WireScan.h"

#include "mtc/Support/File.h"

#include "llvm/ADT/StringExtras.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

constexpr const char *referenceKey = "mtc.payload";

/// The messages that a model consists of. Other: strings, and a few messages without repetitions.
enum class Message {
  Model,
  Graph,
  Node,
  Attribute,
  Function,
  Sparse,
  Tensor,
  Value,
  Type,
  TensorType,
  Shape,
  Dim,
  Container, ///< the type of a sequence or an optional
  Map,
  Other
};

/// Field numbers: onnx.proto of onnx 1.23.2.
Message childOf(Message parent, uint32_t field) {
  switch (parent) {
  case Message::Model:
    return field == 7 ? Message::Graph : field == 25 ? Message::Function : Message::Other;
  case Message::Graph:
    return field == 1                   ? Message::Node
           : field == 5                 ? Message::Tensor
           : field >= 11 && field <= 13 ? Message::Value
           : field == 15                ? Message::Sparse
                                        : Message::Other;
  case Message::Node:
    return field == 5 ? Message::Attribute : Message::Other;
  case Message::Attribute:
    switch (field) {
    case 5:
    case 10:
      return Message::Tensor;
    case 6:
    case 11:
      return Message::Graph;
    case 14:
    case 15:
      return Message::Type;
    case 22:
    case 23:
      return Message::Sparse;
    default:
      return Message::Other;
    }
  case Message::Function:
    return field == 7    ? Message::Node
           : field == 11 ? Message::Attribute
           : field == 12 ? Message::Value
                         : Message::Other;
  case Message::Sparse:
    return field == 1 || field == 2 ? Message::Tensor : Message::Other;
  case Message::Value:
    return field == 2 ? Message::Type : Message::Other;
  case Message::Type:
    return field == 1 || field == 8   ? Message::TensorType
           : field == 4 || field == 9 ? Message::Container
           : field == 5               ? Message::Map
                                      : Message::Other;
  case Message::TensorType:
    return field == 2 ? Message::Shape : Message::Other;
  case Message::Shape:
    return field == 1 ? Message::Dim : Message::Other;
  case Message::Container:
    return field == 1 ? Message::Type : Message::Other;
  case Message::Map:
    return field == 2 ? Message::Type : Message::Other;
  default:
    return Message::Other;
  }
}

/// Documentation, training and metadata: nothing that a compiler reads.
bool isDropped(Message message, uint32_t field) {
  switch (message) {
  case Message::Model:
    return field == 6 || field == 14 || field == 20;
  case Message::Graph:
    return field == 10 || field == 14 || field == 16;
  case Message::Node:
    return field == 6 || field == 9 || field == 10;
  case Message::Attribute:
    return field == 13;
  case Message::Function:
    return field == 8 || field == 14;
  default:
    return false;
  }
}

/// Fields of TensorProto.
enum : uint32_t {
  Dims = 1,
  DataType = 2,
  SegmentField = 3,
  FloatData = 4,
  Int32Data = 5,
  StringData = 6,
  Int64Data = 7,
  Name = 8,
  RawData = 9,
  DoubleData = 10,
  Uint64Data = 11,
  ExternalData = 13,
  DataLocation = 14,
};

bool isPayload(uint32_t field) {
  return (field >= FloatData && field <= Int64Data) || (field >= RawData && field <= Uint64Data);
}

/// Elements in an occurrence of a typed field, packed or not.
std::optional<uint64_t> countTyped(const WireField &field) {
  if (field.type != WireType::Length)
    return 1;
  if (field.number == FloatData)
    return field.payload.size() % 4 ? std::nullopt : std::optional(field.payload.size() / 4);
  if (field.number == DoubleData)
    return field.payload.size() % 8 ? std::nullopt : std::optional(field.payload.size() / 8);
  // Varints end in a byte without the high bit.
  uint64_t count = 0;
  for (uint8_t byte : field.payload)
    count += byte < 0x80;
  if (!field.payload.empty() && field.payload.back() >= 0x80)
    return std::nullopt;
  return count;
}

/// The field that holds elements of a type when raw_data does not.
uint32_t typedField(int32_t type) {
  using T = onnx::TensorProto;
  switch (type) {
  case T::FLOAT:
  case T::COMPLEX64:
    return FloatData;
  case T::DOUBLE:
  case T::COMPLEX128:
    return DoubleData;
  case T::INT64:
    return Int64Data;
  case T::UINT32:
  case T::UINT64:
    return Uint64Data;
  case T::STRING:
    return StringData;
  default:
    return Int32Data;
  }
}

/// The most memory that a field takes, without the messages in it: two bytes of a file may become
/// an object. Sizes: protobuf 3.21 on x86-64, with what an allocation costs beside.
int64_t parsedBytes(Message parent, const WireField &field) {
  constexpr int64_t large = 320, small = 80;
  int64_t size = static_cast<int64_t>(field.payload.size());
  if (parent == Message::Tensor && isPayload(field.number))
    return small +
           (field.number == RawData || size > static_cast<int64_t>(inlineBytes) ? 0 : 8 * size);
  if (field.type != WireType::Length)
    return parent == Message::Attribute ? 16 : 0; // of lists of numbers
  switch (childOf(parent, field.number)) {
  case Message::Graph:
  case Message::Node:
  case Message::Attribute:
  case Message::Function:
  case Message::Tensor:
    return large;
  case Message::Other: {
    bool packed = (parent == Message::Attribute && field.number == 8) ||
                  (parent == Message::Tensor && field.number == Dims);
    return small + (packed ? 8 : 1) * size;
  }
  default:
    return small;
  }
}

/// What the scan learns of one TensorProto.
struct TensorFields {
  std::string name;
  std::vector<int64_t> dims;
  int32_t type = 0;
  bool hasSegment = false, isExternal = false;
  std::map<std::string, std::string> external;
  std::vector<WireField> payloads; ///< occurrences, in order
  size_t payloadBytes = 0;
};

/// Of messages: a graph in a graph is three deeper.
int recursionLimit(const ImportLimits &limits) { return 8 * limits.maxNesting; }

class Scanner {
public:
  Scanner(ModelFile &file, const ImportLimits &limits) : file(file), limits(limits) {}

  /// Appends `in` to `out` with references in place of large payloads.
  Status rewrite(Message message, std::span<const uint8_t> in, std::string &out, int graphs,
                 int depth = 0);

private:
  Status broken(std::span<const uint8_t> in) const {
    size_t at = in.data() - file.bytes.data();
    return invalidInput(
        ("not an ONNX model, or cut short: the message at byte " + Twine(at) + " is broken").str());
  }
  Status rewriteTensor(std::span<const uint8_t> in, std::string &out);
  Status spend(Message message, const WireField &field);
  Status readTensor(std::span<const uint8_t> in, TensorFields &tensor);
  Status resolveExternal(const TensorFields &tensor, std::string &out);
  Status checkSize(const TensorFields &tensor, int64_t elements);
  void refer(Payload payload, std::string &out);

  ModelFile &file;
  const ImportLimits &limits;
  int64_t subgraphs = 0, nodes = 0, parsed = 0;
};

/// Caps against files that are small and many times as large in memory.
Status Scanner::spend(Message message, const WireField &field) {
  parsed += parsedBytes(message, field);
  int64_t allowed = limits.maxParsedBytes + 2 * static_cast<int64_t>(file.bytes.size());
  if (parsed > allowed)
    return invalidInput("needs more than " + std::to_string(allowed >> 20) +
                        " MiB of memory to be parsed");
  if (childOf(message, field.number) == Message::Node && ++nodes > limits.maxNodes)
    return invalidInput("has more than " + std::to_string(limits.maxNodes) + " nodes");
  return okStatus();
}

Status Scanner::rewrite(Message message, std::span<const uint8_t> in, std::string &out, int graphs,
                        int depth) {
  if (message == Message::Tensor)
    return rewriteTensor(in, out);
  if (message == Message::Graph && ++graphs > limits.maxNesting)
    return invalidInput(("graphs nest deeper than " + Twine(limits.maxNesting)).str());
  // A graph of 20 bytes is a hundred times as large once it is parsed.
  if (message == Message::Graph && ++subgraphs > limits.maxSubgraphs + 1)
    return invalidInput(("has more than " + Twine(limits.maxSubgraphs) + " subgraphs").str());
  if (depth > recursionLimit(limits))
    return invalidInput("its messages nest deeper than " + std::to_string(recursionLimit(limits)));
  WireReader reader(in);
  WireField field;
  while (reader.next(field)) {
    if (isDropped(message, field.number))
      continue;
    MTC_RETURN_IF_ERROR(spend(message, field));
    Message child = childOf(message, field.number);
    if (child == Message::Other) {
      out.append(reinterpret_cast<const char *>(field.whole.data()), field.whole.size());
      continue;
    }
    if (field.type != WireType::Length)
      return broken(field.whole);
    std::string text;
    MTC_RETURN_IF_ERROR(rewrite(child, field.payload, text, graphs, depth + 1));
    appendField(out, field.number, text);
  }
  return reader.ok() ? okStatus() : broken(in);
}

Status Scanner::readTensor(std::span<const uint8_t> in, TensorFields &tensor) {
  WireReader reader(in);
  WireField field;
  while (reader.next(field)) {
    MTC_RETURN_IF_ERROR(spend(Message::Tensor, field));
    if (isPayload(field.number)) {
      tensor.payloads.push_back(field);
      tensor.payloadBytes += field.whole.size();
      continue;
    }
    switch (field.number) {
    case Dims:
      if (field.type == WireType::Varint) {
        tensor.dims.push_back(static_cast<int64_t>(field.value));
      } else if (field.type == WireType::Length) {
        WireReader packed(field.payload);
        uint64_t dim;
        while (!packed.atEnd()) {
          if (!packed.varint(dim))
            return broken(in);
          tensor.dims.push_back(static_cast<int64_t>(dim));
        }
      }
      break;
    case DataType:
      tensor.type = static_cast<int32_t>(field.value);
      break;
    case SegmentField:
      tensor.hasSegment = true;
      break;
    case Name:
      tensor.name = field.text();
      break;
    case DataLocation:
      tensor.isExternal = field.value == onnx::TensorProto::EXTERNAL;
      break;
    case ExternalData: {
      std::string key, value;
      WireReader entry(field.payload);
      WireField part;
      while (entry.next(part))
        (part.number == 1 ? key : value) = part.text();
      if (!entry.ok())
        return broken(in);
      tensor.external[key] = value;
      break;
    }
    default:
      break;
    }
  }
  return reader.ok() ? okStatus() : broken(in);
}

/// Compares what is there with what type and shape ask for.
Status Scanner::checkSize(const TensorFields &tensor, int64_t elements) {
  uint64_t have = 0, want = elements;
  const char *unit = "elements";
  bool raw = false, wrongField = false;
  for (const WireField &field : tensor.payloads)
    raw |= field.number == RawData;
  for (const WireField &field : tensor.payloads) {
    wrongField |= raw ? field.number != RawData : field.number != typedField(tensor.type);
    if (raw) {
      have = field.payload.size(); // the last one wins
    } else if (auto count = countTyped(field)) {
      have += *count;
    } else {
      wrongField = true;
    }
  }
  unsigned bits = elementBits(tensor.type);
  if (wrongField)
    return invalidInput("tensor '" + tensor.name +
                        "' holds its elements in a field of another type");
  if (raw) {
    unit = "bytes";
    want = storedBytes(tensor.type, elements, true);
  } else if (bits > 64 || tensor.type == onnx::TensorProto::COMPLEX64) {
    return okStatus(); // complex: no handler takes them, no need to count
  } else if (bits < 8) {
    want = storedBytes(tensor.type, elements, false);
  }
  if (have != want)
    return invalidInput(("tensor '" + tensor.name + "' holds " + Twine(have) + " " + unit +
                         ", its type and shape need " + Twine(want))
                            .str());
  return okStatus();
}

void Scanner::refer(Payload payload, std::string &out) {
  std::string entry;
  appendField(entry, 1, referenceKey);
  appendField(entry, 2, llvm::utostr(file.payloads.size()));
  appendField(out, ExternalData, entry);
  appendVarint(out, DataLocation << 3);
  appendVarint(out, onnx::TensorProto::EXTERNAL);
  file.payloads.push_back(std::move(payload));
}

Status Scanner::resolveExternal(const TensorFields &tensor, std::string &out) {
  auto number = [&](const char *key, std::optional<uint64_t> &value) {
    auto it = tensor.external.find(key);
    if (it == tensor.external.end())
      return okStatus();
    uint64_t parsed;
    if (llvm::StringRef(it->second).getAsInteger(10, parsed) || parsed > INT64_MAX)
      return invalidInput("tensor '" + tensor.name + "': external data has the " + key + " '" +
                          it->second + "', wanted a number of bytes");
    value = parsed;
    return okStatus();
  };
  std::optional<uint64_t> offset, length;
  MTC_RETURN_IF_ERROR(number("offset", offset));
  MTC_RETURN_IF_ERROR(number("length", length));
  auto location = tensor.external.find("location");
  if (location == tensor.external.end())
    return invalidInput("tensor '" + tensor.name + "': external data has no location");
  auto payload = checkExternalData(file.path, location->second, offset.value_or(0), length);
  if (!payload.ok())
    return payload.status().withContext("tensor '" + tensor.name + "'");
  int64_t elements = *countElements(tensor.dims, limits.maxElements);
  uint64_t want = storedBytes(tensor.type, elements, true);
  if (payload->length != want)
    return invalidInput(("tensor '" + tensor.name + "': external data has " +
                         Twine(payload->length) + " bytes, its type and shape need " + Twine(want))
                            .str());
  if (payload->length > inlineBytes) {
    refer(std::move(*payload), out);
    return okStatus();
  }
  std::vector<uint8_t> buffer;
  MTC_ASSIGN_OR_RETURN(auto bytes, payloadBytes(file, *payload, buffer));
  appendField(out, RawData, {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  return okStatus();
}

Status Scanner::rewriteTensor(std::span<const uint8_t> in, std::string &out) {
  TensorFields tensor;
  MTC_RETURN_IF_ERROR(readTensor(in, tensor));
  if (tensor.hasSegment)
    return invalidInput("tensor '" + tensor.name + "' is one of several segments");
  if (tensor.dims.size() > static_cast<size_t>(limits.maxRank))
    return invalidInput(("tensor '" + tensor.name + "' has " + Twine(tensor.dims.size()) +
                         " dims, at most " + Twine(limits.maxRank) + " are supported")
                            .str());
  std::optional<int64_t> elements = countElements(tensor.dims, limits.maxElements);
  if (!elements)
    return invalidInput(("tensor '" + tensor.name + "' has a negative dim or more than " +
                         Twine(limits.maxElements) + " elements")
                            .str());
  for (int64_t dim : tensor.dims) {
    appendVarint(out, Dims << 3);
    appendVarint(out, static_cast<uint64_t>(dim));
  }
  appendVarint(out, DataType << 3);
  appendVarint(out, static_cast<uint32_t>(tensor.type));
  appendField(out, Name, tensor.name);
  if (elementBits(tensor.type) == 0)
    return okStatus(); // strings: reported where they are used
  if (tensor.isExternal)
    return resolveExternal(tensor, out);
  MTC_RETURN_IF_ERROR(checkSize(tensor, *elements));
  if (tensor.payloadBytes <= inlineBytes) {
    for (const WireField &field : tensor.payloads)
      out.append(reinterpret_cast<const char *>(field.whole.data()), field.whole.size());
    return okStatus();
  }
  Payload payload;
  payload.file = file.path;
  const WireField &last = tensor.payloads.back();
  // Packed floats lie as raw ones do: little-endian, one after the other.
  bool plain =
      last.number == RawData || (tensor.payloads.size() == 1 && last.type == WireType::Length &&
                                 (last.number == FloatData || last.number == DoubleData));
  std::span<const uint8_t> range = plain ? last.payload : in;
  payload.offset = range.data() - file.bytes.data();
  payload.length = range.size();
  payload.proto = !plain;
  refer(std::move(payload), out);
  return okStatus();
}

} // namespace

const Payload *payloadOf(const ModelFile &file, const onnx::TensorProto &tensor) {
  uint64_t index;
  if (tensor.external_data_size() != 1 || tensor.external_data(0).key() != referenceKey ||
      llvm::StringRef(tensor.external_data(0).value()).getAsInteger(10, index) ||
      index >= file.payloads.size())
    return nullptr;
  return &file.payloads[index];
}

StatusOr<ModelFile> readModel(const std::string &path, const ImportLimits &limits) {
  ModelFile file;
  file.path = path;
  MTC_ASSIGN_OR_RETURN(file.bytes, readFile(path));
  auto named = [&](Status status) { return status.withContext("'" + path + "'"); };
  if (file.bytes.empty())
    return named(invalidInput("the file is empty"));
  std::string text;
  if (Status status = Scanner(file, limits).rewrite(Message::Model, file.bytes, text, 0);
      !status.ok())
    return named(std::move(status));
  google::protobuf::io::ArrayInputStream array(text.data(), static_cast<int>(text.size()));
  google::protobuf::io::CodedInputStream stream(&array);
  stream.SetRecursionLimit(recursionLimit(limits));
  if (text.size() > INT32_MAX || !file.model.ParseFromCodedStream(&stream))
    return named(invalidInput("not an ONNX model: protobuf cannot parse it"));
  if (!file.model.has_graph())
    return named(invalidInput("not an ONNX model, or cut short: it has no graph"));
  return file;
}

} // namespace mtc::onnx_import
