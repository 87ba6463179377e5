//===- BenchOpen.cpp - an open load on the cores of this host -------------===//
//
// Each partition of the layout is a session pinned to its cores; what it runs are the bundle's
// plans of entries alone. The driver of the load (Simulation/LoadDriver.h) is the simulator's: it
// decides what starts where and counts latencies from arrival, so a request that this process hears
// of late, or that waits for a free partition, is not forgiven the wait.
//
// Whoever learns something asks the driver: the main thread when a request is due, the last worker
// of a job when it has ended, so the next job needs no other thread to start.
//
//===----------------------------------------------------------------------===//
#include "BenchOpen.h"
#include "LoadJson.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Simulation/LoadDriver.h"
#include "mtc/Simulation/Verdict.h"
#include "mtc/Support/Clock.h"
#include "mtc/Support/Cores.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace mtc::tool {
namespace {

using Clock = std::chrono::steady_clock;

/// Requests that have not been served so long after the last arrival are given up.
constexpr int64_t kDrainNs = 10'000'000'000;
/// More tasks than these are predicted job by job.
constexpr double kMostTasks = 30e6;

/// The cores of a partition: its session, and a request for each entry that it serves.
struct Server {
  std::shared_ptr<Session> session;
  std::map<int32_t, std::unique_ptr<Request>> requests; ///< by entry
};

class OpenServer {
public:
  OpenServer(LoadDriver driver, std::vector<Server> servers)
      : driver_(std::move(driver)), servers_(std::move(servers)) {}

  /// Serves all requests, or until it is clear that they cannot be served. Fails if one fails.
  StatusOr<OpenOutcome> run(bool showsProgress) {
    startNs_ = nowNs();
    const int64_t lastNs = 2 * driver_.horizonNs() + kDrainNs;
    std::unique_lock lock(mutex_);
    for (int64_t progressNs = 0; !isDone();) {
      startJobs(lock);
      const int64_t now = elapsedNs();
      if (now >= lastNs)
        break;
      if (now >= progressNs) {
        progressNs = now + 500'000'000;
        if (showsProgress)
          fmt::print(stderr, "\r\x1b[Kmtrt: {:.0f} of {:.0f} s, {} of {} requests served",
                     double(now) / 1e9, double(driver_.horizonNs()) / 1e9, driver_.served(),
                     driver_.expected());
      }
      if (isDone())
        break;
      sleepsUntilNs_ = std::min({driver_.wakeNs(), lastNs, progressNs});
      changed_.wait_until(lock, Clock::time_point(std::chrono::nanoseconds(startNs_) +
                                                  std::chrono::nanoseconds(sleepsUntilNs_)));
      sleepsUntilNs_ = INT64_MIN;
    }
    if (showsProgress)
      fmt::print(stderr, "\r\x1b[K");
    isStopped_ = true;
    if (!failure_.ok())
      return failure_;
    const int64_t endNs = elapsedNs();
    driver_.abandon(endNs);
    return driver_.outcome(endNs);
  }

private:
  int64_t elapsedNs() const { return nowNs() - startNs_; }
  bool isDone() const { return !failure_.ok() || driver_.gaveUp() || driver_.isOver(); }

  /// Starts what can start. The lock is not held while a job is submitted: one that is refused ends
  /// at once, and its end takes the lock.
  void startJobs(std::unique_lock<std::mutex> &lock) {
    while (!isStopped_ && failure_.ok() && !driver_.gaveUp()) {
      const std::optional<PartitionJob> job = driver_.next(elapsedNs());
      if (!job)
        return;
      Server &server = servers_[size_t(job->partition)];
      Request *request = server.requests.at(job->entry).get();
      lock.unlock();
      const RequestStatus status = server.session->submit(
          std::span(&request, 1), 0,
          [this, partition = job->partition](Request &ended, const RequestStatus &how) {
            jobEnded(partition, ended, how);
          });
      lock.lock();
      if (!status.ok()) {
        driver_.finish(job->partition, elapsedNs());
        failure_ = toStatus(status);
      }
    }
  }

  /// On a worker.
  void jobEnded(int32_t partition, const Request &request, const RequestStatus &status) {
    std::unique_lock lock(mutex_);
    driver_.finish(partition, request.finishedNs() - startNs_);
    if (!status.ok() && failure_.ok())
      failure_ = toStatus(status);
    startJobs(lock);
    if (isDone() || driver_.wakeNs() < sleepsUntilNs_)
      changed_.notify_one();
  }

