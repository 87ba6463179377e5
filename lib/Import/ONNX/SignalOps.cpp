//===- SignalOps.cpp - DFT, STFT, MelWeightMatrix -------------------------===//
//
// A transform is a contraction with a table of cosines that is known when compiling: the real and
// imaginary parts are loops of their own, so one contraction does all, and the frames of an STFT
// are an overlapping view of the signal. The work is the square of the length, in f64: a sum of
// many terms that cancel has to come out near 0. Formulas: onnx 1.23.2, onnx/reference/ops.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// Elements of a table of cosines.
constexpr int64_t maxTable = int64_t(1) << 26;

struct Transform {
  int64_t length;          ///< of the transform: angles are multiples of 2 pi / length
  int64_t used;            ///< positions of the signal that are read, the others are 0
  int64_t parts, outParts; ///< 1: real, 2: real and imaginary
  int64_t bins;
  bool inverse;
  bool halfInput; ///< the other half of the input is its mirror image
};

/// cos(2 pi t / (4 length)) for t in [0, 4 length): multiples of a quarter are exact.
Value cosines(Builder &b, int64_t length) {
  return mapElements(b, tensorType({4 * length}, b.getF64Type()), {}, [&](Scalars &s, ValueRange) {
    // By quadrants, so that the cosine is taken of at most pi / 4 ... pi / 2 only.
    Type f64 = s.b.getF64Type();
    Value t = s.position(0, f64), whole = s.constant(f64, double(4 * length));
    Value half = s.constant(f64, double(2 * length)), quarter = s.constant(f64, double(length));
    t = s.min(t, s.sub(whole, t));     // cos(-x) = cos(x)
    Value isLeft = s.less(quarter, t); // cos(pi - x) = -cos(x)
    t = s.select(isLeft, s.sub(half, t), t);
    Value angle = s.mul(t, s.constant(f64, M_PI / 2 / double(length)));
    Value other = s.mul(s.sub(quarter, t), s.constant(f64, M_PI / 2 / double(length)));
    Value isFar = s.less(s.constant(f64, double(length) / 2), t); // cos(x) = sin(pi / 2 - x)
    Value cosine = s.select(isFar, Value(math::SinOp::create(s.b, other)),
                            Value(math::CosOp::create(s.b, angle)));
    return s.select(isLeft, s.neg(cosine), cosine);
  });
}

/// What part `in` of position j contributes to part `out` of bin k: dims (j, in, k, out).
Value table(Builder &b, const Transform &t) {
  Value circle = cosines(b, t.length);
  RankedTensorType type = tensorType({t.used, t.parts, t.bins, t.outParts}, b.getF64Type());
  return mapElements(b, type, {}, [&](Scalars &s, ValueRange) {
    Type i64 = s.b.getI64Type();
    Value turn = s.integer(i64, t.length), four = s.integer(i64, 4);
    Value j = s.position(0, i64), k = s.position(2, i64);
    Value steps = s.mul(s.rem(s.mul(j, k), turn), four);
    // (0,0): cos; (0,1): -sin = cos(x + pi/2); (1,0): sin = cos(x - pi/2); (1,1): cos.
    Value turns = s.sub(s.position(3, i64), s.position(1, i64));
    if (t.inverse)
      turns = s.neg(turns);
    steps = s.add(steps, s.mul(turns, turn));
    Value whole = s.integer(i64, 4 * t.length);
    steps = s.rem(s.add(steps, whole), whole);
    Value c = s.extract(circle, {s.clampIndex(steps, 4 * t.length)});
    if (!t.inverse)
      return c;
    Value factor = s.like(c, 1.0 / double(t.length));
    if (t.halfInput) { // what has a mirror image counts twice
      Value isFirst = s.equal(j, s.integer(i64, 0));
      Value isMiddle = s.equal(s.mul(j, s.integer(i64, 2)), turn);
      factor = s.select(s.either(isFirst, isMiddle), factor, s.mul(factor, s.like(c, 2)));
    }
    return s.mul(c, factor);
  });
}

LogicalResult checkTable(NodeContext &c, const Transform &t) {
  if (t.length < 1 || t.length > (int64_t(1) << 20) || t.bins < 1 || t.used < 1 ||
      t.used * t.parts > maxTable / (t.bins * t.outParts))
    return c.reject("a table of more than 2^26 numbers");
  return success();
}

