//===- Execute.cpp - streams and graphs on the host -----------------------===//
#include "Fake.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace mtc::fake {

bool isDeviceMemory(uintptr_t address, size_t bytes) {
  Fake &f = fake();
  auto it = f.reservations.upper_bound(address);
  if (it == f.reservations.begin())
    return false;
  const Reservation &reservation = std::prev(it)->second;
  const uintptr_t end = address + bytes;
  // Neighbouring pieces may be mapped one by one.
  while (address < end) {
    auto piece = reservation.accessible.upper_bound(address);
    if (piece == reservation.accessible.begin())
      return false;
    --piece;
    if (address >= piece->first + piece->second)
      return false;
    address = piece->first + piece->second;
  }
  return true;
}

bool isHostMemory(uintptr_t address, size_t bytes) {
  for (const auto &memory : fake().hostMemory) {
    const auto begin = reinterpret_cast<uintptr_t>(memory->data());
    if (begin <= address && address + bytes <= begin + memory->size())
      return true;
  }
  return false;
}

bool isBeingWritten(uintptr_t address, size_t bytes) {
  for (const auto &[launch, nodes] : fake().underWay)
    for (const Node &node : nodes)
      for (const Touch &touch : node.touches)
        if (touch.isWrite && touch.isDevice && touch.begin < address + bytes && address < touch.end)
          return true;
  return false;
}

CUresult drain(Stream &stream, uint64_t position) {
  while (!stream.work.empty() && (position == 0 || stream.done < position)) {
    const auto next = std::move(stream.work.front());
    stream.work.pop_front();
    const CUresult result = next();
    ++stream.done;
    if (result != CUDA_SUCCESS)
      return result;
  }
  return CUDA_SUCCESS;
}

/// after[i] holds the nodes that a path leads to from i.
static std::vector<std::vector<bool>> reachability(const Exec &exec) {
  const size_t n = exec.nodes.size();
  std::vector<std::vector<bool>> before(n, std::vector<bool>(n));
  for (size_t i = 0; i < n; ++i) // nodes stand behind what they depend on
    for (size_t d : exec.nodes[i].dependencies) {
      before[i][d] = true;
      for (size_t k = 0; k < d; ++k)
        if (before[d][k])
          before[i][k] = true;
    }
  return before;
}

static std::string nameOf(const Node &node) {
  return node.kernel ? fmt::format("node {} ({})", node.index, node.kernel->name)
                     : fmt::format("node {} (copy)", node.index);
}

/// What two nodes must not do that nothing orders, or nothing.
static std::string conflictOf(const Node &a, const Node &b) {
  for (const Touch &x : a.touches)
    for (const Touch &y : b.touches)
      if ((x.isWrite || y.isWrite) && x.begin < y.end && y.begin < x.end)
        return fmt::format("{} and {} touch the same bytes and no edge orders them", nameOf(a),
                           nameOf(b));
  if (!fake().sharesUnits && a.kernel && b.kernel && (a.context->units & b.context->units) != 0)
    return fmt::format("{} and {} share SMs and no edge orders them", nameOf(a), nameOf(b));
  return "";
}

std::string findRace(const Exec &exec) {
  const auto before = reachability(exec);
  for (size_t i = 0; i < exec.nodes.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (!before[i][j])
        if (std::string conflict = conflictOf(exec.nodes[i], exec.nodes[j]); !conflict.empty())
          return conflict;
  return "";
}

std::string findRaceWithOthers(const Exec &exec, const Stream &stream) {
  for (const auto &[launch, nodes] : fake().underWay) {
    if (stream.behind.count(launch))
      continue;
    for (const Node &other : nodes)
      for (size_t i = 0; i < exec.nodes.size(); ++i)
        if (exec.isEnabled[i])
          if (std::string conflict = conflictOf(exec.nodes[i], other); !conflict.empty())
            return conflict + ", of two graphs under way";
  }
  return "";
}

void endLaunches(const Launches &ended) {
  Fake &f = fake();
  const Launches now = ended; // what follows may change it
  const auto isEnded = [&](uint64_t launch) { return now.count(launch) != 0; };
  std::erase_if(f.underWay, [&](const auto &entry) { return isEnded(entry.first); });
  for (Stream *stream : f.streams)
    std::erase_if(stream->behind, isEnded);
  for (Event *event : f.events)
    std::erase_if(event->behind, isEnded);
}

static CUresult runKernel(const Node &node) {
  const KernelInfo &info = *node.kernel->info;
  emulator::Launch launch;
  launch.function = info.function;
  launch.blocks = node.blocks;
  launch.threads = info.threads;
  launch.lo = node.lo;
  launch.hi = node.hi;
  launch.sharedBytes = info.sharedBytes;
  launch.synchronizes = info.synchronizes;
  launch.checksAccesses = info.isChecked;
  std::vector<size_t> order(node.members.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::shuffle(order.begin(), order.end(), fake().random);
  for (size_t m : order) {
    const Node::Member &member = node.members[m];
    launch.buffers.clear();
    for (size_t i = 0; i < member.buffers.size(); ++i)
      launch.buffers.push_back(
          {reinterpret_cast<void *>(member.buffers[i]), info.bufferBytes[i], true});
    launch.tensorMaps = member.tensorMaps;
    launch.seed = fake().random();
    if (const Status status = emulator::run(launch); !status.ok())
      return violation(fmt::format("{}: {}", nameOf(node), status.message()),
                       CUDA_ERROR_ILLEGAL_ADDRESS);
  }
  return CUDA_SUCCESS;
}

CUresult execute(const Exec &exec) {
  Fake &f = fake();
  const size_t n = exec.nodes.size();
  std::vector<size_t> missing(n);
  std::vector<std::vector<size_t>> users(n);
  std::vector<size_t> ready;
  for (size_t i = 0; i < n; ++i) {
    missing[i] = exec.nodes[i].dependencies.size();
    for (size_t d : exec.nodes[i].dependencies)
      users[d].push_back(i);
    if (missing[i] == 0)
      ready.push_back(i);
  }
  while (!ready.empty()) {
    std::swap(ready[f.random() % ready.size()], ready.back());
    const size_t i = ready.back();
    ready.pop_back();
    const Node &node = exec.nodes[i];
    if (exec.isEnabled[i]) {
      for (const Touch &touch : node.touches)
        if (touch.isDevice && !isDeviceMemory(touch.begin, touch.end - touch.begin))
          return violation(fmt::format("{} touches memory that is not mapped", nameOf(node)),
                           CUDA_ERROR_ILLEGAL_ADDRESS);
      if (!node.kernel)
        std::memcpy(node.to, node.from, node.bytes);
      else if (const CUresult result = runKernel(node); result != CUDA_SUCCESS)
        return result;
    }
    for (size_t user : users[i])
      if (--missing[user] == 0)
        ready.push_back(user);
  }
  return CUDA_SUCCESS;
}

} // namespace mtc::fake
