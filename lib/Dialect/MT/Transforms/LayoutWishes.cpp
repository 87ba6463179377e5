//===- LayoutWishes.cpp - which layout consumers want ---------------------===//
#include "LayoutWishes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace mtc::mt {

/// The operand that a contraction uses as its weight, by form if none is constant.
static unsigned weightOperand(linalg::GenericOp op) {
  auto maps = op.getIndexingMapsArray();
  bool firstIsPlain = plainLoops(maps[0]).size() == maps[0].getNumResults();
  bool secondIsPlain = plainLoops(maps[1]).size() == maps[1].getNumResults();
  if (firstIsPlain != secondIsPlain)
    return firstIsPlain ? 0 : 1;
  bool firstIsWeight = op.getOperand(0).getDefiningOp<GetWeightOp>() != nullptr;
  bool secondIsWeight = op.getOperand(1).getDefiningOp<GetWeightOp>() != nullptr;
  return firstIsWeight && !secondIsWeight ? 0 : 1;
}

unsigned activationOperand(linalg::GenericOp op) {
  if (isContraction(op))
    return 1 - weightOperand(op);
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (plainLoops(map).size() != map.getNumResults())
      return input->getOperandNumber();
  }
  return 0;
}

Layout channelsLastResult(linalg::GenericOp op) {
  AffineMap out = op.getIndexingMapsArray().back();
  Layout front, back;
  if (isContraction(op)) {
    AffineMap weight = op.getIndexingMapsArray()[weightOperand(op)];
    for (auto [i, e] : llvm::enumerate(out.getResults()))
      (weight.isFunctionOfDim(cast<AffineDimExpr>(e).getPosition()) ? back : front).push_back(i);
  } else {
    // Pooling: of the loops that are not window positions, the first is the batch.
    auto plain = plainLoops(op.getIndexingMapsArray()[activationOperand(op)]);
    for (auto [i, e] : llvm::enumerate(out.getResults())) {
      unsigned loop = cast<AffineDimExpr>(e).getPosition();
      bool isChannel =
          llvm::is_contained(ArrayRef<unsigned>(plain).drop_front(!plain.empty()), loop);
      (isChannel ? back : front).push_back(i);
    }
  }
  llvm::append_range(front, back);
  return front;
}

bool isConvolutionLike(linalg::GenericOp op, DerivedWeights &weights) {
  if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1)
    return false;
  AffineMap out = op.getIndexingMapsArray().back();
  if (plainLoops(out).size() != out.getNumResults())
    return false;
  if (readsWindow(op))
    return true;
  return isContraction(op) && out.getNumResults() >= 3 &&
         weights.find(op.getOperand(weightOperand(op))) && !isIdentity(channelsLastResult(op));
}

