//===- TaskGroups.h - which ops of an entry form one task -----------------===//
//
// Groups are the kernels' bodies: what one launch computes without going through memory.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

namespace mtc::mt {

struct TaskGroup {
  llvm::SmallVector<mlir::Operation *> ops; ///< in program order
  KernelKind kind = KernelKind::Opaque;
  std::string numerics = "exact"; ///< class of the order of reductions
};

/// Views, weights, constants and empty tensors belong to no group; entries keep or kernels repeat
/// them.
bool belongsToTask(mlir::Operation *op);

/// The groups of an entry's body, or of a step of a recurrence: every op that belongs to a task is
/// in exactly one, and the groups depend on each other without cycles. With `fuse` false each op is
/// its own group. Order: by first op.
/// Complexity: quadratic in the ops of the body in the worst case (a reachability check per merge).
std::vector<TaskGroup> formTaskGroups(mlir::Block &body, bool fuse);

/// A group in a kernel of its own.
struct Outlined {
  KernelOp kernel;
  llvm::SmallVector<mlir::Value> inputs, results; ///< of the group, as arguments and results
};

/// Clones the ops of `group`, and what is repeated inside, into the kernel that `makeKernel` makes
/// of a location and types. The group stays. Nullopt if nobody needs its results.
std::optional<Outlined>
outline(mlir::Block &body, const TaskGroup &group,
        llvm::function_ref<KernelOp(mlir::Location, mlir::TypeRange, mlir::TypeRange)> makeKernel);

} // namespace mtc::mt
