//===- HostDevice.cpp - workers and their mailboxes -----------------------===//
//
// There is no dispatcher thread: to start a job is to write it into the mailboxes of its workers; a
// worker empties its mailbox before it counts itself out, and the last one ends the job.
//
//===----------------------------------------------------------------------===//
#include "HostDevice.h"

#include "Replay.h"
#include "mtc/Runtime/Cpu.h"
#include "mtc/Support/Cores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <csignal>
#include <map>
#include <mutex>
#include <pthread.h>
#include <system_error>
#include <thread>

namespace mtc::host {
namespace {

/// The first host target that this CPU can run.
StatusOr<size_t> chooseTarget(const BundleReader &program) {
  Status refusal(ErrorCode::DeviceUnavailable, "the bundle has no target for a host");
  for (size_t i = 0; i < program.targets().size(); ++i) {
    const BundleTarget &target = program.targets()[i];
    if (!target.target.starts_with("host"))
      continue;
    const auto missing = missingFeatures(target.features);
    if (missing.empty())
      return i;
    if (refusal.code() != ErrorCode::BundleRefused)
      refusal = bundleRefused(fmt::format("'{}' is compiled for {}; this CPU lacks {}",
                                          program.path(), target.target, fmt::join(missing, ", ")));
  }
  return refusal;
}

/// The CPUs for at most `wanted` workers.
StatusOr<std::vector<int>> chooseCpus(const SessionOptions &options, int wanted) {
  const CpuBudget budget = cpuBudget();
  int count = budget.cores();
  std::vector<int> cpus = budget.cpus;
  if (!options.cpus.empty()) {
    for (int cpu : options.cpus)
      if (!std::binary_search(cpus.begin(), cpus.end(), cpu))
        return invalidInput(fmt::format("cpu {} is not among those of this process ({})", cpu,
                                        fmt::join(cpus, ",")));
    cpus = options.cpus;
    count = std::min<int>(count, static_cast<int>(cpus.size()));
  }
  if (options.workers > 0)
    count = std::min(count, options.workers);
  cpus.resize(std::max(1, std::min(count, wanted)));
  return cpus;
}

struct HostJob : Job {
  std::atomic<int> workersLeft{0};
  Run run;
  explicit HostJob(Replay &replay) : run(replay.commandsOf.size()) {
    plan = &replay;
    requests.resize(replay.commandsOf.size());
  }
  Replay &replay() const { return static_cast<Replay &>(*plan); }
};

class HostDevice : public SessionDevice {
public:
  HostDevice(const BundleReader &program, const SessionOptions &options, const JobEvents &events)
      : program(program), options(options), events(events), weights(program, options.shareWeights) {
  }
  ~HostDevice() override { stopWorkers(); }

  Status open(size_t &chosen);
  StatusOr<ReadyPlan *> find(const std::vector<int32_t> &entries,
                             const std::string &policy) override;
  std::unique_ptr<Job> makeJob(ReadyPlan &plan) override {
    return std::make_unique<HostJob>(static_cast<Replay &>(plan));
  }
  Status prepare(Job &job) override;
  void start(Job &job) override;
  int workers() const override { return static_cast<int>(cpus.size()); }
  int64_t arenaBytes() const override { return arenas.bytes(); }
  std::string describe() const override {
    return fmt::format("{}, {} worker{}", cpuModel(), workers(), workers() == 1 ? "" : "s");
  }

private:
  void log(LogLevel level, const std::string &message) const {
    if (options.log)
      options.log(level, message);
  }
  Status startWorkers();
  void stopWorkers();
  void workerMain(int worker);
  RequestStatus statusOf(const HostJob &job, int32_t instance) const;
  void endJob(HostJob &job);

  const BundleReader &program;
  const SessionOptions &options;
  const JobEvents &events;
  size_t target = 0;
  std::vector<int> cpus; ///< one per worker
  LoadedCode code;
  std::mutex mutex; ///< guards weights and replays
  WeightMemory weights;
  std::map<PlanKey, std::unique_ptr<Replay>> replays;
  ArenaPool arenas;
  std::vector<Mapping> scratch; ///< by worker

