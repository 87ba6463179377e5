//===- EmitSums.cpp - long sums in plain loops ----------------------------===//
//
// One chain of n additions loses about n times the last bit: 7e-5 relative over a recognizer's
// layers at -O0. So each loop of a sum has an accumulator of its own, and a loop of more than
// kBlock trips is two loops: a chain is as long as the loops' trips added up, not multiplied. The
// order depends on the shape only.
//
// Source: N. Higham, Accuracy and Stability of Numerical Algorithms, section 4.2 (blocked
// summation).
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace mtc::host {
namespace {

constexpr int64_t kBlock = 32;

ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

/// yield acc + f(inputs), once, in floating point.
bool isSum(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  BlockArgument acc = body.getArguments().back();
  if (op.getNumDpsInits() != 1 || !acc.hasOneUse())
    return false;
  auto sum = dyn_cast<arith::AddFOp>(*acc.getUsers().begin());
  return sum && sum.getResult().hasOneUse() &&
         body.getTerminator()->getOperand(0) == sum.getResult();
}

class SumEmitter {
public:
  SumEmitter(Emitter &e, linalg::LinalgOp op,
             llvm::function_ref<Value(ArrayRef<Value>, Value)> next)
      : e(e), extents(op.getStaticLoopRanges()), indices(extents.size()), next(next) {
    for (auto [loop, type] : llvm::enumerate(op.getIteratorTypesArray()))
      (type == utils::IteratorType::parallel ? parallels : reductions).push_back(loop);
  }

  void emit(llvm::function_ref<void(ArrayRef<Value>, Value)> store, Type type) {
    auto zero = e.b.getFloatAttr(
        type, APFloat::getZero(cast<FloatType>(type).getFloatSemantics(), /*Negative=*/true));
    e.forIterations(llvm::map_to_vector(parallels, [&](unsigned loop) { return extents[loop]; }),
                    {}, [&](ArrayRef<Value> at) {
                      for (auto [loop, index] : llvm::zip_equal(parallels, at))
                        indices[loop] = index;
                      neutral = e.constant(zero);
                      Value sum = sumOver(reductions, neutral);
                      store(indices, sum);
                    });
  }

private:
  /// acc + the sum over `loops`. The innermost loop adds to what it is given.
  Value sumOver(ArrayRef<unsigned> loops, Value acc) {
    if (loops.empty())
      return next(indices, acc);
    unsigned loop = loops.front();
    auto inside = [&](Value index, Value carried) {
      indices[loop] = index;
      if (loops.size() == 1)
        return next(indices, carried);
      return plus(carried, sumOver(loops.drop_front(), neutral));
    };
    if (extents[loop] == 1)
      return inside(e.constant(0), acc);
    Value extent = e.constant(extents[loop]);
    if (extents[loop] <= kBlock)
      return carry(e.constant(0), extent, 1, acc, inside);
    return carry(e.constant(0), extent, kBlock, acc, [&](Value start, Value carried) {
      Value end = e.add(start, e.constant(kBlock));
      end = arith::MinSIOp::create(e.b, e.loc, end, extent);
      return plus(carried, carry(start, end, 1, neutral, inside));
    });
  }

  Value plus(Value x, Value y) { return arith::AddFOp::create(e.b, e.loc, x, y); }

  Value carry(Value start, Value end, int64_t step, Value acc,
              llvm::function_ref<Value(Value, Value)> body) {
    auto loop = scf::ForOp::create(e.b, e.loc, start, end, e.constant(step), ValueRange(acc));
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(loop.getBody());
    Value result = body(loop.getInductionVar(), loop.getRegionIterArg(0));
    scf::YieldOp::create(e.b, e.loc, result);
    return loop.getResult(0);
  }

  Emitter &e;
  SmallVector<int64_t> extents;
  SmallVector<Value> indices;
  llvm::function_ref<Value(ArrayRef<Value>, Value)> next;
  SmallVector<unsigned> parallels, reductions;
  Value neutral;
};

} // namespace

bool Emitter::emitSum(linalg::LinalgOp op) {
  AffineMap resultMap = op.getIndexingMapsArray().back();
  int64_t terms = 1;
  for (auto [loop, type] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (type == utils::IteratorType::parallel)
      continue;
    if (resultMap.isFunctionOfDim(loop))
      return false;
    terms *= op.getStaticLoopRanges()[loop];
  }
  if (terms <= kBlock || !isSum(op))
    return false;
  Value result = op->getResult(0);
  auto resultAt = [&](ArrayRef<Value> at) {
    return linearIndex(shapeOf(result), evaluate(resultMap, at));
  };
  Value place = memory[plan.lookup(result)];
  auto next = [&](ArrayRef<Value> at, Value acc) {
    return cloneBody(*op.getBlock(), arguments(op, at, {acc}), at).front();
  };
  SumEmitter(*this, op, next)
      .emit(
          [&](ArrayRef<Value> at, Value value) {
            Value index = resultAt(at);
            Value first = memref::LoadOp::create(b, loc, place, index);
            memref::StoreOp::create(b, loc, arith::AddFOp::create(b, loc, first, value).getResult(),
                                    place, index);
          },
          getElementTypeOrSelf(result));
  return true;
}

} // namespace mtc::host
