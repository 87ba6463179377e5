//===- CompactOps.cpp - NonZero, Compress, Unique -------------------------===//
//
// Their results are as long as their input's values say. Each result has room for the most and
// zeros behind the last element (NonZero: a position outside of every tensor); how many there are
// is one result more, an i64 behind those of the schema. Nothing is appended: each place of the
// result asks for its source, so no two threads write one element.
//
//===----------------------------------------------------------------------===//
#include "Compact.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;

namespace mtc::onnx_import {

static RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

/// How many ones there are up to each element, in blocks of blocks of 64.
static Value runningCounts(Builder &b, Value numbers) {
  constexpr int64_t block = 64;
  int64_t n = typeOf(numbers).getDimSize(0), blocks = llvm::divideCeil(n, block);
  int64_t size = std::min(n, block);
  Type i64 = b.getI64Type();
  if (blocks * size != n)
    numbers = pad(b, numbers, {0}, {blocks * size - n}, integerAttr(i64, 0));
  Value rows = reshape(b, numbers, {blocks, size});
  Value counts =
      reduceLoops(b, {blocks, size, size}, {0, 1}, i64, {rows}, {selectDims(b, 3, {0, 2})},
                  Combiner::Add, false, [&](Scalars &s, ValueRange v) {
                    Value before = s.lessOrEqual(s.position(2, i64), s.position(1, i64));
                    return s.select(before, v[0], s.integer(i64, 0));
                  });
  if (blocks > 1) {
    Value totals =
        reshape(b, extractSlice(b, counts, {0, size - 1}, {blocks, 1}, {1, 1}), {blocks});
    AffineMap row = selectDims(b, 2, {0});
    counts = mapElements(b, typeOf(counts), {counts, runningCounts(b, totals), totals},
                         {b.getMultiDimIdentityMap(2), row, row},
                         [](Scalars &s, ValueRange v) { return s.add(v[0], s.sub(v[1], v[2])); });
  }
  counts = reshape(b, counts, {blocks * size});
  return blocks * size == n ? counts : extractSlice(b, counts, {0}, {n}, {1});
}

Kept keep(Builder &b, Value flags, int64_t bound) {
  int64_t n = typeOf(flags).getDimSize(0);
  Type i64 = b.getI64Type();
  Value numbers =
      mapElements(b, tensorType({n}, i64), {Operand(flags)}, [&](Scalars &s, ValueRange v) {
        return s.select(s.isTrue(v[0]), s.integer(i64, 1), s.integer(i64, 0));
      });
  Value counts = runningCounts(b, numbers);
  Kept kept;
  kept.count = reshape(b, extractSlice(b, counts, {n - 1}, {1}, {1}), {});
  // The number of elements up to which at most j ones have come, by halving.
  kept.places = mapElements(
      b, tensorType({bound}, i64), {}, ArrayRef<AffineMap>(), [&](Scalars &s, ValueRange) {
        Value j = s.position(0, i64), at = s.integer(i64, 0);
        for (int64_t step = llvm::bit_floor(uint64_t(n)); step > 0; step /= 2) {
          Value next = s.add(at, s.integer(i64, step));
          Value count = s.extract(counts, s.clampIndex(s.sub(next, s.integer(i64, 1)), n));
          Value isBefore = s.both(s.lessOrEqual(next, s.integer(i64, n)), s.lessOrEqual(count, j));
          at = s.select(isBefore, next, at);
        }
        return at;
      });
  return kept;
}

Value moveTogether(Builder &b, Value v, Value count) {
  RankedTensorType type = typeOf(v);
  Type i64 = b.getI64Type();
  int64_t all = type.getNumElements(), inner = type.getDimSize(2);
  return mapElements(b, tensorType({all}, type.getElementType()), {Operand(count)},
                     {selectDims(b, 1, {})}, [&](Scalars &s, ValueRange n) {
                       Value at = s.position(0, i64), row = s.div(at, s.integer(i64, inner));
                       return s.extract(v, {s.clampIndex(s.div(row, n[0]), type.getDimSize(0)),
                                            s.clampIndex(s.rem(row, n[0]), type.getDimSize(1)),
                                            s.clampIndex(s.rem(at, s.integer(i64, inner)), inner)});
                     });
}

namespace {

/// Row d: the positions along dim d.
Results nonZero(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  int64_t rank = in.getRank(), n = in.getNumElements();
  if (rank == 0)
    return c.reject("a scalar has no positions");
  Type i64 = b.getI64Type();
  Value flags = mapElements(b, tensorType(in.getShape(), b.getI8Type()), {Operand(c.inputs[0])},
                            [](Scalars &s, ValueRange v) { return s.isTrue(v[0]); });
  Kept kept = keep(b, reshape(b, flags, {n}), n);
  Value positions = mapElements(
      b, result, {kept.places, kept.count}, {selectDims(b, 2, {1}), selectDims(b, 2, {})},
      [&](Scalars &s, ValueRange v) {
        Value row = s.position(0, i64), position;
        int64_t stride = 1;
        for (int64_t d = rank - 1; d >= 0; --d) {
          int64_t size = in.getDimSize(d);
          Value along = s.rem(s.div(v[0], s.integer(i64, stride)), s.integer(i64, size));
          position = position ? s.select(s.equal(row, s.integer(i64, d)), along, position) : along;
          stride *= size;
        }
        return s.select(s.less(s.position(1, i64), v[1]), position, s.integer(i64, INT32_MAX));
      });
  return SmallVector<Value>{positions, kept.count};
}

/// An element, or zero where there are no more.
Value elementOr0(NodeContext &c, Scalars &s, Value isThere, Value element) {
  if (isFloat(element.getType()))
    element = s.cast(element, c.inputTypes[0], c.inputTypes[0]); // f16 as f32
  return s.select(isThere, element, s.like(element, 0));
}

/// The elements of `x` (outer, axis, inner) at the places along its axis.
Value takeKept(NodeContext &c, Value x, RankedTensorType result, Value places, Value count) {
  Builder &b = c.b;
  RankedTensorType in = typeOf(x);
  Shape shape(in.getShape());
  shape[1] = typeOf(places).getDimSize(0);
  Value y =
      mapElements(b, tensorType(shape, in.getElementType()), {places, count},
                  {selectDims(b, 3, {1}), selectDims(b, 3, {})}, [&](Scalars &s, ValueRange v) {
                    Value isThere = s.less(s.position(1, b.getI64Type()), v[1]);
                    Value place = s.clampIndex(v[0], in.getDimSize(1));
                    return elementOr0(c, s, isThere, s.extract(x, {s.index(0), place, s.index(2)}));
                  });
  return reshape(b, y, result.getShape());
}

/// A tensor as (outer, axis, inner); all of it is the axis if the node has none.
Value aroundAxis(NodeContext &c) {
  RankedTensorType in = c.type(0);
  if (!c.attribute("axis"))
    return reshape(c.b, c.inputs[0], {1, in.getNumElements(), 1});
  int64_t axis = normalizeAxis(c.intAttr("axis", 0), in.getRank());
  ArrayRef<int64_t> shape = in.getShape();
  return reshape(c.b, c.inputs[0],
                 {elementCount(shape.take_front(axis)), shape[axis],
                  elementCount(shape.drop_front(axis + 1))});
}

Results compress(NodeContext &c) {
  Builder &b = c.b;
  Value x = aroundAxis(c), flags = c.inputs[1];
  if (c.type(1).getRank() != 1)
    return c.reject("a condition of rank " + Twine(c.type(1).getRank()));
  int64_t bound = std::min(c.type(1).getDimSize(0), typeOf(x).getDimSize(1));
  if (c.type(1).getDimSize(0) > bound)
    flags = extractSlice(b, flags, {0}, {bound}, {1});
  Kept kept = keep(b, flags, bound);
  return SmallVector<Value>{takeKept(c, x, c.resultTypes[0], kept.places, kept.count), kept.count};
}

/// Compares elements i and j of an axis in loops (i, j): numbers, or rows by their first
/// difference.
struct Comparison {
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  Value rows;
  int64_t width = 1;

