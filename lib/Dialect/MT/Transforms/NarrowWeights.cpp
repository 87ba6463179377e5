//===- NarrowWeights.cpp - weights stay as narrow as the model has them ---===//
//
// A weight of f16, bf16 or codes of 8 bits that was widened to f32 when compiling costs two to four
// times the bytes in the bundle, in memory and on the way to the cores. Here products and look-ups
// take it as it is: numbers are widened where they are read, and what they are multiplied by is
// applied to the sums, or to the numbers looked up.
//
//   sum a[k] (q[k, n] - z) s[n]  =  s[n] sum a[k] (q[k, n] - z)
//
// The widened numbers are exact, so that only the place of one rounding changes. Convolutions with
// windows stay: they compute for long on few weights, and minimal filtering stores those otherwise.
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "Widened.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mtc::mt {
#define GEN_PASS_DEF_NARROWWEIGHTS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// Smaller weights are not worth another form of their kernel. Units: bytes.
constexpr int64_t kLeastBytes = 4 << 10;

struct NarrowWeights : mtc::mt::impl::NarrowWeightsBase<NarrowWeights> {
  void runOnOperation() override {
    ProgramOp program = getOperation();
    DerivedWeights weights(program);
    WidenedWeights widened(program, weights);
    // All uses of a weight, or it would be stored twice.
    llvm::MapVector<WeightOp, SmallVector<OpOperand *>> uses;
    program.walk([&](GetWeightOp get) {
      if (WeightOp weight = weights.find(get.getResult());
          get->getParentOfType<EntryOp>() && byteSize(weight.getTensorType()) >= kLeastBytes)
        for (OpOperand &use : get->getUses())
          uses[weight].push_back(&use);
    });
    SmallVector<std::pair<OpOperand *, Widened>> products;
    for (auto &[weight, all] : uses) {
      if (!llvm::all_of(all, [](OpOperand *use) { return isProduct(*use) || isLookUp(*use); }))
        continue;
      std::optional<Widened> w = widened.find(weight);
      if (!w || !isSmaller(*w, weight) || !llvm::all_of(all, [&](OpOperand *use) {
            return isLookUp(*use) || scaleMap(*use, *w).has_value();
          }))
        continue;
      for (OpOperand *use : all) {
        if (isLookUp(*use))
          lookUp(*use, *w);
        else
          products.emplace_back(use, *w);
      }
    }
    for (auto &[use, w] : products) // ops behind them are replaced, look-ups and all
      multiply(*use, w);
    program.walk([](GetWeightOp get) {
      if (get->use_empty())
        get.erase();
    });
    weights.eraseUnused();
  }

  /// A scale for every number, or every other one, would make up for what is saved.
  static bool isSmaller(const Widened &w, WeightOp weight) {
    WeightOp codes = w.codes, scale = w.scale;
    const int64_t bytes =
        byteSize(codes.getTensorType()) + (scale ? byteSize(scale.getTensorType()) : 0);
    return bytes <= byteSize(weight.getTensorType()) * 3 / 4;
  }

  /// The constant factor of a product without a window.
  static bool isProduct(OpOperand &use) {
    auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
    const unsigned number = use.getOperandNumber();
    return op && isa<EntryOp>(op->getParentOp()) && number < 2 && isContraction(op) &&
           !readsWindow(op) && !op.getOperand(1 - number).getDefiningOp<GetWeightOp>() &&
           rolesOf(op, number) && getElementTypeOrSelf(op.getResult(0)).isF32();
  }

  /// What a structured op takes numbers from by their place.
  static bool isLookUp(OpOperand &use) {
    auto extract = dyn_cast<tensor::ExtractOp>(use.getOwner());
    auto op = extract ? dyn_cast<linalg::GenericOp>(extract->getParentOp()) : linalg::GenericOp();
    return op && isa<EntryOp>(op->getParentOp());
  }

