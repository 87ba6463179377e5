//===- Builders.cpp - how operator handlers write linalg on tensors -------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "llvm/ADT/SmallBitVector.h"

#include <limits>

using namespace mlir;
using utils::IteratorType;

namespace mtc::onnx_import {

static RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

RankedTensorType tensorType(ArrayRef<int64_t> shape, Type element) {
  return RankedTensorType::get(shape, element);
}

int64_t elementCount(ArrayRef<int64_t> shape) {
  int64_t n = 1;
  for (int64_t d : shape)
    n *= d;
  return n;
}

int64_t normalizeAxis(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

LogicalResult normalizeAxes(NodeContext &c, MutableArrayRef<int64_t> axes, int64_t rank) {
  llvm::SmallBitVector seen(rank);
  for (int64_t &axis : axes) {
    if (axis < -rank || axis >= rank)
      return c.reject("axis " + Twine(axis) + " of a tensor of rank " + Twine(rank));
    axis = normalizeAxis(axis, rank);
    if (seen.test(axis))
      return c.reject("axis " + Twine(axis) + " occurs twice");
    seen.set(axis);
  }
  return success();
}

AffineMap selectDims(Builder &b, unsigned loops, ArrayRef<int64_t> dims) {
  SmallVector<AffineExpr> exprs;
  for (int64_t d : dims)
    exprs.push_back(b.getAffineDimExpr(d));
  return AffineMap::get(loops, 0, exprs, b.getContext());
}

DenseElementsAttr integersAttr(Builder &b, ArrayRef<int64_t> values) {
  return DenseIntElementsAttr::get(
      tensorType({static_cast<int64_t>(values.size())}, b.getI64Type()), values);
}

DenseElementsAttr floatsAttr(Builder &b, ArrayRef<int64_t> shape, Type element,
                             ArrayRef<double> values) {
  SmallVector<Attribute> attrs;
  for (double v : values)
    attrs.push_back(numberAttr(element, v));
  return DenseElementsAttr::get(tensorType(shape, element), attrs);
}

Operand operand(const NodeContext &c, unsigned i) {
  RankedTensorType type = c.type(i);
  if (type.getNumElements() == 1) {
    if (isFloat(type.getElementType())) {
      if (auto v = c.constantFloats(i); v && v->size() == 1)
        return numberAttr(type.getElementType(), v->front());
    } else if (auto v = c.constantInts(i); v && v->size() == 1) {
      return integerAttr(type.getElementType(), v->front());
    }
  }
  return c.inputs[i];
}

SmallVector<Operand> allOperands(const NodeContext &c) {
  SmallVector<Operand> operands;
  for (unsigned i = 0; i < c.inputs.size(); ++i)
    operands.push_back(operand(c, i));
  return operands;
}

/// f16 and bf16 as f32, others unchanged.
static Value widen(Builder &b, Value v) {
  Type wide = computeType(v.getType());
  return wide == v.getType() ? v : Value(arith::ExtFOp::create(b, wide, v));
}

/// The body's value as an element of the result.
static Value narrow(Builder &b, Value v, Type element) {
  if (v.getType() == element)
    return v;
  if (v.getType().isInteger(1))
    return arith::ExtUIOp::create(b, element, v);
  assert(isFloat(v.getType()) && isFloat(element) && "a body returned another type");
  return arith::TruncFOp::create(b, element, v);
}

std::pair<Value, AffineMap> broadcastOperand(Builder &b, Value v, ArrayRef<int64_t> result) {
  RankedTensorType type = typeOf(v);
  int64_t rank = result.size(), offset = rank - type.getRank();
  if (type.getShape() == result)
    return {v, b.getMultiDimIdentityMap(rank)};
  Shape kept, dims;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (type.getDimSize(i) == 1)
      continue;
    if (offset + i < 0)
      return {v, selectDims(b, rank, {})};
    kept.push_back(type.getDimSize(i));
    dims.push_back(offset + i);
  }
  return {reshape(b, v, kept), selectDims(b, rank, dims)};
}

Value mapElements(Builder &b, RankedTensorType result, ArrayRef<Operand> operands, ScalarBody body,
                  bool isUnsigned) {
  SmallVector<Operand> tensors;
  SmallVector<AffineMap> maps;
  for (const Operand &o : operands) {
    if (!o.tensor) {
      tensors.push_back(o);
      maps.push_back(AffineMap());
      continue;
    }
    auto [value, map] = broadcastOperand(b, o.tensor, result.getShape());
    tensors.push_back(value);
    maps.push_back(map);
  }
  return mapElements(b, result, tensors, maps, body, isUnsigned);
}

Value mapElements(Builder &b, RankedTensorType result, ArrayRef<Operand> operands,
                  ArrayRef<AffineMap> maps, ScalarBody body, bool isUnsigned) {
  SmallVector<Value> inputs;
  SmallVector<AffineMap> allMaps;
  for (auto [o, map] : llvm::zip_equal(operands, maps))
    if (o.tensor) {
      inputs.push_back(o.tensor);
      allMaps.push_back(map);
    }
  allMaps.push_back(b.getMultiDimIdentityMap(result.getRank()));
  Value empty = tensor::EmptyOp::create(b, result.getShape(), result.getElementType());
  SmallVector<IteratorType> iterators(result.getRank(), IteratorType::parallel);
  return linalg::GenericOp::create(
             b, TypeRange{result}, inputs, ValueRange{empty}, allMaps, iterators,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               Scalars s(Builder(loc, nested), isUnsigned);
               SmallVector<Value> elements;
               unsigned next = 0;
               for (const Operand &o : operands) {
                 if (o.tensor) {
                   elements.push_back(widen(s.b, args[next++]));
                   continue;
                 }
                 TypedAttr value = o.scalar;
                 if (auto f = dyn_cast<FloatAttr>(value))
                   value = numberAttr(computeType(f.getType()), f.getValueAsDouble());
                 elements.push_back(arith::ConstantOp::create(s.b, value));
               }
               Value v = narrow(s.b, body(s, elements), result.getElementType());
               linalg::YieldOp::create(s.b, v);
             })
      .getResult(0);
}

