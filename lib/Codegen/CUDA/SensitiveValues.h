//===- SensitiveValues.h - where a rounding would be magnified ------------===//
//
// The relative error of log(x) near 1, and of what is added to it, is the relative error of x times
// anything, for there the answer is near 0; a spectrum has numbers so small beside its largest that
// f16 has none for them. The error of sin(x) and cos(x) is that of x, in radians: of an angle of
// 1,000 it is half a turn in f16. What these functions read is computed in f32, with all that it
// depends on, but not through exponentials: what they give has a relative error that is the
// absolute one of what they read, as behind any other network.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/IR/SymbolTable.h"

namespace mtc::cuda {

struct SensitiveValues {
  llvm::DenseSet<mlir::Value> values; ///< between tasks
  /// With a product that gives such values.
  llvm::DenseSet<mlir::Operation *> products;
};

/// Those of an entry in the tasks phase. Bodies of control flow are entries of their own: what they
/// read counts as sensitive if what they give is. Complexity: linear.
SensitiveValues sensitiveValuesOf(mt::EntryOp entry, const mlir::SymbolTable &symbols);

} // namespace mtc::cuda
