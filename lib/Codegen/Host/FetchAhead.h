//===- FetchAhead.h - what tiles read next, fetched beside their products -===//
//
// Where a core does not foresee what a product reads next, its misses wait for each other only as
// far as the core looks ahead: a line every 9 ns from memory, of a t5's weights 7 GB/s where memory
// gives 27. A hint beside each step of the sums costs one of some thirty instructions.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Contraction.h"
#include "Emitter.h"
#include "Reductions.h"

namespace mtc::host {

/// How the register tiles of a group of columns share in fetching the panels of the next group.
struct PanelAhead {
  int64_t groupElements = 0; ///< of a group's panels, which follow each other; 0: none are fetched
  int64_t rows = 1;          ///< of the register tiles that share
  int64_t stepElements = 1;  ///< between two steps of a sum
  int64_t steps = 1;         ///< of a sum

  /// What a row's share is, and what a step of `tileRows` rows fetches of it.
  int64_t perRow() const { return llvm::divideCeil(groupElements, rows); }
  int64_t perStep(int64_t tileRows) const { return llvm::divideCeil(perRow() * tileRows, steps); }
};

/// Whether the weights of `c` are packed, narrower than its sums, and of a product of two matrices:
/// they come from beyond a core's caches faster than it foresees.
bool hasNarrowPanels(const Contraction &c);

/// Whether a config may say `ahead`: panels or results are there that a core's own caches miss.
bool mayFetchAhead(const Contraction &c);

/// What is fetched of narrow panels, and with `ahead` of any: nothing where many rows use each.
PanelAhead panelAheadOf(const Contraction &c, const Tiling &t);

/// Where a register tile that begins at row `row`, whose own panels begin at `base`, fetches from.
mlir::Value startOfShare(Emitter &e, const PanelAhead &ahead, mlir::Value base, mlir::Value row);

/// The share of the step that is `done` elements behind the panels' begin, for `tileRows` rows.
void fetchShare(Emitter &e, const PanelAhead &ahead, mlir::Value memory, mlir::Value start,
                mlir::Value done, int64_t tileRows);

/// Whether a register tile that begins fetches the lines that it will write.
bool fetchesResults(const Contraction &c, const Tiling &t);

/// Asks for the lines that `count` numbers from memory[at] on will be written to.
void fetchToWrite(Emitter &e, mlir::Value memory, mlir::Value at, int64_t count, bool isAligned);

/// The numbers of each row of a register tile that the loops of `list` walk without a gap, if its
/// rows follow each other without one, and what the next tile reads of them is worth fetching while
/// this one is computed; else 0. `input` is the one that is read row by row.
int64_t runLength(const Contraction &c, const Tiling &t, llvm::ArrayRef<Reduction> list,
                  int64_t input);

/// A step's share of the numbers that the next register tile adds to this one's: of `rows` runs of
/// `length`, `apart` from each other, the first one from `start` on, where the step is at
/// `position`.
void fetchRun(Emitter &e, mlir::Value memory, mlir::Value start, mlir::Value position,
              int64_t length, int64_t rows, int64_t apart);

} // namespace mtc::host
