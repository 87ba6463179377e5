//===- CompareLoads.cpp - how much open load layouts carry on frozen sets -===//
//
//   CompareLoads [--sets S,gpulet] [--devices gpu-f32,gpu-f16] [--slos 2,5,10] [--requests N]
//                [--steps N]
//
// Every tenant gets Poisson requests at one common rate and an SLO of so many times its time alone
// on the whole device. A tab-separated line per set, device and SLO: the rate at which a tenant
// after the other would just fill the device, and as multiples of it the greatest rates at which no
// tenant misses its SLO more than one time in a hundred: a stream per tenant, gpulet's partitions,
// and the search. All of it simulated, task by task, with arrivals that the search does not see.
//
//===----------------------------------------------------------------------===//
#include "FrozenProblems.h"
#include "mtc/Simulation/Layouts.h"

#include <fmt/format.h>

#include <cmath>
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

/// A tenant for each instance of the round: sets hold some models two or three times.
static Problem withTenantPerInstance(const FrozenProblem &frozen) {
  Problem problem = frozen.problem;
  problem.tenants.clear();
  problem.entries.clear();
  for (int32_t e : frozen.round.instances) {
    Entry entry = frozen.problem.entries[static_cast<size_t>(e)];
    Tenant tenant = frozen.problem.tenants[static_cast<size_t>(entry.tenant)];
    tenant.name += fmt::format("_{}", problem.tenants.size());
    entry.tenant = static_cast<int32_t>(problem.tenants.size());
    problem.tenants.push_back(std::move(tenant));
    problem.entries.push_back(std::move(entry));
  }
  return problem;
}

static Status compare(const std::string &set, const std::string &device,
                      const std::vector<std::string> &slos, int64_t requests, int64_t steps) {
  MTC_ASSIGN_OR_RETURN(FrozenProblem frozen, frozenProblem(set, device, 1));
  Problem problem = withTenantPerInstance(frozen);
  std::vector<int32_t> counts;
  for (int32_t g = 1; g <= problem.device.granules; g += g < 8 ? 1 : 2)
    counts.push_back(g);
  MTC_ASSIGN_OR_RETURN(SoloPlans plans, SoloPlans::make(problem, counts, {.searchSteps = 100}));
  double aloneNs = 0;
  for (size_t t = 0; t < problem.tenants.size(); ++t)
    aloneNs +=
        static_cast<double>(plans.find(static_cast<int32_t>(t), problem.device.granules)->ns);
  OpenLoad load = openLoadOf(problem);
  for (Arrivals &arrivals : load.arrivals)
    arrivals.ratePerSecond = 1e9 / aloneNs;
  for (const std::string &slo : slos) {
    for (size_t t = 0; t < problem.tenants.size(); ++t)
      problem.tenants[t].sloP99Ns = std::llround(
          std::stod(slo) *
          static_cast<double>(plans.find(static_cast<int32_t>(t), problem.device.granules)->ns));
    GreatestLoadOptions options;
    options.simulation.requests = requests;
    options.simulation.giveUpAbove = 0.012;
    options.simulation.seed = 7;
    auto streams = [&](const OpenLoad &l) -> StatusOr<Layout> { return streamsLayout(problem, l); };
    auto gpulet = [&](const OpenLoad &l) -> StatusOr<Layout> {
      return gpuletLayout(problem, plans, l);
    };
    auto joint = [&](const OpenLoad &l) {
      return searchLayout(problem, plans, l, {.steps = steps});
    };
    MTC_ASSIGN_OR_RETURN(GreatestLoad a, greatestLoad(problem, plans, load, streams, options));
    MTC_ASSIGN_OR_RETURN(GreatestLoad b, greatestLoad(problem, plans, load, gpulet, options));
    MTC_ASSIGN_OR_RETURN(GreatestLoad c, greatestLoad(problem, plans, load, joint, options));
    fmt::print("{}\t{}\t{}\t{:.1f}\t{:.3f}\t{:.3f}\t{:.3f}\t{}\n", set, device, slo, 1e9 / aloneNs,
               a.factor, b.factor, c.factor, printLayout(problem, c.layout));
    std::fflush(stdout);
  }
  return okStatus();
}

int main(int argc, char **argv) {
  std::map<std::string, std::string> options = {{"--sets", "S,gpulet"},
                                                {"--devices", "gpu-f32,gpu-f16"},
                                                {"--slos", "2,5,10"},
                                                {"--requests", "3000"},
                                                {"--steps", "1000"}};
  for (int i = 1; i < argc; i += 2) {
    if (!options.contains(argv[i]) || i + 1 == argc) {
      fmt::print(stderr, "CompareLoads: unknown or incomplete option '{}'\n", argv[i]);
      return 2;
    }
    options[argv[i]] = argv[i + 1];
  }
  fmt::print("# set\tdevice\tslo\trate\tstreams\tgpulet\tjoint\tlayout\n");
  for (const std::string &set : frozenSets())
    for (const std::string &prefix : split(options["--sets"]))
      for (const std::string &device : split(options["--devices"])) {
        if (set.rfind(prefix, 0) != 0)
          continue;
        Status status = compare(set, device, split(options["--slos"]),
                                std::stoll(options["--requests"]), std::stoll(options["--steps"]));
        if (!status.ok()) {
          fmt::print(stderr, "CompareLoads: {}: {}\n", set, status.message());
          return status.exitCode();
        }
      }
  return 0;
}
