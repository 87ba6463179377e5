//===- AttentionOps.cpp - Attention, TensorScatter ------------------------===//
//
// softmax(mask(cap(scale * Q K'))) V as two contractions with a row operation between. Heads and
// groups of query heads are loops with maps of their own, so neither 3-D inputs nor shared key and
// value heads cost a move. What the mask forbids has weight 0 whatever its score is, and a query
// that may look nowhere gives 0. Formulas: onnx 1.23.2, onnx/reference/ops/op_attention.py.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

/// Queries, keys or values: batch, heads, positions, channels, in the order of `dims`.
struct Heads {
  Value value;
  bool headsFirst; ///< batch, heads, positions, channels; else heads after positions
  int64_t batch, heads, length, channels;
};

/// What all steps need to know.
struct Attention {
  Heads q, k, v;
  int64_t group;    ///< query heads of a key head
  int64_t past = 0; ///< positions of the cache
  double scale, cap;
  bool isCausal;
  int64_t leftWindow, rightWindow; ///< -1: none
  Type wide;                       ///< what is computed in
  Type element;                    ///< what values between steps are rounded to, as in the body
};

FailureOr<Heads> splitHeads(NodeContext &c, unsigned i, StringRef headsName) {
  RankedTensorType type = c.type(i);
  if (type.getRank() == 4)
    return Heads{c.inputs[i],        true,
                 type.getDimSize(0), type.getDimSize(1),
                 type.getDimSize(2), type.getDimSize(3)};
  int64_t heads = c.intAttr(headsName, 0);
  if (type.getRank() != 3 || heads < 1 || type.getDimSize(2) % heads)
    return c.reject("input " + Twine(i) + " is neither 4-D nor 3-D of " + headsName + " heads");
  Heads h{
      Value(), false, type.getDimSize(0), heads, type.getDimSize(1), type.getDimSize(2) / heads};
  h.value = reshape(c.b, c.inputs[i], {h.batch, h.length, h.heads, h.channels});
  return h;
}

/// The same with heads before positions.
Value headsFirst(Builder &b, const Heads &h) {
  return h.headsFirst ? h.value : transpose(b, h.value, {0, 2, 1, 3});
}

/// Times a number, rounded to the tensor's type.
Heads scaled(Builder &b, const Heads &h, double factor) {
  Heads result = h;
  result.value = mapElements(b, typeOf(h.value), {Operand(h.value)}, [&](Scalars &s, ValueRange v) {
    return s.mul(v[0], s.like(v[0], factor));
  });
  return result;
}

/// Keys or values behind those of the cache.
Heads append(Builder &b, Value past, const Heads &h) {
  Heads all = h;
  all.headsFirst = true;
  all.value = concat(b, {past, headsFirst(b, h)}, 2);
  all.length += typeOf(past).getDimSize(2);
  return all;
}

/// Loops of both contractions: batch, key head, query head of its group, query, key (or channel of
/// the value), reduced.
enum Loop { Batch, Head, Member, Query, Outer, Inner };

/// The map of queries (split into key heads and members), keys or values.
AffineMap headsMap(Builder &b, const Heads &h, bool hasMembers, Loop position, Loop channel) {
  SmallVector<int64_t> heads{Head};
  if (hasMembers)
    heads.push_back(Member);
  SmallVector<int64_t> dims{Batch};
  if (h.headsFirst)
    dims.append(heads);
  dims.push_back(position);
  if (!h.headsFirst)
    dims.append(heads);
  dims.push_back(channel);
  return selectDims(b, 6, dims);
}

/// Q K' over key heads, members, queries, keys.
Value scoresOf(Builder &b, const Attention &a) {
  Shape split = a.q.headsFirst ? Shape{a.q.batch, a.k.heads, a.group, a.q.length, a.q.channels}
                               : Shape{a.q.batch, a.q.length, a.k.heads, a.group, a.q.channels};
  Value scores = contract(b, {a.q.batch, a.k.heads, a.group, a.q.length, a.k.length, a.q.channels},
                          {Batch, Head, Member, Query, Outer}, reshape(b, a.q.value, split),
                          headsMap(b, a.q, true, Query, Inner), a.k.value,
                          headsMap(b, a.k, false, Outer, Inner));
  return reshape(b, scores, {a.q.batch, a.q.heads, a.q.length, a.k.length});
}

