//===- HostModelText.cpp - a host's description as text -------------------===//
//
//   mtc-host-model 1
//   cpu AMD EPYC
//   date 2026-11-23
//   cores 2
//   ...
//   price contraction start 120 tiles 48 ...
//
//===----------------------------------------------------------------------===//
#include "mtc/Tuning/HostModel.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mtc {
namespace {

constexpr std::string_view kFirstLine = "mtc-host-model 1";

std::string_view takeWord(std::string_view &line) {
  const size_t end = std::min(line.find(' '), line.size());
  std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool parseNumber(std::string_view text, double &value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
         value >= 0 && value < 1e15;
}

/// "FAMILY start 1.5 tiles 2 ..."; amounts that are left out cost nothing.
bool parsePrice(std::string_view line, HostModel &model) {
  auto &prices = model.prices[std::string(takeWord(line))];
  while (!line.empty()) {
    const std::string_view name = takeWord(line);
    const auto at = std::find(kAmountNames.begin(), kAmountNames.end(), name);
    if (at == kAmountNames.end() ||
        !parseNumber(takeWord(line), prices[static_cast<size_t>(at - kAmountNames.begin())]))
      return false;
  }
  return true;
}

/// "FAMILY split 0.1 residual 0.05".
bool parseShares(std::string_view line, HostModel &model) {
  Shares &shares = model.sharesOf[std::string(takeWord(line))];
  return takeWord(line) == "split" && parseNumber(takeWord(line), shares.split) &&
         takeWord(line) == "residual" && parseNumber(line, shares.residual);
}

/// Fields that are one number, in the order in which they are printed.
struct NumberField {
  std::string_view name;
  double (*get)(const HostModel &);
  void (*set)(HostModel &, double);
  bool isPositive;
};

constexpr NumberField kNumbers[] = {
    {"cores", [](const HostModel &m) { return double(m.cores); },
     [](HostModel &m, double v) { m.cores = int32_t(std::min(v, 1e6)); }, true},
    {"l2_bytes", [](const HostModel &m) { return double(m.l2Bytes); },
     [](HostModel &m, double v) { m.l2Bytes = int64_t(v); }, true},
    {"l3_bytes", [](const HostModel &m) { return double(m.l3Bytes); },
     [](HostModel &m, double v) { m.l3Bytes = int64_t(v); }, true},
    {"flops_per_ns", [](const HostModel &m) { return m.flopsPerNs; },
     [](HostModel &m, double v) { m.flopsPerNs = v; }, true},
    {"core_bytes_per_ns", [](const HostModel &m) { return m.coreBytesPerNs; },
     [](HostModel &m, double v) { m.coreBytesPerNs = v; }, true},
    {"bytes_per_ns", [](const HostModel &m) { return m.bytesPerNs; },
     [](HostModel &m, double v) { m.bytesPerNs = v; }, true},
    {"launch_ns", [](const HostModel &m) { return double(m.launchNs); },
     [](HostModel &m, double v) { m.launchNs = int64_t(v); }, false},
    {"barrier_ns", [](const HostModel &m) { return double(m.barrierNs); },
     [](HostModel &m, double v) { m.barrierNs = int64_t(v); }, false},
    {"split", [](const HostModel &m) { return m.shares.split; },
     [](HostModel &m, double v) { m.shares.split = v; }, false},
    {"residual", [](const HostModel &m) { return m.shares.residual; },
     [](HostModel &m, double v) { m.shares.residual = v; }, false},
    {"samples", [](const HostModel &m) { return double(m.samples); },
     [](HostModel &m, double v) { m.samples = int64_t(v); }, false},
    {"held_out_error", [](const HostModel &m) { return m.heldOutError; },
     [](HostModel &m, double v) { m.heldOutError = v; }, false},
};

} // namespace

std::string printHostModel(const HostModel &model) {
  std::string text = fmt::format("{}\ncpu {}\ndate {}\n", kFirstLine, model.cpu, model.date);
  for (const NumberField &field : kNumbers)
    text += fmt::format("{} {}\n", field.name, field.get(model));
  for (const auto &[family, shares] : model.sharesOf)
    text += fmt::format("shares {} split {:.4g} residual {:.4g}\n", family, shares.split,
                        shares.residual);
  for (const auto &[family, prices] : model.prices) {
    text += "price " + family;
    for (size_t i = 0; i < kAmounts; ++i)
      if (prices[i] > 0)
        text += fmt::format(" {} {:.6g}", kAmountNames[i], prices[i]);
    text += "\n";
  }
  return text;
}

StatusOr<HostModel> parseHostModel(std::string_view text) {
  HostModel model;
  size_t seen = 0, number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    const std::string_view whole = line;
    text.remove_prefix(std::min(end + 1, text.size()));
    if (++number == 1) {
      if (line != kFirstLine)
        return invalidInput(
            fmt::format("line 1 is '{}'; wanted '{}'", line.substr(0, 80), kFirstLine));
      continue;
    }
    if (line.empty() || line.front() == '#')
      continue;
    const std::string_view key = takeWord(line);
    bool isRight = true;
    if (key == "cpu")
      model.cpu = line;
    else if (key == "date")
      model.date = line;
    else if (key == "shares")
      isRight = !line.empty() && parseShares(line, model);
    else if (key == "price")
      isRight = !line.empty() && parsePrice(line, model);
    else {
      const auto *field = std::find_if(std::begin(kNumbers), std::end(kNumbers),
                                       [&](const NumberField &f) { return f.name == key; });
      double value = 0;
      isRight = field != std::end(kNumbers) && parseNumber(line, value) &&
                (value > 0 || !field->isPositive);
      if (isRight) {
        field->set(model, value);
        seen |= size_t(1) << (field - kNumbers);
      }
    }
    if (!isRight)
      return invalidInput(fmt::format("line {} is '{}': not a field of a host model with its "
                                      "numbers",
                                      number, whole.substr(0, 80)));
  }
  for (size_t i = 0; i < std::size(kNumbers); ++i)
    if (!(seen >> i & 1))
      return invalidInput(fmt::format("the host model has no line '{}'", kNumbers[i].name));
  return model;
}

} // namespace mtc
