//===- SimulateCommand.cpp - mtc simulate ---------------------------------===//
//
// A round and the open load of a set, simulated on the times that the compiler has. The set comes
// from a bundle or a problem's text, which need no compiling, or from a manifest or models.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "SetOptions.h"
#include "VerdictJson.h"
#include "mtc/Bundle/Reader.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Simulation/Simulate.h"
#include "mtc/Support/File.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace mtc::tool {
namespace {

struct SimulateArguments {
  CompileOptions options;
  std::vector<std::string> whatIf;
  std::string policy, json;
  VerdictOptions verdict;
};

/// The only argument, if it ends like this.
bool isFile(const SimulateArguments &arguments, const std::string &ending) {
  const std::vector<std::string> &models = arguments.options.set.models;
  return models.size() == 1 && models[0].ends_with(ending);
}

StatusOr<std::vector<ScheduledTarget>> readBundle(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(std::shared_ptr<const BundleReader> reader, BundleReader::open(path));
  std::vector<ScheduledTarget> targets;
  for (size_t t = 0; t < reader->targets().size(); ++t) {
    const BundleTarget &from = reader->targets()[t];
    ScheduledTarget target{from.target, from.problem, {}};
    for (size_t s = 0; s < from.schedules.size(); ++s) {
      MTC_ASSIGN_OR_RETURN(ScheduledPlan plan, reader->plan(t, s));
      target.schedules.push_back(std::move(plan.schedule));
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

StatusOr<std::vector<ScheduledTarget>> readProblem(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(std::string text, readTextFile(path));
  StatusOr<Problem> problem = parseProblem(text);
  if (!problem.ok())
    return problem.status().withContext(path);
  MTC_ASSIGN_OR_RETURN(std::vector<Schedule> schedules, defaultSchedules(*problem));
  return std::vector<ScheduledTarget>{
      {problem->device.target, std::move(*problem), std::move(schedules)}};
}

StatusOr<std::vector<ScheduledTarget>> readTargets(const SimulateArguments &arguments) {
  if (isFile(arguments, ".mtb"))
    return readBundle(arguments.options.set.models[0]);
  if (isFile(arguments, ".txt"))
    return readProblem(arguments.options.set.models[0]);
  return scheduleSet(arguments.options);
}

/// The text of a round, tenant by tenant; fills its report.
StatusOr<std::string> simulateRound(const ScheduledTarget &target, const std::string &policy,
                                    nlohmann::ordered_json &json) {
  MTC_ASSIGN_OR_RETURN(Workload workload, roundWorkload(target.problem));
  Schedule schedule;
  auto stored = std::find_if(target.schedules.begin(), target.schedules.end(),
                             [](const Schedule &s) { return s.workload.name == "round"; });
  if (policy.empty() && stored != target.schedules.end()) {
    schedule = *stored;
  } else {
    MTC_ASSIGN_OR_RETURN(schedule, policy.empty() ? bestSchedule(target.problem, workload)
                                                  : runPolicy(policy, target.problem, workload));
  }
  MTC_ASSIGN_OR_RETURN(SimulatedRound round, simulate(target.problem, schedule));
  json = {{"policy", schedule.policy},
          {"origin", "simulated"},
          {"makespan_ns", round.makespanNs},
          {"busy_units", round.busyUnits},
          {"used_bandwidth", round.usedBandwidth},
          {"tenants", nlohmann::ordered_json::array()}};
  std::string text =
      fmt::format("round, simulated: {} by policy {}, {:.0f} % of units busy, {:.0f} % of "
                  "bandwidth\n",
                  formatNs(round.makespanNs), schedule.policy, 100 * round.busyUnits,
                  100 * round.usedBandwidth);
  size_t width = 0;
  for (const Tenant &tenant : target.problem.tenants)
    width = std::max(width, tenant.name.size());
  for (size_t i = 0; i < round.latencyNs.size(); ++i) {
    int32_t e = schedule.workload.instances[i];
    const Entry &entry = target.problem.entries[static_cast<size_t>(e)];
    const std::string &name = target.problem.tenants[static_cast<size_t>(entry.tenant)].name;
    MTC_ASSIGN_OR_RETURN(
        Schedule alone, runPolicy("sequential", target.problem,
                                  soloWorkload(target.problem, e, target.problem.device.granules)));
    MTC_ASSIGN_OR_RETURN(SimulatedRound solo, simulate(target.problem, alone));
    text += fmt::format("  {:<{}}  {:>8} of {:>8} alone\n", name, width,
                        formatNs(round.latencyNs[i]), formatNs(solo.makespanNs));
    json["tenants"].push_back(
        {{"name", name}, {"latency_ns", round.latencyNs[i]}, {"alone_ns", solo.makespanNs}});
  }
  return text;
}

Status runSimulate(const SimulateArguments &arguments) {
  MTC_ASSIGN_OR_RETURN(std::vector<ScheduledTarget> targets, readTargets(arguments));
  nlohmann::ordered_json json = {{"version", 1}, {"targets", nlohmann::ordered_json::array()}};
  Status misses;
  for (ScheduledTarget &target : targets) {
    for (const std::string &change : arguments.whatIf)
      MTC_RETURN_IF_ERROR(applyWhatIf(target.problem, change));
    nlohmann::ordered_json round, load;
    MTC_ASSIGN_OR_RETURN(std::string text, simulateRound(target, arguments.policy, round));
    text = fmt::format("target {}\n{}", target.target, text);
    if (std::any_of(target.problem.tenants.begin(), target.problem.tenants.end(),
                    [](const Tenant &t) { return t.ratePerSecond > 0 || t.sloP99Ns > 0; })) {
      MTC_ASSIGN_OR_RETURN(SoloPlans plans, SoloPlans::of(target.problem, target.schedules));
      MTC_ASSIGN_OR_RETURN(Verdict verdict, judgeLoad(target.problem, plans, arguments.verdict));
      text += printVerdict(verdict);
      load = verdictJson(verdict);
      if (misses.ok())
        misses = requireFit(verdict).withContext(target.target);
    }
    if (arguments.json != "-")
      MTC_RETURN_IF_ERROR(print(text));
    json["targets"].push_back({{"target", target.target}, {"round", round}, {"load", load}});
  }
  MTC_RETURN_IF_ERROR(writeReport(arguments.json, json.dump(2) + "\n"));
  return misses;
}

} // namespace

std::function<Status()> declareSimulate(CLI::App &app) {
  auto arguments = std::make_shared<SimulateArguments>();
  addSetOptions(app, arguments->options.set);
  addLimitOptions(app, arguments->options.limits);
  app.add_option("--policy", arguments->policy, "of the round; default: the best, or the bundle's")
      ->type_name("P");
  app.add_option("--layout", arguments->verdict.layout,
                 "who finds the partitions for open load: joint, gpulet, streams")
      ->type_name("L")
      ->capture_default_str();
  app.add_option("--what-if", arguments->whatIf,
                 "change a tenant, e.g. det.rate=x2, det.slo=40ms, rate=x1.5 (all)")
      ->type_name("[TENANT.]KEY=VALUE")
      ->type_size(1)
      ->allow_extra_args(false);
  app.add_option("--requests", arguments->verdict.requests, "at least, of every tenant")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(100), int64_t(1'000'000)));
  app.add_option("--seed", arguments->verdict.seed, "of the arrivals")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--json", arguments->json, "write a report; '-' is stdout")->type_name("FILE");
  arguments->verdict.headroom = true;
  arguments->verdict.mostTasks = 30'000'000;
  return [arguments] { return runSimulate(*arguments); };
}

} // namespace mtc::tool
