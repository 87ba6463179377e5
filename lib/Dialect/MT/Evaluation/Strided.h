//===- Strided.h - moves of bytes between layouts -------------------------===//
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace mtc::mt {

/// Row-major strides of `shape`. Units: elements.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// dst[sum i_d * dstStrides_d] = src[sum i_d * srcStrides_d] for all i below `shape`.
/// Units: strides in elements, `elementBytes` is 1, 2, 4 or 8. Fails if never: the caller proves
/// the ranges. Complexity: memcpy where both sides have common contiguous rows, else blocks of 16
/// x 16.
void copyStrided(int64_t elementBytes, llvm::ArrayRef<int64_t> shape, const uint8_t *src,
                 llvm::ArrayRef<int64_t> srcStrides, uint8_t *dst,
                 llvm::ArrayRef<int64_t> dstStrides);

/// Writes `count` copies of the element at `value`.
void fillElements(int64_t elementBytes, const uint8_t *value, int64_t count, uint8_t *dst);

} // namespace mtc::mt
