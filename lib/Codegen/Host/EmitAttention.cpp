//===- EmitAttention.cpp - blocks of queries against all keys -------------===//
//
// For a block of queries of one head: (1) they are transposed into scratch, and so is a mask that
// has a row for each; (2) the products with all keys run as register tiles of keys times vectors of
// queries, with scale and mask on the accumulators; (3) softmax down the columns of scores,
// undivided; (4) the products with the values, divided by the sums as they are stored. Both
// products are those of EmitContraction.
//
//===----------------------------------------------------------------------===//
#include "Attention.h"

#include "EmitContraction.h"
#include "VectorBody.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {
namespace {

class AttentionEmitter {
public:
  AttentionEmitter(Emitter &e, const Attention &a, const AttentionTiling &t,
                   const HostTarget &target)
      : e(e), b(e.b), a(a), t(t), target(target), type(VectorType::get({t.lanes}, b.getF32Type())) {
  }

  void emit() {
    e.forRange(e.lo, e.hi, 1, [&](Value tile) {
      Value rest = tile;
      auto next = [&](int64_t count) { return e.takeIndex(rest, count); };
      const int64_t whole = a.queries / t.block(), left = a.queries % t.block();
      Value block = next(whole + (left > 0));
      outer.assign(a.outer.size(), Value());
      for (int64_t i = static_cast<int64_t>(a.outer.size()) - 1; i >= 0; --i)
        outer[i] = next(a.outer[i]);
      firstQuery = e.mul(block, t.block());
      if (whole == 0 || left == 0)
        return emitBlock(whole == 0 ? left : t.block());
      Value isLast =
          arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::eq, block, e.constant(whole));
      auto branch = scf::IfOp::create(b, e.loc, isLast, /*withElseRegion=*/true);
      for (bool last : {true, false}) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(last ? branch.thenBlock() : branch.elseBlock());
        emitBlock(last ? left : t.block());
      }
    });
  }