  std::mutex mutex_; ///< guards all below but the servers
  std::condition_variable changed_;
  LoadDriver driver_;
  Status failure_;
  int64_t startNs_ = 0;
  int64_t sleepsUntilNs_ = INT64_MIN; ///< of the main thread; INT64_MIN: it is awake
  bool isStopped_ = false;
  std::vector<Server> servers_; ///< by partition; last: their workers use all of the above
};

//===- Preparation --------------------------------------------------------===//

/// The CPUs of the bundle's granules, as many as there are.
StatusOr<std::vector<int>> cpusOf(const DeviceOptions &device, int granules) {
  const CpuBudget budget = cpuBudget();
  std::vector<int> cpus = budget.cpus;
  if (!device.cpus.empty()) {
    MTC_ASSIGN_OR_RETURN(cpus, parseCpuList(device.cpus));
  }
  cpus.resize(std::min({cpus.size(), size_t(std::max(1, budget.cores())), size_t(granules)}));
  return cpus;
}

StatusOr<Layout> layoutFor(const Problem &problem, const SoloPlans &plans, const OpenLoad &load,
                           const OpenOptions &options) {
  if (options.layout == "whole")
    return wholeLayout(problem, load);
  if (options.layout == "gpulet")
    return gpuletLayout(problem, plans, load);
  LayoutOptions search;
  search.seed = options.seed;
  return searchLayout(problem, plans, load, search);
}

StatusOr<Server> serverFor(const std::shared_ptr<const BundleReader> &program,
                           SessionOptions options, const Problem &problem, const Layout &layout,
                           const Partition &partition, const std::vector<int> &cpus,
                           const Fill &fill, int warmup) {
  options.cpus.clear();
  for (size_t g = 0; g < cpus.size(); ++g)
    if (partition.granules >> g & 1)
      options.cpus.push_back(cpus[g]);
  Server server;
  MTC_ASSIGN_OR_RETURN(server.session, Session::create(program, std::move(options)));
  for (int32_t tenant : partition.tenants)
    for (const BatchEntry &batch : layout.services[size_t(tenant)].entries) {
      const Entry &entry = problem.entries[size_t(batch.entry)];
      const std::string &name = problem.tenants[size_t(tenant)].name;
      MTC_ASSIGN_OR_RETURN(auto request, server.session->createRequest(name, entry.name));
      for (const Tensor &tensor : entry.inputs) {
        if (tensor.value)
          continue; // need not be bound
        MTC_ASSIGN_OR_RETURN(void *memory, request->memory(tensor.name, true));
        MTC_RETURN_IF_ERROR(fillTensor(fill, name, tensor, memory));
      }
      for (const Tensor &tensor : entry.outputs)
        MTC_RETURN_IF_ERROR(request->memory(tensor.name, false).status());
      for (int i = 0; i < warmup; ++i)
        MTC_RETURN_IF_ERROR(runRound(*server.session, {request.get()}));
      server.requests.emplace(batch.entry, std::move(request));
    }
  return server;
}

/// Schedules of entries alone: what partitions run.
StatusOr<SoloPlans> storedPlans(const BundleReader &program, size_t target,
                                const Problem &problem) {
  std::vector<Schedule> schedules;
  const std::vector<BundleSchedule> &stored = program.targets()[target].schedules;
  for (size_t s = 0; s < stored.size(); ++s) {
    if (stored[s].workload.instances.size() != 1 ||
        std::popcount(stored[s].workload.granules) > problem.device.granules)
      continue;
    MTC_ASSIGN_OR_RETURN(ScheduledPlan plan, program.plan(target, s));
    schedules.push_back(std::move(plan.schedule));
  }
  return SoloPlans::of(problem, schedules);
}

/// Tasks of all requests that are to be expected.
double taskCount(const Problem &problem, const Layout &layout,
                 const std::vector<Arrivals> &arrivals, int64_t horizonNs) {
  double count = 0;
  for (size_t t = 0; t < arrivals.size(); ++t)
    if (!layout.services[t].entries.empty())
      count += arrivals[t].ratePerSecond * double(horizonNs) / 1e9 *
               double(problem.entries[size_t(layout.services[t].entries[0].entry)].tasks.size());
  return count;
}

//===- Report -------------------------------------------------------------===//

std::string tableOf(const Problem &problem, const std::vector<Arrivals> &arrivals,
                    const OpenOutcome &run, const OpenOutcome &predicted) {
  size_t width = 6;
  for (const Tenant &tenant : problem.tenants)
    width = std::max(width, tenant.name.size());
  std::string text = fmt::format(
      "{:<{}} {:>16} {:>10} {:>10} {:>10} {:>13} {:>10} {:>8} {:>9} {:>5}\n", "tenant", width,
      "rate", "p50", "p90", "p99", "predicted p99", "SLO", "missed", "served", "busy");
  for (size_t t = 0; t < arrivals.size(); ++t) {
    if (!(arrivals[t].ratePerSecond > 0))
      continue;
    const TenantLoad &load = run.tenants[t];
    const int64_t sloNs = problem.tenants[t].sloP99Ns;
    text += fmt::format(
        "{:<{}} {:>16} {:>10} {:>10} {:>10} {:>13} {:>10} {:>8} {:>9} {:>5}\n",
        problem.tenants[t].name, width,
        fmt::format("{:.4g}/s {}", arrivals[t].ratePerSecond, arrivalKindName(arrivals[t].kind)),
        formatNs(load.p50Ns), formatNs(load.p90Ns), formatNs(load.p99Ns),
        formatNs(predicted.tenants[t].p99Ns), sloNs > 0 ? formatNs(sloNs) : "-",
        sloNs > 0 ? fmt::format("{:.2f} %", 100 * load.missed) : "-",
        fmt::format("{:.4g}/s", load.servedPerSecond),
        fmt::format("{:.0f} %", 100 * load.utilisation));
  }
  return text;
}

Status requireSlos(const Problem &problem, const OpenOutcome &run) {
  for (size_t t = 0; t < run.tenants.size(); ++t) {
    const TenantLoad &load = run.tenants[t];
    const Tenant &tenant = problem.tenants[t];
    if (tenant.sloP99Ns > 0 && load.p99Ns > tenant.sloP99Ns)
      return {ErrorCode::SloInfeasible,
              fmt::format("tenant '{}' has a measured p99 of {}, {:.1f} % over its SLO of {}",
                          tenant.name, formatNs(load.p99Ns),
                          100 * (double(load.p99Ns) / double(tenant.sloP99Ns) - 1),
                          formatNs(tenant.sloP99Ns))};
    if (load.unserved > 0)
      return {ErrorCode::SloInfeasible,
              fmt::format("{} requests of tenant '{}' were not served: they come faster than that",
                          load.unserved, tenant.name)};
  }
  return okStatus();
}

} // namespace