/// P V in the layout of the queries.
Value mix(Builder &b, const Attention &a, Value probabilities) {
  Value p = reshape(b, probabilities, {a.q.batch, a.k.heads, a.group, a.q.length, a.k.length});
  Shape result = a.q.headsFirst ? Shape{Batch, Head, Member, Query, Outer}
                                : Shape{Batch, Query, Head, Member, Outer};
  return contract(b, {a.q.batch, a.k.heads, a.group, a.q.length, a.v.channels, a.k.length}, result,
                  p, selectDims(b, 6, {Batch, Head, Member, Query, Inner}), a.v.value,
                  headsMap(b, a.v, false, Inner, Outer));
}

/// Scores as the softmax sees them: scaled, capped, -infinity where a query must not look.
struct Logits {
  Value capped, masked;
};

/// The mask's elements broadcast over batch, heads, queries and keys; keys behind its end are
/// forbidden.
FailureOr<Value> fullMask(NodeContext &c, const Attention &a) {
  Builder &b = c.b;
  Value mask = c.inputs[3];
  RankedTensorType type = typeOf(mask);
  int64_t rank = type.getRank();
  Shape wanted{a.q.batch, a.q.heads, a.q.length, a.k.length};
  if (rank < 1 || rank > 4 || type.getDimSize(rank - 1) > a.k.length)
    return c.reject("the mask does not fit");
  for (int64_t d = 0; d + 1 < rank; ++d)
    if (type.getDimSize(d) != 1 && type.getDimSize(d) != wanted[4 - rank + d])
      return c.reject("the mask does not fit");
  if (int64_t missing = a.k.length - type.getDimSize(rank - 1)) {
    Shape low(rank, 0), high(rank, 0);
    high.back() = missing;
    Type element = type.getElementType();
    mask = pad(b, mask, low, high, numberAttr(element, isFloat(element) ? -infinity : 0));
  }
  return mask;
}

FailureOr<Logits> logitsOf(NodeContext &c, const Attention &a, Value scores) {
  Builder &b = c.b;
  RankedTensorType type = tensorType(typeOf(scores).getShape(), a.element);
  Logits logits;
  auto cap = [&](Scalars &s, Value x) {
    if (a.scale != 1)
      x = s.mul(x, s.like(x, a.scale));
    return a.cap > 0 ? s.mul(s.tanh(s.div(x, s.like(x, a.cap))), s.like(x, a.cap)) : x;
  };
  Value nonpad = c.input(6);
  bool hasMask = c.hasInput(3);
  SmallVector<Operand> operands{Operand(scores)};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(4)};
  if (hasMask) {
    FailureOr<Value> mask = fullMask(c, a);
    if (failed(mask))
      return failure();
    auto [value, map] = broadcastOperand(b, *mask, type.getShape());
    operands.push_back(value);
    maps.push_back(map);
  }
  if (nonpad) {
    operands.push_back(reshape(b, nonpad, {a.q.batch}));
    maps.push_back(selectDims(b, 4, {0}));
  }
  bool maskIsBool = hasMask && c.inputTypes[3] == onnx::TensorProto::BOOL;
  logits.masked = mapElements(b, type, operands, maps, [&](Scalars &s, ValueRange v) {
    Type i64 = s.b.getI64Type();
    Value x = cap(s, v[0]), lowest = s.like(x, -infinity), allowed;
    auto require = [&](Value condition) {
      allowed = allowed ? s.both(allowed, condition) : condition;
    };
    if (hasMask && maskIsBool) {
      require(s.isTrue(v[1]));
    } else if (hasMask) {
      Value bias = s.cast(v[1], c.inputTypes[3],
                          a.wide.isF64() ? onnx::TensorProto::DOUBLE : onnx::TensorProto::FLOAT);
      x = s.add(x, bias);
      require(s.negate(s.equal(bias, lowest)));
    }
    Value key = s.position(3, i64);
    // The place of the query among the keys.
    Value place = s.position(2, i64);
    if (nonpad)
      place = s.add(place, s.sub(v.back(), s.integer(i64, a.q.length)));
    else if (a.past)
      place = s.add(place, s.integer(i64, a.past));
    if (a.isCausal)
      require(s.lessOrEqual(key, place));
    if (a.leftWindow >= 0)
      require(s.lessOrEqual(s.sub(place, key), s.integer(i64, a.leftWindow)));
    if (a.rightWindow >= 0)
      require(s.lessOrEqual(s.sub(key, place), s.integer(i64, a.rightWindow)));
    if (nonpad)
      require(s.less(key, v.back()));
    return allowed ? s.select(allowed, x, lowest) : x;
  });
  if (c.resultTypes.size() > 3 && c.resultTypes[3] && c.intAttr("qk_matmul_output_mode", 0) < 2) {
    bool isCapped = c.intAttr("qk_matmul_output_mode", 0) == 1;
    logits.capped = mapElements(b, type, {Operand(scores)}, [&](Scalars &s, ValueRange v) {
      return isCapped ? cap(s, v[0]) : s.mul(v[0], s.like(v[0], a.scale));
    });
  }
  return logits;
}

