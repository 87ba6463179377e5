//===- CudaDevice.cpp - launches graphs and waits for them ----------------===//
//
// Whoever starts a job launches its graph, so that events which the caller gave are waited for and
// recorded in order; a thread of the device waits for its end. A job with control flow is launched
// by that thread, which walks it. Requests of a round end together, when the graph does.
//
//===----------------------------------------------------------------------===//
#include "CudaDevice.h"

#include "../Host/Signal.h"
#include "../RegionStatus.h"
#include "Graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <pthread.h>
#include <set>
#include <system_error>
#include <thread>

namespace mtc::gpu {
namespace {

StatusOr<size_t> chooseTarget(const BundleReader &program, const Gpu &gpu) {
  Status refusal(ErrorCode::DeviceUnavailable, "the bundle has no target for a GPU");
  for (size_t i = 0; i < program.targets().size(); ++i) {
    const std::string &name = program.targets()[i].target;
    if (!name.starts_with("cuda:"))
      continue;
    const Status fits = checkArchitecture(name, gpu.major(), gpu.minor());
    if (fits.ok())
      return i;
    if (refusal.code() != ErrorCode::BundleRefused)
      refusal = fits.withContext(fmt::format("'{}'", program.path()));
  }
  return refusal;
}

class CudaDevice : public SessionDevice {
public:
  CudaDevice(const BundleReader &program, const SessionOptions &options, const JobEvents &events)
      : program(program), options(options), events(events) {}
  ~CudaDevice() override;

  Status open(size_t &chosen);
  StatusOr<ReadyPlan *> find(const std::vector<int32_t> &entries,
                             const std::string &policy) override;
  std::unique_ptr<Job> makeJob(ReadyPlan &plan) override;
  Status prepare(Job &job) override;
  void start(Job &job) override;
  int workers() const override { return gpu->granules(); }
  int64_t arenaBytes() const override;
  std::string describe() const override;

private:
  void log(LogLevel level, const std::string &message) const {
    if (options.log)
      options.log(level, message);
  }
  Status makeReady(const PlanKey &key, Graph *&ready);
  bool isWalked(const Job &job) const;
  Graph::WalkOptions walkOptions(const Job &job);
  Status awaitCallers(const Job &job);
  Status launch(Job &job);
  Status await(const Job &job);
  Status runSteps(Job &job);
  Status explain(const Job &job, const Status &status);
  void threadMain();

  const BundleReader &program;
  const SessionOptions &options;
  const JobEvents &events;
  std::unique_ptr<Gpu> gpu;
  size_t target = 0;
  mutable std::mutex mutex; ///< guards what follows, to `plans`
  std::unique_ptr<Kernels> kernels;
  std::unique_ptr<DeviceMemory> memory;
  std::unique_ptr<DeviceWeights> weights;
  std::map<PlanKey, std::unique_ptr<Graph>> plans;
  CUstream stream = nullptr;
  CUevent ended = nullptr;

