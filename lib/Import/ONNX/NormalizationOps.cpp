//===- NormalizationOps.cpp - BatchNormalization, LayerNormalization, ... -===//
//
// Decomposed into reductions and generics. BatchNormalization's statistics are weights: its scale
// and shift per channel are small generics on them, which a later pass folds into the convolution
// before.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// The statistics of a row: all without the reduced dims, in at least f32.
struct Moments {
  Value mean, centered, inverseDeviation; ///< centered has the shape of x
  AffineMap identity, rows;               ///< maps of x and of the statistics
};

/// Mean and 1 / sqrt(variance + epsilon) over `axes`; the variance is of centered values (two
/// passes: sums of squares cancel).
Moments momentsOver(Builder &b, Value x, ArrayRef<int64_t> axes, double epsilon) {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rank = type.getRank(), count = 1;
  Shape kept;
  for (int64_t d = 0; d < rank; ++d) {
    if (llvm::is_contained(axes, d))
      count *= type.getDimSize(d);
    else
      kept.push_back(d);
  }
  Moments m;
  m.identity = b.getMultiDimIdentityMap(rank);
  m.rows = selectDims(b, rank, kept);
  Value sum = reduceAxes(b, x, axes, Combiner::Add);
  auto rowType = cast<RankedTensorType>(sum.getType());
  m.mean = mapElements(b, rowType, {Operand(sum)}, [&](Scalars &s, ValueRange v) {
    return s.div(v[0], s.like(v[0], double(count)));
  });
  m.centered =
      mapElements(b, tensorType(type.getShape(), rowType.getElementType()), {x, m.mean},
                  {m.identity, m.rows}, [](Scalars &s, ValueRange v) { return s.sub(v[0], v[1]); });
  Value squares = reduceAxes(b, m.centered, axes, Combiner::Add, false,
                             [](Scalars &s, ValueRange v) { return s.mul(v[0], v[0]); });
  m.inverseDeviation = mapElements(b, rowType, {Operand(squares)}, [&](Scalars &s, ValueRange v) {
    Value variance = s.div(v[0], s.like(v[0], double(count)));
    return s.div(s.like(v[0], 1), s.sqrt(s.add(variance, s.like(v[0], epsilon))));
  });
  return m;
}

/// centered * inverse deviation * scale + shift; scale and shift may be null.
Value scaleAndShift(Builder &b, RankedTensorType result, const Moments &m,
                    std::pair<Value, AffineMap> scale, std::pair<Value, AffineMap> shift) {
  SmallVector<Operand> operands{m.centered, m.inverseDeviation};
  SmallVector<AffineMap> maps{m.identity, m.rows};
  for (auto &[value, map] : {scale, shift})
    if (value) {
      operands.push_back(value);
      maps.push_back(map);
    }
  bool hasScale = static_cast<bool>(scale.first), hasShift = static_cast<bool>(shift.first);
  return mapElements(b, result, operands, maps, [&](Scalars &s, ValueRange v) {
    Value y = s.mul(v[0], v[1]);
    if (hasScale)
      y = s.mul(y, v[2]);
    return hasShift ? s.add(y, v.back()) : y;
  });
}

SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  SmallVector<int64_t> axes;
  for (int64_t d = first; d < rank; ++d)
    axes.push_back(d);
  return axes;
}

/// x * scale + shift with a number per channel (dim 1), from the channels' statistics.
Value normalizeChannels(NodeContext &c, Value mean, Value variance) {
  Builder &b = c.b;
  double epsilon = c.floatAttr("epsilon", 1e-5f);
  RankedTensorType in = c.type(0), channels = c.type(3);
  RankedTensorType wide = tensorType(channels.getShape(), computeType(channels.getElementType()));
  Value scale = mapElements(b, wide, {c.inputs[1], variance}, [&](Scalars &s, ValueRange v) {
    return s.div(v[0], s.sqrt(s.add(v[1], s.like(v[1], epsilon))));
  });
  Value shift = mapElements(b, wide, {c.inputs[2], mean, scale}, [](Scalars &s, ValueRange v) {
    return s.sub(v[0], s.mul(v[1], v[2]));
  });
  AffineMap perChannel = selectDims(b, in.getRank(), {in.getRank() > 1 ? 1 : 0});
  return mapElements(b, c.resultTypes[0], {c.inputs[0], scale, shift},
                     {b.getMultiDimIdentityMap(in.getRank()), perChannel, perChannel},
                     [](Scalars &s, ValueRange v) { return s.add(s.mul(v[0], v[1]), v[2]); });
}

