//===- TuneRunCommand.cpp - mtrt tune-run ---------------------------------===//
//
// Measures the variants of a bundle's kernels where the device is and writes lines of JSON that
// `mtc tune --import` reads. A kernel's lines are written together when it is done, so what an
// interrupted run has written holds, and the next one goes on behind it.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "MeasureKernel.h"
#include "mtc/Runtime/Cpu.h"
#include "mtc/Runtime/Cuda.h"
#include "mtc/Support/Cores.h"
#include "mtc/Support/File.h"
#include "mtc/Support/Text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

namespace mtc::tool {
namespace {

struct TuneRunArguments {
  OutputOptions output;
  MeasureOptions measure;
  std::string bundle, device = "host", cudaDriver, cpus, file = "-", budget;
  bool isNeighbourGiven = false;
};

/// Appends whole texts to a file or stdout.
class Appender {
public:
  ~Appender() {
    if (fd > STDOUT_FILENO)
      close(fd);
  }
  Status open(const std::string &path) {
    name = path;
    fd = path == "-" ? STDOUT_FILENO
                     : ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return fd < 0 ? failed() : okStatus();
  }
  Status write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t put = ::write(fd, text.data(), text.size());
      if (put < 0 && errno == EINTR)
        continue;
      if (put <= 0)
        return failed();
      text.remove_prefix(size_t(put));
    }
    return okStatus();
  }

private:
  Status failed() const {
    return invalidInput(fmt::format("cannot write '{}': {}", name, std::strerror(errno)));
  }
  std::string name;
  int fd = -1;
};

/// The first target that this CPU runs.
StatusOr<const BundleTarget *> hostTarget(const BundleReader &bundle) {
  for (const BundleTarget &target : bundle.targets())
    if (target.target.starts_with("host") && host::missingFeatures(target.features).empty())
      return &target;
  return Status(ErrorCode::DeviceUnavailable, "the bundle has no target that this CPU can run");
}

/// The first target of a GPU; whether it is this one is the meter's question.
StatusOr<const BundleTarget *> gpuTarget(const BundleReader &bundle) {
  for (const BundleTarget &target : bundle.targets())
    if (target.target.starts_with("cuda:"))
      return &target;
  return Status(ErrorCode::DeviceUnavailable, "the bundle has no target for a GPU");
}

/// "NVIDIA H200, driver 13.0": whose times a GPU's are. Asked by a process of its own, for who has
/// opened the driver cannot fork.
StatusOr<std::string> gpuName(const std::string &device, const std::string &driver) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return internalError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0)
    return internalError(fmt::format("cannot fork: {}", std::strerror(errno)));
  if (child == 0) {
    const StatusOr<CudaInfo> info = describeCuda(driver);
    const size_t number = device == "cuda" ? 0 : std::strtoul(device.c_str() + 5, nullptr, 10);
    std::string text =
        !info.ok() ? info.status().message()
        : number < info->devices.size()
            ? fmt::format("{}, driver {}.{}", info->devices[number].name,
                          info->driverVersion / 1000, info->driverVersion % 1000 / 10)
            : fmt::format("no CUDA device {}: the driver finds {}", number, info->devices.size());
    const bool isFound = info.ok() && number < info->devices.size();
    const ssize_t put = write(ends[1], text.data(), text.size());
    _exit(isFound && put == ssize_t(text.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) != 0;)
    if (got > 0)
      text.append(buffer, size_t(got));
    else if (errno != EINTR)
      break;
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return Status(ErrorCode::DeviceUnavailable, text.empty() ? "the CUDA driver crashes" : text);
  return text;
}

StatusOr<Candidates> candidatesOf(const BundleReader &bundle, const BundleTarget &target) {
  for (size_t i = 0; i < bundle.textCount(); ++i)
    if (bundle.textName(i) == kTuningTextName) {
      MTC_ASSIGN_OR_RETURN(const std::string_view text, bundle.text(i));
      MTC_ASSIGN_OR_RETURN(Candidates candidates, parseCandidates(text, target.target));
      if (candidates.kernels.size() != target.problem.kernels.size())
        return bundleRefused("the bundle's tuning text is of other kernels");
      for (size_t k = 0; k < candidates.kernels.size(); ++k)
        if (const CandidateKernel &kernel = candidates.kernels[k];
            !kernel.kernel.empty() &&
            kernel.configs.size() != target.problem.kernels[k].variants.size())
          return bundleRefused("the bundle's tuning text is of other variants");
      return candidates;
    }
  return invalidInput("the bundle does not say which kernels it has: it is of an older compiler");
}

