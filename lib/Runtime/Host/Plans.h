//===- Plans.h - the plan for a set of entries ----------------------------===//
#pragma once

#include "Replay.h"

#include <map>
#include <mutex>

namespace mtc::host {

/// Finds or makes the plan for any multiset of entries, once: the bundle's own where one fits the
/// workers there are, else by the policies and the planner that the compiler uses (rule R5).
class Plans {
public:
  Plans(const BundleReader &bundle, size_t target, const LoadedCode &code, int workers);

  /// The replay for `entries` (sorted; an entry may occur repeatedly). Safe from any thread.
  /// Ownership: lives as long as this object.
  /// Fails if the bundle's plan does not verify or a weight it uses is damaged (BundleRefused).
  StatusOr<Replay *> find(const std::vector<int32_t> &entries);

  /// Whether there are fewer workers than the target was compiled for.
  bool fewerWorkers() const;

private:
  StatusOr<ScheduledPlan> choose(const std::vector<int32_t> &entries) const;
  StatusOr<ScheduledPlan> makeAgain(const std::vector<int32_t> &entries) const;

  const BundleReader &bundle_;
  size_t target_;
  const LoadedCode &code_;
  int workers_;
  std::mutex mutex_;
  std::map<std::vector<int32_t>, std::unique_ptr<Replay>> replays_;
};

} // namespace mtc::host
