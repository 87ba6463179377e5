//===- Verify.cpp - the proof that a plan is right ------------------------===//
//
// Shares nothing with makePlan but the Problem's relations: orders come from the commands' waits
// alone, lifetimes from the buffers that commands name, and every pair of values with common
// bytes is tested. What passes is safe whatever durations are.
//
//===----------------------------------------------------------------------===//
#include "mtc/Planning/Plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

namespace mtc {
namespace {

const char *spaceName(Space space) {
  switch (space) {
  case Space::Arena:
    return "arena";
  case Space::Input:
    return "input";
  case Space::Output:
    return "output";
  case Space::Weight:
    return "weight";
  }
  return "unknown space";
}

Space spaceOf(ValueKind kind) {
  switch (kind) {
  case ValueKind::Input:
    return Space::Input;
  case ValueKind::Output:
    return Space::Output;
  case ValueKind::Weight:
    return Space::Weight;
  case ValueKind::Intermediate:
    return Space::Arena;
  }
  return Space::Arena;
}

/// A value of an instance that lies in an arena, as the commands use it.
struct Resident {
  BufferRef ref;
  int32_t instance = 0;
  int32_t value = 0;
  int32_t writer = -1;       ///< command
  std::vector<int32_t> uses; ///< commands, the writer too
};

class Verifier {
public:
  Verifier(const Problem &problem, const Schedule &schedule, const Plan &plan)
      : problem_(problem), schedule_(schedule), plan_(plan) {}

  Status run() {
    MTC_RETURN_IF_ERROR(checkShape());
    for (int32_t c = 0; c < commandCount(); ++c)
      MTC_RETURN_IF_ERROR(checkCommand(c));
    MTC_RETURN_IF_ERROR(checkIsolation());
    Predecessors waits;
    for (const Command &command : plan_.commands)
      waits.push_back(command.waits);
    reachability_ = Reachability::compute(waits);
    MTC_RETURN_IF_ERROR(checkDependences());
    MTC_RETURN_IF_ERROR(checkGranules());
    return checkMemory();
  }

private:
  int32_t commandCount() const { return static_cast<int32_t>(plan_.commands.size()); }
  const Command &command(int32_t c) const { return plan_.commands[static_cast<size_t>(c)]; }
  const Entry &entryOf(int32_t instance) const {
    int32_t entry = schedule_.workload.instances[static_cast<size_t>(instance)];
    return problem_.entries[static_cast<size_t>(entry)];
  }
  const Task &taskOf(const Command &c) const {
    return entryOf(c.instance).tasks[static_cast<size_t>(c.task)];
  }
  std::string describe(int32_t c) const {
    return fmt::format("command {}, {}", c, describePlace(problem_, schedule_, c));
  }
  template <typename... Args> Status wrong(fmt::format_string<Args...> format, Args &&...args) {
    return invalidInput(
        fmt::format("plan '{}': {}", plan_.name, fmt::format(format, std::forward<Args>(args)...)));
  }

  /// Commands stand for the places, one for one.
  Status checkShape() {
    if (plan_.name != schedule_.workload.name)
      return wrong("is not the plan of schedule '{}'", schedule_.workload.name);
    if (plan_.commands.size() != schedule_.places.size())
      return wrong("has {} commands, its schedule has {} places", plan_.commands.size(),
                   schedule_.places.size());
    for (size_t a = 0; a < plan_.arenas.size(); ++a)
      if (plan_.arenas[a].bytes < 0)
        return wrong("arena {} has {} bytes; wanted at least 0", a, plan_.arenas[a].bytes);
    for (int32_t i = 0; i < static_cast<int32_t>(schedule_.workload.instances.size()); ++i)
      residents_.emplace_back(entryOf(i).values.size());
    return okStatus();
  }

