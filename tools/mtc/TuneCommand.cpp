//===- TuneCommand.cpp - mtc tune -----------------------------------------===//
//
// Searches the kernels of a set and keeps what was measured in a database. Measuring is done by the
// mtrt beside this program: a process of its own, and the same one that measures on a device
// without a compiler (--pack there and --import back).
//
//===----------------------------------------------------------------------===//
#include "CacheDir.h"
#include "Calibrate.h"
#include "Commands.h"
#include "ProgressLine.h"
#include "SetOptions.h"
#include "StartRuntime.h"
#include "mtc/Pipelines/Tune.h"
#include "mtc/Runtime/Cpu.h"
#include "mtc/Support/File.h"
#include "mtc/Support/Text.h"
#include "mtc/Tuning/Database.h"
#include "mtc/Tuning/Learn.h"
#include "mtc/Tuning/Report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>

namespace mtc::tool {
namespace {

struct TuneArguments {
  TuneOptions options;
  CalibrateArguments calibrate;
  std::string database, budget, cpus, exportFile, shipFile, report, json;
  std::vector<std::string> imports;
  std::vector<std::string> neighbours = {"none", "high"};
  int64_t samples = 15;
  bool quiet = false, equally = false, isDatabaseNamed = false;
};

Status importFiles(TuneArguments &arguments, TuningDatabase &database) {
  for (const std::string &file : arguments.imports) {
    std::error_code error;
    if (std::filesystem::equivalent(file, database.path(), error))
      return invalidInput(fmt::format("'{}' cannot be imported into itself", file));
    MTC_ASSIGN_OR_RETURN(const TuningRecords records, readTuning(file, tuningVersion()));
    MTC_RETURN_IF_ERROR(database.add(records));
    if (!arguments.quiet)
      fmt::print(stderr, "mtc: imported {} times of {} kernels from {}\n", records.times.size(),
                 records.kernels.size(), file);
  }
  return okStatus();
}

/// What was found out, for the last lines and --json.
nlohmann::ordered_json summarize(const TuneReport &report, const std::vector<TunedKernel> &tuned) {
  nlohmann::ordered_json json = {{"version", 1},
                                 {"target", report.target},
                                 {"kernels", report.kernels},
                                 {"searchable", report.searchable},
                                 {"known", report.known},
                                 {"searched", report.searched},
                                 {"candidates", report.candidates},
                                 {"failures", report.failures},
                                 {"complete", report.isComplete},
                                 {"shares", nlohmann::ordered_json::array()}};
  for (const ShareGain &gain : gainsOf(tuned))
    json["shares"].push_back({{"granules", gain.granules},
                              {"neighbour", gain.neighbour},
                              {"origin", "measured"},
                              {"kernels", gain.kernels},
                              {"default_ns", gain.defaultNs},
                              {"tuned_ns", gain.tunedNs},
                              {"speedup_geomean", gain.geomean}});
  return json;
}

/// How well learned and modelled rankings hold, for the report.
std::string rankingText(const TuneReport &report, const TuningRecords &records,
                        const std::string &device) {
  std::map<std::string, std::string> defaults;
  for (const TuneReport::Row &row : report.rows)
    defaults[row.kernel] = row.config;
  const RankingQuality quality = evaluateRanking(records, device, 1, defaults);
  if (quality.kernels == 0)
    return "\n## Ranking\n\nToo few records to learn from.\n";
  const std::string repeatable =
      quality.repeatable == 0
          ? "How well they repeat was not measured (--equally)"
          : fmt::format(
                "Half of the samples orders them like the other half by {:.2f}; found by one "
                "half and measured by the other, the best is {:.3f}x as fast as the default "
                "in geometric mean, the best of the ranking's first tenth {:.3f}x",
                quality.repeatable, quality.gainOfAll, quality.gainOfTenth);
  return fmt::format(
      "\n## Ranking\n\nOf {} kernels that were not learned from, on one core: rank "
      "correlation with the measured times {:.2f} learned, {:.2f} modelled; the best "
      "of the first five is within 10 % of the best known for {:.0f} %. {}.\n",
      quality.kernels, quality.learned, quality.modelled, 100 * quality.firstFive, repeatable);
}

Status calibrate(const TuneArguments &arguments) {
  ProgressLine line;
  Log log;
  if (!arguments.quiet && isatty(STDERR_FILENO))
    log.progress = [&](const std::string &what, int64_t done, int64_t total) {
      line.update(what, done, total);
    };
  Status status = runCalibrate(arguments.calibrate, arguments.options.compile, log);
  line.clear();
  return status;
}

/// The only GPU that has times of a set's kernels.
StatusOr<std::string> measuredGpu(const TuneReport &report, const TuningRecords &records) {
  std::set<std::string> kernels, devices;
  for (const TuneReport::Row &row : report.rows)
    kernels.insert(row.kernel);
  for (const TimeRecord &record : records.times)
    if (kernels.contains(record.key.kernel))
      devices.insert(record.key.device);
  if (devices.empty())
    return invalidInput(fmt::format(
        "no times of these kernels for {} are known: write candidates by --pack, measure "
        "them by 'mtrt tune-run --device cuda', read its lines by --import",
        report.target));
  if (devices.size() > 1)
    return invalidInput(
        fmt::format("there are times of several GPUs: {}", fmt::join(devices, "; ")));
  return *devices.begin();
}

/// Writes candidates as a bundle: all, or where a database is named those that it has not.
Status pack(TuneArguments &arguments, const Log &log) {
  TuneOptions &options = arguments.options;
  if (options.compile.set.models.empty())
    return invalidInput("--pack needs a set");
  if (arguments.isDatabaseNamed) {
    MTC_ASSIGN_OR_RETURN(TuningDatabase database,
                         TuningDatabase::open(arguments.database, tuningVersion()));
    MTC_RETURN_IF_ERROR(importFiles(arguments, database));
    MTC_ASSIGN_OR_RETURN(options.known, database.read());
  } else if (!arguments.imports.empty()) {
    return invalidInput("--pack with --import needs --tuning-db: what is known is left out");
  }
  MTC_ASSIGN_OR_RETURN(const TuneReport report, tuneSet(options, log));
  const std::string known =
      report.known > 0 ? fmt::format("; {} were measured before", report.known) : "";
  if (!arguments.quiet && report.searched == 0)
    fmt::print(stderr, "mtc: nothing to measure, and no bundle written{}\n", known);
  else if (!arguments.quiet)
    fmt::print(stderr, "mtc: wrote {} candidates of {} kernels for {} to {}{}\n", report.candidates,
               report.searched, report.target, options.pack, known);
  return writeReport(arguments.json, summarize(report, {}).dump(2) + "\n");
}

Status tune(TuneArguments &arguments) {
  TuneOptions &options = arguments.options;
  if (!arguments.budget.empty()) {
    MTC_ASSIGN_OR_RETURN(options.budgetNs, parseDurationNs(arguments.budget));
  }
  const bool hasSet = !options.compile.set.models.empty();
  if (arguments.calibrate.calibrate)
    return calibrate(arguments);
  if (!hasSet && arguments.imports.empty() && arguments.exportFile.empty())
    return invalidInput("nothing to do: give a set to tune, --import or --export");
  ProgressLine line;
  Log log;
  if (!arguments.quiet && isatty(STDERR_FILENO))
    log.progress = [&](const std::string &what, int64_t done, int64_t total) {
      line.update(what, done, total);
    };
  options.device = host::cpuModel();
  if (!options.pack.empty())
    return pack(arguments, log);

  if (arguments.database.empty())
    return invalidInput("--tuning-db must name a database: this user has no cache folder");
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(arguments.database).parent_path();
  if (!folder.empty())
    std::filesystem::create_directories(folder, error);
  MTC_ASSIGN_OR_RETURN(TuningDatabase database,
                       TuningDatabase::open(arguments.database, tuningVersion()));
  MTC_RETURN_IF_ERROR(importFiles(arguments, database));
  if (hasSet) {
    MTC_ASSIGN_OR_RETURN(options.known, database.read(options.device));
    options.keep = [&](const TuningRecords &records) { return database.add(records); };
    options.ship = !arguments.shipFile.empty();
    options.measure = [&](const std::string &bundle) {
      std::vector<std::string> words = {"tune-run", bundle, "--quiet", "--samples",
                                        std::to_string(arguments.samples)};
      words.insert(words.end(),
                   {"--neighbours", fmt::format("{}", fmt::join(arguments.neighbours, ","))});
      if (!arguments.cpus.empty())
        words.insert(words.end(), {"--cpus", arguments.cpus});
      if (arguments.equally)
        words.push_back("--equally");
      return runRuntime(words);
    };
    StatusOr<TuneReport> report = tuneSet(options, log);
    line.clear();
    MTC_RETURN_IF_ERROR(report.status());
    const bool isGpu = report->target.starts_with("cuda:");
    if (isGpu) {
      MTC_ASSIGN_OR_RETURN(const TuningRecords all, database.read());
      MTC_ASSIGN_OR_RETURN(options.device, measuredGpu(*report, all));
    }
    MTC_ASSIGN_OR_RETURN(const TuningRecords records, database.read(options.device));
    std::vector<TunedKernel> tuned;
    for (const TuneReport::Row &row : report->rows)
      tuned.push_back(tunedKernel(row.kernel, row.name, row.config, row.uses, records));
    if (!arguments.quiet) {
      fmt::print(stderr, "mtc: {}: {} kernels, {} searched before, {} now with {} candidates{}\n",
                 report->target, report->kernels, report->known, report->searched,
                 report->candidates, report->isComplete ? "" : "; the budget ended first");
      for (const ShareGain &gain : gainsOf(tuned))
        fmt::print(stderr,
                   "mtc: on {} {}{}, {}: {} -> {} a pass of all tasks, {:.2f}x in "
                   "geometric mean (measured)\n",
                   gain.granules, isGpu ? "granule" : "core", gain.granules == 1 ? "" : "s",
                   gain.neighbour == kFlushed ? "caches flushed" : "neighbours " + gain.neighbour,
                   formatNs(gain.defaultNs), formatNs(gain.tunedNs), gain.geomean);
    }
    if (!arguments.report.empty())
      MTC_RETURN_IF_ERROR(
          writeFile(arguments.report, tuningTable(tuned, report->target, options.device) +
                                          rankingText(*report, records, options.device)));
    if (!arguments.shipFile.empty())
      MTC_RETURN_IF_ERROR(writeFile(arguments.shipFile,
                                    printHeader(tuningVersion()) + printRecords(report->toShip)));
    MTC_RETURN_IF_ERROR(writeReport(arguments.json, summarize(*report, tuned).dump(2) + "\n"));
  }
  if (arguments.exportFile.empty())
    return okStatus();
  MTC_ASSIGN_OR_RETURN(const TuningRecords records, database.read());
  const std::string text = printHeader(tuningVersion()) + printRecords(records);
  return arguments.exportFile == "-" ? print(text) : writeFile(arguments.exportFile, text);
}

} // namespace

std::function<Status()> declareTune(CLI::App &app) {
  auto arguments = std::make_shared<TuneArguments>();
  TuneOptions &options = arguments->options;
  options.compile.cacheFolder = defaultCacheFolder();
  if (!options.compile.cacheFolder.empty())
    arguments->database = options.compile.cacheFolder + "/tuning.db";
  addSetOptions(app, options.compile.set);
  app.get_option("models")->required(false);
  addLimitOptions(app, options.compile.limits);
  addCalibrationOption(app, options.compile);
  addCalibrateOptions(app, arguments->calibrate);
  app.add_option("--tuning-db", arguments->database,
                 "where times are kept; default: ${XDG_CACHE_HOME:-~/.cache}/mtc/tuning.db")
      ->type_name("FILE");
  app.add_option("--search-steps", options.steps,
                 "configs to compile and measure in all; default: 12 a kernel")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40));
  app.add_option("--kernel-steps", options.kernelSteps,
                 "of these at most so many of a kernel; default: 64")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  app.add_option("--drawn", options.drawnPercent,
                 "percent of the configs that are drawn, the others are ranked first; default: 25")
      ->type_name("N")
      ->check(CLI::Range(int64_t(0), int64_t(100)));
  app.add_flag("--equally", arguments->equally,
               "sample every config equally often, for rankings to learn from");
  app.add_option("--budget", arguments->budget,
                 "begin no batch after this time, e.g. 60s; run again to go on")
      ->type_name("T");
  app.add_option("--seed", options.seed, "of the candidates that are drawn")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(0), int64_t(1) << 62));
  app.add_option("--neighbours", arguments->neighbours,
                 "what runs on the other cores while one is measured: none, low, medium, high; "
                 "flushed: none, and no operand in a cache")
      ->type_name("N,...")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::IsMember(neighbourNames()));
  app.add_option("--samples", arguments->samples, "of the candidates that are left at the end")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), int64_t(100000)));
  app.add_option("--cpus", arguments->cpus, "CPUs to measure on, e.g. 2-5; default: all allowed")
      ->type_name("LIST");
  app.add_option(
         "--pack", options.pack,
         "write the candidates as a bundle for 'mtrt tune-run' and measure nothing; kernels that a "
         "--tuning-db has are left out")
      ->type_name("OUT.mtb");
  app.add_option("--import", arguments->imports,
                 "add the records of a file of 'mtrt tune-run', or of another database")
      ->type_name("FILE")
      ->type_size(1)
      ->allow_extra_args(false);
  app.add_option("--export", arguments->exportFile,
                 "write all records as lines of JSON; '-' is stdout")
      ->type_name("FILE");
  app.add_option("--export-chosen", arguments->shipFile,
                 "write what a compile would take for the set, to be shipped with the compiler")
      ->type_name("FILE");
  app.add_option("--report", arguments->report,
                 "write tables of the set's kernels: times by share, and what tuning for one share "
                 "costs on another")
      ->type_name("OUT.md");
  app.add_option("--jobs", options.compile.jobs,
                 "worker processes; default: the cores this process may use")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1024)));
  app.add_option(
         "--cache-dir", options.compile.cacheFolder,
         "folder of compiled kernels, '' for none; default: ${XDG_CACHE_HOME:-~/.cache}/mtc")
      ->type_name("DIR");
  app.add_option("--json", arguments->json, "write a report; '-' is stdout")->type_name("FILE");
  app.add_flag("-q,--quiet", arguments->quiet, "errors only");
  return [arguments, &app] {
    arguments->isDatabaseNamed = app.count("--tuning-db") > 0;
    return tune(*arguments);
  };
}

} // namespace mtc::tool