/// Softmax over keys; a row of -infinity gives zeros.
Value probabilitiesOf(Builder &b, Value logits) {
  RankedTensorType type = typeOf(logits);
  AffineMap identity = b.getMultiDimIdentityMap(4), rows = selectDims(b, 4, {0, 1, 2});
  RankedTensorType wide = tensorType(type.getShape(), computeType(type.getElementType()));
  Value max = reduceAxes(b, logits, {3}, Combiner::Max);
  Value powers =
      mapElements(b, wide, {logits, max}, {identity, rows}, [](Scalars &s, ValueRange v) {
        Value nothing = s.equal(v[1], s.like(v[1], -infinity));
        return s.exp(s.sub(v[0], s.select(nothing, s.like(v[1], 0), v[1])));
      });
  Value sum = reduceAxes(b, powers, {3}, Combiner::Add);
  return mapElements(b, type, {powers, sum}, {identity, rows}, [](Scalars &s, ValueRange v) {
    Value nothing = s.equal(v[1], s.like(v[1], 0));
    return s.div(v[0], s.select(nothing, s.like(v[1], 1), v[1]));
  });
}

Results attention(NodeContext &c) {
  Builder &b = c.b;
  Attention a;
  FailureOr<Heads> q = splitHeads(c, 0, "q_num_heads"), k = splitHeads(c, 1, "kv_num_heads"),
                   v = splitHeads(c, 2, "kv_num_heads");
  if (failed(q) || failed(k) || failed(v))
    return failure();
  bool hasPast = c.hasInput(4);
  if (hasPast != c.hasInput(5) || (hasPast && c.hasInput(6)))
    return c.reject("a cache of keys and values and nonpad_kv_seqlen do not go together");
  for (unsigned i : {4u, 5u})
    if (c.hasInput(i)) {
      const Heads &h = i == 4 ? *k : *v;
      RankedTensorType t = c.type(i);
      if (t.getRank() != 4 || t.getDimSize(0) != h.batch || t.getDimSize(1) != h.heads ||
          t.getDimSize(3) != h.channels)
        return c.reject("the shape of input " + Twine(i));
    }
  a.q = *q;
  a.k = hasPast ? append(b, c.inputs[4], *k) : *k;
  a.v = hasPast ? append(b, c.inputs[5], *v) : *v;
  if (a.k.length != a.v.length || a.k.heads != a.v.heads || a.k.heads < 1 ||
      a.q.heads % a.k.heads || a.q.channels != a.k.channels || a.k.batch != a.q.batch ||
      a.v.batch != a.q.batch)
    return c.reject("queries, keys and values do not fit");
  if (c.hasInput(6) && c.type(6).getNumElements() != a.q.batch)
    return c.reject("nonpad_kv_seqlen is not one number per batch");
  a.group = a.q.heads / a.k.heads;
  a.past = hasPast ? c.type(4).getDimSize(2) : 0;
  a.scale = c.attribute("scale") ? c.floatAttr("scale", 1) : 1 / std::sqrt(double(a.q.channels));
  a.cap = c.floatAttr("softcap", 0);
  a.isCausal = c.intAttr("is_causal", 0);
  a.leftWindow = c.intAttr("left_window_size", -1);
  a.rightWindow = c.intAttr("right_window_size", -1);
  const Heads presentKeys = a.k;
  a.element = c.type(0).getElementType();
  a.wide = computeType(a.element);
  if (a.element != a.wide) { // the body scales both sides, so that products stay in range
    double root = cast<FloatAttr>(numberAttr(a.element, std::sqrt(a.scale))).getValueAsDouble();
    a.q = scaled(b, a.q, root);
    a.k = scaled(b, a.k, root);
    a.scale = 1;
  }

  FailureOr<Logits> logits = logitsOf(c, a, convertFloat(b, scoresOf(b, a), a.element));
  if (failed(logits))
    return failure();
  Value probabilities = probabilitiesOf(b, logits->masked);
  Type element = c.resultTypes[0].getElementType();
  Value y = reshape(b, mix(b, a, probabilities), c.resultTypes[0].getShape());
  SmallVector<Value> results{convertFloat(b, y, element)};
  auto isWanted = [&](unsigned i) { return i < c.resultTypes.size() && c.resultTypes[i]; };
  for (unsigned i = 1; i < c.resultTypes.size() && i < 3; ++i)
    results.push_back(isWanted(i) ? headsFirst(b, i == 1 ? presentKeys : a.v) : Value());
  if (c.resultTypes.size() > 3) {
    int64_t mode = c.intAttr("qk_matmul_output_mode", 0);
    Value shown = mode == 3 ? probabilities : mode == 2 ? logits->masked : logits->capped;
    results.push_back(isWanted(3) ? convertFloat(b, shown, c.resultTypes[3].getElementType())
                                  : Value());
  }
  return results;
}

