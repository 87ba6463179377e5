//===- Replay.cpp - preparing and walking a plan --------------------------===//
#include "Replay.h"

#include "Chunk.h"
#include "mtc/Support/Random.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

namespace mtc::host {

StatusOr<std::unique_ptr<Replay>> Replay::create(const Problem &problem, ScheduledPlan plan,
                                                 const LoadedCode &code, WeightMemory &weights,
                                                 int workers) {
  auto replay = std::make_unique<Replay>();
  replay->stored = std::move(plan);
  const auto &commands = replay->stored.plan.commands;
  replay->arenas_ = arenaNeeds(problem, replay->stored.schedule, replay->stored.plan);
  replay->steps_.resize(workers);
  replay->nodes_.resize(commands.size());
  replay->counters_ = std::make_unique<Counter[]>(commands.size());
  const std::vector<int32_t> leaders = leadersOf(replay->stored.schedule);
  uint32_t shares = 0;
  replay->commandsOf.resize(replay->stored.schedule.workload.instances.size());
  for (size_t c = 0; c < commands.size(); ++c) {
    const Command &command = commands[c];
    const Variant &variant = problem.kernels[command.kernel].variants[command.variant];
    Node &node = replay->nodes_[leaders[c]];
    Part &part = node.parts.emplace_back();
    if (problem.kernels[command.kernel].region) {
      MTC_ASSIGN_OR_RETURN(node.region, prepareRegion(problem, command.kernel, code, weights));
      node.regionPointers.resize(node.region->pointers * std::popcount(command.granules));
      node.barrier = std::make_unique<RegionBarrier>();
    } else {
      part.kernel = code.kernel(command.kernel, command.variant);
    }
    if (!part.kernel && !node.region)
      return bundleRefused(fmt::format("variant {} of kernel '{}' has no code", command.variant,
                                       problem.kernels[command.kernel].name));
    part.phaseTiles = &variant.phaseTiles;
    part.firstPointer = static_cast<uint32_t>(replay->pointers_.size());
    part.command = static_cast<int32_t>(c);
    part.instance = command.instance;
    node.phaseTiles.resize(std::max(node.phaseTiles.size(), variant.phaseTiles.size()));
    for (size_t phase = 0; phase < variant.phaseTiles.size(); ++phase)
      node.phaseTiles[phase] += variant.phaseTiles[phase];
    node.members = static_cast<uint32_t>(std::popcount(command.granules));
    node.perRun = node.members * static_cast<uint32_t>(node.phaseTiles.size());
    if (!command.merged) { // merged ones have equal waits and workers
      for (int32_t wait : command.waits)
        node.waits.push_back(leaders[wait]);
      node.waits.erase(std::unique(node.waits.begin(), node.waits.end()), node.waits.end());
      node.firstShare = shares;
      shares += node.members;
    }
    ++replay->commandsOf[command.instance];
    replay->participants_ |= command.granules;
    replay->scratchBytes_ = std::max(replay->scratchBytes_, variant.scratchBytesPerWorker);
    uint32_t rank = 0;
    for (int worker = 0; worker < workers; ++worker)
      if (command.granules >> worker & 1) {
        if (!command.merged)
          replay->steps_[worker].push_back({static_cast<int32_t>(c), rank});
        ++rank;
      }
    if (rank != node.members)
      return internalError(
          fmt::format("plan '{}' needs more than {} workers", replay->stored.plan.name, workers));
    for (const BufferRef &buffer : command.buffers) {
      const auto at = static_cast<uint32_t>(replay->pointers_.size());
      void *pointer = nullptr;
      switch (buffer.space) {
      case Space::Arena:
        replay->arenaPointers_.push_back({at, buffer.index, buffer.offset});
        break;
      case Space::Input:
      case Space::Output:
        replay->patches_.push_back(
            {at, command.instance, buffer.space == Space::Input, buffer.index});
        break;
      case Space::Weight:
        MTC_ASSIGN_OR_RETURN(pointer, weights.find(buffer.index));
        break;
      }
      replay->pointers_.push_back(pointer);
    }
  }
  replay->shares_ = std::make_unique<Share[]>(shares);
  return replay;
}

void Replay::bindArenas(const ArenaPool &arenas) {
  for (const ArenaPointer &pointer : arenaPointers_)
    pointers_[pointer.pointer] = arenas.address(arenas_[pointer.arena]) + pointer.offset;
  generation_ = arenas.generation();
}

/// Test aid for rule R1: makes a task last 1.25 to 5 times as long as it did, so that tasks'
/// lengths vary against each other by a factor of 0.25 to 4.
static void jitter(uint64_t seed, int64_t startNs) {
  const int64_t ownNs = std::max<int64_t>(nowNs() - startNs, 1000);
  const double factor = 0.25 + 3.75 * SplitMix64(seed).real();
  const int64_t until = nowNs() + static_cast<int64_t>(double(ownNs) * factor);
  if (until - nowNs() > 200'000) {
    const timespec time = {time_t(until / 1'000'000'000), long(until % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
  }
  while (nowNs() < until)
    pauseCpu();
}

void Replay::work(int worker, void *scratch, Run &run) {
  if (run.firstNs.load(std::memory_order_relaxed) == 0) {
    int64_t none = 0;
    run.firstNs.compare_exchange_strong(none, nowNs());
  }
  for (Step step : steps_[worker])
    runCommand(step, worker, scratch, run);
}

/// Every worker of the command walks the region, failed or not: they wait for each other in it. But
/// of a cancelled request there is no value that decides, which all know from the start.
void Replay::runRegionOf(Node &node, Step step, int worker, void *scratch, Run &run) {
  const Part &part = node.parts.front();
  InstanceRun &instance = run.instances[part.instance];
  if (instance.isCancelled)
    return;
  RegionWalk walk;
  walk.worker = worker;
  walk.rank = step.rank;
  walk.members = node.members;
  walk.scratch = scratch;
  walk.tripsLeft = run.maxTrips ? run.maxTrips : node.region->region->maxTrips;
  walk.barrier = node.barrier.get();
  walk.signal = run.signal;
  walk.spinNs = run.spinNs;
  walk.skip = &instance.skip;
  void **pointers = node.regionPointers.data() + step.rank * node.region->pointers;
  runRegion(*node.region, pointers_.data() + part.firstPointer, pointers, walk);
  int32_t none = 0;
  if (walk.status && instance.failedStatus.compare_exchange_strong(none, walk.status))
    instance.failedCommand = step.command;
}

/// Runs some of the tiles of a node: those of each part that are among them.
void Replay::runTiles(const Node &node, uint32_t phase, std::pair<int64_t, int64_t> tiles,
                      int worker, void *scratch, Run &run) {
  int64_t first = 0; // of the part
  for (const Part &part : node.parts) {
    const int64_t count = phase < part.phaseTiles->size() ? (*part.phaseTiles)[phase] : 0;
    const int64_t lo = std::max(tiles.first - first, int64_t(0));
    const int64_t hi = std::min(tiles.second - first, count);
    first += count;
    InstanceRun &instance = run.instances[part.instance];
    if (lo >= hi || instance.skip.load(std::memory_order_relaxed))
      continue;
    const bool isRecorded = run.recordTasks && node.parts.size() > 1;
    const int64_t startNs = isRecorded ? nowNs() : 0;
    const MtcKernelArgs args = {phase,   lo,     hi, worker, pointers_.data() + part.firstPointer,
                                scratch, nullptr};
    if (const int32_t status = part.kernel(&args)) {
      int32_t none = 0;
      if (instance.failedStatus.compare_exchange_strong(none, status))
        instance.failedCommand = part.command;
      instance.skip = true;
    }
    if (isRecorded)
      run.records[worker].push_back({part.command, worker, startNs, nowNs()});
  }
}

void Replay::runPhase(const Node &node, Step step, uint32_t phase, int worker, void *scratch,
                      Run &run) {
  const auto phases = static_cast<uint32_t>(node.phaseTiles.size());
  const int64_t tiles = node.phaseTiles[phase];
  const uint32_t epoch = (runs_ - 1) * phases + phase + 1;
  const bool isShared = node.members > 1 && tiles <= kMostTiles;
  auto take = [&] {
    return isShared ? takeTiles(&shares_[node.firstShare], epoch, tiles, step.rank, node.members)
                    : chunk(tiles, step.rank, node.members);
  };
  for (auto [lo, hi] = take(); lo < hi; std::tie(lo, hi) = isShared ? take() : std::pair(hi, hi))
    runTiles(node, phase, {lo, hi}, worker, scratch, run);
}

void Replay::runCommand(Step step, int worker, void *scratch, Run &run) {
  Node &node = nodes_[step.command];
  for (int32_t wait : node.waits)
    if (!ended(wait))
      run.signal->await([&] { return ended(wait); }, run.spinNs);

  const int64_t startNs = run.recordTasks || run.jitterSeed ? nowNs() : 0;
  const uint32_t base = (runs_ - 1) * node.perRun;
  const uint32_t phases = static_cast<uint32_t>(node.phaseTiles.size());
  auto &arrivals = counters_[step.command].arrivals;
  for (uint32_t phase = 0; phase < phases; ++phase) {
    if (node.region)
      runRegionOf(node, step, worker, scratch, run);
    else
      runPhase(node, step, phase, worker, scratch, run);
    if (run.jitterSeed)
      jitter(SplitMix64(run.jitterSeed + runs_).next() ^
                 (uint64_t(step.command) << 16 | uint64_t(worker) << 8 | phase),
             startNs);
    if (phase + 1 == phases)
      break;
    const uint32_t goal = base + node.members * (phase + 1);
    const auto reached = [&] {
      return int32_t(arrivals.load(std::memory_order_seq_cst) - goal) >= 0;
    };
    if (arrivals.fetch_add(1) + 1 == goal)
      run.signal->notify();
    else
      run.signal->await(reached, run.spinNs);
  }
  if (run.recordTasks && node.parts.size() == 1)
    run.records[worker].push_back({step.command, worker, startNs, nowNs()});
  if (arrivals.fetch_add(1) + 1 != base + node.perRun)
    return;
  for (const Part &part : node.parts)
    if (run.instances[part.instance].commandsLeft.fetch_sub(1) == 1)
      run.instanceEnded(part.instance);
  run.signal->notify();
}

} // namespace mtc::host
