//===- MlFeatureOps.cpp - features of ai.onnx.ml, and the family's table --===//
//
// Scaling, normalizing, encoding and selecting. Strings have no type in a program: what needs them
// is refused.
//
//===----------------------------------------------------------------------===//
#include "MlOps.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

Results shaped(NodeContext &c, Value y) {
  y = convertFloat(c.b, y, c.resultTypes[0].getElementType());
  return SmallVector<Value>{reshape(c.b, y, c.resultTypes[0].getShape())};
}

/// One number for all features, or one each, as an operand of rows x features.
LogicalResult perFeature(NodeContext &c, StringRef name, int64_t features, double otherwise,
                         Operand &value, AffineMap &map) {
  SmallVector<double> numbers = numbersOf(c, name);
  if (numbers.empty())
    numbers.push_back(otherwise);
  if (numbers.size() == 1) {
    value = Operand(numberAttr(c.b.getF32Type(), numbers[0]));
    map = AffineMap();
    return success();
  }
  if (int64_t(numbers.size()) != features)
    return c.reject(name + " is not one number, and not one per feature");
  value = Operand(longConstant(c, numbers, c.b.getF32Type()));
  map = selectDims(c.b, 2, {1});
  return success();
}

/// (x - offset) * scale
Results scaler(NodeContext &c) {
  Value x = featureRows(c);
  int64_t features = typeOf(x).getDimSize(1);
  Operand offset(x), scale(x);
  AffineMap offsetMap, scaleMap;
  if (failed(perFeature(c, "offset", features, 0, offset, offsetMap)) ||
      failed(perFeature(c, "scale", features, 1, scale, scaleMap)))
    return failure();
  return shaped(
      c, mapElements(c.b, typeOf(x), {Operand(x), offset, scale},
                     {c.b.getMultiDimIdentityMap(2), offsetMap, scaleMap},
                     [](Scalars &s, ValueRange v) { return s.mul(s.sub(v[0], v[1]), v[2]); }));
}

/// Rows by their largest element or their norm; a norm of 0 changes nothing.
Results normalizer(NodeContext &c) {
  Builder &b = c.b;
  std::string norm = c.stringAttr("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2")
    return c.reject("norm is " + norm);
  Value x = featureRows(c);
  Value size =
      reduceAxes(b, x, {1}, norm == "MAX" ? Combiner::Max : Combiner::Add, false,
                 [&](Scalars &s, ValueRange v) {
                   return norm == "MAX" ? v[0] : norm == "L1" ? s.abs(v[0]) : s.mul(v[0], v[0]);
                 });
  return shaped(c, mapElements(b, typeOf(x), {x, size},
                               {b.getMultiDimIdentityMap(2), selectDims(b, 2, {0})},
                               [&](Scalars &s, ValueRange v) {
                                 Value n = norm == "L2" ? s.sqrt(v[1]) : v[1];
                                 Value isZero = s.equal(n, s.like(n, 0));
                                 return s.div(v[0], s.select(isZero, s.like(n, 1), n));
                               }));
}

Results binarizer(NodeContext &c) {
  double threshold = c.floatAttr("threshold", 0);
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[0])}, [&](Scalars &s, ValueRange v) {
        int32_t wide = v[0].getType().isF64() ? T::DOUBLE : T::FLOAT;
        Value x = s.cast(v[0], c.inputTypes[0], wide);
        Value on = s.less(s.like(x, threshold), x);
        return s.cast(s.select(on, s.like(x, 1), s.like(x, 0)), wide, c.outputTypes[0]);
      })};
}

/// Columns of the last dim at the positions that the second input gives.
Results arrayFeatureExtractor(NodeContext &c) {
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  int64_t size = in.getShape().empty() ? 0 : in.getShape().back();
  int64_t count = c.type(1).getNumElements();
  if (size == 0 || result.getNumElements() != in.getNumElements() / size * count)
    return c.reject("the shapes of its inputs");
  int64_t rows = in.getNumElements() / size;
  Value x = reshape(c.b, c.inputs[0], {rows, size});
  int32_t type = c.inputTypes[1];
  Value y = mapElements(c.b, tensorType({rows, count}, in.getElementType()),
                        {reshape(c.b, c.inputs[1], {count})}, {selectDims(c.b, 2, {1})},
                        [&](Scalars &s, ValueRange v) {
                          Value at = s.clampIndex(s.cast(v[0], type, T::INT64), size);
                          return s.extract(x, {s.index(0), at});
                        });
  return SmallVector<Value>{reshape(c.b, y, result.getShape())};
}

