//===- Report.cpp - what tuning gained, as tables -------------------------===//
#include "mtc/Tuning/Report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace mtc {

int64_t TunedKernel::ns(const Share &share, const std::string &config) const {
  auto row = times.find(share);
  if (row == times.end())
    return 0;
  auto at = row->second.find(config);
  return at == row->second.end() ? 0 : at->second;
}

std::string TunedKernel::best(const Share &share) const {
  std::string best = ns(share, first) > 0 ? first : "";
  if (auto row = times.find(share); row != times.end())
    for (const auto &[config, time] : row->second)
      if (best.empty() || time < ns(share, best))
        best = config;
  return best;
}

TunedKernel tunedKernel(const std::string &kernel, const std::string &name,
                        const std::string &first, int64_t uses, const TuningRecords &records) {
  TunedKernel result{name, first, uses, {}};
  std::map<Share, int32_t> most;
  for (const TimeRecord &record : records.times)
    if (record.key.kernel == kernel)
      most[{record.key.granules, record.key.neighbour}] =
          std::max(most[{record.key.granules, record.key.neighbour}], record.samples);
  for (const TimeRecord &record : records.times) {
    const Share share = {record.key.granules, record.key.neighbour};
    if (record.key.kernel == kernel && record.samples > 0 && record.samples * 2 >= most[share])
      result.times[share][record.key.config] = record.ns;
  }
  return result;
}

static std::set<Share> sharesOf(const std::vector<TunedKernel> &kernels) {
  std::set<Share> shares;
  for (const TunedKernel &kernel : kernels)
    for (const auto &[share, times] : kernel.times)
      shares.insert(share);
  return shares;
}

std::vector<ShareGain> gainsOf(const std::vector<TunedKernel> &kernels) {
  std::vector<ShareGain> gains;
  for (const Share &share : sharesOf(kernels)) {
    ShareGain gain{share.first, share.second};
    double logs = 0;
    for (const TunedKernel &kernel : kernels) {
      const int64_t before = kernel.ns(share, kernel.first);
      if (before == 0)
        continue;
      const int64_t after = kernel.ns(share, kernel.best(share));
      ++gain.kernels;
      gain.defaultNs += before * kernel.uses;
      gain.tunedNs += after * kernel.uses;
      logs += std::log(double(before) / double(after));
    }
    if (gain.kernels > 0)
      gain.geomean = std::exp(logs / double(gain.kernels));
    gains.push_back(std::move(gain));
  }
  return gains;
}

std::vector<CrossCell> crossTable(const std::vector<TunedKernel> &kernels) {
  std::vector<CrossCell> cells;
  const std::set<Share> shares = sharesOf(kernels);
  for (const Share &tuned : shares)
    for (const Share &run : shares) {
      CrossCell cell{tuned, run};
      double logs = 0;
      for (const TunedKernel &kernel : kernels) {
        const int64_t ours = kernel.ns(run, kernel.best(tuned));
        const int64_t best = kernel.ns(run, kernel.best(run));
        if (ours == 0 || best == 0)
          continue;
        ++cell.kernels;
        logs += std::log(double(ours) / double(best));
        cell.worst = std::max(cell.worst, double(ours) / double(best));
      }
      if (cell.kernels > 0)
        cell.geomean = std::exp(logs / double(cell.kernels));
      cells.push_back(std::move(cell));
    }
  return cells;
}

static std::string shareName(const Share &share) {
  return fmt::format("{}, {}", share.first,
                     share.second == "none"     ? "alone"
                     : share.second == kFlushed ? "caches flushed"
                                                : "neighbours " + share.second);
}

/// The fewest granules, alone, within 10 % of the best time; 0: nothing was measured.
static int32_t kneeOf(const TunedKernel &kernel) {
  int64_t best = 0;
  for (const auto &[share, times] : kernel.times)
    if (const int64_t ns = kernel.ns(share, kernel.best(share));
        share.second == "none" && (best == 0 || ns < best))
      best = ns;
  for (const auto &[share, times] : kernel.times)
    if (share.second == "none" &&
        double(kernel.ns(share, kernel.best(share))) <= 1.1 * double(best))
      return share.first;
  return 0;
}

std::string tuningTable(const std::vector<TunedKernel> &kernels, const std::string &target,
                        const std::string &device) {
  const std::set<Share> shares = sharesOf(kernels);
  std::string text = fmt::format(
      "# Tuned kernels\n\nMeasured on {}, for {}; lower quartiles; caches are warm unless "
      "flushed.\n\n"
      "## Gain\n\n"
      "| granules | kernels | default, us a pass | tuned, us a pass | speed-up, geometric "
      "mean of kernels |\n|---|---|---|---|---|\n",
      device, target);
  for (const ShareGain &gain : gainsOf(kernels))
    text += fmt::format("| {} | {} | {:.1f} | {:.1f} | {:.3f} |\n",
                        shareName({gain.granules, gain.neighbour}), gain.kernels,
                        double(gain.defaultNs) / 1e3, double(gain.tunedNs) / 1e3, gain.geomean);
  text += "\n## Tuned for one share, run on another\n\nTime over that of the config tuned for the "
          "share: geometric mean (worst).\n\n| tuned for |";
  for (const Share &run : shares)
    text += fmt::format(" on {} |", shareName(run));
  text += "\n|---|";
  for (size_t i = 0; i < shares.size(); ++i)
    text += "---|";
  size_t column = 0;
  for (const CrossCell &cell : crossTable(kernels)) {
    if (column++ % shares.size() == 0)
      text += fmt::format("\n| {} |", shareName(cell.tuned));
    text += fmt::format(" {:.3f} ({:.2f}) |", cell.geomean, cell.worst);
  }
  text += "\n\n## Kernels\n\n| kernel | uses | knee |";
  for (const Share &share : shares)
    text += fmt::format(" {}: us, default, config |", shareName(share));
  text += "\n|---|---|---|";
  for (size_t i = 0; i < shares.size(); ++i)
    text += "---|";
  text += "\n";
  for (const TunedKernel &kernel : kernels) {
    if (kernel.times.empty())
      continue;
    text += fmt::format("| {} | {} | {} |", kernel.name, kernel.uses, kneeOf(kernel));
    for (const Share &share : shares) {
      const std::string best = kernel.best(share);
      text += best.empty()
                  ? " |"
                  : fmt::format(" {:.1f}, {:.1f}, {} |", double(kernel.ns(share, best)) / 1e3,
                                double(kernel.ns(share, kernel.first)) / 1e3, best);
    }
    text += "\n";
  }
  return text;
}

} // namespace mtc
