//===- ReductionOps.cpp - Reduce*, ArgMax, ArgMin, CumSum, TopK -----------===//
//
// All of them are reductions with one associative combiner, so that one emitter serves them. What
// is not one by nature is made one: ArgMax reduces positions of elements that equal the maximum,
// CumSum sums a masked row per result, TopK counts for every element how many are ahead of it.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// CumSum and TopK do the square of an axis' size in work; beyond this it is refused.
constexpr int64_t maxQuadraticAxis = 8192;

Value itself(Scalars &, ValueRange v) { return v[0]; }
Value itself1(Scalars &, Value x) { return x; }
Value absolute(Scalars &s, ValueRange v) { return s.abs(v[0]); }
Value squared(Scalars &s, ValueRange v) { return s.mul(v[0], v[0]); }
Value logarithm(Scalars &s, Value x) { return s.log(x); }
Value root(Scalars &s, Value x) { return s.sqrt(x); }

using Before = Value (*)(Scalars &, ValueRange);
using After = Value (*)(Scalars &, Value);

/// The axes from the input (opset 13 or 18 on) or the attribute.
FailureOr<SmallVector<int64_t>> reductionAxes(NodeContext &c) {
  int64_t rank = c.type(0).getRank();
  SmallVector<int64_t> axes;
  if (c.hasInput(1)) {
    auto known = c.constantInts(1);
    if (!known && c.type(1).getNumElements() != 0)
      return c.reject("axes are not known when compiling");
    if (known)
      axes = *known;
  } else {
    axes = c.intsAttr("axes");
  }
  if (failed(normalizeAxes(c, axes, rank)))
    return failure();
  if (axes.empty() && !c.intAttr("noop_with_empty_axes", 0))
    for (int64_t d = 0; d < rank; ++d)
      axes.push_back(d);
  return axes;
}

template <Combiner combiner, Before before, After after> Results reduce(NodeContext &c) {
  Builder &b = c.b;
  FailureOr<SmallVector<int64_t>> axes = reductionAxes(c);
  if (failed(axes))
    return failure();
  RankedTensorType result = c.resultTypes[0];
  bool isUnsigned = isUnsignedType(c.inputTypes[0]);
  Value y = reduceAxes(b, c.inputs[0], *axes, combiner, isUnsigned, before);
  ArrayRef<int64_t> kept = cast<RankedTensorType>(y.getType()).getShape();
  RankedTensorType type = tensorType(kept, result.getElementType());
  if (after != itself1)
    y = mapElements(b, type, {Operand(y)}, [](Scalars &s, ValueRange v) {
      bool viaDouble = !isFloat(v[0].getType()); // sqrt and log of integers
      using T = onnx::TensorProto;
      if (!viaDouble)
        return after(s, v[0]);
      Type integer = v[0].getType();
      int32_t onnxType = integer.isInteger(64) ? T::INT64 : T::INT32;
      return s.cast(after(s, s.cast(v[0], onnxType, T::DOUBLE)), T::DOUBLE, onnxType);
    });
  return SmallVector<Value>{
      reshape(b, convertFloat(b, y, result.getElementType()), result.getShape())};
}

Results reduceMean(NodeContext &c) {
  Builder &b = c.b;
  FailureOr<SmallVector<int64_t>> axes = reductionAxes(c);
  if (failed(axes))
    return failure();
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  int64_t count = 1;
  for (int64_t axis : *axes)
    count *= in.getDimSize(axis);
  bool isUnsigned = isUnsignedType(c.inputTypes[0]);
  Value sum = reduceAxes(b, c.inputs[0], *axes, Combiner::Add, isUnsigned);
  ArrayRef<int64_t> kept = cast<RankedTensorType>(sum.getType()).getShape();
  Value y = mapElements(
      b, tensorType(kept, result.getElementType()), {Operand(sum)},
      [&](Scalars &s, ValueRange v) {
        if (isFloat(v[0].getType()))
          return s.div(v[0], s.like(v[0], double(count)));
        return s.div(v[0], s.integer(v[0].getType(), count));
      },
      isUnsigned);
  return SmallVector<Value>{reshape(b, y, result.getShape())};
}

