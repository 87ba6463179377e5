//===- EmitRows.cpp - rows of vectorized nests ----------------------------===//
//
// For each row of a segment its nests run one after the other. In a nest one loop becomes vectors:
//  - a parallel loop that is contiguous in the result: elementwise, and reductions over other
//  loops,
//    whose accumulators stay in registers. Where it is too short (three colours of a pixel) vectors
//    along the next one are interleaved;
//  - else a reduction contiguous in the inputs: four vector accumulators, combined at the end in an
//    order that depends on the shape only.
// What fits neither is scalar.
//
// Costly bodies (exp, division) run on four vectors as one, see kTogether: softmax of 160 rows of
// 18710 predicted 1000, measured 1320 -> 1090 to 1220 us (two cores of AMD EPYC Zen 4, shared VM,
// 2026-11-23).
//
//===----------------------------------------------------------------------===//
#include "EmitRows.h"

#include "VectorBody.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {
namespace {

/// The operation that combines the accumulator with a new element: yield combine(acc, f(ins)).
Operation *combinerOf(Block &body, int64_t inputs, size_t output) {
  BlockArgument acc = body.getArgument(inputs + output);
  if (!acc.hasOneUse())
    return nullptr;
  Operation *combine = *acc.getUsers().begin();
  if (body.getTerminator()->getOperand(output) != combine->getResult(0) ||
      !combine->getResult(0).hasOneUse())
    return nullptr;
  return combine;
}

/// x with combine(x, y) == y, for the operations that reductions use.
TypedAttr neutralElement(OpBuilder &b, Operation *combine) {
  Type type = combine->getResult(0).getType();
  if (auto f = dyn_cast<FloatType>(type)) {
    auto inf = [&](bool negative) {
      return b.getFloatAttr(f, APFloat::getInf(f.getFloatSemantics(), negative));
    };
    if (isa<arith::AddFOp>(combine))
      return b.getFloatAttr(f, APFloat::getZero(f.getFloatSemantics(), /*Negative=*/true));
    if (isa<arith::MulFOp>(combine))
      return b.getFloatAttr(f, 1.0);
    if (isa<arith::MaximumFOp, arith::MaxNumFOp>(combine))
      return inf(true);
    if (isa<arith::MinimumFOp, arith::MinNumFOp>(combine))
      return inf(false);
    return nullptr;
  }
  auto i = dyn_cast<IntegerType>(type);
  if (!i)
    return nullptr;
  unsigned w = i.getWidth();
  auto attr = [&](APInt v) { return b.getIntegerAttr(i, v); };
  if (isa<arith::AddIOp, arith::OrIOp, arith::XOrIOp, arith::MaxUIOp>(combine))
    return attr(APInt(w, 0));
  if (isa<arith::MulIOp>(combine))
    return attr(APInt(w, 1));
  if (isa<arith::AndIOp, arith::MinUIOp>(combine))
    return attr(APInt::getAllOnes(w));
  if (isa<arith::MaxSIOp>(combine))
    return attr(APInt::getSignedMinValue(w));
  if (isa<arith::MinSIOp>(combine))
    return attr(APInt::getSignedMaxValue(w));
  return nullptr;
}

class NestEmitter {
public:
  NestEmitter(Emitter &e, const Nest &nest, ArrayRef<Value> rows, int64_t lanes)
      : e(e), b(e.b), nest(nest), lanes(lanes), indices(rows) {
    indices.resize(nest.extents.size());
    for (size_t d = nest.rowDims; d < nest.extents.size(); ++d)
      (nest.isReduction[d] ? reductions : parallels).push_back(d);
  }

  void emit() {
    OpBuilder::InsertionGuard guard(b);
    if (auto [across, narrow] = narrowLoop(); narrow >= 0)
      return emitInterleaved(across, narrow);
    int64_t v =
        vectorLoop(parallels, [&](const Access &a, int64_t d) { return a.strides[d] == 1; });
    // Sums of rows: the results are contiguous, but what is read is not along them.
    bool readsApart = v >= 0 && llvm::any_of(nest.reads, [&](const Access &a) {
                        return a.storage >= 0 && a.strides[v] != 0 && a.strides[v] != 1;
                      });
    if (v >= 0 && !(readsApart && combines() && reductionLoop() >= 0))
      return emitAlongResult(v);
    if (combines() && (v = reductionLoop()) >= 0)
      return emitAlongReduction(v);
    emitScalar();
  }

private:
  /// The last of `dims` along which all results are contiguous.
  int64_t vectorLoop(ArrayRef<int64_t> dims, function_ref<bool(const Access &, int64_t)> fits) {
    if (nest.body && !canVectorize(*nest.body))
      return -1;
    for (int64_t d : llvm::reverse(dims))
      if (nest.extents[d] > 1 &&
          llvm::all_of(nest.writes, [&](const Access &a) { return fits(a, d); }))
        return d;
    return -1;
  }

