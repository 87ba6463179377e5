//===- Compile.cpp - compileSet: the phases in order ----------------------===//
//
// Read compileSet from top to bottom for the way of a set through the compiler; each phase is a
// function of Phases.h.
//
//===----------------------------------------------------------------------===//
#include "mtc/Pipelines/Compile.h"
#include "mtc/Pipelines/Phases.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace mtc {
namespace {

using Clock = std::chrono::steady_clock;

int64_t nsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

/// A missing or write-protected folder is noticed before minutes of work, not after.
Status checkOutput(const std::string &path) {
  if (path == "-")
    return okStatus();
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty())
    folder = ".";
  if (std::filesystem::is_directory(path))
    return invalidInput(fmt::format("cannot write '{}': it is a folder", path));
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return invalidInput(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
  return okStatus();
}

Status writeText(const std::string &path, const std::string &text) {
  if (path != "-")
    return writeFile(path, text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout)
             ? invalidInput(fmt::format("cannot write to stdout: {}", std::strerror(errno)))
             : okStatus();
}

/// "2-tasks.mlir" of phase 1.
std::string dumpName(Phase phase) {
  return fmt::format("{}-{}.{}", int(phase) + 1, phaseNames()[size_t(phase)],
                     phase == Phase::Problem || phase == Phase::Plan ? "txt" : "mlir");
}

std::string quoted(const std::string &word) {
  auto plain = [](unsigned char c) { return std::isalnum(c) || std::strchr("-_./:=,@+%", c); };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain))
    return word;
  std::string result = "'";
  for (char c : word)
    result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

/// A verdict as the bundle keeps it.
VerdictTable verdictTable(const Verdict &verdict) {
  const VerdictOptions assumed; // those of judgeLoad() below
  VerdictTable table;
  table.fits = verdict.fits;
  table.requests = assumed.requests;
  table.seed = assumed.seed + 1; // the layout was searched with `seed`
  table.measured = verdict.times.measured;
  table.learned = verdict.times.learned;
  table.modelled = verdict.times.modelled;
  for (const Partition &partition : verdict.partitions)
    table.partitions.push_back({partition.granules, partition.tenants});
  for (size_t t = 0; t < verdict.tenants.size(); ++t) {
    const TenantVerdict &tenant = verdict.tenants[t];
    table.tenants.push_back({int32_t(t), tenant.ratePerSecond, tenant.arrivals, tenant.sloNs,
                             tenant.aloneNs, tenant.load.p50Ns, tenant.load.p99Ns,
                             tenant.load.p99LowNs, tenant.load.p99HighNs, tenant.load.missed,
                             tenant.load.utilisation, tenant.fits});
  }
  return table;
}

/// Says of every target whether the set fits, if a tenant has a rate or an SLO.
Status judgeLoads(Compilation &compilation, const Log &log, std::vector<TargetVerdict> &verdicts) {
  for (TargetCompilation &target : compilation.targets) {
    if (std::none_of(target.problem.tenants.begin(), target.problem.tenants.end(),
                     [](const Tenant &t) { return t.ratePerSecond > 0 || t.sloP99Ns > 0; }))
      continue;
    MTC_ASSIGN_OR_RETURN(SoloPlans plans, SoloPlans::of(target.problem, target.schedules));
    StatusOr<Verdict> verdict = judgeLoad(target.problem, plans);
    if (!verdict.ok()) {
      // Rates that differ too much to be simulated do not keep the set from being compiled.
      if (verdict.status().code() != ErrorCode::InvalidInput)
        return verdict.status();
      if (log.warning)
        log.warning("the SLOs are not judged: " + verdict.status().message());
      continue;
    }
    MTC_RETURN_IF_ERROR(requireFit(*verdict).withContext(target.name));
    if (!verdict->fits && log.warning)
      log.warning(fmt::format("{}: on modelled times the set does not fit: {}", target.name,
                              missesOf(*verdict)));
    target.verdict = printVerdict(*verdict);
    target.verdictTable = verdictTable(*verdict);
    verdicts.push_back({target.name, std::move(*verdict)});
  }
  return okStatus();
}

} // namespace

const std::vector<std::string> &phaseNames() {
  static const std::vector<std::string> names = {"model",    "tasks", "tuned", "problem",
                                                 "schedule", "plan",  "bundle"};
  return names;
}

std::string compilerVersion() { return MTC_VERSION; }

std::string normalizedCommand(const CompileOptions &options,
                              const std::vector<std::string> &targets) {
  std::string command = "mtc compile";
  auto add = [&](const char *flag, std::vector<std::string> values) {
    for (const std::string &value : values)
      command += std::string(flag) + " " + quoted(value);
  };
  auto sorted = [](std::vector<std::string> values) {
    std::sort(values.begin(), values.end());
    return values;
  };
  add("", options.set.models);
  add(" --target", targets);
  add(" --shapes", sorted(options.set.shapes));
  add(" --dim", sorted(options.set.dims));
  add(" --value", sorted(options.set.values));
  add(" --pad", sorted(options.set.pads));
  if (!options.set.precision.empty())
    add(" --precision", {options.set.precision});
  if (!options.optimize)
    command += " -O0";
  CompileOptions defaults;
  if (options.kernelSeconds != defaults.kernelSeconds)
    add(" --kernel-seconds", {std::to_string(options.kernelSeconds)});
  if (options.kernelMib != defaults.kernelMib)
    add(" --kernel-mib", {std::to_string(options.kernelMib)});
  if (!options.calibration.empty())
    add(" --calibration", {options.calibration});
  if (options.mixes != defaults.mixes)
    add(" --mixes", {std::to_string(options.mixes)});
  if (options.policy != defaults.policy)
    add(" --policy", {options.policy});
  if (options.merge)
    add(" --merge", {*options.merge ? "auto" : "off"});
  if (!options.keepValues.empty())
    add(" --keep-values", {options.keepValues});
  if (!options.tuningDatabase.empty())
    add(" --tuning-db", {options.tuningDatabase});
  if (!options.tuningDevice.empty())
    add(" --tuning-device", {options.tuningDevice});
  return command;
}

