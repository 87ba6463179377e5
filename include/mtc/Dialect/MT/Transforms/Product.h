//===- Product.h - bodies that add products -------------------------------===//
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <array>
#include <optional>

namespace mtc::mt {

/// A body that is exactly `acc + a * b`, of floats, or of integers that may be narrower than the
/// accumulator and are extended first.
struct Product {
  std::array<bool, 2> isSigned; ///< how a and b are extended; true where they are not
};

/// The product that `op` adds up, if it is a reduction of two inputs with such a body.
std::optional<Product> productOf(mlir::linalg::GenericOp op);

} // namespace mtc::mt
