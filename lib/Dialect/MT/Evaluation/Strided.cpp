//===- Strided.cpp - moves of bytes between layouts -----------------------===//
//
// Transposes, packs, pads, slices and concatenations of weights are all one loop nest with two
// lists of strides. It is normalized first (extents of 1 dropped, dimensions sorted by the
// destination's stride and merged where both sides allow), so that few cases remain: common
// contiguous rows (memcpy), a source that is contiguous along another dimension (a blocked
// transpose), and the rest.
//
//===----------------------------------------------------------------------===//
#include "Strided.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstring>

using namespace llvm;

namespace mtc::mt {

namespace {
struct Dim {
  int64_t extent, src, dst;
};
} // namespace

SmallVector<int64_t> rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;)
    strides[d - 1] = strides[d] * shape[d];
  return strides;
}

/// Outermost first, no extents of 1, no two dimensions that are one.
static SmallVector<Dim> normalize(ArrayRef<int64_t> shape, ArrayRef<int64_t> src,
                                  ArrayRef<int64_t> dst) {
  SmallVector<Dim> dims;
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] != 1)
      dims.push_back({shape[d], src[d], dst[d]});
  llvm::sort(dims, [](const Dim &a, const Dim &b) { return a.dst > b.dst; });
  SmallVector<Dim> merged;
  for (const Dim &dim : dims) {
    if (!merged.empty() && merged.back().src == dim.src * dim.extent &&
        merged.back().dst == dim.dst * dim.extent)
      merged.back() = {merged.back().extent * dim.extent, dim.src, dim.dst};
    else
      merged.push_back(dim);
  }
  return merged;
}

/// Calls `body(srcOffset, dstOffset)` for every position of `dims`.
template <typename Body> static void forEach(ArrayRef<Dim> dims, Body body) {
  SmallVector<int64_t> at(dims.size(), 0);
  int64_t src = 0, dst = 0;
  while (true) {
    body(src, dst);
    size_t d = dims.size();
    while (d > 0) {
      --d;
      src += dims[d].src;
      dst += dims[d].dst;
      if (++at[d] < dims[d].extent)
        break;
      src -= dims[d].src * dims[d].extent;
      dst -= dims[d].dst * dims[d].extent;
      at[d] = 0;
      if (d == 0)
        return;
    }
    if (dims.empty())
      return;
  }
}

/// A plane that is contiguous along `inSrc` in the source and along `inDst` in the destination.
template <typename T>
static void transposePlane(const T *src, T *dst, const Dim &inSrc, const Dim &inDst) {
  constexpr int64_t kBlock = 16;
  for (int64_t i0 = 0; i0 < inSrc.extent; i0 += kBlock)
    for (int64_t j0 = 0; j0 < inDst.extent; j0 += kBlock) {
      int64_t iEnd = std::min(i0 + kBlock, inSrc.extent);
      int64_t jEnd = std::min(j0 + kBlock, inDst.extent);
      for (int64_t i = i0; i < iEnd; ++i)
        for (int64_t j = j0; j < jEnd; ++j)
          dst[i * inSrc.dst + j] = src[i + j * inDst.src];
    }
}

template <typename T> static void copyDims(SmallVector<Dim> dims, const T *src, T *dst) {
  if (dims.empty()) {
    *dst = *src;
    return;
  }
  Dim inner = dims.pop_back_val();
  if (inner.src == 1 && inner.dst == 1) {
    forEach(dims,
            [&](int64_t s, int64_t d) { std::memcpy(dst + d, src + s, inner.extent * sizeof(T)); });
    return;
  }
  auto *contiguous = llvm::find_if(dims, [](const Dim &dim) { return dim.src == 1; });
  if (inner.dst == 1 && contiguous != dims.end()) {
    Dim inSrc = *contiguous;
    dims.erase(contiguous);
    forEach(dims, [&](int64_t s, int64_t d) { transposePlane(src + s, dst + d, inSrc, inner); });
    return;
  }
  forEach(dims, [&](int64_t s, int64_t d) {
    for (int64_t i = 0; i < inner.extent; ++i)
      dst[d + i * inner.dst] = src[s + i * inner.src];
  });
}

/// Calls `body` with a null pointer of the unsigned type of that size.
template <typename Body> static void dispatch(int64_t elementBytes, Body body) {
  switch (elementBytes) {
  case 1:
    return body(static_cast<uint8_t *>(nullptr));
  case 2:
    return body(static_cast<uint16_t *>(nullptr));
  case 4:
    return body(static_cast<uint32_t *>(nullptr));
  default:
    return body(static_cast<uint64_t *>(nullptr));
  }
}

void copyStrided(int64_t elementBytes, ArrayRef<int64_t> shape, const uint8_t *src,
                 ArrayRef<int64_t> srcStrides, uint8_t *dst, ArrayRef<int64_t> dstStrides) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<Dim> dims = normalize(shape, srcStrides, dstStrides);
  dispatch(elementBytes, [&]<typename T>(T *) {
    copyDims<T>(dims, reinterpret_cast<const T *>(src), reinterpret_cast<T *>(dst));
  });
}

void fillElements(int64_t elementBytes, const uint8_t *value, int64_t count, uint8_t *dst) {
  dispatch(elementBytes, [&]<typename T>(T *) {
    T element;
    std::memcpy(&element, value, sizeof(T));
    std::fill_n(reinterpret_cast<T *>(dst), count, element);
  });
}

} // namespace mtc::mt
