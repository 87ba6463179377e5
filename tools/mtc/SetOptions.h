//===- SetOptions.h - options that compile and explain share --------------===//
#pragma once

#include "mtc/Pipelines/Compile.h"

#include <CLI/CLI.hpp>

namespace mtc::tool {

/// The models, --target, --shapes, --dim, --value, --precision.
void addSetOptions(CLI::App &app, SetArguments &set);

/// --calibration.
void addCalibrationOption(CLI::App &app, CompileOptions &options);

/// `--merge`: sets CompileOptions::merge.
void addMergeOption(CLI::App &app, CompileOptions &options);

/// The caps against hostile models.
void addLimitOptions(CLI::App &app, ModelLimits &limits);

} // namespace mtc::tool