  /// From the dims of a product's result to those of the scale; nullopt: it varies along a sum.
  static std::optional<AffineMap> scaleMap(OpOperand &use, const Widened &w) {
    auto op = cast<linalg::GenericOp>(use.getOwner());
    AffineMap weight = op.getMatchingIndexingMap(&use), result = op.getIndexingMapsArray().back();
    SmallVector<AffineExpr> exprs;
    for (int64_t dim : w.scaleDims) {
      auto at = llvm::find(result.getResults(), weight.getResult(dim));
      if (at == result.getResults().end())
        return std::nullopt;
      exprs.push_back(getAffineDimExpr(at - result.getResults().begin(), op.getContext()));
    }
    return AffineMap::get(result.getNumResults(), 0, exprs, op.getContext());
  }

  static void multiply(OpOperand &use, const Widened &w) {
    auto op = cast<linalg::GenericOp>(use.getOwner());
    AffineMap map = *scaleMap(use, w);
    const unsigned number = use.getOperandNumber();
    Location loc = op.getLoc();
    IRRewriter b(op.getContext());
    b.setInsertionPoint(op);
    SmallVector<Value> inputs(op.getInputs());
    inputs[number] = DerivedWeights::get(b, use.get().getLoc(), w.codes);
    auto sum = linalg::GenericOp::create(
        b, loc, op.getResultTypes(), inputs, op.getOutputs(), op.getIndexingMapsArray(),
        op.getIteratorTypesArray(), [&](OpBuilder &inner, Location at, ValueRange v) {
          IRMapping map;
          SmallVector<Value> arguments(v);
          arguments[number] = WidenedWeights::widen(inner, at, v[number], w);
          map.map(op.getBody()->getArguments(), arguments);
          for (Operation &o : *op.getBody())
            inner.clone(o, map);
        });
    Value result = sum.getResult(0);
    if (w.scale || w.scaleConstant)
      result = scaled(b, loc, result, map, w);
    op.getResult(0).replaceAllUsesWith(result);
    op.erase();
    fuseIntoUser(b, result);
  }

  static Value scaled(OpBuilder &b, Location loc, Value sum, AffineMap map, const Widened &w) {
    auto type = cast<RankedTensorType>(sum.getType());
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    SmallVector<Value> inputs = {sum};
    SmallVector<AffineMap> maps = {identity};
    if (w.scale) {
      inputs.push_back(DerivedWeights::get(b, loc, w.scale));
      maps.push_back(map);
    }
    maps.push_back(identity);
    Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    return linalg::GenericOp::create(
               b, loc, TypeRange(type), inputs, ValueRange(init), maps,
               SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
               [&](OpBuilder &inner, Location at, ValueRange v) {
                 Value scale =
                     w.scale ? v[1] : Value(arith::ConstantOp::create(inner, at, w.scaleConstant));
                 linalg::YieldOp::create(inner, at,
                                         arith::MulFOp::create(inner, at, v[0], scale).getResult());
               })
        .getResult(0);
  }

  static void lookUp(OpOperand &use, const Widened &w) {
    auto extract = cast<tensor::ExtractOp>(use.getOwner());
    Location loc = extract.getLoc();
    OpBuilder outside(extract->getParentOp()), b(extract);
    Value codes = DerivedWeights::get(outside, loc, w.codes);
    Value code = tensor::ExtractOp::create(b, loc, codes, extract.getIndices());
    Value number = WidenedWeights::widen(b, loc, code, w);
    Value scale;
    if (w.scale) {
      Value all = DerivedWeights::get(outside, loc, w.scale);
      SmallVector<Value> at;
      for (int64_t dim : w.scaleDims)
        at.push_back(extract.getIndices()[dim]);
      scale = tensor::ExtractOp::create(b, loc, all, at);
    } else if (w.scaleConstant) {
      scale = arith::ConstantOp::create(b, loc, w.scaleConstant);
    }
    if (scale)
      number = arith::MulFOp::create(b, loc, number, scale);
    extract.getResult().replaceAllUsesWith(number);
    extract.erase();
  }
};

} // namespace
