//===- EvaluateEntry.h - the results of an entry, without generated code --===//
//
// Evaluates an entry of any phase up to tasks with the evaluator of weights: kernels are inlined,
// weights become arguments. Slow, and independent of the code generator: what the passes' tests
// compare.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/Evaluation/Evaluate.h"

#include "mlir/IR/IRMapping.h"

namespace mtc::mt {

/// The bytes of result `index` of `entry`, or why they cannot be had.
inline StatusOr<TensorBytes> evaluateEntry(ProgramOp program, EntryOp entry,
                                           llvm::ArrayRef<TensorBytes> inputs, unsigned index) {
  using namespace mlir;
  Evaluation weights(program);
  SymbolTable symbols(program);
  Region region;
  Block *block = new Block();
  region.push_back(block);
  OpBuilder b(program.getContext());
  b.setInsertionPointToEnd(block);
  std::vector<TensorBytes> arguments(inputs.begin(), inputs.end());
  IRMapping map;
  for (BlockArgument a : entry.getBody().getArguments())
    map.map(a, block->addArgument(a.getType(), a.getLoc()));
  for (Operation &op : entry.getBody().front()) {
    if (auto get = dyn_cast<GetWeightOp>(op)) {
      MTC_ASSIGN_OR_RETURN(TensorBytes bytes,
                           weights.bytesOf(symbols.lookup<WeightOp>(get.getWeight())));
      arguments.push_back(bytes);
      map.map(get.getResult(), block->addArgument(get.getResult().getType(), get.getLoc()));
    } else if (auto task = dyn_cast<TaskOp>(op)) {
      auto kernel = symbols.lookup<KernelOp>(task.getKernel());
      IRMapping inner;
      for (auto [parameter, operand] :
           llvm::zip(kernel.getBody().getArguments(), task.getOperands()))
        inner.map(parameter, map.lookup(operand));
      for (Operation &o : kernel.getBody().front().without_terminator())
        b.clone(o, inner);
      Operation *yield = kernel.getBody().front().getTerminator();
      for (auto [result, value] : llvm::zip(task.getResults(), yield->getOperands()))
        map.map(result, inner.lookup(value));
    } else if (isa<ReturnOp>(op)) {
      YieldOp::create(b, op.getLoc(), map.lookup(op.getOperand(index)));
    } else {
      b.clone(op, map);
    }
  }
  return evaluateExpression(region, arguments);
}

} // namespace mtc::mt
