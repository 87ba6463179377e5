//===- GpuModel.h - analytic times of kernels on a GPU --------------------===//
//
// A roofline with tiles: a persistent kernel runs its tiles in waves over the SMs of its share; a
// tile takes as long as its arithmetic or its loads from the level-2 cache; the whole takes at
// least as long as its bytes from memory. Where an SM holds few blocks, nobody computes while one
// fills or drains its pipeline. Nothing here was measured: every time is `modelled`.
// Not modelled: neighbours (the simulator shares bandwidth), what stays in the level-2 cache
// between kernels, clocks.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"
#include "mtc/Support/DeviceTable.h"

#include <optional>
#include <span>

namespace mtc {

/// The arithmetic of a GPU's contractions.
enum class GpuPrecision { F32, F16 };

/// The Device of a GPU for Problem::device: granules of GpuRow::unitsPerGranule SMs, the remainder
/// of the SMs unused.
Device gpuDevice(const GpuRow &row, GpuPrecision precision);

/// Variants of a kernel that was described for f32 (kind, flops, bytes, extents), at most three:
/// the tile sizes that are fastest on one granule, on a quarter of the device and on all of it.
/// Times are on 1 to all granules; numbers no faster than the one before are left out.
///
/// f16 halves all bytes. Contractions use CUDA cores for f32 and tensor cores for f16; those
/// without two dimensions to tile (depthwise, matrix times vector) use CUDA cores.
std::vector<Variant> gpuVariants(const Kernel &kernel, const GpuRow &row, GpuPrecision precision);

/// A tile of a contraction as it is computed, what lies past an edge included.
struct GpuTile {
  double flops = 0;     ///< fused multiply-adds counted twice
  double loads = 0;     ///< bytes from the level-2 cache
  int32_t resident = 1; ///< blocks of such tiles that an SM holds at once
};

/// A kernel that was cut already: phases, each a launch, of equal tiles that SMs take in turn.
struct GpuCut {
  int64_t flops = 0, bytes = 0;
  std::vector<int64_t> phaseTiles = {1}; ///< phases are taken to cost the same
  double efficiency = 0.25;              ///< the part of the CUDA cores' peak that a tile reaches
  std::optional<GpuTile> tile;           ///< none: each has an equal part of all
};

/// Times of a cut kernel on 1 to all granules; numbers no faster than the one before are left out.
std::vector<ShareTime> gpuTimes(const GpuCut &cut, const GpuRow &row);

/// Which of a kernel's cuts to offer a schedule, by their times on a device of `granules`: first
/// the one that is fastest on a quarter of it, which suits a kernel whose place nobody knows (of
/// equals the one that is faster on all shares together). Then, of
/// those that some share (1, 2, 4, 8, 12 and 16 of 16) runs faster by more than `margin` than all
/// that are taken, the one that gains most there, and so on: at most `most`. Of equals the one that
/// stands first. Positions in `times`.
///
/// Precondition: there is a cut, `most` is at least 1.
std::vector<size_t> chooseCuts(std::span<const std::vector<ShareTime>> times, int32_t granules,
                               double margin = 0.03, size_t most = 4);

/// `problem` on a GPU: device, and every kernel's bytes and variants; tasks are kept.
Problem onGpu(Problem problem, const GpuRow &row, GpuPrecision precision);

} // namespace mtc
