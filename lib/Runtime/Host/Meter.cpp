//===- Meter.cpp - workers, neighbours, samples ---------------------------===//
//
// The calling thread is no worker: it hands out runs and waits, so that all workers are pinned and
// none has more to do than the others. A sample is taken by worker 0, from before it starts to
// after all have ended.
//
//===----------------------------------------------------------------------===//
#include "mtc/Runtime/Meter.h"

#include "Code.h"
#include "Memory.h"
#include "Signal.h"
#include "Tiles.h"

#include <fmt/format.h>
#include <pthread.h>

#include <atomic>
#include <cstring>
#include <map>
#include <thread>
#include <tuple>

namespace mtc::host {
namespace {

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void)pthread_setaffinity_np(pthread_self(), sizeof(set),
                               &set); // unpinned, it is only less exact
}

/// Waits without sleeping for long: what is waited for is microseconds away, or on this very CPU.
template <typename Condition> void spinUntil(Condition condition) {
  for (int tries = 0; !condition(); ++tries)
    if (tries % 1024 == 1023)
      std::this_thread::yield();
    else
      pauseCpu();
}

/// A barrier for threads that spin.
class SpinBarrier {
public:
  void arrive(int members) {
    const int round = round_.load();
    if (arrived_.fetch_add(1) + 1 == members) {
      arrived_ = 0;
      round_ = round + 1;
      return;
    }
    spinUntil([&] { return round_.load() != round; });
  }

private:
  std::atomic<int> arrived_{0}, round_{0};
};

/// As in Tuning/Record.h: no neighbour, but nothing of the operands is in a cache.
constexpr std::string_view kFlushed = "flushed";

/// Drops a line from all caches of all cores; what was written goes to memory.
void flushLine(const char *at) { __builtin_ia32_clflush(at); }

/// Of ten microseconds, how many a neighbour streams; negative: no such name.
int streamedTenths(const std::string &neighbour) {
  return neighbour == "none"     ? 0
         : neighbour == kFlushed ? 0
         : neighbour == "low"    ? 2
         : neighbour == "medium" ? 5
         : neighbour == "high"   ? 10
                                 : -1;
}

constexpr size_t kStreamBytes = size_t(64) << 20;
/// A sample lasts at least this long, so that the clock and the start do not count.
constexpr int64_t kSampleNs = 30'000;
constexpr int kMostRepeats = 1000;

/// Copies memory that fits into no cache of a core's own, `tenths` of the time, until told to stop.
void stream(int cpu, int tenths, const std::atomic<bool> &stop, std::atomic<int> &running) {
  pin(cpu);
  std::vector<char> memory(kStreamBytes, 1);
  constexpr size_t step = size_t(64) << 10;
  ++running;
  for (size_t at = 0; !stop; at = (at + step) % (kStreamBytes / 2)) {
    const int64_t start = nowNs();
    std::memcpy(memory.data() + at, memory.data() + kStreamBytes / 2 + at, step);
    const int64_t rest = (nowNs() - start) * (10 - tenths) / tenths;
    for (const int64_t until = nowNs() + rest; rest > 0 && nowNs() < until && !stop;)
      pauseCpu();
  }
}

} // namespace

struct Meter::State {
  const BundleTarget &target;
  std::vector<int> cpus;
  LoadedCode code;
  size_t kernel = 0;
  std::vector<Mapping> memory;
  std::vector<void *> buffers;
  std::map<std::pair<size_t, int>, int64_t> repeats; ///< by variant and workers

  // The neighbours stay until others are wanted: they take longer to start than a kernel to run.
  std::pair<int, int> neighboursOf = {0, 0}; ///< granules and tenths
  std::vector<std::thread> neighbours;
  std::atomic<bool> stop{false};
  std::atomic<int> running{0};

  explicit State(const BundleTarget &target) : target(target) {}
  ~State() { stopNeighbours(); }

  void stopNeighbours() {
    stop = true;
    for (std::thread &thread : neighbours)
      thread.join();
    neighbours.clear();
    stop = false;
    running = 0;
  }

  void startNeighbours(int granules, int tenths) {
    if (neighboursOf == std::pair(granules, tenths))
      return;
    stopNeighbours();
    neighboursOf = {granules, tenths};
    for (size_t i = size_t(granules); tenths > 0 && i < cpus.size(); ++i)
      neighbours.emplace_back(
          [this, cpu = cpus[i], tenths] { stream(cpu, tenths, stop, running); });
    spinUntil([&] { return running.load() == int(neighbours.size()); });
  }

  /// One worker's part of a run, as Replay::runPhase deals tiles. `epoch` counts phases from 1.
  int32_t work(const MtcKernelFn function, const Variant &variant, int rank, int members,
               void *scratch, Share *shares, uint32_t &epoch, SpinBarrier &barrier) const {
    int32_t status = 0;
    for (size_t phase = 0; phase < variant.phaseTiles.size(); ++phase) {
      const int64_t tiles = variant.phaseTiles[phase];
      const bool isShared = members > 1 && tiles <= kMostTiles;
      ++epoch;
      auto take = [&] {
        return isShared ? takeTiles(shares, epoch, tiles, uint32_t(rank), uint32_t(members))
                        : chunk(tiles, rank, members);
      };
      for (auto [lo, hi] = take(); lo < hi;
           std::tie(lo, hi) = isShared ? take() : std::pair(hi, hi)) {
        const MtcKernelArgs args = {int64_t(phase), lo, hi, rank, buffers.data(), scratch, nullptr};
        if (const int32_t failed = function(&args))
          status = failed;
      }
      if (members > 1)
        barrier.arrive(members);
    }
    return status;
  }

