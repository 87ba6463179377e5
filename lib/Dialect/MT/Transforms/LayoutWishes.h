//===- LayoutWishes.h - which layout consumers want -----------------------===//
//
// The backward half of layout propagation. Ops that read or write in a fixed order wish for a
// layout of their operands; wishes travel from consumers to producers through ops that can work in
// any layout. A convolution's or pooling's wish is worth changing what an elementwise op would
// otherwise do; the others decide where the producer has no preference.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Layout.h"
#include "Structure.h"

namespace mtc::mt {

enum class Strength {
  Boundary, ///< a reshape, an entry's result
  Rows, ///< a matrix product or a reduction, whose inner loop should run along the innermost dim
  Channels, ///< a convolution or pooling
};

struct Wish {
  Layout layout;
  Strength strength = Strength::Boundary;
  bool strong() const { return strength == Strength::Channels; }
};

using Wishes = llvm::DenseMap<mlir::Value, Wish>;

/// A contraction or pooling in the importer's channels-first form: channels belong last.
bool isConvolutionLike(mlir::linalg::GenericOp op, DerivedWeights &weights);

/// Layout of a convolution-like op's result with channels last.
Layout channelsLastResult(mlir::linalg::GenericOp op);

/// Operand number of the activations that a convolution-like op reads.
unsigned activationOperand(mlir::linalg::GenericOp op);

/// Sorts the positions of `map`'s results by `loopOrder` (loops, outermost first).
Layout layoutForLoops(mlir::AffineMap map, llvm::ArrayRef<unsigned> loopOrder);

/// The wishes for all tensor values of an entry. Complexity: linear in the entry.
Wishes collectWishes(EntryOp entry, DerivedWeights &weights);

} // namespace mtc::mt
