//===- ResizeOps.cpp - Resize and Upsample --------------------------------===//
//
// Axis by axis: each position of the result reads some taps of the source with weights that are
// known when compiling. Nearest neighbours by a whole factor are a broadcast over split dims,
// without any table. Formulas: the reference implementation of onnx 1.23.2,
// onnx/reference/ops/op_resize.py.
//
//===----------------------------------------------------------------------===//
#include "Moves.h"

#include <cmath>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// One axis of a resize.
struct Axis {
  int64_t from, to; ///< sizes
  double scale;
  double roiLow, roiHigh; ///< of tf_crop_and_resize
};

struct Sampling {
  std::string mode, coordinates, nearest;
  double cubicA = -0.75, outsideValue = 0;
  bool excludesOutside = false, antialias = false;
};

/// An axis of a result has at most so many taps: antialiasing reaches 1 / scale elements.
constexpr size_t maxTaps = 256;

/// The place in the source of position `i` of the result.
double placeInSource(const Sampling &r, const Axis &a, int64_t i) {
  double length = a.scale * double(a.from), x = double(i);
  if (r.coordinates == "align_corners")
    return length == 1 ? 0.0 : x * double(a.from - 1) / (length - 1);
  if (r.coordinates == "asymmetric")
    return x / a.scale;
  if (r.coordinates == "tf_crop_and_resize") {
    double span = (a.roiHigh - a.roiLow) * double(a.from - 1);
    return a.roiLow * double(a.from - 1) + (length == 1 ? span / 2 : x * span / (length - 1));
  }
  if (r.coordinates == "pytorch_half_pixel" && length == 1)
    return -0.5;
  if (r.coordinates == "tf_half_pixel_for_nn")
    return (x + 0.5) / a.scale;
  double offset = 0;
  if (r.coordinates == "half_pixel_symmetric")
    offset = double(a.from) / 2 * (1 - double(a.to) / length);
  return offset + (x + 0.5) / a.scale - 0.5;
}

/// Bounded, so that it fits an integer whatever the scales and the region of interest are.
double sourcePosition(const Sampling &r, const Axis &a, int64_t i) {
  double x = placeInSource(r, a, i);
  return std::isnan(x) ? 0.0 : std::clamp(x, -1e12, 1e12);
}

int64_t nearestNeighbour(const Sampling &r, double x) {
  double floor = std::floor(x), ratio = x - floor;
  if (ratio == 0)
    return int64_t(floor);
  bool up = r.nearest == "ceil" || (r.nearest == "round_prefer_ceil" && ratio >= 0.5) ||
            (r.nearest == "round_prefer_floor" && ratio > 0.5);
  return int64_t(floor) + up;
}

double cubicWeight(double x, double a) {
  x = std::abs(x);
  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0.0;
}

/// The taps of one position: offsets from floor(x) start at `first`.
SmallVector<double> tapWeights(const Sampling &r, double ratio, double scale, int64_t &first) {
  bool cubic = r.mode == "cubic";
  double shrink = r.antialias ? std::min(scale, 1.0) : 1.0, reach = cubic ? 2.0 : 1.0;
  first = int64_t(std::floor(-reach / shrink)) + 1;
  int64_t last = 1 - first;
  SmallVector<double> weights;
  double sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    double x = (double(i) - ratio) * shrink;
    weights.push_back(cubic ? cubicWeight(x, r.cubicA) : std::max(0.0, 1.0 - std::abs(x)));
    sum += weights.back();
  }
  if (r.antialias)
    for (double &w : weights)
      w /= sum;
  return weights;
}

/// Taps of all positions of an axis: table[t][i] and weight[t][i]; outside marks extrapolation.
struct Taps {
  SmallVector<Shape> positions;
  SmallVector<SmallVector<double>> weights;
  SmallVector<double> outside;
  bool extrapolates = false;
};

Taps tapsOf(const Sampling &r, const Axis &a) {
  Taps taps;
  for (int64_t i = 0; i < a.to; ++i) {
    double x = sourcePosition(r, a, i), floor = std::floor(x);
    int64_t first = 0;
    SmallVector<double> weights;
    if (r.mode == "nearest") {
      weights.push_back(1.0);
      first = nearestNeighbour(r, x) - int64_t(floor);
    } else {
      weights = tapWeights(r, x - floor, a.scale, first);
    }
    bool isOutside = r.coordinates == "tf_crop_and_resize" && (x < 0 || x > double(a.from - 1));
    taps.outside.push_back(isOutside);
    taps.extrapolates |= isOutside;
    if (r.excludesOutside) {
      double sum = 0;
      for (auto [t, w] : llvm::enumerate(weights)) {
        int64_t at = int64_t(floor) + first + int64_t(t);
        if (at < 0 || at >= a.from)
          w = 0;
        sum += w;
      }
      for (double &w : weights)
        w = sum == 0 ? 0 : w / sum;
    }
    taps.positions.resize(weights.size());
    taps.weights.resize(weights.size());
    for (auto [t, w] : llvm::enumerate(weights)) {
      int64_t at = int64_t(floor) + first + int64_t(t);
      taps.positions[t].push_back(std::clamp<int64_t>(at, 0, a.from - 1));
      taps.weights[t].push_back(w);
    }
  }
  return taps;
}