static TypedAttr neutralElement(Type type, Combiner combiner, bool isUnsigned) {
  bool f = isFloat(type);
  unsigned width = type.getIntOrFloatBitWidth();
  double infinity = std::numeric_limits<double>::infinity();
  switch (combiner) {
  case Combiner::Add:
    return numberAttr(type, 0);
  case Combiner::Mul:
    return numberAttr(type, 1);
  case Combiner::Max:
    if (f)
      return numberAttr(type, -infinity);
    return IntegerAttr::get(type,
                            isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width));
  case Combiner::Min:
    if (f)
      return numberAttr(type, infinity);
    return IntegerAttr::get(type, isUnsigned ? APInt::getMaxValue(width)
                                             : APInt::getSignedMaxValue(width));
  }
  llvm_unreachable("unknown combiner");
}

static Value combine(Scalars &s, Combiner combiner, Value acc, Value v) {
  switch (combiner) {
  case Combiner::Add:
    return s.add(acc, v);
  case Combiner::Mul:
    return s.mul(acc, v);
  case Combiner::Max:
    return s.max(acc, v);
  case Combiner::Min:
    return s.min(acc, v);
  }
  llvm_unreachable("unknown combiner");
}

/// Parallel for the loops of the result, reduction for the others.
static SmallVector<IteratorType> iteratorsOf(size_t loops, ArrayRef<int64_t> resultDims) {
  SmallVector<IteratorType> iterators(loops, IteratorType::reduction);
  for (int64_t d : resultDims)
    iterators[d] = IteratorType::parallel;
  return iterators;
}

static Shape sizesAt(ArrayRef<int64_t> sizes, ArrayRef<int64_t> dims) {
  Shape shape;
  for (int64_t d : dims)
    shape.push_back(sizes[d]);
  return shape;
}

