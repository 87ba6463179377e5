//===- OpenLoad.cpp - arrivals, dispatcher and device together ------------===//
//
// Three things can happen next: a request arrives, the dispatcher wants to be asked again, a task
// ends. A job is a template (orders and demands of a plan) and a row of counters; the counters of a
// partition are reused by its next job.
//
//===----------------------------------------------------------------------===//
#include "mtc/Simulation/OpenLoad.h"
#include "DeviceTasks.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace mtc {
namespace {

/// Parts of a run from which intervals are estimated; the first, warm-up, is left out.
constexpr size_t kParts = 20;
/// Student's t for 19 degrees of freedom, 97.5 %.
constexpr double kStudent = 2.093;
/// More of all requests than this waiting at once: the load is not served.
constexpr double kHopelessPart = 0.25;

/// A plan as the device runs it.
struct JobTemplate {
  std::vector<DeviceTask> tasks;
  std::vector<int32_t> missing; ///< predecessors, by task
  std::vector<std::vector<int32_t>> after;
};

StatusOr<JobTemplate> templateOf(const Problem &problem, const SoloPlan &plan, bool tasks) {
  const Schedule &schedule = plan.schedule;
  JobTemplate job;
  if (!tasks) {
    DeviceTask whole;
    whole.bodyNs = static_cast<double>(plan.ns);
    whole.bytes = plan.bytes;
    whole.units = plan.units;
    whole.shared = !schedule.places.empty() && schedule.places[0].shared;
    whole.granules = schedule.workload.granules;
    return JobTemplate{{whole}, {0}, {{}}};
  }
  MTC_ASSIGN_OR_RETURN(Predecessors before, directOrders(problem, schedule));
  job.after.resize(before.size());
  for (size_t p = 0; p < before.size(); ++p) {
    job.tasks.push_back(deviceTask(problem, schedule, schedule.places[p]));
    job.missing.push_back(static_cast<int32_t>(before[p].size()));
    for (int32_t first : before[p])
      job.after[static_cast<size_t>(first)].push_back(static_cast<int32_t>(p));
  }
  return job;
}

class OpenSimulation {
public:
  OpenSimulation(const Problem &problem, const SoloPlans &plans, const Layout &layout,
                 const std::vector<Arrivals> &arrivals, const OpenLoadOptions &options)
      : problem_(problem), plans_(plans), arrivals_(arrivals), options_(options),
        dispatcher_(layout), device_(problem.device), running_(layout.partitions.size()),
        latencies_(problem.tenants.size()), missed_(problem.tenants.size(), 0),
        heldNs_(problem.tenants.size(), 0) {}

  StatusOr<OpenOutcome> run() {
    MTC_RETURN_IF_ERROR(prepare());
    size_t nextRequest = 0;
    std::vector<int32_t> ended;
    while (true) {
      int64_t nowNs = std::llround(device_.nowNs());
      while (std::optional<Job> job = dispatcher_.next(nowNs))
        start(*job);
      if (gaveUp_ ||
          (nextRequest == requests_.size() && device_.idle() && dispatcher_.waiting() == 0))
        break;
      int64_t untilNs = dispatcher_.wakeNs();
      if (nextRequest < requests_.size())
        untilNs = std::min(untilNs, requests_[nextRequest].arrivalNs);
      ended.clear();
      device_.advance(untilNs == INT64_MAX ? std::numeric_limits<double>::infinity()
                                           : std::max(device_.nowNs(), double(untilNs)),
                      ended);
      for (int32_t task : ended)
        end(task);
      for (nowNs = std::llround(device_.nowNs());
           nextRequest < requests_.size() && requests_[nextRequest].arrivalNs <= nowNs;
           ++nextRequest)
        dispatcher_.arrive(requests_[nextRequest].tenant, static_cast<int64_t>(nextRequest),
                           requests_[nextRequest].arrivalNs);
      if (static_cast<double>(dispatcher_.waiting()) >
          kHopelessPart * static_cast<double>(requests_.size()) + 1000)
        gaveUp_ = true;
    }
    return outcome();
  }

private:
  struct Request {
    int64_t arrivalNs;
    int32_t tenant;
  };
  /// The job of a partition.
  struct Running {
    const JobTemplate *job = nullptr;
    std::vector<int32_t> missing;
    size_t left = 0;
    int64_t startNs = 0;
    Job what;
  };
  /// A finished request: when it came, how long it took.
  struct Latency {
    int64_t arrivalNs, ns;
  };