/// The element that nearest neighbours take for position `i`.
int64_t nearestPosition(const Sampling &r, const Axis &a, int64_t i) {
  return std::clamp<int64_t>(nearestNeighbour(r, sourcePosition(r, a, i)), 0, a.from - 1);
}

/// The whole factor k if position i takes element i / k for all i, else 0.
int64_t wholeFactor(const Sampling &r, const Axis &a) {
  if (a.to % a.from || a.to > maxPositions)
    return 0;
  int64_t factor = a.to / a.from;
  for (int64_t i = 0; i < a.to; ++i)
    if (nearestPosition(r, a, i) != i / factor)
      return 0;
  return factor;
}

/// Whether an axis stays as it is.
bool isPlain(const Sampling &r, const Axis &a) {
  return a.from == a.to && a.scale == 1 && r.coordinates != "tf_crop_and_resize";
}

/// Whether all positions of an axis take one element each. Places in the source increase or
/// decrease with the position, so that the ends tell whether one is outside.
bool takesElements(const Sampling &r, const Axis &a) {
  auto isOutside = [&](int64_t i) {
    double x = sourcePosition(r, a, i);
    return x < 0 || x > double(a.from - 1);
  };
  return r.mode == "nearest" &&
         (r.coordinates != "tf_crop_and_resize" || !(isOutside(0) || isOutside(a.to - 1)));
}

/// Weighted taps along one axis; computes in f32 at least.
Value resample(NodeContext &c, Value x, int64_t axis, const Taps &taps, double outsideValue) {
  Builder &b = c.b;
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rank = type.getRank(), count = taps.outside.size();
  Type wide = computeType(type.getElementType());
  Shape shape(type.getShape());
  shape[axis] = count;
  SmallVector<Operand> operands;
  for (auto [positions, weights] : llvm::zip(taps.positions, taps.weights)) {
    operands.push_back(c.constant(integersAttr(b, positions)));
    operands.push_back(c.constant(floatsAttr(b, {count}, wide, weights)));
  }
  if (taps.extrapolates)
    operands.push_back(c.constant(floatsAttr(b, {count}, wide, taps.outside)));
  SmallVector<AffineMap> maps(operands.size(), selectDims(b, rank, {axis}));
  return mapElements(b, tensorType(shape, type.getElementType()), operands, maps,
                     [&](Scalars &s, ValueRange v) {
                       SmallVector<Value> at;
                       for (int64_t d = 0; d < rank; ++d)
                         at.push_back(s.index(d));
                       Value sum;
                       for (size_t t = 0; t < taps.positions.size(); ++t) {
                         at[axis] = s.clampIndex(v[2 * t], type.getDimSize(axis));
                         Value element = s.extract(x, at);
                         if (element.getType() != wide)
                           element = s.cast(element, c.inputTypes[0], onnx::TensorProto::FLOAT);
                         Value part = s.mul(element, v[2 * t + 1]);
                         sum = sum ? s.add(sum, part) : part;
                       }
                       if (taps.extrapolates)
                         sum = s.select(s.isTrue(v.back()), s.like(sum, outsideValue), sum);
                       return sum;
                     });
}

/// Nearest neighbours by whole factors in all axes: one broadcast over (size, factor) dims.
Value repeat(Builder &b, Value x, ArrayRef<int64_t> factors) {
  auto type = cast<RankedTensorType>(x.getType());
  Shape loops, dims, merged;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    dims.push_back(loops.size());
    loops.push_back(type.getDimSize(d));
    merged.push_back(type.getDimSize(d) * factors[d]);
    if (factors[d] > 1)
      loops.push_back(factors[d]);
  }
  Value y = mapElements(b, tensorType(loops, type.getElementType()), {Operand(x)},
                        {selectDims(b, loops.size(), dims)},
                        [](Scalars &, ValueRange v) { return v[0]; });
  return reshape(b, y, merged);
}

