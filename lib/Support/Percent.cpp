//===- Percent.cpp - RFC 3986 percent encoding of file names --------------===//
#include "mtc/Support/Percent.h"

#include <fmt/format.h>

namespace mtc {

static bool isPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

std::string percentEncode(std::string_view name) {
  if (name.empty())
    return "%"; // no name encodes to a lone '%'
  std::string text;
  for (size_t i = 0; i < name.size(); ++i) {
    // A leading dot would hide the file, or name a folder.
    if (isPlain(name[i]) && !(i == 0 && name[i] == '.'))
      text += name[i];
    else
      text += fmt::format("%{:02X}", static_cast<unsigned char>(name[i]));
  }
  return text;
}

static int hexDigit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

StatusOr<std::string> percentDecode(std::string_view text) {
  std::string name;
  if (text == "%")
    return name;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    int high = i + 2 < text.size() ? hexDigit(text[i + 1]) : -1;
    int low = i + 2 < text.size() ? hexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return invalidInput(
          fmt::format("'{}' has a '%' at {} without two hexadecimal digits", text, i));
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return name;
}

} // namespace mtc
