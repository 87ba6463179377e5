//===- Structure.h - what the ops of the model phase compute --------------===//
//
// The importer's contract leaves few forms (contraction, reduction, elementwise, move); passes ask
// here which one an op has, so that the definition of each form stands once.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/Transforms/Product.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/AffineMap.h"

namespace mtc::mt {

/// A generic with two inputs that adds up products of them (productOf).
bool isContraction(mlir::linalg::GenericOp op);

/// Elementwise: all loops parallel, and the results do not depend on what they start from.
bool isAllParallel(mlir::Operation *op);

/// An input is read through a window: some map result is not a plain loop.
bool readsWindow(mlir::linalg::GenericOp op);

/// The loops that are plain results of `map`, in their order.
llvm::SmallVector<unsigned> plainLoops(mlir::AffineMap map);

/// Roles of the operands and loops of a contraction with activations `a` and weight `b`.
struct ContractionRoles {
  unsigned a = 0, b = 1;             ///< operand numbers
  llvm::SmallVector<unsigned> batch; ///< parallel loops of a, b and the result
  llvm::SmallVector<unsigned> m;     ///< parallel loops of a and the result
  llvm::SmallVector<unsigned> n;     ///< parallel loops of b and the result
  llvm::SmallVector<unsigned> k;     ///< reduction loops, in the order of the loops
};

/// Roles with operand `b` as the weight. Shapes: every map result of `b` and of the output is a
/// plain loop, else nullopt.
std::optional<ContractionRoles> rolesOf(mlir::linalg::GenericOp op, unsigned b);

/// Values from outside that regions of `op` use, in a deterministic order.
llvm::SmallVector<mlir::Value> capturedValues(mlir::Operation *op);

/// tensor.empty, or linalg.fill of a scalar constant into one: costs nothing to repeat.
bool isTrivialTensor(mlir::Value value);

/// Merges the elementwise op that makes `result` into the only one that reads it, if that reads it
/// element by element.
void fuseIntoUser(mlir::RewriterBase &b, mlir::Value result);

/// Bytes of a static tensor type (a bit counts as a byte).
int64_t byteSize(mlir::Type type);

} // namespace mtc::mt
