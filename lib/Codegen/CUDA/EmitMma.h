//===- EmitMma.h - matrix products and convolutions on tensor cores -------===//
#pragma once

#include "ContractionFrame.h"

#include "mtc/Support/DeviceTable.h"

namespace mtc::cuda {

/// What factors are rounded to before a warp multiplies them, with sums in f32; I8 are bytes,
/// signed or not, whose sums in i32 are exact.
enum class MmaFormat { TF32, F16, BF16, I8 };

/// "tf32", "f16", "bf16", "i8".
llvm::StringRef nameOf(MmaFormat format);
std::optional<MmaFormat> mmaFormat(llvm::StringRef name);

/// How a contraction is cut: a block computes bm x bn results, bk terms of all of them at a time
/// from one of `stages` parts of shared memory; a warp wm x wn of them by products of 16 x 8.
struct MmaTile {
  MmaFormat format = MmaFormat::TF32;
  int64_t bm = 64, bn = 64, bk = 32, wm = 32, wn = 32, stages = 2;

  int64_t threads() const { return bm / wm * (bn / wn) * 32; }
};

/// The tile with the least modelled time on a quarter of the GPU, and the part of the CUDA cores'
/// peak that it reaches.
std::pair<MmaTile, double> chooseMmaTile(const host::Contraction &c, MmaFormat format,
                                         const GpuRow &gpu);

/// Whether a format is for the factors of a contraction.
bool fits(MmaFormat format, const host::Contraction &c);

/// Whether a tile can be emitted: it fits the static shared memory of a block and, by an estimate,
/// its registers.
bool isValid(const MmaTile &tile);

/// Emits the body. Terms are added in the order of the contraction's reductions, those of a step of
/// mma.sync in an order that the hardware knows, whatever the tile (rule R3).
void emitMma(ThreadEmitter &emitter, const host::Contraction &c, const MmaTile &tile);

} // namespace mtc::cuda
