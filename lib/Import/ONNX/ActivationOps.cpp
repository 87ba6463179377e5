//===- ActivationOps.cpp - Relu to Softmax --------------------------------===//
//
// Pointwise activations are one generic; Softmax and its kin are max, sub and exp, sum, div, so
// that a row of them becomes one kernel later.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using UnaryBody = Value (*)(Scalars &, Value);

Results map(NodeContext &c, function_ref<Value(Scalars &, Value)> body) {
  return SmallVector<Value>{mapElements(c.b, c.resultTypes[0], {Operand(c.inputs[0])},
                                        [&](Scalars &s, ValueRange v) { return body(s, v[0]); })};
}

template <UnaryBody body> Results unary(NodeContext &c) {
  return map(c, [](Scalars &s, Value x) { return body(s, x); });
}

Value relu(Scalars &s, Value x) { return s.max(x, s.like(x, 0)); }
Value sigmoid(Scalars &s, Value x) { return s.sigmoid(x); }
Value tanh(Scalars &s, Value x) { return s.tanh(x); }
Value erf(Scalars &s, Value x) { return math::ErfOp::create(s.b, x); }
Value softplus(Scalars &s, Value x) { return s.softplus(x); }
Value softsign(Scalars &s, Value x) { return s.div(x, s.add(s.like(x, 1), s.abs(x))); }
Value mish(Scalars &s, Value x) { return s.mul(x, s.tanh(s.softplus(x))); }
/// exp(x) - 1 for x < 0, where it is needed.
Value expm1(Scalars &s, Value x) { return math::ExpM1Op::create(s.b, x); }

/// max(0, min(1, alpha * x + beta))
Value hardSigmoid(Scalars &s, Value x, double alpha, double beta) {
  Value y = s.add(s.mul(x, s.like(x, alpha)), s.like(x, beta));
  return s.max(s.like(x, 0), s.min(s.like(x, 1), y));
}
Value hardSwish(Scalars &s, Value x) { return s.mul(x, hardSigmoid(s, x, 1.0 / 6.0, 0.5)); }

Results hardSigmoidOp(NodeContext &c) {
  double alpha = c.floatAttr("alpha", 0.2f), beta = c.floatAttr("beta", 0.5f);
  return map(c, [&](Scalars &s, Value x) { return hardSigmoid(s, x, alpha, beta); });
}

/// x for x >= 0 (and NaN), else below(x).
Value whereNegative(Scalars &s, Value x, Value below) {
  return s.select(s.less(x, s.like(x, 0)), below, x);
}

Results leakyRelu(NodeContext &c) {
  double alpha = c.floatAttr("alpha", 0.01f);
  return map(c,
             [&](Scalars &s, Value x) { return whereNegative(s, x, s.mul(x, s.like(x, alpha))); });
}

Results prelu(NodeContext &c) {
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], {Operand(c.inputs[0]), operand(c, 1)},
      [](Scalars &s, ValueRange v) { return whereNegative(s, v[0], s.mul(v[0], v[1])); },
      isUnsignedType(c.inputTypes[0]))};
}

Results elu(NodeContext &c) {
  double alpha = c.floatAttr("alpha", 1.0f);
  return map(c, [&](Scalars &s, Value x) {
    return whereNegative(s, x, s.mul(s.like(x, alpha), expm1(s, x)));
  });
}

Results selu(NodeContext &c) {
  double alpha = c.floatAttr("alpha", 1.67326319217681884765625f);
  double gamma = c.floatAttr("gamma", 1.05070102214813232421875f);
  return map(c, [&](Scalars &s, Value x) {
    Value y = whereNegative(s, x, s.mul(s.like(x, alpha), expm1(s, x)));
    return s.mul(s.like(x, gamma), y);
  });
}

Results celu(NodeContext &c) {
  double alpha = c.floatAttr("alpha", 1.0f);
  return map(c, [&](Scalars &s, Value x) {
    Value a = s.like(x, alpha);
    return whereNegative(s, x, s.mul(a, expm1(s, s.div(x, a))));
  });
}

