//===- Memory.h - address ranges for arenas and scratch -------------------===//
#pragma once

#include "mtc/Planning/Plan.h"

#include <map>
#include <string>
#include <vector>

namespace mtc::host {

constexpr size_t kHugePageBytes = size_t(2) << 20;

/// How memory of this size is best aligned: for huge pages, or 1 if it is smaller than one.
size_t pageAlignment(size_t bytes);
/// Asks the system to back memory that is written for the first time with huge pages.
void askForHugePages(void *data, size_t bytes);

/// An anonymous mapping; pages get memory when they are first written.
class Mapping {
public:
  Mapping() = default;
  Mapping(Mapping &&other) noexcept { swap(other); }
  Mapping &operator=(Mapping &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Mapping();

  /// Fails if the system has no such range (Internal).
  static StatusOr<Mapping> create(int64_t bytes);

  void *data() const { return data_; }
  int64_t bytes() const { return bytes_; }

private:
  void swap(Mapping &other) noexcept;
  void *data_ = nullptr;
  int64_t bytes_ = 0;
};

/// A plan's need of arena memory. Plans whose arenas have the same key use the same memory.
struct ArenaNeed {
  std::string key;
  int64_t bytes = 0;
};

/// What each arena of a plan needs. The key is the tenant, or the group that shares the arena, and
/// how many arenas of the same stand before it: memory never changes hands between tenants that
/// are isolated, not even from job to job.
std::vector<ArenaNeed> arenaNeeds(const Problem &problem, const Schedule &schedule,
                                  const Plan &plan);

/// The arenas of a session. One job runs at a time, so plans take turns with the same memory.
class ArenaPool {
public:
  /// Makes room. Addresses that were given before may change: generation() then does too.
  /// Must not run while a job does.
  Status reserve(const std::vector<ArenaNeed> &needs);

  /// Address of an arena; its need was reserved before.
  char *address(const ArenaNeed &need) const {
    return static_cast<char *>(mappings_.at(need.key).data());
  }

  uint64_t generation() const { return generation_; }
  int64_t bytes() const;

private:
  std::map<std::string, Mapping> mappings_;
  uint64_t generation_ = 1;
};

} // namespace mtc::host