Value reduceLoops(Builder &b, ArrayRef<int64_t> loopSizes, ArrayRef<int64_t> resultDims,
                  Type accumulator, ArrayRef<Value> inputs, ArrayRef<AffineMap> maps,
                  Combiner combiner, bool isUnsigned, ScalarBody f) {
  RankedTensorType result = tensorType(sizesAt(loopSizes, resultDims), accumulator);
  SmallVector<AffineMap> allMaps(maps);
  SmallVector<Value> ins(inputs);
  // Loops that no input's map gives a size get one from a shape-only operand.
  llvm::SmallBitVector sized(loopSizes.size());
  for (AffineMap map : maps)
    for (AffineExpr e : map.getResults())
      if (auto d = dyn_cast<AffineDimExpr>(e))
        sized.set(d.getPosition());
  for (int64_t d : resultDims)
    sized.set(d);
  Shape window;
  for (unsigned d = 0; d < loopSizes.size(); ++d)
    if (!sized.test(d))
      window.push_back(d);
  unsigned used = ins.size();
  if (!window.empty()) {
    ins.push_back(tensor::EmptyOp::create(b, sizesAt(loopSizes, window), accumulator));
    allMaps.push_back(selectDims(b, loopSizes.size(), window));
  }
  allMaps.push_back(selectDims(b, loopSizes.size(), resultDims));
  Value init = fill(b, result, neutralElement(accumulator, combiner, isUnsigned));
  return linalg::GenericOp::create(b, TypeRange{result}, ins, ValueRange{init}, allMaps,
                                   iteratorsOf(loopSizes.size(), resultDims),
                                   [&](OpBuilder &nested, Location loc, ValueRange args) {
                                     Scalars s(Builder(loc, nested), isUnsigned);
                                     SmallVector<Value> elements;
                                     for (Value v : args.take_front(used))
                                       elements.push_back(widen(s.b, v));
                                     Value v = combine(s, combiner, args.back(), f(s, elements));
                                     linalg::YieldOp::create(s.b, v);
                                   })
      .getResult(0);
}

Value reduceAxes(Builder &b, Value in, ArrayRef<int64_t> axes, Combiner combiner, bool isUnsigned,
                 ScalarBody f) {
  RankedTensorType type = typeOf(in);
  // The error of a sum grows with the length of its chain of additions: a long one over several
  // axes is taken axis by axis, innermost first. The mean of 120 x 160 values that cancel came out
  // with 6e-5 in one chain (ppocrv6_det), and the net's answer with 3e-4.
  constexpr int64_t longChain = 1024;
  if (combiner == Combiner::Add && axes.size() > 1 && isa<FloatType>(type.getElementType())) {
    int64_t chain = 1;
    for (int64_t axis : axes)
      chain *= type.getDimSize(axis);
    int64_t last = *llvm::max_element(axes);
    if (chain > longChain) {
      Value inner = reduceAxes(b, in, {last}, combiner, isUnsigned, f);
      SmallVector<int64_t> outer(axes);
      llvm::erase(outer, last);
      return reduceAxes(b, inner, outer, combiner, isUnsigned);
    }
  }
  Shape kept;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (!llvm::is_contained(axes, d))
      kept.push_back(d);
  return reduceLoops(b, type.getShape(), kept, computeType(type.getElementType()), {in},
                     {b.getMultiDimIdentityMap(type.getRank())}, combiner, isUnsigned, f);
}

Value reduceAxes(Builder &b, Value in, ArrayRef<int64_t> axes, Combiner combiner, bool isUnsigned) {
  return reduceAxes(b, in, axes, combiner, isUnsigned,
                    [](Scalars &, ValueRange v) { return v[0]; });
}

Value contract(Builder &b, ArrayRef<int64_t> loopSizes, ArrayRef<int64_t> resultDims, Value lhs,
               AffineMap lhsMap, Value rhs, AffineMap rhsMap) {
  Type element = computeType(typeOf(lhs).getElementType());
  lhs = convertFloat(b, lhs, element);
  rhs = convertFloat(b, rhs, element);
  RankedTensorType result = tensorType(sizesAt(loopSizes, resultDims), element);
  Value init = fill(b, result, numberAttr(element, 0));
  AffineMap resultMap = selectDims(b, loopSizes.size(), resultDims);
  return linalg::GenericOp::create(b, TypeRange{result}, ValueRange{lhs, rhs}, ValueRange{init},
                                   ArrayRef<AffineMap>{lhsMap, rhsMap, resultMap},
                                   iteratorsOf(loopSizes.size(), resultDims),
                                   [&](OpBuilder &nested, Location loc, ValueRange args) {
                                     Scalars s(Builder(loc, nested), false);
                                     Value v = s.add(args[2], s.mul(args[0], args[1]));
                                     linalg::YieldOp::create(s.b, v);
                                   })
      .getResult(0);
}

