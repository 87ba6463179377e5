//===- Session.h - a program on a device ----------------------------------===//
//
// The C++ side of the runtime, which the C API (mtrt.h) and the mtrt program share. A session owns
// the workers, the arenas and a queue of jobs: a job is one request, or a round of several that
// run together by one plan. One job runs at a time; requests of other jobs wait in order.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Reader.h"

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mtc {

/// How a request ended, or why it was not taken. Codes below 16 are ErrorCode's.
enum class RequestCode : int {
  Ok = 0,
  Internal = 1,
  InvalidInput = 2,
  DeviceUnavailable = 7,
  BundleRefused = 8,
  Busy = 16,    ///< the queue is full
  Timeout = 17, ///< the deadline passed before the start, or a wait ended first
  Cancelled = 18,
  KernelFailed = 19,
  Pending = 20,      ///< submitted and not finished
  TooManyTrips = 21, ///< a loop goes on after the last allowed iteration
};

struct [[nodiscard]] RequestStatus {
  RequestCode code = RequestCode::Ok;
  std::string message;
  bool ok() const { return code == RequestCode::Ok; }
  RequestStatus() = default;
  RequestStatus(RequestCode code, std::string message) : code(code), message(std::move(message)) {}
  RequestStatus(const Status &status)
      : code(static_cast<RequestCode>(status.exitCode())), message(status.message()) {}
};

/// What a worker did: one command, or its part of it. On a GPU a worker is a granule, and all of a
/// command say the same.
struct TaskRecord {
  int32_t command = 0;
  int32_t worker = 0;
  /// CLOCK_MONOTONIC. A GPU's own clock, moved so that the first task of a job starts with the job.
  int64_t startNs = 0, endNs = 0;
};

/// A job that has ended; the references live as long as the call that gets it.
struct JobReport {
  const Problem &problem;
  const Schedule &schedule;
  const Plan &plan;
  int64_t startNs = 0, endNs = 0;
  int64_t firstNs = 0; ///< when the first worker began: to endNs is what a makespan predicts
  std::vector<TaskRecord> tasks; ///< of all workers, if recordTasks was set
};

enum class LogLevel : int { Debug = 0, Info = 1, Notice = 2, Warning = 3 };

/// How the commands of a round share the SMs of a GPU.
enum class CudaSharing : uint8_t {
  Graph,  ///< one graph, whose nodes have a context each: a partition of the SMs
  Graphs, ///< a stream per context and graphs in it, cut where contexts wait for each other
  Grids   ///< one graph in one context: a command has as many blocks as its SMs would hold
};

struct SessionOptions {
  std::string device = "host"; ///< or "cuda", "cuda:N"
  std::string cudaDriver;      ///< path of the CUDA driver; empty: libcuda.so.1
  void *cudaContext = nullptr; ///< CUcontext of the caller: must be the device's primary; null: any
  CudaSharing cudaSharing = CudaSharing::Graph;
  bool nodeByNode = false;     ///< CUDA: wait after every task, so that an error names its task
  std::vector<int> cpus;       ///< CPUs the workers are pinned to; empty: all this thread may use
  int workers = 0;             ///< at most this many granules; 0: as the bundle is compiled for
  int64_t spinNs = 200'000;    ///< how long a worker of a running job spins before it sleeps
  int64_t idleSpinNs = 50'000; ///< the same between jobs
  int queueCapacity = 64;      ///< jobs that wait; more are refused as Busy
  bool shareWeights = false;   ///< host: weights stay in the bundle's mapping, see Host/Weights.h
  int64_t maxTrips = 0;        ///< of the loops of a task, one more fails; 0: as compiled
  uint64_t jitterSeed = 0;     ///< not 0: test aid, tasks last longer by pseudo-random factors
  bool recordTasks = false;
  std::function<void(LogLevel, const std::string &)> log;
  std::function<void(const JobReport &)> jobEnded; ///< on a worker, before the next job starts
};

struct SessionStatistics {
  uint64_t completed = 0, failed = 0, timedOut = 0, cancelled = 0, busy = 0;
  int64_t queued = 0;     ///< jobs that wait now
  int64_t arenaBytes = 0; ///< reserved; memory is used where it is written
  int32_t workers = 0;
};

class Session;

/// Where bound memory lies.
enum class MemoryKind : uint8_t {
  Host,
  Device ///< of the session's GPU; copied there, in order with the events of the request
};

/// A run of one tenant. One thread at a time uses it; its bound memory is its caller's, and must
/// stay until the request has finished.
class Request {
public:
  ~Request(); ///< cancels, or waits for the end

  const Tenant &tenant() const;
  const Entry &entry() const;

  /// Binds memory to an input or output: `bytes` as the tensor's, 64-byte aligned, row-major.
  /// Fails if the name is unknown (lists the known ones), the size differs, the address is not
  /// aligned, the request is under way, or memory of a device is bound in a session of a host or to
  /// an input or output whose value this side has to know (InvalidInput).
  Status bindInput(std::string_view name, const void *data, int64_t bytes,
                   MemoryKind kind = MemoryKind::Host);
  Status bindOutput(std::string_view name, void *data, int64_t bytes,
                    MemoryKind kind = MemoryKind::Host);
  /// Binds a tensor to an input that may be smaller than its entry's (`pad`): row-major, of
  /// `shape`, of any alignment. Each submission copies it into memory of the request's own. Fails
  /// as bindInput, or if the input is not padded or `shape` does not fit into its entry's
  /// (InvalidInput).
  Status bindSmaller(std::string_view name, const void *data, std::span<const int64_t> shape,
                     MemoryKind kind = MemoryKind::Host);

  /// Memory of the request's own for an input or output, bound to it: allocated at the first call.
  StatusOr<void *> memory(std::string_view name, bool isInput);
  /// The shape that the last run gave an output: less than its tensor's where that depends on data,
  /// or where it follows an input that was smaller.
  /// Its elements lie one after the other, row-major. Fails if the name is unknown, or no run has
  /// ended well (InvalidInput).
  StatusOr<std::vector<int64_t>> shapeOf(std::string_view output) const;
  /// The memory bound to an input or output, or null.
  void *bound(std::string_view name, bool isInput) const;
  /// The same by position in the entry.
  void *boundAt(bool isInput, int32_t index) const {
    return (isInput ? inputs_ : outputs_)[static_cast<size_t>(index)];
  }
  bool isOnDevice(bool isInput, int32_t index) const {
    return (isInput ? deviceInputs_ : deviceOutputs_)[static_cast<size_t>(index)];
  }

  /// CUevents of the caller for the next submission alone: work on the device starts behind those
  /// waited for, and those signalled are recorded behind it before submit() returns. A submission
  /// with events needs an idle session (Busy).
  /// Fails if the session's device is no GPU or the event is null (InvalidInput).
  Status waitForEvent(void *event);
  Status signalEvent(void *event);

  /// Ok, the error, or Pending. Safe from any thread.
  RequestStatus status() const;
  /// Waits until it has finished, at most to `deadlineNs` (CLOCK_MONOTONIC, 0: no limit).
  /// Returns the final status, or Timeout while it goes on.
  RequestStatus wait(int64_t deadlineNs = 0);
  /// Keeps it from starting. Fails (InvalidInput) if it has started, or was not submitted.
  RequestStatus cancel();

  /// CLOCK_MONOTONIC, of the last submission.
  int64_t submittedNs() const { return submittedNs_; }
  int64_t startedNs() const { return startedNs_; }
  int64_t finishedNs() const { return finishedNs_; }

private:
  friend class Session;
  Request() = default;
  /// Fails if a bound input has not the value that the entry is compiled for (InvalidInput).
  Status checkKnownValues() const;
  /// Copies the smaller inputs for a run, and cuts its outputs.
  void padInputs();
  void cropOutputs();
  std::vector<int64_t> croppedShape(const Tensor &output) const;
  std::shared_ptr<Session> session_;
  int32_t entry_ = 0;
  std::vector<void *> inputs_, outputs_;
  std::vector<bool> deviceInputs_, deviceOutputs_; ///< which of them lie on the device
  std::vector<void *> waitEvents_, signalEvents_;
  /// What is bound to an input that is smaller; no data: it is as large as its entry's.
  struct SmallerInput {
    const void *data = nullptr;
    std::vector<int64_t> shape;
    std::unique_ptr<void, void (*)(void *)> padded{nullptr, nullptr};
  };
  std::vector<SmallerInput> smaller_;             ///< by input
  std::vector<std::vector<int64_t>> inputShapes_; ///< of the last submission; empty: its entry's
  std::vector<std::unique_ptr<void, void (*)(void *)>> owned_;
  std::atomic<int> state_{0};
  RequestCode code_ = RequestCode::Ok; ///< these two: written before state_, read after it
  std::string message_;
  std::function<void(Request &, const RequestStatus &)> done_;
  int64_t submittedNs_ = 0, startedNs_ = 0, finishedNs_ = 0;
};

/// Thread-safe. Requests keep their session alive.
class Session : public std::enable_shared_from_this<Session> {
public:
  using Done = std::function<void(Request &, const RequestStatus &)>;

  /// A session on the device that the options name, by the first of the bundle's targets that it
  /// can run. With fewer cores or groups of SMs than that was compiled for it plans again and says
  /// so in the log.
  /// Fails if there is no such device or the bundle has no target for one (DeviceUnavailable), or
  /// none that this one can run (BundleRefused, says what is missing), or the CPUs asked for are
  /// not this process's (InvalidInput).
  static StatusOr<std::shared_ptr<Session>> create(std::shared_ptr<const BundleReader> program,
                                                   SessionOptions options = {});
  ~Session();

  const BundleReader &program() const;
  const BundleTarget &target() const; ///< as compiled
  int workers() const;                ///< cores or groups of SMs
  std::string describeDevice() const;

  /// A request of a tenant at one of its entries; "" is the first. Outputs that say how large
  /// others are have memory of the request's own until they are bound. Fails if tenant or entry is
  /// unknown (InvalidInput; lists the known ones).
  StatusOr<std::unique_ptr<Request>> createRequest(std::string_view tenant,
                                                   std::string_view entry = "");

  /// Queues the requests as one job: alone if there is one, else together in a round. `done` is
  /// called once per request when it has finished, on a worker: it must return quickly and may
  /// submit. `deadlineNs` (CLOCK_MONOTONIC, 0: none) is the latest start. The plan is the bundle's,
  /// or with a `policy` (Scheduling/Policies.h) one that is made here by it; each is made once.
  ///
  /// Fails without queueing anything if the queue is full (Busy), a tensor is not bound (inputs
  /// with a known value need not be) or has another value than the entry is compiled for, a request
  /// is under way or of another session (InvalidInput), or what it needs of the bundle is damaged
  /// (BundleRefused).
  RequestStatus submit(std::span<Request *const> requests, int64_t deadlineNs = 0, Done done = {},
                       const std::string &policy = "");

  SessionStatistics statistics() const;

private:
  friend class Request;
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Index of the tenant called `name`.
/// Fails if there is none (InvalidInput; lists the tenants).
StatusOr<int32_t> findTenant(const Problem &problem, std::string_view name);

/// Index of a tenant's entry; "" is its first.
/// Fails if there is none (InvalidInput; lists the tenant's entries).
StatusOr<int32_t> findEntry(const Problem &problem, int32_t tenant, std::string_view name);

/// The shape of the tensor that a caller has for an input.
struct GivenShape {
  std::string_view input;
  std::span<const int64_t> shape;
};

/// Whether an input is padded and takes a tensor of this shape.
bool fitsPadded(const Tensor &input, std::span<const int64_t> shape);

/// Index of the tenant's entry whose inputs have the given shapes; the first of several (they then
/// differ in inputs that are not given). If there is none, of the entries whose padded inputs are
/// larger and whose others fit the one with the fewest elements in these inputs.
/// Fails if no entry has an input of that name, or none fits (InvalidInput; lists the entries with
/// their shapes of the input in question).
/// Complexity: linear in the tenant's entries, their inputs and the given shapes.
StatusOr<int32_t> chooseEntry(const Problem &problem, int32_t tenant,
                              std::span<const GivenShape> given);

/// Index of the tensor called `name`; `what` is "input" or "output" in the message.
/// Fails if there is none (InvalidInput; lists the known ones).
StatusOr<int32_t> findTensor(const std::vector<Tensor> &tensors, std::string_view name,
                             std::string_view what, std::string_view tenant);

} // namespace mtc