/// The kernels whose search a file holds to the end, if there is such a file.
///
/// Fails if it holds something else: to append to that would make it useless.
StatusOr<std::set<std::string>> searchedIn(const std::string &path, const Candidates &candidates,
                                           const std::string &device) {
  std::set<std::string> kernels;
  std::error_code error;
  if (path == "-" || !std::filesystem::is_regular_file(path, error))
    return kernels;
  MTC_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  MTC_ASSIGN_OR_RETURN(const TuningRecords records,
                       parseRecords({reinterpret_cast<const char *>(bytes.data()), bytes.size()},
                                    candidates.compiler, path));
  for (const SearchRecord &record : records.searches)
    for (const CandidateKernel &kernel : candidates.kernels)
      if (kernel.searched > 0 && record.kernel == kernel.kernel && record.device == device &&
          record.seed == candidates.seed && record.candidates >= kernel.searched)
        kernels.insert(record.kernel);
  return kernels;
}

StatusOr<std::vector<int>> cpusOf(const TuneRunArguments &arguments, int granules) {
  const CpuBudget budget = cpuBudget();
  std::vector<int> cpus = budget.cpus;
  if (arguments.cpus.empty()) {
    cpus.resize(size_t(std::min(budget.cores(), granules)));
    return cpus;
  }
  MTC_ASSIGN_OR_RETURN(cpus, parseCpuList(arguments.cpus));
  for (int cpu : cpus)
    if (std::find(budget.cpus.begin(), budget.cpus.end(), cpu) == budget.cpus.end())
      return invalidInput(fmt::format("cpu {} is not among those of this process ({})", cpu,
                                      fmt::join(budget.cpus, ",")));
  return cpus;
}

