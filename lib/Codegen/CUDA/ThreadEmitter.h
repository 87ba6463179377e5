//===- ThreadEmitter.h - what all CUDA emitters share ---------------------===//
//
// A CUDA emitter writes what one thread of one phase does, in the frame of the host's emitters:
//
//   func.func @S.body(%phase, %lo, %hi, %scratch, %buffers...) attributes {mtc.threads = 256 : i64}
//
// with gpu.thread_id, gpu.block_id, gpu.barrier, gpu.shuffle and shared memory beside scf and
// arith. Blocks are persistent (rule R6): block b of g runs the tiles lo + b, lo + b + g, ... below
// hi, so any grid runs any range. A phase is a launch of its own. The same function becomes PTX
// (Lower) and, in tests, host code of an emulated thread.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "../Host/Emitter.h"

#include "mtc/Bundle/GpuCode.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mtc::cuda {

/// Names the attribute of a body function with the number of threads of a block.
inline constexpr llvm::StringLiteral threadsAttribute = "mtc.threads";

/// Names the attribute with the number of blocks that an SM should hold at least: ptxas then limits
/// registers. Also LLVM's name.
inline constexpr llvm::StringLiteral minBlocksAttribute = "nvvm.minctasm";

/// Tensor maps are the last arguments of a body function, pointers whose attribute says what they
/// map. Buffers are counted as the kernel's parameters are.
llvm::SmallVector<GpuTensorMap> tensorMapsOf(mlir::func::FuncOp body);

/// Where the shared memory of a body function lies, which its allocations are.
struct SharedLayout {
  llvm::SmallVector<int64_t> offsets; ///< of each allocation in its order, in bytes
  int64_t bytes = 0, alignment = 16;
};
SharedLayout layOutShared(mlir::func::FuncOp body);

class ThreadEmitter : public host::Emitter {
public:
  /// Starts the body function of a phase whose blocks have `threads` threads.
  ThreadEmitter(mlir::ModuleOp module, mt::KernelOp kernel, const host::BufferPlan &plan,
                llvm::StringRef name, int64_t threads);

  const int64_t threads;
  mlir::Value thread; ///< index in the block

  /// Runs `body` with each tile of this block.
  void forTiles(llvm::function_ref<void(mlir::Value tile)> body);
  /// The same with values that go from tile to tile: `body` gets and returns them.
  void forTiles(
      mlir::ValueRange carried,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value tile, mlir::ValueRange)> body);
  /// Runs `body` if `condition`.
  void when(mlir::Value condition, llvm::function_ref<void()> body);
  mlir::Value less(mlir::Value x, int64_t y);
  /// The indices of loops of `extents` at position `flat` of their row-major order.
  llvm::SmallVector<mlir::Value> delinearize(mlir::Value flat, llvm::ArrayRef<int64_t> extents);
  /// `elements` of shared memory of the block.
  mlir::Value shared(int64_t elements, mlir::Type type, int64_t alignment = 16);
  void barrier();
  /// A new argument: the map of a tensor in the buffer that `storage` of the plan is.
  mlir::Value tensorMap(GpuTensorMap map, int storage);
};

} // namespace mtc::cuda
