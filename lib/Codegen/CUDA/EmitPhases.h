//===- EmitPhases.h - kernels as one phase per loop nest ------------------===//
#pragma once

#include "../Host/Buffers.h"

#include "mlir/IR/BuiltinOps.h"

namespace mtc::cuda {

/// The phases of a kernel whose loop nests are launches of their own, and their tiles.
struct Phases {
  host::BufferPlan plan;
  llvm::SmallVector<int64_t> tiles;
};

/// Cuts `kernel` into phases of tiles of `threads` iterations.
/// Fails if its body holds an operation that no emitter knows (an error is emitted on it).
mlir::FailureOr<Phases> analysePhases(mt::KernelOp kernel, int64_t threads);

/// Emits phase `phase` as the body function `name`.
mlir::LogicalResult emitPhase(mlir::ModuleOp module, mt::KernelOp kernel, const Phases &phases,
                              int64_t phase, llvm::StringRef name, int64_t threads);

} // namespace mtc::cuda
