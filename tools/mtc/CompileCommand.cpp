//===- CompileCommand.cpp - mtc compile -----------------------------------===//
#include "CacheDir.h"
#include "Commands.h"
#include "ProgressLine.h"
#include "SetOptions.h"
#include "SimulatedTarget.h"
#include "VerdictJson.h"
#include "mtc/Pipelines/Compile.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Support/File.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace mtc::tool {
namespace {

struct CompileArguments {
  CompileOptions options;
  std::string emit = "bundle", json, report;
  std::string level = "1";
  bool timing = false;
  int quiet = 0, verbose = 0;
};

std::string toJson(const CompileReport &report) {
  nlohmann::ordered_json json = {{"version", 1},
                                 {"compile_ms", double(report.compileNs) / 1e6},
                                 {"output", report.output},
                                 {"targets", report.targets},
                                 {"tenants", nlohmann::ordered_json::array()},
                                 {"schedules", nlohmann::ordered_json::array()},
                                 {"phases", nlohmann::ordered_json::array()},
                                 {"loads", nlohmann::ordered_json::array()}};
  for (const std::string &tenant : report.tenants)
    json["tenants"].push_back({{"name", tenant}});
  for (const ScheduleSummary &schedule : report.schedules)
    json["schedules"].push_back({{"name", schedule.name},
                                 {"policy", schedule.policy},
                                 {"makespan_ns", schedule.makespanNs},
                                 {"merged_tasks", schedule.mergedTasks}});
  for (const PhaseTime &phase : report.phases)
    json["phases"].push_back({{"name", phase.phase}, {"ms", double(phase.ns) / 1e6}});
  for (const TargetVerdict &verdict : report.verdicts) {
    nlohmann::ordered_json load = verdictJson(verdict.verdict);
    load["target"] = verdict.target;
    json["loads"].push_back(std::move(load));
  }
  if (!report.tuning.empty())
    json["tuning"] = nlohmann::ordered_json::array();
  for (const TuningSummary &tuning : report.tuning)
    json["tuning"].push_back({{"target", tuning.target},
                              {"measured", tuning.measured},
                              {"learned", tuning.learned},
                              {"modelled", tuning.modelled}});
  return json.dump(2) + "\n";
}

/// The page of what was scheduled. Verdicts are of targets that have a load, in the same order.
Status writeHtml(const std::string &path, CompileReport &report) {
  std::vector<SimulatedTarget> targets;
  for (ScheduledTarget &target : report.scheduled) {
    MTC_ASSIGN_OR_RETURN(SimulatedTarget result, simulateTarget(std::move(target), ""));
    for (const TargetVerdict &verdict : report.verdicts)
      if (verdict.target == result.target)
        result.verdict = verdict.verdict;
    targets.push_back(std::move(result));
  }
  return writeFile(path, reportHtml(targets));
}

Status runCompile(CompileArguments &arguments) {
  CompileOptions &options = arguments.options;
  const std::vector<std::string> &names = phaseNames();
  options.emit = Phase(std::find(names.begin(), names.end(), arguments.emit) - names.begin());
  options.optimize = arguments.level != "0";
  if (!arguments.report.empty() && options.emit < Phase::Schedule)
    return invalidInput(
        fmt::format("--report shows a schedule, --emit={} stops before it", arguments.emit));

  ProgressLine line;
  Log log;
  if (!arguments.quiet) {
    log.warning = [&](const std::string &text) {
      line.clear();
      fmt::print(stderr, "mtc: warning: {}\n", text);
    };
    if (isatty(STDERR_FILENO))
      log.progress = [&](const std::string &what, int64_t done, int64_t total) {
        line.update(what, done, total);
      };
  }
  if (arguments.verbose)
    log.info = [&](const std::string &text) {
      line.clear();
      fmt::print(stderr, "mtc: {}\n", text);
    };
  StatusOr<CompileReport> report = compileSet(options, log);
  line.clear();
  MTC_RETURN_IF_ERROR(report.status());

  if (arguments.timing) {
    for (const PhaseTime &phase : report->phases)
      fmt::print(stderr, "{:>10.1f} ms  {}\n", double(phase.ns) / 1e6, phase.phase);
    fmt::print(stderr, "{:>10.1f} ms  total\n", double(report->compileNs) / 1e6);
  }
  if (!arguments.quiet && options.emit == Phase::Bundle) {
    fmt::print(stderr, "mtc: wrote {} for {} in {}\n", report->output,
               fmt::join(report->targets, " "), formatNs(report->compileNs));
    for (const ScheduleSummary &schedule : report->schedules)
      if (schedule.name == "round")
        fmt::print(stderr, "mtc: a round of {} tenants takes {} (policy {}{}, predicted)\n",
                   report->tenants.size(), formatNs(schedule.makespanNs), schedule.policy,
                   schedule.mergedTasks == 0
                       ? ""
                       : fmt::format(", {} tasks in others' commands", schedule.mergedTasks));
  }
  if (!arguments.quiet)
    for (const TuningSummary &tuning : report->tuning)
      fmt::print(stderr, "mtc: {}: times of {} kernels are measured, {} learned, {} modelled\n",
                 tuning.target, tuning.measured, tuning.learned, tuning.modelled);
  if (!arguments.quiet)
    for (const TargetVerdict &verdict : report->verdicts)
      fmt::print(stderr, "mtc: {}: {}", verdict.target, printVerdict(verdict.verdict));
  if (!arguments.report.empty())
    MTC_RETURN_IF_ERROR(writeHtml(arguments.report, *report));
  return writeReport(arguments.json, toJson(*report));
}

} // namespace

