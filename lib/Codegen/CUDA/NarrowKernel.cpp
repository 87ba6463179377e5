//===- NarrowKernel.cpp - kernels that take and give halves ---------------===//
//
// Loop nests that widen the arguments and narrow the results come first; then those move through
// reshapes, slices, transposes, padding and concatenations into the nests that read or write them:
//
//   widen -> move            =>  move -> widen
//   widen -> nest            =>  the nest widens each number that it reads
//   move -> narrow           =>  narrow -> move
//   elementwise -> narrow    =>  the nest rounds each number that it yields
//   maximum -> narrow        =>  the maximum of narrow numbers
//   widen -> narrow          =>  nothing
//
// What is left over says which arguments and results are unfit. A product without an epilogue keeps
// the narrowing nest as its epilogue.
//
//===----------------------------------------------------------------------===//
#include "NarrowKernel.h"

#include "../../Dialect/MT/Transforms/Structure.h"
#include "ContractionFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace mtc::cuda {

Value narrowed(OpBuilder &b, Location loc, Value value, FloatType type) {
  if (auto widened = value.getDefiningOp<arith::ExtFOp>();
      widened && widened.getIn().getType() == type)
    return widened.getIn();
  for (bool negative : {false, true}) {
    bool isLost = false;
    APFloat limit = APFloat::getLargest(type.getFloatSemantics(), negative);
    auto from = cast<FloatType>(value.getType());
    limit.convert(from.getFloatSemantics(), APFloat::rmNearestTiesToEven, &isLost);
    Value end = arith::ConstantOp::create(b, loc, b.getFloatAttr(from, limit));
    // What is no number stays none.
    auto beyond = negative ? arith::CmpFPredicate::OLT : arith::CmpFPredicate::OGT;
    value = arith::SelectOp::create(b, loc, arith::CmpFOp::create(b, loc, beyond, value, end), end,
                                    value);
  }
  return arith::TruncFOp::create(b, loc, type, value);
}

namespace {

RankedTensorType withElement(Type type, Type element) {
  return RankedTensorType::get(cast<RankedTensorType>(type).getShape(), element);
}

class Narrower {
public:
  Narrower(mt::KernelOp kernel, FloatType type)
      : kernel(kernel), b(kernel.getContext()), type(type) {}

  Places run(const Places &places) {
    Block &body = kernel.getBody().front();
    for (unsigned number : places.arguments) {
      BlockArgument argument = body.getArgument(number);
      Type wide = getElementTypeOrSelf(argument);
      argument.setType(withElement(argument.getType(), type));
      b.setInsertionPointToStart(&body);
      linalg::GenericOp widen = convert(argument, wide);
      argument.replaceAllUsesExcept(widen.getResult(0), widen);
      widens[widen] = number;
    }
    for (unsigned number : places.results) {
      b.setInsertionPoint(body.getTerminator());
      OpOperand &yielded = body.getTerminator()->getOpOperand(number);
      linalg::GenericOp narrow = convert(yielded.get(), type);
      yielded.set(narrow.getResult(0));
      narrows[narrow] = number;
    }
    setTypes();
    for (bool changes = true; changes;) {
      changes = false;
      for (auto [widen, number] : llvm::to_vector(widens))
        changes |= push(cast<linalg::GenericOp>(widen), number);
      for (auto [narrow, number] : llvm::to_vector(narrows))
        changes |= pull(cast<linalg::GenericOp>(narrow), number);
    }
    removeUnused(body);
    return leftOver();
  }

private:
  /// The nest that gives `value` in another type.
  linalg::GenericOp convert(Value value, Type element) {
    auto result = withElement(value.getType(), element);
    Location loc = value.getLoc();
    Value init = tensor::EmptyOp::create(b, loc, result.getShape(), element);
    AffineMap identity = b.getMultiDimIdentityMap(result.getRank());
    return linalg::GenericOp::create(
        b, loc, TypeRange{result}, ValueRange{value}, ValueRange{init},
        ArrayRef{identity, identity},
        SmallVector<utils::IteratorType>(result.getRank(), utils::IteratorType::parallel),
        [&](OpBuilder &inner, Location at, ValueRange v) {
          Value converted = element == type
                                ? narrowed(inner, at, v[0], type)
                                : Value(arith::ExtFOp::create(inner, at, element, v[0]));
          linalg::YieldOp::create(inner, at, converted);
        });
  }

