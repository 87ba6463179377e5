//===- Text.h - quantities with units, in and out -------------------------===//
//
// What people write in manifests and flags ("60ms", "10/s") and read in tables. Units are
// required: a number alone is an error that says which units there are.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace mtc {

/// Nanoseconds of "60ms", "1.5s", "250us", "10ns", "2min". Rounded to the nearest.
///
/// Fails if it is no positive number with one of these units (InvalidInput).
StatusOr<int64_t> parseDurationNs(std::string_view text);

/// Events per second of "10/s", "0.5/s", "120/min".
///
/// Fails if it is no positive number with one of these units (InvalidInput).
StatusOr<double> parseRatePerSecond(std::string_view text);

/// A whole number of at least `least`: "4".
///
/// Fails if it is something else (InvalidInput; the message starts with `what`).
StatusOr<int64_t> parseCount(std::string_view text, std::string_view what, int64_t least = 1);

/// "41.2 ms", "760 us", "12 ns", "3.05 s": three significant digits at most.
std::string formatNs(int64_t ns);

/// "96 KiB", "1.5 MiB", "12 B".
std::string formatBytes(int64_t bytes);

} // namespace mtc
