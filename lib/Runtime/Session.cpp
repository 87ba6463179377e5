//===- Session.cpp - workers and the queue of jobs ------------------------===//
//
// There is no dispatcher thread: whoever finds the session idle starts the next job, the
// submitter or the last worker of the job before. Starting is to write the job into the mailboxes
// of its workers; a worker empties its mailbox before it counts itself out.
//
//===----------------------------------------------------------------------===//
#include "SessionState.h"
#include "mtc/Runtime/Cpu.h"
#include "mtc/Support/Cores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <csignal>
#include <pthread.h>
#include <system_error>

namespace mtc {

//===- Creation -----------------------------------------------------------===//

/// The first host target that this CPU can run.
static StatusOr<size_t> chooseTarget(const BundleReader &program) {
  Status refusal(ErrorCode::DeviceUnavailable, "the bundle has no target for a host");
  for (size_t i = 0; i < program.targets().size(); ++i) {
    const BundleTarget &target = program.targets()[i];
    if (!target.target.starts_with("host"))
      continue;
    const auto missing = host::missingFeatures(target.features);
    if (missing.empty())
      return i;
    if (refusal.code() != ErrorCode::BundleRefused)
      refusal = bundleRefused(fmt::format("'{}' is compiled for {}; this CPU lacks {}",
                                          program.path(), target.target, fmt::join(missing, ", ")));
  }
  return refusal;
}

/// The CPUs for at most `wanted` workers.
static StatusOr<std::vector<int>> chooseCpus(const SessionOptions &options, int wanted) {
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

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}

StatusOr<std::shared_ptr<Session>> Session::create(std::shared_ptr<const BundleReader> program,
                                                   SessionOptions options) {
  auto state = std::make_unique<State>();
  state->program = std::move(program);
  state->options = std::move(options);
  MTC_ASSIGN_OR_RETURN(state->target, chooseTarget(*state->program));
  const BundleTarget &target = state->program->targets()[state->target];
  const int granules = target.problem.device.granules;
  MTC_ASSIGN_OR_RETURN(state->cpus, chooseCpus(state->options, granules));
  const int workers = static_cast<int>(state->cpus.size());
  MTC_ASSIGN_OR_RETURN(state->code, host::LoadedCode::load(target.code, target.symbols));
  state->plans =
      std::make_unique<host::Plans>(*state->program, state->target, state->code, workers);
  if (state->plans->fewerWorkers())
    state->log(LogLevel::Notice,
               fmt::format("compiled for {} cores, {} {} available: planning again", granules,
                           workers, workers == 1 ? "is" : "are"));
  MTC_RETURN_IF_ERROR(state->start());
  return std::shared_ptr<Session>(new Session(std::move(state)));
}

Status Session::State::start() {
  const int workers = static_cast<int>(cpus.size());
  scratch.resize(workers);
  mail = std::make_unique<Mailbox[]>(workers);
  // Workers take no signals: handlers belong to the application's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  for (int worker = 0; worker < workers && status.ok(); ++worker) {
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
  if (!status.ok())
    stopWorkers();
  return status;
}

void Session::State::stopWorkers() {
  stop = true;
  signal.notify();
  for (std::thread &thread : threads)
    thread.join();
  threads.clear();
}

// No request is left (each holds the session), so nothing is queued.
Session::~Session() { state_->stopWorkers(); }

const BundleReader &Session::program() const { return *state_->program; }
const BundleTarget &Session::target() const { return state_->program->targets()[state_->target]; }
int Session::workers() const { return static_cast<int>(state_->cpus.size()); }

//===- Workers ------------------------------------------------------------===//

void Session::State::workerMain(int worker) {
  std::atomic<Job *> &box = mail[worker].job;
  while (true) {
    signal.await([&] { return box.load() != nullptr || stop.load(); }, options.idleSpinNs);
    Job *job = box.load();
    if (!job)
      return;
    job->replay->work(worker, scratch[worker].data(), job->run);
    box.store(nullptr);
    if (job->workersLeft.fetch_sub(1) == 1)
      jobEnded(*job);
  }
}

void Session::State::instanceEnded(Job &job, int32_t instance) {
  Request *request = job.requests[instance];
  if (!request)
    return;
  const host::InstanceRun &run = job.run.instances[instance];
  if (const int32_t status = run.failedStatus) {
    const Task &task = request->entry().tasks[job.replay->plan().commands[run.failedCommand].task];
    const auto &region = program->targets()[target].problem.kernels[task.kernel].region;
    const int64_t allowed = options.maxTrips ? options.maxTrips : region ? region->maxTrips : 0;
    const std::string where =
        fmt::format("tenant '{}': task {} ({})", request->tenant().name, task.id, task.name);
    if (status == host::kTooManyTrips)
      end(*request, {RequestCode::TooManyTrips,
                     fmt::format("{}: a loop goes on after {} iterations", where, allowed)});
    else if (status == host::kWrongLength)
      end(*request, {RequestCode::KernelFailed,
                     where + ": a loop has not as many iterations as its tensors have elements"});
    else
      end(*request,
          {RequestCode::KernelFailed, fmt::format("{} failed with status {}", where, status)});
    return;
  }
  end(*request, {});
}

void Session::State::jobEnded(Job &job) {
  if (options.jobEnded) {
    JobReport report = {program->targets()[target].problem,
                        job.replay->schedule(),
                        job.replay->plan(),
                        job.startNs,
                        host::nowNs(),
                        {}};
    for (const auto &records : job.run.records)
      report.tasks.insert(report.tasks.end(), records.begin(), records.end());
    options.jobEnded(report);
  }
  std::vector<Ending> endings;
  {
    std::lock_guard lock(mutex);
    running.reset();
    startNext(endings);
  }
  for (Ending &ending : endings)
    end(*ending.request, ending.status);
}

void Session::State::end(Request &request, const RequestStatus &status) {
  request.finishedNs_ = host::nowNs();
  request.code_ = status.code;
  request.message_ = status.message;
  auto &counter = status.code == RequestCode::Ok          ? completed
                  : status.code == RequestCode::Timeout   ? timedOut
                  : status.code == RequestCode::Cancelled ? cancelled
                                                          : failed;
  ++counter;
  if (const auto done = std::move(request.done_)) {
    request.done_ = nullptr;
    request.state_ = Finishing;
    done(request, status);
    int finishing = Finishing; // another state: the callback has submitted it again
    request.state_.compare_exchange_strong(finishing, Finished);
  } else {
    request.state_ = Finished;
  }
  signal.notify();
}

//===- Queue --------------------------------------------------------------===//

Status Session::State::prepare(Job &job) {
  MTC_RETURN_IF_ERROR(arenas.reserve(job.replay->arenas()));
  for (host::Mapping &mapping : scratch)
    if (mapping.bytes() < job.replay->scratchBytes()) {
      MTC_ASSIGN_OR_RETURN(mapping, host::Mapping::create(job.replay->scratchBytes()));
    }
  job.replay->bind(arenas, [&](int32_t instance, bool isInput, int32_t index) -> void * {
    Request *request = job.requests[instance];
    return !request ? nullptr : isInput ? request->inputs_[index] : request->outputs_[index];
  });
  host::Run &run = job.run;
  for (size_t i = 0; i < job.requests.size(); ++i) {
    run.instances[i].commandsLeft = job.replay->commandsOf(i);
    run.instances[i].skip = job.requests[i] == nullptr;
  }
  run.recordTasks = options.recordTasks;
  if (run.recordTasks)
    run.records.resize(cpus.size());
  run.jitterSeed = options.jitterSeed;
  run.spinNs = options.spinNs;
  run.maxTrips = options.maxTrips;
  run.signal = &signal;
  run.instanceEnded = [this, &job](int32_t instance) { instanceEnded(job, instance); };
  return okStatus();
}

void Session::State::startNext(std::vector<Ending> &endings) {
  while (!running && !queue.empty()) {
    std::unique_ptr<Job> job = std::move(queue.front());
    queue.pop_front();
    const int64_t now = host::nowNs();
    RequestStatus refused;
    if (job->deadlineNs != 0 && now > job->deadlineNs)
      refused = {RequestCode::Timeout, "the deadline passed before the start"};
    else
      refused = prepare(*job);
    for (Request *request : job->requests) {
      if (!request)
        continue;
      request->startedNs_ = now;
      request->state_ = Running;
      if (!refused.ok())
        endings.push_back({request, refused});
    }
    if (!refused.ok())
      continue;
    job->startNs = now;
    const GranuleMask participants = job->replay->participants();
    job->workersLeft = std::popcount(participants);
    running = std::move(job);
    for (size_t worker = 0; worker < cpus.size(); ++worker)
      if (participants >> worker & 1)
        mail[worker].job.store(running.get());
    signal.notify();
  }
}

RequestStatus Session::submit(std::span<Request *const> requests, int64_t deadlineNs, Done done) {
  State &state = *state_;
  if (requests.empty())
    return invalidInput("no request to submit");
  std::vector<int32_t> entries;
  for (size_t i = 0; i < requests.size(); ++i) {
    Request *request = requests[i];
    if (request->session_.get() != this)
      return invalidInput("a request belongs to another session");
    if (std::find(requests.begin(), requests.begin() + i, request) != requests.begin() + i)
      return invalidInput("a request is in the round twice");
    const int now = request->state_;
    if (now == Queued || now == Running)
      return invalidInput(
          fmt::format("a request of tenant '{}' is still under way", request->tenant().name));
    const Entry &entry = request->entry();
    for (const auto &[tensors, bound, what] :
         {std::tuple(&entry.inputs, &request->inputs_, "input"),
          std::tuple(&entry.outputs, &request->outputs_, "output")})
      for (size_t t = 0; t < tensors->size(); ++t)
        if (!(*bound)[t] && !(*tensors)[t].value && (*tensors)[t].bytes > 0)
          return invalidInput(fmt::format("tenant '{}': {} '{}' is not bound",
                                          request->tenant().name, what, (*tensors)[t].name));
    if (Status known = request->checkKnownValues(); !known.ok())
      return known;
    entries.push_back(request->entry_);
  }
  std::sort(entries.begin(), entries.end());
  auto replay = state.plans->find(entries);
  if (!replay.ok())
    return replay.status();

  const auto &instances = (*replay)->schedule().workload.instances;
  auto job = std::make_unique<Job>(instances.size());
  job->replay = *replay;
  job->deadlineNs = deadlineNs;
  std::vector<Request *> left(requests.begin(), requests.end());
  for (size_t i = 0; i < instances.size(); ++i) {
    const auto match = std::find_if(left.begin(), left.end(),
                                    [&](Request *r) { return r && r->entry_ == instances[i]; });
    if ((*replay)->commandsOf(i) == 0)
      return bundleRefused(fmt::format("entry '{}' has no tasks", (*match)->entry().name));
    job->requests[i] = std::exchange(*match, nullptr);
  }

  std::vector<Ending> endings;
  {
    std::lock_guard lock(state.mutex);
    if (state.running && state.queue.size() >= size_t(std::max(0, state.options.queueCapacity))) {
      ++state.busy;
      return {RequestCode::Busy,
              fmt::format("the queue is full: {} jobs wait", state.queue.size())};
    }
    const int64_t now = host::nowNs();
    for (Request *request : requests) {
      request->submittedNs_ = now;
      request->done_ = done;
      request->state_ = Queued;
    }
    state.queue.push_back(std::move(job));
    state.startNext(endings);
  }
  for (Ending &ending : endings)
    state.end(*ending.request, ending.status);
  return {};
}

RequestStatus Session::State::cancel(Request &request) {
  {
    std::lock_guard lock(mutex);
    if (request.state_ != Queued)
      return invalidInput(request.state_ == Running ? "the request has started"
                                                    : "the request is not queued");
    for (auto job = queue.begin(); job != queue.end(); ++job) {
      auto &requests = (*job)->requests;
      const auto found = std::find(requests.begin(), requests.end(), &request);
      if (found == requests.end())
        continue;
      *found = nullptr;
      if (std::all_of(requests.begin(), requests.end(), [](Request *r) { return !r; }))
        queue.erase(job);
      break;
    }
    request.state_ = Running; // nobody else ends it now
  }
  end(request, {RequestCode::Cancelled, "cancelled before the start"});
  return {};
}

SessionStatistics Session::statistics() const {
  SessionStatistics s;
  s.completed = state_->completed;
  s.failed = state_->failed;
  s.timedOut = state_->timedOut;
  s.cancelled = state_->cancelled;
  s.busy = state_->busy;
  s.workers = workers();
  std::lock_guard lock(state_->mutex);
  s.queued = static_cast<int64_t>(state_->queue.size());
  s.arenaBytes = state_->arenas.bytes();
  return s;
}

} // namespace mtc
