//===- Attention.h - blocks of queries against all keys -------------------===//
//
// What mt-fuse-attention writes, in strides. A tile is a block of queries of one head: their scores
// against all keys lie in scratch as [keys][queries], so that queries are what vectors hold. Keys
// and values are then read as they are, number by number and vector by vector; only the queries
// (and a mask) are transposed, and softmax needs no sums across a vector.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Contraction.h"
#include "Emitter.h"

#include "mtc/Dialect/MT/Transforms/Attention.h"

namespace mtc::host {

struct Attention {
  /// Where a tensor has what belongs to a head, a query and a key, and how far apart the numbers
  /// of a query, key or value lie. Units: elements.
  struct Access {
    int storage = -1;
    llvm::SmallVector<int64_t> outer; ///< strides
    int64_t query = 0, key = 0, inner = 0;
  };

  BufferPlan plan;
  mt::Attention ops;
  llvm::SmallVector<int64_t> outer; ///< extents: batches, heads
  int64_t queries = 1, keys = 1, depth = 1, width = 1;
  Access query, key, value, result;
  llvm::SmallVector<Access> adjusting; ///< per input of ops.adjusted; storage -1: none in memory
  /// Scratch of a block: queries [depth][block], scores [keys][block], sums [block].
  int packed = -1, scores = -1, sums = -1;
};

/// The config: both products' register tiles. Queries of a block are those of a register tile.
struct AttentionTiling {
  int64_t lanes = 16;
  int64_t mr = 1, nv = 1;                            ///< of the scores: keys, vectors of queries
  int64_t valueLanes = 16, valueMr = 1, valueNv = 1; ///< of the values: queries, vectors
  int64_t block() const { return lanes * nv; }
};

/// Fails, without an error, if `kernel` is no attention.
mlir::FailureOr<Attention> analyseAttention(mt::KernelOp kernel);

/// Register tiles with the least modelled cycles.
AttentionTiling chooseAttentionTiling(const Attention &a, const HostTarget &target);

/// Number of independent tiles, and bytes of scratch for a worker.
int64_t tilesOf(const Attention &a, const AttentionTiling &t);
int64_t scratchOf(const Attention &a, const AttentionTiling &t);

/// Gives the scratch storages of the plan their sizes and places.
void placeScratch(Attention &a, const AttentionTiling &t);

/// The products of a block of `count` queries with all keys, and of their exponentials with the
/// values. Where operands begin is left to the emitter (Operand::from).
Contraction scoreProducts(const Attention &a, const AttentionTiling &t, int64_t count);
Contraction valueProducts(const Attention &a, const AttentionTiling &t, int64_t count);

/// Emits the tiles [lo, hi). A number is computed in one tile, in an order that depends on the
/// kernel only (rule R3).
mlir::LogicalResult emitAttention(Emitter &emitter, const Attention &attention,
                                  const AttentionTiling &tiling, const HostTarget &target);

} // namespace mtc::host
