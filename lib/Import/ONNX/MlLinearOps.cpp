//===- MlLinearOps.cpp - Linear* and SVM* of ai.onnx.ml -------------------===//
//
// Scores are contractions of the features with coefficients or with support vectors. Votes of the
// pairs of classes follow libsvm, as onnxruntime 1.32 does.
//
//===----------------------------------------------------------------------===//
#include "MlOps.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

/// rows x outputs: features times the rows of a matrix.
Value times(Builder &b, Value x, Value matrix) {
  int64_t rows = typeOf(x).getDimSize(0), features = typeOf(x).getDimSize(1);
  int64_t outputs = typeOf(matrix).getDimSize(0);
  return contract(b, {rows, outputs, features}, {0, 1}, x, selectDims(b, 3, {0, 2}), matrix,
                  selectDims(b, 3, {1, 2}));
}

/// x times the coefficients plus the intercepts; `outputs` follows from how many there are.
FailureOr<Value> linearScores(NodeContext &c) {
  Builder &b = c.b;
  Value x = featureRows(c);
  int64_t features = typeOf(x).getDimSize(1);
  SmallVector<double> weights = numbersOf(c, "coefficients"), bias = numbersOf(c, "intercepts");
  int64_t outputs = int64_t(weights.size()) / features;
  if (outputs < 1 || outputs * features != int64_t(weights.size()) ||
      (!bias.empty() && int64_t(bias.size()) != outputs))
    return c.reject("coefficients, intercepts and features do not fit");
  Value matrix = reshape(b, longConstant(c, weights, b.getF32Type()), {outputs, features});
  Value scores = times(b, x, matrix);
  if (bias.empty())
    return scores;
  return mapElements(b, typeOf(scores), {scores, longConstant(c, bias, b.getF32Type())},
                     {b.getMultiDimIdentityMap(2), selectDims(b, 2, {1})},
                     [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
}

Results single(NodeContext &c, FailureOr<Value> scores) {
  if (failed(scores))
    return failure();
  if (typeOf(*scores).getNumElements() != c.resultTypes[0].getNumElements())
    return c.reject("its scores are " + Twine(typeOf(*scores).getDimSize(1)) + " per row");
  Value y = convertFloat(c.b, *scores, c.resultTypes[0].getElementType());
  return SmallVector<Value>{reshape(c.b, y, c.resultTypes[0].getShape())};
}

//===----------------------------------------------------------------------===//
// Support vectors
//===----------------------------------------------------------------------===//

/// K(x, v) for each row and each of `count` vectors.
FailureOr<Value> kernels(NodeContext &c, Value x, ArrayRef<double> vectors, int64_t count) {
  Builder &b = c.b;
  int64_t rows = typeOf(x).getDimSize(0), features = typeOf(x).getDimSize(1);
  if (count < 1 || int64_t(vectors.size()) != count * features)
    return c.reject("vectors and features do not fit");
  Value matrix = reshape(b, longConstant(c, vectors, b.getF32Type()), {count, features});
  std::string kind = c.stringAttr("kernel_type", "LINEAR");
  SmallVector<double> parameters = numbersOf(c, "kernel_params");
  parameters.resize(3, 0);
  double gamma = parameters[0], offset = parameters[1], degree = parameters[2];
  if (kind == "RBF") {
    Value squares = reduceLoops(b, {rows, count, features}, {0, 1}, b.getF32Type(), {x, matrix},
                                {selectDims(b, 3, {0, 2}), selectDims(b, 3, {1, 2})}, Combiner::Add,
                                false, [](Scalars &s, ValueRange v) {
                                  Value d = s.sub(v[0], v[1]);
                                  return s.mul(d, d);
                                });
    return mapElements(b, typeOf(squares), {Operand(squares)}, [&](Scalars &s, ValueRange v) {
      return s.exp(s.mul(v[0], s.like(v[0], -gamma)));
    });
  }
  Value products = times(b, x, matrix);
  if (kind == "LINEAR")
    return products;
  if (kind != "POLY" && kind != "SIGMOID")
    return c.reject("kernel_type is " + kind);
  return mapElements(b, typeOf(products), {Operand(products)}, [&](Scalars &s, ValueRange v) {
    Value y = s.add(s.mul(v[0], s.like(v[0], gamma)), s.like(v[0], offset));
    return kind == "SIGMOID" ? s.tanh(y) : Value(math::PowFOp::create(s.b, y, s.like(y, degree)));
  });
}

} // namespace

Results linearRegressor(NodeContext &c) {
  FailureOr<Value> scores = linearScores(c);
  if (succeeded(scores))
    scores = postTransform(c, *scores, c.stringAttr("post_transform", "NONE"));
  return single(c, scores);
}

Results linearClassifier(NodeContext &c) {
  FailureOr<Value> scores = linearScores(c);
  if (failed(scores))
    return failure();
  if (c.attribute("classlabels_strings") && c.attribute("classlabels_strings")->strings_size())
    return c.reject("labels that are strings");
  return classify(c, *scores, c.stringAttr("post_transform", "NONE"),
                  {TwoClasses::Complement, 0.0});
}

/// The sum of kernels times coefficients and rho; of one class only its sign.
Results svmRegressor(NodeContext &c) {
  Builder &b = c.b;
  Value x = featureRows(c);
  SmallVector<double> vectors = numbersOf(c, "support_vectors"), rho = numbersOf(c, "rho");
  SmallVector<double> coefficients = numbersOf(c, "coefficients");
  int64_t supports = c.intAttr("n_supports", 0), features = typeOf(x).getDimSize(1);
  if (rho.empty())
    return c.reject("no rho");
  FailureOr<Value> values =
      supports > 0 ? kernels(c, x, vectors, supports) : kernels(c, x, coefficients, 1);
  if (failed(values))
    return failure();
  Value scores = *values;
  if (supports > 0) {
    if (int64_t(coefficients.size()) != supports)
      return c.reject("coefficients are not one per vector");
    scores =
        times(b, scores, reshape(b, longConstant(c, coefficients, b.getF32Type()), {1, supports}));
  } else if (int64_t(coefficients.size()) != features) {
    return c.reject("coefficients are not one per feature");
  }
  bool isOneClass = c.intAttr("one_class", 0);
  Value y = mapElements(b, typeOf(scores), {Operand(scores)}, [&](Scalars &s, ValueRange v) {
    Value sum = s.add(v[0], s.like(v[0], rho[0]));
    if (!isOneClass)
      return sum;
    return s.select(s.less(s.like(sum, 0), sum), s.like(sum, 1), s.like(sum, -1));
  });
  return single(c, postTransform(c, y, c.stringAttr("post_transform", "NONE")));
}

/// Every pair of classes votes; the label has the most votes. Scores are the pairs' decisions.
Results svmClassifier(NodeContext &c) {
  Builder &b = c.b;
  Value x = featureRows(c);
  SmallVector<int64_t> perClass = c.intsAttr("vectors_per_class");
  SmallVector<int64_t> labels = c.intsAttr("classlabels_ints");
  SmallVector<double> rho = numbersOf(c, "rho"), coefficients = numbersOf(c, "coefficients");
  int64_t classes = int64_t(perClass.size()), supports = 0;
  for (int64_t count : perClass) {
    if (count < 0 || count > (int64_t(1) << 24))
      return c.reject("vectors_per_class has " + Twine(count));
    supports += count;
  }
  if (!numbersOf(c, "prob_a").empty())
    return c.reject("probabilities of support vectors");
  if (labels.size() < 2 || int64_t(labels.size()) != classes)
    return c.reject("labels that are strings, or no support vectors of each class");
  int64_t pairs = classes * (classes - 1) / 2;
  if (int64_t(rho.size()) < pairs || int64_t(coefficients.size()) != (classes - 1) * supports ||
      classes > 64)
    return c.reject("coefficients, rho and classes do not fit");
  FailureOr<Value> values = kernels(c, x, numbersOf(c, "support_vectors"), supports);
  if (failed(values))
    return failure();
  // Pair (i, j): vectors of class i by the coefficients of row j - 1, those of j by row i.
  SmallVector<double> matrix(pairs * supports, 0);
  SmallVector<int64_t> starts(classes, 0);
  for (int64_t k = 1; k < classes; ++k)
    starts[k] = starts[k - 1] + perClass[k - 1];
  int64_t pair = 0;
  SmallVector<std::pair<int64_t, int64_t>> members;
  for (int64_t i = 0; i < classes; ++i)
    for (int64_t j = i + 1; j < classes; ++j, ++pair) {
      members.emplace_back(i, j);
      for (int64_t v = 0; v < perClass[i]; ++v)
        matrix[pair * supports + starts[i] + v] = coefficients[(j - 1) * supports + starts[i] + v];
      for (int64_t v = 0; v < perClass[j]; ++v)
        matrix[pair * supports + starts[j] + v] = coefficients[i * supports + starts[j] + v];
    }
  Value decisions =
      times(b, *values, reshape(b, longConstant(c, matrix, b.getF32Type()), {pairs, supports}));
  rho.resize(pairs);
  decisions = mapElements(b, typeOf(decisions), {decisions, longConstant(c, rho, b.getF32Type())},
                          {b.getMultiDimIdentityMap(2), selectDims(b, 2, {1})},
                          [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
  // Votes as a contraction: a won pair counts for its first class, a lost one for its second.
  int64_t rows = typeOf(x).getDimSize(0);
  SmallVector<int64_t> first, second;
  for (auto [i, j] : members) {
    first.push_back(i);
    second.push_back(j);
  }
  Type i64 = b.getI64Type(), f32 = b.getF32Type();
  AffineMap byPair = selectDims(b, 3, {2});
  Value votes = reduceLoops(b, {rows, classes, pairs}, {0, 1}, f32,
                            {decisions, longConstant(c, first), longConstant(c, second)},
                            {selectDims(b, 3, {0, 2}), byPair, byPair}, Combiner::Add, false,
                            [&](Scalars &s, ValueRange v) {
                              Value winner = s.select(s.less(s.like(v[0], 0), v[0]), v[1], v[2]);
                              return s.select(s.equal(winner, s.position(1, i64)),
                                              s.constant(f32, 1), s.constant(f32, 0));
                            });
  Results labelled = classify(c, votes, "NONE", {});
  if (failed(labelled) || c.resultTypes.size() < 2 || !c.resultTypes[1])
    return labelled;
  Value scores = decisions;
  if (pairs == 1) // two columns of one decision
    scores = concat(b,
                    {mapElements(b, typeOf(decisions), {Operand(decisions)},
                                 [](Scalars &s, ValueRange v) { return s.neg(v[0]); }),
                     decisions},
                    1);
  FailureOr<Value> transformed = postTransform(c, scores, c.stringAttr("post_transform", "NONE"));
  if (failed(transformed))
    return failure();
  if (typeOf(*transformed).getNumElements() != c.resultTypes[1].getNumElements())
    return c.reject("its scores are " + Twine(typeOf(*transformed).getDimSize(1)) + " per row");
  (*labelled)[1] = reshape(b, *transformed, c.resultTypes[1].getShape());
  return labelled;
}

} // namespace mtc::onnx_import
