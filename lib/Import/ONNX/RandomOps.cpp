//===- RandomOps.cpp - RandomNormal, RandomUniform, Multinomial, Dropout --===//
//
// Element i of a node is a function of the node's key and of i alone (Philox 4x32 with 10 rounds,
// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11): every run, share, target
// and order of tasks gives the same numbers. The key is the bits of the attribute `seed`, or, where
// there is none, a hash of the node's first output's name.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

/// FNV-1a: stable across compilers and versions, unlike llvm::hash_value.
uint64_t nameHash(StringRef name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char ch : name)
    hash = (hash ^ ch) * 0x100000001b3u;
  return hash;
}

uint64_t keyOf(NodeContext &c) {
  if (const onnx::AttributeProto *seed = c.attribute("seed")) {
    if (seed->type() == onnx::AttributeProto::INT)
      return static_cast<uint64_t>(seed->i());
    float value = seed->f();
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
  }
  return nameHash(c.node.output_size() ? c.node.output(0) : c.node.name());
}

/// Four words of 32 bits (in i64s) for counter `i`.
SmallVector<Value> philox(Scalars &s, uint64_t key, Value i) {
  Type i64 = s.b.getI64Type();
  Value mask = s.integer(i64, 0xffffffff), shift = s.integer(i64, 32);
  auto low = [&](Value v) -> Value { return arith::AndIOp::create(s.b, v, mask); };
  auto high = [&](Value v) -> Value { return arith::ShRUIOp::create(s.b, v, shift); };
  auto mix = [&](Value x, Value y, uint32_t k) -> Value {
    return arith::XOrIOp::create(s.b, arith::XOrIOp::create(s.b, x, y), s.integer(i64, k));
  };
  SmallVector<Value> words{low(i), high(i), s.integer(i64, 0), s.integer(i64, 0)};
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    Value a = s.mul(words[0], s.integer(i64, 0xD2511F53));
    Value b = s.mul(words[2], s.integer(i64, 0xCD9E8D57));
    words = {mix(high(b), words[1], k0), low(b), mix(high(a), words[3], k1), low(a)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return words;
}

/// Uniform in [0, 1): 24 bits for f32, 53 for f64. `pair` 0 or 1 gives independent numbers.
Value uniform(Scalars &s, ArrayRef<Value> words, unsigned pair, Type type) {
  Type i64 = s.b.getI64Type();
  Value first = words[2 * pair], second = words[2 * pair + 1];
  auto shifted = [&](Value v, int64_t by) -> Value {
    return arith::ShRUIOp::create(s.b, v, s.integer(i64, by));
  };
  if (!type.isF64()) {
    Value x = arith::SIToFPOp::create(s.b, type, shifted(first, 8));
    return s.mul(x, s.like(x, std::ldexp(1.0, -24)));
  }
  Value bits =
      s.add(s.mul(shifted(first, 5), s.integer(i64, int64_t(1) << 26)), shifted(second, 6));
  Value x = arith::SIToFPOp::create(s.b, type, bits);
  return s.mul(x, s.like(x, std::ldexp(1.0, -53)));
}

/// The element's number in row-major order.
Value flatPosition(Scalars &s, ArrayRef<int64_t> shape) {
  Type i64 = s.b.getI64Type();
  Value flat = s.integer(i64, 0);
  for (auto [d, size] : llvm::enumerate(shape))
    flat = s.add(s.mul(flat, s.integer(i64, size)), s.position(d, i64));
  return flat;
}

Results randomUniform(NodeContext &c) {
  RankedTensorType result = c.resultTypes[0];
  Type wide = computeType(result.getElementType());
  double low = c.floatAttr("low", 0), high = c.floatAttr("high", 1);
  uint64_t key = keyOf(c);
  return SmallVector<Value>{mapElements(c.b, result, {}, [&](Scalars &s, ValueRange) {
    Value u = uniform(s, philox(s, key, flatPosition(s, result.getShape())), 0, wide);
    return s.add(s.mul(u, s.like(u, high - low)), s.like(u, low));
  })};
}

/// Box and Muller: the radius from one uniform number in (0, 1], the angle from another.
Results randomNormal(NodeContext &c) {
  RankedTensorType result = c.resultTypes[0];
  Type wide = computeType(result.getElementType());
  double mean = c.floatAttr("mean", 0), scale = c.floatAttr("scale", 1);
  uint64_t key = keyOf(c);
  return SmallVector<Value>{mapElements(c.b, result, {}, [&](Scalars &s, ValueRange) {
    SmallVector<Value> words = philox(s, key, flatPosition(s, result.getShape()));
    Value u = uniform(s, words, 0, wide), v = uniform(s, words, 1, wide);
    Value radius = s.sqrt(s.mul(s.log(s.sub(s.like(u, 1), u)), s.like(u, -2)));
    Value cosine = math::CosOp::create(s.b, s.mul(v, s.like(v, 2 * M_PI)));
    return s.add(s.mul(s.mul(radius, cosine), s.like(u, scale)), s.like(u, mean));
  })};
}

/// The cumulative sums of Multinomial are the square of the classes in work.
constexpr int64_t maxClasses = 8192;

/// How many cumulative probabilities a uniform number reaches: loops (batch, sample, class).
Results multinomial(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  if (in.getRank() != 2 || in.getDimSize(1) > maxClasses)
    return c.reject("not batch x at most " + Twine(maxClasses) + " classes");
  int64_t batch = in.getDimSize(0), classes = in.getDimSize(1), samples = result.getDimSize(1);
  Type wide = computeType(in.getElementType()), i64 = b.getI64Type();
  AffineMap identity = b.getMultiDimIdentityMap(2), rows = selectDims(b, 2, {0});
  Value max = reduceAxes(b, c.inputs[0], {1}, Combiner::Max);
  Value powers =
      mapElements(b, tensorType(in.getShape(), wide), {c.inputs[0], max}, {identity, rows},
                  [](Scalars &s, ValueRange v) { return s.exp(s.sub(v[0], v[1])); });
  Value cumulative =
      reduceLoops(b, {batch, classes, classes}, {0, 1}, wide, {powers}, {selectDims(b, 3, {0, 2})},
                  Combiner::Add, false, [&](Scalars &s, ValueRange v) {
                    Value inside = s.lessOrEqual(s.position(2, i64), s.position(1, i64));
                    return s.select(inside, v[0], s.like(v[0], 0));
                  });
  Value total = extractSlice(b, cumulative, {0, classes - 1}, {batch, 1}, {1, 1});
  uint64_t key = keyOf(c);
  Value limits = mapElements(b, tensorType({batch, samples}, wide), {reshape(b, total, {batch})},
                             {rows}, [&](Scalars &s, ValueRange v) {
                               Value i = flatPosition(s, {batch, samples});
                               return s.mul(uniform(s, philox(s, key, i), 0, wide), v[0]);
                             });
  Value counts = reduceLoops(b, {batch, samples, classes}, {0, 1}, i64, {cumulative, limits},
                             {selectDims(b, 3, {0, 2}), selectDims(b, 3, {0, 1})}, Combiner::Add,
                             false, [&](Scalars &s, ValueRange v) {
                               Value passed = s.lessOrEqual(v[0], v[1]);
                               return Value(arith::ExtUIOp::create(s.b, i64, passed));
                             });
  return SmallVector<Value>{
      mapElements(b, result, {Operand(counts)}, [&](Scalars &s, ValueRange v) {
        Value last = s.min(v[0], s.integer(i64, classes - 1));
        return s.cast(last, T::INT64, c.outputTypes[0]);
      })};
}

/// Inference: the data. Training (which may be known only at run time): elements whose random
/// number is below the ratio become 0, the others are scaled.
Results dropout(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType type = c.type(0);
  bool wantsMask = c.resultTypes.size() > 1 && c.resultTypes[1];
  auto training = c.hasInput(2) ? c.constantInts(2) : SmallVector<int64_t>{0};
  if (training && (training->empty() || training->front() == 0)) {
    SmallVector<Value> results{c.inputs[0]};
    if (c.resultTypes.size() > 1)
      results.push_back(
          wantsMask ? fill(b, c.resultTypes[1], numberAttr(c.resultTypes[1].getElementType(), 1))
                    : Value());
    return results;
  }
  Type wide = computeType(type.getElementType());
  uint64_t key = keyOf(c);
  SmallVector<Operand> operands;
  operands.push_back(c.hasInput(1) ? operand(c, 1) : Operand(numberAttr(wide, 0.5)));
  if (!training)
    operands.push_back(operand(c, 2));
  int32_t ratioType = c.hasInput(1) ? c.inputTypes[1] : wide.isF64() ? T::DOUBLE : T::FLOAT;
  Value mask = mapElements(
      b, tensorType(type.getShape(), b.getI8Type()), operands, [&](Scalars &s, ValueRange v) {
        Value u = uniform(s, philox(s, key, flatPosition(s, type.getShape())), 0, wide);
        Value ratio = s.cast(v[0], ratioType, wide.isF64() ? T::DOUBLE : T::FLOAT);
        Value keeps = s.lessOrEqual(ratio, u);
        return training ? keeps : s.either(keeps, s.negate(s.isTrue(v[1])));
      });
  operands.insert(operands.begin(), {Operand(c.inputs[0]), Operand(mask)});
  SmallVector<Value> results{
      mapElements(b, c.resultTypes[0], operands, [&](Scalars &s, ValueRange v) {
        Value ratio = s.cast(v[2], ratioType, wide.isF64() ? T::DOUBLE : T::FLOAT);
        if (!training)
          ratio = s.select(s.isTrue(v[3]), ratio, s.like(ratio, 0));
        Value kept = s.div(v[0], s.sub(s.like(ratio, 1), ratio));
        return s.select(s.isTrue(v[1]), kept, s.like(kept, 0));
      })};
  if (c.resultTypes.size() > 1)
    results.push_back(wantsMask ? mask : Value());
  return results;
}

constexpr const char *floats = "f16 bf16 f32 f64";
constexpr const char *generator = "Philox 4x32-10 of seed (else the output's name) and position: "
                                  "the same numbers in every run";

const OpRow rows[] = {
    {"", "Dropout", 1, dropout, floats, generator},
    {"", "Multinomial", 7, multinomial, "f16 f32 f64 to i32 i64", generator},
    {"", "RandomNormal", 1, randomNormal, floats, generator},
    {"", "RandomNormalLike", 1, randomNormal, floats, generator},
    {"", "RandomUniform", 1, randomUniform, floats, generator},
    {"", "RandomUniformLike", 1, randomUniform, floats, generator},
};

} // namespace

ArrayRef<OpRow> randomOps() { return rows; }

} // namespace mtc::onnx_import
