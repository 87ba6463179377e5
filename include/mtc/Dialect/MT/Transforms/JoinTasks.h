//===- JoinTasks.h - several tasks as one ---------------------------------===//
//
// What passes after mt-form-tasks share when they find that tasks are better one.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/IR/SymbolTable.h"

namespace mtc::mt {

/// A kernel in no task yet, and what a task of it would read.
struct JoinedKernel {
  KernelOp kernel;
  llvm::SmallVector<mlir::Value> inputs;
};

/// A kernel with the bodies of the kernels of `tasks`, one after the other, and the results of the
/// last one; it stands before that one's kernel and is not in `symbols`. Its arguments are what the
/// tasks read and none of them makes, each once, in order of use. The tasks stay.
///
/// Precondition: of what the other tasks make only later ones are looked at; reshapes between them
/// there are none.
JoinedKernel joinKernels(llvm::ArrayRef<TaskOp> tasks, llvm::StringRef name, KernelKind kind,
                         const mlir::SymbolTable &symbols);

/// Puts a task of `joined` before `last` and in its place; enters the kernel into `symbols`, which
/// may give it another name. `last` is erased.
TaskOp replaceByTask(TaskOp last, const JoinedKernel &joined, mlir::SymbolTable &symbols);

/// Gives the tasks of an entry ids in their order.
void numberTasks(EntryOp entry);

} // namespace mtc::mt
