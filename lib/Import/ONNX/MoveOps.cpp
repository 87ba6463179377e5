//===- MoveOps.cpp - Transpose, Concat, Slice, Split, Pad, Tile, ... ------===//
//
// Moves become the tensor dialect's ops where those can say it, so that later passes see views and
// copies; else a generic that reads the source at computed, clamped positions.
//
//===----------------------------------------------------------------------===//
#include "Moves.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>
#include <numeric>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

Results transposeOp(NodeContext &c) {
  int64_t rank = c.type(0).getRank();
  Shape reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  Shape permutation = c.intsAttr("perm", reversed);
  if (int64_t(permutation.size()) != rank || failed(normalizeAxes(c, permutation, rank)))
    return c.reject("perm is no permutation");
  return SmallVector<Value>{transpose(c.b, c.inputs[0], permutation)};
}

Results concatOp(NodeContext &c) {
  int64_t axis = normalizeAxis(c.intAttr("axis", 1), c.resultTypes[0].getRank());
  return SmallVector<Value>{concat(c.b, c.inputs, axis)};
}

/// The parts' sizes are those of the results.
Results split(NodeContext &c) {
  RankedTensorType type = c.type(0);
  int64_t axis = normalizeAxis(c.intAttr("axis", 0), type.getRank()), at = 0;
  SmallVector<Value> parts;
  for (RankedTensorType part : c.resultTypes) {
    if (!part)
      return c.reject("an absent output");
    parts.push_back(takeRange(c.b, c.inputs[0], axis, at, 1, part.getDimSize(axis)));
    at += part.getDimSize(axis);
  }
  return parts;
}

/// Positive steps are one extract_slice, each negative one a generic that reads backwards.
Results slice(NodeContext &c) {
  RankedTensorType type = c.type(0);
  int64_t rank = type.getRank();
  std::optional<Shape> starts, axes, steps;
  if (c.opset < 10) {
    starts = c.intsAttr("starts");
    axes = c.intsAttr("axes");
  } else {
    starts = c.constantInts(1);
    if (c.hasInput(3))
      axes = c.constantInts(3);
    else
      axes.emplace();
    if (c.hasInput(4))
      steps = c.constantInts(4);
  }
  if (!starts || !axes || (c.hasInput(4) && !steps))
    return c.reject("starts, axes or steps are not known when compiling");
  if (axes->empty())
    for (size_t d = 0; d < starts->size(); ++d)
      axes->push_back(d);
  if (!steps)
    steps.emplace(starts->size(), 1);
  if (axes->size() != starts->size() || steps->size() != starts->size())
    return c.reject("starts, axes and steps differ in number");
  if (failed(normalizeAxes(c, *axes, rank)))
    return failure();
  Shape offsets(rank, 0), strides(rank, 1), sizes(type.getShape());
  SmallVector<std::pair<int64_t, int64_t>> backwards; // axis, start
  Shape allSteps(rank, 1);
  for (auto [start, axis, step] : llvm::zip(*starts, *axes, *steps)) {
    int64_t size = type.getDimSize(axis);
    int64_t count = c.resultTypes[0].getDimSize(axis);
    int64_t first =
        start < 0 ? std::max<int64_t>(start, std::numeric_limits<int64_t>::min() + size) + size
                  : start;
    allSteps[axis] = step;
    if (step < 0 && count > 1) {
      backwards.push_back({axis, std::clamp<int64_t>(first, 0, size - 1)});
      continue;
    }
    int64_t last = step < 0 ? std::max<int64_t>(size - 1, 0) : size;
    offsets[axis] = count == 0 ? 0 : std::clamp<int64_t>(first, 0, last);
    strides[axis] = count <= 1 ? 1 : step;
    sizes[axis] = count;
  }
  Value y = extractSlice(c.b, c.inputs[0], offsets, sizes, strides);
  for (auto [axis, start] : backwards)
    y = takeRange(c.b, y, axis, start, allSteps[axis], c.resultTypes[0].getDimSize(axis));
  return SmallVector<Value>{y};
}

/// The element that a padded axis has at `at`, which may be outside, in the modes that repeat
/// elements.
int64_t repeatedPosition(StringRef mode, int64_t size, int64_t at) {
  if (mode == "edge")
    return std::clamp<int64_t>(at, 0, size - 1);
  if (mode == "wrap")
    return ((at % size) + size) % size;
  int64_t period = 2 * (size - 1); // reflect, as often as needed
  at = period == 0 ? 0 : ((at % period) + period) % period;
  return at < size ? at : period - at;
}

