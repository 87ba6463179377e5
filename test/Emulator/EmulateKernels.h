//===- EmulateKernels.h - CUDA kernels as host code of one thread ---------===//
#pragma once

#include "mtc/Codegen/CUDA/CudaTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"

#include "mtc/Bundle/GpuCode.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace mtc::emulator {

/// A body function of the CUDA emitters as host code.
struct EmulatedFunction {
  std::string symbol; ///< an MtcKernelFn of one thread: scratch is its ThreadView
  int64_t threads = 0;
  int64_t sharedBytes = 0;
  bool synchronizes = false;        ///< threads wait for each other
  std::vector<int64_t> bufferBytes; ///< operands, then the kernel's scratch
  std::vector<GpuTensorMap> tensorMaps;
};

struct EmulatedCode {
  std::vector<uint8_t> code;               ///< ELF shared object
  std::vector<EmulatedFunction> functions; ///< in the module's order
};

/// Lowers the body functions in `module` (lib/Codegen/CUDA/ThreadEmitter.h) to host code: indices,
/// barriers and shuffles are calls through the thread's view, shared memory is a buffer behind
/// scratch. With `checks` every access to memory is announced first. The module is consumed.
///
/// Fails if a function holds an operation that is not emulated, or lowering or linking does.
StatusOr<EmulatedCode> emulate(mlir::ModuleOp module, bool checks);

} // namespace mtc::emulator
