//===- Padding.h - tensors smaller than what was compiled -----------------===//
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mtc {

/// The elements of a tensor of `shape`.
int64_t countElements(std::span<const int64_t> shape);

/// Copies a row-major tensor of `shape` to the beginning of every dim of one of `full`, whose other
/// elements become `element`. `to` holds all of `full`, apart from `from`; ranks are equal and no
/// dim of `shape` exceeds that of `full`.
/// Complexity: linear in the elements of `full`.
void padTensor(const void *from, std::span<const int64_t> shape, void *to,
               std::span<const int64_t> full, std::span<const uint8_t> element);

/// Moves the elements of a row-major tensor of `full` that are inside `shape` to its front, where
/// they lie one after the other. `elementBytes` is at least 1.
/// Complexity: linear in the elements of `shape`.
void cropTensor(void *data, std::span<const int64_t> full, std::span<const int64_t> shape,
                int64_t elementBytes);

} // namespace mtc