Results padOp(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType type = c.type(0);
  int64_t rank = type.getRank();
  std::optional<Shape> pads = c.opset < 11 ? c.intsAttr("pads") : c.constantInts(1);
  std::optional<Shape> axes;
  if (c.hasInput(3))
    axes = c.constantInts(3);
  if (!pads || (c.hasInput(3) && !axes))
    return c.reject("pads or axes are not known when compiling");
  if (!axes) {
    axes.emplace(rank);
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (pads->size() != 2 * axes->size())
    return c.reject("pads are not two per axis");
  if (failed(normalizeAxes(c, *axes, rank)))
    return failure();
  Shape low(rank, 0), high(rank, 0);
  for (size_t i = 0; i < axes->size(); ++i) {
    int64_t axis = (*axes)[i];
    low[axis] = (*pads)[i];
    high[axis] = (*pads)[axes->size() + i];
  }
  std::string mode = c.stringAttr("mode", "constant");
  Value x = c.inputs[0];
  if (mode != "constant") {
    if (mode != "edge" && mode != "wrap" && mode != "reflect")
      return c.reject("mode is " + mode);
    for (int64_t d = 0; d < rank; ++d) {
      int64_t size = type.getDimSize(d), count = size + low[d] + high[d];
      if (low[d] == 0 && high[d] == 0)
        continue;
      if (size == 0)
        return c.reject("an empty axis");
      x = takeAt(c, x, d, count,
                 [&](int64_t i) { return repeatedPosition(mode, size, i - low[d]); });
      if (!x)
        return failure();
    }
    return SmallVector<Value>{x};
  }
  // Negative pads cut.
  Shape offsets, sizes;
  for (int64_t d = 0; d < rank; ++d) {
    offsets.push_back(std::max<int64_t>(-low[d], 0));
    sizes.push_back(type.getDimSize(d) - offsets[d] - std::max<int64_t>(-high[d], 0));
    low[d] = std::max<int64_t>(low[d], 0);
    high[d] = std::max<int64_t>(high[d], 0);
    if (sizes[d] < 0)
      return c.reject("pads cut more than there is");
  }
  x = extractSlice(b, x, offsets, sizes, Shape(rank, 1));
  Operand value(numberAttr(type.getElementType(), 0));
  if (c.hasInput(2))
    value = operand(c, 2);
  else if (c.opset < 11)
    value = Operand(numberAttr(type.getElementType(), c.floatAttr("value", 0)));
  if (value.scalar)
    return SmallVector<Value>{pad(b, x, low, high, value.scalar)};
  // A value that only the request knows.
  Value number = reshape(b, value.tensor, {});
  auto inside = cast<RankedTensorType>(x.getType());
  return SmallVector<Value>{
      mapElements(b, c.resultTypes[0], {Operand(number)}, [&](Scalars &s, ValueRange v) {
        Type i64 = s.b.getI64Type();
        Value within = s.integer(s.b.getI1Type(), 1), zero = s.integer(i64, 0);
        SmallVector<Value> at;
        for (int64_t d = 0; d < rank; ++d) {
          Value i = s.sub(s.position(d, i64), s.integer(i64, low[d]));
          Value fits =
              s.both(s.lessOrEqual(zero, i), s.less(i, s.integer(i64, inside.getDimSize(d))));
          within = s.both(within, fits);
          at.push_back(s.clampIndex(s.max(i, zero), inside.getDimSize(d)));
        }
        Value element = s.extract(x, at);
        if (element.getType() != v[0].getType()) // f16 as f32
          element = s.cast(element, c.inputTypes[0], onnx::TensorProto::FLOAT);
        return s.select(within, element, v[0]);
      })};
}

/// Repeats are broadcast dims of their own, then collapsed into the axis.
Results tile(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType type = c.type(0), result = c.resultTypes[0];
  if (type == result)
    return SmallVector<Value>{c.inputs[0]};
  if (result.getNumElements() == 0)
    return SmallVector<Value>{fill(b, result, numberAttr(result.getElementType(), 0))};
  Shape loops, dims;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    int64_t repeats = result.getDimSize(d) / type.getDimSize(d);
    if (repeats > 1)
      loops.push_back(repeats);
    dims.push_back(loops.size());
    loops.push_back(type.getDimSize(d));
  }
  Value y = mapElements(b, tensorType(loops, type.getElementType()), {Operand(c.inputs[0])},
                        {selectDims(b, loops.size(), dims)},
                        [](Scalars &, ValueRange v) { return v[0]; });
  return SmallVector<Value>{reshape(b, y, result.getShape())};
}

