//===- Plan.cpp - from a schedule to commands and addresses ---------------===//
//
// Waits are the schedule's orders, transitively reduced, and nothing else: inputs and outputs are
// the caller's and have one writer, and what shares arena memory is ordered already, so memory
// never adds a wait.
//
//===----------------------------------------------------------------------===//
#include "Arena.h"

#include <map>

namespace mtc {
namespace {

/// Where a value of an instance lies. `buffer` is its position among the packed buffers, or -1.
struct Location {
  BufferRef ref;
  int32_t buffer = -1;
};

class Planner {
public:
  Planner(const Problem &problem, const Schedule &schedule, const PlanOptions &options)
      : problem_(problem), schedule_(schedule), options_(options) {}

  Plan plan(const Predecessors &orders) {
    Reachability reachability = Reachability::compute(orders);
    plan_.name = schedule_.workload.name;
    for (size_t i = 0; i < schedule_.workload.instances.size(); ++i)
      locateValues(i);
    addCommands(transitiveReduction(orders, reachability));
    std::vector<int64_t> offsets =
        packArenas(buffers_, reachability, plan_.commands.size(), plan_.arenas);
    for (Command &command : plan_.commands)
      bindBuffers(command, offsets);
    return std::move(plan_);
  }

private:
  const Entry &entryOf(size_t instance) const {
    return problem_.entries[static_cast<size_t>(schedule_.workload.instances[instance])];
  }

  /// The arena of a tenant: of its group, or its own.
  int32_t arenaOf(int32_t tenantIndex) {
    const Tenant &tenant = problem_.tenants[static_cast<size_t>(tenantIndex)];
    bool alone = !options_.shareArenas || tenant.isolation.empty() || tenant.isolation == "guarded";
    // The tenant's index keeps a tenant apart from a group of the same name.
    auto [known, isNew] =
        arenas_.try_emplace({alone ? "" : tenant.isolation, alone ? tenantIndex : -1},
                            static_cast<int32_t>(plan_.arenas.size()));
    if (isNew)
      plan_.arenas.push_back({alone ? tenant.name : tenant.isolation, 0});
    return known->second;
  }

  void locateValues(size_t instance) {
    const Entry &entry = entryOf(instance);
    std::vector<Location> &row = locations_.emplace_back();
    for (const Value &value : entry.values) {
      Location &location = row.emplace_back();
      location.ref.bytes = value.bytes;
      location.ref.index = value.index;
      switch (value.kind) {
      case ValueKind::Input:
        location.ref.space = Space::Input;
        break;
      case ValueKind::Output:
        location.ref.space = Space::Output;
        break;
      case ValueKind::Weight:
        location.ref.space = Space::Weight;
        break;
      case ValueKind::Intermediate:
        location.ref.space = Space::Arena;
        location.ref.index = arenaOf(entry.tenant);
        location.buffer = static_cast<int32_t>(buffers_.size());
        buffers_.push_back({location.ref.index, value.bytes, 0, {}});
        break;
      }
    }
  }

  void addCommands(Predecessors waits) {
    for (size_t p = 0; p < schedule_.places.size(); ++p) {
      const Place &place = schedule_.places[p];
      const Task &task =
          entryOf(static_cast<size_t>(place.instance)).tasks[static_cast<size_t>(place.task)];
      const Kernel &kernel = problem_.kernels[static_cast<size_t>(task.kernel)];
      Command command;
      command.place = static_cast<int32_t>(p);
      command.instance = place.instance;
      command.task = place.task;
      command.kernel = task.kernel;
      command.variant = place.variant;
      command.lane = place.lane;
      command.granules = place.granules;
      command.merged = place.merged;
      command.waits = std::move(waits[p]);
      for (size_t o = 0; o < task.values.size(); ++o) {
        int32_t buffer = locationOf(place.instance, task.values[o]).buffer;
        if (buffer < 0)
          continue;
        Lifetime &lifetime = buffers_[static_cast<size_t>(buffer)];
        lifetime.uses.push_back(command.place);
        if (kernel.operands[o] == Access::Write)
          lifetime.writer = command.place;
      }
      plan_.commands.push_back(std::move(command));
    }
  }

  void bindBuffers(Command &command, const std::vector<int64_t> &offsets) {
    const Task &task =
        entryOf(static_cast<size_t>(command.instance)).tasks[static_cast<size_t>(command.task)];
    for (int32_t value : task.values) {
      const Location &location = locationOf(command.instance, value);
      BufferRef &ref = command.buffers.emplace_back(location.ref);
      if (location.buffer >= 0)
        ref.offset = offsets[static_cast<size_t>(location.buffer)];
    }
  }

  const Location &locationOf(int32_t instance, int32_t value) const {
    return locations_[static_cast<size_t>(instance)][static_cast<size_t>(value)];
  }

  const Problem &problem_;
  const Schedule &schedule_;
  const PlanOptions &options_;
  Plan plan_;
  std::map<std::pair<std::string, int32_t>, int32_t> arenas_; ///< (group, lone tenant) to arena
  std::vector<std::vector<Location>> locations_;              ///< by instance, then value
  std::vector<Lifetime> buffers_;
};

} // namespace

StatusOr<Plan> makePlan(const Problem &problem, const Schedule &schedule,
                        const PlanOptions &options) {
  MTC_RETURN_IF_ERROR(verify(problem, schedule));
  for (size_t p = 0; p < schedule.places.size(); ++p)
    if (schedule.places[p].shared)
      return invalidInput(describePlace(problem, schedule, static_cast<int32_t>(p)) +
                          " is a shared place; those are for simulation and have no plan");
  MTC_ASSIGN_OR_RETURN(Predecessors orders, directOrders(problem, schedule));
  return Planner(problem, schedule, options).plan(orders);
}

} // namespace mtc
