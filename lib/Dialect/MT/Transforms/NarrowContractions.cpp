//===- NarrowContractions.cpp - products of bytes instead of wider numbers -===//
//
// Quantized numbers are codes of 8 bits, x = (code - zero) * scale. Models subtract and scale
// before they multiply; a sum of products of codes says the same:
//
//   sum (a - za) (b - zb)  =  sum a b  -  zb sum a  -  za sum (b - zb)
//
// with the sums over the reductions. The last term is a derived weight when b is a weight, and the
// one before is needed only for zb other than 0. Integers stay equal, bit for bit (modulo 2^32, as
// they were); of floats the product is exact instead of a sum of rounded products, and is scaled
// once.
//
// Codes are multiplied four at a time where one side is signed and the other is not. Of equal ones
// one side is shifted by 128, its zero point with it.
//
//===----------------------------------------------------------------------===//
#include "Decoded.h"
#include "Structure.h"
#include "mtc/Dialect/MT/IR/Isolate.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mtc::mt {
#define GEN_PASS_DEF_NARROWCONTRACTIONS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;
using utils::IteratorType;

namespace {

using Builder = ImplicitLocOpBuilder;

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

/// An all-parallel generic over `type`; `body` gets the inputs' elements.
Value mapElements(Builder &b, RankedTensorType type, ValueRange inputs, ArrayRef<AffineMap> maps,
                  function_ref<Value(Builder &, ValueRange)> body) {
  SmallVector<AffineMap> all(maps);
  all.push_back(b.getMultiDimIdentityMap(type.getRank()));
  Value init = tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  return linalg::GenericOp::create(
             b, TypeRange{type}, inputs, ValueRange{init}, all,
             SmallVector<IteratorType>(type.getRank(), IteratorType::parallel),
             [&](OpBuilder &nested, Location loc, ValueRange elements) {
               Builder inner(loc, nested);
               linalg::YieldOp::create(inner, body(inner, elements.drop_back()));
             })
      .getResult(0);
}

Value integer(Builder &b, int64_t v) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(v)));
}

Value extend(Builder &b, Value v, bool isSigned) {
  if (v.getType().isInteger(32))
    return v;
  if (isSigned)
    return arith::ExtSIOp::create(b, b.getI32Type(), v);
  return arith::ExtUIOp::create(b, b.getI32Type(), v);
}

/// Adds 128 to all codes and the zero point, which are of the other sign then.
void changeSign(Builder &b, Decoded &x) {
  RankedTensorType type = typeOf(x.codes);
  x.codes = mapElements(b, type, x.codes, b.getMultiDimIdentityMap(type.getRank()),
                        [](Builder &inner, ValueRange v) -> Value {
                          Value top = arith::ConstantOp::create(
                              inner, inner.getI8IntegerAttr(static_cast<int8_t>(-128)));
                          return arith::XOrIOp::create(inner, v[0], top);
                        });
  x.zero += x.isSigned ? 128 : -128;
  x.isSigned = !x.isSigned;
}

/// One contraction and how its loops lie in its result.
class Narrowing {
public:
  Narrowing(linalg::GenericOp op, Decoded a, Decoded b)
      : op(op), builder(op.getLoc(), op), sides{std::move(a), std::move(b)},
        maps(op.getIndexingMapsArray()), ranges(op.getStaticLoopRanges()),
        kinds(op.getIteratorTypesArray()) {}

