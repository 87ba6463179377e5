//===- SimulateCommand.cpp - mtc simulate ---------------------------------===//
//
// A round and the open load of a set, simulated on the times that the compiler has. The set comes
// from a bundle or a problem's text, which need no compiling, or from a manifest or models.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "LoadJson.h"
#include "SetOptions.h"
#include "SimulatedTarget.h"
#include "VerdictJson.h"
#include "mtc/Bundle/Reader.h"
#include "mtc/Scheduling/ProblemText.h"
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
  std::string policy, json, report, against;
  std::vector<std::string> measured;
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

/// Commands of several places as `mtc compile` makes them for a device.
PolicyOptions policyOptions(const SimulateArguments &arguments, const Device &device) {
  PolicyOptions options;
  options.merge = arguments.options.merge.value_or(!device.target.starts_with("host"));
  return options;
}

StatusOr<std::vector<ScheduledTarget>> readProblem(const std::string &path,
                                                   const SimulateArguments &arguments) {
  MTC_ASSIGN_OR_RETURN(std::string text, readTextFile(path));
  StatusOr<Problem> problem = parseProblem(text);
  if (!problem.ok())
    return problem.status().withContext(path);
  MTC_ASSIGN_OR_RETURN(std::vector<Schedule> schedules,
                       defaultSchedules(*problem, policyOptions(arguments, problem->device)));
  return std::vector<ScheduledTarget>{
      {problem->device.target, std::move(*problem), std::move(schedules)}};
}

StatusOr<std::vector<ScheduledTarget>> readTargets(const SimulateArguments &arguments) {
  if (isFile(arguments, ".mtb"))
    return readBundle(arguments.options.set.models[0]);
  if (isFile(arguments, ".txt"))
    return readProblem(arguments.options.set.models[0], arguments);
  return scheduleSet(arguments.options);
}

std::string roundText(const SimulatedTarget &target) {
  const SimulatedRound &run = target.run;
  std::string text =
      fmt::format("target {}\nround, simulated on {} times: {} by policy {}, "
                  "{:.0f} % of units busy, {:.0f} % of bandwidth\n",
                  target.target, printOrigins(target.times), formatNs(run.makespanNs),
                  target.round.policy, 100 * run.busyUnits, 100 * run.usedBandwidth);
  size_t width = 0;
  for (const Tenant &tenant : target.problem.tenants)
    width = std::max(width, tenant.name.size());
  for (size_t i = 0; i < run.latencyNs.size(); ++i)
    text += fmt::format("  {:<{}}  {:>8} of {:>8} alone\n", target.tenantName(i), width,
                        formatNs(run.latencyNs[i]), formatNs(target.aloneNs[i]));
  return text;
}

nlohmann::ordered_json roundJson(const SimulatedTarget &target) {
  const SimulatedRound &run = target.run;
  nlohmann::ordered_json json = {{"policy", target.round.policy},
                                 {"origin", "simulated"},
                                 {"times", originsJson(target.times)},
                                 {"makespan_ns", run.makespanNs},
                                 {"busy_units", run.busyUnits},
                                 {"used_bandwidth", run.usedBandwidth},
                                 {"tasks", target.round.places.size()},
                                 {"merged_tasks", mergedTasks(target.round)},
                                 {"tenants", nlohmann::ordered_json::array()}};
  for (size_t i = 0; i < run.latencyNs.size(); ++i) {
    nlohmann::ordered_json tenant = {{"name", target.tenantName(i)},
                                     {"latency_ns", run.latencyNs[i]},
                                     {"alone_ns", target.aloneNs[i]}};
    const auto measured = target.measured.find(target.tenantName(i));
    if (measured != target.measured.end())
      tenant["measured"] = {{"latency_ns", measured->second.togetherNs},
                            {"alone_ns", measured->second.aloneNs}};
    json["tenants"].push_back(std::move(tenant));
  }
  return json;
}

/// Verdict and, beside it, what was measured.
nlohmann::ordered_json loadsJson(const SimulatedTarget &target) {
  nlohmann::ordered_json json = verdictJson(*target.verdict);
  for (nlohmann::ordered_json &tenant : json["tenants"]) {
    const auto measured = target.measured.find(tenant["name"].get<std::string>());
    if (measured != target.measured.end() && measured->second.load)
      tenant["measured"] = loadJson(*measured->second.load);
  }
  return json;
}

/// Every measured tenant is one of the set's.
Status checkTenants(const std::map<std::string, MeasuredTenant> &measured, const Problem &problem) {
  for (const auto &[name, tenant] : measured)
    if (std::none_of(problem.tenants.begin(), problem.tenants.end(),
                     [&](const Tenant &t) { return t.name == name; }))
      return invalidInput(
          fmt::format("tenant '{}' was measured, the set has none of that name", name));
  return okStatus();
}