  Value same(Scalars &s, ValueRange v) const {
    return width == 1 ? equal(s, v[0], v[1]) : s.equal(v[0], s.integer(v[0].getType(), width));
  }
  /// Whether j is the smaller one.
  Value isAhead(Scalars &s, ValueRange v) const {
    if (width == 1)
      return less(s, v[1], v[0]);
    Value at = s.clampIndex(v[0], width);
    auto element = [&](int64_t loop) { return s.extract(rows, {s.index(loop), at}); };
    return s.both(s.negate(same(s, v)), less(s, element(1), element(0)));
  }
  /// A NaN equals itself and is larger than all numbers.
  static Value equal(Scalars &s, Value x, Value y) {
    Value is = s.equal(x, y);
    return isFloat(x.getType()) ? s.either(is, s.both(s.isNaN(x), s.isNaN(y))) : is;
  }
  static Value less(Scalars &s, Value x, Value y) {
    Value is = s.less(x, y);
    return isFloat(x.getType()) ? s.either(is, s.both(s.isNaN(y), s.negate(s.isNaN(x)))) : is;
  }
};

Comparison compareAlong(NodeContext &c, Value x, bool isUnsigned) {
  Builder &b = c.b;
  RankedTensorType in = typeOf(x);
  int64_t n = in.getDimSize(1);
  Comparison by;
  by.width = in.getDimSize(0) * in.getDimSize(2);
  if (by.width == 1) {
    Value flat = reshape(b, x, {n});
    by.inputs = {flat, flat};
    by.maps = {selectDims(b, 2, {0}), selectDims(b, 2, {1})};
    return by;
  }
  by.rows = reshape(b, transpose(b, x, {1, 0, 2}), {n, by.width});
  Type i64 = b.getI64Type();
  Value difference = reduceLoops(b, {n, n, by.width}, {0, 1}, i64, {by.rows, by.rows},
                                 {selectDims(b, 3, {0, 2}), selectDims(b, 3, {1, 2})},
                                 Combiner::Min, isUnsigned, [&](Scalars &s, ValueRange v) {
                                   return s.select(Comparison::equal(s, v[0], v[1]),
                                                   s.integer(i64, by.width), s.position(2, i64));
                                 });
  by.inputs = {difference};
  by.maps = {selectDims(b, 2, {0, 1})};
  return by;
}

/// Every element asks all others: which is the first of its kind, how many kinds are ahead of it.
Results unique(NodeContext &c) {
  Builder &b = c.b;
  constexpr int64_t maxAxis = 8192, maxWork = int64_t(1) << 26;
  Value x = aroundAxis(c);
  int64_t n = typeOf(x).getDimSize(1), width = typeOf(x).getNumElements() / n;
  if (n > maxAxis || n * n * width > maxWork)
    return c.reject("more than " + Twine(maxAxis) + " elements to compare");
  bool isUnsigned = isUnsignedType(c.inputTypes[0]), isSorted = c.intAttr("sorted", 1);
  Comparison by = compareAlong(c, x, isUnsigned);
  Type i64 = b.getI64Type();
  RankedTensorType list = tensorType({n}, i64);
  auto sumOrLeast = [&](Combiner combiner, SmallVector<Value> inputs, SmallVector<AffineMap> maps,
                        ScalarBody body) {
    return reduceLoops(b, {n, n}, {0}, i64, inputs, maps, combiner, isUnsigned, body);
  };
  auto number = [&](Scalars &s, int64_t v) { return s.integer(i64, v); };
  AffineMap outer = selectDims(b, 2, {0}), inner = selectDims(b, 2, {1});
  Value first = sumOrLeast(Combiner::Min, by.inputs, by.maps, [&](Scalars &s, ValueRange v) {
    return s.select(by.same(s, v), s.position(1, i64), number(s, n));
  });
  Value isFirst = mapElements(b, list, {Operand(first)}, [&](Scalars &s, ValueRange v) {
    return s.select(s.equal(v[0], s.position(0, i64)), number(s, 1), number(s, 0));
  });
  SmallVector<Value> inputs = by.inputs;
  SmallVector<AffineMap> maps = by.maps;
  inputs.append({first, isFirst});
  maps.append({outer, inner});
  // The first element of each kind counts.
  Value kind = sumOrLeast(Combiner::Add, inputs, maps, [&](Scalars &s, ValueRange v) {
    Value isAhead = isSorted ? by.isAhead(s, v) : s.less(s.position(1, i64), v.drop_back().back());
    return s.select(isAhead, v.back(), number(s, 0));
  });
  Value places =
      sumOrLeast(Combiner::Min, {kind, isFirst}, {inner, inner}, [&](Scalars &s, ValueRange v) {
        Value isIt = s.both(s.equal(v[0], s.position(0, i64)), s.isTrue(v[1]));
        return s.select(isIt, s.position(1, i64), number(s, n));
      });
  Value counts = sumOrLeast(Combiner::Add, {kind}, {inner}, [&](Scalars &s, ValueRange v) {
    return s.select(s.equal(v[0], s.position(0, i64)), number(s, 1), number(s, 0));
  });
  Value count = reduceAxes(b, isFirst, {0}, Combiner::Add);
  return SmallVector<Value>{takeKept(c, x, c.resultTypes[0], places, count), places, kind, counts,
                            count};
}

constexpr const char *bounded = "its result has room for the most";

const OpRow rows[] = {
    {"", "Compress", 9, compress, "numbers and bool", bounded},
    {"", "NonMaxSuppression", 10, nonMaxSuppression, "f32",
     "the most boxes of a class, at most 512, known when compiling"},
    {"", "NonZero", 9, nonZero, "numbers and bool", bounded},
    {"", "Unique", 11, unique, "numbers and bool", "at most 8192 elements: the work is the square"},
};

} // namespace

ArrayRef<OpRow> compactOps() { return rows; }

} // namespace mtc::onnx_import
