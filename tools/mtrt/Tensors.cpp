//===- Tensors.cpp - see the header ---------------------------------------===//
#include "Tensors.h"

#include "Commands.h"
#include "mtc/Support/Random.h"
#include "mtc/Support/SmallFloat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace mtc::tool {

//===- Names --------------------------------------------------------------===//

StatusOr<TensorFile> parseTensorFile(const std::string &text) {
  const size_t at = text.find("=@");
  if (at == std::string::npos || at == 0 || at + 2 == text.size())
    return invalidInput(fmt::format("'{}' is not of the form [TENANT/]NAME=@FILE.npy", text));
  return TensorFile{text.substr(0, at), text.substr(at + 2)};
}

StatusOr<TensorPlace> findPlace(const std::vector<std::unique_ptr<Request>> &requests,
                                const std::string &name, bool isInput, bool single) {
  const auto tensorsOf = [&](const Request &request) -> const std::vector<Tensor> & {
    return isInput ? request.entry().inputs : request.entry().outputs;
  };
  const char *what = isInput ? "input" : "output";
  const size_t slash = name.find('/');
  if (!single && slash != std::string::npos)
    for (size_t r = 0; r < requests.size(); ++r) {
      const std::string &tenant = requests[r]->tenant().name;
      if (name.compare(0, slash, tenant) != 0)
        continue;
      MTC_ASSIGN_OR_RETURN(const int32_t index, findTensor(tensorsOf(*requests[r]),
                                                           name.substr(slash + 1), what, tenant));
      return TensorPlace{r, index};
    }
  std::vector<TensorPlace> found;
  std::vector<std::string> owners, known;
  for (size_t r = 0; r < requests.size(); ++r) {
    const auto &tensors = tensorsOf(*requests[r]);
    for (size_t t = 0; t < tensors.size(); ++t) {
      const std::string full = (single ? "" : requests[r]->tenant().name + "/") + tensors[t].name;
      if (!isKeptValue(tensors[t]))
        known.push_back(full);
      if (tensors[t].name != name)
        continue;
      found.push_back({r, static_cast<int32_t>(t)});
      owners.push_back(full);
    }
  }
  if (found.size() == 1)
    return found[0];
  if (found.empty())
    return invalidInput(
        fmt::format("unknown {} '{}'; known: {}", what, name, fmt::join(known, ", ")));
  return invalidInput(
      fmt::format("{} '{}' is one of several tenants: {}", what, name, fmt::join(owners, ", ")));
}

//===- Values in ----------------------------------------------------------===//

StatusOr<NpyArray> readTensor(const std::string &file, const Tensor &tensor) {
  MTC_ASSIGN_OR_RETURN(NpyArray array, readNpy(file));
  MTC_RETURN_IF_ERROR(fitTensor(array, file, tensor));
  return array;
}

Status fitTensor(NpyArray &array, const std::string &file, const Tensor &tensor) {
  MTC_ASSIGN_OR_RETURN(const ElementType wanted, parseElementType(tensor.elementType));
  // Bytes stand for any type that numpy does not know.
  const ElementType storage = elementTypeInfo(wanted).storage;
  if (storage != wanted && (array.type == storage || array.type == ElementType::U8))
    array.type = wanted;
  if (elementTypeName(array.type) != tensor.elementType)
    return invalidInput(fmt::format("'{}' has element type {}, '{}' has {}", file,
                                    elementTypeName(array.type), tensor.name, tensor.elementType));
  if (fitsPadded(tensor, array.shape))
    return okStatus();
  std::vector<int64_t> shape = tensor.shape;
  for (const FollowedDim &followed : tensor.follows) // likewise
    if (array.shape.size() == shape.size())
      shape[followed.dim] = std::min(shape[followed.dim], array.shape[followed.dim]);
  if (tensor.extentDim >= 0 && array.shape.size() == shape.size()) // any extent up to the most
    shape[tensor.extentDim] = std::min(shape[tensor.extentDim], array.shape[tensor.extentDim]);
  if (array.shape != shape)
    return invalidInput(fmt::format("'{}' has shape {}, '{}' has {}", file, shapeText(array.shape),
                                    tensor.name, shapeText(tensor.shape)));
  return okStatus();
}

