//===- Contraction.cpp - matrix products, convolutions, pooling by strides ===//
#include "Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace mtc::host {

const Window *Contraction::windowOfOuter(int64_t loop) const {
  auto it = llvm::find_if(windows, [&](const Window &w) { return w.outer == loop; });
  return it == windows.end() ? nullptr : it;
}

const Window *Contraction::windowOfInner(int64_t loop) const {
  auto it = llvm::find_if(windows, [&](const Window &w) { return w.inner == loop; });
  return it == windows.end() ? nullptr : it;
}

int64_t Contraction::product(ArrayRef<int64_t> which) const {
  int64_t p = 1;
  for (int64_t l : which)
    p *= loops[l].extent;
  return p;
}

namespace {

ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

class Analysis {
public:
  explicit Analysis(mt::KernelOp kernel) : kernel(kernel), block(kernel.getBody().front()) {}

  FailureOr<Contraction> run() {
    if (failed(findOps()) || failed(readBody()) || failed(planMemory()) || failed(readOperands()))
      return failure();
    for (Loop &l : c.loops)
      l.alive = l.extent > 1;
    for (const Window &w : c.windows)
      if (w.inner >= 0)
        c.loops[w.inner].alive = true;
    mergeParallel();
    if (failed(assignRoles()))
      return failure();
    orderReductions();
    return std::move(c);
  }

private:
  /// One reduction, at most one elementwise epilogue, and what is evaluated where it is read.
  LogicalResult findOps() {
    for (Operation &op : block.without_terminator()) {
      if (isa<tensor::EmptyOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, linalg::FillOp>(
              op) ||
          op.hasTrait<OpTrait::ConstantLike>())
        continue;
      if (isVirtual(&op) && isa<BlockArgument>(throughReshapes(op.getOperand(0))))
        continue;
      auto structured = dyn_cast<linalg::LinalgOp>(op);
      if (!structured || c.epilogue)
        return failure();
      if (!c.op) {
        if (structured.getNumReductionLoops() == 0 || op.getNumResults() != 1)
          return failure();
        c.op = structured;
      } else {
        if (structured.getNumReductionLoops() != 0)
          return failure();
        c.epilogue = structured;
      }
    }
    if (!c.op)
      return failure();
    Operation *last = c.epilogue ? c.epilogue : c.op;
    auto yield = block.getTerminator();
    if (yield->getNumOperands() != last->getNumResults())
      return failure();
    for (auto [v, r] : llvm::zip_equal(yield->getOperands(), last->getResults()))
      if (v != r)
        return failure();
    if (!c.epilogue)
      return success();
    Value result = c.op->getResult(0);
    int64_t rank = shapeOf(result).size();
    if (!result.hasOneUse() || c.epilogue.getNumLoops() != static_cast<unsigned>(rank))
      return failure();
    for (OpOperand &operand : c.epilogue->getOpOperands()) {
      bool isOut = c.epilogue.isDpsInit(&operand);
      if (isOut && c.epilogue.payloadUsesValueFromOperand(&operand))
        return failure();
      if ((isOut || operand.get() == result) &&
          !c.epilogue.getMatchingIndexingMap(&operand).isIdentity())
        return failure();
    }
    bool unfit = false;
    int64_t cost = 0;
    for (Operation &op : *c.epilogue.getBlock()) {
      unfit |= isa<linalg::IndexOp, tensor::ExtractOp>(op) || op.getNumRegions() > 0 ||
               !(op.hasTrait<OpTrait::IsTerminator>() || op.hasTrait<OpTrait::ConstantLike>() ||
                 OpTrait::hasElementwiseMappableTraits(&op));
      cost += isa<math::MathDialect>(op.getDialect()) ? 16 : isa<arith::DivFOp>(op) ? 4 : 1;
    }
    c.spillsEpilogue = cost > 16;
    return failure(unfit);
  }

  static Value throughReshapes(Value v) {
    while (auto *def = v.getDefiningOp()) {
      if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(def))
        break;
      v = def->getOperand(0);
    }
    return v;
  }

