//===- GpuModel.h - analytic times of kernels on a GPU --------------------===//
//
// A roofline with tiles: a persistent kernel runs its tiles in waves over the SMs of its share; a
// tile takes as long as its arithmetic or its loads from the level-2 cache; the whole takes at
// least as long as its bytes from memory. Nothing here was measured: every time is `modelled`.
// Not modelled: neighbours (the simulator shares bandwidth), what stays in the level-2 cache
// between kernels, clocks.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"
#include "mtc/Support/DeviceTable.h"

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

/// A kernel that was cut already: phases, each a launch, of equal tiles that SMs take in turn.
struct GpuCut {
  int64_t flops = 0, bytes = 0;
  std::vector<int64_t> phaseTiles = {1}; ///< phases are taken to cost the same
  double efficiency = 0.25;              ///< the part of the CUDA cores' peak that a tile reaches
};

/// Times of a cut kernel on 1 to all granules; numbers no faster than the one before are left out.
std::vector<ShareTime> gpuTimes(const GpuCut &cut, const GpuRow &row);

/// `problem` on a GPU: device, and every kernel's bytes and variants; tasks are kept.
Problem onGpu(Problem problem, const GpuRow &row, GpuPrecision precision);

} // namespace mtc