  Status prepare() {
    double horizonNs = 0;
    for (size_t t = 0; t < arrivals_.size(); ++t) {
      double rate = arrivals_[t].ratePerSecond;
      if (rate < 0 || !std::isfinite(rate))
        return invalidInput(fmt::format("tenant '{}' has a rate of {}/s; wanted 0 or more",
                                        problem_.tenants[t].name, rate));
      if (rate > 0 && dispatcher_.layout().services[t].entries.empty())
        return invalidInput(
            fmt::format("tenant '{}' has a rate but no entry", problem_.tenants[t].name));
      if (rate > 0)
        horizonNs = std::max(horizonNs, static_cast<double>(options_.requests) / rate * 1e9);
    }
    if (horizonNs == 0)
      return invalidInput("no tenant has a rate");
    // Warm-up, and what a random number of arrivals may fall short by (four standard deviations).
    horizonNs *= 1 + 1.0 / kParts + 4 / std::sqrt(static_cast<double>(options_.requests));
    double all = 0;
    for (const Arrivals &arrivals : arrivals_)
      all += arrivals.ratePerSecond * horizonNs / 1e9;
    if (all > static_cast<double>(options_.mostRequests))
      return invalidInput(fmt::format(
          "{:.0f} requests are needed until the rarest tenant has {}; at most {} are simulated",
          all, options_.requests, options_.mostRequests));
    horizonNs_ = static_cast<int64_t>(horizonNs);
    for (size_t t = 0; t < arrivals_.size(); ++t)
      for (int64_t ns : arrivalTimes(arrivals_[t], horizonNs_, options_.seed * 1000 + t))
        requests_.push_back({ns, static_cast<int32_t>(t)});
    std::sort(requests_.begin(), requests_.end(), [](const Request &a, const Request &b) {
      return std::pair(a.arrivalNs, a.tenant) < std::pair(b.arrivalNs, b.tenant);
    });
    return prepareTemplates();
  }

  Status prepareTemplates() {
    const Layout &layout = dispatcher_.layout();
    for (size_t p = 0; p < layout.partitions.size(); ++p)
      for (int32_t tenant : layout.partitions[p].tenants)
        for (const BatchEntry &batch : layout.services[static_cast<size_t>(tenant)].entries) {
          int32_t count = std::popcount(layout.partitions[p].granules);
          const SoloPlan *plan = layout.partitions[p].shared ? plans_.stream(batch.entry)
                                                             : plans_.find(batch.entry, count);
          if (!plan)
            return invalidInput(fmt::format(
                "entry {} has no plan for {} granules or fewer",
                entryName(problem_, problem_.entries[static_cast<size_t>(batch.entry)]), count));
          if (!templates_.contains(plan)) {
            MTC_ASSIGN_OR_RETURN(templates_[plan], templateOf(problem_, *plan, options_.tasks));
          }
          planOf_[{static_cast<int32_t>(p), batch.entry}] = &templates_[plan];
        }
    return okStatus();
  }

  int32_t idOf(int32_t partition, size_t task) const {
    return static_cast<int32_t>(task * running_.size()) + partition;
  }

  void start(const Job &job) {
    Running &r = running_[static_cast<size_t>(job.partition)];
    r.job = planOf_.at({job.partition, job.entry});
    r.missing = r.job->missing;
    r.left = r.job->tasks.size();
    r.startNs = std::llround(device_.nowNs());
    r.what = job;
    for (size_t t = 0; t < r.missing.size(); ++t)
      if (r.missing[t] == 0)
        device_.start(idOf(job.partition, t), r.job->tasks[t]);
  }

  void end(int32_t id) {
    auto partition = static_cast<size_t>(id) % running_.size();
    size_t task = static_cast<size_t>(id) / running_.size();
    Running &r = running_[partition];
    for (int32_t next : r.job->after[task])
      if (--r.missing[static_cast<size_t>(next)] == 0)
        device_.start(idOf(static_cast<int32_t>(partition), static_cast<size_t>(next)),
                      r.job->tasks[static_cast<size_t>(next)]);
    if (--r.left > 0)
      return;
    int64_t nowNs = std::llround(device_.nowNs());
    auto tenant = static_cast<size_t>(r.what.tenant);
    int64_t sloNs = problem_.tenants[tenant].sloP99Ns;
    for (int64_t request : r.what.requests) {
      int64_t arrivalNs = requests_[static_cast<size_t>(request)].arrivalNs;
      latencies_[tenant].push_back({arrivalNs, nowNs - arrivalNs});
      missed_[tenant] += sloNs > 0 && nowNs - arrivalNs > sloNs;
    }
    double expected = arrivals_[tenant].ratePerSecond * static_cast<double>(horizonNs_) / 1e9;
    if (static_cast<double>(missed_[tenant]) > options_.giveUpAbove * expected + 5)
      gaveUp_ = true;
    heldNs_[tenant] += static_cast<double>(nowNs - r.startNs) *
                       std::popcount(dispatcher_.layout().partitions[partition].granules);
    dispatcher_.finish(static_cast<int32_t>(partition));
  }

