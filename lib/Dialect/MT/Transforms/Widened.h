//===- Widened.h - weights of f32 that are narrow numbers times a scale ---===//
//
// Models store weights as f16 or bf16 and cast them, or as codes of 8 bits that they dequantize.
// What is computed from them (transposes, folded factors) is an expression of derived weights; here
// it is taken apart into the narrow numbers, moved as the result is, and what they are multiplied
// by.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "DerivedWeights.h"

#include "mtc/Dialect/MT/Evaluation/Evaluate.h"

#include <memory>

namespace mtc::mt {

/// An f32 tensor that is (widen(codes) - zero) * scale.
struct Widened {
  WeightOp codes; ///< of the tensor's shape, of f16, bf16, i8 or i16
  bool isSigned = true;
  int64_t zero = 0; ///< of integers
  /// The scale is a constant, or a weight along these dims of the tensor, in their order.
  mlir::FloatAttr scaleConstant; ///< null: 1
  WeightOp scale;                ///< or null
  llvm::SmallVector<int64_t> scaleDims;
};

class WidenedWeights {
public:
  /// Ownership: keeps references; both must outlive it.
  WidenedWeights(ProgramOp program, DerivedWeights &weights)
      : program(program), symbols(program), weights(weights) {}

  /// What `weight` is widened from, if its expression consists of moves, widening, zero points and
  /// factors alone. Adds derived weights, unused ones where the answer is not used.
  /// Rounding: one multiplication of the weight is done elsewhere, by whoever applies the scale.
  std::optional<Widened> find(WeightOp weight);

  /// The f32 that `code` stands for, but for the scale.
  static mlir::Value widen(mlir::OpBuilder &b, mlir::Location loc, mlir::Value code,
                           const Widened &w);

private:
  friend class WidenedReader;
  /// Whether all numbers of a weight are known and 0.
  bool isZero(WeightOp weight);

  ProgramOp program;
  mlir::SymbolTable symbols; ///< but for weights that are added meanwhile
  DerivedWeights &weights;
  std::unique_ptr<Evaluation> evaluation;
};

} // namespace mtc::mt
