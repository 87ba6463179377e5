//===- EmitRows.h - rows of vectorized nests ------------------------------===//
#pragma once

#include "Emitter.h"
#include "Nest.h"

namespace mtc::host {

/// Emits the segments of a row program. Tiles are numbered through all segments; `rowsPerTile` has
/// an entry a segment. Every row is computed whole by one tile, so how tiles are split cannot
/// change results (rule R3).
mlir::LogicalResult emitRows(Emitter &emitter, const RowProgram &program,
                             llvm::ArrayRef<int64_t> rowsPerTile, int64_t lanes);

} // namespace mtc::host