Results resizeAxes(NodeContext &c, const Sampling &r, ArrayRef<Axis> axes) {
  if (c.resultTypes[0].getNumElements() == 0 || c.type(0).getNumElements() == 0)
    return c.reject("an empty tensor");
  if (r.mode != "nearest" && !isFloat(c.type(0).getElementType()))
    return c.reject("interpolation of integers");
  for (const Axis &a : axes) {
    if (!std::isfinite(a.scale) || a.scale <= 0)
      return c.reject("a scale is not positive");
    if (r.antialias && 4 / std::min(a.scale, 1.0) > maxTaps)
      return c.reject("antialiasing over more than " + Twine(maxTaps) + " elements");
  }
  Shape factors;
  for (const Axis &a : axes)
    factors.push_back(isPlain(r, a) ? 1 : takesElements(r, a) ? wholeFactor(r, a) : 0);
  if (r.mode == "nearest" && !llvm::is_contained(factors, 0))
    return SmallVector<Value>{repeat(c.b, c.inputs[0], factors)};
  Value x = c.inputs[0];
  for (auto [d, a] : llvm::enumerate(axes)) {
    if (isPlain(r, a))
      continue;
    if (takesElements(r, a))
      x = takeAt(c, x, d, a.to, [&, &a = a](int64_t i) { return nearestPosition(r, a, i); });
    else if (a.to > maxConstantNumbers)
      return c.reject("an axis longer than " + Twine(maxConstantNumbers));
    else if (!isFloat(c.type(0).getElementType()))
      return c.reject("extrapolation of integers");
    else
      x = resample(c, x, d, tapsOf(r, a), r.outsideValue);
    if (!x)
      return failure();
  }
  return SmallVector<Value>{x};
}

} // namespace

Results resize(NodeContext &c) {
  RankedTensorType in = c.type(0), out = c.resultTypes[0];
  int64_t rank = in.getRank();
  Sampling r;
  r.mode = c.stringAttr("mode", "nearest");
  r.coordinates = c.stringAttr("coordinate_transformation_mode", "half_pixel");
  r.nearest = c.stringAttr("nearest_mode", "round_prefer_floor");
  r.cubicA = c.floatAttr("cubic_coeff_a", -0.75f);
  r.outsideValue = c.floatAttr("extrapolation_value", 0.0f);
  r.excludesOutside = c.intAttr("exclude_outside", 0);
  r.antialias = c.intAttr("antialias", 0);
  if (r.mode != "nearest" && r.mode != "linear" && r.mode != "cubic")
    return c.reject("mode is " + r.mode);
  Shape all;
  for (int64_t d = 0; d < rank; ++d)
    all.push_back(d);
  Shape axes = c.intsAttr("axes", all);
  if (failed(normalizeAxes(c, axes, rank)))
    return failure();
  std::optional<SmallVector<double>> roi, scales;
  if (c.hasInput(1) && r.coordinates == "tf_crop_and_resize") {
    roi = c.constantFloats(1);
    if (!roi)
      return c.reject("roi is not known when compiling");
  }
  bool hasScales = c.hasInput(2) && c.type(2).getNumElements() != 0;
  if (hasScales && !(scales = c.constantFloats(2)))
    return c.reject("scales are not known when compiling");
  if ((scales && scales->size() != axes.size()) || (roi && roi->size() != 2 * axes.size()))
    return c.reject("scales or roi are not one per axis");
  SmallVector<Axis> plan;
  for (int64_t d = 0; d < rank; ++d)
    plan.push_back({in.getDimSize(d), out.getDimSize(d), 1.0, 0.0, 1.0});
  std::string policy = c.stringAttr("keep_aspect_ratio_policy", "stretch");
  double common = 0;
  if (!hasScales && policy != "stretch") {
    auto sizes = c.constantInts(3);
    if (!sizes || sizes->size() != axes.size())
      return c.reject("sizes are not known when compiling");
    for (auto [i, d] : llvm::enumerate(axes)) {
      double scale = double((*sizes)[i]) / double(in.getDimSize(d));
      bool takes = i == 0 || (policy == "not_larger" ? scale < common : scale > common);
      common = takes ? scale : common;
    }
  }
  for (auto [i, d] : llvm::enumerate(axes)) {
    Axis &a = plan[d];
    a.scale = hasScales ? (*scales)[i] : common != 0 ? common : double(a.to) / double(a.from);
    if (roi) {
      a.roiLow = (*roi)[i];
      a.roiHigh = (*roi)[axes.size() + i];
    }
  }
  return resizeAxes(c, r, plan);
}

/// Upsample 7 and 9: asymmetric, floor.
Results upsample(NodeContext &c) {
  Sampling r;
  r.mode = c.stringAttr("mode", "nearest");
  r.coordinates = "asymmetric";
  r.nearest = "floor";
  if (r.mode != "nearest" && r.mode != "linear")
    return c.reject("mode is " + r.mode);
  SmallVector<double> scales;
  if (c.opset < 9) {
    if (const onnx::AttributeProto *a = c.attribute("scales"))
      scales.assign(a->floats().begin(), a->floats().end());
  } else if (auto known = c.constantFloats(1)) {
    scales = *known;
  }
  RankedTensorType in = c.type(0), out = c.resultTypes[0];
  if (int64_t(scales.size()) != in.getRank())
    return c.reject("scales are not known when compiling");
  SmallVector<Axis> plan;
  for (int64_t d = 0; d < in.getRank(); ++d)
    plan.push_back({in.getDimSize(d), out.getDimSize(d), scales[d], 0.0, 1.0});
  return resizeAxes(c, r, plan);
}

} // namespace mtc::onnx_import