  LogicalResult readBody() {
    Block &body = *c.op.getBlock();
    c.inputs = c.op.getNumDpsInputs();
    auto fill = c.op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
    if (!fill || !body.getArguments().back().getType().isF32())
      return failure();
    // What is read is loaded as vectors of f32.
    for (BlockArgument argument : body.getArguments())
      if (!argument.use_empty() && !argument.getType().isF32())
        return failure();
    c.initial = fill.value();
    auto operations = body.without_terminator();
    if (llvm::hasNItems(operations, 2) && c.inputs == 2) {
      auto multiply = dyn_cast<arith::MulFOp>(&*operations.begin());
      auto add = dyn_cast<arith::AddFOp>(&*std::next(operations.begin()));
      BlockArgument acc = body.getArgument(2);
      if (multiply && add && body.getTerminator()->getOperand(0) == add.getResult()) {
        bool product = llvm::is_contained(add->getOperands(), multiply.getResult()) &&
                       llvm::is_contained(add->getOperands(), acc) &&
                       llvm::is_contained(multiply->getOperands(), body.getArgument(0)) &&
                       llvm::is_contained(multiply->getOperands(), body.getArgument(1)) &&
                       multiply->getResult(0).hasOneUse();
        if (product) {
          c.isProduct = true;
          return success();
        }
      }
    }
    // combine(acc, f(a)) of one input that is read.
    BlockArgument acc = body.getArgument(c.inputs);
    if (!acc.hasOneUse())
      return failure();
    combine = *acc.getUsers().begin();
    if (body.getTerminator()->getOperand(0) != combine->getResult(0) ||
        !isa<arith::AddFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
             arith::MinNumFOp>(combine))
      return failure();
    int64_t read = 0;
    for (int64_t i = 0; i < c.inputs; ++i)
      read += !body.getArgument(i).use_empty();
    bool vectorizable = llvm::all_of(operations, [](Operation &op) {
      return op.getNumRegions() == 0 && !isa<linalg::IndexOp, tensor::ExtractOp>(op) &&
             (op.hasTrait<OpTrait::ConstantLike>() || OpTrait::hasElementwiseMappableTraits(&op));
    });
    return failure(read != 1 || !vectorizable);
  }

  LogicalResult planMemory() {
    FailureOr<BufferPlan> plan = planBuffers(kernel);
    if (failed(plan) || !plan->resultCopies.empty())
      return failure();
    c.plan = std::move(*plan);
    // The contraction's result stays in registers.
    for (Storage &s : c.plan.storages)
      if (s.kind == Storage::Kind::Scratch) {
        s.elements = 0;
        s.scratchOffset = 0;
      }
    c.plan.scratchBytes = 0;
    return success();
  }

  LogicalResult readOperands() {
    int64_t loops = c.op.getNumLoops();
    c.epilogueInputs = c.epilogue ? c.epilogue.getNumDpsInputs() : 0;
    c.outputs = c.epilogue ? c.epilogue.getNumDpsInits() : 1;
    c.operands.resize(c.inputs + c.epilogueInputs + c.outputs);
    c.loops.resize(loops);
    SmallVector<int64_t> extents = c.op.getStaticLoopRanges();
    for (auto [d, type] : llvm::enumerate(c.op.getIteratorTypesArray())) {
      c.loops[d].extent = extents[d];
      c.loops[d].isReduction = type != utils::IteratorType::parallel;
      c.loops[d].strides.assign(c.operands.size(), 0);
    }
    SmallVector<AffineMap> maps = c.op.getIndexingMapsArray();
    for (int64_t i = 0; i < c.inputs; ++i) {
      OpOperand *input = c.op.getDpsInputOperand(i);
      if (c.op.isScalar(input))
        return failure();
      if (c.op.payloadUsesValueFromOperand(input) && failed(readOperand(i, input->get(), maps[i])))
        return failure();
    }
    // The epilogue's loops are the dimensions of the result, and those are loops of the
    // contraction.
    AffineMap outMap = maps[c.inputs];
    SmallVector<int64_t> loopOfDim;
    for (AffineExpr e : outMap.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(e);
      if (!dim || llvm::is_contained(loopOfDim, dim.getPosition()))
        return failure();
      loopOfDim.push_back(dim.getPosition());
    }
    if (static_cast<int64_t>(loopOfDim.size()) + c.op.getNumReductionLoops() != loops)
      return failure();
    auto readByDims = [&](int64_t index, Value v, AffineMap map) -> LogicalResult {
      Operand &o = c.operands[index];
      o.storage = c.plan.lookup(v);
      if (o.storage < 0)
        return failure();
      SmallVector<int64_t> strides = rowMajorStrides(shapeOf(v));
      for (auto [expr, stride] : llvm::zip_equal(map.getResults(), strides)) {
        SmallVector<int64_t> coefficients(loopOfDim.size(), 0);
        int64_t constant = 0;
        if (!linearForm(expr, coefficients, constant))
          return failure();
        o.offset += constant * stride;
        for (auto [dim, coefficient] : llvm::enumerate(coefficients))
          c.loops[loopOfDim[dim]].strides[index] += coefficient * stride;
      }
      return success();
    };
    for (int64_t i = 0; i < c.epilogueInputs; ++i) {
      OpOperand *input = c.epilogue.getDpsInputOperand(i);
      Operand &o = c.operands[c.inputs + i];
      if (c.epilogue.isScalar(input))
        o.scalar = input->get();
      else if (input->get() == c.op->getResult(0))
        o.storage = -2;
      else if (c.epilogue.payloadUsesValueFromOperand(input) &&
               failed(readByDims(c.inputs + i, input->get(),
                                 c.epilogue.getMatchingIndexingMap(input))))
        return failure();
    }
    auto identity = AffineMap::getMultiDimIdentityMap(loopOfDim.size(), kernel.getContext());
    Operation *last = c.epilogue ? c.epilogue : c.op;
    for (int64_t i = 0; i < c.outputs; ++i)
      if (failed(readByDims(c.output(i), last->getResult(i), identity)))
        return failure();
    return success();
  }

