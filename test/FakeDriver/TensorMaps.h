//===- TensorMaps.h - what the fake driver encodes ------------------------===//
#pragma once

#include "Fake.h"

namespace mtc::fake {

CUresult fake_cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                     void *address, const cuuint64_t *sizes,
                                     const cuuint64_t *strides, const cuuint32_t *box,
                                     const cuuint32_t *steps, CUtensorMapInterleave interleave,
                                     CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                                     CUtensorMapFloatOOBfill fill);

CUresult fake_cuTensorMapEncodeIm2col(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                      void *address, const cuuint64_t *sizes,
                                      const cuuint64_t *strides, const int *lower, const int *upper,
                                      cuuint32_t channels, cuuint32_t pixels,
                                      const cuuint32_t *steps, CUtensorMapInterleave interleave,
                                      CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                                      CUtensorMapFloatOOBfill fill);

/// Adds encoded maps, parameters of a kernel, to a member of its node, whose buffers are known.
/// Empty, or which is not what the kernel's code says, and in what.
std::string takeTensorMaps(const Kernel &kernel, Node::Member &member,
                           const std::vector<const void *> &parameters);

} // namespace mtc::fake
