//===- Reductions.h - the loops of a sum, in the order of its additions ---===//
//
// A long sum of products runs in blocks: each from zero, then added to what came before. The error
// grows with the length of a block plus their number instead of with their product. Totals wait in
// memory while a block runs: 2 % of the time at 256 products a block (28 accumulators, counted).
// Where blocks begin depends on the shape only, not on the tiling (rule R3).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Contraction.h"

namespace mtc::host {

/// A reduction loop as a register tile runs it.
struct Reduction {
  int64_t extent = 1;
  llvm::SmallVector<int64_t> strides; ///< per input
  const Window *window = nullptr;
  enum class Mode { Plain, Bounded, Unrolled } mode = Mode::Plain;
  bool startsBlock = false; ///< what it and the loops inside give is one block
  bool isPart = false;      ///< written out, of a loop that is the one before it
  bool isDivided = false;   ///< runs over one part of an input after the other (Contraction::parts)
  bool mayMerge = true;     ///< with the loop inside or outside
  int64_t cutFrom = 0;      ///< > 0: blocks of a loop of that many trips, the last one shorter
  int64_t tail = 0;         ///< > 0: numbers in its last group of four
};

/// The reduction loops for a register tile, outermost first, merged where all inputs walk two as
/// one. `strides` are those of the inputs, per loop of `c`. `isEdge`: the rows touch a window's
/// padding along m; `clipped`: such rows run one by one.
llvm::SmallVector<Reduction> reductionsFor(const Contraction &c, const Tiling &t,
                                           llvm::ArrayRef<llvm::SmallVector<int64_t>> strides,
                                           bool isEdge, bool clipped);

/// Writes out the innermost loop of `list` if it is short, else as far as the config says; the order
/// of its additions stays. reductionsFor has done that but for a divided loop, whose parts get it.
void writeOutInnermost(llvm::SmallVectorImpl<Reduction> &list, const Tiling &t);

/// Whether blocks of the sum begin inside of `loop`.
bool cutsIntoBlocks(const Contraction &c, int64_t loop);

} // namespace mtc::host
