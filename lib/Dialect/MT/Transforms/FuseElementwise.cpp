//===- FuseElementwise.cpp - one pass over memory per chain ---------------===//
//
// Elementwise ops merge with their consumers by upstream's linalg fusion. A producer is merged if
// nothing else needs its result, or if computing it again costs no more than reading it would. Not
// merged: what stands behind a contraction into an op that is wider or transposed (it would no
// longer be that contraction's epilogue), and expensive work into a broadcast.
// Source: mlir/Dialect/Linalg/Transforms/Transforms.h, fuseElementwiseOps.
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "UnitDims.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mtc::mt {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

constexpr int kCheapOps = 2;

/// A longer body saves no traffic worth the time to compile it, which grows faster than its length:
/// 1,600 tanh in one kernel took 30 s and 1 GiB (Zen 4, LLVM 22.1.8), in pieces of this length 2 s.
constexpr size_t kMaxFusedOps = 256;

/// A few instructions of a cycle each: worth repeating for every element of a broadcast.
bool isCheap(linalg::GenericOp op) {
  int count = 0;
  for (Operation &o : op.getBody()->without_terminator())
    if (++count > kCheapOps ||
        !isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp,
             arith::AddIOp, arith::SubIOp, arith::CmpFOp, arith::CmpIOp, arith::SelectOp,
             arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp, arith::ExtSIOp, arith::ExtUIOp,
             arith::TruncIOp>(o))
      return false;
  return true;
}

/// Some operand is the result of a contraction or reduction.
bool followsReduction(linalg::GenericOp op) {
  return llvm::any_of(op.getInputs(), [](Value v) {
    auto producer = v.getDefiningOp<linalg::GenericOp>();
    return producer && producer.getNumReductionLoops() > 0;
  });
}

bool isOnlyUser(Operation *consumer, Operation *producer) {
  return llvm::all_of(producer->getUsers(), [&](Operation *user) { return user == consumer; });
}

bool fitsOneBody(linalg::GenericOp a, linalg::GenericOp b) {
  return a.getBody()->getOperations().size() + b.getBody()->getOperations().size() <= kMaxFusedOps;
}

int64_t iterations(linalg::GenericOp op) { return llvm::product_of(op.getStaticLoopRanges()); }

bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || !isAllParallel(producer) || !isAllParallel(consumer) ||
      producer.getNumResults() != 1 || !fitsOneBody(producer, consumer))
    return false;
  bool isBroadcast = iterations(consumer) > iterations(producer);
  bool follows = followsReduction(producer);
  if (follows && !consumer.getMatchingIndexingMap(operand).isIdentity())
    return false;
  if (isOnlyUser(consumer, producer))
    return !isBroadcast || isCheap(producer);
  // Again for every user: if its inputs are no larger than its result.
  int64_t inputBytes = 0;
  for (Value v : producer.getInputs())
    inputBytes += byteSize(v.getType());
  return !follows && isCheap(producer) && capturedValues(producer).empty() &&
         inputBytes <= byteSize(producer.getResult(0).getType());
}

/// What is left before a reduction (not a contraction or pooling) is computed while reducing.
bool shouldFuseIntoReduction(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || !isAllParallel(producer) || producer.getNumResults() != 1 ||
      !fitsOneBody(producer, consumer) || consumer.getNumReductionLoops() == 0 ||
      isContraction(consumer) || readsWindow(consumer))
    return false;
  // A sum of products would look like a matrix product.
  Operation *last = producer.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  bool isProduct =
      isa_and_nonnull<arith::MulFOp, arith::MulIOp>(last) && producer.getNumDpsInputs() > 1;
  return !isProduct && !followsReduction(producer) && isOnlyUser(consumer, producer) &&
         iterations(consumer) == iterations(producer);
}

