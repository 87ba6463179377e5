//===- TensorMaps.cpp - cuTensorMapEncodeTiled ----------------------------===//
//
// The 128 bytes of a map are the driver's own affair; here they hold what was asked for, which
// kernels are then run with. Source of the rules: CUDA driver API 13.0, cuTensorMapEncodeTiled.
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
        const uint64_t bytes = elementBytes(type);
        const auto at = reinterpret_cast<uintptr_t>(address);
        if (!map || reinterpret_cast<uintptr_t>(map) % 64 != 0)
          return bad("the map is not aligned to 64 bytes");
        if (bytes == 0 || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE)
          return bad("a type or an interleaving that is not faked");
        if (rank < 1 || rank > kMostRank)
          return bad(fmt::format("rank {}, wanted 1 to 5", rank));
        if (at == 0 || at % 16 != 0)
          return bad("the address is no multiple of 16 bytes");
        if (promotion < CU_TENSOR_MAP_L2_PROMOTION_NONE ||
            promotion > CU_TENSOR_MAP_L2_PROMOTION_L2_256B)
          return bad("no such promotion");
        if (fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
          return bad("fills with NaN");
        uint64_t packed = bytes; // of a stride: what it must be a multiple of
        for (cuuint32_t d = 0; d < rank; ++d) {
          if (sizes[d] < 1 || sizes[d] > uint64_t(1) << 32)
            return bad(fmt::format("size {} of dimension {}", sizes[d], d));
          if (box[d] < 1 || box[d] > 256)
            return bad(fmt::format("a box of {} in dimension {}, wanted 1 to 256", box[d], d));
          if (steps[d] < 1 || steps[d] > 8)
            return bad(fmt::format("steps of {} in dimension {}, wanted 1 to 8", steps[d], d));
          if (d + 1 == rank)
            break;
          if (strides[d] % 16 != 0 || strides[d] >= uint64_t(1) << 40 || strides[d] % packed != 0 ||
              strides[d] / packed < sizes[d])
            return bad(fmt::format("stride {} of dimension {}", strides[d], d + 1));
          packed = strides[d];
        }
        static constexpr uint64_t rows[] = {UINT64_MAX, 32, 64, 128};
        if (swizzle < CU_TENSOR_MAP_SWIZZLE_NONE || swizzle > CU_TENSOR_MAP_SWIZZLE_128B)
          return bad("a swizzle that is not faked");
        if (box[0] * bytes % 16 != 0 || box[0] * bytes > rows[swizzle])
          return bad(fmt::format("rows of {} bytes with swizzle {}", box[0] * bytes,
                                 static_cast<int>(swizzle)));
        Encoded encoded;
        encoded.address = at;
        encoded.rank = static_cast<uint8_t>(rank);
        encoded.type = static_cast<uint8_t>(type);
        encoded.swizzle = static_cast<uint8_t>(swizzle);
        for (cuuint32_t d = 0; d < rank; ++d) {
          encoded.mostIndices[d] = static_cast<uint32_t>(sizes[d] - 1);
          encoded.box[d] = static_cast<uint16_t>(box[d]);
          encoded.steps[d] = static_cast<uint8_t>(steps[d]);
          if (d > 0)
            encoded.strides[d - 1] = strides[d - 1];
        }
        std::memset(map, 0, sizeof(*map));
        std::memcpy(map, &encoded, sizeof(encoded));
        out["box"] = std::vector<cuuint32_t>(box, box + rank);
        return CUDA_SUCCESS;
      },
      false, true);
}

std::string takeTensorMaps(Node &node, void *const *parameters) {
  const std::vector<GpuTensorMap> &wanted = node.kernel->info->tensorMaps;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Encoded got;
    std::memcpy(&got, parameters[i], sizeof(got));
    const auto bad = [&](const std::string &what) {
      return fmt::format("'{}': tensor map {} {}", node.kernel->name, i, what);
    };
    if (got.magic != kMagic)
      return bad("was not encoded");
    const GpuTensorMap &map = wanted[i];
    if (got.address != node.buffers[static_cast<size_t>(map.buffer)] + uint64_t(map.offset))
      return bad(fmt::format("is not of buffer {} at {}", map.buffer, map.offset));
    GpuTensorMap as = map;
    as.sizes.assign(got.mostIndices, got.mostIndices + got.rank);
    for (int64_t &size : as.sizes)
      ++size;
    as.strides.assign(got.strides, got.strides + got.rank - 1);
    as.steps.assign(got.steps, got.steps + got.rank);
    as.box.clear(); // what is taken of what is walked
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
    node.tensorMaps.push_back(emulator::tensorMapOf(as));
  }
  return "";
}

} // namespace mtc::fake
