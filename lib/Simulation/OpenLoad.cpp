//===- OpenLoad.cpp - an open load on the modelled device -----------------===//
//
// Two things can happen next: the driver of the load wants to be asked again, or a task ends. A job
// is a template (orders and demands of a plan) and a row of counters; the counters of a
// partition are reused by its next job.
//
//===----------------------------------------------------------------------===//
#include "DeviceTasks.h"
#include "mtc/Simulation/LoadDriver.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace mtc {
namespace {

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
    job.tasks.push_back(commandTask(problem, schedule, p));
    job.missing.push_back(static_cast<int32_t>(before[p].size()));
    for (int32_t first : before[p])
      job.after[static_cast<size_t>(first)].push_back(static_cast<int32_t>(p));
  }
  return job;
}

class OpenSimulation {
public:
  OpenSimulation(const Problem &problem, const SoloPlans &plans, LoadDriver driver, bool byTasks)
      : problem_(problem), plans_(plans), byTasks_(byTasks), driver_(std::move(driver)),
        device_(problem.device), running_(driver_.layout().partitions.size()) {}

  StatusOr<OpenOutcome> run() {
    MTC_RETURN_IF_ERROR(prepareTemplates());
    std::vector<int32_t> ended;
    while (true) {
      int64_t nowNs = std::llround(device_.nowNs());
      while (std::optional<PartitionJob> job = driver_.next(nowNs))
        start(*job);
      if (driver_.gaveUp() || driver_.isOver())
        break;
      int64_t untilNs = driver_.wakeNs();
      ended.clear();
      device_.advance(untilNs == INT64_MAX ? std::numeric_limits<double>::infinity()
                                           : std::max(device_.nowNs(), double(untilNs)),
                      ended);
      for (int32_t task : ended)
        end(task);
    }
    return outcome();
  }

private:
  /// The job of a partition.
  struct Running {
    const JobTemplate *job = nullptr;
    std::vector<int32_t> missing;
    size_t left = 0;
  };

  Status prepareTemplates() {
    const Layout &layout = driver_.layout();
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
            MTC_ASSIGN_OR_RETURN(templates_[plan], templateOf(problem_, *plan, byTasks_));
          }
          planOf_[{static_cast<int32_t>(p), batch.entry}] = &templates_[plan];
        }
    return okStatus();
  }

  int32_t idOf(int32_t partition, size_t task) const {
    return static_cast<int32_t>(task * running_.size()) + partition;
  }

  void start(const PartitionJob &job) {
    Running &r = running_[static_cast<size_t>(job.partition)];
    r.job = planOf_.at({job.partition, job.entry});
    r.missing = r.job->missing;
    r.left = r.job->tasks.size();
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
    if (--r.left == 0)
      driver_.finish(static_cast<int32_t>(partition), std::llround(device_.nowNs()));
  }

  OpenOutcome outcome() const {
    OpenOutcome outcome = driver_.outcome(std::llround(device_.nowNs()));
    auto ns = static_cast<double>(outcome.endNs);
    outcome.busyUnits = device_.unitNs() /
                        (double(problem_.device.granules) * problem_.device.unitsPerGranule * ns);
    if (problem_.device.bytesPerNs > 0)
      outcome.usedBandwidth = device_.movedBytes() / (problem_.device.bytesPerNs * ns);
    return outcome;
  }

  const Problem &problem_;
  const SoloPlans &plans_;
  bool byTasks_;
  LoadDriver driver_;
  SharedDevice device_;
  std::vector<Running> running_; ///< by partition
  std::map<const SoloPlan *, JobTemplate> templates_;
  std::map<std::pair<int32_t, int32_t>, const JobTemplate *> planOf_; ///< by partition, entry
};

} // namespace

StatusOr<OpenOutcome> simulateOpen(const Problem &problem, const SoloPlans &plans,
                                   const Layout &layout, const std::vector<Arrivals> &arrivals,
                                   const OpenLoadOptions &options) {
  MTC_ASSIGN_OR_RETURN(LoadDriver driver, LoadDriver::make(problem, layout, arrivals, options));
  return OpenSimulation(problem, plans, std::move(driver), options.tasks).run();
}

} // namespace mtc
