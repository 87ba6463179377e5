//===- JoinTasks.cpp - several tasks as one -------------------------------===//
#include "mtc/Dialect/MT/Transforms/JoinTasks.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace mtc::mt {

static KernelOp kernelOf(TaskOp task, const SymbolTable &symbols) {
  return symbols.lookup<KernelOp>(task.getKernel());
}

JoinedKernel joinKernels(ArrayRef<TaskOp> tasks, StringRef name, KernelKind kind,
                         const SymbolTable &symbols) {
  llvm::DenseSet<Value> made;
  llvm::SetVector<Value> inputs;
  SmallVector<Location> locs;
  for (TaskOp task : tasks) {
    locs.push_back(kernelOf(task, symbols).getLoc());
    for (Value v : task.getOperands())
      if (!made.contains(v))
        inputs.insert(v);
    made.insert(task.getResults().begin(), task.getResults().end());
  }
  TaskOp end = tasks.back();
  KernelOp last = kernelOf(end, symbols);
  OpBuilder b(last);
  auto type = b.getFunctionType(ValueRange(inputs.getArrayRef()).getTypes(), end.getResultTypes());
  auto kernel = KernelOp::create(b, FusedLoc::get(last.getContext(), locs), name, kind, type);
  b.setInsertionPointToEnd(&kernel.getBody().front());
  IRMapping values; // of the entry, in the kernel
  values.map(inputs.getArrayRef(), kernel.getBody().getArguments());
  for (TaskOp task : tasks) {
    Block &body = kernelOf(task, symbols).getBody().front();
    IRMapping map;
    for (auto [argument, operand] : llvm::zip_equal(body.getArguments(), task.getOperands()))
      map.map(argument, values.lookup(operand));
    for (Operation &op : body.without_terminator())
      b.clone(op, map);
    for (auto [result, yielded] :
         llvm::zip_equal(task.getResults(), body.getTerminator()->getOperands()))
      values.map(result, map.lookup(yielded));
  }
  YieldOp::create(b, kernel.getLoc(),
                  llvm::map_to_vector(end.getResults(), [&](Value v) { return values.lookup(v); }));
  return {kernel, llvm::to_vector(inputs)};
}

TaskOp replaceByTask(TaskOp last, const JoinedKernel &joined, SymbolTable &symbols) {
  KernelOp kernel = joined.kernel;
  symbols.insert(kernel);
  OpBuilder b(last);
  auto task = TaskOp::create(b, kernel.getLoc(), last.getResultTypes(), 0, kernel.getSymName(),
                             joined.inputs);
  last.replaceAllUsesWith(task.getResults());
  last.erase();
  return task;
}

void numberTasks(EntryOp entry) {
  int64_t id = 0;
  for (Operation &op : entry.getBody().front())
    if (auto task = dyn_cast<TaskOp>(op))
      task.setId(id++);
    else if (auto region = dyn_cast<RegionTaskOp>(op))
      region.setId(id++);
}

} // namespace mtc::mt
