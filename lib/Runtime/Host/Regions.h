//===- Regions.h - control flow inside a command --------------------------===//
//
// All workers of a command walk its region together: each follows the same branches and iterations,
// since whatever decides them was written before a barrier that all have passed, and runs its share
// of the tiles of every task in between. Nobody leads and nothing is queued, so a region costs its
// barriers and no more. What one worker alone decides (to stop, since the request has failed) it
// writes before a barrier, too.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "../RegionStatus.h"
#include "Code.h"
#include "Signal.h"
#include "Weights.h"
#include "mtc/Scheduling/Regions.h"

#include <atomic>
#include <memory>
#include <vector>

namespace mtc::host {

struct PreparedRegion;

/// Where an operand of a body's task lies.
struct Slot {
  enum class Where : uint8_t { Input, Output, Workspace, Absolute } where = Where::Workspace;
  int64_t offset = 0; ///< position of the input or output, bytes into the workspace
  void *address = nullptr;
};

struct PreparedTask {
  MtcKernelFn kernel = nullptr; ///< null for a region
  const std::vector<int64_t> *phaseTiles = nullptr;
  std::unique_ptr<PreparedRegion> region;
  std::vector<Slot> operands;
};

struct PreparedBody {
  std::vector<PreparedTask> tasks;
  std::vector<int64_t> inputBytes, outputBytes;
};

/// A region with its code and weights, shared by nobody.
struct PreparedRegion {
  const Region *region = nullptr;
  RegionLayout layout;
  std::vector<PreparedBody> bodies;
  size_t pointers = 0; ///< that a worker needs to run it, those of inner regions included
};

/// Fails if a weight is damaged or a kernel has no code (BundleRefused).
/// Precondition: check(problem) passed. Ownership: the problem outlives the result.
StatusOr<std::unique_ptr<PreparedRegion>> prepareRegion(const Problem &problem, int32_t kernel,
                                                        const LoadedCode &code,
                                                        WeightMemory &weights);

/// What the workers of one command share while they are in a region.
struct alignas(64) RegionBarrier {
  std::atomic<uint32_t> arrived{0};
  std::atomic<uint32_t> generation{0};
  std::atomic<bool> stop{false};
};

/// One worker on its way through a region.
struct RegionWalk {
  int32_t worker = 0; ///< of the session
  uint32_t rank = 0;  ///< among the command's workers
  uint32_t members = 1;
  void *scratch = nullptr;
  int64_t tripsLeft = 0; ///< of all loops of the region together
  RegionBarrier *barrier = nullptr;
  Signal *signal = nullptr;
  int64_t spinNs = 0;
  std::atomic<bool> *skip = nullptr; ///< the request has failed or was cancelled
  int32_t status = 0;                ///< the first that is not 0
};

/// Runs a region on all workers of a command; each calls it once, with the same operands.
/// `pointers` is room for PreparedRegion::pointers addresses of this worker.
void runRegion(const PreparedRegion &region, void *const *operands, void **pointers,
               RegionWalk &walk);

} // namespace mtc::host
