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

/// A phase of a variant: one launch. Its parameters are the buffers in the order of
/// Kernel::operands, scratch, and the tiles [lo, hi) as two int64.
struct GpuFunction {
  std::string name;
  int32_t threads = 1;       ///< of a block; blocks are one-dimensional
  int32_t sharedBytes = 0;   ///< per block, static or dynamic
  int32_t registers = 0;     ///< per thread; 0: not assembled
  int32_t spillBytes = 0;    ///< stores and loads of registers in local memory
  int32_t blocksPerUnit = 1; ///< resident blocks of an SM

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

/// The bytes of a code section. Equal modules give equal bytes.
std::vector<uint8_t> encodeGpuCode(const std::vector<GpuModule> &modules);

/// Fails if the bytes are no such section (BundleRefused).
StatusOr<std::vector<GpuModule>> decodeGpuCode(std::span<const uint8_t> bytes);

} // namespace mtc