Value fill(Builder &b, RankedTensorType type, TypedAttr value) {
  Value empty = tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  Value scalar = arith::ConstantOp::create(b, value);
  return linalg::FillOp::create(b, ValueRange{scalar}, ValueRange{empty}).getResult(0);
}

Value convertFloat(Builder &b, Value v, Type element) {
  RankedTensorType type = typeOf(v);
  if (type.getElementType() == element)
    return v;
  return mapElements(b, tensorType(type.getShape(), element), {v}, [&](Scalars &s, ValueRange x) {
    Type have = x[0].getType(), want = computeType(element);
    if (have == want)
      return x[0];
    return have.getIntOrFloatBitWidth() < want.getIntOrFloatBitWidth()
               ? Value(arith::ExtFOp::create(s.b, want, x[0]))
               : Value(arith::TruncFOp::create(s.b, want, x[0]));
  });
}

Value reshape(Builder &b, Value v, ArrayRef<int64_t> shape) {
  RankedTensorType from = typeOf(v);
  if (from.getShape() == shape)
    return v;
  Operation *view = v.getDefiningOp();
  if (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(view) &&
      typeOf(view->getOperand(0)).getShape() == shape)
    return view->getOperand(0);
  RankedTensorType to = tensorType(shape, from.getElementType());
  if (from.getRank() != to.getRank())
    if (auto groups = getReassociationIndicesForReshape(from, to)) {
      if (from.getRank() > to.getRank())
        return tensor::CollapseShapeOp::create(b, to, v, *groups);
      return tensor::ExpandShapeOp::create(b, to, v, *groups);
    }
  auto allDims = [](int64_t rank) {
    SmallVector<ReassociationIndices> groups(rank == 0 ? 0 : 1);
    for (int64_t d = 0; d < rank; ++d)
      groups[0].push_back(d);
    return groups;
  };
  RankedTensorType flat = tensorType({from.getNumElements()}, from.getElementType());
  if (from.getRank() == 0)
    v = tensor::ExpandShapeOp::create(b, flat, v, allDims(0));
  else if (from.getRank() > 1)
    v = tensor::CollapseShapeOp::create(b, flat, v, allDims(from.getRank()));
  if (to.getRank() == 0)
    return tensor::CollapseShapeOp::create(b, to, v, allDims(0));
  if (to.getRank() == 1)
    return v;
  return tensor::ExpandShapeOp::create(b, to, v, allDims(to.getRank()));
}

Value transpose(Builder &b, Value v, ArrayRef<int64_t> permutation) {
  RankedTensorType type = typeOf(v);
  Shape shape = sizesAt(type.getShape(), permutation);
  int64_t last = -1;
  bool moves = false;
  for (int64_t d : permutation)
    if (type.getDimSize(d) != 1) {
      moves |= d < last;
      last = d;
    }
  if (!moves)
    return reshape(b, v, shape);
  Value empty = tensor::EmptyOp::create(b, shape, type.getElementType());
  return linalg::TransposeOp::create(b, v, empty, permutation)->getResult(0);
}

Value pad(Builder &b, Value v, ArrayRef<int64_t> low, ArrayRef<int64_t> high, TypedAttr value) {
  auto isZero = [](int64_t n) { return n == 0; };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return v;
  RankedTensorType type = typeOf(v);
  Shape shape;
  for (int64_t d = 0; d < type.getRank(); ++d)
    shape.push_back(low[d] + type.getDimSize(d) + high[d]);
  Value scalar = arith::ConstantOp::create(b, value);
  return tensor::PadOp::create(b, tensorType(shape, type.getElementType()), v,
                               getAsIndexOpFoldResult(b.getContext(), low),
                               getAsIndexOpFoldResult(b.getContext(), high), scalar);
}