/// What equals `replaced` (a NaN equals a NaN) becomes the feature's value.
Results imputer(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  bool floats = isFloat(in.getElementType());
  SmallVector<double> values =
      numbersOf(c, floats ? "imputed_value_floats" : "imputed_value_int64s");
  int64_t features = in.getShape().empty() ? 1 : in.getShape().back();
  if (values.empty() || (values.size() != 1 && int64_t(values.size()) != features))
    return c.reject("imputed values of the input's type are not one, and not one per feature");
  Type element = computeType(in.getElementType());
  double replaced = floats ? double(c.floatAttr("replaced_value_float", 0))
                           : double(c.intAttr("replaced_value_int64", 0));
  SmallVector<int64_t> whole(values.begin(), values.end());
  Value table = floats ? longConstant(c, values, element) : longConstant(c, whole);
  AffineMap map =
      values.size() == 1 ? AffineMap() : selectDims(b, in.getRank(), {in.getRank() - 1});
  SmallVector<Operand> operands{Operand(c.inputs[0])};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(in.getRank())};
  operands.push_back(map ? Operand(table)
                         : Operand(numberAttr(floats ? element : Type(b.getI64Type()), values[0])));
  maps.push_back(map);
  return SmallVector<Value>{
      mapElements(b, c.resultTypes[0], operands, maps, [&](Scalars &s, ValueRange v) {
        Value hit = replaced != replaced ? s.isNaN(v[0]) : s.equal(v[0], s.like(v[0], replaced));
        Value other = s.cast(v[1], floats ? c.inputTypes[0] : int32_t(T::INT64), c.inputTypes[0]);
        return s.select(hit, other, v[0]);
      })};
}

/// A column per category; what is none of them has zeros.
Results oneHotEncoder(NodeContext &c) {
  SmallVector<int64_t> categories = c.intsAttr("cats_int64s");
  RankedTensorType result = c.resultTypes[0];
  if (categories.empty() || result.getRank() == 0 ||
      result.getShape().back() != int64_t(categories.size()))
    return c.reject("categories that are strings");
  int64_t rank = result.getRank();
  SmallVector<int64_t> own;
  for (int64_t d = 0; d + 1 < rank; ++d)
    own.push_back(d);
  Value x = reshape(c.b, c.inputs[0], result.getShape().drop_back());
  return SmallVector<Value>{mapElements(
      c.b, result, {x, longConstant(c, categories)},
      {selectDims(c.b, rank, own), selectDims(c.b, rank, {rank - 1})},
      [&](Scalars &s, ValueRange v) {
        Value hit = s.equal(s.cast(v[0], c.inputTypes[0], T::INT64), v[1]);
        return s.select(hit, s.constant(s.b.getF32Type(), 1), s.constant(s.b.getF32Type(), 0));
      })};
}

/// The columns of all inputs, side by side.
Results featureVectorizer(NodeContext &c) {
  Builder &b = c.b;
  SmallVector<int64_t> widths = c.intsAttr("inputdimensions");
  RankedTensorType result = c.resultTypes[0];
  SmallVector<Value> parts;
  for (auto [i, input] : llvm::enumerate(c.inputs)) {
    RankedTensorType in = c.type(i);
    int64_t rows = in.getRank() > 1 ? in.getDimSize(0) : 1, width = in.getNumElements() / rows;
    int64_t wanted = i < widths.size() ? widths[i] : width;
    if (rows != result.getDimSize(0) || wanted < 1)
      return c.reject("the shapes of its inputs");
    Value x = mapElements(
        b, tensorType({rows, width}, b.getF32Type()), {Operand(reshape(b, input, {rows, width}))},
        [&](Scalars &s, ValueRange v) { return s.cast(v[0], c.inputTypes[i], T::FLOAT); });
    if (wanted < width)
      x = extractSlice(b, x, {0, 0}, {rows, wanted}, {1, 1});
    if (wanted > width)
      x = pad(b, x, {0, 0}, {0, wanted - width}, numberAttr(b.getF32Type(), 0));
    parts.push_back(x);
  }
  Value y = parts.size() == 1 ? parts[0] : concat(b, parts, 1);
  if (typeOf(y) != result)
    return c.reject("inputdimensions do not fit");
  return SmallVector<Value>{y};
}

