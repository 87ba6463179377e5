//===- ConvolutionOps.cpp - Conv and ConvTranspose ------------------------===//
//
// In the layout of ONNX (N C spatial); a later pass moves channels last by permuting maps. Padding
// is a tensor.pad before, the bias a generic after, so that both fuse or fold by the same rules as
// everything else.
//
//===----------------------------------------------------------------------===//
#include "Convolution.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;

namespace mtc::onnx_import {

/// Of a tensor that a handler makes by itself; the importer bounds those of the model.
static constexpr int64_t maxElements = int64_t(1) << 40;

static RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

FailureOr<Window> readWindow(NodeContext &c, ArrayRef<int64_t> kernel, ArrayRef<int64_t> input,
                             ArrayRef<int64_t> output) {
  unsigned rank = kernel.size();
  Window w;
  w.kernel.assign(kernel.begin(), kernel.end());
  w.strides = c.intsAttr("strides", Shape(rank, 1));
  w.dilations = c.intsAttr("dilations", Shape(rank, 1));
  Shape pads = c.intsAttr("pads", Shape(2 * rank, 0));
  std::string autoPad = c.stringAttr("auto_pad", "NOTSET");
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  if (!same && autoPad != "NOTSET" && autoPad != "VALID")
    return c.reject("auto_pad is " + autoPad);
  if (autoPad != "NOTSET")
    pads.assign(2 * rank, 0);
  if (w.strides.size() != rank || w.dilations.size() != rank || pads.size() != 2 * rank)
    return c.reject("strides, dilations or pads are not one per spatial dim");
  // Padded by a hostile dilation, an input would be any size.
  int64_t padded = c.type(0).getDimSize(0) * c.type(0).getDimSize(1);
  for (unsigned d = 0; d < rank; ++d) {
    if (w.strides[d] < 1 || w.dilations[d] < 1 || w.kernel[d] < 1)
      return c.reject("a stride, dilation or kernel size is not positive");
    int64_t low = pads[d], high = pads[rank + d];
    if (low < 0 || high < 0)
      return c.reject("negative pads");
    int64_t needed = (output[d] - 1) * w.strides[d] + w.extent(d);
    if (same) {
      int64_t total = std::max<int64_t>(needed - input[d], 0);
      low = autoPad == "SAME_UPPER" ? total / 2 : total - total / 2;
      high = total - low;
    }
    w.declaredHigh.push_back(high);
    // ceil_mode reads beyond the pads.
    high = std::max(high, needed - input[d] - low);
    w.padsLow.push_back(low);
    w.padsHigh.push_back(high);
    if (llvm::MulOverflow(padded, low + input[d] + high, padded) || padded > maxElements)
      return c.reject("the padded input would have more than 2^40 elements");
  }
  return w;
}

Value padSpatial(Builder &b, Value x, ArrayRef<int64_t> low, ArrayRef<int64_t> high,
                 TypedAttr value) {
  Shape allLow(2, 0), allHigh(2, 0);
  allLow.append(low.begin(), low.end());
  allHigh.append(high.begin(), high.end());
  return pad(b, x, allLow, allHigh, value);
}

AffineExpr windowExpr(Builder &b, unsigned out, unsigned window, int64_t stride, int64_t dilation) {
  return b.getAffineDimExpr(out) * stride + b.getAffineDimExpr(window) * dilation;
}

/// Loops (n, [g,] f, out..., [c,] window...); without f and c when each channel has its own filter.
Value convolve(Builder &b, Value input, Value weight, int64_t group, const Window &w,
               ArrayRef<int64_t> output) {
  ArrayRef<int64_t> in = typeOf(input).getShape(), filter = typeOf(weight).getShape();
  int64_t batch = in[0], channels = in[1], filters = filter[0], perGroup = filter[1];
  unsigned rank = w.rank();
  bool depthwise = group > 1 && group == channels && group == filters;
  bool grouped = group > 1 && !depthwise;
  Shape spatial(in.drop_front(2)), window(filter.drop_front(2));
  auto joined = [](Shape head, ArrayRef<int64_t> tail) {
    head.append(tail.begin(), tail.end());
    return head;
  };

  Shape loops{batch};
  if (grouped)
    loops.push_back(group);
  loops.push_back(depthwise ? channels : filters / (grouped ? group : 1));
  int64_t out = loops.size(), filterLoop = out - 1;
  loops.append(output.begin(), output.end());
  Shape resultDims(loops.size());
  std::iota(resultDims.begin(), resultDims.end(), 0);
  int64_t channelLoop = loops.size();
  if (!depthwise)
    loops.push_back(perGroup);
  int64_t first = loops.size();
  loops.append(window.begin(), window.end());

  SmallVector<AffineExpr> inputExprs{b.getAffineDimExpr(0)}, weightExprs;
  if (grouped) {
    inputExprs.push_back(b.getAffineDimExpr(1));
    weightExprs.push_back(b.getAffineDimExpr(1));
  }
  inputExprs.push_back(b.getAffineDimExpr(depthwise ? filterLoop : channelLoop));
  weightExprs.push_back(b.getAffineDimExpr(filterLoop));
  if (!depthwise)
    weightExprs.push_back(b.getAffineDimExpr(channelLoop));
  for (unsigned d = 0; d < rank; ++d) {
    inputExprs.push_back(windowExpr(b, out + d, first + d, w.strides[d], w.dilations[d]));
    weightExprs.push_back(b.getAffineDimExpr(first + d));
  }
  if (grouped) {
    input = reshape(b, input, joined({batch, group, perGroup}, spatial));
    weight = reshape(b, weight, joined({group, filters / group, perGroup}, window));
  } else if (depthwise) {
    weight = reshape(b, weight, joined({channels}, window));
  }
  Value y = contract(b, loops, resultDims, input,
                     AffineMap::get(loops.size(), 0, inputExprs, b.getContext()), weight,
                     AffineMap::get(loops.size(), 0, weightExprs, b.getContext()));
  return grouped ? reshape(b, y, joined({batch, filters}, output)) : y;
}

/// Adds a bias per channel (input `i`, if present) and converts to the result's element type.
static Value addBias(NodeContext &c, Value y, unsigned i) {
  RankedTensorType result = c.resultTypes[0];
  if (!c.hasInput(i))
    return convertFloat(c.b, y, result.getElementType());
  unsigned rank = result.getRank();
  return mapElements(c.b, result, {y, c.inputs[i]},
                     {c.b.getMultiDimIdentityMap(rank), selectDims(c.b, rank, {1})},
                     [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
}

FailureOr<Window> convWindow(NodeContext &c, unsigned weightInput) {
  RankedTensorType in = c.type(0), weight = c.type(weightInput), result = c.resultTypes[0];
  int64_t group = c.intAttr("group", 1);
  if (in.getRank() < 3 || in.getRank() > 5)
    return c.reject("not 1-D, 2-D or 3-D");
  if (group < 1 || weight.getDimSize(0) % group || weight.getDimSize(1) * group != in.getDimSize(1))
    return c.reject("groups and channels do not fit");
  return readWindow(c, weight.getShape().drop_front(2), in.getShape().drop_front(2),
                    result.getShape().drop_front(2));
}

Results conv(NodeContext &c) {
  FailureOr<Window> w = convWindow(c, 1);
  if (failed(w))
    return failure();
  Value x = padSpatial(c.b, c.inputs[0], w->padsLow, w->padsHigh,
                       numberAttr(c.type(0).getElementType(), 0));
  Value y = convolve(c.b, x, c.inputs[1], c.intAttr("group", 1), *w,
                     c.resultTypes[0].getShape().drop_front(2));
  return SmallVector<Value>{addBias(c, y, 2)};
}

/// Pads of a ConvTranspose: what is cut off the full result (may be negative: it is extended).
static FailureOr<std::pair<Shape, Shape>> transposePads(NodeContext &c, const Window &w) {
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  unsigned rank = w.rank();
  Shape pads = c.intsAttr("pads", Shape(2 * rank, 0));
  Shape outputPadding = c.intsAttr("output_padding", Shape(rank, 0));
  std::string autoPad = c.stringAttr("auto_pad", "NOTSET");
  bool hasShape = c.attribute("output_shape") != nullptr;
  Shape low, high;
  for (unsigned d = 0; d < rank; ++d) {
    int64_t full = (in.getDimSize(2 + d) - 1) * w.strides[d] + w.extent(d);
    int64_t total = full - result.getDimSize(2 + d); // cut at both ends
    if (autoPad == "NOTSET" && !hasShape) {
      low.push_back(pads[d]);
    } else if (autoPad == "VALID") {
      low.push_back(0);
    } else {
      // output_padding counts into the total; a result larger than all contributions is not
      // shifted.
      int64_t cut = std::max<int64_t>(total + outputPadding[d], 0);
      low.push_back(autoPad == "SAME_UPPER" ? cut / 2 : cut - cut / 2);
    }
    high.push_back(total - low.back());
  }
  return std::make_pair(low, high);
}

/// How many inputs of a row reach an output, where the kernel is a whole number of strides (it is
/// filled up with zeros).
static int64_t reachOf(const Window &w, unsigned d) {
  return llvm::divideCeil(w.kernel[d], w.strides[d]);
}

/// The weight C F/g k1.. as that of a convolution over `reach` inputs whose channels are the places
/// within a stride times the filters: (g s1.. F/g) C/g reach1.., the reach reversed.
static Value gatherByStride(Builder &b, Value weight, int64_t group, const Window &w) {
  RankedTensorType type = typeOf(weight);
  unsigned rank = w.rank();
  int64_t perGroup = type.getDimSize(0) / group, filters = type.getDimSize(1);
  Shape high, grouped{group};
  for (unsigned d = 0; d < rank; ++d) {
    high.push_back(reachOf(w, d) * w.strides[d] - w.kernel[d]);
    grouped.push_back(w.strides[d]);
  }
  grouped.append({filters, perGroup});
  Shape merged{group * elementCount(w.strides) * filters, perGroup};
  for (unsigned d = 0; d < rank; ++d) {
    grouped.push_back(reachOf(w, d));
    merged.push_back(reachOf(w, d));
  }
  weight = padSpatial(b, weight, Shape(rank, 0), high, numberAttr(type.getElementType(), 0));
  Value gathered =
      mapElements(b, tensorType(grouped, type.getElementType()), {}, [&](Scalars &s, ValueRange) {
        Type index = s.b.getIndexType();
        Value channel = s.add(s.mul(s.index(0), s.integer(index, perGroup)), s.index(2 + rank));
        SmallVector<Value> at{channel, s.index(1 + rank)};
        for (unsigned d = 0; d < rank; ++d) {
          Value back = s.sub(s.integer(index, reachOf(w, d) - 1), s.index(3 + rank + d));
          at.push_back(s.add(s.mul(back, s.integer(index, w.strides[d])), s.index(1 + d)));
        }
        return s.extract(weight, at);
      });
  return reshape(b, gathered, merged);
}

/// Where the stride is above one: a convolution of the input as it is, with a filter for each place
/// within a stride; then the places move to where they belong. No product with an inserted zero is
/// computed, as it is where the input is spread. Output s q + r reads inputs q + 1 - reach .. q.
/// Source: Shi et al., "Is the deconvolution layer the same as a convolutional layer?",
/// arXiv:1609.07009.
static Value transposeByStride(Builder &b, Value x, Value weight, int64_t group, const Window &w,
                               ArrayRef<int64_t> low, ArrayRef<int64_t> output) {
  RankedTensorType in = typeOf(x);
  unsigned rank = w.rank();
  int64_t batch = in.getDimSize(0), filters = typeOf(weight).getDimSize(1);
  Shape cut(2, 0), before, after, start(2, 0), size{batch, in.getDimSize(1)}, points;
  for (unsigned d = 0; d < rank; ++d) {
    int64_t stride = w.strides[d], extent = in.getDimSize(2 + d);
    int64_t firstPoint = llvm::divideFloorSigned(low[d], stride);
    cut.push_back(low[d] - firstPoint * stride);
    points.push_back(llvm::divideCeil(output[d] + cut.back(), stride));
    int64_t first = firstPoint + 1 - reachOf(w, d), last = firstPoint + points.back() - 1;
    before.push_back(std::max<int64_t>(-first, 0));
    after.push_back(std::max<int64_t>(last + 1 - extent, 0));
    start.push_back(std::max<int64_t>(first, 0));
    size.push_back(last - first + 1);
  }
  x = padSpatial(b, x, before, after, numberAttr(in.getElementType(), 0));
  x = extractSlice(b, x, start, size, Shape(in.getRank(), 1));
  Window reach{{}, Shape(rank, 1), Shape(rank, 1), Shape(rank, 0), Shape(rank, 0), {}};
  for (unsigned d = 0; d < rank; ++d)
    reach.kernel.push_back(reachOf(w, d));
  Value y = convolve(b, x, gatherByStride(b, weight, group, w), group, reach, points);
  // N (g s1 s2.. F) q1 q2.. -> N g F q1 s1 q2 s2..
  Shape split{batch, group}, order{0, 1, 2 + rank}, merged{batch, group * filters};
  split.append(w.strides);
  split.push_back(filters);
  split.append(points);
  Shape result{batch, group * filters};
  for (unsigned d = 0; d < rank; ++d) {
    order.append({3 + rank + d, 2 + d});
    merged.push_back(points[d] * w.strides[d]);
    result.push_back(output[d]);
  }
  y = reshape(b, transpose(b, reshape(b, y, split), order), merged);
  return extractSlice(b, y, cut, result, Shape(in.getRank(), 1));
}

/// The weight C F/g k.. of a transposed convolution as that of a convolution: F C/g k.., reversed.
static Value flipWeight(Builder &b, Value weight, int64_t group) {
  RankedTensorType type = typeOf(weight);
  ArrayRef<int64_t> shape = type.getShape();
  int64_t perGroup = shape[0] / group, filters = shape[1];
  Shape grouped{group, filters, perGroup};
  grouped.append(shape.begin() + 2, shape.end());
  Value flipped =
      mapElements(b, tensorType(grouped, type.getElementType()), {}, [&](Scalars &s, ValueRange) {
        Type index = s.b.getIndexType();
        Value channel = s.add(s.mul(s.index(0), s.integer(index, perGroup)), s.index(2));
        SmallVector<Value> at{channel, s.index(1)};
        for (int64_t d = 2; d < type.getRank(); ++d)
          at.push_back(s.sub(s.integer(index, shape[d] - 1), s.index(d + 1)));
        return s.extract(weight, at);
      });
  Shape merged{group * filters, perGroup};
  merged.append(shape.begin() + 2, shape.end());
  return reshape(b, flipped, merged);
}

/// Elsewhere: zeros between the input's elements and around them, then a convolution of stride 1.
Results convTranspose(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), weightType = c.type(1), result = c.resultTypes[0];
  int64_t group = c.intAttr("group", 1);
  if (in.getRank() < 3 || in.getRank() > 5 || weightType.getRank() != in.getRank() ||
      result.getRank() != in.getRank())
    return c.reject("not 1-D, 2-D or 3-D");
  if (group < 1 || in.getDimSize(1) != weightType.getDimSize(0) || in.getDimSize(1) % group)
    return c.reject("groups and channels do not fit");
  unsigned rank = in.getRank() - 2;
  Window w;
  w.kernel.assign(weightType.getShape().begin() + 2, weightType.getShape().end());
  w.strides = c.intsAttr("strides", Shape(rank, 1));
  w.dilations = c.intsAttr("dilations", Shape(rank, 1));
  if (w.strides.size() != rank || w.dilations.size() != rank)
    return c.reject("strides or dilations are not one per spatial dim");
  FailureOr<std::pair<Shape, Shape>> cut = transposePads(c, w);
  if (failed(cut))
    return failure();
  auto &[low, high] = *cut;
  for (unsigned d = 0; d < rank; ++d)
    if (w.strides[d] > maxElements / in.getDimSize(2 + d))
      return c.reject("the spread input would have more than 2^40 elements");

  ArrayRef<int64_t> output = result.getShape().drop_front(2);
  Shape filled;
  bool isDense = elementCount(w.strides) > 1;
  for (unsigned d = 0; d < rank; ++d) {
    filled.push_back(reachOf(w, d) * w.strides[d]);
    // Input and output meet.
    isDense &= w.dilations[d] == 1 && low[d] > -output[d] && high[d] > -output[d];
  }
  if (isDense && elementCount(filled) <= 4 * elementCount(w.kernel)) {
    Value y = transposeByStride(b, c.inputs[0], c.inputs[1], group, w, low, output);
    return SmallVector<Value>{addBias(c, y, 2)};
  }

  // Place the input in a tensor of zeros; where the result is cut by more than the window reaches,
  // part of that tensor is cut too.
  Shape padded{in.getDimSize(0), in.getDimSize(1)}, offsets(2, 0), strides(2, 1), start(2, 0);
  Shape sizes(padded);
  int64_t elements = in.getDimSize(0) * in.getDimSize(1);
  for (unsigned d = 0; d < rank; ++d) {
    int64_t before = w.extent(d) - 1 - low[d], margin = std::max<int64_t>(before, 0);
    int64_t spread = (in.getDimSize(2 + d) - 1) * w.strides[d] + 1;
    int64_t needed = result.getDimSize(2 + d) + w.extent(d) - 1;
    start.push_back(margin - before);
    sizes.push_back(needed);
    padded.push_back(std::max(margin + spread, start.back() + needed));
    if (llvm::MulOverflow(elements, padded.back(), elements) || elements > maxElements)
      return c.reject("the spread input would have more than 2^40 elements");
    offsets.push_back(margin);
    strides.push_back(w.strides[d]);
  }
  Type element = in.getElementType();
  Value x = fill(b, tensorType(padded, element), numberAttr(element, 0));
  x = insertSlice(b, c.inputs[0], x, offsets, strides);
  x = extractSlice(b, x, start, sizes, Shape(in.getRank(), 1));
  Window unit{w.kernel, Shape(rank, 1), w.dilations, Shape(rank, 0), Shape(rank, 0), {}};
  Value y = convolve(b, x, flipWeight(b, c.inputs[1], group), group, unit,
                     result.getShape().drop_front(2));
  return SmallVector<Value>{addBias(c, y, 2)};
}

} // namespace mtc::onnx_import