Value extractSlice(Builder &b, Value v, ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes,
                   ArrayRef<int64_t> strides) {
  RankedTensorType type = typeOf(v);
  if (type.getShape() == sizes)
    return v;
  MLIRContext *context = b.getContext();
  return tensor::ExtractSliceOp::create(
      b, tensorType(sizes, type.getElementType()), v, getAsIndexOpFoldResult(context, offsets),
      getAsIndexOpFoldResult(context, sizes), getAsIndexOpFoldResult(context, strides));
}

Value insertSlice(Builder &b, Value v, Value into, ArrayRef<int64_t> offsets,
                  ArrayRef<int64_t> strides) {
  MLIRContext *context = b.getContext();
  return tensor::InsertSliceOp::create(b, v, into, getAsIndexOpFoldResult(context, offsets),
                                       getAsIndexOpFoldResult(context, typeOf(v).getShape()),
                                       getAsIndexOpFoldResult(context, strides));
}

Value concat(Builder &b, ArrayRef<Value> parts, int64_t axis) {
  SmallVector<Value> filled;
  for (Value v : parts)
    if (typeOf(v).getDimSize(axis) != 0)
      filled.push_back(v);
  if (filled.empty())
    return parts.front();
  if (filled.size() == 1)
    return filled.front();
  return tensor::ConcatOp::create(b, axis, filled);
}

Value takeRange(Builder &b, Value v, int64_t axis, int64_t start, int64_t step, int64_t count) {
  RankedTensorType type = typeOf(v);
  Shape sizes(type.getShape());
  sizes[axis] = count;
  if (step > 0 || count <= 1) {
    Shape offsets(type.getRank(), 0), strides(type.getRank(), 1);
    offsets[axis] = count == 0 ? 0 : start;
    strides[axis] = count <= 1 ? 1 : step;
    return extractSlice(b, v, offsets, sizes, strides);
  }
  return mapElements(b, tensorType(sizes, type.getElementType()), {}, [&](Scalars &s, ValueRange) {
    Type index = s.b.getIndexType();
    SmallVector<Value> at;
    for (int64_t d = 0; d < type.getRank(); ++d)
      at.push_back(s.index(d));
    at[axis] = s.add(s.integer(index, start), s.mul(at[axis], s.integer(index, step)));
    return s.extract(v, at);
  });
}

Value takeAt(NodeContext &c, Value v, int64_t axis, ArrayRef<int64_t> table) {
  return takeAt(c, v, axis, table.size(), [&](int64_t i) { return table[i]; });
}

Value takeAt(NodeContext &c, Value v, int64_t axis, int64_t count,
             function_ref<int64_t(int64_t)> position) {
  Builder &b = c.b;
  RankedTensorType type = typeOf(v);
  int64_t first = count > 0 ? position(0) : 0;
  int64_t step = count > 1 ? position(1) - first : 1;
  bool isRange = step != 0 && count > 0 && count <= maxPositions;
  for (int64_t i = 0; isRange && i < count; ++i)
    isRange = position(i) == first + i * step;
  if (isRange)
    return takeRange(b, v, axis, first, step, count);
  if (count > maxConstantNumbers) {
    (void)c.reject(count > maxPositions
                       ? "an axis longer than " + Twine(maxPositions)
                       : "an irregular axis longer than " + Twine(maxConstantNumbers));
    return {};
  }
  Shape table(count);
  for (int64_t i = 0; i < count; ++i)
    table[i] = position(i);
  Shape sizes(type.getShape());
  sizes[axis] = count;
  Value positions = c.constant(integersAttr(b, table));
  AffineMap map = selectDims(b, type.getRank(), {axis});
  return mapElements(b, tensorType(sizes, type.getElementType()), {positions}, {map},
                     [&](Scalars &s, ValueRange i) {
                       SmallVector<Value> at;
                       for (int64_t d = 0; d < type.getRank(); ++d)
                         at.push_back(s.index(d));
                       at[axis] = s.clampIndex(i[0], type.getDimSize(axis));
                       return s.extract(v, at);
                     });
}

} // namespace mtc::onnx_import
