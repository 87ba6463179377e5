//===- MlScores.cpp - from scores to labels and probabilities -------------===//
//
// What TreeEnsemble*, Linear* and SVM* do alike. Where the text of ai.onnx.ml leaves things open
// (two classes with one score, SOFTMAX_ZERO, PROBIT), onnxruntime 1.32 is followed.
//
//===----------------------------------------------------------------------===//
#include "MlOps.h"
#include "Steps.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace mtc::onnx_import {

using T = onnx::TensorProto;

static RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

SmallVector<double> numbersOf(const onnx::AttributeProto *attribute) {
  SmallVector<double> numbers;
  if (!attribute)
    return numbers;
  numbers.append(attribute->floats().begin(), attribute->floats().end());
  for (int64_t i : attribute->ints())
    numbers.push_back(double(i));
  if (attribute->has_t()) {
    // More elements than decodeSmall takes are read the same way, piece by piece of the bytes.
    std::optional<std::string> bytes = inlineTensorBytes(attribute->t());
    unsigned width = elementBits(attribute->t().data_type()) / 8;
    for (size_t at = 0; bytes && width && at < bytes->size(); at += width * maxFoldedElements) {
      onnx::TensorProto piece;
      piece.set_data_type(attribute->t().data_type());
      piece.set_raw_data(bytes->substr(at, width * maxFoldedElements));
      piece.add_dims(int64_t(piece.raw_data().size() / width));
      if (std::optional<SmallTensor> small = decodeSmall(piece)) {
        numbers.append(small->floats.begin(), small->floats.end());
        for (int64_t i : small->ints)
          numbers.push_back(double(i));
      }
    }
  }
  return numbers;
}

SmallVector<double> numbersOf(NodeContext &c, StringRef name) {
  return numbersOf(c.attribute(name));
}

template <typename Piece> static Value inPieces(NodeContext &c, int64_t count, Piece piece) {
  SmallVector<Value> parts;
  for (int64_t from = 0; from < count; from += maxConstantNumbers)
    parts.push_back(c.constant(piece(from, std::min(maxConstantNumbers, count - from))));
  return parts.size() == 1 ? parts[0] : concat(c.b, parts, 0);
}

Value longConstant(NodeContext &c, ArrayRef<int64_t> values) {
  return inPieces(c, int64_t(values.size()), [&](int64_t from, int64_t count) {
    return integersAttr(c.b, values.slice(from, count));
  });
}

Value longConstant(NodeContext &c, ArrayRef<double> values, Type element) {
  return inPieces(c, int64_t(values.size()), [&](int64_t from, int64_t count) {
    return floatsAttr(c.b, {count}, element, values.slice(from, count));
  });
}

Value featureRows(NodeContext &c, bool keepsDouble) {
  RankedTensorType in = c.type(0);
  int64_t features = in.getRank() ? in.getShape().back() : 1;
  Value x = reshape(c.b, c.inputs[0], {in.getNumElements() / features, features});
  bool isDouble = keepsDouble && in.getElementType().isF64();
  Type element = isDouble ? Type(c.b.getF64Type()) : Type(c.b.getF32Type());
  if (in.getElementType() == element)
    return x;
  return mapElements(c.b, tensorType(typeOf(x).getShape(), element), {Operand(x)},
                     [&](Scalars &s, ValueRange v) {
                       return s.cast(v[0], c.inputTypes[0], isDouble ? T::DOUBLE : T::FLOAT);
                     });
}

/// sqrt(2) * the inverse of erf, by the approximation of S. Winitzki that onnxruntime takes.
static Value probit(Scalars &s, Value p) {
  Value one = s.like(p, 1), two = s.like(p, 2);
  Value x = s.sub(s.mul(p, two), one);
  Value log = s.log(s.mul(s.sub(one, x), s.add(one, x)));
  constexpr double a = 0.147;
  Value v = s.add(s.like(p, 2 / (M_PI * a)), s.mul(log, s.like(p, 0.5)));
  Value root = s.sqrt(s.sub(s.mul(v, v), s.mul(log, s.like(p, 1 / a))));
  Value size = s.mul(s.sqrt(s.sub(root, v)), s.like(p, M_SQRT2));
  return s.select(s.less(x, s.like(p, 0)), s.neg(size), size);
}

