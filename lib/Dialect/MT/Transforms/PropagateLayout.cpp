//===- PropagateLayout.cpp - channels last, and transposes for free -------===//
//
// Chooses for each tensor value of an entry the order in which its dims are stored. Importers emit
// ONNX's order, channels first; kernels want channels last, so that vectors run along them. Since
// structured ops name their dims by indexing maps, an op works in any layout: only its maps and
// types change. A linalg.transpose then names a layout and moves nothing; reshapes stay free as
// long as the dims that they merge lie together. Bytes move only where that fails: at the entry's
// boundary, between disagreeing operands of a concatenation, before some reshapes. Weights are
// permuted when compiling.
//
// Two passes over the entry, no recursion: wishes from consumers to producers (LayoutWishes.cpp),
// then in program order the rewrite of this file.
//
//===----------------------------------------------------------------------===//
#include "Layout.h"
#include "LayoutWishes.h"
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mtc::mt {
#define GEN_PASS_DEF_PROPAGATELAYOUT
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// A logical value's new form.
struct Stored {
  Value value;
  Layout layout;
};

ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }
int64_t rankOf(Value v) { return shapeOf(v).size(); }

class EntryRewriter {
public:
  EntryRewriter(EntryOp entry, DerivedWeights &weights)
      : entry(entry), weights(weights), wishes(collectWishes(entry, weights)),
        rewriter(entry.getContext()) {}

  void run() {
    Block &body = entry.getBody().front();
    SmallVector<Operation *> ops;
    for (Operation &op : body)
      ops.push_back(&op);
    for (Operation *op : ops) {
      rewriter.setInsertionPoint(op);
      visit(op);
    }
    for (Operation *op : llvm::reverse(ops))
      if (replaced.contains(op) || isOpTriviallyDead(op))
        op->erase();
  }

private:
  EntryOp entry;
  DerivedWeights &weights;
  Wishes wishes;
  IRRewriter rewriter;
  DenseMap<Value, Stored> stored;              ///< absent: the value itself, identity
  DenseMap<Value, SmallVector<Stored>> copies; ///< changes of layout made so far
  llvm::DenseSet<Operation *> replaced;

  Stored lookup(Value v) {
    auto it = stored.find(v);
    return it == stored.end() ? Stored{v, identityLayout(rankOf(v))} : it->second;
  }

  const Wish *wishFor(Value v) {
    auto it = wishes.find(v);
    return it == wishes.end() ? nullptr : &it->second;
  }

  void replace(Operation *op, unsigned result, Value value, Layout layout) {
    stored[op->getResult(result)] = {value, std::move(layout)};
    replaced.insert(op);
  }

  /// `logical` stored in `layout`.
  Value in(Value logical, ArrayRef<int64_t> layout) {
    Stored s = lookup(logical);
    if (ArrayRef<int64_t>(s.layout) == layout)
      return s.value;
    for (Stored &copy : copies[logical])
      if (ArrayRef<int64_t>(copy.layout) == layout)
        return copy.value;
    Location loc = logical.getLoc();
    if (isTrivialTensor(s.value))
      return trivial(s.value, physicalType(logical.getType(), layout));
    OpBuilder::InsertionGuard guard(rewriter);
    // Directly behind the value, so that every later op may use the copy.
    rewriter.setInsertionPointAfterValue(s.value);
    Value value = changeLayout(rewriter, loc, weights, s.value, shapeOf(logical), s.layout, layout);
    copies[logical].push_back({value, Layout(layout)});
    return value;
  }

  /// tensor.empty, or a fill of one, with another type.
  Value trivial(Value like, RankedTensorType type) {
    Location loc = like.getLoc();
    Value empty = tensor::EmptyOp::create(rewriter, loc, type.getShape(), type.getElementType());
    if (auto fill = like.getDefiningOp<linalg::FillOp>())
      return linalg::FillOp::create(rewriter, loc, fill.getInputs(), empty).getResult(0);
    return empty;
  }