  /// Drops the operands from all caches.
  void flush() const {
    constexpr int64_t line = 64;
    for (const Mapping &mapping : memory)
      for (int64_t at = 0; at < mapping.bytes(); at += line)
        flushLine(static_cast<const char *>(mapping.data()) + at);
    __builtin_ia32_mfence();
  }

  StatusOr<std::vector<int64_t>> sample(size_t index, int members, int samples, bool flushes) {
    const MtcKernelFn function = code.kernel(kernel, index);
    if (!function)
      return invalidInput(fmt::format("kernel {} has no code of a variant {}", kernel, index));
    const Variant &variant = target.problem.kernels[kernel].variants[index];
    std::vector<Mapping> scratch;
    for (int i = 0; i < members; ++i) {
      MTC_ASSIGN_OR_RETURN(Mapping mapping,
                           Mapping::create(std::max<int64_t>(64, variant.scratchBytesPerWorker)));
      scratch.push_back(std::move(mapping));
    }
    SpinBarrier barrier;
    const auto shares = std::make_unique<Share[]>(size_t(members));
    std::atomic<int32_t> status{0};
    std::vector<int64_t> ns;
    int64_t once = 1;
    int64_t &count = flushes ? once : repeats[{index, members}];
    auto worker = [&](int rank) {
      pin(cpus[size_t(rank)]);
      uint32_t epoch = 0;
      auto runOnce = [&] {
        if (const int32_t failed = work(function, variant, rank, members,
                                        scratch[size_t(rank)].data(), shares.get(), epoch, barrier))
          status = failed;
      };
      runOnce(); // warms caches and touches pages
      if (count == 0) {
        barrier.arrive(members); // all have seen 0
        const int64_t start = nowNs();
        runOnce();
        if (rank == 0)
          count = std::clamp<int64_t>(kSampleNs / std::max<int64_t>(1, nowNs() - start), 1,
                                      kMostRepeats);
      }
      for (int i = 0; i < samples; ++i) {
        barrier.arrive(members);
        if (flushes) {
          if (rank == 0)
            flush();
          barrier.arrive(members);
        }
        const int64_t start = nowNs();
        for (int64_t r = 0; r < count; ++r)
          runOnce();
        if (rank == 0)
          ns.push_back(std::max<int64_t>(1, (nowNs() - start) / count));
      }
    };
    std::vector<std::thread> threads;
    for (int rank = 0; rank < members; ++rank)
      threads.emplace_back(worker, rank);
    for (std::thread &thread : threads)
      thread.join();
    if (status)
      return invalidInput(fmt::format("kernel '{}' returned status {}",
                                      target.problem.kernels[kernel].name, status.load()));
    return ns;
  }
};

Meter::Meter(std::unique_ptr<State> state) : state_(std::move(state)) {}
Meter::Meter(Meter &&) noexcept = default;
Meter::~Meter() = default;

StatusOr<Meter> Meter::create(const BundleTarget &target, std::vector<int> cpus) {
  if (cpus.empty())
    return invalidInput("no CPU to measure on");
  auto state = std::make_unique<State>(target);
  state->cpus = std::move(cpus);
  MTC_ASSIGN_OR_RETURN(state->code, LoadedCode::load(target.code, target.symbols));
  return Meter(std::move(state));
}

std::vector<int> Meter::shares() const {
  std::vector<int> shares;
  const int all = int(state_->cpus.size());
  for (int granules = 1; granules < all; granules *= 2)
    shares.push_back(granules);
  shares.push_back(all);
  return shares;
}

Status Meter::prepare(size_t kernel, std::vector<std::vector<uint8_t>> operands) {
  if (kernel >= state_->target.problem.kernels.size() || !state_->code.kernel(kernel, 0))
    return invalidInput(fmt::format("kernel {} has no code", kernel));
  state_->kernel = kernel;
  state_->repeats.clear();
  state_->memory.clear();
  state_->buffers.clear();
  for (const std::vector<uint8_t> &operand : operands) {
    MTC_ASSIGN_OR_RETURN(Mapping mapping,
                         Mapping::create(std::max<int64_t>(64, int64_t(operand.size()))));
    std::memcpy(mapping.data(), operand.data(), operand.size());
    state_->buffers.push_back(mapping.data());
    state_->memory.push_back(std::move(mapping));
  }
  return okStatus();
}

StatusOr<std::vector<int64_t>> Meter::run(size_t variant, int granules,
                                          const std::string &neighbour, int samples) {
  const int tenths = streamedTenths(neighbour);
  if (tenths < 0)
    return invalidInput(fmt::format("neighbour '{}' is unknown; known: none, low, medium, high, {}",
                                    neighbour, kFlushed));
  if (const int all = int(state_->cpus.size()); granules < 1 || granules > all)
    return invalidInput(fmt::format("{} CPUs wanted, {} available", granules, all));
  state_->startNeighbours(granules, tenths);
  return state_->sample(variant, granules, samples, neighbour == kFlushed);
}

} // namespace mtc::host