/// The other bundle's target to compare with: that of the same name, or the only one.
StatusOr<Difference> differenceFrom(const std::string &other, const SimulatedTarget &target) {
  MTC_ASSIGN_OR_RETURN(std::vector<ScheduledTarget> targets, readBundle(other));
  auto same = std::find_if(targets.begin(), targets.end(),
                           [&](const ScheduledTarget &t) { return t.target == target.target; });
  if (same == targets.end() && targets.size() > 1)
    return invalidInput(fmt::format("'{}' has no target '{}'", other, target.target));
  if (same == targets.end())
    same = targets.begin();
  MTC_ASSIGN_OR_RETURN(const SimulatedTarget was, simulateTarget(std::move(*same), ""));
  return differenceOf(was, target, other);
}

bool hasLoad(const Problem &problem) {
  return std::any_of(problem.tenants.begin(), problem.tenants.end(),
                     [](const Tenant &t) { return t.ratePerSecond > 0 || t.sloP99Ns > 0; });
}

Status runSimulate(const SimulateArguments &arguments) {
  MTC_ASSIGN_OR_RETURN(std::vector<ScheduledTarget> targets, readTargets(arguments));
  nlohmann::ordered_json json = {{"version", 1}, {"targets", nlohmann::ordered_json::array()}};
  std::vector<SimulatedTarget> simulated;
  MTC_ASSIGN_OR_RETURN(const auto measured, readBenchReports(arguments.measured));
  Status misses;
  for (ScheduledTarget &target : targets) {
    for (const std::string &change : arguments.whatIf)
      MTC_RETURN_IF_ERROR(applyWhatIf(target.problem, change));
    MTC_ASSIGN_OR_RETURN(SoloPlans plans, SoloPlans::of(target.problem, target.schedules));
    const PolicyOptions options = policyOptions(arguments, target.problem.device);
    MTC_ASSIGN_OR_RETURN(SimulatedTarget result,
                         simulateTarget(std::move(target), arguments.policy, options));
    MTC_RETURN_IF_ERROR(checkTenants(measured, result.problem));
    result.measured = measured;
    std::string text = roundText(result);
    nlohmann::ordered_json load; // null without rates and SLOs
    if (hasLoad(result.problem)) {
      MTC_ASSIGN_OR_RETURN(result.verdict, judgeLoad(result.problem, plans, arguments.verdict));
      text += printVerdict(*result.verdict);
      load = loadsJson(result);
      if (misses.ok())
        misses = requireFit(*result.verdict).withContext(result.target);
    }
    json["targets"].push_back(
        {{"target", result.target}, {"round", roundJson(result)}, {"load", load}});
    if (!arguments.against.empty()) {
      MTC_ASSIGN_OR_RETURN(result.difference, differenceFrom(arguments.against, result));
      text += printDifference(*result.difference);
      json["targets"].back()["against"] = differenceJson(*result.difference);
    }
    if (arguments.json != "-")
      MTC_RETURN_IF_ERROR(print(text));
    simulated.push_back(std::move(result));
  }
  if (!arguments.report.empty())
    MTC_RETURN_IF_ERROR(writeFile(arguments.report, reportHtml(simulated)));
  MTC_RETURN_IF_ERROR(writeReport(arguments.json, json.dump(2) + "\n"));
  return misses;
}

} // namespace

std::function<Status()> declareSimulate(CLI::App &app) {
  auto arguments = std::make_shared<SimulateArguments>();
  addSetOptions(app, arguments->options.set);
  addLimitOptions(app, arguments->options.limits);
  addCalibrationOption(app, arguments->options);
  addMergeOption(app, arguments->options);
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
  app.add_option("--report", arguments->report,
                 "write a page with timeline, slowdowns and loads; it needs nothing else")
      ->type_name("OUT.html");
  app.add_option("--measured", arguments->measured,
                 "a --json report of mtrt bench (round, solo or open) to show beside")
      ->type_name("FILE")
      ->type_size(1)
      ->allow_extra_args(false);
  app.add_option("--against", arguments->against, "another bundle: say what is different here")
      ->type_name("OTHER.mtb");
  app.add_option("--json", arguments->json, "write a report; '-' is stdout")->type_name("FILE");
  arguments->verdict.headroom = true;
  arguments->verdict.mostTasks = 30'000'000;
  return [arguments] { return runSimulate(*arguments); };
}

} // namespace mtc::tool
