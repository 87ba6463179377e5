//===- SessionState.h - what a session and its requests share -------------===//
#pragma once

#include "Host/Plans.h"
#include "mtc/Runtime/Session.h"

#include <deque>
#include <mutex>
#include <thread>

namespace mtc {

/// States of a request. Finishing: its callback runs; it may be submitted again but not yet
/// destroyed.
enum RequestState : int { Idle, Queued, Running, Finishing, Finished };

/// One entry of the queue: requests by instance of the replay's schedule. A cancelled one is null.
struct Job {
  host::Replay *replay = nullptr;
  std::vector<Request *> requests;
  int64_t deadlineNs = 0;
  int64_t startNs = 0;
  std::atomic<int> workersLeft{0};
  host::Run run;
  explicit Job(size_t instances) : requests(instances), run(instances) {}
};

/// A request with the status it is to end with, once no lock is held.
struct Ending {
  Request *request;
  RequestStatus status;
};

struct Session::State {
  std::shared_ptr<const BundleReader> program;
  size_t target = 0;
  SessionOptions options;
  std::vector<int> cpus; ///< one per worker
  host::LoadedCode code;
  std::unique_ptr<host::Plans> plans;

  std::mutex mutex; ///< guards queue, running, arenas, scratch
  std::deque<std::unique_ptr<Job>> queue;
  std::unique_ptr<Job> running;
  host::ArenaPool arenas;
  std::vector<host::Mapping> scratch; ///< by worker

  /// A worker's job, and nothing else on its cache line.
  struct alignas(64) Mailbox {
    std::atomic<Job *> job{nullptr};
  };
  std::unique_ptr<Mailbox[]> mail;
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  host::Signal signal;

  std::atomic<uint64_t> completed{0}, failed{0}, timedOut{0}, cancelled{0}, busy{0};

  void log(LogLevel level, const std::string &message) const {
    if (options.log)
      options.log(level, message);
  }
  Status start();
  void stopWorkers();
  void workerMain(int worker);
  /// Starts queued jobs until one runs; requests that end without running are added to `endings`.
  void startNext(std::vector<Ending> &endings);
  Status prepare(Job &job);
  void instanceEnded(Job &job, int32_t instance);
  void jobEnded(Job &job);
  void end(Request &request, const RequestStatus &status);
  RequestStatus cancel(Request &request);
};

} // namespace mtc
