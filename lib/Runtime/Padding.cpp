//===- Padding.cpp - see the header ---------------------------------------===//
#include "Padding.h"

#include <algorithm>
#include <cstring>

namespace mtc {

int64_t countElements(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

namespace {

/// Calls `move(inFull, inShape, elements)` for every contiguous run of `shape` inside `full`, with
/// positions in elements, in ascending order.
template <typename Move>
void forEachRun(std::span<const int64_t> full, std::span<const int64_t> shape, Move move) {
  if (countElements(shape) == 0)
    return;
  size_t outer = full.size(); // dims before this one are walked
  int64_t run = 1;
  while (outer > 0 && full[outer - 1] == shape[outer - 1])
    run *= full[--outer];
  int64_t step = run;
  if (outer > 0) {
    run *= shape[--outer];
    step *= full[outer];
  }
  std::vector<int64_t> index(outer, 0);
  for (int64_t at = 0;;) {
    int64_t row = 0;
    for (size_t dim = 0; dim < outer; ++dim)
      row = row * full[dim] + index[dim];
    move(row * step, at, run);
    at += run;
    size_t dim = outer;
    while (dim > 0 && ++index[dim - 1] == shape[dim - 1])
      index[--dim] = 0;
    if (dim == 0)
      return;
  }
}

} // namespace

void padTensor(const void *from, std::span<const int64_t> shape, void *to,
               std::span<const int64_t> full, std::span<const uint8_t> element) {
  auto *target = static_cast<uint8_t *>(to);
  const auto *source = static_cast<const uint8_t *>(from);
  const size_t bytes = element.size(), end = static_cast<size_t>(countElements(full)) * bytes;
  if (end == 0)
    return;
  // The first element, then copies of all that is there already.
  std::memcpy(target, element.data(), bytes);
  for (size_t filled = bytes; filled < end; filled *= 2)
    std::memcpy(target + filled, target, std::min(filled, end - filled));
  forEachRun(full, shape, [&](int64_t inFull, int64_t inShape, int64_t count) {
    std::memcpy(target + inFull * bytes, source + inShape * bytes, count * bytes);
  });
}

void cropTensor(void *data, std::span<const int64_t> full, std::span<const int64_t> shape,
                int64_t elementBytes) {
  auto *bytes = static_cast<uint8_t *>(data);
  forEachRun(full, shape, [&](int64_t inFull, int64_t inShape, int64_t count) {
    std::memmove(bytes + inShape * elementBytes, bytes + inFull * elementBytes,
                 count * elementBytes);
  });
}

} // namespace mtc