void addOpenOptions(CLI::App &app, OpenOptions &options) {
  app.add_option("--duration", options.duration,
                 "open: how long requests arrive, e.g. 30s; default: by --requests")
      ->type_name("T");
  app.add_option("--requests", options.requests, "open: at least, of every tenant with a rate")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(10), int64_t(1'000'000)));
  app.add_option("--what-if", options.whatIf,
                 "open: change a tenant, e.g. det.rate=20/s, rate=x1.5 (all), det.slo=40ms, "
                 "det.arrivals=bursty")
      ->type_name("[TENANT.]KEY=VALUE")
      ->type_size(1)
      ->allow_extra_args(false);
  app.add_option("--layout", options.layout,
                 "open: who finds the partitions of the cores: joint, gpulet; whole: one for all")
      ->type_name("L")
      ->capture_default_str()
      ->check(CLI::IsMember({"joint", "gpulet", "whole"}));
  app.add_option("--seed", options.seed, "open: of the arrivals")
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--require-slo", options.requireSlo,
               "open: exit 4 if a measured p99 is beyond its tenant's SLO");
}

const char *openOptionOf(const OpenOptions &options) {
  return !options.duration.empty()   ? "--duration"
         : !options.whatIf.empty()   ? "--what-if"
         : options.layout != "joint" ? "--layout"
         : options.requireSlo        ? "--require-slo"
                                     : nullptr;
}

