//===- Quantized.h - operators on integers with scale and zero point ------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

/// MatMul of two tensors of the same element type (ContractionOps.cpp). The result has the
/// contraction's element type.
mlir::Value multiplyMatrices(Builder &b, mlir::Value lhs, mlir::Value rhs);

/// Rounds a float half to even, adds the zero point (null: none) and saturates to the integer type
/// `to`.
mlir::Value roundToInteger(Scalars &s, mlir::Value x, mlir::Value zeroPoint, int32_t to);

Results convInteger(NodeContext &c);
Results dequantizeLinear(NodeContext &c);
Results matmulInteger(NodeContext &c);
Results qlinearConv(NodeContext &c);
Results qlinearMatMul(NodeContext &c);
Results quantizeLinear(NodeContext &c);

} // namespace mtc::onnx_import
