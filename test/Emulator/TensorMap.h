//===- TensorMap.h - boxes of tensors that copies bring to shared memory --===//
//
// What cuTensorMapEncodeTiled encodes: a tensor in global memory and a box of it that one
// cp.async.bulk.tensor copies, its rows behind each other in shared memory and swizzled by their
// addresses. Elements outside of the tensor are zeros. Nothing here knows of scheduling.
// Source: PTX ISA 9.0, 5.5 (tensors: tiled mode, swizzling modes), 9.7.9.25
// (cp.async.bulk.tensor); CUDA driver API 13.0, cuTensorMapEncodeTiled (limits).
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

  int64_t step(size_t dimension) const { return steps.empty() ? 1 : steps[dimension]; }
  int64_t boxBytes() const;
  /// What the driver would not encode, or null.
  const char *check() const;
  /// From the first to the last byte of the tensor.
  int64_t bytes() const;
  /// The box at `at`, innermost first, of the tensor in the buffer `memory`, as it comes to `to` of
  /// shared memory: 16 bytes a part.
  std::vector<Copy> partsOf(std::span<const int32_t> at, const unsigned char *memory,
                            int64_t to) const;
};

/// What a kernel's code says that a map is.
TensorMap tensorMapOf(const GpuTensorMap &map);

} // namespace mtc::emulator
