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
    if (!addWindows() || !addLoops() || !takeBoxes())
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
