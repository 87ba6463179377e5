//===- Recurrences.h - the steps of recurrences ---------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/IR/OwningOpRef.h"

namespace mtc::mt {

/// A part of a step as a kernel in no program, and the values of the step's body that are its
/// arguments and results.
struct StepKernel {
  mlir::OwningOpRef<KernelOp> kernel;
  llvm::SmallVector<mlir::Value> inputs, results;
};

/// The kernels of one step of `op` in the order in which they run, formed as the tasks of an entry
/// are. Every tensor that crosses a kernel's border is an argument of the body, a result of a
/// kernel, or a reshape of one. With `fuse` false every op is a kernel of its own.
/// Complexity: that of mt-form-tasks on the body.
std::vector<StepKernel> formStepKernels(RecurrenceOp op, bool fuse);

/// Replaces `op` by its steps, one after the other; returns what its results became.
/// Complexity: an op for every step and op of the body.
llvm::SmallVector<mlir::Value> unrollRecurrence(RecurrenceOp op);

} // namespace mtc::mt
