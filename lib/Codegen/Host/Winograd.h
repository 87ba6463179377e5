//===- Winograd.h - 3x3 convolutions by minimal filtering -----------------===//
//
// What mt-use-winograd writes, in numbers: the emitter needs no more than shapes, since the
// transforms are those of F(4x4, 3x3) whenever the kernel's numerics says so.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Buffers.h"
#include "Emitter.h"

#include "mtc/Codegen/Host/HostTarget.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mtc::host {

/// A tensor that the channels of a convolution's input come from.
struct Channels {
  int storage = -1;
  int64_t count = 0;
};

/// x[n, h, w, c] and panels u[groups][36][c][nr] to y[n, oh, ow, groups * nr].
struct Winograd {
  BufferPlan plan;
  int64_t n = 1, h = 1, w = 1, c = 1, oh = 1, ow = 1, groups = 1, nr = 16;
  int64_t padTop = 0, padLeft = 0;
  int64_t taps = 3;                      ///< 3 or 2: rows and columns of the weight
  llvm::SmallVector<Channels, 1> inputs; ///< x, or the operands of a concatenation of channels
  int weight = -1;                       ///< storage
  mlir::Value result;                    ///< of the convolution, which the epilogue reads
  mlir::linalg::LinalgOp epilogue;       ///< may be null
  llvm::SmallVector<int> outputs;        ///< storages

  int64_t side() const { return taps + 3; } ///< of an input tile
  int64_t positions() const { return side() * side(); }
  int64_t f() const { return groups * nr; }
  int64_t tilesY() const { return (oh + 3) / 4; }
  int64_t tilesX() const { return (ow + 3) / 4; }
  int64_t tiles() const { return n * tilesY() * tilesX(); }
};

/// The config: `block` output tiles of 4x4 go through all transforms together, in the caches.
struct WinogradTiling {
  int64_t lanes = 16, mr = 12, block = 12; ///< block: a multiple of mr
};

/// Fails, without an error, if `kernel` is no such convolution.
mlir::FailureOr<Winograd> analyseWinograd(mt::KernelOp kernel);

WinogradTiling chooseWinogradTiling(const Winograd &w, const HostTarget &target);

/// Number of independent tiles (blocks), and bytes of scratch for a worker.
int64_t tilesOf(const Winograd &w, const WinogradTiling &t);
int64_t scratchOf(const Winograd &w, const WinogradTiling &t);

/// Elements from one position of transformed tiles, and of products, to the next in scratch.
int64_t inputStride(const Winograd &w, const WinogradTiling &t);
int64_t productStride(const Winograd &w, const WinogradTiling &t);

/// Emits the blocks [lo, hi). An element is computed in one block, in an order that depends on the
/// kernel only (rule R3).
mlir::LogicalResult emitWinograd(Emitter &emitter, const Winograd &winograd,
                                 const WinogradTiling &tiling);

} // namespace mtc::host
