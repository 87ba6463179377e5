//===- Quantized.h - operators on integers with scale and zero point ------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

/// MatMul of two tensors of the same element type (ContractionOps.cpp). The result has the
/// contraction's element type.
mlir::Value multiplyMatrices(Builder &b, mlir::Value lhs, mlir::Value rhs);

/// Numbers as x = (code - zeroPoint) * scale, with codes of 8 bits without sign.
struct Quantized {
  mlir::Value codes;     ///< of the shape of x
  mlir::Value scale;     ///< f32 of rank 0
  mlir::Value zeroPoint; ///< of rank 0
};

/// DynamicQuantizeLinear: quantizes by the range of all numbers and 0.
Quantized quantizeDynamically(Builder &b, mlir::Value x);

/// Rounds a float half to even, adds the zero point (null: none) and saturates to the integer type
/// `to`.
mlir::Value roundToInteger(Scalars &s, mlir::Value x, mlir::Value zeroPoint, int32_t to);

Results convInteger(NodeContext &c);
Results dynamicQuantizeLinear(NodeContext &c);
Results dequantizeLinear(NodeContext &c);
Results matmulInteger(NodeContext &c);
Results qlinearConv(NodeContext &c);
Results qlinearMatMul(NodeContext &c);
Results quantizeLinear(NodeContext &c);

} // namespace mtc::onnx_import