/// log(sum(exp(x - max))) + max; an infinite maximum is not subtracted.
Results reduceLogSumExp(NodeContext &c) {
  Builder &b = c.b;
  FailureOr<SmallVector<int64_t>> axes = reductionAxes(c);
  if (failed(axes))
    return failure();
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  if (!isFloat(in.getElementType()))
    return c.reject("integers");
  Shape kept;
  for (int64_t d = 0; d < in.getRank(); ++d)
    if (!llvm::is_contained(*axes, d))
      kept.push_back(d);
  Value max = reduceAxes(b, c.inputs[0], *axes, Combiner::Max);
  auto maxType = cast<RankedTensorType>(max.getType());
  Value shift = mapElements(b, maxType, {Operand(max)}, [](Scalars &s, ValueRange v) {
    Value infinite = s.equal(s.abs(v[0]), s.like(v[0], std::numeric_limits<double>::infinity()));
    return s.select(infinite, s.like(v[0], 0), v[0]);
  });
  AffineMap identity = b.getMultiDimIdentityMap(in.getRank());
  Value sum = reduceLoops(b, in.getShape(), kept, maxType.getElementType(), {c.inputs[0], shift},
                          {identity, selectDims(b, in.getRank(), kept)}, Combiner::Add, false,
                          [](Scalars &s, ValueRange v) { return s.exp(s.sub(v[0], v[1])); });
  Value y = mapElements(b, tensorType(maxType.getShape(), result.getElementType()), {sum, shift},
                        [](Scalars &s, ValueRange v) { return s.add(s.log(v[0]), v[1]); });
  return SmallVector<Value>{reshape(b, y, result.getShape())};
}

/// The first (or last) position of the extreme value; a NaN counts as extreme.
template <Combiner combiner> Results argExtreme(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t rank = in.getRank(), axis = normalizeAxis(c.intAttr("axis", 0), rank);
  bool last = c.intAttr("select_last_index", 0), isUnsigned = isUnsignedType(c.inputTypes[0]);
  Value extreme = reduceAxes(b, c.inputs[0], {axis}, combiner, isUnsigned);
  Shape kept;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis)
      kept.push_back(d);
  Type i64 = b.getI64Type();
  int64_t none = last ? 0 : in.getDimSize(axis) - 1;
  Value y = reduceLoops(b, in.getShape(), kept, i64, {c.inputs[0], extreme},
                        {b.getMultiDimIdentityMap(rank), selectDims(b, rank, kept)},
                        last ? Combiner::Max : Combiner::Min, false, [&](Scalars &s, ValueRange v) {
                          Value hit = s.equal(v[0], v[1]);
                          if (isFloat(v[0].getType()))
                            hit = s.either(hit, s.isNaN(v[0]));
                          return s.select(hit, s.position(axis, i64), s.integer(i64, none));
                        });
  return SmallVector<Value>{reshape(b, y, c.resultTypes[0].getShape())};
}

/// Loops: those of the input, and one more along the axis for the summand.
template <Combiner combiner> Results cumulative(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  auto axisInput = c.constantInts(1);
  if (!axisInput || axisInput->size() != 1)
    return c.reject("the axis is not known when compiling");
  int64_t rank = in.getRank();
  if (failed(normalizeAxes(c, *axisInput, rank)))
    return failure();
  int64_t axis = axisInput->front();
  int64_t size = in.getDimSize(axis);
  if (size > maxQuadraticAxis)
    return c.reject("axis longer than " + Twine(maxQuadraticAxis));
  bool exclusive = c.intAttr("exclusive", 0), reverse = c.intAttr("reverse", 0);
  Shape loops(in.getShape()), result, inputDims;
  loops.push_back(size);
  for (int64_t d = 0; d < rank; ++d) {
    result.push_back(d);
    inputDims.push_back(d == axis ? rank : d);
  }
  Type element = computeType(in.getElementType());
  double neutral = combiner == Combiner::Mul ? 1 : 0;
  Value y =
      reduceLoops(b, loops, result, element, {c.inputs[0]}, {selectDims(b, rank + 1, inputDims)},
                  combiner, false, [&](Scalars &s, ValueRange v) {
                    Value at = s.index(axis), from = s.index(rank);
                    if (reverse)
                      std::swap(at, from);
                    auto predicate =
                        exclusive ? arith::CmpIPredicate::slt : arith::CmpIPredicate::sle;
                    Value inside = arith::CmpIOp::create(s.b, predicate, from, at);
                    return s.select(inside, v[0], s.like(v[0], neutral));
                  });
  return SmallVector<Value>{convertFloat(b, y, in.getElementType())};
}

