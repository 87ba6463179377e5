//===- ScheduleOps.cpp - schedules as operations and back -----------------===//
//
// A place names its task by id instead of by position, so that the text stays readable and stays
// right when tasks are reordered.
//
//===----------------------------------------------------------------------===//
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"

#include "llvm/ADT/DenseMap.h"

using namespace mlir;

namespace mtc::mt {

/// `@tenant::@entry`.
static SymbolRefAttr symbolOf(EntryOp entry) {
  auto tenant = cast<TenantOp>(entry->getParentOp());
  return SymbolRefAttr::get(tenant.getSymNameAttr(),
                            {FlatSymbolRefAttr::get(entry.getSymNameAttr())});
}

ScheduleOp insertSchedule(ProgramOp program, const Schedule &schedule,
                          const ExportedProblem &exported) {
  const Workload &workload = schedule.workload;
  for (ScheduleOp old : llvm::make_early_inc_range(program.getBody().getOps<ScheduleOp>()))
    if (old.getLabel() == workload.name)
      old.erase();
  auto b = OpBuilder::atBlockEnd(&program.getBody().front());
  SmallVector<Attribute> instances;
  for (int32_t entry : workload.instances)
    instances.push_back(symbolOf(exported.entries[entry]));
  SmallVector<int64_t> edges;
  for (auto [before, after] : schedule.edges)
    edges.append({before, after});
  auto op = ScheduleOp::create(
      b, program.getLoc(), b.getStringAttr(workload.name), b.getStringAttr(schedule.policy),
      b.getI64IntegerAttr(schedule.makespanNs),
      b.getI64IntegerAttr(static_cast<int64_t>(workload.granules)), b.getArrayAttr(instances),
      edges.empty() ? DenseI64ArrayAttr() : b.getDenseI64ArrayAttr(edges));
  b.setInsertionPointToStart(&op.getBody().emplaceBlock());
  for (const Place &place : schedule.places) {
    const Entry &entry = exported.problem.entries[workload.instances[place.instance]];
    PlaceOp::create(
        b, program.getLoc(), b.getI64IntegerAttr(place.instance),
        b.getI64IntegerAttr(entry.tasks[place.task].id), b.getI64IntegerAttr(place.variant),
        b.getI64IntegerAttr(place.lane), b.getI64IntegerAttr(static_cast<int64_t>(place.granules)),
        b.getI64IntegerAttr(place.startNs), b.getI64IntegerAttr(place.durationNs),
        place.shared ? b.getUnitAttr() : UnitAttr(), place.merged ? b.getUnitAttr() : UnitAttr());
  }
  return op;
}

StatusOr<Schedule> readSchedule(ScheduleOp op, const ExportedProblem &exported) {
  llvm::DenseMap<Attribute, int32_t> entryOfSymbol;
  for (auto [i, entry] : llvm::enumerate(exported.entries))
    entryOfSymbol[symbolOf(entry)] = static_cast<int32_t>(i);
  llvm::DenseMap<std::pair<int32_t, int32_t>, int32_t> taskOfId;
  Schedule schedule;
  schedule.workload.name = op.getLabel().str();
  schedule.workload.granules = op.getGranules();
  schedule.policy = op.getPolicy().str();
  schedule.makespanNs = static_cast<int64_t>(op.getMakespan());
  for (Attribute instance : op.getInstances()) {
    auto known = entryOfSymbol.find(instance);
    if (known == entryOfSymbol.end())
      return invalidInput("schedule '" + schedule.workload.name + "' names an unknown entry");
    schedule.workload.instances.push_back(known->second);
    const Entry &entry = exported.problem.entries[known->second];
    for (auto [i, task] : llvm::enumerate(entry.tasks))
      taskOfId[{known->second, task.id}] = static_cast<int32_t>(i);
  }
  for (PlaceOp place : op.getBody().getOps<PlaceOp>()) {
    int32_t entry = schedule.workload.instances[place.getInstance()];
    schedule.places.push_back(
        {static_cast<int32_t>(place.getInstance()),
         taskOfId.lookup({entry, static_cast<int32_t>(place.getTask())}),
         static_cast<int32_t>(place.getVariant()), static_cast<int32_t>(place.getLane()),
         place.getGranules(), static_cast<int64_t>(place.getStart()),
         static_cast<int64_t>(place.getDuration()), place.getShared(), place.getMerged()});
  }
  ArrayRef<int64_t> edges = op.getEdges().value_or(ArrayRef<int64_t>());
  for (size_t i = 0; i + 1 < edges.size(); i += 2)
    schedule.edges.push_back({static_cast<int32_t>(edges[i]), static_cast<int32_t>(edges[i + 1])});
  return schedule;
}

} // namespace mtc::mt
