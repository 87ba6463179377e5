//===- ReportHtml.cpp - a report for people, one file ---------------------===//
//
// SVG and tables are written here, so the page shows all of it without JavaScript, can be printed,
// and tests can count its bars. The script only zooms (buttons, wheel, keys) and shows what the
// pointer or the focus is on. Colours follow the reader's light or dark scheme.
//
//===----------------------------------------------------------------------===//
#include "ReportParts.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

namespace mtc::tool {
namespace {

constexpr int kWidth = 1000; ///< of a timeline, in units of its view box
constexpr int kRow = 24;     ///< height of a granule

constexpr const char *kHead = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>mtc report</title><style>
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #c8ced6; }
@media (prefers-color-scheme: dark) { :root { --ink: #dde3ea; --paper: #14181d; --line: #3a424c; } }
body { font: 15px/1.5 sans-serif; color: var(--ink); background: var(--paper); margin: 2em; max-width: 75em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; border: 1px solid var(--line); display: block; }
svg.timeline { cursor: grab; } .task:focus rect, .task:hover rect { stroke: var(--ink); stroke-width: 1; }
figcaption { font-weight: bold; } .simulated { fill: #3d7dca; } .measured { fill: #c8742a; } .slo { stroke: var(--ink); }
.slo { stroke-dasharray: 4 3; vector-effect: non-scaling-stroke; }
.task rect { vector-effect: non-scaling-stroke; } .row { stroke: var(--line); vector-effect: non-scaling-stroke; }
.swatch { display: inline-block; width: .9em; height: .9em; margin-right: .4em; vertical-align: -.1em; }
#tip { position: fixed; pointer-events: none; background: var(--paper); border: 1px solid var(--line); padding: .3em .6em;
  white-space: pre; display: none; } .bad { font-weight: bold; }
</style></head><body><h1>mtc report</h1>
)html";

constexpr const char *kTail = R"html(<div id="tip" role="status"></div><script>
'use strict';
const tip = document.getElementById('tip');
function show(task, x, y) {
  tip.textContent = task.getAttribute('aria-label');
  tip.style.display = 'block';
  tip.style.left = Math.min(x + 12, innerWidth - 340) + 'px';
  tip.style.top = y + 16 + 'px';
}
function hide() { tip.style.display = 'none'; }
for (const svg of document.querySelectorAll('svg.timeline')) {
  const full = svg.viewBox.baseVal.width;
  const view = svg.viewBox.baseVal;
  const zoom = (factor, at) => {
    const width = Math.min(full, Math.max(full / 1e4, view.width * factor));
    view.x = Math.max(0, Math.min(full - width, view.x + (view.width - width) * at));
    view.width = width;
  };
  const move = part => { view.x = Math.max(0, Math.min(full - view.width, view.x + view.width * part)); };
  const act = { '+': () => zoom(0.5, 0.5), '-': () => zoom(2, 0.5), '0': () => zoom(1e9, 0),
    ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2) };
  svg.addEventListener('wheel', e => {
    e.preventDefault();
    zoom(e.deltaY > 0 ? 1.25 : 0.8, e.offsetX / svg.clientWidth);
  }, { passive: false });
  svg.addEventListener('keydown', e => { if (act[e.key]) { act[e.key](); e.preventDefault(); } });
  for (const button of svg.parentElement.querySelectorAll('button'))
    button.addEventListener('click', () => act[button.value]());
}
for (const svg of document.querySelectorAll('svg')) {
  const marked = e => e.target.closest('.task, .bin');
  svg.addEventListener('mousemove', e => {
    const mark = marked(e);
    mark ? show(mark, e.clientX, e.clientY) : hide();
  });
  svg.addEventListener('mouseleave', hide);
  svg.addEventListener('focusin', e => {
    const mark = marked(e), box = mark && mark.getBoundingClientRect();
    if (mark) show(mark, box.left, box.bottom);
  });
  svg.addEventListener('focusout', hide);
}
</script></body></html>
)html";

/// Tenants are told apart by hue; the golden angle keeps neighbours far from each other.
std::string colourOf(size_t tenant) {
  return fmt::format("hsl({:.0f} 60% 55%)", double(tenant * 222 % 360));
}

class TargetReport {
public:
  TargetReport(const SimulatedTarget &target, std::string &out)
      : target_(target), problem_(target.problem), out_(out) {}