/// Training takes the statistics of the batch and moves the running ones towards them.
Results batchNormalization(NodeContext &c) {
  Builder &b = c.b;
  if (!c.intAttr("training_mode", 0))
    return SmallVector<Value>{normalizeChannels(c, c.inputs[3], c.inputs[4])};
  RankedTensorType in = c.type(0), channels = c.type(3);
  if (in.getRank() < 2)
    return c.reject("training without a channel dim");
  if (channels.getElementType() != in.getElementType())
    return c.reject("training with statistics of another type");
  SmallVector<int64_t> axes{0};
  llvm::append_range(axes, axesFrom(2, in.getRank()));
  double reciprocal = double(in.getDimSize(1)) / double(in.getNumElements());
  auto scaled = [&](Value sum) {
    return mapElements(
        b, cast<RankedTensorType>(sum.getType()), {Operand(sum)},
        [&](Scalars &s, ValueRange v) { return s.mul(v[0], s.like(v[0], reciprocal)); });
  };
  Moments m = momentsOver(b, c.inputs[0], axes, 0);
  Value variance = scaled(reduceAxes(b, m.centered, axes, Combiner::Add, false,
                                     [](Scalars &s, ValueRange v) { return s.mul(v[0], v[0]); }));
  SmallVector<Value> results{normalizeChannels(c, m.mean, variance)};
  double momentum = c.floatAttr("momentum", 0.9f);
  for (auto [i, fresh] : {std::pair(1u, m.mean), std::pair(2u, variance)}) {
    if (i >= c.resultTypes.size())
      continue;
    results.push_back(!c.resultTypes[i]
                          ? Value()
                          : mapElements(b, c.resultTypes[i], {c.inputs[2 + i], fresh},
                                        [&](Scalars &s, ValueRange v) {
                                          Value old = s.mul(v[0], s.like(v[0], momentum));
                                          return s.add(old,
                                                       s.mul(v[1], s.like(v[1], 1 - momentum)));
                                        }));
  }
  return results;
}

Results layerNormalization(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t axis = normalizeAxis(c.intAttr("axis", -1), in.getRank());
  Moments m =
      momentsOver(b, c.inputs[0], axesFrom(axis, in.getRank()), c.floatAttr("epsilon", 1e-5f));
  std::pair<Value, AffineMap> shift;
  if (c.hasInput(2))
    shift = broadcastOperand(b, c.inputs[2], in.getShape());
  SmallVector<Value> results{scaleAndShift(b, c.resultTypes[0], m,
                                           broadcastOperand(b, c.inputs[1], in.getShape()), shift)};
  for (auto [i, value] : {std::pair(1u, m.mean), std::pair(2u, m.inverseDeviation)})
    if (i < c.resultTypes.size())
      results.push_back(c.resultTypes[i]
                            ? reshape(b, convertFloat(b, value, c.resultTypes[i].getElementType()),
                                      c.resultTypes[i].getShape())
                            : Value());
  return results;
}

Results rmsNormalization(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t rank = in.getRank(), axis = normalizeAxis(c.intAttr("axis", -1), rank);
  SmallVector<int64_t> axes = axesFrom(axis, rank);
  double epsilon = c.floatAttr("epsilon", 1e-5f);
  double count = elementCount(in.getShape().drop_front(axis));
  Value sum = reduceAxes(b, c.inputs[0], axes, Combiner::Add, false,
                         [](Scalars &s, ValueRange v) { return s.mul(v[0], v[0]); });
  auto rowType = cast<RankedTensorType>(sum.getType());
  Value factor = mapElements(b, rowType, {Operand(sum)}, [&](Scalars &s, ValueRange v) {
    Value mean = s.div(v[0], s.like(v[0], count));
    return s.div(s.like(v[0], 1), s.sqrt(s.add(mean, s.like(v[0], epsilon))));
  });
  auto [scale, scaleMap] = broadcastOperand(b, c.inputs[1], in.getShape());
  Shape kept;
  for (int64_t d = 0; d < axis; ++d)
    kept.push_back(d);
  return SmallVector<Value>{
      mapElements(b, c.resultTypes[0], {c.inputs[0], factor, scale},
                  {b.getMultiDimIdentityMap(rank), selectDims(b, rank, kept), scaleMap},
                  [](Scalars &s, ValueRange v) { return s.mul(s.mul(v[0], v[1]), v[2]); })};
}

Results instanceNormalization(NodeContext &c) {
  Builder &b = c.b;
  int64_t rank = c.type(0).getRank();
  Moments m = momentsOver(b, c.inputs[0], axesFrom(2, rank), c.floatAttr("epsilon", 1e-5f));
  AffineMap perChannel = selectDims(b, rank, {1});
  return SmallVector<Value>{
      scaleAndShift(b, c.resultTypes[0], m, {c.inputs[1], perChannel}, {c.inputs[2], perChannel})};
}

