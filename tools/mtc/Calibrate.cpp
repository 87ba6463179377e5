//===- Calibrate.cpp - mtc tune --calibrate -------------------------------===//
#include "Calibrate.h"
#include "CommandLine.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace mtc::tool {
namespace {

/// A folder that is removed with all that is in it.
class TemporaryFolder {
public:
  static StatusOr<TemporaryFolder> create() {
    std::string name = (std::filesystem::temp_directory_path() / "mtc-XXXXXX").string();
    if (!mkdtemp(name.data()))
      return internalError(fmt::format("cannot make a folder '{}'", name));
    return TemporaryFolder(name);
  }
  TemporaryFolder(TemporaryFolder &&other) noexcept : path_(std::exchange(other.path_, "")) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty())
      std::filesystem::remove_all(path_, ignored);
  }
  const std::string &path() const { return path_; }

private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Every manifest is a set of its own; models together are one.
std::vector<CompileOptions> setsOf(const CompileOptions &options) {
  std::vector<CompileOptions> sets;
  CompileOptions models = options;
  models.set.models.clear();
  for (const std::string &name : options.set.models) {
    if (!name.ends_with(".yaml") && !name.ends_with(".yml")) {
      models.set.models.push_back(name);
      continue;
    }
    sets.push_back(options);
    sets.back().set.models = {name};
  }
  if (!models.set.models.empty())
    sets.push_back(std::move(models));
  return sets;
}

} // namespace

void addCalibrateOptions(CLI::App &app, CalibrateArguments &arguments) {
  app.add_flag("--calibrate", arguments.calibrate,
               "measure this host: its rates, and with sets the times of their kernels");
  app.add_option("-o,--output", arguments.output,
                 "where to write what was measured, for --calibration of compile; default: stdout")
      ->type_name("FILE");
  app.add_option("--seconds", arguments.seconds, "to measure in, compiling not counted")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 3600.0));
  app.add_option("--keep-samples", arguments.samples, "also write every measured kernel")
      ->type_name("FILE");
  app.add_option("--from-samples", arguments.from,
                 "fit what --keep-samples wrote, with the rates of --calibration, instead of "
                 "measuring again")
      ->type_name("FILE");
  app.add_option("--without", arguments.without,
                 "with --from-samples: leave a set out, to see how well it is predicted")
      ->type_name("SET")
      ->type_size(1)
      ->allow_extra_args(false);
}

/// The model in `rates` with prices fitted to the samples that are left.
static StatusOr<Calibration> fitAgain(const CalibrateArguments &arguments,
                                      const std::string &rates) {
  Calibration result;
  MTC_ASSIGN_OR_RETURN(std::string modelText, readTextFile(rates));
  MTC_ASSIGN_OR_RETURN(result.model, parseHostModel(modelText));
  MTC_ASSIGN_OR_RETURN(std::string text, readTextFile(arguments.from));
  StatusOr<std::vector<HostSample>> samples = parseSamples(text);
  if (!samples.ok())
    return samples.status().withContext(arguments.from);
  for (const std::string &set : arguments.without)
    if (std::erase_if(*samples, [&](const HostSample &s) { return s.set == set; }) == 0)
      return invalidInput(fmt::format("'{}' has no samples of a set '{}'", arguments.from, set));
  result.samples = std::move(*samples);
  fitShares(result.samples, result.model);
  MTC_RETURN_IF_ERROR(fitPrices(result.samples, result.model));
  return result;
}

Status runCalibrate(const CalibrateArguments &arguments, const CompileOptions &options,
                    const Log &log) {
  Calibration calibration;
  if (!arguments.from.empty()) {
    MTC_ASSIGN_OR_RETURN(calibration, fitAgain(arguments, options.calibration));
  } else {
    MTC_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::create());
    CalibrateOptions calibrate;
    calibrate.sets = setsOf(options);
    calibrate.seconds = arguments.seconds;
    calibrate.folder = folder.path();
    MTC_ASSIGN_OR_RETURN(calibration, calibrateHost(calibrate, log));
  }
  if (!arguments.samples.empty())
    MTC_RETURN_IF_ERROR(writeFile(arguments.samples, printSamples(calibration.samples)));
  const std::string text = printHostModel(calibration.model);
  return arguments.output.empty() ? print(text) : writeFile(arguments.output, text);
}

} // namespace mtc::tool
