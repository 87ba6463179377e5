//===- Replay.h - one plan, ready to run on the cores of this host --------===//
//
// Every worker walks its own commands in the plan's order. A command has one counter, on a cache
// line of its own, that its workers raise after each phase; it never goes back. Its value
// against the number of runs so far tells both whether a phase has ended (the barrier between
// phases) and whether the command is done (what others wait for), so that nothing needs to be
// reset between rounds. A failed instance keeps counting, it only skips its kernels. Merged
// commands share one counter and one row of tiles.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "../Device.h"
#include "Code.h"
#include "Memory.h"
#include "Regions.h"
#include "Signal.h"
#include "Tiles.h"
#include "Weights.h"

#include <atomic>
#include <memory>
#include <vector>

namespace mtc::host {

/// The state of one instance (a request) during a job.
struct alignas(64) InstanceRun {
  std::atomic<int32_t> commandsLeft{0};
  std::atomic<int32_t> failedStatus{0}; ///< first kernel status that is not 0
  std::atomic<int32_t> failedCommand{-1};
  std::atomic<bool> skip{false}; ///< failed or cancelled: no more kernels
  bool isCancelled = false;      ///< before the run began: nothing is bound
};

/// One walk through a plan.
struct Run {
  std::vector<InstanceRun> instances;
  std::vector<std::vector<TaskRecord>> records; ///< by worker; empty unless tasks are recorded
  bool recordTasks = false;
  uint64_t jitterSeed = 0;
  int64_t spinNs = 0;
  int64_t maxTrips = 0;            ///< of the loops of a task; 0: its own
  std::atomic<int64_t> firstNs{0}; ///< when the first worker began
  Signal *signal = nullptr;
  /// Called once per instance by the worker that ends its last command.
  std::function<void(int32_t instance)> instanceEnded;
  explicit Run(size_t count) : instances(count) {}
};

class Replay : public ReadyPlan {
public:
  /// Resolves kernels, weights and worker lists. The problem and the weights outlive the Replay.
  /// Fails if a weight is damaged or a variant has no function (BundleRefused).
  static StatusOr<std::unique_ptr<Replay>> create(const Problem &problem, ScheduledPlan plan,
                                                  const LoadedCode &code, WeightMemory &weights,
                                                  int workers);

  const std::vector<ArenaNeed> &arenas() const { return arenas_; }
  GranuleMask participants() const { return participants_; }
  int64_t scratchBytes() const { return scratchBytes_; }

  /// Prepares the next run: addresses of arenas, and of inputs and outputs by instance
  /// (`buffer(instance, isInput, index)`). No run is under way.
  template <typename Buffer> void bind(const ArenaPool &arenas, Buffer buffer) {
    if (generation_ != arenas.generation())
      bindArenas(arenas);
    for (const Patch &patch : patches_)
      pointers_[patch.pointer] = buffer(patch.instance, patch.isInput, patch.index);
    ++runs_;
  }

  /// The walk of one worker through its commands of the current run.
  void work(int worker, void *scratch, Run &run);

private:
  /// A task of a node.
  struct Part {
    MtcKernelFn kernel = nullptr;
    const std::vector<int64_t> *phaseTiles = nullptr;
    uint32_t firstPointer = 0;
    int32_t command = 0;
    int32_t instance = 0;
  };
  /// A command and those that are merged with it: their tiles are numbered in a row. By its first
  /// command; the others have none.
  struct Node {
    std::vector<Part> parts;
    std::vector<int64_t> phaseTiles; ///< of all parts
    std::vector<int32_t> waits;      ///< first commands of others
    uint32_t firstShare = 0;         ///< of its members in shares_
    uint32_t members = 1;
    uint32_t perRun = 1; ///< members * phases: how far one run raises the counter
    std::unique_ptr<PreparedRegion> region; ///< in place of a kernel
    std::vector<void *> regionPointers;     ///< PreparedRegion::pointers for each member
    std::unique_ptr<RegionBarrier> barrier;
  };
  struct Step {
    int32_t command = 0; ///< the first of its node
    uint32_t rank = 0;   ///< of the worker among the command's workers
  };
  struct Patch {
    uint32_t pointer = 0;
    int32_t instance = 0;
    bool isInput = true;
    int32_t index = 0;
  };
  struct ArenaPointer {
    uint32_t pointer = 0;
    int32_t arena = 0;
    int64_t offset = 0;
  };
  struct alignas(64) Counter {
    std::atomic<uint32_t> arrivals{0};
  };

  void bindArenas(const ArenaPool &arenas);
  bool ended(int32_t command) const {
    const uint32_t goal = runs_ * nodes_[command].perRun;
    return int32_t(counters_[command].arrivals.load(std::memory_order_seq_cst) - goal) >= 0;
  }
  void runCommand(Step step, int worker, void *scratch, Run &run);
  void runPhase(const Node &node, Step step, uint32_t phase, int worker, void *scratch, Run &run);
  void runTiles(const Node &node, uint32_t phase, std::pair<int64_t, int64_t> tiles, int worker,
                void *scratch, Run &run);
  void runRegionOf(Node &node, Step step, int worker, void *scratch, Run &run);

  std::vector<ArenaNeed> arenas_;
  std::vector<Node> nodes_;
  std::vector<std::vector<Step>> steps_; ///< by worker
  std::vector<void *> pointers_;
  std::vector<Patch> patches_;
  std::vector<ArenaPointer> arenaPointers_;
  std::unique_ptr<Counter[]> counters_;
  std::unique_ptr<Share[]> shares_; ///< of commands with several members, see Tiles.h
  uint32_t runs_ = 0;
  uint64_t generation_ = 0;
  GranuleMask participants_ = 0;
  int64_t scratchBytes_ = 0;
};

} // namespace mtc::host
