//===- Decoded.h - tensors that are codes with scale and zero point -------===//
#pragma once

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>

namespace mtc::mt {

/// A tensor of i32, extend(codes) - zero, or of f32, (extend(codes) - zero) * scale.
struct Decoded {
  mlir::Value codes; ///< i8, of the tensor's shape
  bool isSigned = true;
  int64_t zero = 0;       ///< added to that of the tensor
  mlir::Value zeroTensor; ///< i8 or i32, or null
  bool zeroIsSigned = true;
  mlir::AffineMap zeroMap; ///< from the dims of `codes`; results are plain dims
  mlir::TypedAttr scaleConstant;
  mlir::Value scaleTensor; ///< or null
  mlir::AffineMap scaleMap;

  bool hasScale() const { return scaleConstant || scaleTensor; }
  bool mayHaveZero() const { return zeroTensor || zero != 0; }
};

/// What `value` decodes, if an elementwise op makes it of codes of 8 bits, perhaps behind reshapes
/// and a padding with 0. Those are repeated on the codes at the builder's place: unused ops are
/// left behind where the answer is no.
std::optional<Decoded> decoded(mlir::ImplicitLocOpBuilder &b, mlir::Value value);

} // namespace mtc::mt
