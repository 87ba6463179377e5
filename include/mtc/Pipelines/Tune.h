//===- Tune.h - from a set of models to measured times of its kernels -----===//
//
// Candidates are ranked and compiled here and measured elsewhere: `measure` is handed in, and what
// `mtc tune` hands in is the mtrt beside it. A bundle of candidates measured on another machine
// takes the same way.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Pipelines/Compile.h"
#include "mtc/Tuning/Record.h"

namespace mtc {

/// Whose times a record's are: host and GPU kernels of one compiler are kept together.
std::string tuningVersion();

struct TuneOptions {
  CompileOptions compile;    ///< the set, workers, cache and limits; the rest does not matter
  int64_t steps = 0;         ///< candidates to compile and measure; 0: 12 a kernel
  int64_t kernelSteps = 64;  ///< of these at most so many of a kernel
  int64_t drawnPercent = 25; ///< of a kernel's candidates that are drawn, not ranked first
  int64_t seed = 0;
  int64_t budgetNs = 0; ///< no batch begins after it; 0: none
  std::string device;   ///< whose times to find
  std::string pack;     ///< write all candidates as a bundle here, if any, and measure nothing
  bool ship = false;    ///< find out what is worth shipping
  TuningRecords known;  ///< kernels that were searched are left out
  /// The lines that measuring the bundle at `path` gives.
  std::function<StatusOr<std::string>(const std::string &path)> measure;
  /// Keeps the records of a batch.
  std::function<Status(const TuningRecords &)> keep;
};

struct TuneReport {
  std::string target;
  int64_t kernels = 0;    ///< of the set
  int64_t searchable = 0; ///< those with more than one config
  int64_t known = 0;      ///< those that had been searched before
  int64_t searched = 0;   ///< now
  int64_t candidates = 0; ///< compiled and measured now, or packed
  int64_t failures = 0;   ///< that did not compile
  bool isComplete = true; ///< false: the budget ended first
  /// Of the set's kernels, by weight: hash, name, uses, the config without measurements.
  struct Row {
    std::string kernel, name, config;
    int64_t uses = 0;
  };
  std::vector<Row> rows;
  /// With `ship`: the times of default and chosen variants, with the hashes of their code.
  TuningRecords toShip;
};

/// Searches the kernels of a set on its target. Those of a GPU are packed or only listed: measuring
/// them is `mtrt tune-run --device cuda`'s.
///
/// Kernels that take longest come first, in batches: candidates of a batch are compiled by parallel
/// workers, then measured alone, then kept. Equal options, seed and known records give equal
/// candidates. Fails as compileSet does, if the set has not one target, or a GPU's kernels are to
/// be measured here (InvalidInput), or if measuring or keeping fails.
StatusOr<TuneReport> tuneSet(const TuneOptions &options, const Log &log);

} // namespace mtc
