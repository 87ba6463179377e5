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

/// The groups of an entry: every op that belongs to a task is in exactly one, and the groups depend
/// on each other without cycles. With `fuse` false each op is its own group. Order: by first op.
/// Complexity: quadratic in the ops of an entry in the worst case (a reachability check per merge).
std::vector<TaskGroup> formTaskGroups(EntryOp entry, bool fuse);

} // namespace mtc::mt