/// How many elements come before each in the order of TopK: larger ones, and equal ones before it.
Value ranksAlong(NodeContext &c, int64_t axis, bool largest) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t rank = in.getRank();
  Shape loops(in.getShape()), result, otherDims;
  loops.push_back(in.getDimSize(axis));
  for (int64_t d = 0; d < rank; ++d) {
    result.push_back(d);
    otherDims.push_back(d == axis ? rank : d);
  }
  Type i64 = b.getI64Type();
  return reduceLoops(
      b, loops, result, i64, {c.inputs[0], c.inputs[0]},
      {selectDims(b, rank + 1, result), selectDims(b, rank + 1, otherDims)}, Combiner::Add,
      isUnsignedType(c.inputTypes[0]), [&](Scalars &s, ValueRange v) {
        Value own = v[0], other = v[1];
        Value ahead = largest ? s.less(own, other) : s.less(other, own);
        Value same = s.equal(own, other);
        if (isFloat(own.getType())) { // a NaN is larger than all numbers and equal to itself
          Value ownNaN = s.isNaN(own), otherNaN = s.isNaN(other);
          Value only =
              largest ? s.both(otherNaN, s.negate(ownNaN)) : s.both(ownNaN, s.negate(otherNaN));
          ahead = s.either(ahead, only);
          same = s.either(same, s.both(ownNaN, otherNaN));
        }
        Value before =
            arith::CmpIOp::create(s.b, arith::CmpIPredicate::slt, s.index(rank), s.index(axis));
        Value counts = s.either(ahead, s.both(same, before));
        return Value(arith::ExtUIOp::create(s.b, i64, counts));
      });
}

/// The element of rank r goes to position r: its index is the sum of one masked index, its value is
/// then gathered.
Results topK(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t rank = in.getRank(), axis = normalizeAxis(c.intAttr("axis", -1), rank);
  if (in.getDimSize(axis) > maxQuadraticAxis)
    return c.reject("axis longer than " + Twine(maxQuadraticAxis));
  RankedTensorType values = c.resultTypes[0];
  if (!values)
    values = tensorType(c.resultTypes[1].getShape(), in.getElementType());
  Value ranks = ranksAlong(c, axis, c.intAttr("largest", 1));
  Shape loops(values.getShape()), result, inputDims;
  loops.push_back(in.getDimSize(axis));
  for (int64_t d = 0; d < rank; ++d) {
    result.push_back(d);
    inputDims.push_back(d == axis ? rank : d);
  }
  Type i64 = b.getI64Type();
  Value indices = reduceLoops(b, loops, result, i64, {ranks}, {selectDims(b, rank + 1, inputDims)},
                              Combiner::Add, false, [&](Scalars &s, ValueRange v) {
                                Value hit = s.equal(v[0], s.position(axis, i64));
                                return s.select(hit, s.position(rank, i64), s.integer(i64, 0));
                              });
  Value x = c.inputs[0];
  Value taken = mapElements(b, values, {Operand(indices)}, [&](Scalars &s, ValueRange v) {
    SmallVector<Value> at;
    for (int64_t d = 0; d < rank; ++d)
      at.push_back(s.index(d));
    at[axis] = s.clampIndex(v[0], in.getDimSize(axis));
    return s.extract(x, at);
  });
  return SmallVector<Value>{taken, indices};
}

constexpr const char *numbers = "f16 bf16 f32 f64 i8-i64 u8-u64";
constexpr const char *floats = "f16 bf16 f32 f64";
constexpr const char *quadratic = "an axis of at most 8192: the work is its square";

template <Combiner combiner> constexpr Handler plain = reduce<combiner, itself, itself1>;

const OpRow rows[] = {
    {"", "ArgMax", 1, argExtreme<Combiner::Max>, numbers, "a NaN counts as the extreme"},
    {"", "ArgMin", 1, argExtreme<Combiner::Min>, numbers, "a NaN counts as the extreme"},
    {"", "CumProd", 26, cumulative<Combiner::Mul>, numbers, quadratic},
    {"", "CumSum", 11, cumulative<Combiner::Add>, numbers, quadratic},
    {"", "ReduceL1", 1, reduce<Combiner::Add, absolute, itself1>, numbers, ""},
    {"", "ReduceL2", 1, reduce<Combiner::Add, squared, root>, numbers, ""},
    {"", "ReduceLogSum", 1, reduce<Combiner::Add, itself, logarithm>, numbers, ""},
    {"", "ReduceLogSumExp", 1, reduceLogSumExp, floats, ""},
    {"", "ReduceMax", 1, plain<Combiner::Max>, "numbers and bool", ""},
    {"", "ReduceMean", 1, reduceMean, numbers, ""},
    {"", "ReduceMin", 1, plain<Combiner::Min>, "numbers and bool", ""},
    {"", "ReduceProd", 1, plain<Combiner::Mul>, numbers, ""},
    {"", "ReduceSum", 1, plain<Combiner::Add>, numbers, ""},
    {"", "ReduceSumSquare", 1, reduce<Combiner::Add, squared, itself1>, numbers, ""},
    {"", "TopK", 10, topK, numbers, quadratic},
};

} // namespace

ArrayRef<OpRow> reductionOps() { return rows; }

} // namespace mtc::onnx_import