  Status checkCommand(int32_t c) {
    const Command &cmd = command(c);
    const Place &place = schedule_.places[static_cast<size_t>(c)];
    if (cmd.place != c || cmd.instance != place.instance || cmd.task != place.task ||
        cmd.variant != place.variant || cmd.lane != place.lane || cmd.granules != place.granules ||
        cmd.merged != place.merged || cmd.kernel != taskOf(cmd).kernel)
      return wrong("{} differs from its place", describe(c));
    if (cmd.merged && cmd.waits != command(c - 1).waits)
      return wrong("{} waits for [{}]; wanted [{}] as {}, with which it is merged", describe(c),
                   fmt::join(cmd.waits, ", "), fmt::join(command(c - 1).waits, ", "),
                   describe(c - 1));
    for (size_t w = 0; w < cmd.waits.size(); ++w)
      if (cmd.waits[w] < 0 || cmd.waits[w] >= c || (w > 0 && cmd.waits[w] <= cmd.waits[w - 1]))
        return wrong("{} waits for command {}; wanted earlier commands, ascending", describe(c),
                     cmd.waits[w]);
    const Task &task = taskOf(cmd);
    if (cmd.buffers.size() != task.values.size())
      return wrong("{} has {} buffers, its task has {} operands", describe(c), cmd.buffers.size(),
                   task.values.size());
    for (size_t o = 0; o < cmd.buffers.size(); ++o)
      MTC_RETURN_IF_ERROR(checkBuffer(c, o));
    return okStatus();
  }

  /// Operand `o` lies where its value does, and inside its arena. Collects arena values.
  Status checkBuffer(int32_t c, size_t o) {
    const Command &cmd = command(c);
    const BufferRef &ref = cmd.buffers[o];
    int32_t v = taskOf(cmd).values[o];
    const Value &value = entryOf(cmd.instance).values[static_cast<size_t>(v)];
    if (ref.space != spaceOf(value.kind))
      return wrong("{} has operand {} in {} memory; wanted {}", describe(c), o,
                   spaceName(ref.space), spaceName(spaceOf(value.kind)));
    if (ref.bytes != value.bytes)
      return wrong("{} has operand {} of {} bytes, its value {} has {}", describe(c), o, ref.bytes,
                   v, value.bytes);
    if (ref.space != Space::Arena) {
      if (ref.index != value.index || ref.offset != 0)
        return wrong("{} has operand {} at {} {} + {}; wanted {} + 0", describe(c), o,
                     spaceName(ref.space), ref.index, ref.offset, value.index);
      return okStatus();
    }
    if (ref.index < 0 || static_cast<size_t>(ref.index) >= plan_.arenas.size())
      return wrong("{} has operand {} in arena {} of {}", describe(c), o, ref.index,
                   plan_.arenas.size());
    int64_t arenaBytes = plan_.arenas[static_cast<size_t>(ref.index)].bytes;
    if (ref.offset < 0 || ref.offset > arenaBytes || ref.bytes > arenaBytes - ref.offset)
      return wrong("{} has operand {} at {} + {} of arena {}, which has {} bytes", describe(c), o,
                   ref.offset, ref.bytes, ref.index, arenaBytes);
    if (ref.offset % kBufferAlignment != 0)
      return wrong("{} has operand {} at offset {}; wanted a multiple of {}", describe(c), o,
                   ref.offset, kBufferAlignment);
    Resident &resident = residents_[static_cast<size_t>(cmd.instance)][static_cast<size_t>(v)];
    if (resident.uses.empty())
      resident = {ref, cmd.instance, v, -1, {}};
    else if (resident.ref.index != ref.index || resident.ref.offset != ref.offset)
      return wrong("{} has operand {} at arena {} + {}, but value {} lies at arena {} + {}",
                   describe(c), o, ref.index, ref.offset, v, resident.ref.index,
                   resident.ref.offset);
    resident.uses.push_back(c);
    if (problem_.kernels[static_cast<size_t>(cmd.kernel)].operands[o] == Access::Write)
      resident.writer = c;
    return okStatus();
  }

  /// All tenants in an arena are the same one, or of one group that is not guarded.
  Status checkIsolation() {
    std::vector<int32_t> firstTenant(plan_.arenas.size(), -1);
    for (const std::vector<Resident> &row : residents_)
      for (const Resident &resident : row) {
        if (resident.uses.empty())
          continue;
        const Entry &entry = entryOf(resident.instance);
        const Tenant &tenant = problem_.tenants[static_cast<size_t>(entry.tenant)];
        const Arena &arena = plan_.arenas[static_cast<size_t>(resident.ref.index)];
        bool hasGroup = !tenant.isolation.empty() && tenant.isolation != "guarded";
        if (arena.isolation != tenant.name && !(hasGroup && arena.isolation == tenant.isolation))
          return wrong("arena {} of isolation '{}' holds a value of tenant '{}', isolation '{}'",
                       resident.ref.index, arena.isolation, tenant.name, tenant.isolation);
        int32_t &first = firstTenant[static_cast<size_t>(resident.ref.index)];
        if (first < 0)
          first = entry.tenant;
        const Tenant &other = problem_.tenants[static_cast<size_t>(first)];
        if (first != entry.tenant && !(hasGroup && other.isolation == tenant.isolation))
          return wrong("arena {} is shared by tenants '{}' and '{}', which are isolated",
                       resident.ref.index, other.name, tenant.name);
      }
    return okStatus();
  }

