//===- EmitMma.h - matrix products and convolutions on tensor cores -------===//
#pragma once

#include "MmaTile.h"

namespace mtc::cuda {

/// Emits the body. Terms are added in the order of the contraction's reductions, those of a product
/// in an order that the hardware knows, whatever the tile (rule R3).
void emitMma(ThreadEmitter &emitter, const host::Contraction &c, const MmaTile &tile);

/// The same sums, of a tile with producers (EmitRing.cpp).
void emitRing(ThreadEmitter &emitter, const host::Contraction &c, const MmaTile &tile);

} // namespace mtc::cuda
