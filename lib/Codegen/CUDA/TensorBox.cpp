//===- TensorBox.cpp - the factors of a tile as boxes of tensors ----------===//
#include "TensorBox.h"

using namespace mlir;
using mtc::host::Contraction;
using mtc::host::Operand;
using mtc::host::Storage;
using mtc::host::Window;

namespace mtc::cuda {
namespace {

/// Bytes of a row of shared memory, which is one of the swizzle: what a warpgroup reads of terms,
/// and at most of rows or columns.
constexpr int64_t rowBytes = 128;

/// Copies that one thread starts for a factor's part of a stage: a guess at what a step of products
/// hides, measured nowhere.
constexpr int64_t mostBoxes = 8;

/// A dimension of memory.
struct Axis {
  int64_t stride = 1, size = 1; ///< elements
  TensorBox::Dimension dimension;
  bool isPadded = false;

  /// How far an index of a loop moves along it; 0: not at all.
  int64_t factorOf(int64_t loop) const {
    for (auto [l, factor] : dimension.loops)
      if (l == loop)
        return factor;
    return 0;
  }
};

class Boxes {
public:
  Boxes(const Contraction &c, bool isRows, const MmaTile &tile)
      : c(c), t(tile), isRows(isRows), operand(isRows ? 1 - c.vectorInput : c.vectorInput),
        bytes(mtc::cuda::elementBytes(tile.format)), tileWidth(isRows ? tile.bm : tile.bn),
        rowLoops(rowLoopsOf(c)) {}

  std::optional<TensorBox> run() {
    const Operand &o = c.operands[operand];
    if (o.storage < 0 || o.from || o.panel || c.reductions.empty() || (isRows && rowLoops.empty()))
      return std::nullopt;
    const Storage &storage = c.plan.storages[o.storage];
    if (storage.kind != Storage::Kind::Argument || !hasFormat(storage.elementType, t.format))
      return std::nullopt;
    offset = o.offset;
    across = isRows ? rowLoops.back() : c.n;
    term = c.reductions.back();
    if (!addWindows() || !addLoops())
      return std::nullopt;
    const bool isTiled = takeBoxes();
    if ((!isTiled || box.count > 1) && findPixels())
      takePixels();
    else if (!isTiled)
      return std::nullopt;
    fillMap(storage.elementType);
    if (!check(box.map).ok() || box.map.offset + box.map.bytes() > storage.elements * bytes)
      return std::nullopt;
    return box;
  }

private:
  /// Padded dimensions: two loops walk each.
  bool addWindows() {
    if (isRows)
      for (const Window &w : c.windows) {
        const int64_t stride = c.stride(operand, w.outer);
        Axis &axis = axes.emplace_back();
        if (w.scale < 1 || stride % w.scale != 0)
          return false;
        axis.stride = stride / w.scale;
        axis.size = w.size;
        axis.isPadded = true;
        axis.dimension.start = -w.low;
        axis.dimension.loops.emplace_back(w.outer, w.scale);
        if (w.inner >= 0) {
          if (c.stride(operand, w.inner) != axis.stride * w.dilation)
            return false;
          axis.dimension.loops.emplace_back(w.inner, w.dilation);
        }
        offset += w.low * axis.stride;
      }
    return true;
  }

  bool isInAxis(int64_t loop) const {
    return llvm::any_of(axes, [&](const Axis &axis) { return axis.factorOf(loop) != 0; });
  }

  /// The other loops, smallest stride first: one that begins again inside of a dimension is another
  /// of its loops, as in a window without padding.
  bool addLoops() {
    SmallVector<int64_t> loops;
    for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l)
      if (c.loops[l].alive && c.stride(operand, l) != 0 && !isInAxis(l))
        loops.push_back(l);
    llvm::stable_sort(
        loops, [&](int64_t x, int64_t y) { return c.stride(operand, x) < c.stride(operand, y); });
    for (int64_t l : loops) {
      const int64_t stride = c.stride(operand, l), extent = c.extent(l);
      if (stride < 0)
        return false;
      auto same = llvm::find_if(axes, [&](const Axis &axis) {
        return !axis.isPadded && stride % axis.stride == 0 && stride < axis.stride * axis.size;
      });
      if (same == axes.end()) {
        axes.push_back({stride, extent, {0, {{l, 1}}}, false});
        continue;
      }
      same->dimension.loops.emplace_back(l, stride / same->stride);
      same->size += stride / same->stride * (extent - 1);
    }
    llvm::stable_sort(axes, [](const Axis &x, const Axis &y) { return x.stride < y.stride; });
    return axes.size() >= 2 && axes.front().stride == 1;
  }

  /// Whether a step's terms lie in one box, or zeros are where there are none.
  bool hasWholeSteps(const Axis &axis) const {
    if (c.extent(term) % t.bk == 0)
      return true;
    return c.reductions.size() == 1 && !axis.isPadded && axis.dimension.loops.size() == 1;
  }

