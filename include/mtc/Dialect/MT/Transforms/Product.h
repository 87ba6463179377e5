//===- Product.h - bodies that add products -------------------------------===//
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <array>
#include <optional>

namespace mtc::mt {

/// A body that is exactly `acc + a * b`, of floats or integers. A factor may be narrower than the
/// accumulator and widened first: integers, minus a number that is known, to wider integers or to
/// f32; f16 and bf16 to f32.
struct Product {
  std::array<bool, 2> isSigned; ///< how integers a and b are widened; true where they are not
  std::array<int64_t, 2> zero;  ///< what is subtracted from them
};

/// The product that `op` adds up, if it is a reduction of two inputs with such a body.
std::optional<Product> productOf(mlir::linalg::GenericOp op);

} // namespace mtc::mt