StatusOr<std::vector<ScheduledTarget>> scheduleSet(const CompileOptions &options) {
  MTC_ASSIGN_OR_RETURN(SetSpec set, makeSet(options.set));
  MTC_ASSIGN_OR_RETURN(std::unique_ptr<Compilation> compilation,
                       Compilation::create(std::move(set)));
  for (auto phase : {buildModel, formTasks, tuneKernels, exportProblems, scheduleTasks})
    MTC_RETURN_IF_ERROR(phase(*compilation, options));
  std::vector<ScheduledTarget> targets;
  for (TargetCompilation &target : compilation->targets)
    targets.push_back({target.name, std::move(target.problem), std::move(target.schedules)});
  return targets;
}

StatusOr<CompileReport> compileSet(const CompileOptions &options, const Log &log) {
  Clock::time_point start = Clock::now();
  MTC_ASSIGN_OR_RETURN(SetSpec set, makeSet(options.set));
  std::string output = options.output;
  if (output.empty())
    output = options.emit == Phase::Bundle ? set.name + ".mtb" : "-";
  MTC_RETURN_IF_ERROR(checkOutput(output));
  if (!options.dumpIrFolder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.dumpIrFolder, error);
    if (error)
      return invalidInput(
          fmt::format("cannot make the folder '{}': {}", options.dumpIrFolder, error.message()));
  }

  MTC_ASSIGN_OR_RETURN(std::unique_ptr<Compilation> compilation,
                       Compilation::create(std::move(set)));
  CompileReport report;
  for (const TargetCompilation &target : compilation->targets) {
    report.targets.push_back(target.name);
    if (log.info)
      log.info("target " + target.name);
  }
  for (const TenantSpec &tenant : compilation->set.tenants)
    report.tenants.push_back(tenant.name);

  struct Step {
    Phase phase;
    Status (*run)(Compilation &, const CompileOptions &);
  };
  constexpr Step steps[] = {{Phase::Model, buildModel},       {Phase::Tasks, formTasks},
                            {Phase::Tuned, tuneKernels},      {Phase::Problem, exportProblems},
                            {Phase::Schedule, scheduleTasks}, {Phase::Plan, makePlans}};
  for (const Step &step : steps) {
    const std::string &name = phaseNames()[size_t(step.phase)];
    Clock::time_point phaseStart = Clock::now();
    MTC_RETURN_IF_ERROR(step.run(*compilation, options));
    for (const std::string &warning : std::exchange(compilation->warnings, {}))
      if (log.warning)
        log.warning(warning);
    for (const std::string &note : std::exchange(compilation->notes, {}))
      if (log.info)
        log.info(note);
    report.phases.push_back({name, nsSince(phaseStart)});
    if (step.phase == Phase::Schedule) {
      phaseStart = Clock::now();
      MTC_RETURN_IF_ERROR(judgeLoads(*compilation, log, report.verdicts));
      if (!report.verdicts.empty())
        report.phases.push_back({"verdict", nsSince(phaseStart)});
    }
    if (!options.dumpIrFolder.empty())
      MTC_RETURN_IF_ERROR(
          writeText((std::filesystem::path(options.dumpIrFolder) / dumpName(step.phase)).string(),
                    printPhase(*compilation, step.phase)));
    if (options.emit == step.phase) {
      MTC_RETURN_IF_ERROR(writeText(output, printPhase(*compilation, step.phase)));
      break;
    }
  }
  if (options.emit == Phase::Bundle) {
    Clock::time_point phaseStart = Clock::now();
    MTC_RETURN_IF_ERROR(writeBundle(*compilation, options, output, log));
    report.phases.push_back({phaseNames().back(), nsSince(phaseStart)});
  }

  report.output = output == "-" ? "" : output;
  for (const TargetCompilation &target : compilation->targets)
    for (const Schedule &schedule : target.schedules)
      report.schedules.push_back(
          {schedule.workload.name, schedule.policy, schedule.makespanNs, mergedTasks(schedule)});
  for (TargetCompilation &target : compilation->targets)
    if (const TuningSummary &tuning = target.tuning;
        tuning.measured + tuning.learned + tuning.modelled > 0)
      report.tuning.push_back(tuning);
  for (TargetCompilation &target : compilation->targets)
    if (!target.schedules.empty())
      report.scheduled.push_back(
          {target.name, std::move(target.problem), std::move(target.schedules)});
  report.compileNs = nsSince(start);
  return report;
}

} // namespace mtc
