//===- Regions.cpp - walking branches and iterations ----------------------===//
#include "Regions.h"

#include "Chunk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mtc::host {

//===- Preparing ----------------------------------------------------------===//

static StatusOr<PreparedBody> prepareBody(const Problem &problem, const Body &body,
                                          const LoadedCode &code, WeightMemory &weights,
                                          size_t &pointers) {
  const Entry &graph = body.graph;
  PreparedBody prepared;
  for (const Tensor &tensor : graph.inputs)
    prepared.inputBytes.push_back(tensor.bytes);
  for (const Tensor &tensor : graph.outputs)
    prepared.outputBytes.push_back(tensor.bytes);
  for (const Task &task : graph.tasks) {
    const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
    PreparedTask &step = prepared.tasks.emplace_back();
    size_t needed = task.values.size();
    if (kernel.region) {
      MTC_ASSIGN_OR_RETURN(step.region, prepareRegion(problem, task.kernel, code, weights));
      needed += step.region->pointers;
    } else {
      step.kernel = code.kernel(task.kernel, 0);
      if (!step.kernel)
        return bundleRefused(fmt::format("kernel '{}' has no code", kernel.name));
      step.phaseTiles = &kernel.variants[0].phaseTiles;
    }
    pointers = std::max(pointers, needed);
    for (int32_t v : task.values) {
      const Value &value = graph.values[static_cast<size_t>(v)];
      Slot slot;
      switch (value.kind) {
      case ValueKind::Input:
        slot = {Slot::Where::Input, value.index};
        break;
      case ValueKind::Output:
        slot = {Slot::Where::Output, value.index};
        break;
      case ValueKind::Intermediate:
        slot = {Slot::Where::Workspace, body.offsets[static_cast<size_t>(v)]};
        break;
      case ValueKind::Weight:
        MTC_ASSIGN_OR_RETURN(uint8_t *const bytes, weights.find(value.index));
        slot = {Slot::Where::Absolute, 0, bytes};
        break;
      }
      step.operands.push_back(slot);
    }
  }
  return prepared;
}

StatusOr<std::unique_ptr<PreparedRegion>> prepareRegion(const Problem &problem, int32_t kernel,
                                                        const LoadedCode &code,
                                                        WeightMemory &weights) {
  auto prepared = std::make_unique<PreparedRegion>();
  prepared->region = &*problem.kernels[static_cast<size_t>(kernel)].region;
  prepared->layout = layoutOf(problem, *prepared->region);
  size_t ends = 0; // inputs and outputs of a body
  for (int32_t index : prepared->region->bodies) {
    const Body &body = problem.bodies[static_cast<size_t>(index)];
    ends = std::max(ends, body.graph.inputs.size() + body.graph.outputs.size());
    MTC_ASSIGN_OR_RETURN(PreparedBody ready,
                         prepareBody(problem, body, code, weights, prepared->pointers));
    prepared->bodies.push_back(std::move(ready));
  }
  prepared->pointers += ends;
  return prepared;
}

//===- Walking ------------------------------------------------------------===//

/// Nobody passes before all members have arrived.
static void await(RegionWalk &walk) {
  if (walk.members == 1)
    return;
  RegionBarrier &barrier = *walk.barrier;
  const uint32_t generation = barrier.generation.load();
  if (barrier.arrived.fetch_add(1) + 1 == walk.members) {
    barrier.arrived = 0;
    barrier.generation = generation + 1;
    walk.signal->notify();
    return;
  }
  walk.signal->await([&] { return barrier.generation.load() != generation; }, walk.spinNs);
}

static void fail(RegionWalk &walk, int32_t status) {
  if (walk.status == 0)
    walk.status = status;
  *walk.skip = true;
}

/// Copies this worker's part of `bytes`.
static void copyShare(void *to, const void *from, int64_t bytes, const RegionWalk &walk) {
  const auto [lo, hi] = chunk(bytes, walk.rank, walk.members);
  std::memcpy(static_cast<uint8_t *>(to) + lo, static_cast<const uint8_t *>(from) + lo,
              static_cast<size_t>(hi - lo));
}

