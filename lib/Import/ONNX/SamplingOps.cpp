//===- SamplingOps.cpp - AffineGrid, RoiAlign, MaxRoiPool, DeformConv -----===//
//
// Operators that read their source at places computed from data. Each is a generic that computes
// places and reads with tensor.extract; every index is clamped into the source, whatever the data
// are. Formulas: the reference implementations of onnx 1.23.2 (onnx/reference/ops) and, for
// MaxRoiPool, the operator's text.
//
//===----------------------------------------------------------------------===//
#include "Convolution.h"
#include "Moves.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

Value floorOf(Scalars &s, Value x) { return math::FloorOp::create(s.b, x); }
Value ceilOf(Scalars &s, Value x) { return math::CeilOp::create(s.b, x); }

int32_t floatTypeOf(Value x) { return x.getType().isF64() ? T::DOUBLE : T::FLOAT; }

/// A place as an index in [0, size).
Value placeIndex(Scalars &s, Value place, int64_t size) {
  Value i = s.cast(place, floatTypeOf(place), T::INT64);
  return s.clampIndex(s.max(i, s.integer(s.b.getI64Type(), 0)), size);
}

/// An element as the float type that is computed in.
Value readFloat(Scalars &s, Value tensor, ValueRange at, int32_t type) {
  return s.cast(s.extract(tensor, at), type, type);
}

/// The elements of theta times (.., z, y, x, 1) with the coordinates of the result's position.
Results affineGrid(NodeContext &c) {
  RankedTensorType theta = c.type(0), result = c.resultTypes[0];
  int64_t dims = result.getRank() - 2;
  if (theta.getRank() != 3 || (dims != 2 && dims != 3) || theta.getDimSize(1) != dims ||
      theta.getDimSize(2) != dims + 1 || theta.getDimSize(0) != result.getDimSize(0))
    return c.reject("theta does not fit the size");
  bool alignsCorners = c.intAttr("align_corners", 0);
  Value matrix = c.inputs[0];
  int32_t type = c.inputTypes[0];
  return SmallVector<Value>{mapElements(c.b, result, {}, [&](Scalars &s, ValueRange) {
    SmallVector<Value> at{s.index(0), s.index(dims + 1), Value()};
    Value sum;
    for (int64_t j = 0; j <= dims; ++j) {
      at[2] = s.integer(s.b.getIndexType(), j);
      Value part = readFloat(s, matrix, at, type);
      if (j < dims) {
        // Column j belongs to dim dims - j of the result: x is its last spatial dim.
        int64_t d = dims - j, size = result.getDimSize(d);
        Value i = s.position(d, part.getType());
        double step = 2.0 / double(alignsCorners ? std::max<int64_t>(size - 1, 1) : size);
        Value place =
            s.add(s.mul(i, s.like(i, step)), s.like(i, alignsCorners ? -1.0 : step / 2 - 1.0));
        part = s.mul(part, place);
      }
      sum = sum ? s.add(sum, part) : part;
    }
    return sum;
  })};
}

//===----------------------------------------------------------------------===//
// RoiAlign and MaxRoiPool
//===----------------------------------------------------------------------===//

struct Roi {
  int64_t channels, height, width, pooledHeight, pooledWidth;
  double scale;
};

/// Four numbers of a region, scaled, less `offset`: left, top, right, bottom.
SmallVector<Value> cornersOf(Scalars &s, Value rois, int32_t type, Value region, int64_t first,
                             double scale, double offset) {
  SmallVector<Value> corners;
  for (int64_t j = 0; j < 4; ++j) {
    Value x = readFloat(s, rois, {region, s.integer(s.b.getIndexType(), first + j)}, type);
    x = s.mul(x, s.like(x, scale));
    corners.push_back(offset == 0 ? x : s.sub(x, s.like(x, offset)));
  }
  return corners;
}

/// Bilinear taps at (y, x): four places with their weights; all weights 0 outside.
struct Taps {
  SmallVector<std::pair<SmallVector<Value>, Value>> of; ///< (row, column), weight
};

Taps bilinear(Scalars &s, Value y, Value x, const Roi &r) {
  auto outside = [&](Value v, int64_t size) {
    return s.either(s.less(v, s.like(v, -1)), s.less(s.like(v, double(size)), v));
  };
  Value isOut = s.either(outside(y, r.height), outside(x, r.width));
  auto axis = [&](Value v, int64_t size) {
    Value last = s.like(v, double(size - 1));
    v = s.min(s.max(v, s.like(v, 0)), last);
    Value low = floorOf(s, v), high = s.min(s.add(low, s.like(v, 1)), last);
    Value fraction = s.sub(v, low);
    SmallVector<std::pair<Value, Value>> taps{
        {placeIndex(s, low, size), s.sub(s.like(v, 1), fraction)},
        {placeIndex(s, high, size), fraction}};
    return taps;
  };
  Taps taps;
  for (auto [row, rowWeight] : axis(y, r.height))
    for (auto [column, columnWeight] : axis(x, r.width)) {
      Value weight = s.mul(rowWeight, columnWeight);
      taps.of.push_back({{row, column}, s.select(isOut, s.like(weight, 0), weight)});
    }
  return taps;
}

