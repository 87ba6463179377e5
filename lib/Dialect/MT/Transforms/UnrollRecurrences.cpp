//===- UnrollRecurrences.cpp - the steps of a recurrence one by one -------===//
//
// For targets without an emitter of loops, and for steps that are better split over cores: a loop
// runs on one. Of LSTMs of quantized weights, measured with two cores (AMD EPYC Zen 4, shared VM,
// 2026-11-23): 256 hidden units, 0.25 MB, 3.3 ms in a loop, 3.5 unrolled; 512, 1 MB, 0.41 and 0.29
// ms; 768, 2.4 MB, 8.7 and 5.2 ms.
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"
#include "mtc/Dialect/MT/Transforms/Recurrences.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mtc::mt {
#define GEN_PASS_DEF_UNROLLRECURRENCES
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// More make more IR than is worth compiling.
constexpr int64_t kMaxSteps = 256;

/// Codes of weights that a step multiplies by: of products of integers, what no step changes.
int64_t codesOf(RecurrenceOp op) {
  int64_t codes = 0;
  const unsigned first = op.getInputs().size() + op.getStates().size();
  for (auto product : op.getBody().getOps<linalg::GenericOp>()) {
    if (!isContraction(product) || !getElementTypeOrSelf(product.getResult(0)).isInteger())
      continue;
    for (Value v : product.getInputs())
      if (auto argument = dyn_cast<BlockArgument>(v); argument && argument.getArgNumber() >= first)
        codes += cast<RankedTensorType>(v.getType()).getNumElements();
  }
  return codes;
}

/// Reassociation between [1, sizes...] and [sizes...].
SmallVector<ReassociationIndices> leadingUnit(int64_t rank) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t d = 1; d <= rank; ++d)
    groups.push_back(d == 1 ? ReassociationIndices{0, 1} : ReassociationIndices{d});
  return groups;
}

Value sliceAt(OpBuilder &b, Location loc, Value stacked, int64_t step) {
  auto type = cast<RankedTensorType>(stacked.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), sizes;
  SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
  offsets[0] = b.getIndexAttr(step);
  for (int64_t size : type.getShape())
    sizes.push_back(b.getIndexAttr(size));
  sizes[0] = b.getIndexAttr(1);
  Value slice = tensor::ExtractSliceOp::create(b, loc, stacked, offsets, sizes, strides);
  return tensor::CollapseShapeOp::create(b, loc, slice, leadingUnit(type.getRank() - 1));
}

Value stack(OpBuilder &b, Location loc, ArrayRef<Value> slices) {
  SmallVector<Value> parts;
  for (Value slice : slices) {
    auto type = cast<RankedTensorType>(slice.getType());
    SmallVector<int64_t> shape = {1};
    llvm::append_range(shape, type.getShape());
    parts.push_back(
        tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()),
                                      slice, leadingUnit(type.getRank())));
  }
  return parts.size() == 1 ? parts[0] : tensor::ConcatOp::create(b, loc, 0, parts).getResult();
}

} // namespace

SmallVector<Value> mtc::mt::unrollRecurrence(RecurrenceOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  Block &body = op.getBody().front();
  int64_t steps = op.getSteps();
  SmallVector<Value> states(op.getStates());
  SmallVector<SmallVector<Value>> outputs(op.getNumOutputs(), SmallVector<Value>(steps));
  for (int64_t i = 0; i < steps; ++i) {
    int64_t step = op.getReverse() ? steps - 1 - i : i;
    SmallVector<Value> arguments;
    for (Value input : op.getInputs())
      arguments.push_back(sliceAt(b, loc, input, step));
    llvm::append_range(arguments, states);
    llvm::append_range(arguments, op.getInvariants());
    IRMapping map;
    map.map(body.getArguments(), arguments);
    for (Operation &inner : body.without_terminator())
      b.clone(inner, map);
    for (auto [k, value] : llvm::enumerate(body.getTerminator()->getOperands())) {
      if (k < outputs.size())
        outputs[k][step] = map.lookup(value);
      else
        states[k - outputs.size()] = map.lookup(value);
    }
  }
  SmallVector<Value> results;
  for (ArrayRef<Value> slices : outputs)
    results.push_back(stack(b, loc, slices));
  llvm::append_range(results, states);
  op->replaceAllUsesWith(results);
  op->erase();
  return results;
}

namespace {

struct UnrollRecurrences : mtc::mt::impl::UnrollRecurrencesBase<UnrollRecurrences> {
  using UnrollRecurrencesBase::UnrollRecurrencesBase;
  void runOnOperation() override {
    SmallVector<RecurrenceOp> all;
    getOperation().walk([&](RecurrenceOp op) {
      if (leastCodes == 0 || (codesOf(op) >= leastCodes && op.getSteps() <= kMaxSteps))
        all.push_back(op);
    });
    for (RecurrenceOp op : all) {
      if (op.getSteps() > kMaxSteps) {
        op.emitOpError("has ") << op.getSteps() << " steps; this target runs at most " << kMaxSteps;
        return signalPassFailure();
      }
      unrollRecurrence(op);
    }
  }
};

} // namespace