Results thresholdedRelu(NodeContext &c) {
  double alpha = c.floatAttr("alpha", 1.0f);
  return map(c, [&](Scalars &s, Value x) {
    return s.select(s.less(s.like(x, alpha), x), x, s.like(x, 0));
  });
}

Results shrink(NodeContext &c) {
  double lambda = c.floatAttr("lambd", 0.5f), bias = c.floatAttr("bias", 0.0f);
  bool isInteger = !isFloat(c.type(0).getElementType());
  if (isInteger)
    return c.reject("integers");
  return map(c, [&](Scalars &s, Value x) {
    Value b = s.like(x, bias);
    Value high = s.select(s.less(s.like(x, lambda), x), s.sub(x, b), s.like(x, 0));
    return s.select(s.less(x, s.like(x, -lambda)), s.add(x, b), high);
  });
}

/// x * sigmoid(alpha * x)
Results swish(NodeContext &c) {
  double alpha = c.floatAttr("alpha", 1.0f);
  return map(c, [&](Scalars &s, Value x) {
    Value scaled = alpha == 1.0 ? x : s.mul(x, s.like(x, alpha));
    return s.mul(x, s.sigmoid(scaled));
  });
}

Results gelu(NodeContext &c) {
  bool byTanh = c.stringAttr("approximate", "none") == "tanh";
  return map(c, [&](Scalars &s, Value x) {
    Value half = s.mul(s.like(x, 0.5), x), one = s.like(x, 1), inner;
    if (byTanh) {
      Value cube = s.mul(s.mul(x, x), x);
      Value t = s.add(x, s.mul(s.like(x, 0.044715), cube));
      inner = s.tanh(s.mul(s.like(x, std::sqrt(2.0 / M_PI)), t));
    } else {
      inner = math::ErfOp::create(s.b, s.mul(x, s.like(x, std::sqrt(0.5))));
    }
    return s.mul(half, s.add(one, inner));
  });
}

/// The axes a Softmax reduces: one from opset 13 on, all from `axis` on before.
SmallVector<int64_t> softmaxAxes(NodeContext &c) {
  int64_t rank = c.type(0).getRank();
  bool flattens = c.opset < 13;
  int64_t axis = normalizeAxis(c.intAttr("axis", flattens ? 1 : -1), rank);
  SmallVector<int64_t> axes{axis};
  for (int64_t d = axis + 1; flattens && d < rank; ++d)
    axes.push_back(d);
  return axes;
}

/// The input's dims without `axes`, as a map for values that are the same along them.
AffineMap withoutAxes(Builder &b, int64_t rank, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> kept;
  for (int64_t d = 0; d < rank; ++d)
    if (!llvm::is_contained(axes, d))
      kept.push_back(d);
  return selectDims(b, rank, kept);
}

Results softmaxLike(NodeContext &c, bool isLog) {
  Builder &b = c.b;
  RankedTensorType type = c.type(0);
  int64_t rank = type.getRank();
  if (rank == 0)
    return SmallVector<Value>{
        fill(b, c.resultTypes[0], numberAttr(type.getElementType(), isLog ? 0 : 1))};
  SmallVector<int64_t> axes = softmaxAxes(c);
  AffineMap identity = b.getMultiDimIdentityMap(rank), kept = withoutAxes(b, rank, axes);
  RankedTensorType wide = tensorType(type.getShape(), computeType(type.getElementType()));
  Value x = c.inputs[0];
  Value max = reduceAxes(b, x, axes, Combiner::Max);
  if (isLog) {
    Value shifted = mapElements(b, wide, {x, max}, {identity, kept},
                                [](Scalars &s, ValueRange v) { return s.sub(v[0], v[1]); });
    Value sum = reduceAxes(b, shifted, axes, Combiner::Add, false,
                           [](Scalars &s, ValueRange v) { return s.exp(v[0]); });
    return SmallVector<Value>{
        mapElements(b, c.resultTypes[0], {shifted, sum}, {identity, kept},
                    [](Scalars &s, ValueRange v) { return s.sub(v[0], s.log(v[1])); })};
  }
  Value powers = mapElements(b, wide, {x, max}, {identity, kept},
                             [](Scalars &s, ValueRange v) { return s.exp(s.sub(v[0], v[1])); });
  Value sum = reduceAxes(b, powers, axes, Combiner::Add);
  return SmallVector<Value>{
      mapElements(b, c.resultTypes[0], {powers, sum}, {identity, kept},
                  [](Scalars &s, ValueRange v) { return s.div(v[0], v[1]); })};
}