/// Where sample `i` of bin `bin` lies, and whether the bin has so many samples.
struct Samples {
  Value place, exists, count;
};

Samples sampleAt(Scalars &s, Value low, Value high, int64_t bins, int64_t ratio, int64_t most,
                 bool isAligned, int64_t binLoop, int64_t sampleLoop) {
  Type element = low.getType();
  Value extent = s.sub(high, low);
  if (!isAligned)
    extent = s.max(extent, s.like(extent, 1));
  Value size = s.div(extent, s.like(extent, double(bins)));
  Value count =
      ratio > 0 ? s.like(size, double(ratio)) : s.min(ceilOf(s, size), s.like(size, double(most)));
  Value i = s.position(sampleLoop, element), bin = s.position(binLoop, element);
  Value exists = s.less(i, count);
  Value safe = s.max(count, s.like(count, 1));
  Value within = s.div(s.mul(s.add(i, s.like(i, 0.5)), size), safe);
  return {s.add(s.add(low, s.mul(bin, size)), within), exists, count};
}

/// Loops: region, channel, bin row, bin column, sample row, sample column.
Results roiAlign(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  if (in.getRank() != 4 || c.type(1).getRank() != 2 || c.type(1).getDimSize(1) != 4 ||
      c.type(2).getNumElements() != c.type(1).getDimSize(0))
    return c.reject("the shapes of its inputs");
  int64_t ratio = c.intAttr("sampling_ratio", 0);
  Roi r{in.getDimSize(1),     in.getDimSize(2),     in.getDimSize(3),
        result.getDimSize(2), result.getDimSize(3), c.floatAttr("spatial_scale", 1.0f)};
  if (ratio < 0 || ratio > 64)
    return c.reject("sampling_ratio is " + Twine(ratio));
  bool isAligned = c.stringAttr("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  bool isMax = c.stringAttr("mode", "avg") == "max";
  // As many samples as a region of the whole source has; of larger ones the samples are spread.
  auto samples = [&](int64_t size, int64_t bins) {
    return ratio > 0 ? ratio : (size + bins - 1) / bins + 1;
  };
  int64_t rowSamples = samples(r.height, r.pooledHeight);
  int64_t columnSamples = samples(r.width, r.pooledWidth);
  Value x = c.inputs[0], rois = c.inputs[1],
        batches = reshape(b, c.inputs[2], {result.getDimSize(0)});
  int32_t type = c.inputTypes[0], roiType = c.inputTypes[1], batchType = c.inputTypes[2];
  Shape loops(result.getShape());
  loops.push_back(rowSamples);
  loops.push_back(columnSamples);
  Type wide = computeType(in.getElementType());
  auto value = [&](Scalars &s, Value batch) {
    SmallVector<Value> corners =
        cornersOf(s, rois, roiType, s.index(0), 0, r.scale, isAligned ? 0.5 : 0.0);
    for (Value &v : corners)
      v = s.cast(v, floatTypeOf(v), wide.isF64() ? T::DOUBLE : T::FLOAT);
    Samples rows =
        sampleAt(s, corners[1], corners[3], r.pooledHeight, ratio, rowSamples, isAligned, 2, 4);
    Samples columns =
        sampleAt(s, corners[0], corners[2], r.pooledWidth, ratio, columnSamples, isAligned, 3, 5);
    Value n = s.clampIndex(s.cast(batch, batchType, T::INT64), in.getDimSize(0)), best;
    for (auto &[at, weight] : bilinear(s, rows.place, columns.place, r).of) {
      Value part = s.mul(weight, readFloat(s, x, {n, s.index(1), at[0], at[1]}, type));
      best = !best ? part : isMax ? s.max(best, part) : s.add(best, part);
    }
    Value exists = s.both(rows.exists, columns.exists);
    Value none = s.like(best, isMax ? -std::numeric_limits<double>::infinity() : 0.0);
    if (!isMax) {
      Value count = s.max(s.mul(rows.count, columns.count), s.like(rows.count, 1));
      best = s.div(best, count);
    }
    return s.select(exists, best, none);
  };
  Value y = reduceLoops(b, loops, {0, 1, 2, 3}, wide, {batches}, {selectDims(b, 6, {0})},
                        isMax ? Combiner::Max : Combiner::Add, false,
                        [&](Scalars &s, ValueRange v) { return value(s, v[0]); });
  if (isMax) // a region without samples
    y = mapElements(b, tensorType(result.getShape(), wide), {Operand(y)},
                    [](Scalars &s, ValueRange v) {
                      Value none = s.like(v[0], -std::numeric_limits<double>::infinity());
                      return s.select(s.equal(v[0], none), s.like(v[0], 0), v[0]);
                    });
  return SmallVector<Value>{convertFloat(b, y, result.getElementType())};
}

/// The work of a MaxRoiPool is each result times the source's plane.
constexpr int64_t maxPooled = int64_t(1) << 28;

/// The maximum over the elements of a bin, whose borders are whole numbers; 0 of none.
Results maxRoiPool(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  if (in.getRank() != 4 || c.type(1).getRank() != 2 || c.type(1).getDimSize(1) != 5)
    return c.reject("the shapes of its inputs");
  Roi r{in.getDimSize(1),     in.getDimSize(2),     in.getDimSize(3),
        result.getDimSize(2), result.getDimSize(3), c.floatAttr("spatial_scale", 1.0f)};
  if (result.getNumElements() > maxPooled / (r.height * r.width))
    return c.reject("results times elements of a plane exceed 2^28");
  Value x = c.inputs[0], rois = c.inputs[1];
  int32_t type = c.inputTypes[0];
  Type wide = computeType(in.getElementType());
  double lowest = -std::numeric_limits<double>::infinity();
  Shape loops(result.getShape());
  loops.push_back(r.height);
  loops.push_back(r.width);
  auto inBin = [&](Scalars &s, Value low, Value high, int64_t bins, int64_t binLoop, int64_t loop) {
    auto rounded = [&](Value v) { return floorOf(s, s.add(v, s.like(v, 0.5))); };
    Value start = rounded(low), one = s.like(low, 1);
    Value extent = s.max(s.add(s.sub(rounded(high), start), one), one);
    Value size = s.div(extent, s.like(extent, double(bins)));
    Value bin = s.position(binLoop, low.getType()), at = s.position(loop, low.getType());
    Value from = s.add(floorOf(s, s.mul(bin, size)), start);
    Value to = s.add(ceilOf(s, s.mul(s.add(bin, one), size)), start);
    return s.both(s.lessOrEqual(from, at), s.less(at, to));
  };
  Value y = reduceLoops(
      b, loops, {0, 1, 2, 3}, wide, {}, {}, Combiner::Max, false, [&](Scalars &s, ValueRange) {
        SmallVector<Value> corners = cornersOf(s, rois, type, s.index(0), 1, r.scale, 0);
        Value batch = readFloat(s, rois, {s.index(0), s.integer(s.b.getIndexType(), 0)}, type);
        Value inside = s.both(inBin(s, corners[1], corners[3], r.pooledHeight, 2, 4),
                              inBin(s, corners[0], corners[2], r.pooledWidth, 3, 5));
        Value element = readFloat(
            s, x, {placeIndex(s, batch, in.getDimSize(0)), s.index(1), s.index(4), s.index(5)},
            type);
        return s.select(inside, element, s.like(element, lowest));
      });
  return SmallVector<Value>{mapElements(b, result, {Operand(y)}, [&](Scalars &s, ValueRange v) {
    return s.select(s.equal(v[0], s.like(v[0], lowest)), s.like(v[0], 0), v[0]);
  })};
}

//===----------------------------------------------------------------------===//
// DeformConv
//===----------------------------------------------------------------------===//

/// The source at the kernel's displaced places, then a convolution as a contraction over
/// (group, channel, kernel row, kernel column).
Results deformConv(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), weight = c.type(1), offset = c.type(2);
  RankedTensorType result = c.resultTypes[0];
  if (in.getRank() != 4 || weight.getRank() != 4 || offset.getRank() != 4)
    return c.reject("not 2-D");
  int64_t group = c.intAttr("group", 1), offsetGroup = c.intAttr("offset_group", 1);
  int64_t n = in.getDimSize(0), channels = in.getDimSize(1), features = weight.getDimSize(0);
  int64_t kh = weight.getDimSize(2), kw = weight.getDimSize(3);
  int64_t oh = result.getDimSize(2), ow = result.getDimSize(3);
  Shape kernel{kh, kw};
  if (channels != weight.getDimSize(1) * group || features % group || offsetGroup < 1 ||
      channels % offsetGroup ||
      offset.getShape() != ArrayRef<int64_t>{n, offsetGroup * kh * kw * 2, oh, ow} ||
      (c.hasInput(4) &&
       c.type(4).getShape() != ArrayRef<int64_t>{n, offsetGroup * kh * kw, oh, ow}) ||
      (c.hasInput(3) && c.type(3).getNumElements() != features))
    return c.reject("the shapes of its inputs");
  FailureOr<Window> w =
      readWindow(c, kernel, in.getShape().drop_front(2), result.getShape().drop_front(2));
  if (failed(w))
    return failure();
  Roi r{channels, in.getDimSize(2), in.getDimSize(3), oh, ow, 1.0};
  Value x = c.inputs[0];
  Value moved = reshape(b, c.inputs[2], {n, offsetGroup, kh, kw, 2, oh, ow});
  Value mask = c.hasInput(4) ? reshape(b, c.inputs[4], {n, offsetGroup, kh, kw, oh, ow}) : Value();
  int32_t type = c.inputTypes[0];
  int64_t perOffset = channels / offsetGroup, perGroup = channels / group;
  Type wide = computeType(in.getElementType());
  // Sampled elements: batch, channel, kernel row, kernel column, row, column.
  Value columns = mapElements(
      b, tensorType({n, channels, kh, kw, oh, ow}, wide), {}, [&](Scalars &s, ValueRange) {
        Type index = s.b.getIndexType();
        Value own = arith::DivUIOp::create(s.b, s.index(1), s.integer(index, perOffset));
        SmallVector<Value> at{s.index(0), own,        s.index(2), s.index(3),
                              Value(),    s.index(4), s.index(5)};
        auto place = [&](int64_t d) {
          at[4] = s.integer(index, d);
          Value shift = readFloat(s, moved, at, type);
          Value base =
              s.add(s.mul(s.position(4 + d, wide), s.constant(wide, double(w->strides[d]))),
                    s.mul(s.position(2 + d, wide), s.constant(wide, double(w->dilations[d]))));
          return s.add(s.sub(base, s.constant(wide, double(w->padsLow[d]))), shift);
        };
        Value y = place(0), column = place(1), sum;
        // Taps outside of the source count as 0 one by one.
        for (int64_t dy : {0, 1})
          for (int64_t dx : {0, 1}) {
            Value fy = floorOf(s, y), fx = floorOf(s, column);
            auto tap = [&](Value floor, Value v, int64_t step, int64_t size) {
              Value p = s.add(floor, s.like(v, double(step))), fraction = s.sub(v, floor);
              Value share = step ? fraction : s.sub(s.like(v, 1), fraction);
              Value inside =
                  s.both(s.lessOrEqual(s.like(v, 0), p), s.less(p, s.like(v, double(size))));
              return std::tuple(placeIndex(s, p, size), share, inside);
            };
            auto [row, rowShare, rowInside] = tap(fy, y, dy, r.height);
            auto [col, colShare, colInside] = tap(fx, column, dx, r.width);
            Value part = s.mul(s.mul(rowShare, colShare),
                               readFloat(s, x, {s.index(0), s.index(1), row, col}, type));
            part = s.select(s.both(rowInside, colInside), part, s.like(part, 0));
            sum = sum ? s.add(sum, part) : part;
          }
        if (mask)
          sum = s.mul(sum,
                      readFloat(s, mask,
                                {s.index(0), own, s.index(2), s.index(3), s.index(4), s.index(5)},
                                type));
        return sum;
      });
  // Loops: batch, group, feature, row, column, channel, kernel row, kernel column.
  Value split = reshape(b, columns, {n, group, perGroup, kh, kw, oh, ow});
  Value filters = reshape(b, c.inputs[1], {group, features / group, perGroup, kh, kw});
  Value y =
      contract(b, {n, group, features / group, oh, ow, perGroup, kh, kw}, {0, 1, 2, 3, 4}, split,
               selectDims(b, 8, {0, 1, 5, 6, 7, 3, 4}), filters, selectDims(b, 8, {1, 2, 5, 6, 7}));
  y = reshape(b, y, result.getShape());
  if (!c.hasInput(3))
    return SmallVector<Value>{convertFloat(b, y, result.getElementType())};
  return SmallVector<Value>{
      mapElements(b, result, {y, reshape(b, c.inputs[3], {features})},
                  {b.getMultiDimIdentityMap(4), selectDims(b, 4, {1})},
                  [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); })};
}

constexpr const char *floats = "f16 bf16 f32 f64";

const OpRow rows[] = {
    {"", "AffineGrid", 20, affineGrid, floats, "2-D and 3-D; the size known when compiling"},
    {"", "DeformConv", 19, deformConv, floats, "2-D"},
    {"", "GridSample", 16, gridSample, floats, "1-D to 3-D, all modes"},
    {"", "MaxRoiPool", 1, maxRoiPool, "f16 f32 f64",
     "results times elements of a plane at most 2^28"},
    {"", "RoiAlign", 10, roiAlign, floats,
     "batch indices are clamped; without a sampling ratio at most as many samples as a region of "
     "the whole source takes"},
};

} // namespace

ArrayRef<OpRow> samplingOps() { return rows; }

} // namespace mtc::onnx_import
