//===- Memory.h - address ranges for arenas and scratch -------------------===//
#pragma once

#include "mtc/Planning/Plan.h"

#include <map>
#include <string>
#include <utility>

namespace mtc::host {

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

/// The arenas of a session. One job runs at a time, so plans use the same memory for the arenas of
/// the same isolation group, and different groups never share a byte.
class ArenaPool {
public:
  /// Makes room for the plan's arenas. Addresses that were given before may change: generation()
  /// then does too. Must not run while a job does.
  Status reserve(const Plan &plan);

  /// Address of the plan's arena `index`; reserve(plan) came before.
  char *address(const Plan &plan, size_t index) const;

  uint64_t generation() const { return generation_; }
  int64_t bytes() const;

private:
  /// The group and how many arenas of the same group stand before it in the plan.
  using Key = std::pair<std::string, int>;
  static Key keyOf(const Plan &plan, size_t index);
  std::map<Key, Mapping> mappings_;
  uint64_t generation_ = 1;
};

} // namespace mtc::host