/// A single-use result that only `operand`'s op reads, through a reshape that merges dims: the op
/// may as well run over the dims before they are merged, and then fuses with the producer.
bool shouldExpand(OpOperand *operand) {
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  auto collapse = operand->get().getDefiningOp<tensor::CollapseShapeOp>();
  if (!consumer || !isAllParallel(consumer) || consumer.hasIndexSemantics() || !collapse ||
      !collapse->hasOneUse() || !collapse.getSrc().hasOneUse())
    return false;
  auto source = collapse.getSrc().getDefiningOp<linalg::GenericOp>();
  auto shapeOf = [](Value v) { return cast<RankedTensorType>(v.getType()).getShape(); };
  auto isLarge = [](int64_t d) { return d != 1; };
  if (!source ||
      (isAllParallel(source) && llvm::count_if(shapeOf(collapse.getSrc()), isLarge) ==
                                    llvm::count_if(shapeOf(collapse.getResult()), isLarge)))
    return false;
  // It would no longer be the epilogue of another contraction.
  return llvm::none_of(consumer.getInputs(), [](Value v) {
    auto producer = v.getDefiningOp<linalg::GenericOp>();
    return producer && producer.getNumReductionLoops() > 0 && v.hasOneUse();
  });
}

/// The same for a reshape that splits dims, if the op reads nothing else of that shape: what would
/// be a pass over memory of its own (the factor on the queries, split into heads) becomes the
/// epilogue of a contraction.
bool shouldCollapse(OpOperand *operand) {
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  auto expand = operand->get().getDefiningOp<tensor::ExpandShapeOp>();
  if (!consumer || !isAllParallel(consumer) || consumer.hasIndexSemantics() || !expand ||
      !expand->hasOneUse() || !expand.getSrc().hasOneUse() || consumer.getNumDpsInputs() != 1)
    return false;
  return expand.getSrc().getDefiningOp<linalg::GenericOp>() &&
         llvm::all_of(consumer.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); });
}

/// Transposes that an elementwise op alone reads become part of it.
void generalizeTransposes(EntryOp entry, RewriterBase &rewriter) {
  auto all = llvm::to_vector(entry.getBody().front().getOps<linalg::TransposeOp>());
  for (linalg::TransposeOp op : all) {
    Value v = op->getResult(0);
    if (v.hasOneUse() && isa<tensor::CollapseShapeOp>(*v.user_begin()))
      v = v.user_begin()->getResult(0);
    if (!v.hasOneUse() || !isAllParallel(*v.user_begin()))
      continue;
    rewriter.setInsertionPoint(op);
    (void)linalg::generalizeNamedOp(rewriter, op);
  }
}

struct FuseElementwise : mtc::mt::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    // Chains first, so that only what is left crosses reshapes, and only what is left after that
    // moves into reductions.
    FrozenRewritePatternSet chains = patternsFor(shouldFuse, /*expands=*/false);
    FrozenRewritePatternSet acrossReshapes = patternsFor(shouldFuse, /*expands=*/true);
    FrozenRewritePatternSet reductions = patternsFor(shouldFuseIntoReduction, /*expands=*/false);
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    WalkResult result = getOperation().walk([&](EntryOp entry) {
      IRRewriter rewriter(context);
      DominanceInfo dominance(entry);
      eliminateCommonSubExpressions(rewriter, dominance, entry);
      generalizeTransposes(entry, rewriter);
      auto fuse = [&](const FrozenRewritePatternSet &patterns) {
        return applyPatternsGreedily(entry, patterns, config);
      };
      LogicalResult result = fuse(chains);
      readThroughUnitDims(entry, rewriter);
      dropUnusedUnitDims(entry, rewriter);
      readThroughUnitDims(entry, rewriter);
      if (failed(result) || failed(fuse(acrossReshapes)) || failed(fuse(reductions)))
        return WalkResult(entry.emitOpError("fusion of elementwise ops does not come to an end"));
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  FrozenRewritePatternSet patternsFor(linalg::ControlFusionFn shouldFuse, bool expands) {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    if (expands) {
      linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, shouldExpand);
      linalg::populateFoldReshapeOpsByCollapsingPatterns(patterns, shouldCollapse);
    }
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    linalg::FillOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExtractSliceOp::getCanonicalizationPatterns(patterns, context);
    tensor::ConcatOp::getCanonicalizationPatterns(patterns, context);
    return patterns;
  }
};

} // namespace