FailureOr<Value> postTransform(NodeContext &c, Value scores, StringRef kind) {
  Builder &b = c.b;
  RankedTensorType type = typeOf(scores);
  if (kind == "NONE")
    return scores;
  if (kind == "LOGISTIC" || kind == "PROBIT")
    return mapElements(b, type, {Operand(scores)}, [&](Scalars &s, ValueRange v) {
      return kind == "PROBIT" ? probit(s, v[0]) : s.sigmoid(v[0]);
    });
  if (kind != "SOFTMAX" && kind != "SOFTMAX_ZERO")
    return c.reject("post_transform is " + Twine(kind));
  AffineMap identity = b.getMultiDimIdentityMap(2), rows = selectDims(b, 2, {0});
  Value max = reduceAxes(b, scores, {1}, Combiner::Max);
  bool keepsZeros = kind == "SOFTMAX_ZERO";
  // With SOFTMAX_ZERO a score of 0 stays 0 and is not part of the sum.
  Value powers =
      mapElements(b, type, {scores, max}, {identity, rows}, [&](Scalars &s, ValueRange v) {
        Value power = s.exp(s.sub(v[0], v[1]));
        if (!keepsZeros)
          return power;
        return s.select(s.less(s.like(v[0], 1e-7), s.abs(v[0])), power, s.like(v[0], 0));
      });
  Value sum = reduceAxes(b, powers, {1}, Combiner::Add);
  return mapElements(b, type, {powers, sum}, {identity, rows}, [](Scalars &s, ValueRange v) {
    Value isNone = s.equal(v[1], s.like(v[1], 0));
    return s.div(v[0], s.select(isNone, s.like(v[1], 1), v[1]));
  });
}

/// Two scores of one: {1 - s, s} or {-s, s}.
static Value pairUp(Builder &b, Value score, bool isOpposite) {
  Value other = mapElements(b, typeOf(score), {Operand(score)}, [&](Scalars &s, ValueRange v) {
    return isOpposite ? s.neg(v[0]) : s.sub(s.like(v[0], 1), v[0]);
  });
  return concat(b, {other, score}, 1);
}

/// Position of the largest score of each row, or whether the last one exceeds the limit.
static Value winners(Builder &b, Value scores, std::optional<double> limit) {
  RankedTensorType type = typeOf(scores);
  Type i64 = b.getI64Type();
  int64_t rows = type.getDimSize(0), count = type.getDimSize(1);
  if (limit) {
    Value last = extractSlice(b, scores, {0, count - 1}, {rows, 1}, {1, 1});
    return mapElements(
        b, tensorType({rows}, i64), {reshape(b, last, {rows})}, [&](Scalars &s, ValueRange v) {
          return s.select(s.less(s.like(v[0], *limit), v[0]), s.integer(i64, 1), s.integer(i64, 0));
        });
  }
  Value max = reduceAxes(b, scores, {1}, Combiner::Max);
  return reduceLoops(b, type.getShape(), {0}, i64, {scores, max},
                     {b.getMultiDimIdentityMap(2), selectDims(b, 2, {0})}, Combiner::Min, false,
                     [&](Scalars &s, ValueRange v) {
                       return s.select(s.equal(v[0], v[1]), s.position(1, i64),
                                       s.integer(i64, count - 1));
                     });
}

/// The scores of both classes from the one there is. A complement is of probabilities: it is taken
/// of the logistic function's value, and of a score that is to be one already.
static FailureOr<Value> transformPaired(NodeContext &c, Value score, StringRef transform,
                                        bool isOpposite) {
  if (transform == "PROBIT")
    return c.reject("PROBIT of a single score");
  if (transform != "LOGISTIC")
    return pairUp(c.b, score, isOpposite);
  if (isOpposite)
    return postTransform(c, pairUp(c.b, score, true), transform);
  FailureOr<Value> probability = postTransform(c, score, transform);
  return failed(probability) ? probability : pairUp(c.b, *probability, false);
}

Results classify(NodeContext &c, Value scores, StringRef transform, const TwoClasses &two) {
  Builder &b = c.b;
  SmallVector<int64_t> labels = c.intsAttr("classlabels_int64s");
  if (labels.empty())
    labels = c.intsAttr("classlabels_ints");
  int64_t count = typeOf(scores).getDimSize(1), size = labels.size();
  bool isPaired = count == 1 && size == 2;
  if (labels.empty())
    return c.reject("no labels that are integers");
  if (size != count && !isPaired)
    return c.reject(Twine(count) + " scores and " + Twine(size) + " labels");
  SmallVector<Value> results{Value(), Value()};
  if (c.resultTypes[0]) {
    Value winner = winners(b, scores, size == 2 ? two.limit : std::nullopt);
    Value table = longConstant(c, labels);
    Value label = mapElements(b, typeOf(winner), {Operand(winner)}, [&](Scalars &s, ValueRange v) {
      return s.extract(table, {s.clampIndex(v[0], size)});
    });
    results[0] = reshape(b, label, c.resultTypes[0].getShape());
  }
  if (c.resultTypes.size() < 2 || !c.resultTypes[1])
    return results;
  FailureOr<Value> all =
      isPaired ? transformPaired(c, scores, transform, two.other == TwoClasses::Opposite)
               : postTransform(c, scores, transform);
  if (failed(all))
    return failure();
  if (typeOf(*all).getNumElements() != c.resultTypes[1].getNumElements())
    return c.reject("its scores are " + Twine(typeOf(*all).getDimSize(1)) + " per row");
  results[1] = reshape(b, convertFloat(b, *all, c.resultTypes[1].getElementType()),
                       c.resultTypes[1].getShape());
  return results;
}

} // namespace mtc::onnx_import