/// Loops over the keys: the position of the first that equals the element.
Results labelEncoder(NodeContext &c) {
  Builder &b = c.b;
  auto listOf = [&](StringRef base) -> const onnx::AttributeProto * {
    for (StringRef suffix : {"_int64s", "_floats", "_tensor"})
      if (const onnx::AttributeProto *a = c.attribute((base + suffix).str()))
        return a;
    return nullptr;
  };
  const onnx::AttributeProto *keyList = listOf("keys"), *valueList = listOf("values");
  if (!keyList || !valueList)
    return c.reject("keys or values that are strings");
  SmallVector<double> keys = numbersOf(keyList), values = numbersOf(valueList);
  if (keys.empty() || keys.size() != values.size())
    return c.reject(Twine(int64_t(keys.size())) + " keys and " + Twine(int64_t(values.size())) +
                    " values");
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  Type i64 = b.getI64Type(), element = computeType(in.getElementType());
  bool floatKeys = isFloat(element), floatValues = isFloat(result.getElementType());
  auto wholeNumbers = [](const onnx::AttributeProto *a, ArrayRef<double> numbers) {
    if (a->ints_size())
      return SmallVector<int64_t>(a->ints().begin(), a->ints().end());
    return SmallVector<int64_t>(numbers.begin(), numbers.end());
  };
  Value keyTable =
      floatKeys ? longConstant(c, keys, element) : longConstant(c, wholeNumbers(keyList, keys));
  Type wide = computeType(result.getElementType());
  Value valueTable = floatValues ? longConstant(c, values, wide)
                                 : longConstant(c, wholeNumbers(valueList, values));
  // Without a default: -1 for integers, 0 for floats.
  double otherwise = floatValues ? double(c.floatAttr("default_float", 0))
                                 : double(c.intAttr("default_int64", -1));
  if (const onnx::AttributeProto *a = c.attribute("default_tensor"))
    if (SmallVector<double> one = numbersOf(a); !one.empty())
      otherwise = one[0];
  int64_t count = int64_t(keys.size());
  Value x = reshape(b, c.inputs[0], {in.getNumElements()});
  Value found = reduceLoops(b, {in.getNumElements(), count}, {0}, i64, {x, keyTable},
                            {selectDims(b, 2, {0}), selectDims(b, 2, {1})}, Combiner::Min, false,
                            [&](Scalars &s, ValueRange v) {
                              Value own =
                                  floatKeys ? v[0] : s.cast(v[0], c.inputTypes[0], T::INT64);
                              Value hit = s.equal(own, v[1]);
                              if (floatKeys && c.opset >= 4)
                                hit = s.either(hit, s.both(s.isNaN(own), s.isNaN(v[1])));
                              return s.select(hit, s.position(1, i64), s.integer(i64, count));
                            });
  Value y = mapElements(
      b, tensorType({in.getNumElements()}, result.getElementType()), {Operand(found)},
      [&](Scalars &s, ValueRange v) {
        Value value = s.extract(valueTable, {s.clampIndex(v[0], count)});
        Value isFound = s.less(v[0], s.integer(i64, count));
        Value chosen = s.select(isFound, value, s.like(value, otherwise));
        return s.cast(chosen, floatValues ? (wide.isF64() ? T::DOUBLE : T::FLOAT) : T::INT64,
                      c.outputTypes[0]);
      });
  return SmallVector<Value>{reshape(b, y, result.getShape())};
}

constexpr const char *numbers = "f32 f64 i32 i64";
constexpr const char *integerLabels = "labels are integers";

const OpRow rows[] = {
    {mlDomain, "ArrayFeatureExtractor", 1, arrayFeatureExtractor, numbers, "positions are clamped"},
    {mlDomain, "Binarizer", 1, binarizer, numbers, ""},
    {mlDomain, "FeatureVectorizer", 1, featureVectorizer, numbers, ""},
    {mlDomain, "Imputer", 1, imputer, numbers, ""},
    {mlDomain, "LabelEncoder", 2, labelEncoder, "numbers to numbers",
     "a NaN equals a NaN from opset 4 on"},
    {mlDomain, "LinearClassifier", 1, linearClassifier, numbers, integerLabels},
    {mlDomain, "LinearRegressor", 1, linearRegressor, numbers, ""},
    {mlDomain, "Normalizer", 1, normalizer, numbers, ""},
    {mlDomain, "OneHotEncoder", 1, oneHotEncoder, numbers, "integer categories"},
    {mlDomain, "SVMClassifier", 1, svmClassifier, numbers, "integer labels, no probabilities"},
    {mlDomain, "SVMRegressor", 1, svmRegressor, numbers, ""},
    {mlDomain, "Scaler", 1, scaler, numbers, ""},
    {mlDomain, "TreeEnsemble", 5, treeEnsemble, "f32 f64", "at most 2^22 nodes times targets"},
    {mlDomain, "TreeEnsembleClassifier", 1, treeEnsembleClassifier, numbers, integerLabels},
    {mlDomain, "TreeEnsembleRegressor", 1, treeEnsembleRegressor, numbers, ""},
};

} // namespace

ArrayRef<OpRow> mlOps() { return rows; }

} // namespace mtc::onnx_import
