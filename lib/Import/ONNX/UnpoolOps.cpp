//===- UnpoolOps.cpp - MaxUnpool, Col2Im ----------------------------------===//
//
// Windows put back where they came from. Nothing is scattered: every element of the result asks the
// windows that cover it, so no two threads write one element and the order of sums is fixed.
//
//===----------------------------------------------------------------------===//
#include "Convolution.h"
#include "Pools.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// Loops (n, c, out..., extra...) with results (n, c, out...).
struct OutLoops {
  Shape sizes, result;
};

OutLoops loopsOver(RankedTensorType result, ArrayRef<int64_t> extra) {
  OutLoops loops;
  loops.sizes.assign(result.getShape().begin(), result.getShape().end());
  loops.result.resize(loops.sizes.size());
  std::iota(loops.result.begin(), loops.result.end(), 0);
  loops.sizes.append(extra.begin(), extra.end());
  return loops;
}

Value inRange(Scalars &s, Value v, int64_t size) {
  Type type = v.getType();
  return s.both(s.lessOrEqual(s.integer(type, 0), v), s.less(v, s.integer(type, size)));
}

} // namespace

/// The last window covering an element whose index names it gives the element's value. Indices are
/// positions in the result that the kernel gives, as MaxPool's are: each within its own window.
Results maxUnpool(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  unsigned rank = in.getRank() < 3 ? 0 : in.getRank() - 2;
  Shape kernel = c.intsAttr("kernel_shape"), strides = c.intsAttr("strides", Shape(rank, 1));
  Shape pads = c.intsAttr("pads", Shape(2 * rank, 0));
  if (rank < 1 || rank > 3 || kernel.size() != rank || strides.size() != rank ||
      pads.size() != 2 * rank || c.type(1).getShape() != in.getShape())
    return c.reject("not 1-D to 3-D, or indices, kernel, strides and pads do not fit");
  Shape inferred, reach;
  for (unsigned d = 0; d < rank; ++d) {
    if (pads[d] < 0 || pads[rank + d] < 0)
      return c.reject("negative pads");
    inferred.push_back((in.getDimSize(2 + d) - 1) * strides[d] + kernel[d] - pads[d] -
                       pads[rank + d]);
    reach.push_back((kernel[d] + strides[d] - 1) / strides[d]);
  }
  OutLoops loops = loopsOver(result, reach);
  Value x = c.inputs[0], indices = c.inputs[1];
  Type i64 = b.getI64Type();
  Value last = reduceLoops(
      b, loops.sizes, loops.result, i64, {}, {}, Combiner::Max, false, [&](Scalars &s, ValueRange) {
        auto number = [&](int64_t v) { return s.integer(i64, v); };
        SmallVector<Value> at{s.index(0), s.index(1)};
        Value flat = s.add(s.mul(s.position(0, i64), number(in.getDimSize(1))), s.position(1, i64));
        Value covers, window = number(0);
        for (unsigned d = 0; d < rank; ++d) {
          Value y = s.position(2 + d, i64), padded = s.add(y, number(pads[d]));
          Value i = s.sub(s.div(padded, number(strides[d])), s.position(2 + rank + d, i64));
          Value within = s.sub(padded, s.mul(i, number(strides[d])));
          int64_t size = in.getDimSize(2 + d);
          Value ok = s.both(s.both(inRange(s, i, size), inRange(s, within, kernel[d])),
                            s.less(y, number(inferred[d])));
          covers = covers ? s.both(covers, ok) : ok;
          at.push_back(s.clampIndex(s.max(i, number(0)), size));
          flat = s.add(s.mul(flat, number(inferred[d])), y);
          window = s.add(s.mul(window, number(size)), i);
        }
        Value names = s.equal(s.extract(indices, at), flat);
        return s.select(s.both(covers, names), window, number(-1));
      });
  Value plane = reshape(b, x,
                        {in.getDimSize(0), in.getDimSize(1),
                         in.getNumElements() / (in.getDimSize(0) * in.getDimSize(1))});
  int64_t windows = cast<RankedTensorType>(plane.getType()).getDimSize(2);
  return SmallVector<Value>{mapElements(b, result, {Operand(last)}, [&](Scalars &s, ValueRange v) {
    Value isNone = s.less(v[0], s.integer(i64, 0));
    Value i = s.clampIndex(s.max(v[0], s.integer(i64, 0)), windows);
    Value element = s.extract(plane, {s.index(0), s.index(1), i});
    if (isFloat(element.getType()))
      element = s.cast(element, c.inputTypes[0], c.inputTypes[0]);
    return s.select(isNone, s.like(element, 0), element);
  })};
}

