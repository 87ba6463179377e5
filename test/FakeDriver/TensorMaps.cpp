//===- TensorMaps.cpp - cuTensorMapEncodeTiled and Im2col -----------------===//
//
// The 128 bytes of a map are the driver's own affair; here they hold what was asked for, which
// kernels are then run with. Source of the rules: CUDA driver API 13.0, cuTensorMapEncodeTiled,
// cuTensorMapEncodeIm2col.
//
//===----------------------------------------------------------------------===//
#include "TensorMaps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

namespace mtc::fake {
namespace {

constexpr uint64_t kMagic = 0x70616d726f736e65;
constexpr uint32_t kMostRank = 5;

struct Encoded {
  uint64_t magic = kMagic;
  uint64_t address = 0;
  uint64_t strides[kMostRank - 1] = {};
  uint32_t mostIndices[kMostRank] = {}; ///< sizes - 1
  uint16_t box[kMostRank] = {};
  uint8_t steps[kMostRank] = {};
  uint8_t rank = 0, type = 0, swizzle = 0;
  bool isIm2col = false;
  int16_t lower[kMostRank - 2] = {}, upper[kMostRank - 2] = {};
};
static_assert(sizeof(Encoded) <= sizeof(CUtensorMap));

/// Bytes of an element; 0: a type that is not faked.
uint64_t elementBytes(CUtensorMapDataType type) {
  switch (type) {
  case CU_TENSOR_MAP_DATA_TYPE_UINT8:
    return 1;
  case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
  case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
    return 2;
  default:
    return 0;
  }
}

/// What both modes ask for. Empty, or what is wrong.
std::string checkTensor(const CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                        uintptr_t at, const cuuint64_t *sizes, const cuuint64_t *strides,
                        const cuuint32_t *steps, CUtensorMapInterleave interleave,
                        CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                        CUtensorMapFloatOOBfill fill) {
  const uint64_t bytes = elementBytes(type);
  if (!map || reinterpret_cast<uintptr_t>(map) % 64 != 0)
    return "the map is not aligned to 64 bytes";
  if (bytes == 0 || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE)
    return "a type or an interleaving that is not faked";
  if (at == 0 || at % 16 != 0)
    return "the address is no multiple of 16 bytes";
  if (promotion < CU_TENSOR_MAP_L2_PROMOTION_NONE || promotion > CU_TENSOR_MAP_L2_PROMOTION_L2_256B)
    return "no such promotion";
  if (fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
    return "fills with NaN";
  if (swizzle < CU_TENSOR_MAP_SWIZZLE_NONE || swizzle > CU_TENSOR_MAP_SWIZZLE_128B)
    return "a swizzle that is not faked";
  uint64_t packed = bytes; // of a stride: what it must be a multiple of
  for (cuuint32_t d = 0; d < rank; ++d) {
    if (sizes[d] < 1 || sizes[d] > uint64_t(1) << 32)
      return fmt::format("size {} of dimension {}", sizes[d], d);
    if (steps[d] < 1 || steps[d] > 8)
      return fmt::format("steps of {} in dimension {}, wanted 1 to 8", steps[d], d);
    if (d + 1 == rank)
      break;
    if (strides[d] % 16 != 0 || strides[d] >= uint64_t(1) << 40 || strides[d] % packed != 0 ||
        strides[d] / packed < sizes[d])
      return fmt::format("stride {} of dimension {}", strides[d], d + 1);
    packed = strides[d];
  }
  return "";
}

/// Of rows in shared memory. Empty, or what is wrong.
std::string checkRows(uint64_t bytes, CUtensorMapSwizzle swizzle) {
  static constexpr uint64_t rows[] = {UINT64_MAX, 32, 64, 128};
  if (bytes % 16 != 0 || bytes > rows[swizzle])
    return fmt::format("rows of {} bytes with swizzle {}", bytes, static_cast<int>(swizzle));
  return "";
}

Encoded encodedTensor(CUtensorMapDataType type, cuuint32_t rank, uintptr_t at,
                      const cuuint64_t *sizes, const cuuint64_t *strides, const cuuint32_t *steps,
                      CUtensorMapSwizzle swizzle) {
  Encoded encoded;
  encoded.address = at;
  encoded.rank = static_cast<uint8_t>(rank);
  encoded.type = static_cast<uint8_t>(type);
  encoded.swizzle = static_cast<uint8_t>(swizzle);
  for (cuuint32_t d = 0; d < rank; ++d) {
    encoded.mostIndices[d] = static_cast<uint32_t>(sizes[d] - 1);
    encoded.steps[d] = static_cast<uint8_t>(steps[d]);
    if (d > 0)
      encoded.strides[d - 1] = strides[d - 1];
  }
  return encoded;
}

void write(CUtensorMap *map, const Encoded &encoded) {
  std::memset(map, 0, sizeof(*map));
  std::memcpy(map, &encoded, sizeof(encoded));
}

} // namespace

CUresult fake_cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                     void *address, const cuuint64_t *sizes,
                                     const cuuint64_t *strides, const cuuint32_t *box,
                                     const cuuint32_t *steps, CUtensorMapInterleave interleave,
                                     CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                                     CUtensorMapFloatOOBfill fill) {
  return call(
      "cuTensorMapEncodeTiled", {{"rank", rank}},
      [&](Json &out) {
        const auto bad = [](const std::string &what) {
          return violation("cuTensorMapEncodeTiled: " + what);
        };
        const auto at = reinterpret_cast<uintptr_t>(address);
        if (rank < 1 || rank > kMostRank)
          return bad(fmt::format("rank {}, wanted 1 to 5", rank));
        if (const std::string wrong = checkTensor(map, type, rank, at, sizes, strides, steps,
                                                  interleave, swizzle, promotion, fill);
            !wrong.empty())
          return bad(wrong);
        for (cuuint32_t d = 0; d < rank; ++d)
          if (box[d] < 1 || box[d] > 256)
            return bad(fmt::format("a box of {} in dimension {}, wanted 1 to 256", box[d], d));
        if (const std::string wrong = checkRows(box[0] * elementBytes(type), swizzle);
            !wrong.empty())
          return bad(wrong);
        Encoded encoded = encodedTensor(type, rank, at, sizes, strides, steps, swizzle);
        for (cuuint32_t d = 0; d < rank; ++d)
          encoded.box[d] = static_cast<uint16_t>(box[d]);
        write(map, encoded);
        out["box"] = std::vector<cuuint32_t>(box, box + rank);
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuTensorMapEncodeIm2col(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                      void *address, const cuuint64_t *sizes,
                                      const cuuint64_t *strides, const int *lower, const int *upper,
                                      cuuint32_t channels, cuuint32_t pixels,
                                      const cuuint32_t *steps, CUtensorMapInterleave interleave,
                                      CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                                      CUtensorMapFloatOOBfill fill) {
  return call(
      "cuTensorMapEncodeIm2col", {{"rank", rank}},
      [&](Json &out) {
        const auto bad = [](const std::string &what) {
          return violation("cuTensorMapEncodeIm2col: " + what);
        };
        const auto at = reinterpret_cast<uintptr_t>(address);
        if (rank < 3 || rank > kMostRank)
          return bad(fmt::format("rank {}, wanted 3 to 5", rank));
        if (const std::string wrong = checkTensor(map, type, rank, at, sizes, strides, steps,
                                                  interleave, swizzle, promotion, fill);
            !wrong.empty())
          return bad(wrong);
        if (channels < 1 || channels > 256 || pixels < 1 || pixels > 1024)
          return bad(fmt::format("{} channels of {} pixels, wanted 1 to 256 of 1 to 1024", channels,
                                 pixels));
        const int end = rank == 3 ? 1 << 15 : rank == 4 ? 1 << 7 : 1 << 4;
        for (cuuint32_t d = 0; d + 2 < rank; ++d) {
          if (lower[d] < -end || lower[d] >= end || upper[d] < -end || upper[d] >= end)
            return bad(fmt::format("corners {} and {} of dimension {}, wanted {} to {}", lower[d],
                                   upper[d], d + 1, -end, end - 1));
          if (static_cast<int64_t>(sizes[d + 1]) - 1 + upper[d] < lower[d])
            return bad(fmt::format("no pixels in dimension {}", d + 1));
        }
        if (const std::string wrong = checkRows(channels * elementBytes(type), swizzle);
            !wrong.empty())
          return bad(wrong);
        Encoded encoded = encodedTensor(type, rank, at, sizes, strides, steps, swizzle);
        encoded.isIm2col = true;
        encoded.box[0] = static_cast<uint16_t>(channels);
        encoded.box[1] = static_cast<uint16_t>(pixels);
        for (cuuint32_t d = 0; d + 2 < rank; ++d) {
          encoded.lower[d] = static_cast<int16_t>(lower[d]);
          encoded.upper[d] = static_cast<int16_t>(upper[d]);
        }
        write(map, encoded);
        out["box"] = {channels, pixels};
        return CUDA_SUCCESS;
      },
      false, true);
}

std::string takeTensorMaps(const Kernel &kernel, Node::Member &member,
                           const std::vector<const void *> &parameters) {
  const std::vector<GpuTensorMap> &wanted = kernel.info->tensorMaps;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Encoded got;
    std::memcpy(&got, parameters[i], sizeof(got));
    const auto bad = [&](const std::string &what) {
      return fmt::format("'{}': tensor map {} {}", kernel.name, i, what);
    };
    if (got.magic != kMagic)
      return bad("was not encoded");
    const GpuTensorMap &map = wanted[i];
    if (got.address != member.buffers[static_cast<size_t>(map.buffer)] + uint64_t(map.offset))
      return bad(fmt::format("is not of buffer {} at {}", map.buffer, map.offset));
    GpuTensorMap as = map;
    as.sizes.assign(got.mostIndices, got.mostIndices + got.rank);
    for (int64_t &size : as.sizes)
      ++size;
    as.strides.assign(got.strides, got.strides + got.rank - 1);
    as.steps.assign(got.steps, got.steps + got.rank);
    as.box.clear(); // what is taken of what is walked
    as.lower.clear();
    as.upper.clear();
    if (got.isIm2col) {
      as.box = {got.box[0], got.box[1]};
      as.lower.assign(got.lower, got.lower + got.rank - 2);
      as.upper.assign(got.upper, got.upper + got.rank - 2);
    } else
      for (size_t d = 0; d < got.rank; ++d)
        as.box.push_back((got.box[d] + got.steps[d] - 1) / got.steps[d]);
    as.element = got.type == CU_TENSOR_MAP_DATA_TYPE_UINT8     ? GpuTensorMap::Element::U8
                 : got.type == CU_TENSOR_MAP_DATA_TYPE_FLOAT16 ? GpuTensorMap::Element::F16
                                                               : GpuTensorMap::Element::BF16;
    as.swizzleBytes = got.swizzle == 0 ? 0 : 16 << got.swizzle;
    if (as != map)
      return bad(fmt::format("has sizes {}, a box of {} in steps of {}, which its kernel does not "
                             "say",
                             fmt::join(as.sizes, "x"), fmt::join(as.box, "x"),
                             fmt::join(as.steps, "x")));
    member.tensorMaps.push_back(emulator::tensorMapOf(as));
  }
  return "";
}

} // namespace mtc::fake