StatusOr<Tensor> outputOf(const Request &request, const Tensor &tensor) {
  Tensor output = tensor;
  MTC_ASSIGN_OR_RETURN(output.shape, request.shapeOf(tensor.name));
  for (size_t dim = 0; dim < output.shape.size() && output.bytes > 0; ++dim)
    output.bytes = output.bytes / tensor.shape[dim] * output.shape[dim];
  return output;
}

StatusOr<Fill> parseFill(const std::string &text) {
  if (text == "zeros")
    return Fill{true, 0};
  Fill fill;
  if (text.starts_with("seed:")) {
    const char *end = text.data() + text.size();
    const auto [next, error] = std::from_chars(text.data() + 5, end, fill.seed);
    if (error == std::errc() && next == end)
      return fill;
  }
  return invalidInput(fmt::format("--fill: '{}' is neither seed:N nor zeros", text));
}

/// The nearest half-precision or bfloat16 bits of a value in [-1, 1).
static uint16_t narrow(ElementType type, float value) {
  if (type == ElementType::F16) {
    const _Float16 half = static_cast<_Float16>(value);
    uint16_t bits;
    std::memcpy(&bits, &half, sizeof(bits));
    return bits;
  }
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

Status fillTensor(const Fill &fill, const std::string &tenant, const Tensor &tensor, void *data) {
  std::memset(data, 0, static_cast<size_t>(tensor.bytes));
  if (fill.zeros)
    return okStatus();
  MTC_ASSIGN_OR_RETURN(const ElementType type, parseElementType(tensor.elementType));
  uint64_t state = 0xcbf29ce484222325; // FNV-1a over tenant and name, then the seed
  for (char c : tenant + "/" + tensor.name)
    state = (state ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  SplitMix64 bits(state ^ fill.seed * 0x9e3779b97f4a7c15);
  const int32_t width = elementTypeBytes(type);
  auto *at = static_cast<uint8_t *>(data);
  for (int64_t i = 0; i < tensor.bytes / width; ++i, at += width) {
    const uint64_t random = bits.next();
    const double uniform = double(random >> 11) / double(uint64_t(1) << 52) - 1;
    const auto put = [&](auto value) { std::memcpy(at, &value, sizeof(value)); };
    switch (type) {
    case ElementType::F32:
      put(static_cast<float>(uniform));
      break;
    case ElementType::F64:
      put(uniform);
      break;
    case ElementType::F16:
    case ElementType::BF16:
      put(narrow(type, static_cast<float>(uniform)));
      break;
    case ElementType::Bool:
      *at = random & 1;
      break;
    case ElementType::I4:
    case ElementType::I2:
    case ElementType::U4:
    case ElementType::U2: // not negative, so that both extensions agree
      *at = random & 1;
      break;
    default: // little-endian integers of any width; small floats: finite and not negative
      *at = static_cast<uint8_t>(random % (elementTypeInfo(type).bits < 8 ? 8 : 100));
    }
  }
  return okStatus();
}

//===- Values out ---------------------------------------------------------===//

template <typename T> static double as(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return static_cast<double>(value);
}

static double element(ElementType type, const uint8_t *at) {
  switch (type) {
  case ElementType::F32:
    return as<float>(at);
  case ElementType::F64:
    return as<double>(at);
  case ElementType::F16:
    return as<_Float16>(at);
  case ElementType::BF16: {
    const uint32_t bits = uint32_t(at[0] | at[1] << 8) << 16;
    return as<float>(reinterpret_cast<const uint8_t *>(&bits));
  }
  case ElementType::I8:
    return as<int8_t>(at);
  case ElementType::I16:
    return as<int16_t>(at);
  case ElementType::I32:
    return as<int32_t>(at);
  case ElementType::I64:
    return as<int64_t>(at);
  case ElementType::U8:
  case ElementType::Bool:
    return as<uint8_t>(at);
  case ElementType::U16:
    return as<uint16_t>(at);
  case ElementType::U32:
    return as<uint32_t>(at);
  case ElementType::U64:
    return as<uint64_t>(at);
  case ElementType::I4:
    return static_cast<int8_t>(*at << 4) >> 4;
  case ElementType::I2:
    return static_cast<int8_t>(*at << 6) >> 6;
  case ElementType::U4:
    return *at & 15;
  case ElementType::U2:
    return *at & 3;
  default:
    return decodeSmallFloat(*smallFloatOf(type), *at);
  }
}

void Tolerance::setDefaults() {
  if (!relNorm && !rtol && !atol)
    relNorm = 1e-4;
}

Difference difference(ElementType type, std::span<const uint8_t> got,
                      std::span<const uint8_t> wanted, const Tolerance &tolerance) {
  const auto width = static_cast<size_t>(elementTypeBytes(type));
  const double infinity = std::numeric_limits<double>::infinity();
  Difference d;
  double squares = 0, reference = 0;
  for (size_t i = 0; i < wanted.size() / width; ++i) {
    const double a = element(type, got.data() + i * width);
    const double b = element(type, wanted.data() + i * width);
    double apart = std::abs(a - b);
    if (std::memcmp(got.data() + i * width, wanted.data() + i * width, width) == 0 || a == b ||
        (std::isnan(a) && std::isnan(b)))
      apart = 0;
    else if (std::isnan(apart))
      apart = infinity;
    squares += apart * apart;
    reference += std::isfinite(b) ? b * b : 0;
    if (apart > d.maxAbs) {
      d.maxAbs = apart;
      d.maxIndex = static_cast<int64_t>(i);
      d.got = a;
      d.wanted = b;
    }
    const double bound = tolerance.atol.value_or(0) + tolerance.rtol.value_or(0) * std::abs(b);
    if (apart > 0 && !(apart <= bound) && (d.worstIndex < 0 || apart - bound > d.worstExcess)) {
      d.worstExcess = apart - bound;
      d.worstIndex = static_cast<int64_t>(i);
    }
  }
  d.relNorm = squares == 0 ? 0 : reference == 0 ? infinity : std::sqrt(squares / reference);
  return d;
}

/// "[0,3]": the position of an element in row-major order.
static std::string position(int64_t index, const std::vector<int64_t> &shape) {
  std::vector<int64_t> at(shape.size());
  for (size_t dim = shape.size(); dim-- > 0;) {
    at[dim] = index % std::max<int64_t>(1, shape[dim]);
    index /= std::max<int64_t>(1, shape[dim]);
  }
  return fmt::format("[{}]", fmt::join(at, ","));
}

std::string describeMismatch(const Difference &d, const Tolerance &tolerance,
                             const std::vector<int64_t> &shape) {
  std::string text;
  if (tolerance.relNorm && !(d.relNorm <= *tolerance.relNorm))
    text = fmt::format("rel-norm {:.2g} above {:g}", d.relNorm, *tolerance.relNorm);
  if ((tolerance.rtol || tolerance.atol) && d.worstIndex >= 0)
    text += fmt::format("{}element {} is out of rtol {:g}, atol {:g}", text.empty() ? "" : ", ",
                        position(d.worstIndex, shape), tolerance.rtol.value_or(0),
                        tolerance.atol.value_or(0));
  if (!text.empty())
    text += fmt::format(", largest error {:.3g} at {} (got {:.6g}, wanted {:.6g})", d.maxAbs,
                        position(d.maxIndex, shape), d.got, d.wanted);
  return text;
}

} // namespace mtc::tool
