//===- Session.cpp - requests and the queue of jobs -----------------------===//
//
// There is no dispatcher thread: whoever finds the session idle starts the next job, the
// submitter or the thread of the device that has ended the job before.
//
//===----------------------------------------------------------------------===//
#include "CUDA/CudaDevice.h"
#include "Host/HostDevice.h"
#include "SessionState.h"

#include <fmt/format.h>

#include <algorithm>

namespace mtc {

//===- Creation -----------------------------------------------------------===//

/// The device that the options name.
static StatusOr<std::unique_ptr<SessionDevice>> makeDevice(const BundleReader &program,
                                                           const SessionOptions &options,
                                                           const JobEvents &events,
                                                           size_t &target) {
  if (options.device == "host")
    return host::makeHostDevice(program, options, events, target);
  if (options.device == "cuda" || options.device.starts_with("cuda:"))
    return gpu::makeCudaDevice(program, options, events, target);
  return Status(ErrorCode::DeviceUnavailable,
                fmt::format("no device '{}'; known: host, cuda, cuda:N", options.device));
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}

StatusOr<std::shared_ptr<Session>> Session::create(std::shared_ptr<const BundleReader> program,
                                                   SessionOptions options) {
  auto state = std::make_unique<State>();
  state->program = std::move(program);
  state->options = std::move(options);
  state->events.requestEnded = [raw = state.get()](Request &request, RequestStatus status) {
    raw->end(request, status);
  };
  state->events.jobEnded = [raw = state.get()](Job &job) { raw->jobEnded(job); };
  MTC_ASSIGN_OR_RETURN(state->device,
                       makeDevice(*state->program, state->options, state->events, state->target));
  return std::shared_ptr<Session>(new Session(std::move(state)));
}

// No request is left (each holds the session), so nothing is queued.
Session::~Session() = default;

const BundleReader &Session::program() const { return *state_->program; }
const BundleTarget &Session::target() const { return state_->program->targets()[state_->target]; }
int Session::workers() const { return state_->device->workers(); }
std::string Session::describeDevice() const { return state_->device->describe(); }

//===- Ends ---------------------------------------------------------------===//

void Session::State::jobEnded(Job &job) {
  if (options.jobEnded) {
    const ScheduledPlan &stored = job.plan->stored;
    options.jobEnded({program->targets()[target].problem, stored.schedule, stored.plan, job.startNs,
                      nowNs(), job.firstNs ? job.firstNs : job.startNs, std::move(job.tasks)});
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
  if (status.ok())
    request.cropOutputs();
  request.finishedNs_ = nowNs();
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

void Session::State::startNext(std::vector<Ending> &endings) {
  while (!running && !queue.empty()) {
    std::unique_ptr<Job> job = std::move(queue.front());
    queue.pop_front();
    const int64_t now = nowNs();
    RequestStatus refused;
    if (job->deadlineNs != 0 && now > job->deadlineNs)
      refused = {RequestCode::Timeout, "the deadline passed before the start"};
    else
      refused = device->prepare(*job);
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
    running = std::move(job);
    device->start(*running);
  }
}

RequestStatus Session::submit(std::span<Request *const> requests, int64_t deadlineNs, Done done,
                              const std::string &policy) {
  State &state = *state_;
  if (requests.empty())
    return invalidInput("no request to submit");
  std::vector<int32_t> entries;
  bool hasEvents = false;
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
    hasEvents |= !request->waitEvents_.empty() || !request->signalEvents_.empty();
  }
  std::sort(entries.begin(), entries.end());
  auto plan = state.device->find(entries, policy);
  if (!plan.ok())
    return plan.status();

  const auto &instances = (*plan)->stored.schedule.workload.instances;
  std::unique_ptr<Job> job = state.device->makeJob(**plan);
  job->deadlineNs = deadlineNs;
  std::vector<Request *> left(requests.begin(), requests.end());
  for (size_t i = 0; i < instances.size(); ++i) {
    const auto match = std::find_if(left.begin(), left.end(),
                                    [&](Request *r) { return r && r->entry_ == instances[i]; });
    if ((*plan)->commandsOf[i] == 0)
      return bundleRefused(fmt::format("entry '{}' has no tasks", (*match)->entry().name));
    job->requests[i] = std::exchange(*match, nullptr);
  }

  for (Request *request : requests)
    request->padInputs();
  std::vector<Ending> endings;
  {
    std::lock_guard lock(state.mutex);
    if (state.running && state.queue.size() >= size_t(std::max(0, state.options.queueCapacity))) {
      ++state.busy;
      return {RequestCode::Busy,
              fmt::format("the queue is full: {} jobs wait", state.queue.size())};
    }
    if (hasEvents && (state.running || !state.queue.empty())) {
      ++state.busy;
      return {RequestCode::Busy, "a request with events needs an idle session"};
    }
    const int64_t now = nowNs();
    for (Request *request : requests) {
      for (auto [from, to] : {std::pair(&request->waitEvents_, &job->waitEvents),
                              std::pair(&request->signalEvents_, &job->signalEvents)}) {
        to->insert(to->end(), from->begin(), from->end());
        from->clear();
      }
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
  s.arenaBytes = state_->device->arenaBytes();
  return s;
}

} // namespace mtc
