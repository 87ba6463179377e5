//===- Memory.cpp - mmap for arenas and scratch ---------------------------===//
//
// Large memory asks for huge pages: kernels walk images of several MB, more than the pages that a
// core remembers, and each page costs a walk of tables, in a virtual machine of two of them.
// Predicted 3 to 5 % of a round of the document set, measured 112.2 -> 105.0 ms, and less spread;
// 40 % less for large copies (two cores of AMD EPYC Zen 4, shared VM, 2026-11-23).
//
//===----------------------------------------------------------------------===//
#include "Memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace mtc::host {

static constexpr size_t kPageBytes = 4096;

Mapping::~Mapping() {
  if (data_)
    munmap(data_, static_cast<size_t>(bytes_));
}

void Mapping::swap(Mapping &other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

size_t pageAlignment(size_t bytes) { return bytes < kHugePageBytes ? 1 : kHugePageBytes; }

void askForHugePages(void *data, size_t bytes) {
  if (bytes >= kHugePageBytes) // a wish: a system without them refuses
    madvise(data, bytes, MADV_HUGEPAGE);
}

StatusOr<Mapping> Mapping::create(int64_t bytes) {
  Mapping mapping;
  if (bytes <= 0)
    return mapping;
  // More than is needed, so that a huge page may begin at the start; what is around goes back.
  const auto size = (static_cast<size_t>(bytes) + kPageBytes - 1) / kPageBytes * kPageBytes;
  const size_t alignment = std::max(kPageBytes, pageAlignment(size));
  const size_t slack = alignment - kPageBytes;
  void *range = mmap(nullptr, size + slack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED)
    return internalError(fmt::format("no {} bytes of memory: {}", bytes, std::strerror(errno)));
  char *first = static_cast<char *>(range);
  const size_t before = (alignment - reinterpret_cast<uintptr_t>(first) % alignment) % alignment;
  if (before)
    munmap(first, before);
  if (slack > before)
    munmap(first + before + size, slack - before);
  void *data = first + before;
  askForHugePages(data, size);
  mapping.data_ = data;
  mapping.bytes_ = bytes;
  return mapping;
}

std::vector<ArenaNeed> arenaNeeds(const Problem &problem, const Schedule &schedule,
                                  const Plan &plan) {
  std::vector<ArenaNeed> needs;
  for (const Arena &arena : plan.arenas)
    needs.push_back({"", arena.bytes});
  // A group may be called like a tenant that is not in it: who uses the arena tells which is meant.
  for (const Command &command : plan.commands)
    for (const BufferRef &buffer : command.buffers) {
      if (buffer.space != Space::Arena || !needs[buffer.index].key.empty())
        continue;
      const int32_t entry = schedule.workload.instances[command.instance];
      const Tenant &tenant = problem.tenants[problem.entries[entry].tenant];
      const std::string &isolation = plan.arenas[buffer.index].isolation;
      const bool isGroup = tenant.isolation == isolation && isolation != "guarded";
      needs[buffer.index].key = (isGroup ? "group " : "tenant ") + isolation;
    }
  std::map<std::string, int> seen;
  for (ArenaNeed &need : needs)
    need.key += fmt::format(" {}", seen[need.key]++);
  return needs;
}

Status ArenaPool::reserve(const std::vector<ArenaNeed> &needs) {
  for (const ArenaNeed &need : needs) {
    Mapping &mapping = mappings_[need.key];
    if (mapping.bytes() >= need.bytes)
      continue;
    MTC_ASSIGN_OR_RETURN(Mapping larger, Mapping::create(need.bytes));
    mapping = std::move(larger);
    ++generation_;
  }
  return okStatus();
}

int64_t ArenaPool::bytes() const {
  int64_t sum = 0;
  for (const auto &[key, mapping] : mappings_)
    sum += mapping.bytes();
  return sum;
}

} // namespace mtc::host
