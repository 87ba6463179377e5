//===- Compile.h - from a set of models to a bundle -----------------------===//
//
// What the programs call: options in, a bundle (or the text of an earlier phase) out, and a report.
// Needs no header of MLIR; the phases themselves are in Phases.h.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Pipelines/Manifest.h"
#include "mtc/Simulation/Verdict.h"
#include "mtc/Support/Status.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mtc {

/// The phases, in order; `--emit` names them.
enum class Phase { Model, Tasks, Tuned, Problem, Schedule, Plan, Bundle };

/// "model", "tasks", ... in order.
const std::vector<std::string> &phaseNames();

/// Where messages for people go. All may be empty.
struct Log {
  std::function<void(const std::string &)> warning;
  std::function<void(const std::string &)> info; ///< what -v shows
  /// Work done and to do of the phase that takes long ("kernels"), for a progress line.
  std::function<void(const std::string &what, int64_t done, int64_t total)> progress;
};

/// Caps against hostile models; the defaults are those of ImportLimits.
struct ModelLimits {
  int64_t maxNodes = 1'000'000;
  int64_t maxNesting = 32;
  int64_t maxSubgraphs = 10'000;
  int64_t maxRank = 16;
  int64_t maxElements = int64_t(1) << 40;
  int64_t maxFoldedMib = 64;
  int64_t maxParsedMib = 64;
  int64_t maxTrips = 100'000;
  int64_t maxUnrolledNodes = 4096;
};

struct CompileOptions {
  SetArguments set;
  Phase emit = Phase::Bundle;
  std::string output;       ///< empty: NAME.mtb for a bundle, "-" (stdout) for the text of a phase
  std::string dumpIrFolder; ///< one file per phase, "1-model.mlir" to "6-plan.txt"; empty: none
  bool optimize = true;     ///< false: -O0, no fusion and plain loops
  std::string keepValues;   ///< regular expression over ONNX nodes; empty: none
  int64_t jobs = 0;         ///< worker processes; 0: the cores this process may use
  std::string cacheFolder;  ///< of compiled kernels; empty: none
  int64_t kernelSeconds = 20; ///< limits of one kernel's compile (rule R8)
  int64_t kernelMib = 1024;
  bool assemble = true; ///< false: kernels of GPUs are stored as PTX, which the driver compiles
  ModelLimits limits;
  std::string tuningDatabase;  ///< a database or lines of records; empty: modelled times only
  bool tuningOptional = false; ///< go on without a database that is refused, with a warning
  std::string tuningDevice;    ///< whose times to take; empty: this CPU
  std::string shippedTuning;   ///< folder of records that came with the compiler and are taken
                               ///< where they hold, if no database is given; empty: none
  int64_t mixes = 0;           ///< rounds of 2 to so many tenants are stored beside that of all
  std::string policy = "auto"; ///< of the round, see Scheduling/Policies.h
  /// Small tasks run as one command where that is predicted to pay; unset: on GPUs only.
  std::optional<bool> merge;
  std::string calibration; ///< file of `mtc tune --calibrate`; empty: host times are modelled
};

/// Where the times of a target's kernels come from.
struct TuningSummary {
  std::string target;
  int64_t measured = 0, learned = 0, modelled = 0; ///< kernels
};

struct PhaseTime {
  std::string phase;
  int64_t ns = 0;
};

struct ScheduleSummary {
  std::string name, policy;
  int64_t makespanNs = 0;
  int64_t mergedTasks = 0; ///< that run in the command of another
};

/// Whether the set fits a target; see Simulation/Verdict.h.
struct TargetVerdict {
  std::string target;
  Verdict verdict;
};

/// A set that is scheduled for one target: what `mtc simulate` and reports need of it.
struct ScheduledTarget {
  std::string target; ///< resolved
  Problem problem;
  std::vector<Schedule> schedules;
};

/// What was compiled, for `--json`, `--timing` and the last line that a person reads.
struct CompileReport {
  int64_t compileNs = 0;
  std::string output;               ///< the file that was written; empty: stdout
  std::vector<std::string> targets; ///< resolved
  std::vector<std::string> tenants;
  std::vector<ScheduleSummary> schedules; ///< of all targets, in the order of the bundle
  std::vector<PhaseTime> phases;
  std::vector<TargetVerdict> verdicts;    ///< if a tenant has a rate or an SLO
  std::vector<ScheduledTarget> scheduled; ///< from the schedule phase on
  std::vector<TuningSummary> tuning;      ///< if a tuning database was given
};

/// Compiles a set up to `options.emit` and writes what that phase gives.
///
/// Fails if the set, a model or an option is wrong (InvalidInput), nodes cannot be compiled
/// (Unsupported; all of them in the message), SLOs cannot be met on measured times (SloInfeasible),
/// or the compiler is wrong (Internal). Nothing half written is left.
StatusOr<CompileReport> compileSet(const CompileOptions &options, const Log &log);

/// Runs the phases up to the schedules and writes nothing. Fails as compileSet does.
StatusOr<std::vector<ScheduledTarget>> scheduleSet(const CompileOptions &options);

/// "0.1.0".
std::string compilerVersion();

/// The command that makes this bundle again, without what does not change its bytes (rule R4):
/// output, --jobs,
/// --cache-dir, the order of flags.
std::string normalizedCommand(const CompileOptions &options,
                              const std::vector<std::string> &targets);

} // namespace mtc
