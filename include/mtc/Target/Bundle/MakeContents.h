//===- MakeContents.h - from compiled programs to a bundle's contents -----===//
//
// The last step of the compiler half: weights become producers of bytes that are evaluated one at a
// time when the bundle is written, and the targets' weights one list. Everything else of a bundle
// is plain data already.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Contents.h"
#include "mtc/Dialect/MT/IR/MT.h"

#include <string>
#include <vector>

namespace mtc {

/// A program and what was made of it.
struct CompiledTarget {
  mt::ProgramOp program;
  std::vector<mt::WeightOp>
      weights; ///< Values and BufferRefs of `data` count them from `firstWeight`
  int32_t firstWeight = 0;
  TargetProgram data;
};

/// Adds `offset` to every weight index of `problem`: the weights of several targets stand one after
/// the other.
void shiftWeights(Problem &problem, int32_t offset);

/// Contents with the targets in order and all their weights.
///
/// Ownership: the producers of bytes refer to the programs, which must outlive the contents.
/// Fails if a name is no weight of its program, or `firstWeight` is not the number of weights
/// before it (Internal).
StatusOr<Contents> makeContents(std::vector<CompiledTarget> targets);

/// `text` itself, or its first `maxBytes` up to a line's end with a note of how much is missing.
std::string capText(std::string text, size_t maxBytes);

} // namespace mtc