/// Channels (loops shared with the weight, or for pooling with the result) last.
static Layout channelsLastInput(linalg::GenericOp op) {
  AffineMap input = op.getIndexingMapsArray()[activationOperand(op)];
  Layout front, back;
  bool contraction = isContraction(op);
  bool seenBatch = false;
  for (auto [i, e] : llvm::enumerate(input.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(e);
    bool isChannel =
        loop &&
        (contraction
             ? op.getIndexingMapsArray()[weightOperand(op)].isFunctionOfDim(loop.getPosition())
             : seenBatch);
    seenBatch |= bool(loop);
    (isChannel ? back : front).push_back(i);
  }
  llvm::append_range(front, back);
  return front;
}

Layout layoutForLoops(AffineMap map, ArrayRef<unsigned> loopOrder) {
  auto rank = [&](int64_t i) {
    auto loop = dyn_cast<AffineDimExpr>(map.getResult(i));
    return loop ? llvm::find(loopOrder, loop.getPosition()) - loopOrder.begin() : -1;
  };
  Layout layout = identityLayout(map.getNumResults());
  llvm::sort(layout,
             [&](int64_t x, int64_t y) { return std::pair(rank(x), x) < std::pair(rank(y), y); });
  return layout;
}

/// Parallel dims in their order, then reduced ones.
static Layout reductionsLast(linalg::GenericOp op, AffineMap map) {
  Layout front, back;
  for (auto [i, e] : llvm::enumerate(map.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(e);
    bool isReduced =
        loop && op.getIteratorTypesArray()[loop.getPosition()] == utils::IteratorType::reduction;
    (isReduced ? back : front).push_back(i);
  }
  llvm::append_range(front, back);
  return front;
}

namespace {

class WishCollector {
public:
  explicit WishCollector(DerivedWeights &weights) : weights(weights) {}
  Wishes wishes;

  void visit(Operation *op) {
    TypeSwitch<Operation *>(op)
        .Case<ReturnOp>([&](auto) {
          for (Value v : op->getOperands())
            wish(v, {identityLayout(rankOf(v)), Strength::Boundary});
        })
        .Case<linalg::TransposeOp>([&](linalg::TransposeOp transpose) {
          if (auto w = lookup(op->getResult(0)))
            wish(transpose.getInput(),
                 {llvm::map_to_vector(w->layout,
                                      [&](int64_t d) { return transpose.getPermutation()[d]; }),
                  w->strength});
        })
        .Case<tensor::PadOp, tensor::ExtractSliceOp>([&](auto) {
          if (auto w = lookup(op->getResult(0)))
            if (rankOf(op->getOperand(0)) == rankOf(op->getResult(0)))
              wish(op->getOperand(0), *w);
        })
        .Case<tensor::ConcatOp, tensor::InsertSliceOp>([&](auto) {
          if (auto w = lookup(op->getResult(0)))
            for (Value v : op->getOperands())
              if (isa<RankedTensorType>(v.getType()) && rankOf(v) == rankOf(op->getResult(0)))
                wish(v, *w);
        })
        .Case<tensor::CollapseShapeOp>([&](tensor::CollapseShapeOp collapse) {
          auto w = lookup(op->getResult(0));
          Layout layout = w ? w->layout : identityLayout(rankOf(op->getResult(0)));
          wish(collapse.getSrc(),
               {splitLayout(layout, collapse.getReassociationIndices(), rankOf(collapse.getSrc())),
                w ? w->strength : Strength::Boundary});
        })
        .Case<tensor::ExpandShapeOp>([&](tensor::ExpandShapeOp expand) {
          if (auto w = lookup(op->getResult(0)))
            if (auto merged = mergedLayout(expand.getResultType().getShape(), w->layout,
                                           expand.getReassociationIndices()))
              wish(expand.getSrc(), {*merged, w->strength});
        })
        .Case<linalg::GenericOp>([&](linalg::GenericOp generic) { visitGeneric(generic); });
  }

private:
  DerivedWeights &weights;

  static int64_t rankOf(Value v) { return cast<RankedTensorType>(v.getType()).getRank(); }

  std::optional<Wish> lookup(Value v) {
    auto it = wishes.find(v);
    return it == wishes.end() ? std::nullopt : std::optional<Wish>(it->second);
  }

  /// A stronger wish replaces a weaker one; of equal ones that of the last consumer stays.
  void wish(Value v, Wish w) {
    auto [it, isNew] = wishes.try_emplace(v, w);
    if (!isNew && w.strength > it->second.strength)
      it->second = w;
  }

  /// An image of the entry's caller that only this convolution reads, number by number: moving it
  /// first would take longer than reading some rows more side by side. Predicted: what the move
  /// took; measured for images of three channels, move and convolution: 480x640 1073 -> 752 us,
  /// 48x320 313 -> 218, 48x192 126 -> 44, 224x224 612 -> 530 (least of 12, two cores of AMD EPYC
  /// Zen 4, shared VM, 2026-11-23).
  static bool readsFewChannelsFromOutside(linalg::GenericOp op) {
    constexpr int64_t fewChannels = 4;
    Value input = op.getOperand(activationOperand(op));
    if (!isContraction(op) || !input.hasOneUse())
      return false;
    if (auto pad = input.getDefiningOp<tensor::PadOp>())
      input = pad.getSource();
    if (!isa<BlockArgument>(input) || !input.hasOneUse())
      return false;
    AffineMap map = op.getIndexingMapsArray()[activationOperand(op)];
    int64_t channels = 1;
    for (auto [i, e] : llvm::enumerate(map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(e);
          loop && op.getIteratorTypesArray()[loop.getPosition()] == utils::IteratorType::reduction)
        channels *= cast<RankedTensorType>(input.getType()).getDimSize(i);
    return channels <= fewChannels;
  }

  void visitGeneric(linalg::GenericOp op) {
    if (isConvolutionLike(op, weights)) {
      Value input = op.getOperand(activationOperand(op));
      const Layout layout =
          readsFewChannelsFromOutside(op) ? identityLayout(rankOf(input)) : channelsLastInput(op);
      wish(input, {layout, Strength::Channels});
      return;
    }
    if (op.getNumReductionLoops() > 0) {
      // A product wants the rows of its left side whole. Other reductions work along any dim; they
      // only confirm the order that there is.
      for (OpOperand *input : op.getDpsInputOperands()) {
        Layout layout = reductionsLast(op, op.getMatchingIndexingMap(input));
        if (isContraction(op) ? input->getOperandNumber() == activationOperand(op)
                              : isIdentity(layout))
          wish(input->get(), {layout, Strength::Rows});
      }
      return;
    }
    if (op.getNumResults() != 1)
      return;
    auto w = lookup(op.getResult(0));
    if (!w)
      return;
    AffineMap out = op.getIndexingMapsArray().back();
    SmallVector<unsigned> order;
    for (int64_t d : w->layout)
      if (auto loop = dyn_cast<AffineDimExpr>(out.getResult(d)))
        order.push_back(loop.getPosition());
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      if (map.getNumResults() > 1 && map.isProjectedPermutation())
        wish(input->get(), {layoutForLoops(map, order), w->strength});
    }
    for (Value captured : capturedValues(op))
      if (isa<RankedTensorType>(captured.getType()) && rankOf(captured) == rankOf(op.getResult(0)))
        wish(captured, *w);
  }
};

} // namespace

Wishes collectWishes(EntryOp entry, DerivedWeights &weights) {
  WishCollector collector(weights);
  for (Operation &op : llvm::reverse(entry.getBody().front()))
    collector.visit(&op);
  return std::move(collector.wishes);
}

} // namespace mtc::mt
