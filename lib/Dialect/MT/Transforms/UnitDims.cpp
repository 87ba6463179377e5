//===- UnitDims.cpp - dims of size 1 between elementwise ops --------------===//
//
// ONNX keeps reduced dims with size 1, and broadcasts by them; in indexing maps they are dropped.
// The reshapes between the two forms are free, but hide that one op feeds another: a softmax over a
// batch of 1 would be four tasks instead of one. A dim of size 1 can be read by any loop of size 1,
// or by none, so that most such reshapes can be read through.
//
//===----------------------------------------------------------------------===//
#include "UnitDims.h"
#include "Layout.h"
#include "Structure.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::mt {

static ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

static SmallVector<int64_t> largeDims(Value v) {
  SmallVector<int64_t> dims;
  llvm::copy_if(shapeOf(v), std::back_inserter(dims), [](int64_t d) { return d != 1; });
  return dims;
}

/// The value behind reshapes that only add or remove dims of size 1.
static Value behindUnitDims(Value v) {
  while (Operation *op = v.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op) ||
        largeDims(op->getOperand(0)) != largeDims(v))
      break;
    v = op->getOperand(0);
  }
  return v;
}

/// Rewrites one input to read `root`, or a reshape of it that keeps as many of its unit dims as the
/// op has loops for.
static void readRoot(linalg::GenericOp op, OpOperand *input, Value root, RewriterBase &rewriter) {
  AffineMap map = op.getMatchingIndexingMap(input);
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<unsigned> large; // loops of the operand's large dims
  for (auto [size, e] : llvm::zip(shapeOf(input->get()), map.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(e);
    if (size == 1)
      continue;
    if (!loop)
      return;
    large.push_back(loop.getPosition());
  }
  SmallVector<unsigned> units;
  for (unsigned loop = 0; loop < ranges.size(); ++loop)
    if (ranges[loop] == 1)
      units.push_back(loop);
  SmallVector<AffineExpr> exprs;
  SmallVector<int64_t> shape;
  unsigned nextLarge = 0, nextUnit = 0;
  for (int64_t size : shapeOf(root)) {
    if (size == 1 && nextUnit == units.size())
      continue;
    exprs.push_back(rewriter.getAffineDimExpr(size == 1 ? units[nextUnit++] : large[nextLarge++]));
    shape.push_back(size);
  }
  if (shapeOf(input->get()) == ArrayRef<int64_t>(shape))
    return;
  rewriter.setInsertionPoint(op);
  Value view = viewAs(rewriter, op.getLoc(), root, shape);
  Value replaced = input->get();
  rewriter.modifyOpInPlace(op, [&] {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    maps[input->getOperandNumber()] =
        AffineMap::get(map.getNumDims(), 0, exprs, rewriter.getContext());
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    input->set(view);
  });
  // A reshape that nobody reads any more would count as a user of `root` that needs its dims.
  while (replaced != root && replaced.use_empty()) {
    Operation *reshape = replaced.getDefiningOp();
    replaced = reshape->getOperand(0);
    rewriter.eraseOp(reshape);
  }
}

void readThroughUnitDims(EntryOp entry, RewriterBase &rewriter) {
  for (auto op : entry.getBody().front().getOps<linalg::GenericOp>()) {
    if (isContraction(op) || readsWindow(op))
      continue;
    // A reduction's loop must stay visible in an input.
    bool reducesUnit = false;
    for (auto [type, size] : llvm::zip(op.getIteratorTypesArray(), op.getStaticLoopRanges()))
      reducesUnit |= type == utils::IteratorType::reduction && size == 1;
    if (reducesUnit)
      continue;
    for (OpOperand *input : op.getDpsInputOperands()) {
      Value root = behindUnitDims(input->get());
      if (root != input->get() && !root.getDefiningOp<GetWeightOp>())
        readRoot(op, input, root, rewriter);
    }
  }
}

/// The loops of an elementwise op that all users of its result drop; empty if they disagree.
static SmallVector<unsigned> droppedLoops(linalg::GenericOp op, tensor::CollapseShapeOp &first) {
  if (!isAllParallel(op) || op.getNumResults() != 1 || op.hasIndexSemantics() ||
      !op.getIndexingMapsArray().back().isIdentity() || op->use_empty())
    return {};
  for (Operation *user : op->getUsers()) {
    auto collapse = dyn_cast<tensor::CollapseShapeOp>(user);
    if (!collapse || largeDims(collapse.getResult()) != largeDims(op.getResult(0)) ||
        (first && first.getResultType() != collapse.getResultType()))
      return {};
    first = collapse;
  }
  SmallVector<unsigned> kept, dropped;
  for (const ReassociationIndices &group : first.getReassociationIndices()) {
    int64_t keep = group.front();
    for (int64_t d : group)
      if (shapeOf(op.getResult(0))[d] != 1)
        keep = d;
    kept.push_back(keep);
  }
  // Where an input has the dims too, dropping them would only move the reshape before the op.
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    if (llvm::is_contained(kept, loop))
      continue;
    dropped.push_back(loop);
    for (OpOperand *input : op.getDpsInputOperands())
      if (op.getMatchingIndexingMap(input).isFunctionOfDim(loop))
        return {};
  }
  return dropped;
}

void dropUnusedUnitDims(EntryOp entry, RewriterBase &rewriter) {
  auto all = llvm::to_vector(entry.getBody().front().getOps<linalg::GenericOp>());
  for (linalg::GenericOp op : all) {
    tensor::CollapseShapeOp collapse;
    SmallVector<unsigned> dropped = droppedLoops(op, collapse);
    if (dropped.empty() ||
        !llvm::all_of(op.getDpsInits(), [](Value v) { return isTrivialTensor(v); }))
      continue;
    rewriter.setInsertionPoint(op);
    SmallVector<AffineExpr> renumbered(op.getNumLoops());
    unsigned loops = 0;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      renumbered[loop] = llvm::is_contained(dropped, loop) ? rewriter.getAffineConstantExpr(0)
                                                           : rewriter.getAffineDimExpr(loops++);
    SmallVector<AffineMap> maps;
    for (OpOperand *input : op.getDpsInputOperands()) {
      SmallVector<AffineExpr> exprs;
      for (AffineExpr e : op.getMatchingIndexingMap(input).getResults())
        exprs.push_back(e.replaceDims(renumbered));
      maps.push_back(AffineMap::get(loops, 0, exprs, rewriter.getContext()));
    }
    RankedTensorType type = collapse.getResultType();
    maps.push_back(rewriter.getMultiDimIdentityMap(loops));
    Value init =
        tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(), type.getElementType());
    auto renewed = linalg::GenericOp::create(
        rewriter, op.getLoc(), TypeRange(type), op.getInputs(), ValueRange(init), maps,
        SmallVector<utils::IteratorType>(loops, utils::IteratorType::parallel));
    renewed.getRegion().takeBody(op.getRegion());
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      rewriter.replaceOp(user, renewed.getResults());
    rewriter.eraseOp(op);
  }
}

} // namespace mtc::mt
