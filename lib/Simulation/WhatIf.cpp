//===- WhatIf.cpp - changed rates, SLOs, priorities -----------------------===//
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Simulation/Verdict.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

namespace mtc {

/// The factor of "x2"; an error that says what is wanted for anything else.
static StatusOr<double> parseFactor(const std::string &text) {
  double factor = 0;
  auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), factor);
  if (error != std::errc() || end != text.data() + text.size() || !(factor > 0) ||
      !std::isfinite(factor))
    return invalidInput(fmt::format("factor '{}' is not 'x' and a number above 0, e.g. x2", text));
  return factor;
}

static Status changeTenant(Tenant &tenant, const std::string &key, const std::string &value,
                           bool isNamed) {
  bool isFactor = !value.empty() && value[0] == 'x';
  double factor = 1;
  if (isFactor) {
    MTC_ASSIGN_OR_RETURN(factor, parseFactor(value));
  }
  if (key == "rate") {
    if (isFactor && tenant.ratePerSecond == 0 && isNamed)
      return invalidInput(
          fmt::format("tenant '{}' has no rate to multiply; wanted e.g. 10/s", tenant.name));
    if (isFactor) {
      tenant.ratePerSecond *= factor;
    } else {
      MTC_ASSIGN_OR_RETURN(tenant.ratePerSecond, parseRatePerSecond(value));
    }
    return okStatus();
  }
  if (key == "slo") {
    if (isFactor && tenant.sloP99Ns == 0 && isNamed)
      return invalidInput(
          fmt::format("tenant '{}' has no SLO to multiply; wanted e.g. 40ms", tenant.name));
    if (isFactor) {
      tenant.sloP99Ns = std::llround(static_cast<double>(tenant.sloP99Ns) * factor);
    } else {
      MTC_ASSIGN_OR_RETURN(tenant.sloP99Ns, parseDurationNs(value));
    }
    return okStatus();
  }
  if (key == "priority") {
    int32_t priority = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), priority);
    if (error != std::errc() || end != value.data() + value.size())
      return invalidInput(fmt::format("priority '{}' is not a whole number", value));
    tenant.priority = priority;
    return okStatus();
  }
  if (key == "arrivals") {
    for (ArrivalKind kind : {ArrivalKind::Poisson, ArrivalKind::Periodic, ArrivalKind::Bursty})
      if (value == arrivalKindName(kind)) {
        tenant.arrivals = kind;
        return okStatus();
      }
    return invalidInput(
        fmt::format("unknown arrivals '{}'; known: poisson, periodic, bursty", value));
  }
  return invalidInput(fmt::format("unknown key '{}'; known: rate, slo, priority, arrivals", key));
}

Status applyWhatIf(Problem &problem, const std::string &change) {
  size_t equals = change.find('=');
  if (equals == std::string::npos)
    return invalidInput(fmt::format("'{}' is not [TENANT.]KEY=VALUE, e.g. det.rate=x2", change));
  std::string key = change.substr(0, equals), value = change.substr(equals + 1), name;
  size_t dot = key.rfind('.');
  if (dot != std::string::npos) {
    name = key.substr(0, dot);
    key = key.substr(dot + 1);
  }
  bool found = false;
  std::vector<std::string> names;
  for (Tenant &tenant : problem.tenants) {
    names.push_back(tenant.name);
    if (dot != std::string::npos && tenant.name != name)
      continue;
    found = true;
    MTC_RETURN_IF_ERROR(changeTenant(tenant, key, value, dot != std::string::npos)
                            .withContext(fmt::format("'{}'", change)));
  }
  if (!found)
    return invalidInput(
        fmt::format("'{}': unknown tenant '{}'; known: {}", change, name, fmt::join(names, ", ")));
  return okStatus();
}

} // namespace mtc
