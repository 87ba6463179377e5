//===- MatrixTiles.cpp - contractions by products of whole tiles ----------===//
#include "MatrixTiles.h"

#include "Emitter.h"

#include "mtc/Dialect/MT/Transforms/SplitWeight.h"

using namespace mlir;

namespace mtc::host {

FailureOr<Contraction> analyseMatrix(mt::KernelOp kernel) {
  FailureOr<Contraction> c = analyseContraction(kernel);
  if (failed(c) || !c->splitParts || !c->batch.empty() || c->m < 0 || c->reductions.empty() ||
      c->vectorRows || c->inputs < 2)
    return failure();
  const int64_t inner = c->reductions.back(), weight = c->vectorInput;
  bool fits = c->stride(weight, inner) == mt::kTileColumns && !c->windowOfInner(inner);
  for (int64_t i = 0; i < c->inputs; ++i)
    fits &= i == weight || (c->operands[i].storage >= 0 && c->stride(i, inner) == 1);
  for (int64_t l : c->reductions)
    fits &= c->stride(weight, l) % mt::kTileColumns == 0;
  return fits && (c->partsLoop < 0 || c->partsLoop == inner) ? c
                                                             : FailureOr<Contraction>(failure());
}

/// Whether the rows of an operand, counted through all loops, lie at equal distances.
static bool isEven(const Contraction &c, int64_t operand) {
  int64_t expected = c.stride(operand, c.m) * c.extent(c.m);
  for (int64_t l : llvm::reverse(c.rows)) {
    if (c.stride(operand, l) != expected)
      return false;
    expected *= c.extent(l);
  }
  return true;
}

FailureOr<Contraction> analyseByteTiles(mt::KernelOp kernel) {
  FailureOr<Contraction> c = analyseContraction(kernel);
  if (failed(c) || c->groups < 0 || c->groupTail || c->packs || !c->batch.empty() || c->m < 0 ||
      c->inputs != 2 || !c->windows.empty() || c->reductions != SmallVector<int64_t>{c->groups} ||
      c->extent(c->groups) % 16 || positionsOf(*c) < 16)
    return failure();
  const Operand &weight = c->operands[c->vectorInput];
  const bool fits = weight.panel > 0 && weight.panel % 16 == 0 && isEven(*c, 1 - c->vectorInput) &&
                    !c->operands[1 - c->vectorInput].from;
  return fits ? c : FailureOr<Contraction>(failure());
}

int64_t positionsOf(const Contraction &c) { return c.product(c.rows) * c.extent(c.m); }

int64_t gatheredVectors(const Contraction &c) {
  int64_t vectors = 0;
  for (const Part &part : c.parts)
    vectors += llvm::divideCeil(part.extent, 16);
  const int64_t inner = c.extent(c.reductions.back());
  return c.product(c.reductions) / inner * (vectors ? vectors : llvm::divideCeil(inner, 16));
}

ArrayRef<std::pair<int, int>> productsOfParts(int64_t weightParts) {
  static constexpr std::pair<int, int> three[] = {{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}, {0, 2}};
  static constexpr std::pair<int, int> two[] = {{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};
  static constexpr std::pair<int, int> one[] = {{2, 0}, {1, 0}, {0, 0}};
  static constexpr std::pair<int, int> whole[] = {{0, 0}}; // bytes
  if (weightParts == 0)
    return whole;
  if (weightParts == 3)
    return three;
  return weightParts == 2 ? ArrayRef(two) : ArrayRef(one);
}

/// Where a core's own caches hold the weight beside it, blocks of rows are small, since what was
/// gathered is written there and read again; four tiles a core. Else as many rows as they hold
/// share what comes of the weight, and columns are cut for the cores: each reads its own part of
/// it. Each tile gathers its rows anew, 22 / columns of its time.
MatrixTiling chooseMatrixTiling(const Contraction &c, const HostTarget &target) {
  constexpr int64_t nearBytes = 96 << 10, farBytes = 768 << 10, leastColumns = 192;
  constexpr double leastWork = 2 << 20; // operations of a tile: some microseconds
  const int64_t positions = positionsOf(c), n = c.extent(c.n);
  MatrixTiling t;
  if (n <= 16)
    t = {4, 1, 0, 0};
  else if (positions <= 16)
    t = {1, 4, 0, 0};
  const int64_t step = 16 * t.mr, span = 16 * t.nv;
  const bool isFar = 2 * c.splitParts * c.splitDepth * n > kCoreCacheBytes;
  const int64_t perRow = 2 * kGatheredParts * c.splitDepth;
  t.rows = std::clamp<int64_t>((isFar ? farBytes : nearBytes) / perRow / step * step, step,
                               llvm::alignTo(positions, step));
  t.rows = llvm::alignTo(llvm::divideCeil(positions, llvm::divideCeil(positions, t.rows)), step);
  t.columns = llvm::alignTo(n, span);
  auto work = [&] { return 2.0 * double(t.rows * t.columns * c.splitDepth); };
  const int64_t leastTiles = (isFar ? 2 : 4) * target.cores;
  while (tilesOf(c, t) < leastTiles && work() > 2 * leastWork) {
    if (isFar && t.columns >= 2 * leastColumns)
      t.columns = llvm::alignTo(t.columns / 2, span);
    else if (t.rows >= 2 * step)
      t.rows = llvm::alignTo(t.rows / 2, step);
    else if (t.columns >= 2 * leastColumns)
      t.columns = llvm::alignTo(t.columns / 2, span);
    else
      break;
  }
  return t;
}

int64_t tilesOf(const Contraction &c, const MatrixTiling &t) {
  return llvm::divideCeil(positionsOf(c), t.rows) * llvm::divideCeil(c.extent(c.n), t.columns);
}

/// All rows share what comes of the weight, and columns are cut for the cores.
MatrixTiling chooseByteTiling(const Contraction &c, const HostTarget &target) {
  constexpr int64_t mostRows = 256, leastColumns = 64;
  const int64_t n = c.extent(c.n), positions = positionsOf(c);
  MatrixTiling t;
  if (n <= 16)
    t = {4, 1, 0, 0};
  else if (positions < 32)
    t = {1, 4, 0, 0};
  const int64_t step = 16 * t.mr, span = 16 * t.nv;
  const auto blocks = static_cast<int64_t>(llvm::divideCeil(positions, mostRows));
  t.rows = llvm::alignTo(llvm::divideCeil(positions, blocks), step);
  t.columns = llvm::alignTo(n, span);
  while (tilesOf(c, t) < 4 * target.cores && t.columns >= 2 * leastColumns)
    t.columns = llvm::alignTo(t.columns / 2, span);
  return t;
}

MatrixScratch scratchOf(const Contraction &c, const MatrixTiling &t) {
  MatrixScratch s;
  // An odd number of cache lines: the rows of a tile lie in different sets of a cache.
  const int64_t lines = c.splitDepth / mt::kTileDepth;
  if (c.splitParts)
    s.rowStride = (lines + (lines % 2 == 0 ? 1 : 2)) * mt::kTileDepth;
  s.sums = s.gathered + 2 * kGatheredParts * t.rows * s.rowStride;
  s.places = s.sums + 4 * 256 * t.mr * t.nv;
  for (int64_t o = c.inputs; o < static_cast<int64_t>(c.operands.size()); ++o)
    if (c.operands[o].storage >= 0 && !isEven(c, o))
      s.placed.push_back(o);
  s.bytes = s.places + llvm::alignTo(8 * t.rows * static_cast<int64_t>(s.placed.size()), 64);
  return s;
}

} // namespace mtc::host
