//===- DeterminantOps.cpp - Det -------------------------------------------===//
//
// Gaussian elimination with partial pivoting, a step a column, each a few small generics over all
// matrices: in f64, as numpy.linalg.det does for the reference.
//
//===----------------------------------------------------------------------===//
#include "Contractions.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// Steps are unrolled.
constexpr int64_t maxSize = 32;

/// A matrix of each batch and the product of the pivots so far.
struct Elimination {
  Value matrix, product;
};

/// Takes column k off the rows below the pivot's: the remaining matrix, one row and column smaller.
Elimination eliminate(Builder &b, const Elimination &e) {
  auto type = cast<RankedTensorType>(e.matrix.getType());
  int64_t batch = type.getDimSize(0), n = type.getDimSize(1);
  Type f64 = b.getF64Type(), i64 = b.getI64Type();
  Value column =
      reshape(b, extractSlice(b, e.matrix, {0, 0, 0}, {batch, n, 1}, {1, 1, 1}), {batch, n});
  Value largest = reduceAxes(b, column, {1}, Combiner::Max, false,
                             [](Scalars &s, ValueRange v) { return s.abs(v[0]); });
  // The first row with the largest element; with a NaN in the column, the last row.
  Value pivotRow = reduceLoops(b, {batch, n}, {0}, i64, {column, largest},
                               {b.getMultiDimIdentityMap(2), selectDims(b, 2, {0})}, Combiner::Min,
                               false, [&](Scalars &s, ValueRange v) {
                                 return s.select(s.equal(s.abs(v[0]), v[1]), s.position(1, i64),
                                                 s.integer(i64, n - 1));
                               });
  Value matrix = e.matrix;
  auto at = [&](Scalars &s, Value batchIndex, Value row, Value columnIndex) {
    return s.extract(matrix, {batchIndex, s.clampIndex(row, n), columnIndex});
  };
  Elimination next;
  next.product = mapElements(b, tensorType({batch}, f64), {e.product, pivotRow},
                             [&](Scalars &s, ValueRange v) {
                               Value zero = s.integer(s.b.getIndexType(), 0);
                               Value pivot = at(s, s.index(0), v[1], zero);
                               Value isSame = s.equal(v[1], s.integer(i64, 0));
                               return s.mul(v[0], s.select(isSame, pivot, s.neg(pivot)));
                             });
  if (n == 1)
    return next;
  // Row i + 1 of the matrix, row 0 if that is the pivot's (they change places).
  next.matrix = mapElements(b, tensorType({batch, n - 1, n - 1}, f64), {pivotRow},
                            {selectDims(b, 3, {0})}, [&](Scalars &s, ValueRange v) {
                              Type index = s.b.getIndexType();
                              Value one = s.integer(i64, 1), zero = s.integer(index, 0);
                              Value own = s.add(s.position(1, i64), one);
                              Value row = s.select(s.equal(own, v[0]), s.integer(i64, 0), own);
                              Value columnIndex = s.clampIndex(s.add(s.position(2, i64), one), n);
                              Value pivot = at(s, s.index(0), v[0], zero);
                              Value isSingular = s.equal(pivot, s.like(pivot, 0));
                              Value factor = s.div(at(s, s.index(0), row, zero),
                                                   s.select(isSingular, s.like(pivot, 1), pivot));
                              return s.sub(at(s, s.index(0), row, columnIndex),
                                           s.mul(factor, at(s, s.index(0), v[0], columnIndex)));
                            });
  return next;
}

} // namespace

Results determinant(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t rank = in.getRank();
  if (rank < 2 || in.getDimSize(rank - 1) != in.getDimSize(rank - 2) ||
      in.getDimSize(rank - 1) > maxSize)
    return c.reject("not square matrices of at most " + Twine(maxSize) + " rows");
  int64_t n = in.getDimSize(rank - 1), batch = in.getNumElements() / (n * n);
  Elimination e{convertFloat(b, reshape(b, c.inputs[0], {batch, n, n}), b.getF64Type()),
                fill(b, tensorType({batch}, b.getF64Type()), numberAttr(b.getF64Type(), 1))};
  for (int64_t k = 0; k < n; ++k)
    e = eliminate(b, e);
  Value y = convertFloat(b, e.product, c.resultTypes[0].getElementType());
  return SmallVector<Value>{reshape(b, y, c.resultTypes[0].getShape())};
}

} // namespace mtc::onnx_import