  /// A tensor argument, perhaps padded or packed.
  LogicalResult readOperand(int64_t index, Value v, AffineMap map) {
    Operand &o = c.operands[index];
    SmallVector<int64_t> low(map.getNumResults(), 0);
    SmallVector<bool> padded(map.getNumResults(), false);
    SmallVector<int64_t> strides;
    if (auto pad = v.getDefiningOp<tensor::PadOp>()) {
      if (!isNeutral(pad))
        return failure();
      for (auto [d, l, h] : llvm::enumerate(pad.getStaticLow(), pad.getStaticHigh())) {
        if (ShapedType::isDynamic(l) || ShapedType::isDynamic(h) || l < 0 || h < 0)
          return failure();
        low[d] = l;
        padded[d] = l > 0 || h > 0;
      }
      v = pad.getSource();
      strides = rowMajorStrides(shapeOf(v));
    } else if (auto unpack = v.getDefiningOp<linalg::UnPackOp>()) {
      if (unpack.getInnerDimsPos().size() != 1)
        return failure();
      SmallVector<int64_t> packedStrides = rowMajorStrides(shapeOf(unpack.getSource()));
      int64_t rank = map.getNumResults(), along = unpack.getInnerDimsPos()[0];
      strides.assign(rank, 0);
      for (int64_t position = 0; position < rank; ++position) {
        int64_t dim =
            unpack.getOuterDimsPerm().empty() ? position : unpack.getOuterDimsPerm()[position];
        strides[dim] = packedStrides[position];
      }
      auto loop = dyn_cast<AffineDimExpr>(map.getResult(along));
      if (!loop || !llvm::all_of(map.getResults(), llvm::IsaPred<AffineDimExpr>))
        return failure();
      o.panel = unpack.getStaticInnerTiles()[0];
      o.panelStride = strides[along];
      strides[along] = 1;
      panelLoop = loop.getPosition();
      v = unpack.getSource();
    } else {
      strides = rowMajorStrides(shapeOf(v));
    }
    if (!isa<BlockArgument>(throughReshapes(v)))
      return failure();
    o.storage = c.plan.lookup(v);
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      SmallVector<int64_t> coefficients(c.loops.size(), 0);
      int64_t constant = 0;
      if (!linearForm(expr, coefficients, constant))
        return failure();
      o.offset += (constant - low[d]) * strides[d];
      for (auto [l, coefficient] : llvm::enumerate(coefficients))
        c.loops[l].strides[index] += coefficient * strides[d];
      if (!padded[d])
        continue;
      Window w;
      w.low = low[d] - constant;
      w.size = shapeOf(v)[d];
      for (auto [l, coefficient] : llvm::enumerate(coefficients)) {
        if (coefficient == 0)
          continue;
        int64_t &slot = c.loops[l].isReduction ? w.inner : w.outer;
        if (slot >= 0 || coefficient < 0)
          return failure();
        slot = l;
        (c.loops[l].isReduction ? w.dilation : w.scale) = coefficient;
      }
      if (w.outer < 0 || c.windowOfOuter(w.outer) || (w.inner >= 0 && c.windowOfInner(w.inner)))
        return failure();
      c.windows.push_back(w);
    }
    return success();
  }

  /// Padding that changes nothing: it may be skipped.
  bool isNeutral(tensor::PadOp pad) {
    FloatAttr value;
    if (!matchPattern(pad.getConstantPaddingValue(), m_Constant(&value)))
      return false;
    APFloat v = value.getValue();
    if (c.isProduct)
      return v.isZero();
    bool isPlain = llvm::hasSingleElement(c.op.getBlock()->without_terminator()); // combine(acc, a)
    if (!isPlain)
      return false;
    if (isa<arith::AddFOp>(combine))
      return v.isZero();
    if (isa<arith::MaximumFOp, arith::MaxNumFOp>(combine))
      return v.isInfinity() && v.isNegative();
    if (isa<arith::MinimumFOp, arith::MinNumFOp>(combine))
      return v.isInfinity() && !v.isNegative();
    return v.isExactlyValue(1.0);
  }

  bool inWindow(int64_t l) const { return c.windowOfOuter(l) || c.windowOfInner(l); }

  bool compatible(int64_t outer, int64_t inner) const {
    for (size_t o = 0; o < c.operands.size(); ++o)
      if (c.loops[outer].strides[o] != c.loops[inner].strides[o] * c.loops[inner].extent)
        return false;
    return true;
  }

  /// Parallel loops that all tensors walk as one: batch, height and width of a 1x1 convolution.
  void mergeParallel() {
    SmallVector<int64_t> order;
    for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l)
      if (c.loops[l].alive && !c.loops[l].isReduction && !inWindow(l) && l != panelLoop)
        order.push_back(l);
    int64_t out = c.output(0);
    llvm::stable_sort(order,
                      [&](int64_t a, int64_t b) { return c.stride(out, a) > c.stride(out, b); });
    for (int64_t i = static_cast<int64_t>(order.size()) - 2; i >= 0; --i) {
      Loop &outer = c.loops[order[i]], &inner = c.loops[order[i + 1]];
      if (!compatible(order[i], order[i + 1]))
        continue;
      inner.extent *= outer.extent;
      outer.alive = false;
      order.erase(order.begin() + i);
    }
  }

  LogicalResult assignRoles() {
    for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l) {
      if (!c.loops[l].alive || c.loops[l].isReduction)
        continue;
      bool contiguous = true;
      for (int64_t i = 0; i < c.outputs; ++i)
        contiguous &= c.stride(c.output(i), l) == 1;
      if (contiguous)
        c.n = l;
    }
    if (c.n < 0 || inWindow(c.n) || c.extent(c.n) < 2 || (panelLoop >= 0 && panelLoop != c.n))
      return failure();
    // Which input is read as vectors and which as scalars.
    for (int64_t i = 0; i < c.inputs; ++i) {
      if (c.operands[i].storage < 0)
        continue;
      int64_t s = c.stride(i, c.n);
      if (s == 0)
        continue;
      if (c.vectorInput < 0) {
        c.vectorInput = i;
      } else {
        c.vectorRows = true;
        if (s != 1 || c.stride(c.vectorInput, c.n) != 1)
          return failure();
      }
    }
    if (c.vectorInput < 0)
      return failure();
    if (!c.isProduct) {
      c.vectorRows = true; // the only input varies with rows and lanes
      if (c.stride(c.vectorInput, c.n) != 1)
        return failure();
      c.vectorInput = -1;
    } else if (c.vectorRows) {
      // Both vary along n: the one that does not vary with rows (the weights) is shared by them.
      bool firstVaries = false;
      for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l)
        firstVaries |=
            l != c.n && c.loops[l].alive && !c.loops[l].isReduction && c.stride(0, l) != 0;
      c.vectorInput = firstVaries ? 1 : 0;
    }
    c.packs = c.isProduct && !c.vectorRows && c.stride(c.vectorInput, c.n) != 1;

    SmallVector<int64_t> outer;
    for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l)
      if (c.loops[l].alive && !c.loops[l].isReduction && l != c.n)
        outer.push_back(l);
    int64_t out = c.output(0);
    llvm::stable_sort(outer,
                      [&](int64_t a, int64_t b) { return c.stride(out, a) > c.stride(out, b); });
    auto sharesVectors = [&](int64_t l) {
      return c.vectorInput < 0 || c.stride(c.vectorInput, l) == 0;
    };
    auto score = [&](int64_t l) { return std::min<int64_t>(c.extent(l), 12); };
    for (int64_t l : outer)
      if (sharesVectors(l) && (c.m < 0 || score(l) >= score(c.m)))
        c.m = l;
    for (int64_t l : outer) {
      if (l == c.m)
        continue;
      (sharesVectors(l) ? c.rows : c.batch).push_back(l);
    }
    if (c.packs && c.extent(c.m) * c.product(c.rows) < 8)
      return failure(); // packing would not pay: dot products by rows are better
    return success();
  }

  void orderReductions() {
    for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l)
      if (c.loops[l].alive && c.loops[l].isReduction)
        c.reductions.push_back(l);
    int64_t by = c.vectorInput >= 0 && !c.packs ? c.vectorInput : -1;
    if (by < 0)
      for (int64_t i = 0; i < c.inputs; ++i)
        if (c.operands[i].storage >= 0 && i != c.vectorInput)
          by = i;
    llvm::stable_sort(c.reductions, [&](int64_t a, int64_t b) {
      return std::abs(c.stride(by, a)) > std::abs(c.stride(by, b));
    });
  }

  mt::KernelOp kernel;
  Block &block;
  Contraction c;
  Operation *combine = nullptr;
  int64_t panelLoop = -1;
};

