//===- Contraction.cpp - matrix products, convolutions, pooling by strides ===//
#include "Contraction.h"

#include "Reductions.h"

#include "mtc/Dialect/MT/Transforms/Product.h"
#include "mtc/Dialect/MT/Transforms/SplitWeight.h"

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

bool Contraction::isAligned(int64_t operand, int64_t lanes) const {
  const Operand &o = operands[operand];
  if (o.from || o.panel || o.offset % lanes)
    return false;
  for (auto [l, loop] : llvm::enumerate(loops))
    if (static_cast<int64_t>(l) != n && loop.strides[operand] % lanes)
      return false;
  return true;
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
    if (failed(assignRoles()) || failed(formGroups()))
      return failure();
    orderReductions();
    // Blocks of a sum would have to begin inside of parts.
    if (c.partsLoop >= 0 && cutsIntoBlocks(c, c.partsLoop))
      return failure();
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
      if (isVirtual(&op) && (isa<BlockArgument>(throughReshapes(op.getOperand(0))) ||
                             op.getOperand(0).getDefiningOp<tensor::ConcatOp>()))
        continue;
      if (auto concat = dyn_cast<tensor::ConcatOp>(op); concat && concat->hasOneUse())
        continue; // an input has parts, or readOperand fails
      if (op.getNumResults() == 1 && mt::splitWeightOf(op.getResult(0)))
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
    if (!fill)
      return failure();
    c.initial = fill.value();
    c.element = body.getArguments().back().getType();
    auto generic = dyn_cast<linalg::GenericOp>(c.op.getOperation());
    std::optional<mt::Product> product = generic ? mt::productOf(generic) : std::nullopt;
    if (product) {
      c.isProduct = true;
      factors = *product;
      return success(c.element.isF32() || c.element.isF64() || c.element.isInteger(32) ||
                     c.element.isInteger(64));
    }
    // What is read is loaded as vectors of f32.
    for (BlockArgument argument : body.getArguments())
      if (!argument.use_empty() && !argument.getType().isF32())
        return failure();
    auto operations = body.without_terminator();
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
    const int64_t own = c.inputs;
    for (Value v : c.op.getDpsInputs())
      if (tensor::ConcatOp concat = concatenationOf(v))
        c.inputs += static_cast<int64_t>(concat.getNumOperands()) - 1;
    c.epilogueInputs = c.epilogue ? c.epilogue.getNumDpsInputs() : 0;
    c.outputs = c.epilogue ? c.epilogue.getNumDpsInits() : 1;
    c.operands.resize(c.inputs + c.epilogueInputs + c.outputs);
    if (c.isProduct)
      for (int64_t i = 0; i < own; ++i) {
        c.operands[i].isSigned = factors.isSigned[i];
        c.operands[i].zero = factors.zero[i];
      }
    c.loops.resize(loops);
    SmallVector<int64_t> extents = c.op.getStaticLoopRanges();
    for (auto [d, type] : llvm::enumerate(c.op.getIteratorTypesArray())) {
      c.loops[d].extent = extents[d];
      c.loops[d].isReduction = type != utils::IteratorType::parallel;
      c.loops[d].strides.assign(c.operands.size(), 0);
    }
    SmallVector<AffineMap> maps = c.op.getIndexingMapsArray();
    for (int64_t i = 0; i < own; ++i) {
      OpOperand *input = c.op.getDpsInputOperand(i);
      if (c.op.isScalar(input))
        return failure();
      if (c.op.payloadUsesValueFromOperand(input) && failed(readOperand(i, input->get(), maps[i])))
        return failure();
    }
    // The epilogue's loops are the dimensions of the result, and those are loops of the
    // contraction.
    AffineMap outMap = maps[own];
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
      if (input->get().getDefiningOp<tensor::ConcatOp>())
        return failure();
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

  /// The concatenation that `v` is, perhaps padded; or null.
  static tensor::ConcatOp concatenationOf(Value v) {
    if (auto pad = v.getDefiningOp<tensor::PadOp>())
      v = pad.getSource();
    return v.getDefiningOp<tensor::ConcatOp>();
  }

  /// Operand `index` at offset and strides that `map` and `strides` give, less the padding `low`.
  LogicalResult walk(int64_t index, AffineMap map, ArrayRef<int64_t> strides,
                     ArrayRef<int64_t> low) {
    Operand &o = c.operands[index];
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      SmallVector<int64_t> coefficients(c.loops.size(), 0);
      int64_t constant = 0;
      if (!linearForm(expr, coefficients, constant))
        return failure();
      o.offset += (constant - low[d]) * strides[d];
      for (auto [l, coefficient] : llvm::enumerate(coefficients))
        c.loops[l].strides[index] += coefficient * strides[d];
    }
    return success();
  }

  /// The operands of a concatenation along a sum of products: the first in the place of the input,
  /// the others behind all inputs.
  LogicalResult readParts(int64_t index, tensor::ConcatOp concat, AffineMap map,
                          ArrayRef<int64_t> low, ArrayRef<bool> padded) {
    const auto dim = static_cast<unsigned>(concat.getDim());
    auto loop = dyn_cast<AffineDimExpr>(map.getResult(dim));
    if (!loop || !c.loops[loop.getPosition()].isReduction || padded[dim] || !c.isProduct ||
        c.partsLoop >= 0 || c.loops[loop.getPosition()].extent < 2)
      return failure();
    c.partsLoop = loop.getPosition();
    int64_t next = static_cast<int64_t>(c.inputs - concat.getNumOperands()) + 1;
    for (Value v : concat.getOperands()) {
      if (!isa<BlockArgument>(v) || !isa<FloatType>(getElementTypeOrSelf(v)))
        return failure();
      const int64_t input = c.parts.empty() ? index : next++;
      c.operands[input].storage = c.plan.lookup(v);
      c.parts.push_back({input, shapeOf(v)[dim]});
      if (failed(walk(input, map, rowMajorStrides(shapeOf(v)), low)))
        return failure();
    }
    return success();
  }

  /// A weight in parts.
  LogicalResult readSplit(int64_t index, const mt::SplitWeight &weight, AffineMap map) {
    Operand &o = c.operands[index];
    o.storage = c.plan.lookup(weight.parts);
    o.panel = mt::kTileColumns;
    o.panelStride = weight.count * weight.depth * mt::kTileColumns;
    c.splitParts = weight.count;
    c.splitDepth = weight.depth;
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (!loop || !c.element.isF32())
        return failure();
      const bool isColumn = d == weight.column;
      c.loops[loop.getPosition()].strides[index] =
          isColumn ? 1 : weight.strides[d] * mt::kTileColumns;
      if (isColumn)
        panelLoop = loop.getPosition();
    }
    return success();
  }

  /// A tensor argument, perhaps padded or packed, or arguments side by side.
  LogicalResult readOperand(int64_t index, Value v, AffineMap map) {
    if (std::optional<mt::SplitWeight> weight = mt::splitWeightOf(v))
      return readSplit(index, *weight, map);
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
      // Tiles along n, and perhaps of four along the reduction whose groups are summed together.
      ArrayRef<int64_t> tiled = unpack.getInnerDimsPos();
      ArrayRef<int64_t> tiles = unpack.getStaticInnerTiles();
      if (tiled.size() > 2 || (tiled.size() == 2 && tiles[1] != 4))
        return failure();
      SmallVector<int64_t> packedStrides = rowMajorStrides(shapeOf(unpack.getSource()));
      int64_t rank = map.getNumResults(), along = tiled[0];
      strides.assign(rank, 0);
      for (int64_t position = 0; position < rank; ++position) {
        int64_t dim =
            unpack.getOuterDimsPerm().empty() ? position : unpack.getOuterDimsPerm()[position];
        strides[dim] = packedStrides[position];
      }
      auto loop = dyn_cast<AffineDimExpr>(map.getResult(along));
      if (!loop || !llvm::all_of(map.getResults(), llvm::IsaPred<AffineDimExpr>))
        return failure();
      o.panel = tiles[0];
      o.panelStride = strides[along];
      strides[along] = tiled.size() == 2 ? 4 : 1;
      panelLoop = loop.getPosition();
      if (tiled.size() == 2)
        packedGroups = cast<AffineDimExpr>(map.getResult(tiled[1])).getPosition();
      v = unpack.getSource();
    } else {
      strides = rowMajorStrides(shapeOf(v));
    }
    if (auto concat = v.getDefiningOp<tensor::ConcatOp>()) {
      if (failed(readParts(index, concat, map, low, padded)))
        return failure();
    } else {
      if (!isa<BlockArgument>(throughReshapes(v)))
        return failure();
      o.storage = c.plan.lookup(v);
      if (failed(walk(index, map, strides, low)))
        return failure();
    }
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      if (!padded[d])
        continue;
      SmallVector<int64_t> coefficients(c.loops.size(), 0);
      int64_t constant = 0;
      if (!linearForm(expr, coefficients, constant))
        return failure();
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
    if (c.isProduct && matchPattern(pad.getConstantPaddingValue(), m_Zero()))
      return true;
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
    const bool partsAreRows =
        c.partsLoop < 0 || (!c.vectorRows && c.parts[0].input != c.vectorInput);
    if (c.vectorInput < 0 || !partsAreRows)
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
    c.packs = c.isProduct && !c.vectorRows && !c.operands[c.vectorInput].panel &&
              c.stride(c.vectorInput, c.n) != 1;

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

  /// Bytes of which one side is signed, the other contiguous along a reduction.
  LogicalResult formGroups() {
    auto isByte = [&](int64_t i) {
      return c.plan.storages[c.operands[i].storage].elementType.isInteger(8);
    };
    auto stay = [&] { return failure(packedGroups >= 0); };
    if (!c.isProduct || !c.element.isInteger(32) || c.vectorRows || !isByte(0) || !isByte(1) ||
        c.operands[0].isSigned == c.operands[1].isSigned)
      return stay();
    int64_t vectors = c.vectorInput, other = 1 - vectors, loop = -1;
    for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l)
      if (c.loops[l].isReduction && c.stride(other, l) == 1 && !c.windowOfInner(l) &&
          (packedGroups < 0 || packedGroups == l))
        loop = l;
    bool isPanel = c.operands[vectors].panel;
    if (loop < 0 || (isPanel && packedGroups < 0))
      return stay();
    if (!isPanel && c.extent(c.m) * c.product(c.rows) < 8)
      return success(); // packing would not pay
    Loop &l = c.loops[loop];
    c.packs = !isPanel;
    c.groups = loop;
    c.groupTail = l.extent % 4;
    c.groupStride = l.strides[vectors];
    l.alive = true;
    l.extent = llvm::divideCeil(l.extent, 4);
    l.strides[other] = 4;
    if (!isPanel)
      l.strides[vectors] *= 4;
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
  int64_t panelLoop = -1, packedGroups = -1;
  mt::Product factors;
};

} // namespace

FailureOr<Contraction> analyseContraction(mt::KernelOp kernel) { return Analysis(kernel).run(); }

} // namespace mtc::host
