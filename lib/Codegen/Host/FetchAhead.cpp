//===- FetchAhead.cpp - hints beside the steps of sums --------------------===//
#include "FetchAhead.h"

using namespace mlir;

namespace mtc::host {
namespace {

constexpr int64_t kLineBytes = 64;

int64_t bytesOfInput(const Contraction &c, int64_t input) {
  return elementBytes(c.plan.storages[c.operands[input].storage].elementType);
}

int64_t bytesOfOperand(const Contraction &c, int64_t operand) {
  const Storage &storage = c.plan.storages[c.operands[operand].storage];
  return storage.elements * elementBytes(storage.elementType);
}

/// Whether the weights of `c` are packed, and of a product of two matrices.
bool hasPanels(const Contraction &c) {
  return c.vectorInput >= 0 && c.operands[c.vectorInput].panel > 0 && !c.vectorRows &&
         c.windows.empty() && c.batch.empty() && c.product(c.rows) == 1;
}

/// Whether wide weights of such a product are more than a core's own caches hold.
bool hasFarPanels(const Contraction &c) {
  return hasPanels(c) && !hasNarrowPanels(c) && bytesOfOperand(c, c.vectorInput) > kCoreCacheBytes;
}

/// Whether results lie in rows that a core's own caches miss. What goes past the caches is not
/// read before it is written; between the stores of a long epilogue a line has the time to come.
bool hasFarResults(const Contraction &c) {
  const int64_t operand = c.output(0);
  const int64_t bytes = bytesOfOperand(c, operand);
  return c.m >= 0 && !c.spillsEpilogue && c.stride(operand, c.n) == 1 && bytes > kCoreCacheBytes &&
         bytes <= kLastCacheBytes;
}

} // namespace

bool hasNarrowPanels(const Contraction &c) {
  return hasPanels(c) && bytesOfInput(c, c.vectorInput) < c.accumulatorBytes();
}

/// Cores whose last cache is far away - a mesh of slices, 27 GB/s a core - wait for lines of
/// weights and for those that results are written to. Measured on one core of an Intel Xeon with
/// AVX-512 and FP16, shared VM, 2026-11-23, in turn, passes of all tasks: weights of f32 0.75 to
/// 0.85 of the time at 128 rows, 0.81 to 0.89 at 576; results of 160x120x18710 (12 MB) 0.53, others
/// 0.9 to 1.0, but 1.7 where they are small (recurrences) and 2.5 where they go past the caches.
/// Models: minilm 0.79, vit 0.90, resnet50 0.91, rec 0.90. On AMD EPYC Zen 4 neither gained
/// anything.
bool mayFetchAhead(const Contraction &c) { return hasFarPanels(c) || hasFarResults(c); }

bool fetchesResults(const Contraction &c, const Tiling &t) {
  return t.ahead != 0 && hasFarResults(c);
}

PanelAhead panelAheadOf(const Contraction &c, const Tiling &t) {
  constexpr int64_t mostRegisterTiles = 32; // more have a panel fetched soon enough by its misses
  const int64_t span = t.nv * t.lanes, rows = c.extent(c.m);
  if (!(hasNarrowPanels(c) || (t.ahead && hasFarPanels(c))) || rows > mostRegisterTiles * t.mr)
    return {};
  const Operand &weights = c.operands[c.vectorInput];
  if (span % weights.panel || c.extent(c.n) <= span)
    return {};
  PanelAhead ahead;
  ahead.groupElements = span / weights.panel * weights.panelStride;
  // Tiles of the next columns follow at once, or those of other rows do and take their share.
  const bool isShared = t.order == 1 || t.stepBlock >= segmentsOf(c, t.mr).steps;
  ahead.rows = isShared ? rows : t.stepBlock * t.mr;
  ahead.stepElements = weights.panel * (c.groups >= 0 ? 4 : 1);
  ahead.steps = weights.panelStride / ahead.stepElements;
  return ahead;
}

Value startOfShare(Emitter &e, const PanelAhead &ahead, Value base, Value row) {
  Value share = arith::RemUIOp::create(e.b, e.loc, row, e.constant(ahead.rows));
  return e.linear(ahead.groupElements, {{base, 1}, {share, ahead.perRow()}});
}

void fetchShare(Emitter &e, const PanelAhead &ahead, Value memory, Value start, Value done,
                int64_t tileRows) {
  const int64_t bytes = elementBytes(cast<MemRefType>(memory.getType()).getElementType());
  const int64_t perStep = ahead.perStep(tileRows);
  Value step = arith::DivUIOp::create(e.b, e.loc, done, e.constant(ahead.stepElements));
  Value at = e.add(start, e.mul(step, perStep));
  for (int64_t line = 0; line * kLineBytes < perStep * bytes; ++line)
    e.prefetch(memory, e.add(at, e.constant(line * kLineBytes / bytes)), /*cache=*/2);
}

void fetchToWrite(Emitter &e, Value memory, Value at, int64_t count, bool isAligned) {
  const int64_t bytes = elementBytes(cast<MemRefType>(memory.getType()).getElementType());
  const int64_t lines = llvm::divideCeil(count * bytes, kLineBytes) + (isAligned ? 0 : 1);
  for (int64_t line = 0; line < lines; ++line)
    e.prefetch(memory, e.add(at, e.constant(line * kLineBytes / bytes)), /*cache=*/1,
               /*isWrite=*/true);
}

/// Cores do not foresee a walk along several rows that enters new pages with every tile, of an
/// input beyond a core's caches that is used for few columns. Predicted 30 %, measured 15 to 30 %
/// less time for 3x3 and 1x1 convolutions of images above 4 MB, nothing for depthwise ones, nor for
/// weights of f32 (one core of AMD EPYC Zen 4, shared VM, 2026-11-23).
int64_t runLength(const Contraction &c, const Tiling &t, ArrayRef<Reduction> list, int64_t input) {
  constexpr int64_t fewColumns = 256;
  if (input < 0 || c.vectorRows || c.groups >= 0 || c.m < 0 || c.extent(c.n) > fewColumns ||
      elementBytes(c.element) * c.plan.storages[c.operands[input].storage].elements <=
          kCoreCacheBytes)
    return 0;
  int64_t length = 1;
  for (const Reduction &r : llvm::reverse(list)) {
    if ((r.mode != Reduction::Mode::Plain && !r.isPart) || r.isDivided ||
        r.strides[input] != length)
      return 0;
    length *= r.extent;
  }
  return length >= t.lanes && c.stride(input, c.m) <= length ? length : 0;
}

void fetchRun(Emitter &e, Value memory, Value start, Value position, int64_t length, int64_t rows,
              int64_t apart) {
  Value done = arith::SubIOp::create(e.b, e.loc, position, start);
  Value at = e.linear((rows - 1) * apart + length,
                      {{start, 1}, {done, llvm::divideCeil(rows * apart, length)}});
  e.prefetch(memory, at);
}

} // namespace mtc::host
