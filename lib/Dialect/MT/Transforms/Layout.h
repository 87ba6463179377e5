//===- Layout.h - tensors stored in a permuted order of their dims --------===//
//
// A layout lists a tensor's logical dims in physical order, outermost first: {0, 2, 3, 1} stores
// [N, C, H, W] as [N, H, W, C]. Dims of size 1 may stand anywhere without moving a byte.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "DerivedWeights.h"

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

namespace mtc::mt {

using Layout = llvm::SmallVector<int64_t>;

Layout identityLayout(int64_t rank);
bool isIdentity(llvm::ArrayRef<int64_t> layout);

/// The dims of a shape in physical order.
llvm::SmallVector<int64_t> physicalShape(llvm::ArrayRef<int64_t> shape,
                                         llvm::ArrayRef<int64_t> layout);
mlir::RankedTensorType physicalType(mlir::Type type, llvm::ArrayRef<int64_t> layout);

/// The map's results in physical order.
mlir::AffineMap physicalMap(mlir::AffineMap map, llvm::ArrayRef<int64_t> layout);

/// Both layouts store a tensor of this shape in the same order of bytes.
bool sameBytes(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> x, llvm::ArrayRef<int64_t> y);

/// The layout of `groups` merged into one dim each, if merging moves no byte: each group's dims lie
/// together and in order. `shape` is the logical shape before merging.
std::optional<Layout> mergedLayout(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> layout,
                                   llvm::ArrayRef<mlir::ReassociationIndices> groups);

/// The layout of `rank` dims that make up `groups`, each group in order: inverse of mergedLayout.
Layout splitLayout(llvm::ArrayRef<int64_t> layout,
                   llvm::ArrayRef<mlir::ReassociationIndices> groups, int64_t rank);

/// The same bytes with another shape: views (tensor.collapse_shape, tensor.expand_shape) only.
mlir::Value viewAs(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                   llvm::ArrayRef<int64_t> shape);

/// A tensor of logical shape `shape`, stored in `from` as `value`, stored in `to`: a view if the
/// bytes are the same, a derived weight if it is one, else a linalg.transpose.
mlir::Value changeLayout(mlir::OpBuilder &b, mlir::Location loc, DerivedWeights &weights,
                         mlir::Value value, llvm::ArrayRef<int64_t> shape,
                         llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);

} // namespace mtc::mt
