//===- Npy.cpp - the .npy header ------------------------------------------===//
//
// The header is a Python dict literal with exactly the keys descr, fortran_order and shape. This
// reads that much of Python, and nothing else: a pickled object array is refused by its dtype.
//
//===----------------------------------------------------------------------===//
#include "mtc/Support/Npy.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstring>

namespace mtc {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// The three fields of the header.
struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// A cursor over the dict literal. Every member returns false at text that it does not expect.
class DictParser {
public:
  explicit DictParser(std::string_view text) : text_(text) {}

  bool parse(Header &header) {
    bool hasDescr = false, hasOrder = false, hasShape = false;
    if (!take('{'))
      return false;
    while (!take('}')) {
      std::string key;
      if (!string(key) || !take(':'))
        return false;
      if (key == "descr" && !hasDescr)
        hasDescr = descr(header.descr);
      else if (key == "fortran_order" && !hasOrder)
        hasOrder = boolean(header.fortranOrder);
      else if (key == "shape" && !hasShape)
        hasShape = tuple(header.shape);
      else
        return false;
      if (!take(',') && !peek('}'))
        return false;
    }
    skipSpace();
    return hasDescr && hasOrder && hasShape && text_.empty();
  }

private:
  void skipSpace() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n'))
      text_.remove_prefix(1);
  }
  bool peek(char c) {
    skipSpace();
    return !text_.empty() && text_.front() == c;
  }
  bool take(char c) {
    if (!peek(c))
      return false;
    text_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view expected) {
    skipSpace();
    if (!text_.starts_with(expected))
      return false;
    text_.remove_prefix(expected.size());
    return true;
  }
  bool string(std::string &value) {
    char quote = peek('"') ? '"' : '\'';
    if (!take(quote))
      return false;
    size_t end = text_.find(quote);
    if (end == std::string_view::npos)
      return false;
    value = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return true;
  }
  /// A dtype string, or the list of a structured dtype, which is kept as text for the message.
  bool descr(std::string &value) {
    if (!peek('['))
      return string(value);
    size_t end = text_.find(']');
    if (end == std::string_view::npos)
      return false;
    value = text_.substr(0, end + 1);
    text_.remove_prefix(end + 1);
    return true;
  }
  bool boolean(bool &value) {
    value = word("True");
    return value || word("False");
  }
  bool tuple(std::vector<int64_t> &values) {
    if (!take('('))
      return false;
    while (!take(')')) {
      skipSpace();
      int64_t value = 0;
      auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
      if (error != std::errc() || value < 0)
        return false;
      text_.remove_prefix(static_cast<size_t>(end - text_.data()));
      values.push_back(value);
      if (!take(',') && !peek(')'))
        return false;
    }
    return true;
  }

  std::string_view text_;
};

} // namespace

/// Elements of a shape, or -1 if a product of `elementBytes` and the dimensions overflows.
static int64_t byteCount(std::span<const int64_t> shape, int64_t elementBytes) {
  int64_t bytes = elementBytes;
  for (int64_t dim : shape)
    if (__builtin_mul_overflow(bytes, dim, &bytes))
      return -1;
  return bytes;
}

static StatusOr<ElementType> typeOf(const std::string &descr, const std::string &name) {
  if (descr == "|V2")
    return ElementType::BF16;
  // What ml_dtypes calls its types of one byte.
  if (descr == "<V1" || descr == "|V1" || descr == "<f1")
    return ElementType::U8;
  std::string known;
  for (const ElementTypeInfo &row : elementTypes()) {
    if (row.storage != row.type)
      continue;
    // numpy writes '|i1', but '<i1' means the same: byte order does not matter for one byte.
    if (descr == row.npyDescr || (row.bytes == 1 && descr.size() == 3 && descr[0] == '<' &&
                                  descr.substr(1) == std::string(row.npyDescr).substr(1)))
      return row.type;
    if (descr.size() > 1 && descr[0] == '>' &&
        descr.substr(1) == std::string(row.npyDescr).substr(1))
      return invalidInput(fmt::format(
          "'{}' holds big-endian elements (dtype '{}'); wanted little-endian", name, descr));
    known += known.empty() ? "" : ", ";
    known += row.npyDescr;
  }
  return invalidInput(fmt::format("'{}' has dtype '{}', which is not supported; supported: {}",
                                  name, descr, known));
}