  bool isPossible() {
    for (auto [dim, e] : llvm::enumerate(maps[2].getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(e);
      if (!loop || !dimOfLoop.try_emplace(loop.getPosition(), dim).second)
        return false;
    }
    for (unsigned loop = 0; loop < kinds.size(); ++loop) {
      bool isReduction = kinds[loop] == IteratorType::reduction;
      if (isReduction == dimOfLoop.contains(loop))
        return false;
      if (isReduction && (!maps[0].isFunctionOfDim(loop) || !maps[1].isFunctionOfDim(loop)))
        return false; // a sum over one side would miss a factor
    }
    for (unsigned i : {0u, 1u})
      if (!inResult(sides[i].zeroTensor, sides[i].zeroMap, i) ||
          !inResult(sides[i].scaleTensor, sides[i].scaleMap, i))
        return false;
    // A depthwise convolution of floats has no sums that bytes would make faster.
    return !sides[0].hasScale() || (hasOwnLoop(0) && hasOwnLoop(1));
  }

  void rewrite() {
    orderSigns();
    Value sum = multiply();
    bool isInteger = !sides[0].hasScale();
    SmallVector<Value> inputs = {sum};
    SmallVector<AffineMap> inputMaps = {builder.getMultiDimIdentityMap(maps[2].getNumResults())};
    auto add = [&](Value v, AffineMap map) {
      inputs.push_back(v);
      inputMaps.push_back(map);
      return inputs.size() - 1;
    };
    // za sum (b - zb), zb sum a; 0 where there is no such term
    size_t sums[2] = {0, 0}, zeros[2] = {0, 0}, scales[2] = {0, 0};
    for (unsigned i : {0u, 1u}) {
      Decoded &side = sides[i];
      if (side.mayHaveZero()) {
        auto [total, map] = sumOver(1 - i, /*withoutZero=*/i == 0);
        sums[i] = add(total, map);
        if (side.zeroTensor)
          zeros[i] = add(side.zeroTensor, toResult(side.zeroMap, i));
      }
      if (side.scaleTensor)
        scales[i] = add(side.scaleTensor, toResult(side.scaleMap, i));
    }
    if (inputs.size() == 1 && isInteger) {
      replaceWith(sum);
      return;
    }
    auto body = [&](Builder &b, ValueRange v) -> Value {
      Value x = v[0];
      for (unsigned i : {1u, 0u})
        if (sums[i]) {
          Value zero = zeros[i] ? v[zeros[i]] : Value();
          Value term = arith::MulIOp::create(b, zeroOf(b, sides[i], zero), v[sums[i]]);
          x = arith::SubIOp::create(b, x, term);
        }
      if (isInteger)
        return x;
      auto scaleOf = [&](unsigned i) -> Value {
        return scales[i] ? v[scales[i]]
                         : Value(arith::ConstantOp::create(b, sides[i].scaleConstant));
      };
      Value scale = arith::MulFOp::create(b, scaleOf(0), scaleOf(1));
      Value number = arith::SIToFPOp::create(b, b.getF32Type(), x);
      return arith::MulFOp::create(b, number, scale);
    };
    replaceWith(mapElements(builder, typeOf(op.getResult(0)), inputs, inputMaps, body));
  }

private:
  linalg::GenericOp op;
  Builder builder;
  Decoded sides[2];
  SmallVector<AffineMap> maps;
  SmallVector<int64_t> ranges;
  SmallVector<IteratorType> kinds;
  DenseMap<unsigned, unsigned> dimOfLoop; ///< of the result

  void replaceWith(Value v) { op.getResult(0).replaceAllUsesWith(v); }

  bool hasOwnLoop(unsigned side) {
    for (auto [loop, kind] : llvm::enumerate(kinds))
      if (kind == IteratorType::parallel && maps[side].isFunctionOfDim(loop) &&
          !maps[1 - side].isFunctionOfDim(loop))
        return true;
    return false;
  }

  /// Every dim of a parameter of `side` (by `map` a dim of the side's tensor) is one of the result.
  bool inResult(Value parameter, AffineMap map, unsigned side) {
    return !parameter || llvm::all_of(map.getResults(), [&](AffineExpr e) {
      auto loop =
          dyn_cast<AffineDimExpr>(maps[side].getResult(cast<AffineDimExpr>(e).getPosition()));
      return loop && dimOfLoop.contains(loop.getPosition());
    });
  }

  AffineMap toResult(AffineMap map, unsigned side) {
    auto exprs = llvm::map_to_vector(map.getResults(), [&](AffineExpr e) {
      AffineExpr loop = maps[side].getResult(cast<AffineDimExpr>(e).getPosition());
      return builder.getAffineDimExpr(dimOfLoop.lookup(cast<AffineDimExpr>(loop).getPosition()));
    });
    return AffineMap::get(maps[2].getNumResults(), 0, exprs, builder.getContext());
  }

  static Value zeroOf(Builder &b, const Decoded &side, Value tensorElement) {
    if (!tensorElement)
      return integer(b, side.zero);
    Value zero = extend(b, tensorElement, side.zeroIsSigned);
    return side.zero ? Value(arith::AddIOp::create(b, zero, integer(b, side.zero))) : zero;
  }

  /// Makes the signs differ, preferably of a side whose zero point becomes or stays 0.
  void orderSigns() {
    if (sides[0].isSigned != sides[1].isSigned)
      return;
    int64_t shift = sides[0].isSigned ? 128 : -128;
    auto terms = [&](unsigned changed) {
      int64_t count = 0;
      for (unsigned i : {0u, 1u}) {
        int64_t zero = sides[i].zero + (i == changed ? shift : 0);
        bool costs = sides[i].zeroTensor || zero != 0;
        // The sum over weights is known when compiling.
        count += costs && !isa_and_nonnull<GetWeightOp>(sides[1 - i].codes.getDefiningOp());
      }
      return count;
    };
    changeSign(builder, sides[terms(0) < terms(1) ? 0 : 1]);
  }

  /// The sum of products of the codes.
  Value multiply() {
    RankedTensorType type =
        RankedTensorType::get(typeOf(op.getResult(0)).getShape(), builder.getI32Type());
    Value empty = tensor::EmptyOp::create(builder, type.getShape(), type.getElementType());
    Value init = linalg::FillOp::create(builder, integer(builder, 0), empty).getResult(0);
    return linalg::GenericOp::create(
               builder, TypeRange{type}, ValueRange{sides[0].codes, sides[1].codes},
               ValueRange{init}, maps, kinds,
               [&](OpBuilder &nested, Location loc, ValueRange v) {
                 Builder b(loc, nested);
                 Value x = extend(b, v[0], sides[0].isSigned);
                 Value y = extend(b, v[1], sides[1].isSigned);
                 Value product = arith::MulIOp::create(b, x, y);
                 linalg::YieldOp::create(b, arith::AddIOp::create(b, v[2], product).getResult());
               })
        .getResult(0);
  }

  /// The sum of one side's codes over the reductions, and its place in the result.
  std::pair<Value, AffineMap> sumOver(unsigned side, bool withoutZero) {
    const Decoded &x = sides[side];
    SmallVector<unsigned> loops; // parallel ones in the order of the result, then reductions
    SmallVector<unsigned> resultDims;
    for (AffineExpr e : maps[2].getResults())
      if (unsigned loop = cast<AffineDimExpr>(e).getPosition(); maps[side].isFunctionOfDim(loop)) {
        loops.push_back(loop);
        resultDims.push_back(dimOfLoop.lookup(loop));
      }
    unsigned parallel = loops.size();
    for (unsigned loop = 0; loop < kinds.size(); ++loop)
      if (kinds[loop] == IteratorType::reduction)
        loops.push_back(loop);
    MLIRContext *context = builder.getContext();
    SmallVector<AffineExpr> renamed(kinds.size(), builder.getAffineConstantExpr(0));
    for (auto [i, loop] : llvm::enumerate(loops))
      renamed[loop] = builder.getAffineDimExpr(i);
    auto rename = [&](AffineMap map) {
      return map.replaceDimsAndSymbols(renamed, {}, loops.size(), 0);
    };
    auto select = [&](ArrayRef<unsigned> which) {
      auto exprs =
          llvm::map_to_vector(which, [&](unsigned i) { return builder.getAffineDimExpr(i); });
      return AffineMap::get(loops.size(), 0, exprs, context);
    };
    SmallVector<Value> inputs = {x.codes};
    SmallVector<AffineMap> inputMaps = {rename(maps[side])};
    bool subtracts = withoutZero && x.mayHaveZero();
    if (subtracts && x.zeroTensor) {
      auto exprs = llvm::map_to_vector(x.zeroMap.getResults(), [&](AffineExpr e) {
        return maps[side].getResult(cast<AffineDimExpr>(e).getPosition());
      });
      inputs.push_back(x.zeroTensor);
      inputMaps.push_back(rename(AffineMap::get(kinds.size(), 0, exprs, context)));
    }
    // A window's loops get their sizes from a tensor that has nothing else.
    SmallVector<unsigned> window;
    SmallVector<int64_t> windowShape, shape;
    SmallVector<unsigned> plain = plainLoops(inputMaps[0]);
    for (auto [i, loop] : llvm::enumerate(loops)) {
      if (i < parallel)
        shape.push_back(ranges[loop]);
      else if (!llvm::is_contained(plain, i)) {
        window.push_back(i);
        windowShape.push_back(ranges[loop]);
      }
    }
    unsigned read = inputs.size();
    if (!window.empty()) {
      inputs.push_back(tensor::EmptyOp::create(builder, windowShape, builder.getI32Type()));
      inputMaps.push_back(select(window));
    }
    inputMaps.push_back(select(llvm::to_vector(llvm::seq(0u, parallel))));
    SmallVector<IteratorType> iterators(loops.size(), IteratorType::reduction);
    std::fill_n(iterators.begin(), parallel, IteratorType::parallel);
    RankedTensorType type = RankedTensorType::get(shape, builder.getI32Type());
    Value empty = tensor::EmptyOp::create(builder, shape, builder.getI32Type());
    Value init = linalg::FillOp::create(builder, integer(builder, 0), empty).getResult(0);
    Value sum =
        linalg::GenericOp::create(
            builder, TypeRange{type}, inputs, ValueRange{init}, inputMaps, iterators,
            [&](OpBuilder &nested, Location loc, ValueRange v) {
              Builder b(loc, nested);
              Value element = extend(b, v[0], x.isSigned);
              if (subtracts)
                element =
                    arith::SubIOp::create(b, element, zeroOf(b, x, read > 1 ? v[1] : Value()));
              linalg::YieldOp::create(b, arith::AddIOp::create(b, v.back(), element).getResult());
            })
            .getResult(0);
    auto exprs = llvm::map_to_vector(resultDims,
                                     [&](unsigned dim) { return builder.getAffineDimExpr(dim); });
    return {sum, AffineMap::get(maps[2].getNumResults(), 0, exprs, context)};
  }
};

struct NarrowContractions : mtc::mt::impl::NarrowContractionsBase<NarrowContractions> {
  void runOnOperation() override {
    SmallVector<RecurrenceOp> recurrences;
    getOperation().walk([&](RecurrenceOp op) { recurrences.push_back(op); });
    for (RecurrenceOp op : recurrences) {
      if (!multipliesIntegers(op.getBody().front()))
        continue;
      // Codes of weights are found, and sums over them left, before the recurrence.
      openUp(op);
      narrowAll(op.getBody().front());
      isolate(op);
    }
    getOperation().walk([&](EntryOp entry) { narrowAll(entry.getBody().front()); });
  }

  static bool multipliesIntegers(Block &body) {
    return llvm::any_of(body.getOps<linalg::GenericOp>(), [](linalg::GenericOp op) {
      return isContraction(op) && typeOf(op.getResult(0)).getElementType().isInteger();
    });
  }

  static void narrowAll(Block &body) {
    for (linalg::GenericOp op : llvm::to_vector(body.getOps<linalg::GenericOp>()))
      if (isContraction(op))
        narrow(op);
    // What nobody reads any more; consumers lie behind.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }

  static void narrow(linalg::GenericOp op) {
    Type sum = typeOf(op.getResult(0)).getElementType();
    if (!sum.isInteger(32) && !sum.isF32())
      return;
    // Views are repeated on codes before the contraction.
    Builder b(op.getLoc(), op);
    std::optional<Decoded> lhs = decoded(b, op.getOperand(0)), rhs = decoded(b, op.getOperand(1));
    if (!lhs || !rhs || lhs->hasScale() != sum.isF32() || rhs->hasScale() != sum.isF32())
      return;
    Narrowing narrowing(op, *lhs, *rhs);
    if (narrowing.isPossible())
      narrowing.rewrite();
  }
};

} // namespace
