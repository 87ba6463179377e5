//===- Calibrate.h - what this host can do, measured ----------------------===//
//
// `mtc tune --calibrate`: rates of the machine from short loops, prices of kernels from the kernels
// of real sets, each alone on one core. The result is a HostModel (mtc/Tuning/HostModel.h) that
// `mtc compile --calibration` reads.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Pipelines/Compile.h"
#include "mtc/Tuning/HostModel.h"

namespace mtc {

struct CalibrateOptions {
  /// Sets whose kernels are measured: each a manifest, or all models together one set. None: only
  /// the machine's rates are measured, and kernels keep modelled times.
  std::vector<CompileOptions> sets;
  double seconds = 40; ///< to measure in; compiling the sets comes on top
  std::string folder;  ///< for the sets' bundles; must exist
};

struct Calibration {
  HostModel model;
  std::vector<HostSample> samples; ///< what the prices were fitted to
};

/// Measures this host on all CPUs that this process may use, at most 64.
///
/// Sets take turns on one core, on all, and on one beside another set, so what else the machine
/// does falls on all of them alike; of a task's times the lower quartile counts: other processes
/// can only lengthen it.
///
/// Fails if a set cannot be compiled or run, as compileSet() and Session::submit() do.
StatusOr<Calibration> calibrateHost(const CalibrateOptions &options, const Log &log);

/// A line for each sample: set, family, ns and counts, separated by tabs; and the inverse.
/// Parsing fails if a line has another form (InvalidInput, naming it).
std::string printSamples(const std::vector<HostSample> &samples);
StatusOr<std::vector<HostSample>> parseSamples(std::string_view text);

} // namespace mtc
