//===- MmaTile.h - how a contraction is cut for tensor cores --------------===//
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

int64_t elementBytes(MmaFormat format); ///< in shared memory
int64_t productTerms(MmaFormat format); ///< that one product adds: 32 bytes of them

/// Whether elements in memory are what is multiplied, so that none is rounded; never of tf32.
bool hasFormat(mlir::Type type, MmaFormat format);

/// How a contraction is cut: a block computes bm x bn results, bk terms of all of them at a time
/// from one of `stages` parts of shared memory; a warp wm x wn of them by products of 16 x 8, or a
/// warpgroup 64 x wn by products of as many.
struct MmaTile {
  MmaFormat format = MmaFormat::TF32;
  int64_t bm = 64, bn = 64, bk = 32, wm = 32, wn = 32, stages = 2;
  bool byGroup = false; ///< wgmma of four warps, not mma.sync of one
  /// Warpgroups that copy while others multiply (EmitRing.cpp); 0: all threads do both.
  int64_t producers = 0;
  /// What varies with the columns comes by bulk copies (StagedWeight.h).
  bool staged = false;
  /// All else comes by tensor maps (TensorBox.h), so that one thread starts all copies.
  bool mapped = false;

  int64_t copyThreads() const { return producers > 0 ? 128 * producers : threads(); }
  int64_t threads() const { return bm / wm * (bn / wn) * (byGroup ? 128 : 32) + 128 * producers; }
};

/// Elements of shared memory from one row of a tile to the next, of `inner` elements.
int64_t pitchOf(const MmaTile &tile, int64_t inner, bool termsInside);

/// Blocks that an SM should hold: two, one computing while the other waits, where both fit its
/// registers by an estimate.
int64_t wantedBlocks(const MmaTile &tile);

/// Registers that a ring moves from the threads that copy to those that multiply, where one thread
/// starts all copies.
struct RegisterSplit {
  int64_t producer = 0, consumer = 0; ///< of a thread
};
/// None where threads have as many as there can be anyhow.
std::optional<RegisterSplit> registerSplitOf(const MmaTile &tile);

/// What a block of such tiles takes of an SM, registers by an estimate.
GpuBlock blockOf(const MmaTile &tile);

/// The tiles to choose from, each with the part of the CUDA cores' peak that it reaches
/// (estimates); of a contraction with a staged weight there may be none. `maps`: tensor maps may be
/// used.
llvm::SmallVector<std::pair<MmaTile, double>> mmaTiles(const host::Contraction &c, MmaFormat format,
                                                       bool staged, const GpuRow &gpu, bool maps);

/// The part of the CUDA cores' peak that any valid tile reaches: its table's, or what its size and
/// the next table entries suggest.
double efficiencyOf(const MmaTile &tile, const GpuRow &gpu);

/// Whether a tile is for the factors of a contraction: bytes, or what is rounded to its format. A
/// staged weight is of the format already, and tiles and steps divide it; so is what is mapped.
bool fits(const MmaTile &tile, const host::Contraction &c);

/// Whether a tile can be emitted: it fits the shared memory that a block of some GPU may ask for
/// and, by an estimate, the registers of a block.
bool isValid(const MmaTile &tile);

/// The tile with half the results a thread; none if that cannot be emitted.
std::optional<MmaTile> smallerTile(MmaTile tile);

} // namespace mtc::cuda
