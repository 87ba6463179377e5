//===- GatherOneHots.cpp - products with one-hot rows as look-ups ---------===//
//
// A row of zeros with a one, times a matrix, is a row of the matrix:
//
//   sum over c of (x[t] == c) w[c, f]  =  w[x[t], f], or 0 if no c equals x[t]
//
// Exporters of some frameworks write embeddings like that: 67 million operations for 2,048 bytes of
// magika, and the one-hot rows in memory, for what is a copy. Only where the weight is known to be
// finite: zero times infinity would count. Predicted for magika 0.4 ms of 4.0 less; measured
// 3.98, 4.40 and 4.87 -> 3.43, 3.47 and 4.55 (least of each of three runs in turn, two busy cores
// of Zen 4, 2026-11-23).
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

#include <cmath>
#include <cstring>

namespace mtc::mt {
#define GEN_PASS_DEF_GATHERONEHOTS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// The operands of an op whose elements are 1 where the first is equal to the second, else 0.
struct OneHot {
  OpOperand *number = nullptr, *place = nullptr; ///< x[t] and 0, 1, 2, ...
  SmallVector<Operation *> widening;             ///< of a number, from its argument on
  int64_t dim = 0;                               ///< of the result, that counts places
};

struct GatherOneHots : mtc::mt::impl::GatherOneHotsBase<GatherOneHots> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    Evaluation evaluation(getOperation());
    /// A weight's elements; none if `v` is no weight or it cannot be read.
    auto bytesOf = [&](Value v) -> std::optional<TensorBytes> {
      auto get = v.getDefiningOp<GetWeightOp>();
      auto weight = get ? symbols.lookup<WeightOp>(get.getWeight()) : WeightOp();
      if (!weight)
        return std::nullopt;
      mtc::StatusOr<TensorBytes> bytes = evaluation.bytesOf(weight);
      return bytes.ok() ? std::optional(*bytes) : std::nullopt;
    };
    SmallVector<linalg::GenericOp> products;
    getOperation().walk([&](linalg::GenericOp op) {
      if (isa<EntryOp>(op->getParentOp()) && isContraction(op))
        products.push_back(op);
    });
    for (linalg::GenericOp product : products)
      for (unsigned side : {0u, 1u})
        if (replace(product, side, bytesOf))
          break;
  }

