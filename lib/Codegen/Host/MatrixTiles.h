//===- MatrixTiles.h - contractions by products of whole tiles ------------===//
//
// What mt-split-products writes, on cores that multiply tiles of bf16 (AMX): 16 rows of 32 numbers
// by 32 rows of 16 columns, into 16 x 16 sums of f32. A task's tile is a block of positions (rows
// of the result) times a block of columns. Its positions' factors are gathered into scratch first,
// each as three parts of bf16, with the windows of a convolution written out; then every register
// tile of mr x nv tiles of sums runs through the whole depth, and its sums go through memory to the
// epilogue.
//
// Source: Intel 64 and IA-32 manual, volume 2, TDPBF16PS (two sums of 16 products from zero,
// rounded to nearest, then added to the tile; denormals are zeros).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Contraction.h"

namespace mtc::host {

/// How such a contraction is cut.
struct MatrixTiling {
  int64_t mr = 2, nv = 2; ///< tiles of a register tile: along positions, along columns
  int64_t rows = 32;      ///< positions of a block, a multiple of 16
  int64_t columns = 32;   ///< columns of a block, a multiple of 16 * nv
};

/// Parts of the factor that is gathered.
constexpr int64_t kGatheredParts = 3;

/// Fails, without an error, if `kernel` is no contraction by a weight in parts, or its rows do not
/// lie along the innermost sum.
mlir::FailureOr<Contraction> analyseMatrix(mt::KernelOp kernel);

/// The same of products of bytes, whose rows lie ready in whole tiles of 16 rows and 64 bytes: they
/// are exact in any order, so that this is one more config of them.
mlir::FailureOr<Contraction> analyseByteTiles(mt::KernelOp kernel);

/// Rows of the result.
int64_t positionsOf(const Contraction &c);

/// Vectors of 16 numbers that are gathered for a row.
int64_t gatheredVectors(const Contraction &c);

/// Products (part of a row's factor, part of the weight) that count, from 0, in an order in which
/// neighbours share a part.
llvm::ArrayRef<std::pair<int, int>> productsOfParts(int64_t weightParts);

MatrixTiling chooseMatrixTiling(const Contraction &c, const HostTarget &target);
MatrixTiling chooseByteTiling(const Contraction &c, const HostTarget &target);

/// Number of independent tiles, and where in scratch what lies. Units: bytes.
struct MatrixScratch {
  int64_t gathered = 64, sums = 0, places = 0, bytes = 0; ///< the tile configuration is at 0
  int64_t rowStride = 0;                                  ///< elements between gathered rows
  llvm::SmallVector<int64_t> placed; ///< operands whose rows do not lie at equal distances
};
int64_t tilesOf(const Contraction &c, const MatrixTiling &t);
MatrixScratch scratchOf(const Contraction &c, const MatrixTiling &t);

/// Emits `c`, of either kind, by tiles. An element's sum has one order, whatever the tiling (rule
/// R3).
mlir::LogicalResult emitMatrix(class Emitter &e, const Contraction &c, const MatrixTiling &t);

} // namespace mtc::host
