//===- Percent.h - tensor names as file names -----------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <string>
#include <string_view>

namespace mtc {

/// A name of any characters as a file name: letters, digits, `-`, `_` and inner `.` stay, any other
/// byte becomes
/// `%XX`. Distinct names give distinct file names; "", "." and ".." give none that mean a folder.
std::string percentEncode(std::string_view name);

/// The name that percentEncode turned into `text`.
///
/// Fails if a `%` is not followed by two hexadecimal digits (InvalidInput).
StatusOr<std::string> percentDecode(std::string_view text);

} // namespace mtc
