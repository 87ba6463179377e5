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
  result.lower.assign(map.lower.begin(), map.lower.end());
  result.upper.assign(map.upper.begin(), map.upper.end());
  return result;
}

const char *TensorMap::checkPixels() const {
  if (rank() < 3 || lower.size() + 2 != rank() || upper.size() + 2 != rank() || box.size() != 2)
    return "of pixels has no rank of 3 to 5";
  if (box[0] < 1 || box[0] > 256 || box[1] < 1 || box[1] > 1024)
    return "takes other than 1 to 256 channels of 1 to 1024 pixels";
  const int64_t end = rank() == 3 ? 1 << 15 : rank() == 4 ? 1 << 7 : 1 << 4;
  for (size_t d = 0; d < lower.size(); ++d) {
    if (lower[d] < -end || lower[d] >= end || upper[d] < -end || upper[d] >= end)
      return "has a corner that its bits do not hold";
    if (sizes[d + 1] - 1 + upper[d] < lower[d])
      return "has no pixels";
  }
  for (size_t d = 0; d < rank(); ++d)
    if (step(d) < 1 || step(d) > 8)
      return "has steps of other than 1 to 8";
  return nullptr;
}

const char *TensorMap::check() const {
  if (sizes.empty() || sizes.size() > 5 || (!isIm2col() && box.size() != sizes.size()) ||
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
  if (isIm2col()) {
    if (const char *wrong = checkPixels())
      return wrong;
  } else
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

bool TensorMap::begins(std::span<const int32_t> at) const {
  for (size_t d = 0; d < lower.size(); ++d)
    if (at[d + 1] < lower[d] || at[d + 1] > sizes[d + 1] - 1 + upper[d])
      return false;
  return true;
}

/// Where each pixel is read, in all dimensions but the channels'.
std::vector<std::vector<int64_t>> TensorMap::pixelsFrom(std::span<const int32_t> at,
                                                        std::span<const int32_t> offsets) const {
  std::vector<std::vector<int64_t>> pixels;
  std::vector<int64_t> base(at.begin() + 1, at.begin() + static_cast<std::ptrdiff_t>(rank()));
  for (int64_t p = 0; p < box[1]; ++p) {
    std::vector<int64_t> &pixel = pixels.emplace_back(base);
    for (size_t d = 0; d < lower.size(); ++d)
      pixel[d] += offsets[d];
    for (size_t d = 0; d < base.size(); ++d) {
      base[d] += step(d + 1);
      if (d == lower.size() || base[d] <= sizes[d + 1] - 1 + upper[d])
        break;
      base[d] = lower[d];
    }
  }
  return pixels;
}

std::vector<Copy> TensorMap::partsOf(std::span<const int32_t> at, const unsigned char *memory,
                                     int64_t to, std::span<const int32_t> offsets) const {
  const int64_t bytes = boxBytes(), perPart = 16 / elementBytes;
  std::vector<std::vector<int64_t>> pixels;
  if (isIm2col())
    pixels = pixelsFrom(at, offsets);
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
    const std::vector<int64_t> *pixel = isIm2col() ? &pixels[rest] : nullptr;
    for (size_t d = 1; d < rank(); ++d) {
      const int64_t i = pixel ? (*pixel)[d - 1] : at[d] + rest % box[d] * step(d);
      if (!pixel)
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