Value toDouble(Builder &b, Value x) { return convertFloat(b, x, b.getF64Type()); }

/// f32, f16 and bf16 of an f64 value.
Value fromDouble(Builder &b, Value x, Type element) { return convertFloat(b, x, element); }

/// x: .. signal axis .. real or complex; the axis is an input from opset 20 on.
Results dft(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  int64_t rank = in.getRank();
  if (rank < 2)
    return c.reject("rank below 2");
  SmallVector<int64_t> axes{c.hasInput(2) ? 0 : -2};
  if (c.hasInput(2)) {
    auto known = c.constantInts(2);
    if (!known || known->size() != 1)
      return c.reject("the axis is not known when compiling");
    axes[0] = known->front();
  }
  if (failed(normalizeAxes(c, axes, rank)))
    return failure();
  int64_t axis = axes[0];
  if (axis == rank - 1)
    return c.reject("the axis is that of the parts");
  bool inverse = c.intAttr("inverse", 0), half = c.intAttr("onesided", 0);
  Transform t;
  t.inverse = inverse;
  t.halfInput = inverse && half;
  t.length = t.halfInput ? 2 * (in.getDimSize(axis) - 1) : in.getDimSize(axis);
  if (c.hasInput(1)) {
    auto known = c.constantInts(1);
    if (!known || known->size() != 1)
      return c.reject("the length is not known when compiling");
    t.length = known->front();
  }
  t.bins = result.getDimSize(axis);
  t.parts = in.getDimSize(rank - 1);
  t.outParts = result.getDimSize(rank - 1);
  t.used = std::min(in.getDimSize(axis), t.halfInput ? t.length / 2 + 1 : t.length);
  if (t.parts > 2 || t.outParts > 2)
    return c.reject("neither real nor complex");
  if (failed(checkTable(c, t)))
    return failure();
  int64_t outer = elementCount(in.getShape().take_front(axis));
  int64_t inner = elementCount(in.getShape().slice(axis + 1, rank - axis - 2));
  Value x = reshape(b, c.inputs[0], {outer, in.getDimSize(axis), inner, t.parts});
  if (t.used != in.getDimSize(axis))
    x = extractSlice(b, x, {0, 0, 0, 0}, {outer, t.used, inner, t.parts}, {1, 1, 1, 1});
  // Loops: outer, bin, inner, part of the result, position, part of the signal.
  Value y =
      contract(b, {outer, t.bins, inner, t.outParts, t.used, t.parts}, {0, 1, 2, 3}, toDouble(b, x),
               selectDims(b, 6, {0, 4, 2, 5}), table(b, t), selectDims(b, 6, {4, 5, 1, 3}));
  return SmallVector<Value>{
      reshape(b, fromDouble(b, y, result.getElementType()), result.getShape())};
}

/// signal: batch, positions, parts; result: batch, frames, bins, 2.
Results stft(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  auto step = c.constantInts(1);
  if (!step || step->size() != 1 || step->front() < 1)
    return c.reject("the step is not known when compiling");
  if (in.getRank() < 2 || in.getRank() > 3 || result.getRank() != 4)
    return c.reject("the signal is not batch, positions, parts");
  int64_t parts = in.getRank() == 3 ? in.getDimSize(2) : 1, frames = result.getDimSize(1);
  Transform t{};
  if (c.hasInput(3)) {
    auto known = c.constantInts(3);
    if (!known || known->size() != 1)
      return c.reject("the length is not known when compiling");
    t.length = known->front();
  } else if (c.hasInput(2)) {
    t.length = c.type(2).getNumElements();
  } else {
    t.length = in.getDimSize(1);
  }
  t.used = t.length;
  t.parts = parts;
  t.outParts = 2;
  t.bins = result.getDimSize(2);
  if (parts > 2 || (c.hasInput(2) && c.type(2).getNumElements() != t.length) ||
      (frames - 1) * step->front() + t.length > in.getDimSize(1))
    return c.reject("signal, window and frames do not fit");
  if (failed(checkTable(c, t)))
    return failure();
  Value weights = table(b, t);
  if (c.hasInput(2))
    weights = mapElements(b, cast<RankedTensorType>(weights.getType()),
                          {weights, toDouble(b, reshape(b, c.inputs[2], {t.length}))},
                          {b.getMultiDimIdentityMap(4), selectDims(b, 4, {0})},
                          [](Scalars &s, ValueRange v) { return s.mul(v[0], v[1]); });
  Value x = toDouble(b, reshape(b, c.inputs[0], {in.getDimSize(0), in.getDimSize(1), parts}));
  // Loops: batch, frame, bin, part of the result, position in the frame, part of the signal.
  AffineExpr place = b.getAffineDimExpr(1) * step->front() + b.getAffineDimExpr(4);
  AffineMap view =
      AffineMap::get(6, 0, {b.getAffineDimExpr(0), place, b.getAffineDimExpr(5)}, b.getContext());
  Value y = contract(b, {in.getDimSize(0), frames, t.bins, 2, t.length, parts}, {0, 1, 2, 3}, x,
                     view, weights, selectDims(b, 6, {4, 5, 2, 3}));
  return SmallVector<Value>{fromDouble(b, y, result.getElementType())};
}

