//===- Report.h - what tuning gained, as tables ---------------------------===//
#pragma once

#include "mtc/Tuning/Record.h"

#include <map>

namespace mtc {

/// A share of a device: granules, and what runs on the others.
using Share = std::pair<int32_t, std::string>;

/// A kernel of a set with its measured times.
struct TunedKernel {
  std::string name, first; ///< `first`: the config without measurements
  int64_t uses = 1;        ///< by tasks of the set
  /// ns by config, on each share. Of a share only configs that were sampled about as often as the
  /// one sampled most: others dropped out of the search early and are not comparable.
  std::map<Share, std::map<std::string, int64_t>> times;

  /// The fastest config of a share; the first one if it is as fast. Empty: nothing was measured.
  std::string best(const Share &share) const;
  /// Time of a config; 0: not measured there.
  int64_t ns(const Share &share, const std::string &config) const;
};

TunedKernel tunedKernel(const std::string &kernel, const std::string &name,
                        const std::string &first, int64_t uses, const TuningRecords &records);

/// What tuning gains on a share, over the kernels whose first config was measured there.
struct ShareGain {
  int32_t granules = 1;
  std::string neighbour;
  int64_t kernels = 0;
  int64_t defaultNs = 0, tunedNs = 0; ///< sums over all uses
  double geomean = 1;                 ///< of the kernels' speed-ups
};
std::vector<ShareGain> gainsOf(const std::vector<TunedKernel> &kernels);

/// What configs tuned for one share cost on another.
struct CrossCell {
  Share tuned, run;
  int64_t kernels = 0;
  double geomean = 1, worst = 1; ///< time over that of the config tuned for `run`
};
std::vector<CrossCell> crossTable(const std::vector<TunedKernel> &kernels);

/// All of it as Markdown: gains, the cross table, and for each kernel its times by share with the
/// knee, the fewest granules within 10 % of its best time. Every figure is a measured one.
std::string tuningTable(const std::vector<TunedKernel> &kernels, const std::string &target,
                        const std::string &device);

} // namespace mtc
