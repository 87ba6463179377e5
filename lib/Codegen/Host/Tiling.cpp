//===- Tiling.cpp - how a contraction is cut into tiles -------------------===//
#include "Contraction.h"
#include "DotProduct.h"
#include "FetchAhead.h"

using namespace mlir;

namespace mtc::host {
namespace {

int64_t groupsOf(const Contraction &c, const Tiling &t) {
  return llvm::divideCeil(c.extent(c.n), t.lanes * t.nv);
}

int64_t stepBlocks(const Contraction &c, const Tiling &t) {
  return std::max<int64_t>(1, llvm::divideCeil(segmentsOf(c, t.mr).steps, t.stepBlock));
}

} // namespace

bool mayReadInPlace(const Contraction &c) {
  return c.isProduct && !c.vectorRows && c.groups < 0 && !hasNarrowPanels(c);
}

Segments segmentsOf(const Contraction &c, int64_t mr) {
  Segments s;
  int64_t extent = c.extent(c.m);
  const Window *w = c.m < 0 ? nullptr : c.windowOfOuter(c.m);
  int64_t first = 0, last = extent - 1; // rows whose whole window lies inside
  if (w) {
    int64_t reach = (c.extent(w->inner) - 1) * w->dilation;
    first =
        std::clamp<int64_t>(llvm::divideCeil(std::max<int64_t>(0, w->low), w->scale), 0, extent);
    int64_t room = w->size - 1 + w->low - reach;
    last = room < 0 ? -1 : std::min<int64_t>(extent - 1, room / w->scale);
  }
  int64_t unrolled = 0;
  for (int64_t at = 0; at < extent; at += mr) {
    int64_t count = std::min(mr, extent - at);
    bool whole = count == mr && at >= first && at + count - 1 <= last;
    if (whole && s.right.empty()) {
      if (s.steps++ == 0)
        s.inside = at;
      continue;
    }
    (s.steps == 0 ? s.left : s.right).emplace_back(at, count);
    unrolled += w ? c.extent(w->inner) : 1;
  }
  if (w && unrolled > 24) {
    // Unrolling would cost too much code: the edges row by row, the rows inside by tiles.
    s = Segments();
    s.clipped = true;
    s.inside = first;
    s.steps = std::max<int64_t>(0, last + 1 - first) / mr;
    int64_t end = first + s.steps * mr;
    s.left.emplace_back(0, first);
    s.right.emplace_back(end, extent - end);
  }
  return s;
}

int64_t tilesOf(const Contraction &c, const Tiling &t) {
  return c.product(c.batch) * llvm::divideCeil(c.product(c.rows), t.rowBlock) * stepBlocks(c, t) *
         groupsOf(c, t);
}

int64_t packedBytes(const Contraction &c) {
  if (!c.packs)
    return 0;
  if (c.groups >= 0)
    return 4;
  return elementBytes(c.plan.storages[c.operands[c.vectorInput].storage].elementType);
}

int64_t scratchOf(const Contraction &c, const Tiling &t) {
  int64_t vectors = c.spillsEpilogue ? t.mr * t.nv : 0;
  int64_t packed = c.packs ? c.product(c.reductions) * t.nv : 0;
  return llvm::alignTo((vectors * c.accumulatorBytes() + packed * packedBytes(c)) * t.lanes, 64);
}

Tiling chooseTiling(const Contraction &c, const HostTarget &target) {
  int64_t full = target.vectorBytes / c.accumulatorBytes(), n = c.extent(c.n);
  int64_t mExtent = c.extent(c.m), panel = 0;
  // Without an instruction for it, four bytes are two vectors and two multiplications and sums.
  bool isSplit = c.groups >= 0 && !hasByteDotProduct(target);
  int64_t perOperand = isSplit ? 2 : 1;
  bool isInteger = c.groups < 0 && c.element.isInteger(); // vpmulld and vpaddd: three operations
  double work = isSplit ? 4 : isInteger ? 3 : 1;
  for (const Operand &o : c.operands)
    panel = std::max(panel, o.panel);
  // Fitted, as in the model of configs (lib/Tuning/ConfigSpace.cpp).
  const double widening = hasNarrowPanels(c) && c.groups < 0 ? 0.1 : 0;
  Tiling best;
  double least = 0;
  // Cycles of one step of K over all register tiles: two FMAs and two loads a cycle, latency 4 (Zen
  // 4, Golden Cove). Narrower vectors cost the same per instruction but for a small bonus: they
  // leave fewer lanes idle.
  for (int64_t lanes : {full, full / 2}) {
    if (lanes < full && (lanes < 8 || n > 3 * lanes))
      continue;
    // Half as wide ones take as long where units are as wide as vectors (24 columns in two whole
    // vectors 1.1 to 1.8 times as fast as in three half ones; Intel Xeon, 2026-11-24).
    const double width = lanes == full || target.fetchesAhead ? 1.0 : 0.6;
    for (int64_t nv : {1, 2, 3, 4, 6, 8}) {
      int64_t span = nv * lanes;
      if (nv > 1 && span - lanes >= n)
        continue;
      bool fitsPanels =
          !panel || panel % span == 0 || span % panel == 0 || (span >= n && span <= panel);
      if (!fitsPanels)
        continue;
      for (int64_t mr = 1; mr <= std::min<int64_t>(mExtent, 16); ++mr) {
        // Of four vectors one may stay in memory: few instructions read it there. Where there are
        // rows enough, 14 of two vectors are faster there (1.09 times in geometric mean of 14
        // products of f32; Intel Xeon, 2026-11-24).
        const bool mayStay = mayReadInPlace(c) && !(target.fetchesAhead && mExtent >= 14);
        const int64_t kept = nv - (mayStay && nv > 3 ? 1 : 0);
        if (mr * nv + (kept + 1) * perOperand > target.vectorRegisters || mr * nv > 30)
          continue;
        auto cycles = [&](int64_t rows, int64_t vectors) {
          if (rows == 0 || vectors == 0)
            return 0.0;
          double loads = c.vectorRows ? rows * vectors + vectors : rows + vectors;
          return std::max({rows * vectors * 0.5 * width * work,
                           loads * 0.5 * (c.vectorRows ? width : 1.0), 4.0}) +
                 widening * (2 * rows + 3 * vectors) + 0.5;
        };
        int64_t wholeN = n / span, restN = llvm::divideCeil(n % span, lanes);
        int64_t wholeM = mExtent / mr, restM = mExtent % mr;
        double total = wholeM * (wholeN * cycles(mr, nv) + cycles(mr, restN)) +
                       wholeN * cycles(restM, nv) + cycles(restM, restN);
        if (least == 0 || total < least * 0.999) {
          least = total;
          best = {lanes, mr, nv, 1, 1};
        }
      }
    }
  }
  best.ahead = target.fetchesAhead && mayFetchAhead(c) ? 1 : 0;
  // Tiles: the inputs of its rows within a quarter of an L2 cache, at least four tiles a core if
  // they stay above a few microseconds (2^20 operations).
  Segments s = segmentsOf(c, best.mr);
  int64_t k = c.product(c.reductions), rows = c.product(c.rows);
  double perRow = 2.0 * k * mExtent * best.nv * best.lanes;
  auto inputBytes = [&](int64_t rowCount,
                        int64_t steps) { // an estimate: without overlap of windows
    return 4.0 * rowCount * steps * best.mr * std::max<int64_t>(1, k / 2);
  };
  constexpr double cacheBytes = 256 << 10, leastWork = 1 << 20;
  best.stepBlock = std::max<int64_t>(1, s.steps);
  if (!c.packs)
    while (best.stepBlock > 1 &&
           (inputBytes(1, best.stepBlock) > cacheBytes ||
            (tilesOf(c, best) < 4 * target.cores &&
             perRow * best.stepBlock / std::max<int64_t>(1, s.steps) > leastWork)))
      best.stepBlock = (best.stepBlock + 1) / 2;
  // Where all weights fit half an L2 cache, neighbouring tiles are those of one block of rows,
  // small enough for an L1 cache: inputs are read once and results written in order. Predicted for
  // 1x1 convolutions of large images: their writes no longer stall, 2x; measured on two cores of
  // AMD EPYC Zen 4, shared VM, 2026-11-23: 19200x48x96 1720 -> 850 us, 4800x48x96 with gelu 640 ->
  // 330 us, the document set 2.6 of 100 ms.
  constexpr double weightBytes = 512 << 10, blockBytes = 16 << 10;
  if (!c.packs && groupsOf(c, best) > 1 && 4.0 * k * n <= weightBytes)
    best.stepBlock = std::clamp<int64_t>(blockBytes / (4.0 * k * best.mr), 1, best.stepBlock);
  // Narrow weights come from beyond a core's caches: all rows of a group of columns follow each
  // other, on one core, in tiles of about 10 us (2^20 operations), and are found in its second
  // cache again.
  constexpr double rowBytes = 1 << 20;
  if (hasNarrowPanels(c) && 4.0 * k * mExtent <= rowBytes) {
    const double work = 2.0 * k * best.nv * best.lanes * best.mr;
    best.stepBlock = std::clamp<int64_t>(leastWork / work, 1, std::max<int64_t>(1, s.steps));
    best.order = best.stepBlock < s.steps ? 1 : 0;
    return best;
  }
  // Weights of a window that a core's own caches miss are read once a core, not once a block of
  // rows, where those hold the rows. Predicted 0.9 of the time for 3x3x256x256 at 7x7, measured
  // 0.85 (one core of an Intel Xeon with AVX512-FP16, shared VM, 2026-11-23).
  if (!c.packs && !c.windows.empty() && c.vectorInput >= 0 && 4.0 * k * n > kCoreCacheBytes &&
      inputBytes(rows, std::max<int64_t>(1, s.steps)) <= kCoreCacheBytes)
    best.order = 1;
  best.rowBlock = c.packs ? std::max<int64_t>(1, rows) : 1;
  if (best.stepBlock >= s.steps && !c.packs)
    while (best.rowBlock < rows && inputBytes(best.rowBlock * 2, s.steps) <= cacheBytes &&
           (perRow * best.rowBlock < leastWork || tilesOf(c, best) > 16 * target.cores)) {
      Tiling next = best;
      next.rowBlock = std::min(rows, best.rowBlock * 2);
      if (tilesOf(c, next) < 4 * target.cores && perRow * best.rowBlock >= leastWork / 4)
        break;
      best = next;
    }
  return best;
}

} // namespace mtc::host
