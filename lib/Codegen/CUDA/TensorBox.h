//===- TensorBox.h - the factors of a tile as boxes of tensors ------------===//
//
// A copy by a tensor map (cp.async.bulk.tensor) brings a box of a tensor of up to five dimensions
// to shared memory: rows of 128 bytes (of few columns 64), swizzled as wgmma reads them, zeros for
// what lies outside. Here an input of a contraction becomes such a tensor. Its loops are
// dimensions; those that walk the same dimension of memory (the rows of an image and of a window,
// say) are one. Padding is what lies outside. No register sees an element, and one thread starts
// all copies.
//
// Rows of a tile that are pixels of several rows of an image are several boxes, or one copy in
// im2col mode: it walks all pixels that the window's first term reads, on into the next row and the
// next image, and reads each where an offset, the term of the window, moves it.
//
// Source: PTX ISA 9.0, 5.5 (tensors; im2col mode), 9.7.9.25 (cp.async.bulk.tensor); the limits are
// those of check(GpuTensorMap).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "ContractionFrame.h"
#include "MmaTile.h"

#include "mtc/Bundle/GpuCode.h"

namespace mtc::cuda {

struct TensorBox {
  /// Coordinate `start` + the sum of the loops' indices, each times its factor.
  struct Dimension {
    int64_t start = 0;
    llvm::SmallVector<std::pair<int64_t, int64_t>> loops; ///< loop, factor
  };

  GpuTensorMap map; ///< but for the buffer
  llvm::SmallVector<Dimension> dimensions;
  llvm::SmallVector<Dimension> offsets; ///< in im2col mode: of dimensions of pixels
  bool termsInside = true;              ///< terms, not rows or columns, lie side by side
  int64_t width = 0;                    ///< rows or columns of a box
  int64_t count = 1;                    ///< boxes of a stage, behind each other in shared memory
};

/// The boxes of the rows (columns) of a tile; nothing if no tensor map says where they lie: another
/// format in memory, rows that are no multiple of 16 bytes, steps or rows that cross the ends of
/// loops, or too many boxes.
std::optional<TensorBox> tensorBoxOf(const host::Contraction &c, bool isRows, const MmaTile &tile);

} // namespace mtc::cuda