  std::thread thread;
  host::Signal signal;
  std::atomic<Job *> running{nullptr};
  std::atomic<bool> stop{false};
  Status launched; ///< of the running job; these two: written before it, then by the thread
  std::vector<RequestStatus> regionStatus; ///< by request: how its control flow failed, if it did
};

Status CudaDevice::open(size_t &chosen) {
  MTC_ASSIGN_OR_RETURN(const int ordinal, parseOrdinal(options.device));
  MTC_ASSIGN_OR_RETURN(auto driver, Driver::open(options.cudaDriver));
  MTC_ASSIGN_OR_RETURN(gpu, Gpu::open(std::move(driver), ordinal, options.cudaContext));
  MTC_ASSIGN_OR_RETURN(target, chooseTarget(program, *gpu));
  chosen = target;
  const BundleTarget &compiled = program.targets()[target];
  const Device &device = compiled.problem.device;
  const int wanted =
      options.workers > 0 ? std::min(options.workers, device.granules) : device.granules;
  MTC_RETURN_IF_ERROR(gpu->split(device.unitsPerGranule, wanted));
  if (gpu->granules() < device.granules)
    log(LogLevel::Notice, fmt::format("compiled for {} groups of {} SMs, {} {} available: "
                                      "planning again",
                                      device.granules, device.unitsPerGranule, gpu->granules(),
                                      gpu->granules() == 1 ? "is" : "are"));
  const Driver &cu = gpu->driver();
  CurrentContext current(cu, gpu->primary());
  MTC_RETURN_IF_ERROR(current.status());
  MTC_ASSIGN_OR_RETURN(kernels, Kernels::create(*gpu, compiled));
  memory = std::make_unique<DeviceMemory>(*gpu);
  weights = std::make_unique<DeviceWeights>(*gpu, program);
  MTC_CU(cu, cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  MTC_CU(cu, cuEventCreate, &ended, CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING);
  // The thread takes no signals: handlers belong to the application's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  try {
    thread = std::thread([this] { threadMain(); });
    pthread_setname_np(thread.native_handle(), "mtc-cuda");
  } catch (const std::system_error &error) {
    status = internalError(fmt::format("cannot start a thread: {}", error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

CudaDevice::~CudaDevice() {
  if (thread.joinable()) {
    stop = true;
    signal.notify();
    thread.join();
  }
  if (!gpu)
    return;
  const Driver &cu = gpu->driver();
  CurrentContext current(cu, gpu->primary());
  if (stream)
    (void)cu.cuStreamSynchronize(stream);
  plans.clear();
  if (ended)
    cu.cuEventDestroy(ended);
  if (stream)
    cu.cuStreamDestroy(stream);
  weights.reset();
  memory.reset();
  kernels.reset();
}

StatusOr<ReadyPlan *> CudaDevice::find(const std::vector<int32_t> &entries,
                                       const std::string &policy) {
  MTC_RETURN_IF_ERROR(gpu->lost());
  const PlanKey key(entries, policy);
  std::lock_guard lock(mutex);
  if (auto known = plans.find(key); known != plans.end())
    return known->second.get();
  CurrentContext current(gpu->driver(), gpu->primary());
  Status status = current.status();
  Graph *ready = nullptr;
  if (status.ok())
    status = makeReady(key, ready);
  if (status.ok())
    return ready;
  if (status.code() == ErrorCode::DeviceUnavailable)
    gpu->setLost(status);
  return status;
}

Status CudaDevice::makeReady(const PlanKey &key, Graph *&ready) {
  MTC_ASSIGN_OR_RETURN(ScheduledPlan plan,
                       choosePlan(program, target, key.first, gpu->granules(), key.second));
  const GraphParts parts = {*gpu,
                            program,
                            program.targets()[target],
                            *kernels,
                            *memory,
                            *weights,
                            options.cudaSharing,
                            options.nodeByNode,
                            options.recordTasks};
  MTC_ASSIGN_OR_RETURN(auto graph, Graph::create(parts, std::move(plan)));
  ready = plans.emplace(key, std::move(graph)).first->second.get();
  return okStatus();
}

std::unique_ptr<Job> CudaDevice::makeJob(ReadyPlan &plan) {
  auto job = std::make_unique<Job>();
  job->plan = &plan;
  job->requests.resize(plan.stored.schedule.workload.instances.size());
  return job;
}

Status CudaDevice::prepare(Job &job) {
  MTC_RETURN_IF_ERROR(gpu->lost());
  if (isWalked(job) && !job.signalEvents.empty())
    return invalidInput(
        "a job with control flow signals no events: the host walks it, after submit "
        "has returned");
  CurrentContext current(gpu->driver(), gpu->primary());
  Status status = current.status();
  if (status.ok())
    status = static_cast<Graph *>(job.plan)->bind(job.requests, stream);
  return explain(job, status);
}

/// Says whose job it was; a lost device stays lost.
Status CudaDevice::explain(const Job &job, const Status &status) {
  if (status.ok())
    return status;
  std::set<std::string> tenants;
  for (const Request *request : job.requests)
    if (request)
      tenants.insert("'" + request->tenant().name + "'");
  const bool isLost = status.code() == ErrorCode::DeviceUnavailable;
  const Status named = {status.code(),
                        fmt::format("{} in a job of tenant{} {}: {}",
                                    isLost ? "the device was lost" : "the driver failed",
                                    tenants.size() == 1 ? "" : "s", fmt::join(tenants, ", "),
                                    status.message())};
  if (isLost)
    gpu->setLost(named);
  return named;
}

/// Whether the thread launches the job, as values decide how.
bool CudaDevice::isWalked(const Job &job) const {
  return static_cast<const Graph *>(job.plan)->hasRegions() && !options.nodeByNode;
}

Graph::WalkOptions CudaDevice::walkOptions(const Job &job) {
  const auto instanceOf = [&job](int32_t command) {
    return static_cast<size_t>(
        job.plan->stored.plan.commands[static_cast<size_t>(command)].instance);
  };
  Graph::WalkOptions walk;
  walk.maxTrips = options.maxTrips;
  walk.spinNs = options.spinNs;
  walk.isPassedOver = [this, &job, instanceOf](int32_t command) {
    const size_t instance = instanceOf(command);
    return !job.requests[instance] || !regionStatus[instance].ok();
  };
  walk.failed = [this, &job, instanceOf](int32_t command, int32_t status) {
    const auto kernel =
        static_cast<size_t>(job.plan->stored.plan.commands[static_cast<size_t>(command)].kernel);
    const int64_t compiled = program.targets()[target].problem.kernels[kernel].region->maxTrips;
    regionStatus[instanceOf(command)] =
        statusOfTask(status, static_cast<const Graph &>(*job.plan).nameOf(command),
                     options.maxTrips ? options.maxTrips : compiled);
  };
  return walk;
}

Status CudaDevice::launch(Job &job) {
  const Driver &cu = gpu->driver();
  CurrentContext current(cu, gpu->primary());
  MTC_RETURN_IF_ERROR(current.status());
  if (options.nodeByNode)
    MTC_RETURN_IF_ERROR(runSteps(job));
  else
    MTC_RETURN_IF_ERROR(static_cast<const Graph *>(job.plan)->launch(stream, walkOptions(job)));
  for (void *event : job.signalEvents)
    MTC_CU(cu, cuEventRecord, static_cast<CUevent>(event), stream);
  MTC_CU(cu, cuEventRecord, ended, stream);
  return okStatus();
}

/// Every command for itself, so that what goes wrong has a name.
Status CudaDevice::runSteps(Job &job) {
  const auto &graph = static_cast<const Graph &>(*job.plan);
  const Graph::WalkOptions walk = walkOptions(job);
  for (size_t i = 0; i < graph.steps().size(); ++i) {
    const int32_t command = graph.steps()[i].command;
    const Status status = graph.runStep(i, stream, walk);
    if (!status.ok())
      return command < 0 ? status : status.withContext(graph.nameOf(command));
  }
  return okStatus();
}

Status CudaDevice::awaitCallers(const Job &job) {
  const Driver &cu = gpu->driver();
  CurrentContext current(cu, gpu->primary());
  MTC_RETURN_IF_ERROR(current.status());
  for (void *event : job.waitEvents)
    MTC_CU(cu, cuStreamWaitEvent, stream, static_cast<CUevent>(event), 0);
  return okStatus();
}

void CudaDevice::start(Job &job) {
  job.firstNs = nowNs();
  regionStatus.assign(job.requests.size(), {});
  launched = awaitCallers(job);
  if (launched.ok() && !isWalked(job))
    launched = launch(job);
  running = &job;
  signal.notify();
}

/// Polls for a while, then sleeps. Whatever goes wrong, nothing of the job runs any more when this
/// returns, or the device counts as lost.
Status CudaDevice::await(const Job &job) {
  const Driver &cu = gpu->driver();
  Status status = launched;
  if (status.ok()) {
    const int64_t until = nowNs() + options.spinNs;
    CUresult result = CUDA_ERROR_NOT_READY;
    while ((result = cu.cuEventQuery(ended)) == CUDA_ERROR_NOT_READY && nowNs() < until)
      host::pauseCpu();
    status = result == CUDA_ERROR_NOT_READY
                 ? cu.check(cu.cuEventSynchronize(ended), "cuEventSynchronize")
                 : cu.check(result, "cuEventQuery");
  }
  if (status.ok())
    return status;
  if (static_cast<const Graph *>(job.plan)->synchronize(stream) != CUDA_SUCCESS)
    return {ErrorCode::DeviceUnavailable, status.message()};
  return status;
}

void CudaDevice::threadMain() {
  CurrentContext current(gpu->driver(), gpu->primary());
  while (true) {
    signal.await([&] { return running.load() != nullptr || stop.load(); }, options.idleSpinNs);
    Job *job = running.load();
    if (!job)
      return;
    if (launched.ok() && isWalked(*job))
      launched = launch(*job);
    Status status = await(*job);
    if (status.ok())
      status = static_cast<const Graph *>(job->plan)->readTimes(job->firstNs, job->tasks);
    status = explain(*job, status);
    running = nullptr;
    // The session is idle, or has started the next job, before anybody hears of the end.
    const std::vector<Request *> requests = job->requests;
    const std::vector<RequestStatus> statuses = regionStatus;
    events.jobEnded(*job);
    for (size_t i = 0; i < requests.size(); ++i)
      if (requests[i])
        events.requestEnded(*requests[i], status.ok() ? statuses[i] : RequestStatus(status));
  }
}

int64_t CudaDevice::arenaBytes() const {
  std::lock_guard lock(mutex);
  return memory->mappedBytes();
}

std::string CudaDevice::describe() const {
  return fmt::format("{}, {} group{} of SMs", gpu->name(), gpu->granules(),
                     gpu->granules() == 1 ? "" : "s");
}

} // namespace

StatusOr<std::unique_ptr<SessionDevice>> makeCudaDevice(const BundleReader &program,
                                                        const SessionOptions &options,
                                                        const JobEvents &events, size_t &target) {
  auto device = std::make_unique<CudaDevice>(program, options, events);
  MTC_RETURN_IF_ERROR(device->open(target));
  return std::unique_ptr<SessionDevice>(std::move(device));
}

} // namespace mtc::gpu
