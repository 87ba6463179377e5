//===- Device.h - what a session needs of a device ------------------------===//
//
// The session owns requests and the queue; a device makes plans ready and runs one job at a time.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Runtime/Session.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mtc {

/// What a device keeps plans by: entries (sorted), and the policy that planned here, if any.
using PlanKey = std::pair<std::vector<int32_t>, std::string>;

/// A plan that a device can run.
///
/// Ownership: the device's; lives as long as it.
struct ReadyPlan {
  ScheduledPlan stored;
  std::vector<int32_t> commandsOf; ///< by instance
  virtual ~ReadyPlan() = default;
};

/// One entry of the queue: requests by instance of the plan's schedule. A cancelled one is null.
struct Job {
  ReadyPlan *plan = nullptr;
  std::vector<Request *> requests;
  std::vector<void *> waitEvents, signalEvents; ///< CUevents of the callers
  int64_t deadlineNs = 0;
  int64_t startNs = 0;
  int64_t firstNs = 0;           ///< set by the device when it begins; 0: it does not say
  std::vector<TaskRecord> tasks; ///< filled by the device if tasks are recorded
  virtual ~Job() = default;
};

/// Whom a device tells of a job's progress, on its own threads and without a lock held.
struct JobEvents {
  /// A request of a job has ended; once for each, perhaps after the job has.
  std::function<void(Request &, RequestStatus)> requestEnded;
  /// The device has let go of the job: it is destroyed here, and the next may start.
  std::function<void(Job &)> jobEnded;
};

class SessionDevice {
public:
  /// Stops its threads; no job runs.
  virtual ~SessionDevice() = default;

  /// The plan for `entries` (sorted; an entry may occur repeatedly) that choosePlan() gives, made
  /// ready. Safe from any thread, also while a job runs.
  virtual StatusOr<ReadyPlan *> find(const std::vector<int32_t> &entries,
                                     const std::string &policy) = 0;
  /// A job by a plan of this device, with no requests yet.
  virtual std::unique_ptr<Job> makeJob(ReadyPlan &plan) = 0;
  /// Makes room for a job and takes the addresses of its requests' memory. No job is running.
  virtual Status prepare(Job &job) = 0;
  /// Starts a prepared job and returns.
  virtual void start(Job &job) = 0;

  virtual int workers() const = 0;        ///< granules that the session has
  virtual int64_t arenaBytes() const = 0; ///< reserved; called with the session's lock held
  virtual std::string describe() const = 0;
};

/// The stored plan of `target` for `entries` on at most `granules`, else one made by the policies
/// and the planner that the compiler uses (rule R5). With a `policy` (not empty) always that one.
/// Fails if the bundle's plan does not verify (BundleRefused), or the policy is unknown or plans
/// nothing that can run (InvalidInput).
StatusOr<ScheduledPlan> choosePlan(const BundleReader &bundle, size_t target,
                                   const std::vector<int32_t> &entries, int granules,
                                   const std::string &policy);

} // namespace mtc
