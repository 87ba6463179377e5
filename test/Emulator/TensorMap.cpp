//===- TensorMap.cpp - boxes of tensors that copies bring to shared memory ===//
#include "TensorMap.h"

#include <cstring>

namespace mtc::emulator {

int64_t TensorMap::boxBytes() const {
  int64_t bytes = elementBytes;
  for (int64_t n : box)
    bytes *= n;
  return bytes;
}

int64_t TensorMap::bytes() const {
  int64_t end = sizes[0] * elementBytes;
  for (size_t d = 1; d < sizes.size(); ++d)
    end += (sizes[d] - 1) * strides[d - 1];
  return end;
}

TensorMap tensorMapOf(const GpuTensorMap &map) {
  TensorMap result;
  result.buffer = map.buffer;
  result.elementBytes = map.elementBytes();
  result.sizes = map.sizes;
  result.strides = map.strides;
  result.box.assign(map.box.begin(), map.box.end());
  result.chunks = map.swizzleBytes == 0 ? 1 : map.swizzleBytes / 16;
  result.offset = map.offset;
  result.steps.assign(map.steps.begin(), map.steps.end());
  return result;
}

const char *TensorMap::check() const {
  if (sizes.empty() || sizes.size() > 5 || box.size() != sizes.size() ||
      strides.size() + 1 != sizes.size())
    return "has no rank of 1 to 5";
  for (int64_t n : sizes)
    if (n < 1 || n > int64_t(1) << 32)
      return "has a size that is not 1 to 2^32";
  for (int64_t stride : strides)
    if (stride < 0 || stride % 16 != 0 || stride >= int64_t(1) << 40)
      return "has a stride that is no multiple of 16 bytes below 2^40";
  if (offset < 0 || offset % 16 != 0)
    return "has an address that is no multiple of 16 bytes";
  for (size_t d = 0; d < box.size(); ++d) {
    if (step(d) < 1 || step(d) > 8)
      return "has steps of other than 1 to 8";
    if (box[d] < 1 || box[d] * step(d) > 256)
      return "has a box of other than 1 to 256 elements in a dimension";
  }
  const int64_t rowBytes = box[0] * elementBytes;
  if (rowBytes % 16 != 0)
    return "has rows of a box that are no multiple of 16 bytes";
  if (chunks != 1 && rowBytes > 16 * chunks)
    return "has rows of a box that are longer than the swizzle's";
  return nullptr;
}

std::vector<Copy> TensorMap::partsOf(std::span<const int32_t> at, const unsigned char *memory,
                                     int64_t to) const {
  const int64_t bytes = boxBytes(), perPart = 16 / elementBytes;
  std::vector<Copy> parts;
  for (int64_t place = 0; place < bytes; place += 16) {
    Copy &part = parts.emplace_back();
    part.to = to + place;
    part.to ^= (part.to >> 7 & (chunks - 1)) << 4;
    part.bytes.assign(16, 0);
    int64_t rest = place / elementBytes;
    const int64_t first = at[0] + rest % box[0];
    rest /= box[0];
    int64_t from = offset;
    bool isInside = true;
    for (size_t d = 1; d < box.size(); ++d) {
      const int64_t i = at[d] + rest % box[d] * step(d);
      rest /= box[d];
      isInside &= i >= 0 && i < sizes[d];
      from += i * strides[d - 1];
    }
    for (int64_t e = 0; e < perPart; ++e)
      if (isInside && first + e >= 0 && first + e < sizes[0])
        std::memcpy(part.bytes.data() + e * elementBytes,
                    memory + from + (first + e) * elementBytes, elementBytes);
  }
  return parts;
}

} // namespace mtc::emulator