  /// A loop `narrow` that is contiguous in all results but too short for vectors, and the loop
  /// `across` that repeats it right behind.
  std::pair<int64_t, int64_t> narrowLoop() {
    const std::pair<int64_t, int64_t> none(-1, -1);
    int64_t narrow =
        vectorLoop(parallels, [](const Access &a, int64_t d) { return a.strides[d] == 1; });
    if (!reductions.empty() || narrow < 0 || nest.extents[narrow] >= lanes / 2)
      return none;
    int64_t across = vectorLoop(parallels, [&](const Access &a, int64_t d) {
      return a.strides[d] == nest.extents[narrow];
    });
    if (across < 0 || nest.extents[across] % lanes != 0 ||
        llvm::any_of(
            nest.reads,
            [&](const Access &a) { return a.storage >= 0 && std::abs(a.strides[across]) > kNear; }))
      return none;
    return {across, narrow};
  }

  /// Every result is a reduction by an operation whose order may be chosen.
  bool combines() {
    if (!nest.body || reductions.empty() || !canVectorize(*nest.body))
      return false;
    for (size_t i = 0; i < nest.writes.size(); ++i) {
      Operation *combine = combinerOf(*nest.body, nest.reads.size(), i);
      if (!combine || !neutralElement(b, combine))
        return false;
    }
    return true;
  }

  /// Whether vectors along `v` are handled four at a time, as one: a chain of costly operations
  /// takes the sum of their latencies, and those of four vectors alternate.
  bool goesTogether(int64_t v) {
    return nest.body &&
           llvm::any_of(*nest.body,
                        [](Operation &op) {
                          return isa<math::MathDialect>(op.getDialect()) || isa<arith::DivFOp>(op);
                        }) &&
           llvm::all_of(nest.reads,
                        [&](const Access &a) {
                          return a.storage < 0 || a.strides[v] == 0 || a.strides[v] == 1;
                        }) &&
           llvm::all_of(nest.writes, [&](const Access &a) { return a.strides[v] <= 1; });
  }

  /// The reduction along which most inputs are contiguous.
  int64_t reductionLoop() {
    int64_t best = -1, bestScore = 0;
    for (int64_t d : reductions) {
      int64_t score =
          llvm::count_if(nest.reads, [&](const Access &a) { return a.strides[d] == 1; });
      if (nest.extents[d] >= lanes / 2 && score > bestScore) {
        best = d;
        bestScore = score;
      }
    }
    return best;
  }