int64_t groupsOf(const Contraction &c, const Tiling &t) {
  return llvm::divideCeil(c.extent(c.n), t.lanes * t.nv);
}

int64_t stepBlocks(const Contraction &c, const Tiling &t) {
  return std::max<int64_t>(1, llvm::divideCeil(segmentsOf(c, t.mr).steps, t.stepBlock));
}

} // namespace

Segments segmentsOf(const Contraction &c, int64_t mr) {
  Segments s;
  int64_t extent = c.extent(c.m);
  const Window *w = c.m < 0 ? nullptr : c.windowOfOuter(c.m);
  int64_t first = 0, last = extent - 1; // rows whose whole window lies inside
  if (w) {
    int64_t reach = (c.extent(w->inner) - 1) * w->dilation;
    first =
        std::clamp<int64_t>(llvm::divideCeil(std::max<int64_t>(0, w->low), w->scale), 0, extent);
    int64_t room = w->size - 1 + w->low - reach;
    last = room < 0 ? -1 : std::min<int64_t>(extent - 1, room / w->scale);
  }
  int64_t unrolled = 0;
  for (int64_t at = 0; at < extent; at += mr) {
    int64_t count = std::min(mr, extent - at);
    bool whole = count == mr && at >= first && at + count - 1 <= last;
    if (whole && s.right.empty()) {
      if (s.steps++ == 0)
        s.inside = at;
      continue;
    }
    (s.steps == 0 ? s.left : s.right).emplace_back(at, count);
    unrolled += w ? c.extent(w->inner) : 1;
  }
  if (w && unrolled > 24) {
    // Unrolling would cost too much code: the edges row by row, the rows inside by tiles.
    s = Segments();
    s.clipped = true;
    s.inside = first;
    s.steps = std::max<int64_t>(0, last + 1 - first) / mr;
    int64_t end = first + s.steps * mr;
    s.left.emplace_back(0, first);
    s.right.emplace_back(end, extent - end);
  }
  return s;
}

