//===- CheckTiles.h - some tiles of a CUDA kernel against the host --------===//
//
// Whole kernels of real models would take the emulator hours, a few of their tiles take seconds.
// Rule R6 says that any range of tiles can be run, so the first, the last and some in the middle
// are, each by two grids in other orders of blocks and threads.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Runtime/KernelABI.h"
#include "mtc/Support/Status.h"

#include <string>
#include <vector>

namespace mtc::emulator {

/// The same kernel's code for the host.
struct HostCode {
  MtcKernelFn function = nullptr;
  std::vector<int64_t> phaseTiles;
  int64_t scratchBytes = 0;
};

/// What was compared.
struct TileReport {
  int64_t tiles = 0, checkedTiles = 0; ///< of all phases
  int64_t elements = 0, compared = 0;  ///< of all results
  double error = 0; ///< largest, over the largest magnitude of its result; of floats
};

/// Runs ranges of tiles of `variant` (a CUDA one) in the emulator, with every access checked, on
/// random inputs drawn from `seed`, and compares all that they wrote with what `host` computes from
/// the same inputs: integers bit by bit, floats to 1e-5 of the largest magnitude of the result
/// (f16: 2e-3, bf16: 1.6e-2, f64: 1e-12; products whose factors are rounded to tf32 or f16: 2e-3,
/// to bf16: 2e-2).
///
/// A kernel of several phases, or whose threads never wait for each other, is also run as a whole,
/// without checks of accesses: the ranges must write the bits that the whole run wrote, and all
/// elements are compared.
///
/// Fails if an answer differs, depends on grid or order, nothing is written, an access is wrong, or
/// the kernel cannot be emitted or emulated.
StatusOr<TileReport> checkTiles(mt::KernelOp kernel, mt::VariantAttr variant, const HostCode &host,
                                uint64_t seed);

} // namespace mtc::emulator
