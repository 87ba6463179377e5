//===- EmitResults.h - what becomes of a contraction's sums ---------------===//
#pragma once

#include "Contraction.h"
#include "VectorBody.h"

namespace mtc::host {

/// A vector of sums: its row (a value or a number) and its place among vectors side by side.
struct Piece {
  mlir::Value row;
  int64_t j = 0;
};

/// Runs the epilogue of `c` on `pieces`, a power of two of them, whose sums lie side by side in
/// `accumulator`, and stores its results. `address` is where a piece begins in an operand,
/// `lanesOf` the lanes that vector j has.
void emitResults(Emitter &e, const Contraction &c, int64_t lanes, mlir::Value accumulator,
                 llvm::ArrayRef<Piece> pieces,
                 llvm::function_ref<mlir::Value(int64_t operand, const Piece &)> address,
                 llvm::function_ref<Lanes(int64_t j)> lanesOf);

} // namespace mtc::host