Results depthToSpace(NodeContext &c) {
  Builder &b = c.b;
  ArrayRef<int64_t> in = c.type(0).getShape();
  int64_t block = c.intAttr("blocksize", 0);
  if (in.size() != 4 || block < 1 || in[1] % (block * block))
    return c.reject("not NCHW, or channels do not divide by the block");
  int64_t channels = in[1] / (block * block);
  bool columnRowDepth = c.stringAttr("mode", "DCR") == "CRD";
  Value y = c.inputs[0];
  if (columnRowDepth)
    y = transpose(b, reshape(b, y, {in[0], channels, block, block, in[2], in[3]}),
                  {0, 1, 4, 2, 5, 3});
  else
    y = transpose(b, reshape(b, y, {in[0], block, block, channels, in[2], in[3]}),
                  {0, 3, 4, 1, 5, 2});
  return SmallVector<Value>{reshape(b, y, c.resultTypes[0].getShape())};
}

Results spaceToDepth(NodeContext &c) {
  Builder &b = c.b;
  ArrayRef<int64_t> in = c.type(0).getShape();
  int64_t block = c.intAttr("blocksize", 0);
  if (in.size() != 4 || block < 1 || in[2] % block || in[3] % block)
    return c.reject("not NCHW, or height and width do not divide by the block");
  Value y = reshape(b, c.inputs[0], {in[0], in[1], in[2] / block, block, in[3] / block, block});
  bool columnRowDepth = c.stringAttr("mode", "DCR") == "CRD";
  y = transpose(b, y, columnRowDepth ? Shape{0, 1, 3, 5, 2, 4} : Shape{0, 3, 5, 1, 2, 4});
  return SmallVector<Value>{reshape(b, y, c.resultTypes[0].getShape())};
}

/// Reverses the first `length` elements of each row of the time axis.
Results reverseSequence(NodeContext &c) {
  RankedTensorType type = c.type(0);
  int64_t rank = type.getRank(), time = c.intAttr("time_axis", 0),
          batch = c.intAttr("batch_axis", 1);
  if (time == batch || time < 0 || batch < 0)
    return c.reject("time and batch axis are not two");
  Value x = c.inputs[0];
  int32_t from = c.inputTypes[1];
  return SmallVector<Value>{mapElements(
      c.b, c.resultTypes[0], {Operand(c.inputs[1])}, {selectDims(c.b, rank, {batch})},
      [&](Scalars &s, ValueRange v) {
        Type i64 = s.b.getI64Type();
        Value length = s.cast(v[0], from, onnx::TensorProto::INT64);
        Value t = s.position(time, i64);
        Value mirrored = s.sub(s.sub(length, s.integer(i64, 1)), t);
        SmallVector<Value> at;
        for (int64_t d = 0; d < rank; ++d)
          at.push_back(s.index(d));
        at[time] = s.clampIndex(s.select(s.less(t, length), mirrored, t), type.getDimSize(time));
        return s.extract(x, at);
      })};
}

constexpr const char *any = "numbers and bool";
constexpr const char *indexNote = "indices out of range are clamped";
constexpr const char *scatterNote =
    "indices out of range are ignored; rows times updates at most 2^26";

const OpRow rows[] = {
    {"", "Concat", 4, concatOp, any, ""},
    {"", "DepthToSpace", 1, depthToSpace, any, ""},
    {"", "Gather", 1, gather, any, indexNote},
    {"", "GatherElements", 11, gatherElements, any, indexNote},
    {"", "GatherND", 11, gatherND, any, indexNote},
    {"", "Pad", 2, padOp, any, "constant, reflect, edge, wrap; pads known when compiling"},
    {"", "Resize", 11, resize, "f16 bf16 f32 f64; any for nearest",
     "all modes; scales or sizes known when compiling"},
    {"", "ReverseSequence", 10, reverseSequence, any, ""},
    {"", "Scatter", 9, scatterElements, any, scatterNote},
    {"", "ScatterElements", 11, scatterElements, any, scatterNote},
    {"", "ScatterND", 11, scatterND, any, scatterNote},
    {"", "Slice", 1, slice, any, "starts, axes and steps known when compiling"},
    {"", "SpaceToDepth", 1, spaceToDepth, any, ""},
    {"", "Split", 2, split, any, ""},
    {"", "Tile", 6, tile, any, ""},
    {"", "Transpose", 1, transposeOp, any, ""},
    {"", "Upsample", 7, upsample, "f16 bf16 f32 f64; any for nearest", ""},
};

} // namespace

ArrayRef<OpRow> moveOps() { return rows; }

} // namespace mtc::onnx_import