  /// Cuts rows (columns) into boxes: of a loop whose end they cross a part of it each.
  bool takeBoxes() {
    SmallVector<int64_t> boxes(axes.size(), 1), steps(axes.size(), 1);
    box.width = tileWidth;
    box.map.swizzleBytes = rowBytes;
    if (isRows && rowLoops.size() > 1)
      while (c.extent(across) % box.width != 0)
        box.width /= 2;
    Axis &inner = axes.front();
    box.termsInside = inner.factorOf(term) == 1;
    const int64_t inside = box.termsInside ? term : across,
                  outside = box.termsInside ? across : term;
    auto other = llvm::find_if(axes, [&](const Axis &axis) { return axis.factorOf(outside) != 0; });
    if (inner.factorOf(inside) != 1 || other == axes.end() || other == axes.begin() ||
        !hasWholeSteps(box.termsInside ? inner : *other))
      return false;
    if (!box.termsInside) {
      // Halves alone can be transposed; a warpgroup's part begins with a row of the swizzle.
      const int64_t most = std::min<int64_t>(rowBytes / bytes, isRows ? t.wm : t.wn);
      if (bytes != 2 || box.width % most != 0 || most * bytes < rowBytes / 2)
        return false;
      box.width = most;
      box.map.swizzleBytes = static_cast<int32_t>(most * bytes);
    }
    box.count = tileWidth / box.width;
    boxes.front() = box.termsInside ? t.bk : box.width;
    boxes[other - axes.begin()] = box.termsInside ? box.width : t.bk;
    steps[other - axes.begin()] = other->factorOf(outside);
    box.map.box.assign(boxes.begin(), boxes.end());
    box.map.steps.assign(steps.begin(), steps.end());
    return box.count <= mostBoxes;
  }

  /// Whether rows are pixels of images in the order in which they lie in memory, inside of which
  /// are the terms.
  bool findPixels() {
    const Axis &inner = axes.front();
    if (!isRows || !c.batch.empty() || inner.factorOf(term) != 1 || inner.isPadded ||
        inner.dimension.loops.size() != 1 || !hasWholeSteps(inner))
      return false;
    size_t rowsLeft = rowLoops.size();
    bool movesLast = false;
    for (const Axis &axis : llvm::drop_begin(axes)) {
      movesLast = axis.isPadded || axis.dimension.start != 0;
      bool hasRow = false;
      int64_t furthest = 0;
      for (auto [loop, factor] : axis.dimension.loops) {
        if (llvm::is_contained(c.reductions, loop)) {
          furthest += factor * (c.extent(loop) - 1);
          movesLast = true;
          continue;
        }
        if (hasRow || rowsLeft == 0 || loop != rowLoops[rowsLeft - 1])
          return false;
        hasRow = true;
        --rowsLeft;
        movesLast |= factor != 1;
      }
      // Of the offsets' bits 16 are shared by all dimensions, of three 15.
      if (furthest >= int64_t(1) << (axes.size() > 4 ? 5 : 8))
        return false;
    }
    if (rowsLeft > 0)
      return false;
    if (movesLast) // a window's dimension is no number of an image
      axes.push_back({axes.back().stride * axes.back().size, 1, {}, false});
    return axes.size() >= 3 && axes.size() <= 5;
  }

  /// One copy of all rows: the pixels that the first term of the window reads, from the first to
  /// the last one, and what moves them to other terms.
  void takePixels() {
    box.map = {};
    box.termsInside = true;
    box.width = tileWidth;
    box.count = 1;
    box.map.swizzleBytes = rowBytes;
    box.map.box = {static_cast<int32_t>(t.bk), static_cast<int32_t>(tileWidth)};
    box.map.steps = {1};
    for (Axis &axis : llvm::drop_begin(axes)) {
      int64_t step = 1, count = 1;
      TensorBox::Dimension pixel{axis.dimension.start, {}}, offset;
      for (auto [loop, factor] : axis.dimension.loops)
        if (llvm::is_contained(c.reductions, loop)) {
          offset.loops.emplace_back(loop, factor);
        } else {
          pixel.loops.emplace_back(loop, factor);
          step = factor;
          count = c.extent(loop);
        }
      axis.dimension = pixel;
      box.map.steps.push_back(static_cast<int32_t>(step));
      if (&axis == &axes.back())
        break;
      box.offsets.push_back(offset);
      const int64_t last = pixel.start + (count - 1) * step;
      box.map.lower.push_back(static_cast<int32_t>(pixel.start));
      box.map.upper.push_back(static_cast<int32_t>(last - (axis.size - 1)));
    }
  }

  void fillMap(Type element) {
    box.map.element = element.isF16()    ? GpuTensorMap::Element::F16
                      : element.isBF16() ? GpuTensorMap::Element::BF16
                                         : GpuTensorMap::Element::U8;
    box.map.offset = offset * bytes;
    for (const Axis &axis : axes) {
      box.map.sizes.push_back(axis.size);
      if (&axis != &axes.front())
        box.map.strides.push_back(axis.stride * bytes);
      box.dimensions.push_back(axis.dimension);
    }
  }

  const Contraction &c;
  const MmaTile &t;
  bool isRows;
  int64_t operand, bytes, tileWidth;
  SmallVector<int64_t> rowLoops;
  int64_t offset = 0, across = -1, term = -1;
  SmallVector<Axis> axes;
  TensorBox box;
};

} // namespace

std::optional<TensorBox> tensorBoxOf(const Contraction &c, bool isRows, const MmaTile &tile) {
  return Boxes(c, isRows, tile).run();
}

} // namespace mtc::cuda