/// x: n, c * block, blocks; every element of the image sums the blocks' elements that lie on it.
Results col2im(NodeContext &c) {
  Builder &b = c.b;
  RankedTensorType in = c.type(0), result = c.resultTypes[0];
  auto image = c.constantInts(1), block = c.constantInts(2);
  if (!image || !block)
    return c.reject("the image's and the block's shape are not known when compiling");
  unsigned rank = image->size();
  Shape dilations = c.intsAttr("dilations", Shape(rank, 1));
  Shape strides = c.intsAttr("strides", Shape(rank, 1)),
        pads = c.intsAttr("pads", Shape(2 * rank, 0));
  if (in.getRank() != 3 || result.getRank() != 2 + int64_t(rank) || block->size() != rank ||
      dilations.size() != rank || strides.size() != rank || pads.size() != 2 * rank)
    return c.reject("the shapes do not fit");
  Shape split{in.getDimSize(0), result.getDimSize(1)}, blocks;
  int64_t count = 1, area = 1;
  for (unsigned d = 0; d < rank; ++d) {
    if ((*block)[d] < 1 || pads[d] < 0 || pads[rank + d] < 0)
      return c.reject("a block size is not positive, or a pad is negative");
    int64_t extent = ((*block)[d] - 1) * dilations[d] + 1;
    int64_t padded = (*image)[d] + pads[d] + pads[rank + d];
    blocks.push_back(padded < extent ? 0 : (padded - extent) / strides[d] + 1);
    count *= blocks.back();
    area *= (*block)[d];
  }
  if (count != in.getDimSize(2) || area * result.getDimSize(1) != in.getDimSize(1))
    return c.reject("the blocks do not cover the image");
  split.append(block->begin(), block->end());
  split.append(blocks);
  Value x = reshape(b, c.inputs[0], split);
  OutLoops loops = loopsOver(result, *block);
  Type i64 = b.getI64Type();
  Value y = reduceLoops(
      b, loops.sizes, loops.result, computeType(in.getElementType()), {}, {}, Combiner::Add,
      isUnsignedType(c.inputTypes[0]), [&](Scalars &s, ValueRange) {
        auto number = [&](int64_t v) { return s.integer(i64, v); };
        SmallVector<Value> at{s.index(0), s.index(1)}, places;
        Value covers;
        for (unsigned d = 0; d < rank; ++d) {
          Value offset = s.mul(s.position(2 + rank + d, i64), number(dilations[d]));
          Value from = s.sub(s.add(s.position(2 + d, i64), number(pads[d])), offset);
          Value i = arith::DivSIOp::create(s.b, from, number(strides[d]));
          Value ok = s.both(s.both(s.lessOrEqual(number(0), from), s.less(i, number(blocks[d]))),
                            s.equal(s.mul(i, number(strides[d])), from));
          covers = covers ? s.both(covers, ok) : ok;
          at.push_back(s.index(2 + rank + d));
          places.push_back(s.clampIndex(s.max(i, number(0)), blocks[d]));
        }
        at.append(places);
        Value element = s.extract(x, at);
        if (isFloat(element.getType()))
          element = s.cast(element, c.inputTypes[0], c.inputTypes[0]);
        return s.select(covers, element, s.like(element, 0));
      });
  return SmallVector<Value>{convertFloat(b, y, result.getElementType())};
}

} // namespace mtc::onnx_import