/// x turned by the angles of its position: pairs of channels (d, d + half) or, interleaved,
/// (2 d, 2 d + 1) of the first `rotated` channels.
Results rotaryEmbedding(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), cosines = c.type(1);
  FailureOr<Heads> x = splitHeads(c, 0, "num_heads");
  if (failed(x))
    return failure();
  int64_t rotated = c.intAttr("rotary_embedding_dim", 0), half = cosines.getShape().back();
  if (rotated == 0)
    rotated = x->channels;
  bool hasPlaces = c.hasInput(3), isInterleaved = c.intAttr("interleaved", 0);
  Shape wanted{x->batch, x->length, half};
  bool fits = hasPlaces
                  ? cosines.getRank() == 2 && c.type(3).getNumElements() == x->batch * x->length
                  : cosines.getShape() == ArrayRef<int64_t>(wanted);
  if (rotated < 2 || rotated % 2 || rotated > x->channels || half < rotated / 2 ||
      c.type(2).getShape() != cosines.getShape() || !fits)
    return c.reject("the shapes of its inputs");
  half = rotated / 2;
  Value angles[] = {c.inputs[1], c.inputs[2]}, values = x->value;
  int64_t positionLoop = x->headsFirst ? 2 : 1, table = cosines.getDimSize(0);
  SmallVector<Operand> operands{Operand(x->value)};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(4)};
  if (hasPlaces) {
    operands.push_back(reshape(b, c.inputs[3], {x->batch, x->length}));
    maps.push_back(selectDims(b, 4, {0, positionLoop}));
  }
  RankedTensorType type = typeOf(x->value);
  Value y = mapElements(b, type, operands, maps, [&](Scalars &s, ValueRange v) {
    Type i64 = s.b.getI64Type();
    Value d = s.position(3, i64), step = s.integer(i64, isInterleaved ? 1 : half);
    // The place in its pair, and the pair's number.
    Value count = s.integer(i64, isInterleaved ? 2 : half);
    Value quotient = s.div(d, count), rest = s.rem(d, count);
    Value pair = isInterleaved ? quotient : rest, place = isInterleaved ? rest : quotient;
    Value isFirst = s.equal(place, s.integer(i64, 0));
    Value partner = s.select(isFirst, s.add(d, step), s.sub(d, step));
    SmallVector<Value> at{s.index(0), s.index(1), s.index(2), s.clampIndex(partner, x->channels)};
    SmallVector<Value> angleAt;
    if (hasPlaces)
      angleAt = {s.clampIndex(v[1], table)};
    else
      angleAt = {s.index(0), s.index(positionLoop)};
    angleAt.push_back(s.clampIndex(pair, cosines.getShape().back()));
    auto wide = [&](Value e) { return s.cast(e, c.inputTypes[0], c.inputTypes[0]); };
    Value cosine = wide(s.extract(angles[0], angleAt)), sine = wide(s.extract(angles[1], angleAt));
    Value other = s.mul(wide(s.extract(values, at)), sine), own = s.mul(v[0], cosine);
    Value turned = s.select(isFirst, s.sub(own, other), s.add(own, other));
    return s.select(s.less(d, s.integer(i64, rotated)), turned, v[0]);
  });
  return SmallVector<Value>{reshape(b, y, in.getShape())};
}