  Value loop(Value extent, int64_t step, ValueRange carried,
             function_ref<SmallVector<Value>(Value, ValueRange)> body,
             SmallVectorImpl<Value> *results = nullptr, Value start = nullptr) {
    auto op = scf::ForOp::create(b, e.loc, start ? start : e.constant(0), extent, e.constant(step),
                                 carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    SmallVector<Value> yielded = body(op.getInductionVar(), op.getRegionIterArgs());
    if (!carried.empty()) {
      b.setInsertionPointToEnd(op.getBody());
      scf::YieldOp::create(b, e.loc, yielded);
    }
    if (results)
      results->assign(op.getResults().begin(), op.getResults().end());
    return op.getNumResults() ? op.getResult(0) : Value();
  }

  /// Loops over `dims`, setting indices.
  void loops(ArrayRef<int64_t> dims, function_ref<void()> body) {
    if (dims.empty())
      return body();
    int64_t d = dims.front();
    if (nest.extents[d] == 1) {
      indices[d] = e.constant(0);
      return loops(dims.drop_front(), body);
    }
    loop(extent(d), 1, {}, [&](Value i, ValueRange) {
      indices[d] = i;
      loops(dims.drop_front(), body);
      return SmallVector<Value>();
    });
  }

  /// Loops over `dims` that carry `values` through `body`.
  SmallVector<Value> carryThrough(ArrayRef<int64_t> dims, ValueRange values,
                                  function_ref<SmallVector<Value>(ValueRange)> body) {
    if (dims.empty())
      return body(values);
    int64_t d = dims.front();
    if (nest.extents[d] == 1) {
      indices[d] = e.constant(0);
      return carryThrough(dims.drop_front(), values, body);
    }
    SmallVector<Value> results;
    loop(
        extent(d), 1, values,
        [&](Value i, ValueRange carried) {
          indices[d] = i;
          return carryThrough(dims.drop_front(), carried, body);
        },
        &results);
    return results;
  }

  Value extent(int64_t d) {
    if (d != nest.splitDim)
      return e.constant(nest.extents[d]);
    Value start = e.mul(indices[nest.rowDims - 1], nest.splitBlock);
    Value left = arith::SubIOp::create(b, e.loc, e.constant(nest.extents[d]), start);
    return arith::MinSIOp::create(b, e.loc, left, e.constant(nest.splitBlock));
  }

  Value address(const Access &a) {
    SmallVector<std::pair<Value, int64_t>> terms;
    for (auto [i, stride] : llvm::zip_equal(indices, a.strides))
      terms.emplace_back(i, stride);
    return e.linear(a.offset, terms);
  }

  Value load(const Access &a, int64_t v, const Lanes &l) {
    if (a.scalar)
      return e.scalars.lookup(a.scalar);
    if (a.storage < 0)
      return nullptr;
    return loadVector(e, a.storage, address(a), v < 0 ? 0 : a.strides[v], l);
  }

  /// Values of the body's input arguments; unread ones get a zero.
  SmallVector<Value> inputs(int64_t v, const Lanes &l) {
    SmallVector<Value> values;
    for (auto [i, a] : llvm::enumerate(nest.reads)) {
      Value value = load(a, v, l);
      if (!value)
        value = e.constant(cast<TypedAttr>(b.getZeroAttr(nest.body->getArgument(i).getType())));
      values.push_back(value);
    }
    return values;
  }

  /// The body at the current indices; `accumulators` stand for the results so far.
  SmallVector<Value> compute(int64_t v, const Lanes &l, ValueRange accumulators) {
    SmallVector<Value> arguments = inputs(v, l);
    if (!nest.body)
      return arguments;
    llvm::append_range(arguments, accumulators);
    SmallVector<Value> original(cast<linalg::LinalgOp>(nest.op).getNumLoops());
    int64_t vectorDim = v < 0 ? -1 : nest.originalDim[v];
    for (auto [d, i] : llvm::enumerate(indices))
      if (nest.originalDim[d] >= 0)
        original[nest.originalDim[d]] = i;
    return cloneVectorBody(e, *nest.body, arguments, original, vectorDim, l);
  }

  Value initialScalar(size_t output) {
    if (nest.initial[output])
      return e.scalars.lookup(nest.initial[output]);
    Type t = cast<MemRefType>(e.memory[nest.writes[output].storage].getType()).getElementType();
    return e.constant(cast<TypedAttr>(b.getZeroAttr(t)));
  }

  void store(size_t output, Value value, int64_t v, const Lanes &l) {
    const Access &a = nest.writes[output];
    if (v < 0)
      memref::StoreOp::create(b, e.loc, value, e.memory[a.storage], address(a));
    else
      storeVector(e, value, a.storage, address(a), a.strides[v], l);
  }

  void emitAlongResult(int64_t v) {
    SmallVector<int64_t> outer(parallels), inner;
    llvm::erase(outer, v);
    // A copy that is contiguous elsewhere in its input: that loop innermost, so that cache lines
    // are used up.
    if (reductions.empty())
      for (const Access &a : nest.reads)
        if (a.storage >= 0 && a.strides[v] > 1)
          for (int64_t d : outer)
            if (a.strides[d] == 1 && d != nest.splitDim && inner.empty()) {
              inner.push_back(d);
              break;
            }
    for (int64_t d : inner)
      llvm::erase(outer, d);

    bool together = reductions.empty() && inner.empty() && goesTogether(v);
    loops(outer, [&] {
      auto vectors = [&](Value start, int64_t count, const Lanes &l) {
        loops(inner, [&] {
          SmallVector<Value> accumulators;
          for (int64_t u = 0; u < count; ++u)
            for (size_t i = 0; i < nest.writes.size(); ++i)
              accumulators.push_back(reductions.empty() ? initialScalar(i)
                                                        : broadcast(e, initialScalar(i), lanes));
          auto step = [&](ValueRange carried) {
            SmallVector<Value> next;
            for (int64_t u = 0; u < count; ++u) {
              indices[v] = e.add(start, e.constant(u * lanes));
              for (Value r :
                   compute(v, l, carried.slice(u * nest.writes.size(), nest.writes.size())))
                next.push_back(reductions.empty() ? r : broadcast(e, r, lanes));
            }
            return next;
          };
          SmallVector<Value> results = carryThrough(reductions, accumulators, step);
          for (int64_t u = 0; u < count; ++u) {
            indices[v] = e.add(start, e.constant(u * lanes));
            for (size_t i = 0; i < nest.writes.size(); ++i)
              store(i, results[u * nest.writes.size() + i], v, l);
          }
        });
      };
      int64_t total = nest.extents[v];
      if (v == nest.splitDim) {
        Value end = extent(v), whole = e.constant(0);
        auto loopBy = [&](int64_t step) {
          Value from = whole;
          whole = arith::DivUIOp::create(b, e.loc, end, e.constant(step));
          whole = arith::MulIOp::create(b, e.loc, whole, e.constant(step));
          loop(
              whole, step, {},
              [&](Value i, ValueRange) {
                vectors(i, 1, {step, nullptr});
                return SmallVector<Value>();
              },
              nullptr, from);
        };
        if (together)
          loopBy(kTogether * lanes);
        loopBy(lanes);
        if (total % lanes != 0) { // only the last block has a rest: a loop of at most one trip
          loop(
              end, lanes, {},
              [&](Value i, ValueRange) {
                Value mask = vector::CreateMaskOp::create(
                    b, e.loc, VectorType::get({lanes}, b.getI1Type()),
                    ValueRange(arith::SubIOp::create(b, e.loc, end, i)));
                vectors(i, 1, {lanes, mask});
                return SmallVector<Value>();
              },
              nullptr, whole);
        }
        return;
      }
      int64_t unroll =
          reductions.empty() ? 1 : std::min<int64_t>(4, std::max<int64_t>(1, total / lanes));
      if (int64_t step = kTogether * lanes; together && total >= step) {
        loop(e.constant(total / step * step), step, {}, [&](Value i, ValueRange) {
          vectors(i, 1, {step, nullptr});
          return SmallVector<Value>();
        });
        for (int64_t at = total / step * step; at + lanes <= total; at += lanes)
          vectors(e.constant(at), 1, {lanes, nullptr});
        if (total % lanes)
          vectors(e.constant(total / lanes * lanes), 1,
                  {lanes, firstLanes(e, total % lanes, lanes)});
        return;
      }
      int64_t done = total / (lanes * unroll) * lanes * unroll;
      if (done == lanes * unroll) {
        vectors(e.constant(0), unroll, {lanes, nullptr});
      } else if (done > 0) {
        loop(e.constant(done), lanes * unroll, {}, [&](Value i, ValueRange) {
          vectors(i, unroll, {lanes, nullptr});
          return SmallVector<Value>();
        });
      }
      for (; done + lanes <= total; done += lanes)
        vectors(e.constant(done), 1, {lanes, nullptr});
      if (done < total)
        vectors(e.constant(done), 1, {lanes, firstLanes(e, total - done, lanes)});
    });
  }

  /// Vectors along `across`, one for each trip of `narrow`; together they are contiguous.
  void emitInterleaved(int64_t across, int64_t narrow) {
    SmallVector<int64_t> outer(parallels);
    llvm::erase(outer, across);
    llvm::erase(outer, narrow);
    const int64_t width = nest.extents[narrow];
    loops(outer, [&] {
      loop(extent(across), lanes, {}, [&](Value start, ValueRange) {
        indices[across] = start;
        SmallVector<SmallVector<Value>> parts(nest.writes.size());
        for (int64_t i = 0; i < width; ++i) {
          indices[narrow] = e.constant(i);
          SmallVector<Value> initial;
          for (size_t output = 0; output < parts.size(); ++output)
            initial.push_back(initialScalar(output));
          for (auto [list, value] :
               llvm::zip_equal(parts, compute(across, {lanes, nullptr}, initial)))
            list.push_back(broadcast(e, value, lanes));
        }
        indices[narrow] = e.constant(0);
        for (auto [a, list] : llvm::zip_equal(nest.writes, parts))
          storeVector(e, interleave(e, list), a.storage, address(a), 1, {width * lanes, nullptr});
        return SmallVector<Value>();
      });
    });
  }

  /// combine(x, y) as scalars or vectors.
  Value combined(Operation *combine, Value x, Value y) {
    Operation *op = Operation::create(e.loc, combine->getName(), {x.getType()}, {x, y},
                                      combine->getAttrDictionary(), combine->getPropertiesStorage(),
                                      BlockRange(), 0);
    b.insert(op);
    return op->getResult(0);
  }

  /// One step of the reduction `v` on four vectors in one; `carried` are theirs, one by one.
  SmallVector<Value> stepTogether(int64_t v, Value start, ValueRange carried) {
    size_t outputs = nest.writes.size();
    indices[v] = start;
    SmallVector<Value> wide;
    for (size_t i = 0; i < outputs; ++i) {
      SmallVector<Value> parts;
      for (int64_t u = 0; u < kTogether; ++u)
        parts.push_back(carried[u * outputs + i]);
      wide.push_back(joinVectors(e, parts));
    }
    wide = compute(v, {kTogether * lanes, nullptr}, wide);
    SmallVector<Value> next;
    for (int64_t u = 0; u < kTogether; ++u)
      for (Value value : wide)
        next.push_back(partOf(e, broadcast(e, value, kTogether * lanes), u, lanes));
    return next;
  }

  void emitAlongReduction(int64_t v) {
    SmallVector<int64_t> others(reductions);
    llvm::erase(others, v);
    size_t outputs = nest.writes.size();
    int64_t total = nest.extents[v];
    int64_t unroll = std::min<int64_t>(4, std::max<int64_t>(1, total / lanes));
    int64_t whole = total / (lanes * unroll) * lanes * unroll;

    loops(parallels, [&] {
      SmallVector<Value> accumulators;
      for (int64_t u = 0; u < unroll; ++u)
        for (size_t i = 0; i < outputs; ++i)
          accumulators.push_back(broadcast(
              e, e.constant(neutralElement(b, combinerOf(*nest.body, nest.reads.size(), i))),
              lanes));
      auto step = [&](Value start, int64_t u, ValueRange carried, const Lanes &l) {
        indices[v] = e.add(start, e.constant(u * lanes));
        SmallVector<Value> next = compute(v, l, carried.slice(u * outputs, outputs));
        for (auto [i, value] : llvm::enumerate(next)) {
          value = broadcast(e, value, lanes);
          if (l.mask) // lanes past the end keep what they had
            value = arith::SelectOp::create(b, e.loc, l.mask, value, carried[u * outputs + i]);
        }
        return next;
      };
      SmallVector<Value> results = carryThrough(others, accumulators, [&](ValueRange outer) {
        SmallVector<Value> current(outer);
        if (whole > 0)
          loop(
              e.constant(whole), lanes * unroll, current,
              [&](Value start, ValueRange carried) {
                if (unroll == kTogether && goesTogether(v))
                  return stepTogether(v, start, carried);
                SmallVector<Value> next;
                for (int64_t u = 0; u < unroll; ++u)
                  llvm::append_range(next, step(start, u, carried, {lanes, nullptr}));
                return next;
              },
              &current);
        int64_t done = whole;
        for (int64_t u = 0; done < total; done += lanes, u = (u + 1) % unroll) {
          Lanes l{lanes, nullptr};
          if (done + lanes > total)
            l.mask = firstLanes(e, total - done, lanes);
          Value start = e.constant(done - u * lanes);
          SmallVector<Value> next = step(start, u, current, l);
          for (auto [i, value] : llvm::enumerate(next))
            current[u * outputs + i] = value;
        }
        return current;
      });
      for (size_t i = 0; i < outputs; ++i) {
        Operation *combine = combinerOf(*nest.body, nest.reads.size(), i);
        SmallVector<Value> parts;
        for (int64_t u = 0; u < unroll; ++u)
          parts.push_back(results[u * outputs + i]);
        while (parts.size() > 1) { // pairs, then pairs of pairs
          SmallVector<Value> half;
          for (size_t p = 0; p + 1 < parts.size(); p += 2)
            half.push_back(combined(combine, parts[p], parts[p + 1]));
          if (parts.size() % 2)
            half.push_back(parts.back());
          parts = half;
        }
        Value value = parts[0];
        for (int64_t width = lanes / 2; width >= 1; width /= 2) {
          Value low =
              vector::ExtractStridedSliceOp::create(b, e.loc, value, ArrayRef<int64_t>{0},
                                                    ArrayRef<int64_t>{width}, ArrayRef<int64_t>{1});
          Value high =
              vector::ExtractStridedSliceOp::create(b, e.loc, value, ArrayRef<int64_t>{width},
                                                    ArrayRef<int64_t>{width}, ArrayRef<int64_t>{1});
          value = combined(combine, low, high);
        }
        value = vector::ExtractOp::create(b, e.loc, value, ArrayRef<int64_t>{0});
        if (nest.initial[i])
          value = combined(combine, initialScalar(i), value);
        store(i, value, -1, {lanes, nullptr});
      }
    });
  }

  void emitScalar() {
    loops(parallels, [&] {
      SmallVector<Value> accumulators;
      for (size_t i = 0; i < nest.writes.size(); ++i)
        accumulators.push_back(initialScalar(i));
      SmallVector<Value> results = carryThrough(reductions, accumulators, [&](ValueRange carried) {
        SmallVector<Value> arguments = inputs(-1, {lanes, nullptr});
        if (!nest.body)
          return arguments;
        llvm::append_range(arguments, carried);
        SmallVector<Value> original(cast<linalg::LinalgOp>(nest.op).getNumLoops());
        for (auto [d, i] : llvm::enumerate(indices))
          if (nest.originalDim[d] >= 0)
            original[nest.originalDim[d]] = i;
        return e.cloneBody(*nest.body, arguments, original);
      });
      for (auto [i, value] : llvm::enumerate(results))
        store(i, value, -1, {lanes, nullptr});
    });
  }

  Emitter &e;
  OpBuilder &b;
  const Nest &nest;
  int64_t lanes;
  SmallVector<Value> indices;
  SmallVector<int64_t> parallels, reductions;
};

} // namespace

LogicalResult emitRows(Emitter &e, const RowProgram &program, ArrayRef<int64_t> rowsPerTile,
                       int64_t lanes) {
  OpBuilder &b = e.b;
  for (Operation &op : e.kernel.getBody().front().without_terminator())
    e.emitScalar(op);
  int64_t firstTile = 0;
  for (auto [segment, perTile] : llvm::zip_equal(program.segments, rowsPerTile)) {
    int64_t rows = segment.rows(), tiles = llvm::divideCeil(rows, perTile);
    // Rows of the tiles [lo, hi) that are this segment's.
    auto clampTile = [&](Value t) {
      Value local = e.add(t, e.constant(-firstTile));
      local = arith::MaxSIOp::create(b, e.loc, local, e.constant(0));
      local = arith::MinSIOp::create(b, e.loc, local, e.constant(tiles));
      return arith::MinSIOp::create(b, e.loc, e.mul(local, perTile), e.constant(rows)).getResult();
    };
    auto loop = scf::ForOp::create(b, e.loc, clampTile(e.lo), clampTile(e.hi), e.constant(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> indices(segment.rowExtents.size());
    Value rest = loop.getInductionVar();
    for (int64_t d = static_cast<int64_t>(indices.size()) - 1; d >= 0; --d) {
      Value extent = e.constant(segment.rowExtents[d]);
      indices[d] = d == 0 ? rest : Value(arith::RemUIOp::create(b, e.loc, rest, extent));
      if (d > 0)
        rest = arith::DivUIOp::create(b, e.loc, rest, extent);
    }
    for (const Nest &nest : segment.nests)
      NestEmitter(e, nest, indices, lanes).emit();
    firstTile += tiles;
  }
  e.finish();
  return success();
}

} // namespace mtc::host
