//===- EmitContraction.h - register-tiled contractions --------------------===//
#pragma once

#include "Contraction.h"
#include "Emitter.h"

namespace mtc::host {

/// Emits the tiles [lo, hi) of a contraction. A result element is accumulated by one tile, in an
/// order that depends on its position only, so how tiles are split cannot change results (rule R3).
mlir::LogicalResult emitContraction(Emitter &emitter, const Contraction &contraction,
                                    const Tiling &tiling, const HostTarget &target);

/// Emits the tiles [lo, hi) where the emitter stands: as a part of another kernel, whose scalars
/// are there already.
void emitTiles(Emitter &emitter, const Contraction &contraction, const Tiling &tiling,
               const HostTarget &target);

} // namespace mtc::host
