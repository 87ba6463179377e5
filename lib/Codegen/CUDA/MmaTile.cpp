//===- MmaTile.cpp - how a contraction is cut for tensor cores ------------===//
#include "MmaTile.h"

#include "TensorBox.h"

#include <cmath>

using namespace mlir;
using mtc::host::Contraction;

namespace mtc::cuda {

static constexpr int64_t warpThreads = 32, mmaRows = 16, mmaColumns = 8, groupRows = 64;
static constexpr int64_t sharedLimit = 227 << 10; ///< of a block, of any GPU

StringRef nameOf(MmaFormat format) {
  switch (format) {
  case MmaFormat::TF32:
    return "tf32";
  case MmaFormat::F16:
    return "f16";
  case MmaFormat::BF16:
    return "bf16";
  case MmaFormat::I8:
    return "i8";
  }
  llvm_unreachable("unknown format");
}

std::optional<MmaFormat> mmaFormat(StringRef name) {
  for (MmaFormat format : {MmaFormat::TF32, MmaFormat::F16, MmaFormat::BF16, MmaFormat::I8})
    if (name == nameOf(format))
      return format;
  return std::nullopt;
}

int64_t elementBytes(MmaFormat format) {
  return format == MmaFormat::TF32 ? 4 : format == MmaFormat::I8 ? 1 : 2;
}
int64_t productTerms(MmaFormat format) { return 32 / elementBytes(format); }

/// For a warp, of words, the eight groups of lanes are four banks apart where they go along rows,
/// the four lanes of a group eight banks apart where those do; of halves, eight rows of 16 bytes
/// fill all banks. For a warpgroup rows are swizzled instead.
int64_t pitchOf(const MmaTile &t, int64_t inner, bool termsInside) {
  if (t.byGroup)
    return inner;
  return inner +
         (t.format == MmaFormat::TF32 ? (termsInside ? 4 : 8) : 16 / elementBytes(t.format));
}

/// Bytes of both tiles of all stages, in the larger layout of each.
static int64_t sharedBytes(const MmaTile &t) {
  int64_t elements = 0;
  for (int64_t width : {t.bm, t.bn}) {
    const int64_t terms = width * pitchOf(t, t.bk, true);
    const int64_t across = t.bk * pitchOf(t, width, false);
    elements += t.byGroup || t.format == MmaFormat::I8 ? terms : std::max(terms, across);
  }
  return elements * elementBytes(t.format) * t.stages;
}

/// Of a thread, an estimate: sums, the fragments of a step, what is on its way, and addresses. A
/// warpgroup needs no fragments and packs halves and bytes as they come.
static int64_t registersOf(const MmaTile &t) {
  const int64_t sums = t.wm * t.wn / (t.byGroup ? 4 * warpThreads : warpThreads);
  const int64_t loaded = (t.bm + (t.staged ? 0 : t.bn)) * t.bk / t.copyThreads();
  if (t.mapped) // who multiplies
    return sums + 64;
  if (t.producers > 0) // which load some at once
    return std::max(sums, std::min<int64_t>(loaded, 64)) + 48;
  if (t.byGroup)
    return sums + loaded * elementBytes(t.format) / 4 + 64;
  return sums + t.wm / 4 + t.wn / 4 + loaded + 64;
}

/// Registers that a thread keeps which only starts copies or waits for their end: what NVIDIA's
/// CUTLASS leaves it (sm90 kernels, warp-specialized).
static constexpr int64_t producerRegisters = 40;

int64_t wantedBlocks(const MmaTile &t) {
  int64_t registers = t.threads() * registersOf(t);
  if (t.mapped)
    registers -= t.copyThreads() * (registersOf(t) - producerRegisters);
  return 2 * registers <= 64 << 10 ? 2 : 1;
}

/// A block starts with as many for all its threads as its part of an SM has (multiples of 8, at
/// most 255 of a thread). Source: PTX ISA 9.0, 9.7.19.5 (setmaxnreg).
std::optional<RegisterSplit> registerSplitOf(const MmaTile &t) {
  if (!t.mapped)
    return std::nullopt;
  const int64_t consumers = t.threads() - t.copyThreads();
  const int64_t start = (64 << 10) / (wantedBlocks(t) * t.threads()) / 8 * 8;
  if (start > 255)
    return std::nullopt;
  const int64_t more = (start - producerRegisters) * t.copyThreads() / consumers;
  return RegisterSplit{producerRegisters, std::min<int64_t>((start + more) / 8 * 8, 240)};
}

/// As many stages, up to four, as the wanted blocks have shared memory for.
static int64_t stagesOf(MmaTile t, const GpuRow &gpu) {
  const int64_t ofUnit = gpu.unitSharedBytes / wantedBlocks(t) - 1024; // the system's own
  const int64_t most = std::min<int64_t>(gpu.blockSharedBytes, ofUnit);
  for (t.stages = 4; t.stages > 2 && sharedBytes(t) > most;)
    --t.stages;
  return t.stages;
}

bool hasFormat(Type type, MmaFormat format) {
  switch (format) {
  case MmaFormat::F16:
    return type.isF16();
  case MmaFormat::BF16:
    return type.isBF16();
  case MmaFormat::I8:
    return type.isInteger(8);
  case MmaFormat::TF32:
    return false;
  }
  llvm_unreachable("unknown format");
}

bool fits(const MmaTile &t, const Contraction &c) {
  if (isOfBytes(c) != (t.format == MmaFormat::I8))
    return false;
  if (t.mapped &&
      (!tensorBoxOf(c, /*isRows=*/true, t) || !(t.staged || tensorBoxOf(c, /*isRows=*/false, t))))
    return false;
  if (!t.staged)
    return true;
  return hasFormat(storedType(c, c.vectorInput), t.format) && c.batch.empty() &&
         c.reductions.size() == 1 && c.product(c.reductions) % t.bk == 0 &&
         c.extent(c.n) % t.bn == 0;
}

namespace {

struct Cut {
  int64_t bm, bn, wm, wn;
  double efficiency; ///< part of the tensor cores' peak (estimates: mma.sync cannot reach it all)
  bool byGroup = false;
  int64_t producers = 0;
};

/// What a ring gains of which one thread starts all copies: that costs no instructions and
/// registers of many threads, which NVIDIA's CUTLASS gives as the reason for its kernels. Modelled
/// as a twentieth of the peak; measured by no GPU yet.
constexpr double mappedGain = 0.05;

constexpr Cut plainCuts[] = {
    {128, 128, 64, 32, 0.55},        {128, 64, 32, 32, 0.45},         {64, 128, 32, 32, 0.45},
    {64, 64, 32, 32, 0.35},          {128, 32, 32, 32, 0.35},         {64, 32, 32, 16, 0.25},
    {32, 64, 16, 32, 0.25},          {32, 32, 16, 16, 0.15},          {16, 128, 16, 32, 0.15},
    {16, 64, 16, 16, 0.1},           {64, 16, 16, 16, 0.1},           {128, 16, 32, 16, 0.15},
    {128, 256, 64, 256, 0.75, true}, {128, 128, 64, 128, 0.65, true}, {64, 256, 64, 256, 0.6, true},
    {128, 64, 64, 64, 0.5, true},    {64, 128, 64, 128, 0.5, true},   {64, 64, 64, 64, 0.4, true},
    {128, 32, 64, 32, 0.4, true},    {64, 32, 64, 32, 0.3, true},
};

// As above: multiplying warps neither copy nor wait for those that do.
constexpr Cut stagedCuts[] = {
    {128, 128, 64, 128, 0.7, true, 1}, {64, 256, 64, 256, 0.65, true, 1},
    {128, 64, 64, 64, 0.55, true, 1},  {64, 128, 64, 128, 0.55, true, 1},
    {64, 64, 64, 64, 0.45, true, 1},   {128, 32, 64, 32, 0.45, true, 1},
    {64, 32, 64, 32, 0.35, true, 1},
};

} // namespace

GpuBlock blockOf(const MmaTile &t) {
  int64_t registers = registersOf(t);
  if (std::optional<RegisterSplit> split = registerSplitOf(t)) // on the average of all threads
    registers =
        (split->consumer * (t.threads() - t.copyThreads()) + split->producer * t.copyThreads()) /
        t.threads();
  return {t.threads(), registers, sharedBytes(t)};
}

SmallVector<std::pair<MmaTile, double>> mmaTiles(const Contraction &c, MmaFormat format,
                                                 bool staged, const GpuRow &gpu, bool maps) {
  // Rates go with the bits: the data sheets that Support/DeviceTable names.
  const int64_t bytes = elementBytes(format);
  const double peak = gpu.f16TensorFlopsPerNs * 2 / static_cast<double>(bytes);
  SmallVector<std::pair<MmaTile, double>> tiles;
  auto consider = [&](const Cut &cut, bool mapped) {
    MmaTile tile{format, cut.bm, cut.bn, (cut.byGroup ? 128 : 64) / bytes, cut.wm, cut.wn};
    tile.byGroup = cut.byGroup;
    tile.producers = mapped ? 1 : cut.producers;
    tile.staged = staged;
    tile.mapped = mapped;
    tile.stages = stagesOf(tile, gpu);
    if (isValid(tile) && sharedBytes(tile) <= gpu.blockSharedBytes && fits(tile, c))
      tiles.push_back(
          {tile, (cut.efficiency + (mapped ? mappedGain : 0)) * peak / gpu.f32FlopsPerNs});
  };
  for (const Cut &cut : staged ? ArrayRef<Cut>(stagedCuts) : ArrayRef<Cut>(plainCuts)) {
    if (cut.byGroup && StringRef(gpu.architecture) != "sm_90a")
      continue;
    consider(cut, /*mapped=*/false);
    if (cut.byGroup && maps)
      consider(cut, /*mapped=*/true);
  }
  return tiles;
}

double efficiencyOf(const MmaTile &t, const GpuRow &gpu) {
  const double gain = t.mapped ? mappedGain : 0;
  const double peak =
      gpu.f16TensorFlopsPerNs * 2 / static_cast<double>(elementBytes(t.format)) / gpu.f32FlopsPerNs;
  for (const Cut &cut : t.staged ? ArrayRef<Cut>(stagedCuts) : ArrayRef<Cut>(plainCuts))
    if (std::tuple(cut.bm, cut.bn, cut.wm, cut.wn, cut.byGroup, t.mapped ? 1 : cut.producers) ==
        std::tuple(t.bm, t.bn, t.wm, t.wn, t.byGroup, t.producers))
      return (cut.efficiency + gain) * peak;
  // Reuse goes with a tile's sides.
  const double sides = std::sqrt(static_cast<double>(t.bm * t.bn)) / 128;
  return std::min(0.7, (t.byGroup ? 0.65 : 0.5) * sides + gain) * peak;
}

bool isValid(const MmaTile &t) {
  for (int64_t n : {t.bm, t.bn, t.bk, t.wm, t.wn})
    if (n < 8 || n > 256 || !llvm::isPowerOf2_64(n))
      return false;
  if (t.wm < mmaRows || t.wn < 2 * mmaColumns || t.wm > t.bm || t.wn > t.bn ||
      t.bk < productTerms(t.format) || t.stages < 2 || t.stages > 8)
    return false;
  // A warpgroup reads rows of 128 bytes; one stage more than copied ahead is still being read.
  const int64_t rowBytes = t.bk * elementBytes(t.format);
  if (t.byGroup && (t.wm != groupRows || rowBytes != 128 || t.stages < (t.producers > 0 ? 2 : 3)))
    return false;
  // Producers are of a ring for warpgroups, and share the copies evenly.
  if (t.producers < 0 || t.producers > 2 || (t.producers > 0 && !t.byGroup) ||
      (t.staged && t.producers == 0))
    return false;
  // Copies of one thread are those of a ring.
  if (t.mapped && (t.producers != 1 || t.format == MmaFormat::TF32))
    return false;
  const int64_t threads = t.threads(), copyThreads = t.mapped ? 1 : t.copyThreads();
  int64_t mostRegisters = std::min<int64_t>(255, (64 << 10) / threads);
  if (std::optional<RegisterSplit> split = registerSplitOf(t))
    mostRegisters = split->consumer;
  const int64_t leastBytes = t.byGroup ? 16 : 4; // that a thread copies of a tile
  return threads <= 1024 && registersOf(t) <= mostRegisters &&
         std::min(t.bm, t.staged ? t.bm : t.bn) * rowBytes >= copyThreads * leastBytes &&
         sharedBytes(t) <= sharedLimit;
}

std::optional<MmaTile> smallerTile(MmaTile t) {
  if (!t.byGroup && t.wm > mmaRows) {
    t.wm /= 2;
    t.bm /= 2;
  } else {
    t.wn /= 2;
    t.bn /= 2;
  }
  return isValid(t) ? std::optional(t) : std::nullopt;
}

} // namespace mtc::cuda
