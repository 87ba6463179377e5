//===- Convolution.h - windows over spatial dims --------------------------===//
//
// Conv, ConvTranspose and the pools share how a window of kernel, stride, dilation and pads moves
// over the spatial dims of an N x C x D1 x ... tensor.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

struct Window {
  Shape kernel, strides, dilations, padsLow, padsHigh; ///< one number per spatial dim
  Shape declaredHigh; ///< the high pads without those that ceil_mode adds
  unsigned rank() const { return kernel.size(); }
  int64_t extent(unsigned d) const { return (kernel[d] - 1) * dilations[d] + 1; }
};

/// Reads strides, dilations, pads and auto_pad; `output` are the spatial sizes of the result, from
/// which SAME pads and the extra high padding of ceil_mode follow.
mlir::FailureOr<Window> readWindow(NodeContext &c, llvm::ArrayRef<int64_t> kernel,
                                   llvm::ArrayRef<int64_t> input, llvm::ArrayRef<int64_t> output);
/// Pads the spatial dims of `x` with `value`.
mlir::Value padSpatial(Builder &b, mlir::Value x, llvm::ArrayRef<int64_t> low,
                       llvm::ArrayRef<int64_t> high, mlir::TypedAttr value);
/// The expression out * stride + window * dilation for two loops.
mlir::AffineExpr windowExpr(Builder &b, unsigned out, unsigned window, int64_t stride,
                            int64_t dilation);

/// A convolution of a padded input; the result has the contraction's element type.
mlir::Value convolve(Builder &b, mlir::Value input, mlir::Value weight, int64_t group,
                     const Window &window, llvm::ArrayRef<int64_t> output);

/// The window of the convolution of input 0 with the weight, after checks of what onnx's inference
/// lets pass.
mlir::FailureOr<Window> convWindow(NodeContext &c, unsigned weightInput);

Results conv(NodeContext &c);
Results convTranspose(NodeContext &c);

} // namespace mtc::onnx_import