  /// Every task comes after the writers of what it reads, wherever that lies.
  Status checkDependences() {
    std::vector<std::vector<int32_t>> commandOf;
    for (int32_t entry : schedule_.workload.instances)
      commandOf.emplace_back(problem_.entries[static_cast<size_t>(entry)].tasks.size(), -1);
    for (int32_t c = 0; c < commandCount(); ++c)
      commandOf[static_cast<size_t>(command(c).instance)][static_cast<size_t>(command(c).task)] = c;
    for (size_t i = 0; i < commandOf.size(); ++i) {
      auto dependences = taskDependences(problem_, entryOf(static_cast<int32_t>(i)));
      for (size_t t = 0; t < dependences.size(); ++t)
        for (int32_t writerTask : dependences[t]) {
          int32_t writer = commandOf[i][static_cast<size_t>(writerTask)];
          int32_t reader = commandOf[i][t];
          if (!reachability_.reaches(writer, reader))
            return wrong("{} reads what {} writes and does not wait for it", describe(reader),
                         describe(writer));
        }
    }
    return okStatus();
  }

  /// Commands of a granule are totally ordered: each after those before it that run as one.
  Status checkGranules() {
    for (int granule = 0; granule < problem_.device.granules; ++granule) {
      std::vector<int32_t> previous; // merged ones have equal waits: checked of the first
      for (int32_t c = 0; c < commandCount(); ++c) {
        if (!(command(c).granules >> granule & 1))
          continue;
        for (int32_t p : previous)
          if (!command(c).merged && !reachability_.reaches(p, c))
            return wrong("{} and {} share granule {} and are not ordered", describe(p), describe(c),
                         granule);
        if (!command(c).merged)
          previous.clear();
        previous.push_back(c);
      }
    }
    return okStatus();
  }

  bool endsBefore(const Resident &a, const Resident &b) const {
    return std::all_of(a.uses.begin(), a.uses.end(),
                       [&](int32_t use) { return reachability_.reaches(use, b.writer); });
  }

  /// Of two values with common bytes, all uses of one come before the write of the other.
  Status checkMemory() {
    std::vector<const Resident *> byOffset;
    for (const std::vector<Resident> &row : residents_)
      for (const Resident &resident : row)
        if (!resident.uses.empty() && resident.ref.bytes > 0)
          byOffset.push_back(&resident);
    std::sort(byOffset.begin(), byOffset.end(), [](const Resident *a, const Resident *b) {
      return std::tuple(a->ref.index, a->ref.offset, a->instance, a->value) <
             std::tuple(b->ref.index, b->ref.offset, b->instance, b->value);
    });
    for (size_t i = 0; i < byOffset.size(); ++i)
      for (size_t j = i + 1; j < byOffset.size(); ++j) {
        const Resident &a = *byOffset[i], &b = *byOffset[j];
        if (b.ref.index != a.ref.index || b.ref.offset >= a.ref.offset + a.ref.bytes)
          break;
        if (!endsBefore(a, b) && !endsBefore(b, a))
          return wrong("value {} written by {} and value {} written by {} overlap in arena {} at "
                       "{} and are in use at the same time",
                       a.value, describe(a.writer), b.value, describe(b.writer), b.ref.index,
                       b.ref.offset);
      }
    return okStatus();
  }

  const Problem &problem_;
  const Schedule &schedule_;
  const Plan &plan_;
  Reachability reachability_;
  std::vector<std::vector<Resident>> residents_; ///< by instance, then value
};

} // namespace

Status verify(const Problem &problem, const Schedule &schedule, const Plan &plan) {
  MTC_RETURN_IF_ERROR(verify(problem, schedule));
  return Verifier(problem, schedule, plan).run();
}

} // namespace mtc
