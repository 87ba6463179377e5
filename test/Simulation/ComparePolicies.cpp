//===- ComparePolicies.cpp - the cross table of policies and sets ---------===//
//
//   ComparePolicies [--policies a,b] [--sets S1_document,random] [--devices gpu-f32] [--batches
//   1,8]
//                   [--steps N] [--merge auto|off] [--change flops|memory|cache|launch|ramp:0.8]
//
// A tab-separated line per set (names match as prefixes), device and batch: the lower bounds, and
// for each policy the makespan, the mean and largest slowdown of the tenants against being alone on
// the device, and the largest against streams. All of it simulated, by code that shares nothing
// with the policies. --change prices GPU problems again with one parameter of the device changed.
// `joint` merges equal kernels into launches of GPUs unless --merge off; the bounds know of none.
//
//===----------------------------------------------------------------------===//
#include "Compare.h"
#include "mtc/Scheduling/Policies.h"

#include <fmt/format.h>

#include <map>
#include <sstream>

using namespace mtc;
using namespace mtc::test;

static std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');)
    parts.push_back(part);
  return parts;
}

static Status run(std::map<std::string, std::string> options) {
  std::vector<std::string> names = split(options["--policies"]);
  PolicyOptions policyOptions;
  if (!options["--steps"].empty())
    policyOptions.searchSteps = std::stoll(options["--steps"]);
  fmt::print("# set\tdevice\tbatch\ttasks\tpath\tarea\twork\tbytes\tcombined");
  for (const std::string &name : names)
    fmt::print("\t{0}\t{0}.mean\t{0}.worst\t{0}.streams", name);
  fmt::print("\n");
  for (const std::string &set : frozenSets()) {
    bool isWanted = false;
    for (const std::string &prefix : split(options["--sets"]))
      isWanted |= set.rfind(prefix, 0) == 0;
    if (!isWanted)
      continue;
    for (const std::string &device : split(options["--devices"]))
      for (const std::string &batch : split(options["--batches"])) {
        MTC_ASSIGN_OR_RETURN(FrozenProblem frozen, frozenProblem(set, device, std::stoi(batch)));
        MTC_RETURN_IF_ERROR(changeDevice(frozen.problem, device, options["--change"]));
        MTC_ASSIGN_OR_RETURN(References references, referencesOf(frozen));
        LowerBounds bounds = lowerBounds(frozen.problem, frozen.round);
        size_t tasks = 0;
        for (int32_t e : frozen.round.instances)
          tasks += frozen.problem.entries[static_cast<size_t>(e)].tasks.size();
        fmt::print("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", set, device, batch, tasks, bounds.pathNs,
                   bounds.areaNs, bounds.workNs, bounds.bytesNs, bounds.combinedNs);
        for (const std::string &name : names) {
          policyOptions.merge =
              name == "joint" && options["--merge"] != "off" && jointOptions(device).merge;
          MTC_ASSIGN_OR_RETURN(Outcome outcome, judge(name, frozen, references, policyOptions));
          fmt::print("\t{}\t{:.2f}\t{:.2f}\t{:.3f}", outcome.makespanNs, outcome.meanSlowdown,
                     outcome.worstSlowdown, outcome.worstAgainstStreams);
        }
        fmt::print("\n");
        std::fflush(stdout);
      }
  }
  return okStatus();
}

int main(int argc, char **argv) {
  std::map<std::string, std::string> options = {{"--policies", "sequential,streams"},
                                                {"--sets", "S,gpulet,random"},
                                                {"--devices", "host,gpu-f32,gpu-f16"},
                                                {"--batches", "1,8"},
                                                {"--steps", ""},
                                                {"--merge", "auto"},
                                                {"--change", ""}};
  for (int i = 1; i < argc; i += 2) {
    if (!options.contains(argv[i]) || i + 1 == argc) {
      fmt::print(stderr, "ComparePolicies: unknown or incomplete option '{}'\n", argv[i]);
      return 2;
    }
    options[argv[i]] = argv[i + 1];
  }
  Status status = run(options);
  if (!status.ok())
    fmt::print(stderr, "ComparePolicies: {}\n", status.message());
  return status.exitCode();
}