  void visit(Operation *op) {
    TypeSwitch<Operation *>(op)
        .Case<arith::ConstantOp, GetWeightOp, tensor::EmptyOp>([](auto) {})
        .Case<linalg::FillOp>([&](auto) {
          if (!isTrivialTensor(op->getResult(0)))
            fallback(op);
        })
        .Case<linalg::TransposeOp>([&](linalg::TransposeOp t) { visitTranspose(t); })
        .Case<tensor::CollapseShapeOp>([&](tensor::CollapseShapeOp c) { visitCollapse(c); })
        .Case<tensor::ExpandShapeOp>([&](tensor::ExpandShapeOp e) { visitExpand(e); })
        .Case<tensor::PadOp>([&](tensor::PadOp p) { visitPad(p); })
        .Case<tensor::ConcatOp>([&](tensor::ConcatOp c) { visitConcat(c); })
        .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp s) { visitSlice(s); })
        .Case<linalg::GenericOp>([&](linalg::GenericOp g) { visitGeneric(g); })
        .Default([&](Operation *o) { fallback(o); });
  }

  /// Anything else sees ONNX's order.
  void fallback(Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      if (isa<RankedTensorType>(operand.get().getType()))
        operand.set(in(operand.get(), identityLayout(rankOf(operand.get()))));
    for (Value captured : capturedValues(op))
      if (isa<RankedTensorType>(captured.getType())) {
        Value value = in(captured, identityLayout(rankOf(captured)));
        op->walk([&](Operation *inner) { inner->replaceUsesOfWith(captured, value); });
      }
  }

  void visitTranspose(linalg::TransposeOp op) {
    Stored input = lookup(op.getInput());
    // Dim j of the result is dim permutation[j] of the input.
    Layout layout = llvm::map_to_vector(input.layout, [&](int64_t d) {
      return int64_t(llvm::find(op.getPermutation(), d) - op.getPermutation().begin());
    });
    replace(op, 0, input.value, layout);
  }

  void visitCollapse(tensor::CollapseShapeOp op) {
    Value source = op.getSrc();
    auto groups = op.getReassociationIndices();
    Stored input = lookup(source);
    auto merged = mergedLayout(shapeOf(source), input.layout, groups);
    if (!merged) {
      const Wish *wish = wishFor(op.getResult());
      merged = wish ? wish->layout : identityLayout(rankOf(op.getResult()));
      input.value = in(source, splitLayout(*merged, groups, rankOf(source)));
    }
    finishView(op, op.getResult(), input.value, *merged);
  }

  void visitExpand(tensor::ExpandShapeOp op) {
    Stored input = lookup(op.getSrc());
    finishView(op, op.getResult(), input.value,
               splitLayout(input.layout, op.getReassociationIndices(), rankOf(op.getResult())));
  }

  /// Takes over the wish if only dims of size 1 differ from it.
  void finishView(Operation *op, Value result, Value bytes, Layout layout) {
    const Wish *wish = wishFor(result);
    if (wish && sameBytes(shapeOf(result), layout, wish->layout))
      layout = wish->layout;
    Value view = viewAs(rewriter, op->getLoc(), bytes, physicalShape(shapeOf(result), layout));
    replace(op, 0, view, layout);
  }

  /// The layout in which a move works: its input's, unless that is ONNX's and a consumer wants
  /// another.
  Layout moveLayout(ArrayRef<Value> inputs, Value result) {
    for (Value v : inputs)
      if (Layout layout = lookup(v).layout; !isIdentity(layout))
        return layout;
    const Wish *wish = wishFor(result);
    return wish && wish->strong() ? wish->layout : identityLayout(rankOf(result));
  }

  void visitPad(tensor::PadOp op) {
    Layout layout = moveLayout({op.getSource()}, op.getResult());
    Value constant = op.getConstantPaddingValue();
    if (!constant || !op.getLow().empty() || !op.getHigh().empty())
      return fallback(op);
    auto amounts = [&](ArrayRef<int64_t> logical) {
      return llvm::map_to_vector(
          layout, [&](int64_t d) -> OpFoldResult { return rewriter.getIndexAttr(logical[d]); });
    };
    Value source = in(op.getSource(), layout);
    if (Operation *inner = constant.getDefiningOp(); inner && inner->getParentOp() == op)
      constant = rewriter.clone(*inner)->getResult(0);
    auto pad =
        tensor::PadOp::create(rewriter, op.getLoc(), physicalType(op.getType(), layout), source,
                              amounts(op.getStaticLow()), amounts(op.getStaticHigh()), constant);
    replace(op, 0, pad, layout);
  }

  void visitConcat(tensor::ConcatOp op) {
    SmallVector<Value> inputs = llvm::to_vector(op.getInputs());
    Layout layout = moveLayout(inputs, op.getResult());
    auto physical = llvm::map_to_vector(inputs, [&](Value v) { return in(v, layout); });
    int64_t dim = llvm::find(layout, int64_t(op.getDim())) - layout.begin();
    replace(op, 0, tensor::ConcatOp::create(rewriter, op.getLoc(), dim, physical), layout);
  }

  void visitSlice(tensor::ExtractSliceOp op) {
    Value source = op.getSource();
    if (rankOf(source) != rankOf(op.getResult()) || !op.getOffsets().empty() ||
        !op.getSizes().empty() || !op.getStrides().empty())
      return fallback(op);
    Layout layout = moveLayout({source}, op.getResult());
    auto amounts = [&](ArrayRef<int64_t> logical) {
      return llvm::map_to_vector(
          layout, [&](int64_t d) -> OpFoldResult { return rewriter.getIndexAttr(logical[d]); });
    };
    Value slice = tensor::ExtractSliceOp::create(
        rewriter, op.getLoc(), physicalType(op.getType(), layout), in(source, layout),
        amounts(op.getStaticOffsets()), amounts(op.getStaticSizes()),
        amounts(op.getStaticStrides()));
    replace(op, 0, slice, layout);
  }

  //===--------------------------------------------------------------------===//
  // Generics
  //===--------------------------------------------------------------------===//

  /// The operand whose layout the op follows: the one with most of the result's loops, then the
  /// largest.
  std::optional<Stored> reference(linalg::GenericOp op, AffineMap &map) {
    AffineMap out = op.getIndexingMapsArray()[op.getNumDpsInputs()];
    std::optional<Stored> best;
    std::tuple<int64_t, int64_t, bool> bestRank;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap m = op.getMatchingIndexingMap(input);
      Value v = input->get();
      SmallVector<unsigned> loops = plainLoops(m);
      int64_t covered = llvm::count_if(
          plainLoops(out), [&](unsigned loop) { return llvm::is_contained(loops, loop); });
      if (covered < 2 || isTrivialTensor(v) || weights.find(v))
        continue;
      Stored s = lookup(v);
      // Of equally large operands, one that has a layout of its own.
      std::tuple rank(covered, byteSize(v.getType()), !isIdentity(s.layout));
      if (best && rank <= bestRank)
        continue;
      best = s;
      bestRank = rank;
      map = m;
    }
    if (best)
      return best;
    for (Value v : capturedValues(op)) // a gather: its table's dims are the result's
      if (isa<RankedTensorType>(v.getType()) && !weights.find(v) &&
          rankOf(v) == int64_t(out.getNumResults())) {
        map = out;
        return lookup(v);
      }
    return std::nullopt;
  }

  Layout chooseResultLayout(linalg::GenericOp op) {
    Value result = op.getResult(0);
    const Wish *wish = wishFor(result);
    bool strong = wish && wish->strong();
    if (isConvolutionLike(op, weights)) {
      Layout channelsLast = channelsLastResult(op);
      bool differs = strong && !sameBytes(shapeOf(result), wish->layout, channelsLast);
      return differs ? wish->layout : channelsLast;
    }
    if (isContraction(op))
      return wish ? wish->layout : identityLayout(rankOf(result));
    AffineMap map;
    if (std::optional<Stored> s = reference(op, map)) {
      AffineMap out = op.getIndexingMapsArray()[op.getNumDpsInputs()];
      SmallVector<unsigned> loops;
      for (int64_t d : s->layout)
        if (auto loop = dyn_cast<AffineDimExpr>(map.getResult(d)))
          loops.push_back(loop.getPosition());
      // Loops that the operand lacks (a broadcast) follow the one that precedes them in the result.
      const unsigned *previous = nullptr;
      SmallVector<unsigned> outLoops = plainLoops(out);
      for (unsigned &loop : outLoops) {
        if (!llvm::is_contained(loops, loop))
          loops.insert(previous ? std::next(llvm::find(loops, *previous)) : loops.begin(), loop);
        previous = &loop;
      }
      Layout layout = layoutForLoops(out, loops);
      if (!isIdentity(s->layout) || !isIdentity(layout) || !strong)
        return layout;
    }
    return wish ? wish->layout : identityLayout(rankOf(result));
  }

  /// Parallel loops in the order of the result, then reductions in the order of the input that has
  /// most of them.
  SmallVector<unsigned> chooseLoopOrder(linalg::GenericOp op, ArrayRef<int64_t> resultLayout) {
    auto types = op.getIteratorTypesArray();
    auto maps = op.getIndexingMapsArray();
    llvm::SetVector<unsigned> order;
    for (int64_t d : resultLayout)
      if (auto loop = dyn_cast<AffineDimExpr>(maps[op.getNumDpsInputs()].getResult(d)))
        order.insert(loop.getPosition());
    for (unsigned loop = 0; loop < types.size(); ++loop)
      if (types[loop] == utils::IteratorType::parallel)
        order.insert(loop);
    SmallVector<OpOperand *> inputs = op.getDpsInputOperands();
    llvm::sort(inputs, [&](OpOperand *x, OpOperand *y) {
      auto score = [&](OpOperand *o) {
        bool isFree = weights.find(o->get()) || isTrivialTensor(o->get());
        return isFree ? -1 : byteSize(o->get().getType());
      };
      return std::pair(-score(x), x->getOperandNumber()) <
             std::pair(-score(y), y->getOperandNumber());
    });
    for (OpOperand *input : inputs)
      for (int64_t d : lookup(input->get()).layout) {
        AffineExpr e = maps[input->getOperandNumber()].getResult(d);
        for (unsigned loop = 0; loop < types.size(); ++loop)
          if (types[loop] == utils::IteratorType::reduction && e.isFunctionOfDim(loop))
            order.insert(loop);
      }
    for (unsigned loop = 0; loop < types.size(); ++loop)
      order.insert(loop);
    return llvm::to_vector(order);
  }

  /// Weights are permuted for free: in a convolution [N dims, K dims, channels of a depthwise one],
  /// elsewhere as the loops run.
  Layout weightLayout(linalg::GenericOp op, OpOperand *input, ArrayRef<unsigned> order) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (plainLoops(map).size() != map.getNumResults())
      return identityLayout(map.getNumResults());
    if (!isContraction(op))
      return layoutForLoops(map, order);
    if (!readsWindow(op))
      return identityLayout(map.getNumResults());
    auto roles = rolesOf(op, input->getOperandNumber());
    if (!roles)
      return identityLayout(map.getNumResults());
    // A grouped convolution keeps the group in front; a depthwise one has vectors of channels.
    SmallVector<unsigned> loops;
    if (!roles->n.empty())
      llvm::append_range(loops, roles->batch);
    llvm::append_range(loops, roles->n);
    for (unsigned loop : order)
      if (llvm::is_contained(roles->k, loop))
        loops.push_back(loop);
    if (roles->n.empty())
      llvm::append_range(loops, roles->batch);
    return layoutForLoops(map, loops);
  }

  void visitGeneric(linalg::GenericOp op) {
    if (!llvm::all_of(op.getDpsInits(), [](Value v) { return isTrivialTensor(v); }))
      return fallback(op);
    Layout resultLayout = chooseResultLayout(op);
    SmallVector<unsigned> order = chooseLoopOrder(op, resultLayout);
    auto maps = op.getIndexingMapsArray();
    SmallVector<Value> inputs, inits;
    SmallVector<AffineMap> newMaps;
    for (OpOperand *input : op.getDpsInputOperands()) {
      Stored s = lookup(input->get());
      if (weights.find(input->get())) {
        s.layout = weightLayout(op, input, order);
        s.value = in(input->get(), s.layout);
      } else if (isConvolutionLike(op, weights) &&
                 input->getOperandNumber() == activationOperand(op)) {
        if (const Wish *wish = wishFor(input->get()); wish && wish->strong()) {
          s.layout = wish->layout;
          s.value = in(input->get(), s.layout);
        }
      }
      inputs.push_back(s.value);
      newMaps.push_back(physicalMap(maps[input->getOperandNumber()], s.layout));
    }
    SmallVector<Layout> layouts;
    SmallVector<Type> types;
    for (auto [i, init] : llvm::enumerate(op.getDpsInits())) {
      AffineMap map = maps[inputs.size() + i];
      layouts.push_back(i == 0 ? resultLayout : layoutForLoops(map, order));
      RankedTensorType type = physicalType(op.getResult(i).getType(), layouts.back());
      types.push_back(type);
      inits.push_back(trivial(init, type));
      newMaps.push_back(physicalMap(map, layouts.back()));
    }
    auto renewed = linalg::GenericOp::create(rewriter, op.getLoc(), types, inputs, inits, newMaps,
                                             op.getIteratorTypesArray());
    renewed.getRegion().takeBody(op.getRegion());
    for (unsigned i = 0; i < types.size(); ++i)
      replace(op, i, renewed.getResult(i), layouts[i]);
    rewriteCaptures(renewed);
    interchange(renewed, order);
  }

  /// Loop `order[i]` becomes loop i.
  void interchange(linalg::GenericOp op, ArrayRef<unsigned> order) {
    SmallVector<AffineExpr> position(order.size());
    for (auto [i, loop] : llvm::enumerate(order))
      position[loop] = rewriter.getAffineDimExpr(i);
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (AffineMap &map : maps)
      map = map.replaceDimsAndSymbols(position, {}, order.size(), 0);
    SmallVector<Attribute> types;
    for (unsigned loop : order)
      types.push_back(op.getIteratorTypes()[loop]);
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    op.setIteratorTypesAttr(rewriter.getArrayAttr(types));
    op.walk([&](linalg::IndexOp index) {
      index.setDim(cast<AffineDimExpr>(position[index.getDim()]).getPosition());
    });
  }

  /// tensor.extract in a body reads tables in their layouts.
  void rewriteCaptures(linalg::GenericOp op) {
    for (Value captured : capturedValues(op)) {
      if (!isa<RankedTensorType>(captured.getType()))
        continue;
      bool onlyExtracted = true;
      op->walk([&](Operation *inner) {
        if (inner != op && llvm::is_contained(inner->getOperands(), captured))
          onlyExtracted &= isa<tensor::ExtractOp>(inner);
      });
      Stored s = lookup(captured);
      if (!onlyExtracted) {
        s.layout = identityLayout(rankOf(captured));
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPoint(op);
        s.value = in(captured, s.layout);
      }
      op->walk([&](Operation *inner) {
        if (inner == op || !llvm::is_contained(inner->getOperands(), captured))
          return;
        if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
          SmallVector<Value> indices = llvm::to_vector(extract.getIndices());
          extract.getIndicesMutable().assign(
              llvm::map_to_vector(s.layout, [&](int64_t d) { return indices[d]; }));
        }
        inner->replaceUsesOfWith(captured, s.value);
      });
    }
  }
};

struct PropagateLayout : mtc::mt::impl::PropagateLayoutBase<PropagateLayout> {
  void runOnOperation() override {
    DerivedWeights weights(getOperation());
    getOperation().walk([&](EntryOp entry) { EntryRewriter(entry, weights).run(); });
    weights.eraseUnused();
  }
};

} // namespace
