//===- Memory.cpp - mmap for arenas and scratch ---------------------------===//
#include "Memory.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace mtc::host {

Mapping::~Mapping() {
  if (data_)
    munmap(data_, static_cast<size_t>(bytes_));
}

void Mapping::swap(Mapping &other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

StatusOr<Mapping> Mapping::create(int64_t bytes) {
  Mapping mapping;
  if (bytes <= 0)
    return mapping;
  void *data = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return internalError(fmt::format("no {} bytes of memory: {}", bytes, std::strerror(errno)));
  mapping.data_ = data;
  mapping.bytes_ = bytes;
  return mapping;
}

ArenaPool::Key ArenaPool::keyOf(const Plan &plan, size_t index) {
  int before = 0;
  for (size_t i = 0; i < index; ++i)
    before += plan.arenas[i].isolation == plan.arenas[index].isolation;
  return {plan.arenas[index].isolation, before};
}

Status ArenaPool::reserve(const Plan &plan) {
  for (size_t i = 0; i < plan.arenas.size(); ++i) {
    Mapping &mapping = mappings_[keyOf(plan, i)];
    if (mapping.bytes() >= plan.arenas[i].bytes)
      continue;
    MTC_ASSIGN_OR_RETURN(Mapping larger, Mapping::create(plan.arenas[i].bytes));
    mapping = std::move(larger);
    ++generation_;
  }
  return okStatus();
}

char *ArenaPool::address(const Plan &plan, size_t index) const {
  return static_cast<char *>(mappings_.at(keyOf(plan, index)).data());
}

int64_t ArenaPool::bytes() const {
  int64_t sum = 0;
  for (const auto &[key, mapping] : mappings_)
    sum += mapping.bytes();
  return sum;
}

} // namespace mtc::host
