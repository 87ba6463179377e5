//===- Buffers.h - where the tensors of a kernel's body live --------------===//
//
// Kernel bodies are straight-line tensor SSA, so every tensor gets a storage at once, without a
// general bufferization: an argument, a result, a planned range of the caller's scratch, or a
// constant. Memory is flat (rank 1): reshapes cost nothing and every access is an offset plus
// strides.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/DenseMap.h"

namespace mtc::host {

struct Storage {
  enum class Kind { Argument, Result, Scratch, Constant };
  Kind kind = Kind::Scratch;
  int64_t index = 0; ///< of the argument or result
  mlir::Type elementType;
  int64_t elements = 0;
  int64_t scratchOffset = 0;     ///< bytes
  mlir::DenseElementsAttr value; ///< of a constant
};

struct BufferPlan {
  llvm::SmallVector<Storage> storages;
  /// Storage of every tensor that has one; tensor.empty and virtual operations have none.
  llvm::DenseMap<mlir::Value, int> storageOf;
  /// Results whose value lives elsewhere (an argument, another result) and is copied last.
  llvm::SmallVector<std::pair<int64_t, mlir::Value>> resultCopies;
  int64_t scratchBytes = 0;

  int lookup(mlir::Value v) const {
    auto it = storageOf.find(v);
    return it == storageOf.end() ? -1 : it->second;
  }
};

/// Plans the storages of `kernel`'s body. With `rows` > 1 the scratch storages hold one of `rows`
/// equal parts of their tensor (what one row needs). Virtual are tensor.pad and linalg.unpack read
/// by structured operations only: they are evaluated where they are read, unless `useVirtual` is
/// off; then views (isView) have the storage of their argument instead.
///
/// Fails if the body holds an operation that no emitter knows; it is named in an error on it.
/// Complexity: quadratic in the number of operations.
mlir::FailureOr<BufferPlan> planBuffers(mt::KernelOp kernel, int64_t rows = 1,
                                        bool useVirtual = true);

/// Whether `op` is evaluated where it is read.
bool isVirtual(mlir::Operation *op);

/// Whether `op` is a slice or transposition of an argument, or of another view, that operations of
/// the kernel read: an offset and strides say all that it does.
bool isView(mlir::Operation *op);

/// Whether offsets and strides of a slice are known when compiling.
bool isStatic(mlir::tensor::ExtractSliceOp slice);

/// Size of a number or index in memory.
int64_t elementBytes(mlir::Type type);

/// Adds `scale` * `expr` to a linear form of loops: constant + sum of coefficients[d] * d.
/// False if `expr` is not linear; what was added then means nothing.
bool linearForm(mlir::AffineExpr expr, llvm::MutableArrayRef<int64_t> coefficients,
                int64_t &constant, int64_t scale = 1);

/// Row-major strides of a static shape.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

} // namespace mtc::host
