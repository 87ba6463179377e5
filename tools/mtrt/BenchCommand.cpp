//===- BenchCommand.cpp - mtrt bench --------------------------------------===//
//
// Host to host: an iteration copies the inputs from the caller's memory into the session's, runs,
// and copies the outputs back. In a round all tenants are submitted together, a tenant's latency
// ends when its own last task does. Alone, one tenant after the other runs all its iterations on
// all granules, as peers are timed: taking turns, each would find the caches full of another's
// weights (a decoder step with 4 MB of them: 0.31 ms instead of 0.10, one core of an AMD EPYC Zen
// 4, shared VM, 2026-11-23).
//
//===----------------------------------------------------------------------===//
#include "BenchOpen.h"
#include "BenchPolicies.h"
#include "Clients.h"
#include "Commands.h"
#include "TaskTimes.h"
#include "Tensors.h"
#include "Trace.h"
#include "mtc/Support/Clock.h"
#include "mtc/Support/Cores.h"
#include "mtc/Support/File.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <set>

namespace mtc::tool {
namespace {

struct BenchArguments {
  DeviceOptions device;
  OutputOptions output;
  std::string mode = "round", fill = "seed:0", trace, requireStable;
  std::vector<std::string> policies;
  int warmup = 5, iterations = 60;
  OpenOptions open;
};

/// The plan that ran: who made it, and how long it was to take.
struct Ran {
  std::string policy;
  double predictedMs = 0;
  int64_t mergedTasks = 0;
  Samples makespan; ///< from the first worker's start to the last one's end
};

/// A value of /proc/self/status in bytes, e.g. of "VmHWM:".
int64_t processBytes(const char *key) {
  const auto text = readTextFile("/proc/self/status");
  std::FILE *file = text.ok() ? std::fopen("/proc/self/status", "r") : nullptr;
  int64_t kib = 0;
  for (char line[256]; file && std::fgets(line, sizeof(line), file);)
    if (std::strncmp(line, key, std::strlen(key)) == 0)
      kib = std::strtoll(line + std::strlen(key), nullptr, 10);
  if (file)
    std::fclose(file);
  return kib * 1024;
}

/// Bytes of the weights that the benched entries use, each range once.
int64_t weightBytes(const Session &session, const std::vector<Client> &clients) {
  std::set<std::pair<uint64_t, uint64_t>> ranges;
  for (const Client &client : clients)
    for (const Value &value : client.request->entry().values)
      if (value.kind == ValueKind::Weight) {
        const auto info = session.program().weightInfo(value.index);
        ranges.emplace(info.offset, info.bytes);
      }
  int64_t sum = 0;
  for (const auto &[offset, bytes] : ranges)
    sum += static_cast<int64_t>(bytes);
  return sum;
}

StatusOr<double> parsePercent(const std::string &text) {
  double value = 0;
  const char *end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || next == end || std::string_view(next, end) != "%" || !(value > 0))
    return invalidInput(fmt::format("--require-stable: '{}' is no percentage like 5%", text));
  return value / 100;
}

Status bench(const BenchArguments &arguments) {
  if (const char *option = openOptionOf(arguments.open); option && arguments.mode != "open")
    return invalidInput(fmt::format("{} is of --mode open, not {}", option, arguments.mode));
  if (arguments.mode == "open") {
    if (!arguments.policies.empty() || !arguments.trace.empty() || !arguments.requireStable.empty())
      return invalidInput("--policy, --trace and --require-stable are of other modes than open");
    MTC_ASSIGN_OR_RETURN(const Fill fill, parseFill(arguments.fill));
    return benchOpen(arguments.device, arguments.output, fill, arguments.warmup, arguments.open);
  }
  if (arguments.policies.size() > 1) {
    if (arguments.mode != "round" || !arguments.trace.empty() || !arguments.requireStable.empty())
      return invalidInput("several policies are compared by rounds, without --trace and "
                          "--require-stable");
    MTC_ASSIGN_OR_RETURN(const Fill fill, parseFill(arguments.fill));
    return benchPolicies(arguments.device, arguments.output, fill,
                         {arguments.policies, arguments.warmup, arguments.iterations});
  }
  const std::string policy = arguments.policies.empty() ? "" : arguments.policies[0];
  const bool solo = arguments.mode != "round", kernels = arguments.mode == "kernels";
  double stable = 0;
  if (!arguments.requireStable.empty()) {
    MTC_ASSIGN_OR_RETURN(stable, parsePercent(arguments.requireStable));
  }
  MTC_ASSIGN_OR_RETURN(const Fill fill, parseFill(arguments.fill));
  Trace trace;
  TaskTimes taskTimes;
  bool counted = false, traced = false;
  std::atomic<int64_t> reported{0}; ///< jobs; a job is reported after its requests have ended
  SessionOptions options;
  options.recordTasks = kernels || !arguments.trace.empty();
  std::map<std::vector<int32_t>, Ran> ran; // by tenants; written before the next job starts
  options.jobEnded = [&](const JobReport &report) {
    std::vector<int32_t> tenants;
    for (int32_t entry : report.schedule.workload.instances)
      tenants.push_back(report.problem.entries[static_cast<size_t>(entry)].tenant);
    Ran &of = ran[tenants];
    of.policy = report.schedule.policy;
    of.mergedTasks = mergedTasks(report.schedule);
    of.predictedMs = double(report.schedule.makespanNs) / 1e6;
    if (counted)
      of.makespan.ns.push_back(report.endNs - report.firstNs);
    if (counted && kernels)
      taskTimes.add(report);
    if (traced)
      trace.add(report);
    ++reported;
    reported.notify_one();
  };
  MTC_ASSIGN_OR_RETURN(auto session,
                       openSession(arguments.device, arguments.output, std::move(options)));
  Roofline roofline; // measured before the first tenant and after each
  if (kernels)
    MTC_RETURN_IF_ERROR(roofline.measure(arguments.device, *session));
  MTC_ASSIGN_OR_RETURN(auto clients, makeClients(*session, fill));

  Samples rounds;
  int64_t jobs = 0;
  const size_t turns = solo ? clients.size() : 1;
  rounds.ns.resize(static_cast<size_t>(arguments.iterations));
  const int each = arguments.warmup + arguments.iterations;
  std::optional<Progress> progress;
  progress.emplace(!arguments.output.quiet, double(turns) * each);
  for (size_t turn = 0; turn < turns; ++turn) {
    for (int i = -arguments.warmup; i < arguments.iterations; ++i) {
      const bool keep = i >= 0;
      counted = keep;
      // The trace holds the last iteration: a longer one is slow to open.
      traced = !arguments.trace.empty() && i == arguments.iterations - 1;
      MTC_ASSIGN_OR_RETURN(const int64_t ns,
                           solo ? iterateSolo(*session, clients[turn], policy, keep)
                                : iterateRound(*session, clients, policy, keep));
      ++jobs;
      for (int64_t seen = reported; seen < jobs; seen = reported)
        reported.wait(seen);
      if (keep)
        rounds.ns[static_cast<size_t>(i)] += ns;
      if (i % 10 == 0)
        progress->show(double(turn) * each + i + arguments.warmup + 1);
    }
    if (kernels)
      MTC_RETURN_IF_ERROR(roofline.measure(arguments.device, *session));
  }
  progress.reset();

  const SessionStatistics statistics = session->statistics();
  nlohmann::ordered_json json = {{"version", 1},
                                 {"mode", arguments.mode},
                                 {"device", describeDevice(*session)},
                                 {"warmup", arguments.warmup},
                                 {"iterations", arguments.iterations},
                                 {"round_ms",
                                  {{"min", rounds.quantileMs(0)},
                                   {"median", rounds.medianMs()},
                                   {"p99", rounds.quantileMs(0.99)},
                                   {"spread", rounds.spread()}}},
                                 {"tenants", nlohmann::ordered_json::array()},
                                 {"memory",
                                  {{"peak_resident_bytes", processBytes("VmHWM:")},
                                   {"weight_bytes", weightBytes(*session, clients)},
                                   {"arena_bytes", statistics.arenaBytes}}}};
  const bool print = arguments.output.printsText();
  if (print)
    fmt::print("{}\n{:<24} {:>12} {:>12} {:>12}\n{:<24} {:>9.3f} ms {:>9.3f} ms {:>9.3f} ms\n",
               describeDevice(*session), arguments.mode, "min", "median", "p99",
               solo ? "sum" : "round", rounds.quantileMs(0), rounds.medianMs(),
               rounds.quantileMs(0.99));
  for (const Client &client : clients) {
    const std::string &name = client.request->tenant().name;
    json["tenants"].push_back({{"name", name},
                               {"min_ms", client.latency.quantileMs(0)},
                               {"median_ms", client.latency.medianMs()},
                               {"p99_ms", client.latency.quantileMs(0.99)}});
    if (print)
      fmt::print("  {:<22} {:>9.3f} ms {:>9.3f} ms {:>9.3f} ms\n", name,
                 client.latency.quantileMs(0), client.latency.medianMs(),
                 client.latency.quantileMs(0.99));
  }
  clients.clear();
  const Problem problem = session->target().problem;
  session.reset();
  for (const auto &[tenants, plan] : ran) {
    nlohmann::ordered_json &of =
        tenants.size() > 1 || !solo ? json["round_ms"] : json["tenants"][size_t(tenants[0])];
    of["policy"] = plan.policy;
    of["merged_tasks"] = plan.mergedTasks;
    of["predicted_ms"] = plan.predictedMs;
    of["makespan_ms"] = {{"min", plan.makespan.quantileMs(0)},
                         {"quartile", plan.makespan.quantileMs(0.25)},
                         {"median", plan.makespan.medianMs()}};
  }
  if (kernels)
    taskTimes.report(problem, roofline, print, json);
  if (!arguments.trace.empty())
    MTC_RETURN_IF_ERROR(trace.write(arguments.trace));
  MTC_RETURN_IF_ERROR(writeJson(arguments.output, json));
  if (stable > 0 && rounds.spread() > stable)
    return {ErrorCode::Unstable,
            fmt::format("unstable: the quartiles are {:.1f}% of the median apart, {:.1f}% allowed",
                        rounds.spread() * 100, stable * 100)};
  return okStatus();
}

} // namespace

