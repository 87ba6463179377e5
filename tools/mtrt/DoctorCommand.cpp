//===- DoctorCommand.cpp - mtrt doctor ------------------------------------===//
//
// What decides how fast bundles run here and whether they run at all; each finding that costs
// something is a warning with what to do.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "mtc/Runtime/Cpu.h"
#include "mtc/Runtime/Cuda.h"
#include "mtc/Support/Cores.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <sys/mman.h>
#include <unistd.h>

namespace mtc::tool {
namespace {

std::string firstLine(const std::string &path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

/// The highest x86-64 level all of whose features this CPU has.
/// Source: x86-64 psABI 1.0, section 3.1.1.
std::string cpuLevel() {
  static const std::pair<const char *, std::vector<std::string>> levels[] = {
      {"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx2", "fma"}},
      {"x86-64-v3", {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"}},
      {"x86-64-v2", {"cx16", "sahf", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2"}},
  };
  for (const auto &[name, features] : levels)
    if (host::missingFeatures(features).empty())
      return name;
  return "x86-64";
}

struct DoctorArguments {
  OutputOptions output;
  std::string device, cudaDriver;
};

/// "NVIDIA H200, sm_90, 132 SMs in 16 groups of 8, 139.8 GiB".
std::string describe(const CudaDeviceInfo &gpu) {
  const std::string groups = gpu.groups == 0
                                 ? "that cannot be divided"
                                 : fmt::format("in {} groups of {}", gpu.groups, gpu.unitsPerGroup);
  return fmt::format("{}, sm_{}{}, {} SMs {}, {}{}", gpu.name, gpu.major, gpu.minor, gpu.units,
                     groups, formatBytes(static_cast<int64_t>(gpu.memoryBytes)),
                     gpu.isMps ? ", shared through MPS" : "");
}

nlohmann::ordered_json toJson(const StatusOr<CudaInfo> &cuda) {
  if (!cuda.ok())
    return {{"error", cuda.status().message()}};
  nlohmann::ordered_json json = {{"driver", cuda->driverVersion},
                                 {"devices", nlohmann::ordered_json::array()}};
  for (const CudaDeviceInfo &gpu : cuda->devices)
    json["devices"].push_back({{"name", gpu.name},
                               {"capability", fmt::format("{}.{}", gpu.major, gpu.minor)},
                               {"sms", gpu.units},
                               {"groups", gpu.groups},
                               {"sms_per_group", gpu.unitsPerGroup},
                               {"memory_bytes", gpu.memoryBytes},
                               {"mig", gpu.isMig},
                               {"mps", gpu.isMps}});
  return json;
}

void warnOf(const CudaInfo &cuda, std::vector<std::string> &warnings) {
  for (const CudaDeviceInfo &gpu : cuda.devices) {
    if (gpu.isMig)
      warnings.push_back(fmt::format("{}: a MIG slice: bundles for the whole GPU are planned again "
                                     "for its SMs",
                                     gpu.name));
    if (gpu.isMps)
      warnings.push_back(
          fmt::format("{}: MPS is on: other processes share its SMs while a round runs", gpu.name));
    if (gpu.groups == 0)
      warnings.push_back(
          fmt::format("{}: its SMs cannot be divided: tenants run one after another", gpu.name));
  }
}

Status doctor(const DoctorArguments &arguments) {
  const OutputOptions &output = arguments.output;
  prepareCuda();
  const StatusOr<CudaInfo> cuda = describeCuda(arguments.cudaDriver);
  if (arguments.device.starts_with("cuda"))
    MTC_RETURN_IF_ERROR(cuda.status());
  const CpuBudget budget = cpuBudget();
  const std::vector<std::string> features = host::presentFeatures();
  const int64_t memory = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  std::vector<std::string> warnings;
  if (budget.quota > 0 && budget.quota < static_cast<double>(budget.cpus.size()))
    warnings.push_back(fmt::format(
        "a cgroup limits this process to {:g} of {} cores: workers stall at the end of each period",
        budget.quota, budget.cpus.size()));
  const std::string governor = firstLine(
      fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", budget.cpus[0]));
  if (!governor.empty() && governor != "performance")
    warnings.push_back(
        fmt::format("the frequency governor is '{}': measurements vary; 'performance' "
                    "is steady",
                    governor));
  const int descriptor = memfd_create("mtc-doctor", MFD_CLOEXEC);
  if (descriptor < 0)
    warnings.push_back("memfd_create does not work: no bundle can be loaded");
  else
    close(descriptor);
  if (access("/proc/self/fd", R_OK) != 0)
    warnings.push_back("/proc is not mounted: no bundle can be loaded");

  std::vector<std::string> devices = {"host"};
  if (cuda.ok()) {
    for (size_t i = 0; i < cuda->devices.size(); ++i)
      devices.push_back(fmt::format("cuda:{}", i));
    warnOf(*cuda, warnings);
  }

  if (output.printsText()) {
    fmt::print("cpu       {} ({})\n", host::cpuModel(), cpuLevel());
    fmt::print("features  {}\n", fmt::join(features, " "));
    fmt::print("cores     {} usable: cpus {}{}\n", budget.cores(), fmt::join(budget.cpus, ","),
               budget.quota > 0 ? fmt::format(", cgroup quota {:g}", budget.quota) : "");
    fmt::print("memory    {}\n", formatBytes(memory));
    if (!cuda.ok())
      fmt::print("cuda      {}\n", cuda.status().message());
    else
      fmt::print("cuda      driver {}.{}\n", cuda->driverVersion / 1000,
                 cuda->driverVersion % 1000 / 10);
    for (size_t i = 0; cuda.ok() && i < cuda->devices.size(); ++i)
      fmt::print("cuda:{}    {}\n", i, describe(cuda->devices[i]));
    fmt::print("devices   {}\n", fmt::join(devices, " "));
    for (const std::string &warning : warnings)
      fmt::print("warning   {}\n", warning);
  }
  return writeJson(output, {{"version", 1},
                            {"cpu", host::cpuModel()},
                            {"level", cpuLevel()},
                            {"features", features},
                            {"cpus", budget.cpus},
                            {"cgroup_quota", budget.quota},
                            {"cores", budget.cores()},
                            {"memory_bytes", memory},
                            {"devices", devices},
                            {"cuda", toJson(cuda)},
                            {"warnings", warnings}});
}

} // namespace

std::function<Status()> declareDoctor(CLI::App &app) {
  auto arguments = std::make_shared<DoctorArguments>();
  app.add_option("--device", arguments->device, "exit 7 if there is no such device: host or cuda")
      ->type_name("D")
      ->check(CLI::IsMember({"host", "cuda"}));
  app.add_option("--cuda-driver", arguments->cudaDriver,
                 "the CUDA driver's library; default: libcuda.so.1")
      ->type_name("FILE");
  addOutputOptions(app, arguments->output);
  return [arguments] { return doctor(*arguments); };
}

} // namespace mtc::tool
