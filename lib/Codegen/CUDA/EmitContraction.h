//===- EmitContraction.h - matrix products and convolutions on CUDA cores -===//
#pragma once

#include "ContractionFrame.h"

#include "mtc/Support/DeviceTable.h"

namespace mtc::cuda {

/// How a contraction is cut: a block computes bm x bn results, bk terms of all of them at a time
/// from shared memory; a thread tm x tn of them in registers.
struct ContractionTile {
  int64_t bm = 64, bn = 64, bk = 16, tm = 4, tn = 4;

  int64_t threads() const { return bm / tm * (bn / tn); }
};

/// The tiles to choose from, each with the part of the CUDA cores' peak that it reaches.
llvm::ArrayRef<std::pair<ContractionTile, double>> contractionTiles();

/// That part of any valid tile: its table's, or what its size suggests.
double efficiencyOf(const ContractionTile &tile);

/// What a block of such tiles takes of an SM, registers by an estimate.
GpuBlock blockOf(const ContractionTile &tile);

/// Whether the numbers of a config make a tile that can be emitted.
bool isValid(const ContractionTile &tile);

/// Emits the body. Terms of a sum are added one after the other in the order of the contraction's
/// reductions, whatever the tile (rule R3).
void emitContraction(ThreadEmitter &emitter, const host::Contraction &c,
                     const ContractionTile &tile);

} // namespace mtc::cuda
