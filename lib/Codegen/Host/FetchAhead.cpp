//===- FetchAhead.cpp - hints beside the steps of sums --------------------===//
#include "FetchAhead.h"

using namespace mlir;

namespace mtc::host {
namespace {

constexpr int64_t kLineBytes = 64;

int64_t bytesOfInput(const Contraction &c, int64_t input) {
  return elementBytes(c.plan.storages[c.operands[input].storage].elementType);
}

} // namespace

bool hasNarrowPanels(const Contraction &c) {
  return c.vectorInput >= 0 && c.operands[c.vectorInput].panel > 0 && !c.vectorRows &&
         bytesOfInput(c, c.vectorInput) < c.accumulatorBytes() && c.windows.empty() &&
         c.batch.empty() && c.product(c.rows) == 1;
}

PanelAhead panelAheadOf(const Contraction &c, const Tiling &t) {
  constexpr int64_t mostRegisterTiles = 32; // more have a panel fetched soon enough by its misses
  const int64_t span = t.nv * t.lanes, rows = c.extent(c.m);
  if (!hasNarrowPanels(c) || rows > mostRegisterTiles * t.mr)
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

/// Cores do not foresee a walk along several rows that enters new pages with every tile, of an
/// input beyond a core's caches that is used for few columns. Predicted 30 %, measured 15 to 30 %
/// less time for 3x3 and 1x1 convolutions of images above 4 MB, nothing for depthwise ones, nor for
/// weights of f32 (one core of AMD EPYC Zen 4, shared VM, 2026-11-23).
int64_t runLength(const Contraction &c, const Tiling &t, ArrayRef<Reduction> list, int64_t input) {
  constexpr int64_t fewColumns = 256, cacheBytes = 512 << 10;
  if (input < 0 || c.vectorRows || c.groups >= 0 || c.m < 0 || c.extent(c.n) > fewColumns ||
      elementBytes(c.element) * c.plan.storages[c.operands[input].storage].elements <= cacheBytes)
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

} // namespace mtc::host