int64_t tilesOf(const Contraction &c, const Tiling &t) {
  return c.product(c.batch) * llvm::divideCeil(c.product(c.rows), t.rowBlock) * stepBlocks(c, t) *
         groupsOf(c, t);
}

int64_t scratchOf(const Contraction &c, const Tiling &t) {
  int64_t vectors = c.spillsEpilogue ? t.mr * t.nv : 0;
  int64_t packed = c.packs ? c.product(c.reductions) * t.nv : 0;
  return llvm::alignTo((vectors + packed) * t.lanes * 4, 64);
}

FailureOr<Contraction> analyseContraction(mt::KernelOp kernel) { return Analysis(kernel).run(); }

Tiling chooseTiling(const Contraction &c, const HostTarget &target) {
  int64_t full = target.vectorBytes / 4, n = c.extent(c.n), mExtent = c.extent(c.m);
  int64_t panel = 0;
  for (const Operand &o : c.operands)
    panel = std::max(panel, o.panel);
  Tiling best;
  double least = 0;
  // Cycles of one step of K over all register tiles: two FMAs and two loads a cycle, latency 4 (Zen
  // 4, Golden Cove). Narrower vectors cost the same per instruction but for a small bonus: they
  // leave fewer lanes idle.
  for (int64_t lanes : {full, full / 2}) {
    if (lanes < 8 || (lanes < full && n > 3 * lanes))
      continue;
    double width = lanes == full ? 1.0 : 0.6;
    for (int64_t nv : {1, 2, 3, 4, 6, 8}) {
      int64_t span = nv * lanes;
      if (nv > 1 && span - lanes >= n)
        continue;
      bool fitsPanels =
          !panel || panel % span == 0 || span % panel == 0 || (span >= n && span <= panel);
      if (!fitsPanels)
        continue;
      for (int64_t mr = 1; mr <= std::min<int64_t>(mExtent, 16); ++mr) {
        if (mr * nv + nv + 1 > target.vectorRegisters || mr * nv > 30)
          continue;
        auto cycles = [&](int64_t rows, int64_t vectors) {
          if (rows == 0 || vectors == 0)
            return 0.0;
          double loads = c.vectorRows ? rows * vectors + vectors : rows + vectors;
          return std::max({rows * vectors * 0.5 * width, loads * 0.5 * (c.vectorRows ? width : 1.0),
                           4.0}) +
                 0.5;
        };
        int64_t wholeN = n / span, restN = llvm::divideCeil(n % span, lanes);
        int64_t wholeM = mExtent / mr, restM = mExtent % mr;
        double total = wholeM * (wholeN * cycles(mr, nv) + cycles(mr, restN)) +
                       wholeN * cycles(restM, nv) + cycles(restM, restN);
        if (least == 0 || total < least * 0.999) {
          least = total;
          best = {lanes, mr, nv, 1, 1};
        }
      }
    }
  }
  // Tiles: the inputs of its rows within a quarter of an L2 cache, at least four tiles a core if
  // they stay above a few microseconds (2^20 operations).
  Segments s = segmentsOf(c, best.mr);
  int64_t k = c.product(c.reductions), rows = c.product(c.rows);
  double perRow = 2.0 * k * mExtent * best.nv * best.lanes;
  auto inputBytes = [&](int64_t rowCount,
                        int64_t steps) { // an estimate: without overlap of windows
    return 4.0 * rowCount * steps * best.mr * std::max<int64_t>(1, k / 2);
  };
  constexpr double cacheBytes = 256 << 10, leastWork = 1 << 20;
  best.stepBlock = std::max<int64_t>(1, s.steps);
  if (!c.packs)
    while (best.stepBlock > 1 &&
           (inputBytes(1, best.stepBlock) > cacheBytes ||
            (tilesOf(c, best) < 4 * target.cores &&
             perRow * best.stepBlock / std::max<int64_t>(1, s.steps) > leastWork)))
      best.stepBlock = (best.stepBlock + 1) / 2;
  best.rowBlock = c.packs ? std::max<int64_t>(1, rows) : 1;
  if (best.stepBlock >= s.steps && !c.packs)
    while (best.rowBlock < rows && inputBytes(best.rowBlock * 2, s.steps) <= cacheBytes &&
           (perRow * best.rowBlock < leastWork || tilesOf(c, best) > 16 * target.cores)) {
      Tiling next = best;
      next.rowBlock = std::min(rows, best.rowBlock * 2);
      if (tilesOf(c, next) < 4 * target.cores && perRow * best.rowBlock >= leastWork / 4)
        break;
      best = next;
    }
  return best;
}

} // namespace mtc::host
