//===- SplitWeight.h - weights of f32 as sums of bf16 ---------------------===//
//
// What mt-split-products writes: a factor of f32 that is joined from parts,
//
//   w[k..., n] = sum over p of extend(u[n / 16, p, k' / 2, n % 16, k' % 2])
//
// with k' the place of [k...] in row-major order. Where a core multiplies whole tiles of bf16, the
// parts are what it takes; plain loops join them.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace mtc::mt {

/// Sides of the tiles that a core multiplies: columns of a weight, and products of a sum.
constexpr int64_t kTileColumns = 16, kTileDepth = 32;

struct SplitWeight {
  mlir::BlockArgument parts;          ///< u[n / 16][p][depth / 2][16][2] of bf16
  int64_t count = 0;                  ///< of parts
  int64_t depth = 0;                  ///< products of a sum, rounded up to whole tiles
  unsigned column = 0;                ///< dim of the factor that is n
  llvm::SmallVector<int64_t> strides; ///< of the factor's dims in k'; 0 for n
};

/// The weight that `factor` is joined from, if it is. Complexity: linear in the number of its dims.
std::optional<SplitWeight> splitWeightOf(mlir::Value factor);

} // namespace mtc::mt
