//===- UnitDims.h - dims of size 1 between elementwise ops ----------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/IR/PatternMatch.h"

namespace mtc::mt {

/// Elementwise ops and reductions read through reshapes that only add or remove dims of size 1.
void readThroughUnitDims(EntryOp entry, mlir::RewriterBase &rewriter);

/// Elementwise ops whose results lose dims of size 1 in every use do not make them in the first
/// place.
void dropUnusedUnitDims(EntryOp entry, mlir::RewriterBase &rewriter);

} // namespace mtc::mt