  /// A worker's job, and nothing else on its cache line.
  struct alignas(64) Mailbox {
    std::atomic<HostJob *> job{nullptr};
  };
  std::unique_ptr<Mailbox[]> mail;
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  Signal signal;
};

Status HostDevice::open(size_t &chosen) {
  MTC_ASSIGN_OR_RETURN(target, chooseTarget(program));
  chosen = target;
  const BundleTarget &compiled = program.targets()[target];
  const int granules = compiled.problem.device.granules;
  MTC_ASSIGN_OR_RETURN(cpus, chooseCpus(options, granules));
  MTC_ASSIGN_OR_RETURN(code, LoadedCode::load(compiled.code, compiled.symbols));
  if (workers() < granules)
    log(LogLevel::Notice, fmt::format("compiled for {} cores, {} {} available: planning again",
                                      granules, workers(), workers() == 1 ? "is" : "are"));
  return startWorkers();
}

Status HostDevice::startWorkers() {
  scratch.resize(cpus.size());
  mail = std::make_unique<Mailbox[]>(cpus.size());
  // Workers take no signals: handlers belong to the application's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  for (int worker = 0; worker < workers() && status.ok(); ++worker) {
    try {
      threads.emplace_back([this, worker] { workerMain(worker); });
    } catch (const std::system_error &error) {
      status = internalError(fmt::format("cannot start a worker: {}", error.what()));
      break;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpus[worker] < CPU_SETSIZE)
      CPU_SET(cpus[worker], &set);
    if (pthread_setaffinity_np(threads.back().native_handle(), sizeof(set), &set) != 0)
      log(LogLevel::Warning, fmt::format("cannot pin a worker to cpu {}", cpus[worker]));
    pthread_setname_np(threads.back().native_handle(), fmt::format("mtc-{}", worker).c_str());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

void HostDevice::stopWorkers() {
  stop = true;
  signal.notify();
  for (std::thread &thread : threads)
    thread.join();
  threads.clear();
}

void HostDevice::workerMain(int worker) {
  std::atomic<HostJob *> &box = mail[worker].job;
  while (true) {
    signal.await([&] { return box.load() != nullptr || stop.load(); }, options.idleSpinNs);
    HostJob *job = box.load();
    if (!job)
      return;
    job->replay().work(worker, scratch[worker].data(), job->run);
    box.store(nullptr);
    if (job->workersLeft.fetch_sub(1) == 1)
      endJob(*job);
  }
}

RequestStatus HostDevice::statusOf(const HostJob &job, int32_t instance) const {
  const InstanceRun &run = job.run.instances[instance];
  if (run.failedStatus == 0)
    return {};
  const Request &request = *job.requests[instance];
  const Task &task = request.entry().tasks[job.plan->stored.plan.commands[run.failedCommand].task];
  const auto &region = program.targets()[target].problem.kernels[task.kernel].region;
  const int64_t allowed = options.maxTrips ? options.maxTrips : region ? region->maxTrips : 0;
  return statusOfTask(
      run.failedStatus,
      fmt::format("tenant '{}': task {} ({})", request.tenant().name, task.id, task.name), allowed);
}

void HostDevice::endJob(HostJob &job) {
  job.firstNs = job.run.firstNs;
  for (const auto &records : job.run.records)
    job.tasks.insert(job.tasks.end(), records.begin(), records.end());
  events.jobEnded(job);
}

StatusOr<ReadyPlan *> HostDevice::find(const std::vector<int32_t> &entries,
                                       const std::string &policy) {
  std::lock_guard lock(mutex);
  auto known = replays.find({entries, policy});
  if (known != replays.end())
    return known->second.get();
  MTC_ASSIGN_OR_RETURN(ScheduledPlan plan, choosePlan(program, target, entries, workers(), policy));
  MTC_ASSIGN_OR_RETURN(auto replay, Replay::create(program.targets()[target].problem,
                                                   std::move(plan), code, weights, workers()));
  return replays.emplace(PlanKey(entries, policy), std::move(replay)).first->second.get();
}

Status HostDevice::prepare(Job &base) {
  auto &job = static_cast<HostJob &>(base);
  Replay &replay = job.replay();
  MTC_RETURN_IF_ERROR(arenas.reserve(replay.arenas()));
  for (Mapping &mapping : scratch)
    if (mapping.bytes() < replay.scratchBytes()) {
      MTC_ASSIGN_OR_RETURN(mapping, Mapping::create(replay.scratchBytes()));
    }
  replay.bind(arenas, [&](int32_t instance, bool isInput, int32_t index) -> void * {
    const Request *request = job.requests[instance];
    return request ? request->boundAt(isInput, index) : nullptr;
  });
  Run &run = job.run;
  for (size_t i = 0; i < job.requests.size(); ++i) {
    run.instances[i].commandsLeft = replay.commandsOf[i];
    run.instances[i].isCancelled = job.requests[i] == nullptr;
    run.instances[i].skip = run.instances[i].isCancelled;
  }
  run.recordTasks = options.recordTasks;
  if (run.recordTasks)
    run.records.resize(cpus.size());
  run.jitterSeed = options.jitterSeed;
  run.spinNs = options.spinNs;
  run.maxTrips = options.maxTrips;
  run.signal = &signal;
  run.instanceEnded = [this, &job](int32_t instance) {
    if (Request *request = job.requests[instance])
      events.requestEnded(*request, statusOf(job, instance));
  };
  return okStatus();
}

void HostDevice::start(Job &base) {
  auto &job = static_cast<HostJob &>(base);
  const GranuleMask participants = job.replay().participants();
  job.workersLeft = std::popcount(participants);
  for (size_t worker = 0; worker < cpus.size(); ++worker)
    if (participants >> worker & 1)
      mail[worker].job.store(&job);
  signal.notify();
}

} // namespace

StatusOr<std::unique_ptr<SessionDevice>> makeHostDevice(const BundleReader &program,
                                                        const SessionOptions &options,
                                                        const JobEvents &events, size_t &target) {
  auto device = std::make_unique<HostDevice>(program, options, events);
  MTC_RETURN_IF_ERROR(device->open(target));
  return std::unique_ptr<SessionDevice>(std::move(device));
}

} // namespace mtc::host
