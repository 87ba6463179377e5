//===- CountOperations.h - the arithmetic of a kernel ---------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include <optional>

namespace mtc::mt {

/// Iterations of a structured operation in one run of its kernel: the product of its loops'
/// extents, times the steps of the recurrence that it stands in.
int64_t iterationsOf(mlir::Operation *structured);

/// Whether `op` sums products of bytes, of whatever signs.
bool isByteProduct(mlir::Operation *op);

/// Floating point and integer operations of one run of a kernel: for every linalg operation the
/// arithmetic of its body times its iterations, so a contraction is 2 * M * N * K. Data-dependent
/// work is not seen.
int64_t flopsOf(KernelOp kernel);

/// Those of flopsOf() that multiply bytes by bytes and add the products up.
int64_t byteFlopsOf(KernelOp kernel);

/// What a transform of minimal filtering takes, which a body says as a product with a constant
/// matrix: zeros and ones take nothing, and common terms are computed once. None if `op` is none.
std::optional<int64_t> filteringFlopsOf(mlir::Operation *op);

} // namespace mtc::mt
