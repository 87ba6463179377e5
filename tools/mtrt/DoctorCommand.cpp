//===- DoctorCommand.cpp - mtrt doctor ------------------------------------===//
//
// What decides how fast bundles run here and whether they run at all; each finding that costs
// something is a warning with what to do.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "mtc/Runtime/Cpu.h"
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

Status doctor(const OutputOptions &output) {
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

  if (output.printsText()) {
    fmt::print("cpu       {} ({})\n", host::cpuModel(), cpuLevel());
    fmt::print("features  {}\n", fmt::join(features, " "));
    fmt::print("cores     {} usable: cpus {}{}\n", budget.cores(), fmt::join(budget.cpus, ","),
               budget.quota > 0 ? fmt::format(", cgroup quota {:g}", budget.quota) : "");
    fmt::print("memory    {}\n", formatBytes(memory));
    fmt::print("devices   host (this program has no other)\n");
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
                            {"devices", {"host"}},
                            {"warnings", warnings}});
}

} // namespace

std::function<Status()> declareDoctor(CLI::App &app) {
  auto output = std::make_shared<OutputOptions>();
  addOutputOptions(app, *output);
  return [output] { return doctor(*output); };
}

} // namespace mtc::tool