Results softmax(NodeContext &c) { return softmaxLike(c, false); }
Results logSoftmax(NodeContext &c) { return softmaxLike(c, true); }

/// 1 at the first maximum of the axis (before opset 13: of all dims from the axis on), else 0.
Results hardmax(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType type = c.type(0);
  int64_t rank = type.getRank();
  SmallVector<int64_t> axes = softmaxAxes(c);
  if (rank == 0 || axes.size() != 1)
    return c.reject("more than one axis");
  AffineMap identity = b.getMultiDimIdentityMap(rank), kept = withoutAxes(b, rank, axes);
  Value max = reduceAxes(b, c.inputs[0], axes, Combiner::Max);
  Type i64 = b.getI64Type();
  SmallVector<int64_t> dims;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axes[0])
      dims.push_back(d);
  int64_t last = type.getDimSize(axes[0]) - 1;
  Value first = reduceLoops(b, type.getShape(), dims, i64, {c.inputs[0], max}, {identity, kept},
                            Combiner::Min, false, [&](Scalars &s, ValueRange v) {
                              Value hit = s.either(s.equal(v[0], v[1]), s.isNaN(v[0]));
                              return s.select(hit, s.position(axes[0], i64), s.integer(i64, last));
                            });
  Type wide = computeType(type.getElementType());
  return SmallVector<Value>{
      mapElements(b, c.resultTypes[0], {first}, {kept}, [&](Scalars &s, ValueRange v) {
        Value on = s.equal(v[0], s.position(axes[0], i64));
        return s.select(on, s.constant(wide, 1), s.constant(wide, 0));
      })};
}

constexpr const char *floats = "f16 bf16 f32 f64";

const OpRow rows[] = {
    {"", "Celu", 12, celu, floats, ""},
    {"", "Elu", 6, elu, floats, ""},
    {"", "Erf", 9, unary<erf>, floats, ""},
    {"", "Gelu", 20, gelu, floats, "exact, or by tanh"},
    {"", "HardSigmoid", 6, hardSigmoidOp, floats, ""},
    {"", "HardSwish", 14, unary<hardSwish>, floats, ""},
    {"", "Hardmax", 1, hardmax, floats, "one axis"},
    {"", "LeakyRelu", 6, leakyRelu, floats, ""},
    {"", "LogSoftmax", 1, logSoftmax, floats, ""},
    {"", "Mish", 18, unary<mish>, floats, ""},
    {"", "PRelu", 7, prelu, "f16 bf16 f32 f64 i32 i64 u32 u64", ""},
    {"", "Relu", 6, unary<relu>, "f16 bf16 f32 f64 i8-i64", "a NaN is passed on"},
    {"", "Selu", 6, selu, floats, ""},
    {"", "Shrink", 9, shrink, floats, "no integers"},
    {"", "Sigmoid", 6, unary<sigmoid>, floats, ""},
    {"", "Softmax", 1, softmax, floats, ""},
    {"", "Softplus", 1, unary<softplus>, floats, ""},
    {"", "Softsign", 1, unary<softsign>, floats, ""},
    {"", "Swish", 24, swish, floats, ""},
    {"", "Tanh", 6, unary<tanh>, floats, ""},
    {"", "ThresholdedRelu", 10, thresholdedRelu, floats, ""},
};

} // namespace

ArrayRef<OpRow> activationOps() { return rows; }

} // namespace mtc::onnx_import