/// Channels as (group, channel of the group); scale and shift per channel, or per group before
/// opset 21.
Results groupNormalization(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t groups = c.intAttr("num_groups", 1), channels = in.getDimSize(1);
  if (groups < 1 || channels % groups)
    return c.reject("groups and channels do not fit");
  Shape split{in.getDimSize(0), groups, channels / groups};
  split.append(in.getShape().begin() + 2, in.getShape().end());
  int64_t rank = split.size();
  Moments m = momentsOver(b, reshape(b, c.inputs[0], split), axesFrom(2, rank),
                          c.floatAttr("epsilon", 1e-5f));
  bool perGroup = c.opset < 21;
  auto limit = [&](unsigned i) -> std::pair<Value, AffineMap> {
    if (perGroup)
      return {c.inputs[i], selectDims(b, rank, {1})};
    return {reshape(b, c.inputs[i], {groups, channels / groups}), selectDims(b, rank, {1, 2})};
  };
  Value y = scaleAndShift(b, tensorType(split, in.getElementType()), m, limit(1), limit(2));
  return SmallVector<Value>{reshape(b, y, in.getShape())};
}

/// x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta
Results lrn(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t rank = in.getRank(), size = c.intAttr("size", 1);
  double alpha = c.floatAttr("alpha", 1e-4f), beta = c.floatAttr("beta", 0.75f);
  double bias = c.floatAttr("bias", 1.0f);
  if (rank < 2 || size < 1 || size > 65536)
    return c.reject("rank below 2, or a size of " + Twine(size));
  Shape low(rank, 0), high(rank, 0), loops(in.getShape()), result;
  low[1] = (size - 1) / 2;
  high[1] = size - 1 - low[1];
  Value padded = pad(b, c.inputs[0], low, high, numberAttr(in.getElementType(), 0));
  loops.push_back(size);
  SmallVector<AffineExpr> exprs;
  for (int64_t d = 0; d < rank; ++d) {
    result.push_back(d);
    AffineExpr e = b.getAffineDimExpr(d);
    exprs.push_back(d == 1 ? e + b.getAffineDimExpr(rank) : e);
  }
  Value sum = reduceLoops(b, loops, result, computeType(in.getElementType()), {padded},
                          {AffineMap::get(rank + 1, 0, exprs, b.getContext())}, Combiner::Add,
                          false, [](Scalars &s, ValueRange v) { return s.mul(v[0], v[0]); });
  return SmallVector<Value>{
      mapElements(b, c.resultTypes[0], {c.inputs[0], sum}, [&](Scalars &s, ValueRange v) {
        Value base = s.add(s.like(v[1], bias), s.mul(v[1], s.like(v[1], alpha / double(size))));
        return s.div(v[0], Value(math::PowFOp::create(s.b, base, s.like(v[1], beta))));
      })};
}

/// x / norm along one axis; a norm of 0 gives 0.
Results lpNormalization(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  int64_t rank = in.getRank(), axis = normalizeAxis(c.intAttr("axis", -1), rank);
  int64_t p = c.intAttr("p", 2);
  if (p != 1 && p != 2)
    return c.reject("p is neither 1 nor 2");
  Value sum =
      reduceAxes(b, c.inputs[0], {axis}, Combiner::Add, false, [&](Scalars &s, ValueRange v) {
        return p == 1 ? s.abs(v[0]) : s.mul(v[0], v[0]);
      });
  Shape kept;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis)
      kept.push_back(d);
  return SmallVector<Value>{mapElements(
      b, c.resultTypes[0], {c.inputs[0], sum},
      {b.getMultiDimIdentityMap(rank), selectDims(b, rank, kept)}, [&](Scalars &s, ValueRange v) {
        Value norm = p == 1 ? v[1] : s.sqrt(v[1]), zero = s.like(norm, 0);
        return s.select(s.equal(norm, zero), zero, s.div(v[0], norm));
      })};
}

/// (x - mean) / (deviation + 1e-9)
Results meanVarianceNormalization(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0);
  SmallVector<int64_t> axes = c.intsAttr("axes", {0, 2, 3});
  if (failed(normalizeAxes(c, axes, in.getRank())))
    return failure();
  Moments m = momentsOver(b, c.inputs[0], axes, 0);
  return SmallVector<Value>{mapElements(b, c.resultTypes[0], {m.centered, m.inverseDeviation},
                                        {m.identity, m.rows}, [](Scalars &s, ValueRange v) {
                                          Value deviation = s.div(s.like(v[1], 1), v[1]);
                                          return s.div(v[0], s.add(deviation, s.like(v[1], 1e-9)));
                                        })};
}

constexpr const char *floats = "f16 bf16 f32 f64";

const OpRow rows[] = {
    {"", "BatchNormalization", 7, batchNormalization, floats, "inference and training"},
    {"", "GroupNormalization", 18, groupNormalization, floats, "statistics in f32"},
    {"", "InstanceNormalization", 6, instanceNormalization, floats, ""},
    {"", "LRN", 1, lrn, floats, ""},
    {"", "LayerNormalization", 17, layerNormalization, floats, "statistics in f32"},
    {"", "LpNormalization", 1, lpNormalization, floats, ""},
    {"", "MeanVarianceNormalization", 9, meanVarianceNormalization, floats, ""},
    {"", "RMSNormalization", 23, rmsNormalization, floats, "statistics in f32"},
};

} // namespace

ArrayRef<OpRow> normalizationOps() { return rows; }

} // namespace mtc::onnx_import