StatusOr<NpyArray> parseNpy(std::span<const uint8_t> bytes, const std::string &name) {
  if (bytes.size() < kMagic.size() || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return invalidInput(
        fmt::format("'{}' is not an .npy file: it does not start with \\x93NUMPY", name));
  auto cutShort = [&](int64_t wanted) {
    return invalidInput(
        fmt::format("'{}' is cut short: wanted {} bytes, got {}", name, wanted, bytes.size()));
  };
  if (bytes.size() < 10)
    return cutShort(10);
  int version = bytes[6];
  if (version != 1 && version != 2)
    return invalidInput(
        fmt::format("'{}' has .npy format version {}; supported: 1, 2", name, version));
  size_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start)
    return cutShort(static_cast<int64_t>(start));
  size_t length = bytes[8] | size_t(bytes[9]) << 8;
  if (version == 2)
    length |= size_t(bytes[10]) << 16 | size_t(bytes[11]) << 24;
  if (bytes.size() - start < length)
    return cutShort(static_cast<int64_t>(start + length));

  Header header;
  std::string_view text(reinterpret_cast<const char *>(bytes.data()) + start, length);
  if (!DictParser(text).parse(header))
    return invalidInput(fmt::format(
        "'{}' has a malformed .npy header; wanted a dict of descr, fortran_order and shape", name));
  NpyArray array;
  MTC_ASSIGN_OR_RETURN(array.type, typeOf(header.descr, name));
  if (header.fortranOrder && header.shape.size() > 1)
    return invalidInput(fmt::format("'{}' holds elements in Fortran order; wanted C order", name));
  array.shape = std::move(header.shape);
  int64_t wanted = byteCount(array.shape, elementTypeBytes(array.type));
  if (wanted < 0)
    return invalidInput(
        fmt::format("'{}' has shape ({}), which is too large", name, fmt::join(array.shape, ", ")));
  std::span<const uint8_t> elements = bytes.subspan(start + length);
  if (elements.size() < static_cast<uint64_t>(wanted))
    return cutShort(static_cast<int64_t>(start + length) + wanted);
  if (elements.size() > static_cast<uint64_t>(wanted))
    return invalidInput(fmt::format("'{}' has {} bytes after its last element", name,
                                    elements.size() - static_cast<uint64_t>(wanted)));
  array.bytes.assign(elements.begin(), elements.end());
  return array;
}

StatusOr<NpyArray> readNpy(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  return parseNpy(file.bytes(), path);
}

StatusOr<std::vector<uint8_t>> formatNpy(ElementType type, std::span<const int64_t> shape,
                                         std::span<const uint8_t> elements) {
  if (byteCount(shape, elementTypeBytes(type)) != static_cast<int64_t>(elements.size()))
    return internalError(fmt::format("an array of shape ({}) and type {} has not {} bytes",
                                     fmt::join(shape, ", "), elementTypeName(type),
                                     elements.size()));
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                 elementTypeInfo(type).npyDescr, fmt::join(shape, ", "),
                                 shape.size() == 1 ? "," : "");
  size_t padded = (10 + dict.size() + 1 + 63) / 64 * 64;
  if (padded - 10 > 0xffff)
    return internalError(
        fmt::format("a shape of {} dimensions does not fit .npy version 1", shape.size()));
  dict.resize(padded - 10, ' ');
  dict.back() = '\n';
  std::vector<uint8_t> bytes(kMagic.begin(), kMagic.end());
  bytes.insert(bytes.end(), {1, 0, uint8_t(dict.size() & 255), uint8_t(dict.size() >> 8)});
  bytes.insert(bytes.end(), dict.begin(), dict.end());
  bytes.insert(bytes.end(), elements.begin(), elements.end());
  return bytes;
}

Status writeNpy(const std::string &path, ElementType type, std::span<const int64_t> shape,
                std::span<const uint8_t> elements) {
  MTC_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, formatNpy(type, shape, elements));
  MTC_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  MTC_RETURN_IF_ERROR(file.write(bytes));
  return file.commit();
}

} // namespace mtc
