//===- Attention.h - kernels that hold a whole attention ------------------===//
//
// softmax(f(Q K^T)) V in one kernel, as mt-fuse-attention writes it. Its body says it op by op, so
// that plain loops compute it too; an emitter that knows the form need not store the scores.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace mtc::mt {

/// The ops of such a kernel. Scores are [outer..., queries, keys].
struct Attention {
  mlir::linalg::GenericOp scores;      ///< sums of products of queries and keys
  mlir::linalg::GenericOp adjusted;    ///< elementwise on them: scale, mask; null: none
  mlir::linalg::GenericOp maximum;     ///< of a query's scores
  mlir::linalg::GenericOp exponential; ///< of their distances from it
  mlir::linalg::GenericOp sum;         ///< of a query's exponentials
  mlir::linalg::GenericOp values;      ///< sums of products of exponentials and values
  mlir::linalg::GenericOp result;      ///< these divided by the sum
  unsigned query = 0;                  ///< the operand of `scores` that holds the queries
  unsigned weight = 0;                 ///< the operand of `values` that holds the exponentials
  /// An input of `adjusted` that differs from query to query, keys side by side; -1: none.
  int64_t mask = -1;

  llvm::ArrayRef<int64_t> shape(); ///< of the scores
  int64_t outer();                 ///< heads, of all batches
  int64_t queries() { return shape().drop_back().back(); }
  int64_t keys() { return shape().back(); }
  int64_t depth(); ///< products of a score
  int64_t width(); ///< numbers of a value
};

/// The parts of `kernel`'s body; nothing if it has another form, or reads a tensor in an order that
/// would have to be changed first: the queries' and values' numbers lie side by side. All tensors
/// that are multiplied are arguments of f32.
std::optional<Attention> readAttention(KernelOp kernel);

} // namespace mtc::mt
