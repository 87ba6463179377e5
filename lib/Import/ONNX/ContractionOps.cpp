//===- ContractionOps.cpp - MatMul, Gemm, Einsum and the family's table ---===//
//
// A contraction is one generic whose body is acc + a * b and whose indexing maps say everything:
// transposed operands and broadcast batch dims cost no move. Convolutions are in
// ConvolutionOps.cpp.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"
#include "Contractions.h"
#include "Convolution.h"
#include "Quantized.h"
#include "Recurrent.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// The batch dims of a MatMul operand of `shape` in the loops (batch..., m, n, k): size-1 dims that
/// broadcast are dropped. `dims` and `kept` receive the loops and sizes of those that stay.
void batchDims(ArrayRef<int64_t> shape, ArrayRef<int64_t> batch, Shape &dims, Shape &kept) {
  int64_t own = std::max<int64_t>(shape.size(), 2) - 2, offset = batch.size() - own;
  for (int64_t d = 0; d < own; ++d)
    if (shape[d] == batch[offset + d]) {
      dims.push_back(offset + d);
      kept.push_back(shape[d]);
    }
}

} // namespace

/// One-dimensional operands lack the m or n loop.
Value multiplyMatrices(Builder &b, Value lhs, Value rhs) {
  auto lhsType = cast<RankedTensorType>(lhs.getType());
  auto rhsType = cast<RankedTensorType>(rhs.getType());
  ArrayRef<int64_t> left = lhsType.getShape(), right = rhsType.getShape();
  bool hasM = left.size() > 1, hasN = right.size() > 1;
  Shape batch;
  int64_t batchRank = std::max<int64_t>({int64_t(left.size()) - 2, int64_t(right.size()) - 2, 0});
  for (int64_t d = 0; d < batchRank; ++d) {
    int64_t l = d - (batchRank - (int64_t(left.size()) - 2));
    int64_t r = d - (batchRank - (int64_t(right.size()) - 2));
    int64_t size = l >= 0 && left.size() > 2 ? left[l] : 1;
    if (r >= 0 && right.size() > 2 && size == 1)
      size = right[r];
    batch.push_back(size);
  }
  Shape loops(batch), result;
  int64_t m = -1, n = -1;
  if (hasM) {
    m = loops.size();
    loops.push_back(left[left.size() - 2]);
  }
  if (hasN) {
    n = loops.size();
    loops.push_back(right.back());
  }
  for (int64_t d = 0; d < int64_t(loops.size()); ++d)
    result.push_back(d);
  int64_t k = loops.size();
  loops.push_back(left.back());

  Shape lhsDims, lhsShape, rhsDims, rhsShape;
  if (hasM) {
    batchDims(left, batch, lhsDims, lhsShape);
    lhsDims.push_back(m);
    lhsShape.push_back(loops[m]);
  }
  lhsDims.push_back(k);
  lhsShape.push_back(loops[k]);
  if (hasN)
    batchDims(right, batch, rhsDims, rhsShape);
  rhsDims.push_back(k);
  rhsShape.push_back(loops[k]);
  if (hasN) {
    rhsDims.push_back(n);
    rhsShape.push_back(loops[n]);
  }
  return contract(b, loops, result, reshape(b, lhs, lhsShape), selectDims(b, loops.size(), lhsDims),
                  reshape(b, rhs, rhsShape), selectDims(b, loops.size(), rhsDims));
}

namespace {

Results matmul(NodeContext &c) {
  Value product = multiplyMatrices(c.b, c.inputs[0], c.inputs[1]);
  return SmallVector<Value>{convertFloat(c.b, product, c.resultTypes[0].getElementType())};
}

/// alpha * A' * B' + beta * C; the maps transpose, the sum is one generic.
Results gemm(NodeContext &c) {
  Builder &b = c.b;
  bool transA = c.intAttr("transA", 0), transB = c.intAttr("transB", 0);
  double alpha = c.floatAttr("alpha", 1.0f), beta = c.floatAttr("beta", 1.0f);
  RankedTensorType result = c.resultTypes[0], lhs = c.type(0);
  bool isInteger = !isFloat(result.getElementType());
  if (isInteger && (alpha != 1.0 || beta != 1.0))
    return c.reject("alpha or beta on integers");
  int64_t k = lhs.getDimSize(transA ? 0 : 1);
  Value product = contract(
      b, {result.getDimSize(0), result.getDimSize(1), k}, {0, 1}, c.inputs[0],
      selectDims(b, 3, transA ? ArrayRef<int64_t>{2, 0} : ArrayRef<int64_t>{0, 2}), c.inputs[1],
      selectDims(b, 3, transB ? ArrayRef<int64_t>{1, 2} : ArrayRef<int64_t>{2, 1}));
  bool hasC = c.hasInput(2) && beta != 0.0;
  if (!hasC && alpha == 1.0)
    return SmallVector<Value>{convertFloat(b, product, result.getElementType())};
  SmallVector<Operand> operands{Operand(product)};
  if (hasC)
    operands.push_back(operand(c, 2));
  return SmallVector<Value>{mapElements(b, result, operands, [&](Scalars &s, ValueRange v) {
    Value y = alpha == 1.0 ? v[0] : s.mul(v[0], s.like(v[0], alpha));
    if (hasC)
      y = s.add(y, beta == 1.0 ? v[1] : s.mul(v[1], s.like(v[1], beta)));
    return y;
  })};
}

constexpr const char *numbers = "f16 bf16 f32 f64 i32 i64 u32 u64";
constexpr const char *floats = "f16 bf16 f32 f64";

constexpr const char *noClip = "no clip";

const OpRow rows[] = {
    {"", "Conv", 1, conv, floats, "1-D to 3-D, groups, dilations, auto_pad"},
    {"", "ConvInteger", 10, convInteger, "i8 u8", "zero points of the weight may be per channel"},
    {"", "ConvTranspose", 1, convTranspose, floats, "1-D to 3-D, groups, dilations, auto_pad"},
    {"", "DequantizeLinear", 10, dequantizeLinear,
     "integers of 32 bits and fewer, floats of 8 and fewer", "per tensor, axis or block"},
    {"", "Det", 11, determinant, floats, "in f64; at most 32 rows"},
    {"", "DynamicQuantizeLinear", 11, dynamicQuantizeLinear, "f32 to u8", ""},
    {"", "Einsum", 12, einsum, numbers, "operands are contracted two at a time, from the left"},
    {"", "GRU", 7, gru, "f32", noClip},
    {"", "Gemm", 7, gemm, numbers, ""},
    {"", "LSTM", 7, lstm, "f32", noClip},
    {"", "MatMul", 1, matmul, numbers, "f16 and bf16 accumulate in f32"},
    {"", "MatMulInteger", 10, matmulInteger, "i8 u8", "zero points per tensor, row or column"},
    {"", "QLinearConv", 10, qlinearConv, "i8 u8", "scales of the weight may be per channel"},
    {"", "QLinearMatMul", 10, qlinearMatMul, "i8 u8, 8-bit floats",
     "scales and zero points per tensor, row or column"},
    {"", "QuantizeLinear", 10, quantizeLinear,
     "to integers of 16 bits and fewer, floats of 8 and fewer", "per tensor, axis or block"},
    {"", "RNN", 7, rnn, "f32", noClip},
};

} // namespace

ArrayRef<OpRow> contractionOps() { return rows; }

} // namespace mtc::onnx_import
