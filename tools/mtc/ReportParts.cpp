//===- ReportParts.cpp - distributions and differences in reports ---------===//
#include "ReportParts.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

namespace mtc::tool {
namespace {

constexpr double kWidth = 1000, kMiddle = 50, kHeight = 46;
/// Rows of tasks that a page shows; --json has all.
constexpr size_t kMostRows = 500;

/// Where times lie on the axis of all histograms.
struct Axis {
  double low = INFINITY, high = 0; ///< ns
  void add(const TenantLoad &load) {
    if (load.histogram.empty())
      return;
    low = std::min(low, double(load.histogram.front().fromNs));
    high = std::max(high, double(load.histogram.back().toNs));
  }
  double x(int64_t ns) const {
    return kWidth * std::clamp(std::log(double(ns) / low) / std::log(high / low), 0.0, 1.0);
  }
};

double largestPart(const TenantLoad &load) {
  int64_t most = 0;
  for (const LatencyBin &bin : load.histogram)
    most = std::max(most, bin.requests);
  return double(most) / double(std::max<int64_t>(1, load.requests));
}

/// Bars from the middle, up or down. `full` is the part of the requests that is as high as fits.
void addBars(const TenantLoad &load, const Axis &axis, double full, bool isMeasured,
             std::string &out) {
  for (const LatencyBin &bin : load.histogram) {
    const double height =
        kHeight * double(bin.requests) / double(std::max<int64_t>(1, load.requests)) / full;
    fmt::format_to(std::back_inserter(out),
                   "<g class=\"bin\" tabindex=\"-1\" role=\"img\" aria-label=\"{} to {}\n{} of {} "
                   "requests, {}\"><rect class=\"{}\" data-requests=\"{}\" x=\"{:.2f}\" "
                   "y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\"/></g>\n",
                   formatNs(bin.fromNs), formatNs(bin.toNs), bin.requests, load.requests,
                   isMeasured ? "measured" : "simulated", isMeasured ? "measured" : "simulated",
                   bin.requests, axis.x(bin.fromNs), isMeasured ? kMiddle : kMiddle - height,
                   axis.x(bin.toNs) - axis.x(bin.fromNs), height);
  }
}

const TenantLoad *measuredLoad(const SimulatedTarget &target, const std::string &tenant) {
  const auto found = target.measured.find(tenant);
  return found != target.measured.end() && found->second.load ? &*found->second.load : nullptr;
}

std::string nsCell(int64_t ns) {
  return fmt::format("<td data-ns=\"{}\">{}</td>", ns, ns > 0 ? formatNs(ns) : "-");
}

std::string bothBytes(const WasIs &bytes) {
  return fmt::format("<td>{}</td><td>{}</td>", formatBytes(bytes.was), formatBytes(bytes.is));
}

} // namespace

std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  return result;
}

void addHistograms(const SimulatedTarget &target, std::string &out) {
  Axis axis;
  for (const TenantVerdict &tenant : target.verdict->tenants) {
    axis.add(tenant.load);
    if (const TenantLoad *measured = measuredLoad(target, tenant.name))
      axis.add(*measured);
  }
  if (axis.high == 0)
    return;
  auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "<h3>Latencies</h3><p>From {} to {}, logarithmic; bars upwards are simulated, "
                 "downwards measured; the line is the SLO.</p>\n",
                 formatNs(std::llround(axis.low)), formatNs(std::llround(axis.high)));
  for (const TenantVerdict &tenant : target.verdict->tenants) {
    if (tenant.load.histogram.empty())
      continue;
    const TenantLoad *measured = measuredLoad(target, tenant.name);
    const double full = std::max(largestPart(tenant.load), measured ? largestPart(*measured) : 0.0);
    fmt::format_to(to,
                   "<figure><figcaption>{}</figcaption><svg class=\"histogram\" viewBox=\"0 0 {} "
                   "{}\" preserveAspectRatio=\"none\" height=\"{}\" role=\"group\" "
                   "aria-label=\"latencies of {}\">\n",
                   escaped(tenant.name), kWidth, 2 * kMiddle, 2 * kMiddle, escaped(tenant.name));
    addBars(tenant.load, axis, full, false, out);
    if (measured)
      addBars(*measured, axis, full, true, out);
    if (tenant.sloNs > 0)
      fmt::format_to(to,
                     "<line class=\"slo\" x1=\"{0:.2f}\" x2=\"{0:.2f}\" y1=\"0\" y2=\"{1}\"/>\n",
                     axis.x(tenant.sloNs), 2 * kMiddle);
    out += "</svg></figure>\n";
  }
}

void addDifference(const Difference &difference, std::string &out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "<h3>Against {}</h3><table class=\"difference\"><tr><th>tenant</th>"
                 "<th>in the round, there</th><th>here</th><th>alone, there</th><th>here</th>"
                 "<th>weights, there</th><th>here</th><th>values, there</th><th>here</th>"
                 "<th>tasks</th><th>in both</th><th>moved</th><th>changed</th></tr>\n",
                 escaped(difference.other));
  fmt::format_to(to,
                 "<tr><td>all</td>{}{}<td></td><td></td>{}<td></td><td></td><td></td><td></td>"
                 "<td></td><td></td></tr>\n",
                 nsCell(difference.makespanNs.was), nsCell(difference.makespanNs.is),
                 bothBytes(difference.weightBytes));
  for (const TenantDifference &tenant : difference.tenants)
    fmt::format_to(to,
                   "<tr><td>{}</td>{}{}{}{}{}{}<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                   escaped(tenant.name), nsCell(tenant.latencyNs.was), nsCell(tenant.latencyNs.is),
                   nsCell(tenant.aloneNs.was), nsCell(tenant.aloneNs.is),
                   bothBytes(tenant.weightBytes), bothBytes(tenant.valueBytes), tenant.tasks.is,
                   tenant.matched, tenant.moved, tenant.variants);
  out += "</table>\n";
  if (difference.tasks.empty())
    return;
  const size_t shown = std::min(kMostRows, difference.tasks.size());
  fmt::format_to(to,
                 "<details><summary>{} tasks run otherwise{}</summary><table class=\"changes\"><tr>"
                 "<th>task</th><th>granules, there</th><th>here</th><th>variant, there</th>"
                 "<th>here</th><th>time, there</th><th>here</th></tr>\n",
                 difference.tasks.size(),
                 shown < difference.tasks.size() ? fmt::format(", the first {} here", shown) : "");
  for (size_t t = 0; t < shown; ++t) {
    const TaskDifference &task = difference.tasks[t];
    fmt::format_to(to,
                   "<tr class=\"change\"><td>{} {} {}</td><td>{}</td><td>{}</td><td>{}</td>"
                   "<td>{}</td>{}{}</tr>\n",
                   escaped(task.tenant), task.id, escaped(task.name),
                   printGranules(task.wasGranules), printGranules(task.isGranules),
                   escaped(task.wasVariant), escaped(task.isVariant), nsCell(task.ns.was),
                   nsCell(task.ns.is));
  }
  out += "</table></details>\n";
}

} // namespace mtc::tool