private:
  using BytesOf = function_ref<std::optional<TensorBytes>(Value)>;

  /// An elementwise op of f32 that compares its two inputs, the second one along a dim of its own.
  static std::optional<OneHot> oneHotOf(linalg::GenericOp op) {
    if (!op || !isAllParallel(op) || op.getNumResults() != 1 || op.getNumDpsInputs() != 2 ||
        !getElementTypeOrSelf(op.getResult(0)).isF32() ||
        !op.getIndexingMapsArray().back().isIdentity())
      return std::nullopt;
    Value v = op.getBody()->getTerminator()->getOperand(0);
    while (isa_and_nonnull<arith::ExtUIOp, arith::UIToFPOp>(v.getDefiningOp()))
      v = v.getDefiningOp()->getOperand(0);
    auto compare = v.getDefiningOp<arith::CmpIOp>();
    if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq)
      return std::nullopt;
    for (auto [x, c] :
         {std::pair(compare.getLhs(), compare.getRhs()), {compare.getRhs(), compare.getLhs()}}) {
      OneHot oneHot;
      while (isa_and_nonnull<arith::ExtSIOp, arith::ExtUIOp>(x.getDefiningOp())) {
        oneHot.widening.insert(oneHot.widening.begin(), x.getDefiningOp());
        x = x.getDefiningOp()->getOperand(0);
      }
      auto number = dyn_cast<BlockArgument>(x), place = dyn_cast<BlockArgument>(c);
      if (!number || !place || number.getArgNumber() > 1 || place.getArgNumber() > 1)
        continue;
      oneHot.number = op.getDpsInputOperand(number.getArgNumber());
      oneHot.place = op.getDpsInputOperand(place.getArgNumber());
      AffineMap of = op.getMatchingIndexingMap(oneHot.number);
      AffineMap at = op.getMatchingIndexingMap(oneHot.place);
      auto dim = at.getNumResults() == 1 ? dyn_cast<AffineDimExpr>(at.getResult(0))
                                         : AffineDimExpr(nullptr);
      if (!dim || !of.isProjectedPermutation() || of.isFunctionOfDim(dim.getPosition()))
        continue;
      oneHot.dim = dim.getPosition();
      return oneHot;
    }
    return std::nullopt;
  }

  /// 0, 1, 2, ... of integers.
  static bool countsUp(Value places, const std::optional<TensorBytes> &weight) {
    auto type = cast<RankedTensorType>(places.getType());
    if (!type.getElementType().isInteger(32) && !type.getElementType().isInteger(64))
      return false;
    const size_t width = type.getElementTypeBitWidth() / 8;
    const ArrayRef<uint8_t> bytes = weight ? ArrayRef<uint8_t>(weight->data) : ArrayRef<uint8_t>();
    if (bytes.empty() || bytes.size() != width * type.getNumElements())
      return false;
    for (int64_t i = 0; i < type.getNumElements(); ++i) {
      uint64_t value = 0; // little endian, as all targets are
      std::memcpy(&value, bytes.data() + i * width, width);
      if (value != static_cast<uint64_t>(i))
        return false;
    }
    return true;
  }

  /// Of floats.
  static bool isFinite(const std::optional<TensorBytes> &weight) {
    for (size_t at = 0; weight && at + 4 <= weight->data.size(); at += 4) {
      float value;
      std::memcpy(&value, weight->data.data() + at, 4);
      if (!std::isfinite(value))
        return false;
    }
    return weight && !weight->data.empty();
  }

  static bool replace(linalg::GenericOp product, unsigned side, BytesOf bytesOf) {
    Value rows = product.getOperand(side), weight = product.getOperand(1 - side);
    auto producer = rows.getDefiningOp<linalg::GenericOp>();
    std::optional<OneHot> oneHot = oneHotOf(producer);
    auto fill = product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
    if (!oneHot || !fill || !matchPattern(fill.value(), m_AnyZeroFloat()) ||
        !getElementTypeOrSelf(weight).isF32() || product.getNumReductionLoops() != 1)
      return false;
    SmallVector<AffineMap> maps = product.getIndexingMapsArray();
    AffineMap ofRows = maps[side], ofWeight = maps[1 - side], ofResult = maps.back();
    if (!ofRows.isProjectedPermutation() || !ofWeight.isProjectedPermutation() ||
        !ofResult.isProjectedPermutation() ||
        ofResult.getNumResults() != product.getNumParallelLoops())
      return false;
    const unsigned summed = ofRows.getDimPosition(oneHot->dim);
    if (ofResult.isFunctionOfDim(summed) || !ofWeight.isFunctionOfDim(summed) ||
        !countsUp(oneHot->place->get(), bytesOf(oneHot->place->get())) ||
        !isFinite(bytesOf(weight)))
      return false;

    // From loops of the product to dims of its result.
    SmallVector<AffineExpr> toResult(product.getNumLoops());
    for (unsigned i = 0; i < ofResult.getNumResults(); ++i)
      toResult[ofResult.getDimPosition(i)] = getAffineDimExpr(i, product.getContext());
    AffineMap ofNumber = producer.getMatchingIndexingMap(oneHot->number);
    SmallVector<AffineExpr> numberAt;
    for (unsigned i = 0; i < ofNumber.getNumResults(); ++i)
      numberAt.push_back(toResult[ofRows.getDimPosition(ofNumber.getDimPosition(i))]);
    const unsigned rank = ofResult.getNumResults();
    MLIRContext *context = product.getContext();
    auto type = cast<RankedTensorType>(product.getResult(0).getType());
    const int64_t places = cast<RankedTensorType>(oneHot->place->get().getType()).getDimSize(0);

    IRRewriter b(product);
    Location loc = product.getLoc();
    Value empty = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    auto gather = linalg::GenericOp::create(
        b, loc, TypeRange(type), oneHot->number->get(), empty,
        {AffineMap::get(rank, 0, numberAt, context),
         AffineMap::getMultiDimIdentityMap(rank, context)},
        SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
        [&](OpBuilder &inner, Location at, ValueRange v) {
          IRMapping map;
          Value number = v[0];
          if (!oneHot->widening.empty()) {
            map.map(oneHot->widening.front()->getOperand(0), number);
            for (Operation *op : oneHot->widening)
              number = inner.clone(*op, map)->getResult(0);
          }
          auto constant = [&](int64_t value) {
            return arith::ConstantOp::create(inner, at,
                                             inner.getIntegerAttr(number.getType(), value));
          };
          Value isPlace = arith::CmpIOp::create(inner, at, arith::CmpIPredicate::ult, number,
                                                constant(places)); // negative numbers are large
          Value place = arith::SelectOp::create(inner, at, isPlace, number, constant(0));
          place = arith::IndexCastOp::create(inner, at, inner.getIndexType(), place);
          SmallVector<Value> indices;
          for (unsigned i = 0; i < ofWeight.getNumResults(); ++i) {
            const unsigned loop = ofWeight.getDimPosition(i);
            indices.push_back(
                loop == summed ? place
                               : linalg::IndexOp::create(
                                     inner, at, cast<AffineDimExpr>(toResult[loop]).getPosition())
                                     .getResult());
          }
          Value row = tensor::ExtractOp::create(inner, at, weight, indices);
          Value zero = arith::ConstantOp::create(inner, at, inner.getF32FloatAttr(0.0f));
          linalg::YieldOp::create(
              inner, at, arith::SelectOp::create(inner, at, isPlace, row, zero).getResult());
        });
    Value result = gather.getResult(0);
    product.getResult(0).replaceAllUsesWith(result);
    product.erase();
    if (producer->use_empty())
      producer.erase();
    fuseIntoUser(b, result);
    return true;
  }
};

} // namespace
