//===- Reductions.cpp - the loops of a sum, in the order of its additions -===//
#include "Reductions.h"

using namespace mlir;

namespace mtc::host {
namespace {

/// A chain of at most this many products is one block.
constexpr int64_t kLongestChain = 384;
constexpr int64_t kBlock = 256;

/// Where the blocks of a sum begin.
struct Blocks {
  int64_t first = -1; ///< position in Contraction::reductions; -1: one block
  int64_t size = 0;   ///< > 0: trips of that loop in a block; 0: all of them
};

Blocks blocksOf(const Contraction &c) {
  if (!c.isProduct || !c.element.isF32() || c.product(c.reductions) <= kLongestChain)
    return {};
  // The outermost loop whose body is short enough; if that body is too short, blocks of the loop.
  int64_t inside = 1, l = c.reductions.size();
  while (l > 0 && inside * c.extent(c.reductions[l - 1]) <= kLongestChain)
    inside *= c.extent(c.reductions[--l]);
  if (inside >= kBlock / 8)
    return {l, 0};
  --l;
  if (c.windowOfInner(c.reductions[l])) // its trips depend on the place in the image
    return {};
  return {l, std::max<int64_t>(1, kBlock / inside)};
}

} // namespace

bool cutsIntoBlocks(const Contraction &c, int64_t loop) {
  const Blocks blocks = blocksOf(c);
  return blocks.first >= 0 && blocks.size > 0 && c.reductions[blocks.first] == loop;
}

void writeOutInnermost(SmallVectorImpl<Reduction> &list, const Tiling &t) {
  // A short innermost loop is written out.
  if (list.empty() || list.back().isDivided)
    return;
  if (list.back().mode == Reduction::Mode::Plain && list.back().mayMerge &&
      list.back().extent * t.mr * t.nv <= 64) {
    list.back().mode = Reduction::Mode::Unrolled;
    list.back().window = nullptr;
  } else if (list.back().mode == Reduction::Mode::Plain && !list.back().cutFrom &&
             !list.back().tail && t.unroll > 1 && list.back().extent % t.unroll == 0) {
    // A longer one in parts, if the config says so: the order of its additions stays.
    Reduction part = list.back();
    part.extent = t.unroll;
    part.mode = Reduction::Mode::Unrolled;
    part.isPart = true;
    part.startsBlock = false;
    part.window = nullptr;
    list.back().extent /= t.unroll;
    for (int64_t &stride : list.back().strides)
      stride *= t.unroll;
    list.push_back(std::move(part));
  }
}

SmallVector<Reduction> reductionsFor(const Contraction &c, const Tiling &t,
                                     ArrayRef<SmallVector<int64_t>> strides, bool isEdge,
                                     bool clipped) {
  Blocks blocks = blocksOf(c);
  SmallVector<Reduction> list;
  for (auto [position, l] : llvm::enumerate(c.reductions)) {
    Reduction r;
    r.extent = c.extent(l);
    r.strides = strides[l];
    r.tail = l == c.groups ? c.groupTail : 0;
    r.isDivided = l == c.partsLoop;
    r.mayMerge = !r.isDivided;
    if (const Window *w = c.windowOfInner(l)) {
      bool alongM = w->outer == c.m && c.m >= 0;
      if (!alongM || clipped)
        r.mode = Reduction::Mode::Bounded;
      else if (isEdge)
        r.mode = Reduction::Mode::Unrolled;
      r.window = w;
    }
    if (static_cast<int64_t>(position) == blocks.first) {
      if (blocks.size) {
        Reduction outer = r;
        outer.extent = llvm::divideCeil(r.extent, blocks.size);
        for (int64_t &stride : outer.strides)
          stride *= blocks.size;
        outer.mayMerge = false;
        list.push_back(outer);
        r.mayMerge = r.extent % blocks.size == 0;
        r.cutFrom = r.mayMerge ? 0 : r.extent;
        r.extent = blocks.size;
      }
      r.startsBlock = true;
      list.push_back(r);
      continue;
    }
    if (!list.empty() && list.back().mayMerge && r.mayMerge &&
        list.back().mode == Reduction::Mode::Plain && r.mode == Reduction::Mode::Plain && !r.tail &&
        !list.back().tail) {
      Reduction &outer = list.back();
      bool same = true;
      for (int64_t i = 0; i < c.inputs; ++i)
        same &= c.operands[i].storage < 0 || outer.strides[i] == r.strides[i] * r.extent;
      if (same) {
        outer.extent *= r.extent;
        outer.strides = r.strides;
        continue;
      }
    }
    list.push_back(r);
  }
  writeOutInnermost(list, t);
  // Windows without an inner loop: a loop of one trip or none.
  for (const Window &w : c.windows)
    if (w.inner < 0) {
      Reduction r;
      r.strides.assign(c.inputs, 0);
      r.window = &w;
      bool alongM = w.outer == c.m && c.m >= 0;
      if (alongM && !clipped && !isEdge)
        continue;
      r.mode = alongM && !clipped ? Reduction::Mode::Unrolled : Reduction::Mode::Bounded;
      list.insert(list.begin(), r);
    }
  return list;
}

} // namespace mtc::host
