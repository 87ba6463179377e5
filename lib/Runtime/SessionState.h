//===- SessionState.h - what a session and its requests share -------------===//
#pragma once

#include "Device.h"
#include "Host/Signal.h"

#include <deque>
#include <mutex>

namespace mtc {

/// States of a request. Finishing: its callback runs; it may be submitted again but not yet
/// destroyed.
enum RequestState : int { Idle, Queued, Running, Finishing, Finished };

/// A request with the status it is to end with, once no lock is held.
struct Ending {
  Request *request;
  RequestStatus status;
};

struct Session::State {
  std::shared_ptr<const BundleReader> program;
  size_t target = 0;
  SessionOptions options;

  std::mutex mutex; ///< guards queue and running
  std::deque<std::unique_ptr<Job>> queue;
  std::unique_ptr<Job> running;
  host::Signal signal; ///< for those who wait for requests

  std::atomic<uint64_t> completed{0}, failed{0}, timedOut{0}, cancelled{0}, busy{0};

  JobEvents events;
  std::unique_ptr<SessionDevice> device; ///< last: its threads use all of the above

  /// Starts queued jobs until one runs; requests that end without running are added to `endings`.
  void startNext(std::vector<Ending> &endings);
  void jobEnded(Job &job);
  void end(Request &request, const RequestStatus &status);
  RequestStatus cancel(Request &request);
};

} // namespace mtc
