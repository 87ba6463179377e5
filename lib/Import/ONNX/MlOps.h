//===- MlOps.h - what the operators of ai.onnx.ml share -------------------===//
//
// Rows of features in, scores or labels out; models come as lists in attributes. MlFeatureOps.cpp
// holds the family's table.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

inline constexpr const char *mlDomain = "ai.onnx.ml";

/// Numbers of an attribute that may be a list or, in newer versions, a tensor.
llvm::SmallVector<double> numbersOf(const onnx::AttributeProto *attribute);
llvm::SmallVector<double> numbersOf(NodeContext &c, llvm::StringRef name);

/// A one-dimensional constant of any length: pieces of what a constant may hold, concatenated.
mlir::Value longConstant(NodeContext &c, llvm::ArrayRef<int64_t> values);
mlir::Value longConstant(NodeContext &c, llvm::ArrayRef<double> values, mlir::Type element);

/// The input as rows x features of f32 (f64 where `keepsDouble` and it is f64).
mlir::Value featureRows(NodeContext &c, bool keepsDouble = false);

/// NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT of rows x scores.
mlir::FailureOr<mlir::Value> postTransform(NodeContext &c, mlir::Value scores,
                                           llvm::StringRef kind);

/// How scores of two classes come about when the model has one score only.
struct TwoClasses {
  enum { Complement, Opposite } other = Complement; ///< of one column: 1 - s or -s
  std::optional<double> limit; ///< the second class wins if the last column is above it
};

/// The label of the largest score (the first of equals) and the transformed scores: the results of
/// a classifier with integer labels.
Results classify(NodeContext &c, mlir::Value scores, llvm::StringRef transform,
                 const TwoClasses &two);

// MlTreeOps.cpp
Results treeEnsemble(NodeContext &c);
Results treeEnsembleClassifier(NodeContext &c);
Results treeEnsembleRegressor(NodeContext &c);
// MlLinearOps.cpp
Results linearClassifier(NodeContext &c);
Results linearRegressor(NodeContext &c);
Results svmClassifier(NodeContext &c);
Results svmRegressor(NodeContext &c);

} // namespace mtc::onnx_import
