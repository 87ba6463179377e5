//===- Dispatcher.h - which request starts where, under open load ---------===//
//
// The reference dispatcher: partitions of the device run one job at a time, each an entry alone on
// the partition's granules. Whoever has the device - the simulator or a runtime - tells it what
// arrives and what ends, and starts the jobs it gives back. It has no clock and starts nothing
// itself, so both run the same code.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"

#include <deque>
#include <optional>

namespace mtc {

/// A part of the device that runs one job at a time.
struct Partition {
  GranuleMask granules = 1;
  std::vector<int32_t> tenants; ///< that it serves
  bool shared = false;          ///< may overlap others: a baseline for simulation
};

/// An entry of a tenant that serves several requests at once.
struct BatchEntry {
  int32_t entry = 0;
  int32_t requests = 1;
};

/// How requests of a tenant are put into jobs.
struct Service {
  std::vector<BatchEntry> entries; ///< ascending in requests; at least one
  int64_t waitNs = 0; ///< how long the oldest request may wait for more than the least entry takes
  /// Added to a request's arrival when tenants of a partition compete; 0 for all: first come first
  /// served, each tenant's SLO: earliest deadline first.
  int64_t deadlineNs = 0;
};

/// Where tenants run. A tenant may be served by several partitions, and two partitions overlap only
/// if both are `shared`.
struct Layout {
  std::vector<Partition> partitions;
  std::vector<Service> services; ///< by tenant; without entries: the tenant gets no requests
};

/// Verifies a layout: granules and indices in range, batches ascending, partitions disjoint unless
/// shared, every tenant with entries served.
///
/// Precondition: check(problem).
///
/// Fails if any of these does not hold (InvalidInput).
Status check(const Problem &problem, const Layout &layout);

/// A layout in which every tenant's entries serve one request each, the first entry only.
std::vector<Service> singleServices(const Problem &problem);

/// What a partition is to run.
struct PartitionJob {
  int32_t partition = 0;
  int32_t tenant = 0;
  int32_t entry = 0;
  std::vector<int64_t> requests; ///< ids, oldest first; may be fewer than the entry takes
};

/// Queues of requests per tenant: an idle partition takes the tenant whose oldest request has the
/// earliest deadline (Service::deadlineNs), of those that are ready. A tenant is ready when its
/// largest entry is full or its oldest request has waited long enough; it then takes the least
/// entry that holds all waiting requests, or the largest.
///
/// Ownership: copies the layout. Not thread-safe. Times are ns of any clock, never going back.
///
/// Complexity: O(partitions * tenants) a call.
class Dispatcher {
public:
  /// Precondition: check(problem, layout).
  explicit Dispatcher(Layout layout);

  void arrive(int32_t tenant, int64_t request, int64_t nowNs);
  void finish(int32_t partition);

  /// The next job to start now, if any; call until there is none.
  std::optional<PartitionJob> next(int64_t nowNs);

  /// When next() is to be called again though nothing arrives or ends; INT64_MAX: never.
  int64_t wakeNs() const;

  /// Requests that wait.
  size_t waiting() const { return waiting_; }
  const Layout &layout() const { return layout_; }

private:
  struct Waiting {
    int64_t request, arrivalNs;
  };
  bool ready(size_t tenant, int64_t nowNs) const;

  Layout layout_;
  std::vector<std::deque<Waiting>> queues_; ///< by tenant
  std::vector<char> busy_;                  ///< by partition
  size_t waiting_ = 0;
};

} // namespace mtc