private:
  /// Where the head's first query or key, or the block's first query, lies.
  Value startOf(const Attention::Access &access) {
    SmallVector<std::pair<Value, int64_t>> terms = {{firstQuery, access.query}};
    for (auto [index, stride] : llvm::zip_equal(outer, access.outer))
      terms.emplace_back(index, stride);
    return e.linear(0, terms);
  }

  void emitBlock(int64_t count) {
    transposeRows(a.query, count, a.depth, a.packed);
    if (a.ops.mask >= 0)
      transposeRows(a.adjusting[a.ops.mask], count, a.keys, a.scores);

    Contraction scores = scoreProducts(a, t, count);
    scores.operands[1].from = startOf(a.key);
    for (auto [i, access] : llvm::enumerate(a.adjusting))
      if (Operand &operand = scores.operands[scores.inputs + i];
          operand.storage >= 0 && static_cast<int64_t>(i) != a.ops.mask)
        operand.from = startOf(access);
    emitProducts(scores, {t.lanes, t.mr, t.nv});

    e.forRange(e.constant(0), e.constant(llvm::alignTo(count, t.lanes)), t.lanes,
               [&](Value column) { softmax(column); });

    Contraction values = valueProducts(a, t, count);
    values.operands[1].from = startOf(a.value);
    values.operands[values.output(0)].from = startOf(a.result);
    emitProducts(values, {t.valueLanes, t.valueMr, t.valueNv});
  }

  /// A tile for each group of columns.
  void emitProducts(const Contraction &c, Tiling tiling) {
    tiling.stepBlock = std::max<int64_t>(1, segmentsOf(c, tiling.mr).steps);
    const std::pair tiles(e.lo, e.hi);
    e.lo = e.constant(0);
    e.hi = e.constant(tilesOf(c, tiling));
    emitTiles(e, c, tiling, target);
    std::tie(e.lo, e.hi) = tiles;
  }

  //===--------------------------------------------------------------------===//
  // Transposes
  //===--------------------------------------------------------------------===//

  /// `count` rows of `columns` numbers side by side become columns of `storage`, blocks apart. What
  /// is left of the last vector is 0.
  void transposeRows(const Attention::Access &rows, int64_t count, int64_t columns, int storage) {
    Value start = startOf(rows);
    const int64_t whole = columns / t.lanes * t.lanes;
    for (int64_t row = 0; row < count; row += t.lanes) {
      auto square = [&](Value column, int64_t width) {
        Lanes lanes{t.lanes, width < t.lanes ? firstLanes(e, width, t.lanes) : Value()};
        SmallVector<Value> vectors;
        for (int64_t i = row; i < row + t.lanes; ++i)
          vectors.push_back(
              i < count ? loadVector(e, rows.storage,
                                     e.linear(i * rows.query, {{start, 1}, {column, 1}}), 1, lanes)
                        : e.constant(cast<TypedAttr>(b.getZeroAttr(type))));
        transpose(vectors);
        for (int64_t i = 0; i < width; ++i)
          vector::StoreOp::create(b, e.loc, vectors[i], e.memory[storage],
                                  e.linear(i * t.block() + row, {{column, t.block()}}));
      };
      if (whole)
        e.forRange(e.constant(0), e.constant(whole), t.lanes,
                   [&](Value column) { square(column, t.lanes); });
      if (whole < columns)
        square(e.constant(whole), columns - whole);
    }
  }

  /// As many vectors as they have lanes: bit by bit, the number of a vector changes places with
  /// that of a lane.
  void transpose(SmallVectorImpl<Value> &vectors) {
    for (int64_t bit = 1; bit < t.lanes; bit *= 2) {
      SmallVector<int64_t> low, high;
      for (int64_t lane = 0; lane < t.lanes; ++lane) {
        low.push_back(lane & bit ? t.lanes + (lane ^ bit) : lane);
        high.push_back(lane & bit ? t.lanes + lane : lane | bit);
      }
      for (int64_t i = 0; i < t.lanes; ++i) {
        if (i & bit)
          continue;
        Value x = vectors[i], y = vectors[i | bit];
        vectors[i] = vector::ShuffleOp::create(b, e.loc, x, y, low);
        vectors[i | bit] = vector::ShuffleOp::create(b, e.loc, x, y, high);
      }
    }
  }

  //===--------------------------------------------------------------------===//
  // Softmax
  //===--------------------------------------------------------------------===//

  /// exp(x - max) of a vector of queries, and its sums. Keys are added up four apart, then the four
  /// sums: in the same order in every block.
  void softmax(Value column) {
    Value memory = e.memory[a.scores];
    auto at = [&](Value key, int64_t i) {
      return e.linear(i * t.block(), {{column, 1}, {key, t.block()}});
    };
    Value lowest = e.constant(cast<TypedAttr>(DenseElementsAttr::get(
        type, APFloat::getInf(cast<FloatType>(type.getElementType()).getFloatSemantics(),
                              /*Negative=*/true))));
    auto larger = [&](Value x, Value y) -> Value { // what is no number is left to the exponentials
      Value isLarger = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OGT, x, y);
      return arith::SelectOp::create(b, e.loc, isLarger, x, y);
    };
    auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, e.loc, x, y); };
    Value maximum = overKeys(lowest, larger, [&](Value key, int64_t count) {
      SmallVector<Value> vectors;
      for (int64_t i = 0; i < count; ++i)
        vectors.push_back(vector::LoadOp::create(b, e.loc, type, memory, at(key, i)));
      return vectors;
    });
    Value sum = overKeys(e.constant(cast<TypedAttr>(b.getZeroAttr(type))), add,
                         [&](Value key, int64_t count) {
                           SmallVector<Value> distances;
                           for (int64_t i = 0; i < count; ++i) {
                             Value x = vector::LoadOp::create(b, e.loc, type, memory, at(key, i));
                             distances.push_back(arith::SubFOp::create(b, e.loc, x, maximum));
                           }
                           SmallVector<Value> vectors = exponentials(distances);
                           for (auto [i, v] : llvm::enumerate(vectors))
                             vector::StoreOp::create(b, e.loc, v, memory, at(key, i));
                           return vectors;
                         });
    vector::StoreOp::create(b, e.loc, sum, e.memory[a.sums], column);
  }

  /// Four at once, so that their operations alternate.
  SmallVector<Value> exponentials(ArrayRef<Value> x) {
    if (x.size() < kTogether)
      return llvm::map_to_vector(
          x, [&](Value v) -> Value { return math::ExpOp::create(b, e.loc, v); });
    Value all = math::ExpOp::create(b, e.loc, joinVectors(e, SmallVector<Value>(x)));
    SmallVector<Value> parts;
    for (int64_t i = 0; i < kTogether; ++i)
      parts.push_back(partOf(e, all, i, t.lanes));
    return parts;
  }

  /// `combine` of what `body` gives for each key, which it gets some at a time.
  Value overKeys(Value initial, function_ref<Value(Value, Value)> combine,
                 function_ref<SmallVector<Value>(Value, int64_t)> body) {
    const int64_t whole = a.keys / kTogether * kTogether;
    SmallVector<Value> parts(kTogether, initial);
    if (whole) {
      auto op = scf::ForOp::create(b, e.loc, e.constant(0), e.constant(whole),
                                   e.constant(kTogether), parts);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(op.getBody());
      SmallVector<Value> next = body(op.getInductionVar(), kTogether);
      for (int64_t i = 0; i < kTogether; ++i)
        next[i] = combine(op.getRegionIterArg(i), next[i]);
      scf::YieldOp::create(b, e.loc, next);
      parts.assign(op.getResults().begin(), op.getResults().end());
    }
    if (whole < a.keys)
      for (auto [i, v] : llvm::enumerate(body(e.constant(whole), a.keys - whole)))
        parts[i] = combine(parts[i], v);
    return combine(combine(parts[0], parts[1]), combine(parts[2], parts[3]));
  }

  Emitter &e;
  OpBuilder &b;
  const Attention &a;
  const AttentionTiling &t;
  const HostTarget &target;
  VectorType type;
  SmallVector<Value> outer; ///< indices of batch and head
  Value firstQuery;         ///< of the block
};

} // namespace

LogicalResult emitAttention(Emitter &e, const Attention &a, const AttentionTiling &t,
                            const HostTarget &target) {
  for (Operation &op : e.kernel.getBody().front().without_terminator())
    e.emitScalar(op);
  AttentionEmitter(e, a, t, target).emit();
  e.finish();
  return success();
}

} // namespace mtc::host