std::function<Status()> declareCompile(CLI::App &app) {
  auto arguments = std::make_shared<CompileArguments>();
  CompileOptions &options = arguments->options;
  options.cacheFolder = defaultCacheFolder();
  options.shippedTuning = shippedTuningFolder();
  addSetOptions(app, options.set);
  addLimitOptions(app, options.limits);
  addCalibrationOption(app, options);
  app.add_option("-o,--output", options.output,
                 "where to write; default: NAME.mtb for a bundle, stdout for the text of a phase")
      ->type_name("FILE");
  app.add_option("--emit", arguments->emit, "stop after a phase and print it; default: bundle")
      ->type_name("PHASE")
      ->check(CLI::IsMember(phaseNames()));
  app.add_option("--dump-ir", options.dumpIrFolder, "write a file for each phase into a folder")
      ->type_name("DIR");
  app.add_option("-O", arguments->level,
                 "0 (-O0): no fusion, plain loops: the reference when an answer is wrong")
      ->type_name("0|1")
      ->check(CLI::IsMember({"0", "1"}));
  app.add_option("--keep-values", options.keepValues,
                 "make the values of matching ONNX nodes outputs named 'value:NODE'")
      ->type_name("REGEX");
  app.add_option("--mixes", options.mixes,
                 "store rounds of every 2 to N tenants, too, not only that of all; default: none")
      ->type_name("N")
      ->check(CLI::Range(int64_t(2), int64_t(64)));
  app.add_option("--policy", options.policy,
                 "of the round: sequential, apart, heft, stages, ios, partition or joint; default: "
                 "the one with the least predicted time")
      ->type_name("P")
      ->check([](const std::string &name) {
        std::string known;
        for (const Policy &policy : policies()) {
          if (policy.run == scheduleStreams)
            continue;
          if (name == policy.name)
            return std::string();
          known += fmt::format("{}{}", known.empty() ? "" : ", ", policy.name);
        }
        return fmt::format("'{}' is no policy that makes plans; known: {}", name, known);
      });
  addMergeOption(app, options);
  app.add_option("--jobs", options.jobs,
                 "worker processes; default: the cores this process may use")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1024)));
  app.add_option(
         "--cache-dir", options.cacheFolder,
         "folder of compiled kernels, '' for none; default: ${XDG_CACHE_HOME:-~/.cache}/mtc")
      ->type_name("DIR");
  app.add_option("--kernel-seconds", options.kernelSeconds,
                 "limit on the compile of one kernel, CPU time")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), int64_t(86400)));
  app.add_option("--kernel-mib", options.kernelMib, "limit on the memory of one kernel's compile")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30));
  app.add_option("--tuning-db", options.tuningDatabase,
                 "take measured variants from a database of 'mtc tune', or its lines of JSON")
      ->type_name("FILE");
  app.add_flag("--tuning-db-optional", options.tuningOptional,
               "go on with modelled times if the database is refused");
  app.add_option("--tuning-device", options.tuningDevice,
                 "whose times to take from it, as 'mtc tune --export' names it; default: this CPU, "
                 "or the only GPU with times")
      ->type_name("NAME");
  app.add_option("--shipped-tuning", options.shippedTuning,
                 "folder of measured variants that came with mtc, '' for none; default: "
                 "share/mtc/tuning beside mtc's folder")
      ->type_name("DIR");
  app.add_option("--report", arguments->report,
                 "write a page with timeline, slowdowns and loads; it needs nothing else")
      ->type_name("OUT.html");
  app.add_flag("--timing", arguments->timing, "print how long each phase took");
  app.add_option("--json", arguments->json, "write a report; '-' is stdout")->type_name("FILE");
  app.add_flag("-q,--quiet", arguments->quiet, "errors only");
  app.add_flag("-v,--verbose", arguments->verbose, "say what is done");
  return [arguments] { return runCompile(*arguments); };
}

} // namespace mtc::tool
