//===- Plan.h - memory and commands of a schedule -------------------------===//
//
// A Plan is what a device replays: commands in a topological order, each with its granules,
// waits and buffer addresses, and the arenas those addresses lie in. It adds no decision about
// time; it is right because verify() proves by reachability that whatever shares memory is
// ordered (rule R1).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Schedule.h"

namespace mtc {

/// Arena memory of one isolation group. Offsets are multiples of kBufferAlignment.
struct Arena {
  std::string isolation; ///< the group, or the tenant's name when it has the arena for itself
  int64_t bytes = 0;
};

inline constexpr int64_t kBufferAlignment = 64;

enum class Space : uint8_t { Arena, Input, Output, Weight };

/// Where an operand lies.
struct BufferRef {
  Space space = Space::Arena;
  int32_t index = 0;  ///< arena; the instance's input or output; the bundle's weight
  int64_t offset = 0; ///< bytes inside the arena; 0 for the other spaces
  int64_t bytes = 0;
};

/// One task to run, together with those merged with it, which have equal waits. Waits are the
/// commands that must have ended, transitively reduced; orders that follow from them are not
/// repeated.
struct Command {
  int32_t place = 0; ///< in the schedule; commands stand in the order of places
  int32_t instance = 0;
  int32_t task = 0;
  int32_t kernel = 0;
  int32_t variant = 0;
  int32_t lane = 0;
  GranuleMask granules = 1;
  bool merged = false;            ///< as its place: runs together with the command before it
  std::vector<int32_t> waits;     ///< indices of earlier commands
  std::vector<BufferRef> buffers; ///< in the order of Kernel::operands
};

struct Plan {
  std::string name; ///< of the workload
  std::vector<Arena> arenas;
  std::vector<Command> commands;
};

struct PlanOptions {
  bool shareArenas = true; ///< pack tenants of one isolation group into the same memory
};

/// Lays out memory and commands for a verified schedule without `shared` places.
///
/// Arenas are packed first-fit by decreasing size over the exact conflict relation: two values may
/// overlap only if all uses of one are ordered before the write of the other.
///
/// Fails if the schedule has `shared` places or does not verify.
///
/// Complexity: O(values^2) conflict tests of O(uses) each.
StatusOr<Plan> makePlan(const Problem &problem, const Schedule &schedule,
                        const PlanOptions &options = {});

/// Proves a plan right without trusting makePlan: commands are the schedule's places, operands lie
/// where their value does, buffers inside their arenas and aligned, arenas never shared between
/// isolation groups, every read preceded by its write and by no other write to the same bytes
/// since, and no two unordered commands touch overlapping bytes or the same granule, where order is
/// reachability over `waits` alone.
///
/// Precondition: check(problem) passed; schedule and plan may hold anything.
///
/// Fails if any of these does not hold, or the schedule does not verify, naming commands and
/// buffers.
///
/// Complexity: O(n^2 / 64 * waits + pairs of overlapping values).
Status verify(const Problem &problem, const Schedule &schedule, const Plan &plan);

/// Text form of a plan for people and FileCheck (`--emit=plan`, `mtrt inspect`): one line per arena
/// and command.
std::string printPlan(const Problem &problem, const Schedule &schedule, const Plan &plan);

} // namespace mtc
