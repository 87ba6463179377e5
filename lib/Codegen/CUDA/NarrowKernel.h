//===- NarrowKernel.h - kernels that take and give halves -----------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/IR/OwningOpRef.h"

namespace mtc::cuda {

/// Arguments and results of a kernel, by number.
struct Places {
  llvm::SmallVector<unsigned> arguments, results;

  bool empty() const { return arguments.empty() && results.empty(); }
};

/// A copy of a kernel with some arguments and results of f32 in a narrower type.
struct NarrowedKernel {
  mlir::OwningOpRef<mt::KernelOp> kernel;
  /// What cannot be narrowed without a loop nest of its own that only converts; the copy is of no
  /// use then.
  Places unfit;
};

/// Reads the arguments and writes the results of `kernel` in `type` (f16 or bf16), and computes in
/// f32 as before: numbers are widened where they are read and rounded where they are yielded, those
/// beyond the type's range to its largest finite number. Moves move what is narrow.
NarrowedKernel narrowKernel(mt::KernelOp kernel, const Places &places, mlir::FloatType type);

/// `value`, a float, in `type`.
mlir::Value narrowed(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                     mlir::FloatType type);

} // namespace mtc::cuda
