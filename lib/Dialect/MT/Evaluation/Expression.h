//===- Expression.h - the parts of evaluateExpression ---------------------===//
#pragma once

#include "mtc/Dialect/MT/Evaluation/Evaluate.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <functional>

namespace mtc::mt {

/// Memory for a tensor that is being computed; freeze() makes it immutable.
struct NewTensor {
  /// Not initialized, or zeros.
  explicit NewTensor(mlir::RankedTensorType type, bool zero = false);
  /// A copy of `source`.
  static NewTensor copyOf(const TensorBytes &source);
  TensorBytes freeze() &&;

  mlir::RankedTensorType type;
  uint8_t *data;
  std::shared_ptr<void> owner;
};

/// What an expression's values are, for operations that use them from inside their bodies.
struct Values {
  /// The tensor, or null.
  std::function<const TensorBytes *(mlir::Value)> tensor;
  /// The scalar as an attribute (integer or float), or null.
  std::function<mlir::Attribute(mlir::Value)> scalar;
};

/// Evaluates a linalg operation on tensors by its indexing maps and body, a row at a time.
/// Fails if the body has an operation without an instruction (Unsupported) or an index is out of
/// range (InvalidInput).
StatusOr<llvm::SmallVector<TensorBytes>> evaluateLinalg(mlir::linalg::LinalgOp op,
                                                        const Values &values);

/// Whether evaluateMove() knows `op`: operations that only move, repeat or reinterpret elements.
bool isMove(mlir::Operation *op);

/// Evaluates a move: tensor.empty, pad, concat, slices and reshapes, linalg.fill, transpose, pack
/// and unpack.
StatusOr<TensorBytes> evaluateMove(mlir::Operation *op, const Values &values);

/// A dense constant as bytes.
StatusOr<TensorBytes> constantBytes(mlir::ElementsAttr value);

/// Evaluates one scalar operation of arith or math.
StatusOr<mlir::Attribute> evaluateScalar(mlir::Operation *op, const Values &values);

} // namespace mtc::mt