std::function<Status()> declareBench(CLI::App &app) {
  auto arguments = std::make_shared<BenchArguments>();
  addDeviceOptions(app, arguments->device);
  app.add_option("--mode", arguments->mode,
                 "round: all tenants together; solo: each alone; kernels: alone, time per task and "
                 "its part of the roofline, measured in the same run; open: requests arrive at the "
                 "tenants' rates")
      ->type_name("M")
      ->capture_default_str()
      ->check(CLI::IsMember({"round", "solo", "kernels", "open"}));
  app.add_option("--policy", arguments->policies,
                 "plan here by this policy instead of taking the bundle's plans, e.g. sequential; "
                 "several (bundle,sequential,...): rounds by each in turn, and their ratios")
      ->type_name("P,...")
      ->delimiter(',');
  app.add_option("--warmup", arguments->warmup, "iterations that are not counted")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000000));
  app.add_option("--iterations", arguments->iterations, "iterations that are")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000000));
  app.add_option("--fill", arguments->fill, "values of the inputs: seed:N or zeros")
      ->type_name("F")
      ->capture_default_str();
  app.add_option("--require-stable", arguments->requireStable,
                 "exit 6 if the quartiles of the round are further apart than this share of the "
                 "median, e.g. 5%")
      ->type_name("P");
  app.add_option("--trace", arguments->trace, "write a Chrome trace of the last iteration")
      ->type_name("FILE");
  addOpenOptions(app, arguments->open);
  addOutputOptions(app, arguments->output);
  return [arguments] { return bench(*arguments); };
}

} // namespace mtc::tool
