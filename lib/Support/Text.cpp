//===- Text.cpp - parsing and printing of quantities ----------------------===//
#include "mtc/Support/Text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <span>
#include <utility>

namespace mtc {

namespace {
struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit kDurations[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}};
constexpr Unit kRates[] = {{"/s", 1}, {"/min", 1 / 60.0}};
} // namespace

/// A positive number directly followed by one of `units`, in the first unit's scale.
static StatusOr<double> parseQuantity(std::string_view text, const char *what, const char *example,
                                      std::span<const Unit> units) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string known;
  if (error == std::errc() && number > 0 && std::isfinite(number)) {
    std::string_view rest = text.substr(static_cast<size_t>(end - text.data()));
    for (const Unit &unit : units)
      if (rest == unit.name)
        return number * unit.factor;
    for (const Unit &unit : units)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", unit.name);
    if (rest.empty())
      return invalidInput(fmt::format("{} '{}' has no unit; known: {}", what, text, known));
    return invalidInput(
        fmt::format("{} '{}' has unknown unit '{}'; known: {}", what, text, rest, known));
  }
  return invalidInput(
      fmt::format("{} '{}' is not a positive number with a unit, e.g. {}", what, text, example));
}

StatusOr<int64_t> parseDurationNs(std::string_view text) {
  MTC_ASSIGN_OR_RETURN(double ns, parseQuantity(text, "duration", "60ms", kDurations));
  if (ns < 0.5 || ns > 9e18)
    return invalidInput(
        fmt::format("duration '{}' is out of range; wanted 1 ns to 292 years", text));
  return std::llround(ns);
}

StatusOr<double> parseRatePerSecond(std::string_view text) {
  return parseQuantity(text, "rate", "10/s", kRates);
}

StatusOr<int64_t> parseCount(std::string_view text, std::string_view what, int64_t least) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    return invalidInput(
        fmt::format("{} '{}' is not a whole number of at least {}", what, text, least));
  return value;
}

/// `value` with three significant digits and no trailing zeros.
static std::string threeDigits(double value) {
  if (value >= 100)
    return fmt::format("{:.0f}", value);
  std::string text = value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
  while (text.back() == '0')
    text.pop_back();
  if (text.back() == '.')
    text.pop_back();
  return text;
}

/// The largest unit in which the printed value is at least 1.
static std::string inUnit(int64_t value, std::span<const Unit> units) {
  size_t unit = 0;
  double magnitude = std::fabs(static_cast<double>(value));
  while (unit + 1 < units.size() && magnitude >= units[unit + 1].factor)
    ++unit;
  return fmt::format("{}{} {}", value < 0 ? "-" : "", threeDigits(magnitude / units[unit].factor),
                     units[unit].name);
}

std::string formatNs(int64_t ns) { return inUnit(ns, std::span(kDurations).first(4)); }

std::string formatBytes(int64_t bytes) {
  static constexpr Unit units[] = {
      {"B", 1}, {"KiB", 1024}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}};
  return inUnit(bytes, units);
}

} // namespace mtc
