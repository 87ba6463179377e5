//===- DerivedWeights.h - expressions over weights, each written once -----===//
//
// Passes fold, scale, permute and pack weights by adding `derive`d mt.weights to the program. Equal
// expressions over equal sources are one weight, also across entries and passes: the text of the
// expression, without its name and locations, is the key.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"

namespace mtc::mt {

class DerivedWeights {
public:
  /// Ownership: keeps a reference; `program` must outlive it and get its weights only through it.
  explicit DerivedWeights(ProgramOp program);

  /// Builds the expression's value from the sources' values (arguments of the body).
  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)>;

  /// The weight `body(sources)`, named `<first source>.<suffix>` when it is new.
  WeightOp getOrCreate(mlir::Location loc, llvm::StringRef suffix, llvm::ArrayRef<WeightOp> sources,
                       Body body);

  /// The weight behind a value that mt.get_weight makes, or null.
  WeightOp find(mlir::Value value);

  /// The weights that `tasks` take as an operand become what `body` makes of them.
  void
  replace(llvm::ArrayRef<TaskOp> tasks, unsigned operand, llvm::StringRef suffix,
          llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value)> body);

  /// A new mt.get_weight of `weight` at the builder's place.
  static mlir::Value get(mlir::OpBuilder &b, mlir::Location loc, WeightOp weight);

  /// Removes derived weights that neither an entry nor a weight uses. Complexity: linear in the
  /// program.
  void eraseUnused();

private:
  ProgramOp program;
  mlir::SymbolTable symbols;
  llvm::StringMap<WeightOp> byExpression;
};

} // namespace mtc::mt