  void write() {
    add("<section><h2>{}</h2>\n<p>A round of {} tenants takes {} (policy {}), {:.0f} % of units "
        "busy, "
        "{:.0f} % of bandwidth used. Everything here is simulated, on {} times, but what is "
        "called measured.</p>\n",
        escaped(target_.target), target_.run.latencyNs.size(), formatNs(target_.run.makespanNs),
        escaped(target_.round.policy), 100 * target_.run.busyUnits, 100 * target_.run.usedBandwidth,
        printOrigins(target_.times));
    writeTimeline();
    writeSlowdowns();
    writeLedger();
    if (target_.verdict) {
      writeLoad(*target_.verdict);
      addHistograms(target_, out_);
    }
    if (target_.difference)
      addDifference(*target_.difference, out_);
    add("</section>\n");
  }

private:
  template <typename... Args> void add(fmt::format_string<Args...> format, Args &&...args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  double x(int64_t ns) const {
    return kWidth * static_cast<double>(ns) /
           static_cast<double>(std::max<int64_t>(1, target_.run.makespanNs));
  }

  void writeTimeline() {
    int granules = problem_.device.granules;
    add("<h3>Timeline</h3><figure><svg class=\"timeline\" viewBox=\"0 0 {} {}\" "
        "preserveAspectRatio=\"none\" height=\"{}\" tabindex=\"0\" role=\"group\" "
        "aria-label=\"granules from top to bottom, time from left to right\">\n",
        kWidth, granules * kRow, granules * kRow);
    for (size_t p = 0; p < target_.round.places.size(); ++p)
      writeTask(p);
    for (int g = 1; g < granules; ++g)
      add("<line class=\"row\" x1=\"0\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n", kWidth, g * kRow,
          g * kRow);
    add("</svg><p><button value=\"+\">zoom in</button> <button value=\"-\">zoom out</button> "
        "<button value=\"0\">all</button> keys: + - 0 and arrows. ");
    std::set<int32_t> shown;
    for (size_t i = 0; i < target_.run.latencyNs.size(); ++i)
      if (shown.insert(target_.tenantOf(i)).second)
        add("<span class=\"swatch\" style=\"background: {}\"></span>{} ",
            colourOf(static_cast<size_t>(target_.tenantOf(i))), escaped(target_.tenantName(i)));
    add("</p></figure>\n");
  }

  /// A group of as many bars as its granules have gaps, and one.
  void writeTask(size_t p) {
    const Place &place = target_.round.places[p];
    const PlaceRun &run = target_.run.places[p];
    auto instance = static_cast<size_t>(place.instance);
    const Entry &entry =
        problem_.entries[static_cast<size_t>(target_.round.workload.instances[instance])];
    const Task &task = entry.tasks[static_cast<size_t>(place.task)];
    const Kernel &kernel = problem_.kernels[static_cast<size_t>(task.kernel)];
    const Variant &variant = kernel.variants[static_cast<size_t>(place.variant)];
    add("<g class=\"task\" tabindex=\"-1\" role=\"img\" fill=\"{}\" aria-label=\"{} task {} {}\n"
        "kernel {}\nvariant {} {}\n{} at {}{}\">",
        colourOf(static_cast<size_t>(entry.tenant)), escaped(target_.tenantName(instance)), task.id,
        escaped(task.name), escaped(kernel.name), place.variant, escaped(variant.config),
        formatNs(run.endNs - run.startNs), formatNs(run.startNs),
        place.merged ? "\nin the command of the task before it" : "");
    for (int g = 0; g < problem_.device.granules; ++g) {
      if ((place.granules >> g & 1) == 0)
        continue;
      int last = g;
      while (last + 1 < problem_.device.granules && (place.granules >> (last + 1) & 1) != 0)
        ++last;
      add("<rect x=\"{:.3f}\" y=\"{}\" width=\"{:.3f}\" height=\"{}\"/>", x(run.startNs),
          g * kRow + 1, x(run.endNs) - x(run.startNs), (last - g + 1) * kRow - 2);
      g = last;
    }
    add("</g>\n");
  }

  void writeSlowdowns() {
    bool isMeasured = false;
    for (const auto &[name, tenant] : target_.measured)
      isMeasured |= tenant.aloneNs > 0 || tenant.togetherNs > 0;
    add("<h3>Alone and together</h3><table class=\"slowdown\"><tr><th>tenant</th><th>alone</th>"
        "<th>in the round</th><th>slowdown</th>{}</tr>\n",
        isMeasured ? "<th>measured alone</th><th>in the round</th><th>slowdown</th>" : "");
    for (size_t i = 0; i < target_.run.latencyNs.size(); ++i) {
      add("<tr><td>{}</td>", escaped(target_.tenantName(i)));
      writeSlowdown(target_.aloneNs[i], target_.run.latencyNs[i]);
      const auto measured = target_.measured.find(target_.tenantName(i));
      if (measured != target_.measured.end() && isMeasured)
        writeSlowdown(measured->second.aloneNs, measured->second.togetherNs);
      add("</tr>\n");
    }
    add("</table>\n");
  }

  /// 0: not known.
  void writeSlowdown(int64_t aloneNs, int64_t togetherNs) {
    for (int64_t ns : {aloneNs, togetherNs})
      add("<td data-ns=\"{}\">{}</td>", ns, ns > 0 ? formatNs(ns) : "-");
    add("<td>{}</td>", aloneNs > 0 && togetherNs > 0
                           ? fmt::format("{:.2f}", double(togetherNs) / double(aloneNs))
                           : "-");
  }

  /// What each instance holds: memory as its values say, granules times time as it ran.
  void writeLedger() {
    std::map<int32_t, double> heldNs;
    double allNs = 1;
    for (size_t p = 0; p < target_.round.places.size(); ++p) {
      const Place &place = target_.round.places[p];
      const PlaceRun &run = target_.run.places[p];
      double held = static_cast<double>(run.endNs - run.startNs) * std::popcount(place.granules);
      heldNs[place.instance] += held;
      allNs += held;
    }
    add("<h3>Ledger</h3><table class=\"ledger\"><tr><th>tenant</th><th>tasks</th><th>weights</th>"
        "<th>values</th><th>granule time</th><th>share</th></tr>\n");
    for (size_t i = 0; i < target_.run.latencyNs.size(); ++i) {
      const Entry &entry =
          problem_.entries[static_cast<size_t>(target_.round.workload.instances[i])];
      int64_t weights = 0, values = 0;
      for (const Value &value : entry.values)
        (value.kind == ValueKind::Weight ? weights : values) += value.bytes;
      double held = heldNs[static_cast<int32_t>(i)];
      add("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.0f} %</td></tr>\n",
          escaped(target_.tenantName(i)), entry.tasks.size(), formatBytes(weights),
          formatBytes(values), formatNs(std::llround(held)), 100 * held / allNs);
    }
    add("</table>\n");
  }

  void writeLoad(const Verdict &verdict) {
    bool isMeasured = false;
    for (const auto &[name, tenant] : target_.measured)
      isMeasured |= tenant.load.has_value();
    add("<h3>Open load</h3><table class=\"load\"><tr><th>tenant</th><th>rate</th><th>p50</th>"
        "<th>p99</th><th>95 % interval</th><th>SLO</th><th>missed</th><th>busy</th>{}</tr>\n",
        isMeasured ? "<th>measured p50</th><th>p99</th><th>missed</th><th>busy</th>" : "");
    for (const TenantVerdict &tenant : verdict.tenants) {
      if (!(tenant.ratePerSecond > 0) && tenant.sloNs == 0)
        continue;
      const TenantLoad &load = tenant.load;
      add("<tr{}><td>{}</td><td>{:.3g}/s {}</td>{}<td>{} to {}</td><td>{}</td>",
          tenant.fits ? "" : " class=\"bad\"", escaped(tenant.name), tenant.ratePerSecond,
          arrivalKindName(tenant.arrivals), quantileCells(load), formatNs(load.p99LowNs),
          formatNs(load.p99HighNs), tenant.sloNs > 0 ? formatNs(tenant.sloNs) : "-");
      add("{}", shareCells(load));
      const auto measured = target_.measured.find(tenant.name);
      if (measured != target_.measured.end() && measured->second.load)
        add("{}{}", quantileCells(*measured->second.load), shareCells(*measured->second.load));
      add("</tr>\n");
    }
    add("</table><p>{}{}</p>\n",
        verdict.fits ? "The set fits."
                     : "The set does not fit: " + escaped(missesOf(verdict)) + ".",
        verdict.layout.empty() ? "" : " Layout: " + escaped(verdict.layout) + ".");
  }

  static std::string quantileCells(const TenantLoad &load) {
    return fmt::format("<td data-ns=\"{}\">{}</td><td data-ns=\"{}\">{}</td>", load.p50Ns,
                       formatNs(load.p50Ns), load.p99Ns, formatNs(load.p99Ns));
  }
  static std::string shareCells(const TenantLoad &load) {
    return fmt::format("<td>{:.2f} %</td><td>{:.0f} %</td>", 100 * load.missed,
                       100 * load.utilisation);
  }

  const SimulatedTarget &target_;
  const Problem &problem_;
  std::string &out_;
};

} // namespace

std::string reportHtml(const std::vector<SimulatedTarget> &targets) {
  std::string out = kHead;
  for (const SimulatedTarget &target : targets)
    TargetReport(target, out).write();
  return out + kTail;
}

} // namespace mtc::tool
