//===- EmitRows.h - kernels that work row by row --------------------------===//
#pragma once

#include "ThreadEmitter.h"

#include "../Host/Nest.h"

namespace mtc::cuda {

/// A kernel whose rows are independent: a block runs the nests of a row one after the other, what
/// passes between them being in shared memory.
struct Rows {
  host::RowProgram program; ///< one segment
  int64_t threads = 0;      ///< of a row; they decide the order of its sums
  int64_t together = 1;     ///< rows of a block, each with threads of its own

  int64_t tiles() const;

  const host::Segment &segment() const { return program.segments.front(); }
};

/// Fails, without an error, if the kernel has no such form, its rows do not fit shared memory, they
/// are too few to occupy a GPU, a result is read again, or `together` rows are none of equal blocks
/// of at most 1024 threads.
mlir::FailureOr<Rows> analyseRows(mt::KernelOp kernel, int64_t together = 1);

/// Emits the body: a tile is a row, or so many as are together. A sum is cut among the threads of a
/// row or a warp, whose numbers are the kernel's, so its order is always the same (rule R3).
void emitRows(ThreadEmitter &emitter, const Rows &rows);

} // namespace mtc::cuda