/// A cache with the update's positions from write_indices on replaced.
Results tensorScatter(NodeContext &c) {
  RankedTensorType cache = c.type(0), update = c.type(1);
  int64_t rank = cache.getRank(), axis = normalizeAxis(c.intAttr("axis", -2), rank);
  bool isCircular = c.stringAttr("mode", "linear") == "circular";
  if (axis < 1 || axis >= rank || update.getRank() != rank)
    return c.reject("axis " + Twine(axis) + " of a tensor of rank " + Twine(rank));
  for (int64_t d = 0; d < rank; ++d)
    if (d == axis ? update.getDimSize(d) > cache.getDimSize(d)
                  : update.getDimSize(d) != cache.getDimSize(d))
      return c.reject("the update does not fit in dim " + Twine(d));
  int64_t size = cache.getDimSize(axis), length = update.getDimSize(axis);
  bool hasStart = c.hasInput(2);
  SmallVector<Operand> operands{Operand(c.inputs[0])};
  SmallVector<AffineMap> maps{c.b.getMultiDimIdentityMap(rank)};
  if (hasStart) {
    if (c.type(2).getNumElements() != cache.getDimSize(0))
      return c.reject("write_indices is not one number per batch");
    operands.push_back(reshape(c.b, c.inputs[2], {cache.getDimSize(0)}));
    maps.push_back(selectDims(c.b, rank, {0}));
  }
  Value values = c.inputs[1];
  return SmallVector<Value>{
      mapElements(c.b, c.resultTypes[0], operands, maps, [&](Scalars &s, ValueRange v) {
        Type i64 = s.b.getI64Type();
        Value zero = s.integer(i64, 0), turn = s.integer(i64, size);
        Value from = s.position(axis, i64);
        if (hasStart)
          from = s.sub(from, isCircular ? s.rem(v[1], turn) : v[1]);
        if (isCircular) // between -size and 2 * size
          from = s.rem(s.add(from, s.integer(i64, 2 * size)), turn);
        Value inside = s.both(s.lessOrEqual(zero, from), s.less(from, s.integer(i64, length)));
        SmallVector<Value> at;
        for (int64_t d = 0; d < rank; ++d)
          at.push_back(s.index(d));
        at[axis] = s.clampIndex(s.max(from, zero), length);
        Value element = s.extract(values, at);
        if (element.getType() != v[0].getType()) // f16 as f32
          element = s.cast(element, c.inputTypes[1], onnx::TensorProto::FLOAT);
        return s.select(inside, element, v[0]);
      })};
}

constexpr const char *floats = "f16 bf16 f32 f64";

const OpRow rows[] = {
    {"", "Attention", 23, attention, floats,
     "the softmax in f32 (f64 for f64); a query that may look nowhere gives 0"},
    {"", "RotaryEmbedding", 23, rotaryEmbedding, floats, "positions are clamped"},
    {"", "TensorScatter", 24, tensorScatter, "numbers and bool", "linear and circular"},
};

} // namespace

ArrayRef<OpRow> attentionOps() { return rows; }

} // namespace mtc::onnx_import
