//===- Isolate.cpp - what a step of a recurrence reads from outside -------===//
#include "mtc/Dialect/MT/IR/Isolate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace mtc::mt {

void openUp(RecurrenceOp op) {
  Block &body = op.getBody().front();
  const unsigned first = op.getInputs().size() + op.getStates().size();
  for (auto [argument, value] :
       llvm::zip_equal(body.getArguments().drop_front(first), op.getInvariants()))
    argument.replaceAllUsesWith(value);
  body.eraseArguments(first, op.getInvariants().size());
  op.getInvariantsMutable().clear();
}

void isolate(RecurrenceOp op) {
  Region &body = op.getBody();
  for (Operation &inner : llvm::make_early_inc_range(body.front().without_terminator())) {
    llvm::SetVector<Value> reads(inner.operand_begin(), inner.operand_end());
    getUsedValuesDefinedAbove(inner.getRegions(), reads);
    if (llvm::none_of(reads, [&](Value v) { return v.getParentRegion() == &body; }))
      inner.moveBefore(op);
  }
  SmallVector<Value> invariants;
  bool changes = true;
  while (changes) {
    changes = false;
    invariants.clear();
    llvm::SetVector<Value> reads;
    getUsedValuesDefinedAbove(body, reads);
    for (Value v : reads) {
      Operation *def = v.getDefiningOp();
      bool isFill = isa_and_nonnull<linalg::FillOp>(def) &&
                    def->getOperand(1).getDefiningOp<tensor::EmptyOp>();
      if (!isFill && !isa_and_nonnull<arith::ConstantOp, tensor::EmptyOp>(def)) {
        invariants.push_back(v);
        continue;
      }
      OpBuilder b = OpBuilder::atBlockBegin(&body.front());
      replaceAllUsesInRegionWith(v, b.clone(*def)->getResult(0), body);
      changes = true;
    }
  }
  for (Value v : invariants) {
    op.getInvariantsMutable().append(v);
    replaceAllUsesInRegionWith(v, body.front().addArgument(v.getType(), v.getLoc()), body);
  }
}

} // namespace mtc::mt
