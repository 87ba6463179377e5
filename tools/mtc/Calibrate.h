//===- Calibrate.h - mtc tune --calibrate ---------------------------------===//
#pragma once

#include "mtc/Pipelines/Calibrate.h"

#include <CLI/CLI.hpp>

namespace mtc::tool {

struct CalibrateArguments {
  bool calibrate = false;
  std::string output, samples, from;
  std::vector<std::string> without;
  double seconds = CalibrateOptions().seconds;
};

/// --calibrate and the options that go with it.
void addCalibrateOptions(CLI::App &app, CalibrateArguments &arguments);

/// Measures this host with the kernels of the sets that `options` names - every manifest a set of
/// its own - and writes what it found.
Status runCalibrate(const CalibrateArguments &arguments, const CompileOptions &options,
                    const Log &log);

} // namespace mtc::tool
