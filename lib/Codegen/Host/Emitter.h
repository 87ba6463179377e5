//===- Emitter.h - what all emitters share --------------------------------===//
//
// An emitter writes the body function of one kernel variant:
//
//   func.func @S.body(%phase: index, %lo: index, %hi: index, %scratch: memref<Sxi8>, %buffers:
//   memref<NxT>...)
//
// from the kernel's tensor SSA and its buffer plan. Loops are scf, memory is flat memrefs, and
// every index is arithmetic that LLVM sees whole.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Buffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mtc::host {

/// What a tenant's data may count on of a core's own caches.
constexpr int64_t kCoreCacheBytes = 512 << 10;

/// As much as the last caches of today's servers hold, a part of which is another tenant's. Where
/// a cache is larger, memory is read once more for nothing.
constexpr int64_t kLastCacheBytes = int64_t(32) << 20;

class Emitter {
public:
  /// Starts the body function `name` of `kernel` in `module`; code goes to its entry block.
  Emitter(mlir::ModuleOp module, mt::KernelOp kernel, const BufferPlan &plan, llvm::StringRef name);
  virtual ~Emitter() = default;

  mlir::OpBuilder b;
  mlir::Location loc;
  mt::KernelOp kernel;
  const BufferPlan &plan;
  mlir::func::FuncOp function;
  mlir::Value phase, lo, hi, scratch;
  llvm::SmallVector<mlir::Value> memory; ///< a flat memref per storage
  mlir::IRMapping scalars;               ///< scalar values of the kernel's body

  mlir::Value constant(int64_t value);
  mlir::Value constant(mlir::TypedAttr value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, int64_t y);
  /// offset + sum of terms
  mlir::Value linear(int64_t offset, llvm::ArrayRef<std::pair<mlir::Value, int64_t>> terms);
  /// The value of an affine expression at loop indices `dims`.
  mlir::Value evaluate(mlir::AffineExpr expr, llvm::ArrayRef<mlir::Value> dims);
  llvm::SmallVector<mlir::Value> evaluate(mlir::AffineMap map, llvm::ArrayRef<mlir::Value> dims);
  /// Loops over `extents`; `body` gets the indices. Loops of one trip are constants.
  void forNest(llvm::ArrayRef<int64_t> extents,
               llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body);
  /// A loop; `body` gets its index.
  void forRange(mlir::Value from, mlir::Value to, int64_t step,
                llvm::function_ref<void(mlir::Value)> body);
  /// The innermost index of extent `count` that a number counts; `rest` then counts those outside.
  mlir::Value takeIndex(mlir::Value &rest, int64_t count);
  /// Loops over whole tensors, in the order given. Iterations are independent but for the loops
  /// that are `sequential` (empty: none is), whose order must be kept. Another target may spread
  /// them.
  virtual void forIterations(llvm::ArrayRef<int64_t> extents, llvm::ArrayRef<bool> sequential,
                             llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body);
  mlir::Value linearIndex(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<mlir::Value> indices);

  /// Asks for the line of memory[at] in the core's first or second cache, a hint.
  void prefetch(mlir::Value memory, mlir::Value at, int cache = 1, bool isWrite = false);
  /// Whether a storage is a result larger than kLastCacheBytes, and bytes of a storage.
  bool isPastCaches(int storage) const;
  int64_t bytesOf(int storage) const;
  /// Says that some stores went past the caches: finish() then makes others see them.
  void noteStreamed() { hasStreamed = true; }

  /// The constant that `pad` surrounds its source with.
  mlir::Value paddingValue(mlir::tensor::PadOp pad);
  /// An element of a tensor of the kernel's body, through virtual operations.
  mlir::Value read(mlir::Value tensor, llvm::ArrayRef<mlir::Value> indices);
  void write(mlir::Value scalar, int storage, llvm::ArrayRef<int64_t> shape,
             llvm::ArrayRef<mlir::Value> indices);
  /// Clones the scalar body of a structured operation and returns what it yields.
  llvm::SmallVector<mlir::Value> cloneBody(mlir::Block &body, llvm::ArrayRef<mlir::Value> arguments,
                                           llvm::ArrayRef<mlir::Value> indices);

  /// Emits one operation of the kernel's body by scalar loops over whole tensors.
  mlir::LogicalResult emitByLoops(mlir::Operation &op);
  /// Copies results that live in other storages; call it after all operations.
  void copyResults();
  /// Clones a scalar operation of the kernel's body; returns whether it was one.
  bool emitScalar(mlir::Operation &op);
  /// Ends the function.
  void finish();

private:
  bool hasStreamed = false;

  void emitStructured(mlir::linalg::LinalgOp op);
  /// A long sum in blocks; returns whether it was one. Its result holds what it starts from.
  bool emitSum(mlir::linalg::LinalgOp op);
  llvm::SmallVector<mlir::Value> arguments(mlir::linalg::LinalgOp op,
                                           llvm::ArrayRef<mlir::Value> indices,
                                           llvm::ArrayRef<mlir::Value> results);
  void emitFill(mlir::Value scalar, mlir::Value tensor);
  void copy(mlir::Value source, int storage);
  mlir::LogicalResult emitMove(mlir::Operation &op);
};

/// Emits `kernel` as plain loops: everything runs in phase 0 with tile 0. This is -O0, the fallback
/// when a compile is contained, and the emitter of what no other emitter takes.
mlir::LogicalResult emitPlain(Emitter &emitter);

} // namespace mtc::host