/// Triangles between neighbouring mel frequencies: dims (bin, mel).
Results melWeightMatrix(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType result = c.resultTypes[0];
  SmallVector<double> numbers;
  for (unsigned i = 0; i < 5; ++i) {
    auto ints = c.constantInts(i);
    auto floats = c.constantFloats(i);
    if (ints && ints->size() == 1)
      numbers.push_back(double(ints->front()));
    else if (floats && floats->size() == 1)
      numbers.push_back(floats->front());
    else
      return c.reject("input " + Twine(i) + " is not known when compiling");
  }
  int64_t mels = result.getDimSize(1);
  double dftLength = numbers[1], rate = numbers[2];
  if (mels + 2 > maxConstantNumbers || rate <= 0 || numbers[3] < 0 || numbers[4] < 0)
    return c.reject("too many bins, or a frequency is negative");
  auto toMel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  double low = toMel(numbers[3]), step = (toMel(numbers[4]) - low) / double(mels + 2);
  SmallVector<int64_t> places;
  for (int64_t i = 0; i < mels + 2; ++i) {
    double hertz = 700 * (std::pow(10.0, (double(i) * step + low) / 2595) - 1);
    places.push_back(int64_t(std::floor((dftLength + 1) * hertz / rate)));
  }
  Value all = c.constant(integersAttr(b, places));
  auto from = [&](int64_t first) { return extractSlice(b, all, {first}, {mels}, {1}); };
  AffineMap column = selectDims(b, 2, {1});
  Type wide = computeType(result.getElementType());
  if (!isFloat(wide))
    return c.reject("integers");
  return SmallVector<Value>{mapElements(
      b, result, {from(0), from(1), from(2)}, {column, column, column},
      [&](Scalars &s, ValueRange v) {
        int32_t to = wide.isF64() ? onnx::TensorProto::DOUBLE : onnx::TensorProto::FLOAT;
        auto number = [&](Value i) { return s.cast(i, onnx::TensorProto::INT64, to); };
        Value at = s.position(0, s.b.getI64Type());
        Value up = s.sub(v[1], v[0]), down = s.sub(v[2], v[1]), zero = s.like(up, 0);
        auto share = [&](Value part, Value whole) {
          Value isEmpty = s.equal(whole, zero);
          Value q = s.div(number(part), number(s.select(isEmpty, s.like(whole, 1), whole)));
          return std::pair(q, isEmpty);
        };
        auto [rising, isSteep] = share(s.sub(at, v[0]), up);
        auto [falling, isEnd] = share(s.sub(v[2], at), down);
        // The center belongs to the falling side if there is one.
        Value onRise = s.both(s.lessOrEqual(v[0], at), s.lessOrEqual(at, v[1]));
        Value onFall = s.both(s.lessOrEqual(v[1], at), s.less(at, v[2]));
        Value rise = s.select(isSteep, s.like(rising, 1), rising);
        Value y = s.select(onRise, rise, s.like(rise, 0));
        return s.select(onFall, falling, y);
      })};
}

constexpr const char *floats = "f16 bf16 f32 f64";

const OpRow rows[] = {
    {"", "DFT", 20, dft, floats, "in f64, as a matrix of at most 2^26 numbers"},
    {"", "MelWeightMatrix", 17, melWeightMatrix, floats, "a constant"},
    {"", "STFT", 17, stft, floats, "in f64, as a matrix of at most 2^26 numbers"},
};

} // namespace

ArrayRef<OpRow> signalOps() { return rows; }

} // namespace mtc::onnx_import