Status benchOpen(const DeviceOptions &device, const OutputOptions &output, const Fill &fill,
                 int warmup, const OpenOptions &options) {
  if (device.device != "host")
    return invalidInput(
        fmt::format("--mode open shares the cores of a host among partitions; --device is '{}'",
                    device.device));
  OpenLoadOptions load;
  load.requests = options.requests;
  load.seed = options.seed;
  if (!options.duration.empty()) {
    MTC_ASSIGN_OR_RETURN(load.horizonNs, parseDurationNs(options.duration));
  }
  MTC_ASSIGN_OR_RETURN(auto program, BundleReader::open(device.bundle));
  MTC_ASSIGN_OR_RETURN(SessionOptions sessions, sessionOptions(device, output));
  // A session says which target it takes; this one starts no worker that is kept.
  MTC_ASSIGN_OR_RETURN(auto probe, Session::create(program, sessions));
  const std::string description = describeDevice(*probe);
  const auto target = size_t(&probe->target() - program->targets().data());
  probe.reset();
  Problem problem = program->targets()[target].problem;
  for (const std::string &change : options.whatIf)
    MTC_RETURN_IF_ERROR(applyWhatIf(problem, change));
  MTC_ASSIGN_OR_RETURN(const std::vector<int> cpus, cpusOf(device, problem.device.granules));
  problem.device.granules = int32_t(cpus.size());

  const OpenLoad wanted = openLoadOf(problem);
  MTC_ASSIGN_OR_RETURN(const SoloPlans plans, storedPlans(*program, target, problem));
  if (std::none_of(wanted.arrivals.begin(), wanted.arrivals.end(),
                   [](const Arrivals &a) { return a.ratePerSecond > 0; }))
    return invalidInput("no tenant has a rate; give one, e.g. --what-if rate=10/s");
  MTC_ASSIGN_OR_RETURN(const Layout layout, layoutFor(problem, plans, wanted, options));
  MTC_ASSIGN_OR_RETURN(LoadDriver driver, LoadDriver::make(problem, layout, wanted.arrivals, load));

  // The same arrivals, simulated.
  load.tasks = taskCount(problem, layout, wanted.arrivals, driver.horizonNs()) <= kMostTasks;
  MTC_ASSIGN_OR_RETURN(const OpenOutcome predicted,
                       simulateOpen(problem, plans, layout, wanted.arrivals, load));

  sessions.log = [log = sessions.log](LogLevel level, const std::string &text) {
    // A partition has fewer cores than the bundle: that is no news here.
    if (level != LogLevel::Notice)
      log(level, text);
  };
  std::vector<Server> servers;
  for (const Partition &partition : layout.partitions) {
    MTC_ASSIGN_OR_RETURN(
        servers.emplace_back(),
        serverFor(program, sessions, problem, layout, partition, cpus, fill, std::max(1, warmup)));
  }
  // Sleeps end when they are to, not up to 50 us later.
  ::prctl(PR_SET_TIMERSLACK, 1000UL);
  OpenServer server(std::move(driver), std::move(servers));
  MTC_ASSIGN_OR_RETURN(const OpenOutcome run, server.run(!output.quiet && isatty(STDERR_FILENO)));

  int64_t requests = 0, unserved = 0;
  nlohmann::ordered_json tenants = nlohmann::ordered_json::array();
  for (size_t t = 0; t < problem.tenants.size(); ++t) {
    requests += run.tenants[t].requests;
    unserved += run.tenants[t].unserved;
    nlohmann::ordered_json tenant = {{"name", problem.tenants[t].name},
                                     {"rate_per_second", wanted.arrivals[t].ratePerSecond},
                                     {"arrivals", arrivalKindName(wanted.arrivals[t].kind)},
                                     {"slo_p99_ns", problem.tenants[t].sloP99Ns}};
    tenant.update(loadJson(run.tenants[t]));
    tenant["predicted"] = loadJson(predicted.tenants[t]);
    tenants.push_back(std::move(tenant));
  }
  const nlohmann::ordered_json json = {{"version", 1},
                                       {"mode", "open"},
                                       {"origin", "measured"},
                                       {"device", description},
                                       {"layout", printLayout(problem, layout)},
                                       {"seed", options.seed},
                                       {"seconds", double(run.endNs) / 1e9},
                                       {"requests", requests},
                                       {"unserved", unserved},
                                       {"gave_up", run.gaveUp},
                                       {"held_granules", run.heldGranules},
                                       {"predicted",
                                        {{"origin", "simulated"},
                                         {"gave_up", predicted.gaveUp},
                                         {"held_granules", predicted.heldGranules}}},
                                       {"tenants", tenants}};
  if (output.printsText())
    fmt::print("{}\nopen load, measured: {} requests in {:.1f} s, {} not served; layout: {}\n{}"
               "cores: {:.0f} % of their time held by jobs, {:.0f} % predicted\n",
               description, requests, double(run.endNs) / 1e9, unserved,
               printLayout(problem, layout), tableOf(problem, wanted.arrivals, run, predicted),
               100 * run.heldGranules, 100 * predicted.heldGranules);
  MTC_RETURN_IF_ERROR(writeJson(output, json));
  return options.requireSlo ? requireSlos(problem, run) : okStatus();
}

} // namespace mtc::tool
