//===- GpuCode.h - the code section of a CUDA target ----------------------===//
//
// A target of a host has one shared object; a CUDA target has a module per variant of a kernel,
// with a function per phase and what a launch has to know of it. Modules are loaded when they are
// first used.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mtc {

/// Bytes of shared memory that a block has without asking. A function that needs more takes all of
/// its shared memory as dynamic: a launch asks for it, after the kernel's limit was raised.
/// Source: CUDA C++ programming guide, "Shared Memory" of compute capabilities 8.x and 9.0.
inline constexpr int32_t kStaticSharedBytes = 48 << 10;

/// Ends the name of a function that runs several members in one launch.
inline constexpr const char *kMembersSuffix = "_members";

/// Where a member's parameters lie in the table of a launch of several: the pointers from 0 on,
/// then tensor maps, at multiples of 64 bytes.
struct MemberLayout {
  int64_t maps = 0, bytes = 0;

  /// `pointers`: buffers and scratch.
  MemberLayout(size_t pointers, size_t tensorMaps)
      : maps((static_cast<int64_t>(pointers) * 8 + 63) / 64 * 64),
        bytes(maps + static_cast<int64_t>(tensorMaps) * 128) {}
};

/// A tensor in a buffer, and the box of it that one cp.async.bulk.tensor brings to shared memory:
/// what cuTensorMapEncodeTiled encodes, or in im2col mode cuTensorMapEncodeIm2col. What of a box
/// lies outside of the tensor is zero. Dimensions are innermost first, and each is packed or padded
/// inside of the next.
/// In im2col mode (`lower` has elements) dimensions are channels, one to three of pixels, and
/// images. A copy brings `box[0]` channels of `box[1]` pixels, one after the other in rows of an
/// image, rows and images: those from `lower` to the last one + `upper` of each dimension, every
/// steps-th of them. Each is read where the copy's offsets move it: a term of a window.
/// Source: CUDA driver API 13.0, "Tensor Map Object Management"; PTX ISA 9.0, 5.5 (tensors).
struct GpuTensorMap {
  enum class Element : uint8_t { U8, F16, BF16 };

  int32_t buffer = 0; ///< number of the function's parameter
  int64_t offset = 0; ///< bytes of the buffer before the tensor
  Element element = Element::F16;
  std::vector<int64_t> sizes;        ///< elements of each dimension, 1 to 5 dimensions
  std::vector<int64_t> strides;      ///< bytes from one to the next of each but the innermost
  std::vector<int32_t> box;          ///< elements that a copy brings of each dimension
  std::vector<int32_t> steps;        ///< and how far apart they lie
  int32_t swizzleBytes = 128;        ///< of a row in shared memory: 0 (none), 32, 64 or 128
  std::vector<int32_t> lower, upper; ///< in im2col mode: corners, of each dimension of pixels

  bool isIm2col() const { return !lower.empty(); }
  int64_t elementBytes() const { return element == Element::U8 ? 1 : 2; }
  /// From the first to the last byte of the tensor. The map is valid.
  int64_t bytes() const;
  bool operator==(const GpuTensorMap &) const = default;
};

/// Fails (InvalidInput), saying why, if the driver would not encode the map.
Status check(const GpuTensorMap &map);

/// A phase of a variant: one launch. Its parameters are the buffers in the order of
/// Kernel::operands, scratch, the tiles [lo, hi) as two int64, and encoded tensor maps (128 bytes
/// each, aligned to 64).
///
/// Several members may run in one launch of the function NAME_members: the grid has a row of blocks
/// (y) for each. Its parameters are a table, aligned to 64 bytes, of `mostMembers` times what
/// MemberLayout says, and [lo, hi), which are the same for all.
struct GpuFunction {
  std::string name;
  int32_t threads = 1;       ///< of a block; blocks are one-dimensional
  int32_t sharedBytes = 0;   ///< per block, static or dynamic
  int32_t registers = 0;     ///< per thread; 0: not assembled
  int32_t spillBytes = 0;    ///< stores and loads of registers in local memory
  int32_t blocksPerUnit = 1; ///< resident blocks of an SM
  std::vector<GpuTensorMap> tensorMaps = {};
  int32_t mostMembers = 1; ///< 1: there is no function for launches of several

  std::string membersName() const { return name + kMembersSuffix; }
  /// What a launch asks for.
  int32_t dynamicSharedBytes() const { return sharedBytes > kStaticSharedBytes ? sharedBytes : 0; }
};

/// A variant of a kernel.
struct GpuModule {
  std::string symbol; ///< what TargetProgram::symbols names
  std::vector<GpuFunction> phases;
  std::vector<uint8_t> cubin; ///< empty: not assembled, the driver compiles the PTX
  std::string ptx;
};

/// What a launch of that many members passes to each of them has room in the table.
/// Fails (BundleRefused), naming the function, if it runs fewer members in a launch.
Status checkMembers(const GpuFunction &function, size_t members);

/// The bytes of a code section. Equal modules give equal bytes.
std::vector<uint8_t> encodeGpuCode(const std::vector<GpuModule> &modules);

/// Fails if the bytes are no such section (BundleRefused).
StatusOr<std::vector<GpuModule>> decodeGpuCode(std::span<const uint8_t> bytes);

/// Whether a function of a code section has tensor maps, which older runtimes do not pass.
bool hasTensorMaps(std::span<const uint8_t> bytes);

} // namespace mtc
