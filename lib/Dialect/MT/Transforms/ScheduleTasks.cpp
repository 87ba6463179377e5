//===- ScheduleTasks.cpp - which task runs when, where, in which variant --===//
//
// The pass only translates: the decisions are the policies' (Scheduling/Policies.h), on plain data.
//
//===----------------------------------------------------------------------===//
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"
#include "mtc/Scheduling/Policies.h"

using namespace mlir;

namespace mtc::mt {

#define GEN_PASS_DEF_SCHEDULETASKS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"

namespace {

struct ScheduleTasks : impl::ScheduleTasksBase<ScheduleTasks> {
  using ScheduleTasksBase::ScheduleTasksBase;

  void runOnOperation() override {
    Status status = run(getOperation());
    if (status.ok())
      return;
    getOperation().emitOpError() << status.message();
    signalPassFailure();
  }

  Status run(ProgramOp program) {
    PolicyOptions options;
    options.merge = merge;
    MTC_ASSIGN_OR_RETURN(ExportedProblem exported, exportProblem(program, deviceOf(program)));
    MTC_ASSIGN_OR_RETURN(std::vector<Schedule> schedules,
                         defaultSchedules(exported.problem, options));
    for (Schedule &schedule : schedules)
      if (policy != "auto" && schedule.workload.name == "round") {
        Workload workload = schedule.workload;
        MTC_ASSIGN_OR_RETURN(schedule, runPolicy(policy, exported.problem, workload, options));
      }
    for (ScheduleOp old : llvm::make_early_inc_range(program.getBody().getOps<ScheduleOp>()))
      old.erase();
    for (const Schedule &schedule : schedules)
      insertSchedule(program, schedule, exported);
    return okStatus();
  }
};

} // namespace
} // namespace mtc::mt
