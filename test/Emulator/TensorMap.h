//===- TensorMap.h - boxes of tensors that copies bring to shared memory --===//
//
// What cuTensorMapEncodeTiled encodes: a tensor in global memory and a box of it that one
// cp.async.bulk.tensor copies, its rows behind each other in shared memory and swizzled by their
// addresses. Elements outside of the tensor are zeros. Nothing here knows of scheduling.
// Of cuTensorMapEncodeIm2col: pixels one after the other, from the copy's coordinates on. Those of
// a dimension begin at its lower corner and end with its last one moved by the upper corner; past
// that the next dimension goes on by its step. A pixel is read where the copy's offsets move it.
// Source: PTX ISA 9.0, 5.5 (tensors: tiled mode, im2col mode, swizzling modes), 9.7.9.25
// (cp.async.bulk.tensor); CUDA driver API 13.0, cuTensorMapEncodeTiled, cuTensorMapEncodeIm2col
// (limits).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "AsyncBarrier.h"

#include "mtc/Bundle/GpuCode.h"

#include <cstdint>
#include <span>
#include <vector>

namespace mtc::emulator {

struct TensorMap {
  int32_t buffer = 0; ///< as Launch counts them
  int64_t elementBytes = 2;
  /// Innermost first: elements of the tensor, bytes to the next of each dimension but the first,
  /// elements of the box.
  std::vector<int64_t> sizes, strides, box;
  int64_t chunks = 1;         ///< of 16 bytes in a row of the swizzle: 1 (none), 2, 4 or 8
  int64_t offset = 0;         ///< bytes of the buffer before the tensor
  std::vector<int64_t> steps; ///< elements to the next of the box; empty: all 1
  /// In im2col mode: corners of each dimension but the first and the last; `box` is channels and
  /// pixels.
  std::vector<int64_t> lower, upper;

  bool isIm2col() const { return !lower.empty(); }
  size_t rank() const { return sizes.size(); }
  int64_t step(size_t dimension) const { return steps.empty() ? 1 : steps[dimension]; }
  int64_t boxBytes() const;
  /// What the driver would not encode, or null.
  const char *check() const;
  /// From the first to the last byte of the tensor.
  int64_t bytes() const;
  /// Whether an im2col copy may begin at `at`: among its pixels.
  bool begins(std::span<const int32_t> at) const;
  /// The box at `at`, innermost first, of the tensor in the buffer `memory`, as it comes to `to` of
  /// shared memory: 16 bytes a part. `offsets`: of an im2col copy.
  std::vector<Copy> partsOf(std::span<const int32_t> at, const unsigned char *memory, int64_t to,
                            std::span<const int32_t> offsets = {}) const;

private:
  const char *checkPixels() const;
  std::vector<std::vector<int64_t>> pixelsFrom(std::span<const int32_t> at,
                                               std::span<const int32_t> offsets) const;
};

/// What a kernel's code says that a map is.
TensorMap tensorMapOf(const GpuTensorMap &map);

} // namespace mtc::emulator