Status tuneRun(TuneRunArguments &arguments) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  auto elapsedNs = [&] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  };
  int64_t budgetNs = INT64_MAX;
  if (!arguments.budget.empty()) {
    MTC_ASSIGN_OR_RETURN(budgetNs, parseDurationNs(arguments.budget));
  }
  MTC_ASSIGN_OR_RETURN(const auto bundle, BundleReader::open(arguments.bundle));
  const bool isGpu = arguments.device != "host";
  MTC_ASSIGN_OR_RETURN(const BundleTarget *target,
                       isGpu ? gpuTarget(*bundle) : hostTarget(*bundle));
  MTC_ASSIGN_OR_RETURN(const Candidates candidates, candidatesOf(*bundle, *target));
  std::vector<int> cpus;
  std::unique_ptr<KernelMeter> meter;
  if (isGpu) {
    prepareCuda();
    MTC_ASSIGN_OR_RETURN(arguments.measure.device, gpuName(arguments.device, arguments.cudaDriver));
    meter = makeCudaMeter(*target, arguments.device, arguments.cudaDriver);
    std::erase_if(arguments.measure.neighbours, [&](const std::string &neighbour) {
      return !arguments.isNeighbourGiven && neighbour != "none";
    });
    arguments.measure.besideAll = true;
  } else {
    MTC_ASSIGN_OR_RETURN(cpus, cpusOf(arguments, target->problem.device.granules));
    MTC_ASSIGN_OR_RETURN(host::Meter hostMeter, host::Meter::create(*target, cpus));
    meter = std::make_unique<host::Meter>(std::move(hostMeter));
    arguments.measure.device = host::cpuModel();
  }

  MTC_ASSIGN_OR_RETURN(const std::set<std::string> searched,
                       searchedIn(arguments.file, candidates, arguments.measure.device));
  Appender file;
  MTC_RETURN_IF_ERROR(file.open(arguments.file));
  MTC_RETURN_IF_ERROR(file.write(printHeader(candidates.compiler)));
  const bool progress = !arguments.output.quiet && isatty(STDERR_FILENO);
  size_t measured = 0, times = 0, failures = 0;
  const size_t all = candidates.kernels.size();
  for (size_t k = 0; k < all && elapsedNs() < budgetNs; ++k) {
    const CandidateKernel &candidate = candidates.kernels[k];
    if (candidate.kernel.empty() || target->symbols[k].empty() || target->symbols[k][0].empty() ||
        searched.contains(candidate.kernel))
      continue;
    TuningRecords records;
    MTC_ASSIGN_OR_RETURN(records.times,
                         measureKernel(*meter, *target, k, candidate, arguments.measure));
    for (const KernelRecord &record : candidates.features)
      if (record.kernel == candidate.kernel)
        records.kernels.push_back(record);
    if (candidate.searched > 0)
      records.searches.push_back(
          {candidate.kernel, arguments.measure.device, candidate.searched, candidates.seed});
    MTC_RETURN_IF_ERROR(file.write(printRecords(records)));
    ++measured;
    times += records.times.size();
    for (const TimeRecord &record : records.times)
      failures += record.samples == 0;
    if (progress)
      fmt::print(stderr, "\r\x1b[Kmtrt: {}/{} kernels, about {:.0f} s left", k + 1, all,
                 double(elapsedNs()) / 1e9 / double(k + 1) * double(all - k - 1));
  }
  if (progress)
    fmt::print(stderr, "\r\x1b[K");
  if (!arguments.output.quiet)
    fmt::print(stderr, "mtrt: measured {} of {} kernels on {}, {} times, {} failures\n", measured,
               all, arguments.measure.device, times, failures);
  return writeJson(arguments.output, {{"version", 1},
                                      {"device", arguments.measure.device},
                                      {"cpus", cpus},
                                      {"kernels", measured},
                                      {"times", times},
                                      {"failures", failures},
                                      {"seconds", double(elapsedNs()) / 1e9}});
}

} // namespace

std::function<Status()> declareTuneRun(CLI::App &app) {
  auto arguments = std::make_shared<TuneRunArguments>();
  app.add_option("bundle", arguments->bundle, "a bundle of 'mtc tune --pack', or any other")
      ->type_name("")
      ->required();
  app.add_option("-o,--output", arguments->file,
                 "append lines of JSON to a file, without what it has; default: '-', stdout")
      ->type_name("FILE");
  app.add_option("--device", arguments->device, "host, cuda or cuda:N")
      ->type_name("DEVICE")
      ->capture_default_str()
      ->check(CLI::Validator(
          [](const std::string &text) {
            return text == "host" || text == "cuda" || text.starts_with("cuda:")
                       ? ""
                       : fmt::format("device '{}' is not 'host', 'cuda' or 'cuda:N'", text);
          },
          ""));
  app.add_option("--cuda-driver", arguments->cudaDriver, "the CUDA driver; default: libcuda.so.1")
      ->type_name("FILE");
  app.add_option("--cpus", arguments->cpus, "CPUs to measure on, e.g. 2-5; default: all allowed")
      ->type_name("LIST");
  auto *neighbours =
      app.add_option("--neighbours", arguments->measure.neighbours,
                     "what runs on the other CPUs while one is measured: none, low, medium, high; "
                     "flushed: none, and no operand in a cache; on a GPU beside each share on the "
                     "other SMs, and only if given")
          ->type_name("N,...")
          ->delimiter(',')
          ->capture_default_str()
          ->check(CLI::IsMember(neighbourNames()));
  app.add_option("--samples", arguments->measure.samples,
                 "of the variants that are left at the end")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_flag("--equally", arguments->measure.equally,
               "sample every variant equally often, for rankings to learn from");
  app.add_option("--budget", arguments->budget, "begin no kernel after this time, e.g. 60s")
      ->type_name("T");
  addOutputOptions(app, arguments->output);
  return [arguments, neighbours] {
    arguments->isNeighbourGiven = neighbours->count() > 0;
    return tuneRun(*arguments);
  };
}

} // namespace mtc::tool