/// All tasks of a body, a barrier behind every phase.
static void runBody(const PreparedBody &body, void *const *inputs, void *const *outputs,
                    uint8_t *workspace, void **pointers, RegionWalk &walk) {
  for (const PreparedTask &task : body.tasks) {
    for (size_t o = 0; o < task.operands.size(); ++o) {
      const Slot &slot = task.operands[o];
      switch (slot.where) {
      case Slot::Where::Input:
        pointers[o] = inputs[slot.offset];
        break;
      case Slot::Where::Output:
        pointers[o] = outputs[slot.offset];
        break;
      case Slot::Where::Workspace:
        pointers[o] = workspace + slot.offset;
        break;
      case Slot::Where::Absolute:
        pointers[o] = slot.address;
        break;
      }
    }
    if (task.region) {
      runRegion(*task.region, pointers, pointers + task.operands.size(), walk);
      await(walk);
      continue;
    }
    for (size_t phase = 0; phase < task.phaseTiles->size(); ++phase) {
      const auto [lo, hi] = chunk((*task.phaseTiles)[phase], walk.rank, walk.members);
      if (lo < hi && !walk.skip->load(std::memory_order_relaxed)) {
        const MtcKernelArgs args = {
            static_cast<int64_t>(phase), lo, hi, walk.worker, pointers, walk.scratch, nullptr};
        if (const int32_t status = task.kernel(&args))
          fail(walk, status);
      }
      await(walk);
    }
  }
}

static void runIf(const PreparedRegion &region, void *const *operands, void **pointers,
                  RegionWalk &walk) {
  const PreparedBody &body = region.bodies[*static_cast<const uint8_t *>(operands[0]) ? 0 : 1];
  const size_t inputs = body.inputBytes.size(), outputs = body.outputBytes.size();
  auto *workspace = static_cast<uint8_t *>(operands[1 + inputs + outputs]);
  runBody(body, operands + 1, operands + 1 + inputs, workspace + region.layout.body, pointers,
          walk);
}

static void runLoop(const PreparedRegion &region, void *const *operands, void **pointers,
                    RegionWalk &walk) {
  const PreparedBody &body = region.bodies[0];
  const RegionLayout &layout = region.layout;
  const size_t inputs = body.inputBytes.size(), outputs = body.outputBytes.size();
  const auto carried = static_cast<size_t>(region.region->carried);
  const auto scanned = static_cast<size_t>(region.region->scanned);
  const size_t stacked = outputs - 1 - carried;
  void *const *results = operands + inputs;
  auto *workspace = static_cast<uint8_t *>(results[outputs - 1]);
  // What the body sees; the state of its inputs and outputs changes places after each iteration.
  void **in = pointers, **out = pointers + inputs;
  std::copy(operands, operands + inputs, in);
  in[0] = workspace + layout.trip;
  for (size_t i = 0; i < scanned; ++i)
    in[2 + carried + i] = workspace + layout.scannedElement[i];
  for (size_t i = 0; i < stacked; ++i)
    out[1 + carried + i] = workspace + layout.stackedElement[i];

  const int64_t trips = *static_cast<const int64_t *>(operands[0]);
  const bool hasLength = scanned + stacked > 0;
  int64_t trip = 0;
  for (; trip < trips && *static_cast<const uint8_t *>(in[1]); ++trip) {
    const bool allowed = walk.tripsLeft-- > 0;
    if (walk.rank == 0) {
      *static_cast<int64_t *>(in[0]) = trip;
      if (!allowed)
        fail(walk, kTooManyTrips);
      if (hasLength && trip == region.region->length)
        fail(walk, kWrongLength);
      walk.barrier->stop = walk.skip->load();
    }
    if (!hasLength || trip < region.region->length)
      for (size_t i = 0; i < scanned; ++i) {
        const size_t at = 2 + carried + i;
        const int64_t bytes = body.inputBytes[at];
        copyShare(in[at], static_cast<const uint8_t *>(operands[at]) + trip * bytes, bytes, walk);
      }
    await(walk);
    if (walk.barrier->stop)
      return;
    const std::vector<int64_t> &next = trip % 2 ? layout.state : layout.nextState;
    for (size_t i = 0; i <= carried; ++i)
      out[i] = workspace + next[i];
    runBody(body, in, out, workspace + layout.body, pointers + inputs + outputs, walk);
    for (size_t i = 0; i < stacked; ++i) {
      const int64_t bytes = body.outputBytes[1 + carried + i];
      copyShare(static_cast<uint8_t *>(results[carried + i]) + trip * bytes, out[1 + carried + i],
                bytes, walk);
    }
    std::copy(out, out + 1 + carried, in + 1);
  }
  if (hasLength && trip != region.region->length && walk.rank == 0)
    fail(walk, kWrongLength);
  for (size_t i = 0; i < carried; ++i)
    copyShare(results[i], in[2 + i], body.outputBytes[1 + i], walk);
}

void runRegion(const PreparedRegion &region, void *const *operands, void **pointers,
               RegionWalk &walk) {
  if (region.region->kind == RegionKind::If)
    runIf(region, operands, pointers, walk);
  else
    runLoop(region, operands, pointers, walk);
}

} // namespace mtc::host
