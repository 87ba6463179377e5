//===- EmitPhases.h - kernels as one phase per loop nest ------------------===//
#pragma once

#include "../Host/Buffers.h"

#include "mlir/IR/BuiltinOps.h"

namespace mtc::cuda {

/// The phases of a kernel whose loop nests are launches of their own, and their tiles.
struct Phases {
  host::BufferPlan plan;
  llvm::SmallVector<int64_t> tiles;
  int64_t width = 1; ///< neighbours that a thread computes in the widest phase
};

/// How phases are cut.
struct PhaseCut {
  int64_t threads = 256; ///< of a block
  int64_t width = 0; ///< neighbours that a thread of a nest without sums computes; 0: by its size
};

/// Cuts `kernel` into phases of tiles, an iteration or its neighbours a thread.
/// Fails if its body holds an operation that no emitter knows (an error is emitted on it).
mlir::FailureOr<Phases> analysePhases(mt::KernelOp kernel, PhaseCut cut);

/// Emits phase `phase` as the body function `name`.
mlir::LogicalResult emitPhase(mlir::ModuleOp module, mt::KernelOp kernel, const Phases &phases,
                              int64_t phase, llvm::StringRef name, PhaseCut cut);

} // namespace mtc::cuda
