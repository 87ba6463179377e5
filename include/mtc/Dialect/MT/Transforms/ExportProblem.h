//===- ExportProblem.h - programs as Problems, schedules as operations ----===//
//
// Policies, planner and simulator work on plain data (Scheduling/Problem.h). Here is the only place
// where programs become Problems and where schedules are written to and read from the program.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Scheduling/Schedule.h"
#include "mtc/Support/Status.h"

#include <vector>

namespace mtc::mt {

/// A Problem and what its indices mean.
/// Ownership: the operations belong to the program.
struct ExportedProblem {
  Problem problem;
  std::vector<KernelOp> kernels; ///< problem.kernels[i]; in the order of their first uses
  std::vector<WeightOp> weights; ///< of Value::index of weights; in the order of their first uses
  std::vector<EntryOp> entries;  ///< problem.entries[i]; in the order of the program
};

/// The device of a program: its `target` and its attribute `mt.device` (see mt.program).
Device deviceOf(ProgramOp program);

/// Writes the numbers of `device` as `mt.device` and its target as `target`.
void setDevice(ProgramOp program, const Device &device);

/// The Problem of a program in the tuned phase, verified by check().
///
/// A reshape (tensor.expand_shape, tensor.collapse_shape) is the value that it reshapes; a weight
/// is one value of an entry however often it is got; arguments of kernels are read and results
/// written.
///
/// Fails if an entry holds other operations than these, tasks and mt.get_weight; a result of an
/// entry is not produced by a task, or two results are one value; a kernel has no variants
/// (InvalidInput, naming entry or kernel). Complexity: linear in the program.
StatusOr<ExportedProblem> exportProblem(ProgramOp program, const Device &device);

/// A kernel with its variants as plain data. Fails if it has none (InvalidInput).
StatusOr<Kernel> exportKernel(KernelOp kernel);

/// The names in a location, those of ONNX nodes, in order and once each, joined by '+'.
std::string namesOf(mlir::Location loc);

/// The loops of the operation with the most iterations (see mtc::Extents). A contraction's rows are
/// the loops of its first operand and the result, columns those of its second and the result.
/// Other kernels: rows are the parallel loops of the reduction with the fewest, depth its others;
/// without a reduction all loops are rows.
Extents extentsOf(KernelOp kernel);

/// Bytes of a kernel's arguments and results; of an argument of which it only takes slices or
/// single elements, those. Units: bytes.
int64_t bytesOf(KernelOp kernel);

/// Appends `schedule` to the program as an mt.schedule named after its workload. An operation of
/// that name is replaced.
ScheduleOp insertSchedule(ProgramOp program, const Schedule &schedule,
                          const ExportedProblem &exported);

/// The schedule that an mt.schedule holds; the inverse of insertSchedule().
/// Fails if an instance is not an entry of `exported` (InvalidInput).
StatusOr<Schedule> readSchedule(ScheduleOp op, const ExportedProblem &exported);

} // namespace mtc::mt
