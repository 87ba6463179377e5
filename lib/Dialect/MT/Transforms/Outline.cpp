//===- Outline.cpp - a group of ops becomes a kernel ----------------------===//
//
// What costs nothing is repeated inside: constants, empty tensors, fills, and what says how a
// packed weight is read.
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "TaskGroups.h"

#include "mtc/Dialect/MT/Transforms/Recurrences.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace mtc::mt {

/// The ONNX nodes' names, each once.
static Location locationOf(ArrayRef<Operation *> ops, MLIRContext *context) {
  llvm::SetVector<Location> locs;
  for (Operation *op : ops) {
    if (auto fused = dyn_cast<FusedLoc>(op->getLoc()))
      locs.insert(fused.getLocations().begin(), fused.getLocations().end());
    else
      locs.insert(op->getLoc());
  }
  return FusedLoc::get(locs.getArrayRef(), Attribute(), context);
}

std::optional<Outlined>
outline(Block &body, const TaskGroup &group,
        llvm::function_ref<KernelOp(Location, TypeRange, TypeRange)> makeKernel) {
  // Inputs in order of use, and what is repeated inside.
  llvm::SetVector<Value> inputs;
  llvm::SetVector<Operation *> inside(group.ops.begin(), group.ops.end());
  llvm::SetVector<Operation *> repeated;
  SmallVector<Operation *> worklist = llvm::to_vector(llvm::reverse(group.ops));
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val();
    SmallVector<Value> reads = llvm::to_vector(op->getOperands());
    llvm::append_range(reads, capturedValues(op));
    for (Value v : reads) {
      Operation *producer = v.getDefiningOp();
      if (producer && inside.contains(producer))
        continue;
      bool isCheap =
          producer && !belongsToTask(producer) &&
          !isa<GetWeightOp, TaskOp, RegionTaskOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
              producer);
      if (!isCheap)
        inputs.insert(v);
      else if (repeated.insert(producer))
        worklist.push_back(producer);
    }
  }
  SmallVector<Operation *> ops = repeated.takeVector();
  llvm::append_range(ops, group.ops);
  llvm::sort(ops, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
  Outlined outlined;
  for (Operation *op : group.ops)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            return !inside.contains(body.findAncestorOpInBlock(*user));
          }))
        outlined.results.push_back(result);
  if (outlined.results.empty())
    return std::nullopt;
  outlined.inputs = inputs.takeVector();

  Location loc = locationOf(group.ops, group.ops.front()->getContext());
  outlined.kernel = makeKernel(loc, ValueRange(outlined.inputs).getTypes(),
                               ValueRange(outlined.results).getTypes());
  OpBuilder b = OpBuilder::atBlockEnd(&outlined.kernel.getBody().front());
  IRMapping map;
  map.map(outlined.inputs, outlined.kernel.getBody().getArguments());
  for (Operation *op : ops)
    b.clone(*op, map);
  YieldOp::create(b, loc,
                  llvm::map_to_vector(outlined.results, [&](Value v) { return map.lookup(v); }));
  return outlined;
}

/// A value of a step without the reshapes around it.
static Value rootOf(Value v) {
  while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(v.getDefiningOp()))
    v = v.getDefiningOp()->getOperand(0);
  return v;
}

std::vector<StepKernel> formStepKernels(RecurrenceOp op, bool fuse) {
  std::vector<StepKernel> waiting, kernels;
  Block &body = op.getBody().front();
  for (const TaskGroup &group : formTaskGroups(body, fuse)) {
    auto makeKernel = [&](Location loc, TypeRange inputs, TypeRange results) {
      OpBuilder b(op.getContext());
      std::string name = "step_" + std::to_string(waiting.size());
      return KernelOp::create(b, loc, name, group.kind, b.getFunctionType(inputs, results));
    };
    if (std::optional<Outlined> outlined = outline(body, group, makeKernel))
      waiting.push_back({outlined->kernel, outlined->inputs, outlined->results});
  }
  // Groups are in the order of their first ops; a kernel runs after those that it reads from.
  llvm::DenseSet<Value> missing;
  for (const StepKernel &kernel : waiting)
    missing.insert(kernel.results.begin(), kernel.results.end());
  while (!waiting.empty()) {
    auto next = llvm::find_if(waiting, [&](const StepKernel &kernel) {
      return llvm::none_of(kernel.inputs, [&](Value v) { return missing.contains(rootOf(v)); });
    });
    assert(next != waiting.end() && "groups form no cycle");
    for (Value result : next->results)
      missing.erase(result);
    kernels.push_back(std::move(*next));
    waiting.erase(next);
  }
  return kernels;
}

} // namespace mtc::mt