  void setTypes() {
    Block &body = kernel.getBody().front();
    kernel.setFunctionType(
        b.getFunctionType(body.getArgumentTypes(), body.getTerminator()->getOperandTypes()));
  }

  /// A move of `sources` in place of `move`, of their type; null if it is no move.
  Value moved(Operation *move, ArrayRef<Value> sources) {
    Type element = getElementTypeOrSelf(sources.front());
    auto result = withElement(move->getResult(0).getType(), element);
    Location loc = move->getLoc();
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp,
            tensor::ConcatOp>(move)) {
      IRMapping map;
      map.map(move->getOperands().take_front(sources.size()), sources);
      Operation *copy = b.clone(*move, map);
      copy->getResult(0).setType(result);
      return copy->getResult(0);
    }
    if (auto transpose = dyn_cast<linalg::TransposeOp>(move)) {
      Value init = tensor::EmptyOp::create(b, loc, result.getShape(), element);
      return linalg::TransposeOp::create(b, loc, sources.front(), init, transpose.getPermutation())
          ->getResult(0);
    }
    if (auto pad = dyn_cast<tensor::PadOp>(move)) {
      FloatAttr constant;
      if (!matchPattern(pad.getConstantPaddingValue(), m_Constant(&constant)))
        return {};
      APFloat value = constant.getValue();
      bool isLost = false;
      value.convert(cast<FloatType>(element).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                    &isLost);
      if (isLost)
        return {};
      Value filling = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, value));
      return tensor::PadOp::create(b, loc, result, sources.front(), pad.getMixedLowPad(),
                                   pad.getMixedHighPad(), filling);
    }
    return {};
  }

  /// Moves a widening nest towards what reads its result.
  bool push(linalg::GenericOp widen, unsigned number) {
    Value narrow = widen.getInputs()[0], wide = widen.getResult(0);
    bool changes = false;
    for (OpOperand &use : llvm::make_early_inc_range(wide.getUses())) {
      Operation *user = use.getOwner();
      auto nest = dyn_cast<linalg::GenericOp>(user);
      if (nest && !narrows.contains(nest) && nest.isDpsInput(&use)) {
        BlockArgument element = nest.getBody()->getArgument(use.getOperandNumber());
        use.set(narrow);
        Type read = element.getType();
        element.setType(type);
        if (!element.use_empty()) {
          b.setInsertionPointToStart(nest.getBody());
          auto widened = arith::ExtFOp::create(b, nest.getLoc(), read, element);
          element.replaceAllUsesExcept(widened, widened);
        }
        changes = true;
      } else if (auto extract = dyn_cast<tensor::ExtractOp>(user)) {
        use.set(narrow);
        Type read = extract.getType();
        extract.getResult().setType(type);
        b.setInsertionPointAfter(extract);
        auto widened = arith::ExtFOp::create(b, extract.getLoc(), read, extract.getResult());
        extract.getResult().replaceAllUsesExcept(widened, widened);
        changes = true;
      } else if (pushThrough(user, number)) {
        changes = true;
        break; // the move may have been the reader of other uses, too
      }
    }
    if (wide.use_empty()) {
      widens.erase(widen);
      widen.erase();
    }
    return changes;
  }

  /// Swaps a move and the widening of all that it moves.
  bool pushThrough(Operation *move, unsigned number) {
    if (move->getNumResults() != 1 || move->getParentOp() != kernel)
      return false;
    SmallVector<Value> sources;
    for (Value v :
         isa<tensor::ConcatOp>(move) ? move->getOperands() : move->getOperands().take_front(1)) {
      Operation *widen = v.getDefiningOp();
      if (!widen || !widens.contains(widen))
        return false;
      sources.push_back(widen->getOperand(0));
    }
    b.setInsertionPoint(move);
    Value narrow = moved(move, sources);
    if (!narrow)
      return false;
    linalg::GenericOp after = convert(narrow, getElementTypeOrSelf(move->getResult(0)));
    widens[after] = number;
    move->getResult(0).replaceAllUsesWith(after.getResult(0));
    move->erase();
    return true;
  }

  /// Moves a narrowing nest towards what makes its operand.
  bool pull(linalg::GenericOp narrow, unsigned number) {
    Value wide = narrow.getInputs()[0];
    Operation *maker = wide.getDefiningOp();
    if (!maker)
      return false;
    if (widens.contains(maker)) {
      replace(narrow, maker->getOperand(0));
      return true;
    }
    if (auto nest = dyn_cast<linalg::GenericOp>(maker)) {
      if (narrows.contains(nest))
        return false;
      if (!mt::isAllParallel(nest))
        return pullThroughExtremum(narrow, nest);
      replace(narrow, roundResult(nest, cast<OpResult>(wide).getResultNumber()));
      return true;
    }
    if (!wide.hasOneUse() || maker->getNumResults() != 1)
      return false;
    SmallVector<Value> sources;
    SmallVector<linalg::GenericOp> before;
    b.setInsertionPoint(maker);
    for (Value v :
         isa<tensor::ConcatOp>(maker) ? maker->getOperands() : maker->getOperands().take_front(1))
      if (isa<RankedTensorType>(v.getType())) {
        before.push_back(convert(v, type));
        sources.push_back(before.back().getResult(0));
      }
    Value result = sources.empty() ? Value() : moved(maker, sources);
    if (!result) {
      for (linalg::GenericOp nest : before)
        nest.erase();
      return false;
    }
    for (linalg::GenericOp nest : before)
      narrows[nest] = number;
    replace(narrow, result);
    maker->erase();
    return true;
  }

  /// A maximum or minimum of narrow numbers is one of them; computed as before, kept narrow. Longer
  /// ones have few results, and threads share them as long as they are f32.
  bool pullThroughExtremum(linalg::GenericOp narrow, linalg::GenericOp nest) {
    constexpr int64_t mostTerms = 64;
    int64_t terms = 1;
    for (auto [extent, iterator] :
         llvm::zip(nest.getStaticLoopRanges(), nest.getIteratorTypesArray()))
      terms *= iterator == utils::IteratorType::reduction ? extent : 1;
    if (nest.getNumDpsInits() != 1 || !nest.getResult(0).hasOneUse() || terms > mostTerms)
      return false;
    Operation *yield = nest.getBody()->getTerminator();
    Operation *combine = yield->getOperand(0).getDefiningOp();
    auto fill = nest.getOutputs()[0].getDefiningOp<linalg::FillOp>();
    BlockArgument soFar = nest.getBody()->getArguments().back();
    FloatAttr constant;
    if (!fill || !matchPattern(fill.value(), m_Constant(&constant)) || !soFar.hasOneUse() ||
        !isa_and_nonnull<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp>(
            combine) ||
        !llvm::is_contained(combine->getOperands(), soFar))
      return false;
    auto term = combine->getOperand(combine->getOperand(0) == soFar).getDefiningOp<arith::ExtFOp>();
    APFloat start = constant.getValue();
    bool isLost = false;
    start.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &isLost);
    if (!term || term.getIn().getType() != type || isLost)
      return false;
    const auto result = withElement(nest.getResult(0).getType(), type);
    Location loc = nest.getLoc();
    b.setInsertionPoint(nest);
    Value init = tensor::EmptyOp::create(b, loc, result.getShape(), type);
    Value from = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, start));
    nest.getDpsInitOperand(0)->set(linalg::FillOp::create(b, loc, from, init).getResult(0));
    b.setInsertionPointToStart(nest.getBody());
    soFar.setType(type);
    auto widened = arith::ExtFOp::create(b, loc, term.getType(), soFar);
    soFar.replaceAllUsesExcept(widened, widened);
    b.setInsertionPoint(yield);
    yield->setOperand(0, arith::TruncFOp::create(b, loc, type, combine->getResult(0)));
    nest.getResult(0).setType(result);
    replace(narrow, nest.getResult(0));
    return true;
  }

  void replace(linalg::GenericOp narrow, Value by) {
    narrow.getResult(0).replaceAllUsesWith(by);
    narrows.erase(narrow);
    narrow.erase();
  }

  /// A result of an elementwise nest, rounded; beside the wide one where others read that.
  Value roundResult(linalg::GenericOp nest, unsigned number) {
    Location loc = nest.getLoc();
    Operation *yield = nest.getBody()->getTerminator();
    b.setInsertionPoint(yield);
    Value rounded = narrowed(b, loc, yield->getOperand(number), type);
    b.setInsertionPoint(nest);
    auto result = withElement(nest.getResult(number).getType(), type);
    Value init = tensor::EmptyOp::create(b, loc, result.getShape(), type);
    if (nest.getResult(number).hasOneUse()) {
      yield->setOperand(number, rounded);
      OpOperand *out = nest.getDpsInitOperand(number);
      out->set(init);
      nest.getMatchingBlockArgument(out).setType(type);
      nest.getResult(number).setType(result);
      return nest.getResult(number);
    }
    SmallVector<Value> inits(nest.getOutputs());
    SmallVector<Type> types(nest.getResultTypes());
    SmallVector<AffineMap> maps = nest.getIndexingMapsArray();
    inits.push_back(init);
    types.push_back(result);
    maps.push_back(maps[nest.getNumDpsInputs() + number]);
    auto all = linalg::GenericOp::create(b, loc, types, nest.getInputs(), inits, maps,
                                         nest.getIteratorTypesArray());
    all.getRegion().takeBody(nest.getRegion());
    all.getBody()->addArgument(type, loc);
    yield->insertOperands(yield->getNumOperands(), rounded);
    for (auto [old, renewed] : llvm::zip(nest.getResults(), all.getResults()))
      old.replaceAllUsesWith(renewed);
    nest.erase();
    return all.getResults().back();
  }

  static void removeUnused(Block &body) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (op.use_empty() && isPure(&op) && !op.hasTrait<OpTrait::IsTerminator>())
        op.erase();
  }

  Places leftOver() {
    Places unfit;
    for (auto [widen, number] : widens)
      if (!llvm::is_contained(unfit.arguments, number))
        unfit.arguments.push_back(number);
    for (auto [narrow, number] : narrows)
      if (!isEpilogue(cast<linalg::GenericOp>(narrow)) &&
          !llvm::is_contained(unfit.results, number))
        unfit.results.push_back(number);
    return unfit;
  }

  /// Whether it is the epilogue of a product that is cut into tiles.
  bool isEpilogue(linalg::GenericOp narrow) {
    auto product = narrow.getInputs()[0].getDefiningOp<linalg::GenericOp>();
    return product && mt::isContraction(product) && succeeded(analyseContraction(kernel));
  }

  mt::KernelOp kernel;
  OpBuilder b;
  FloatType type;
  /// Nests that only convert, and for which argument or result.
  llvm::MapVector<Operation *, unsigned> widens, narrows;
};

} // namespace

NarrowedKernel narrowKernel(mt::KernelOp kernel, const Places &places, FloatType type) {
  NarrowedKernel result;
  result.kernel = cast<mt::KernelOp>(kernel->clone());
  result.unfit = Narrower(*result.kernel, type).run(places);
  return result;
}

} // namespace mtc::cuda