  static int64_t quantile(std::vector<int64_t> &ns, double q) {
    if (ns.empty())
      return 0;
    auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(ns.size())));
    auto at = ns.begin() + static_cast<std::ptrdiff_t>(std::clamp<size_t>(rank, 1, ns.size()) - 1);
    std::nth_element(ns.begin(), at, ns.end());
    return *at;
  }

  TenantLoad loadOf(size_t tenant) const {
    std::vector<std::vector<int64_t>> parts(kParts + 1);
    for (const Latency &latency : latencies_[tenant])
      parts[static_cast<size_t>(latency.arrivalNs / (horizonNs_ / int64_t(kParts + 1) + 1))]
          .push_back(latency.ns);
    std::vector<int64_t> all;
    std::vector<double> p99;
    for (size_t p = 1; p < parts.size(); ++p) {
      all.insert(all.end(), parts[p].begin(), parts[p].end());
      if (!parts[p].empty())
        p99.push_back(static_cast<double>(quantile(parts[p], 0.99)));
    }
    TenantLoad load;
    load.requests = static_cast<int64_t>(all.size());
    load.p50Ns = quantile(all, 0.5);
    load.p99Ns = quantile(all, 0.99);
    double mean = 0, square = 0;
    for (double ns : p99)
      mean += ns / static_cast<double>(p99.size());
    for (double ns : p99)
      square += (ns - mean) * (ns - mean);
    auto count = static_cast<double>(p99.size());
    auto half = p99.size() < 2 ? load.p99Ns
                               : std::llround(kStudent * std::sqrt(square / (count - 1) / count));
    load.p99LowNs = std::max<int64_t>(0, load.p99Ns - half);
    load.p99HighNs = load.p99Ns + half;
    int64_t sloNs = problem_.tenants[tenant].sloP99Ns;
    if (sloNs > 0 && !all.empty())
      load.missed = static_cast<double>(std::count_if(all.begin(), all.end(),
                                                      [&](int64_t ns) { return ns > sloNs; })) /
                    static_cast<double>(all.size());
    return load;
  }

  OpenOutcome outcome() const {
    OpenOutcome outcome;
    outcome.endNs = std::max<int64_t>(1, std::llround(device_.nowNs()));
    outcome.gaveUp = gaveUp_;
    auto ns = static_cast<double>(outcome.endNs);
    double granules = problem_.device.granules;
    for (size_t t = 0; t < latencies_.size(); ++t) {
      outcome.tenants.push_back(loadOf(t));
      outcome.tenants.back().utilisation = heldNs_[t] / (granules * ns);
      outcome.heldGranules += outcome.tenants.back().utilisation;
    }
    outcome.busyUnits = device_.unitNs() / (granules * problem_.device.unitsPerGranule * ns);
    if (problem_.device.bytesPerNs > 0)
      outcome.usedBandwidth = device_.movedBytes() / (problem_.device.bytesPerNs * ns);
    return outcome;
  }

  const Problem &problem_;
  const SoloPlans &plans_;
  const std::vector<Arrivals> &arrivals_;
  const OpenLoadOptions &options_;
  Dispatcher dispatcher_;
  SharedDevice device_;
  std::vector<Running> running_; ///< by partition
  std::vector<Request> requests_;
  std::map<const SoloPlan *, JobTemplate> templates_;
  std::map<std::pair<int32_t, int32_t>, const JobTemplate *> planOf_; ///< by partition, entry
  std::vector<std::vector<Latency>> latencies_;
  std::vector<int64_t> missed_;
  std::vector<double> heldNs_;
  int64_t horizonNs_ = 0;
  bool gaveUp_ = false;
};

} // namespace

StatusOr<OpenOutcome> simulateOpen(const Problem &problem, const SoloPlans &plans,
                                   const Layout &layout, const std::vector<Arrivals> &arrivals,
                                   const OpenLoadOptions &options) {
  MTC_RETURN_IF_ERROR(check(problem, layout));
  if (arrivals.size() != problem.tenants.size())
    return invalidInput(fmt::format("arrivals of {} tenants are given for {}", arrivals.size(),
                                    problem.tenants.size()));
  return OpenSimulation(problem, plans, layout, arrivals, options).run();
}

} // namespace mtc
