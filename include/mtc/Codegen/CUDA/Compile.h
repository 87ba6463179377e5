//===- Compile.h - from kernels and their variants to PTX and cubins ------===//
//
// As for the host: every (kernel, variant) is compiled in a contained worker process (rule R8) or
// comes from a cache on disk; what cannot be compiled falls back to one phase per loop nest.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/GpuCode.h"
#include "mtc/Codegen/CUDA/CudaTarget.h"
#include "mtc/Codegen/Host/Compile.h"

namespace mtc::cuda {

struct CompileOptions {
  int jobs = 0;         ///< worker processes; 0: one per core that this process may use
  std::string cacheDir; ///< empty: no cache
  std::string ptxas;    ///< its path; empty: found on PATH
  bool assemble = true; ///< false: PTX only
  host::KernelLimits limits;
  /// A variant that does not compile, or spills registers, is left out, not replaced: for tuners.
  bool leaveOutFailures = false;
  std::function<void(size_t done, size_t total)> progress; ///< called in the calling thread
  /// The most members of a launch of a kernel, by its name; empty: 1.
  std::function<int32_t(llvm::StringRef kernel)> mostMembers;
  /// Tests only: a worker calls it in its own process before it compiles a kernel.
  std::function<void(llvm::StringRef kernel)> beforeKernel;
};

struct CompiledCode {
  std::vector<GpuModule> modules;                ///< each symbol once
  std::vector<std::vector<std::string>> symbols; ///< [k][v], kernels in the program's order
  std::vector<std::string> warnings;         ///< one line a kernel that fell back, or "no ptxas"
  std::vector<host::FailedVariant> failures; ///< with leaveOutFailures; their symbols are empty
  size_t compiled = 0, fromCache = 0;
};

/// Fails (Unsupported) if a task of `program` uses a kernel that no emitter takes; the message has
/// a line for each such task with tenant, entry and ONNX nodes.
Status checkTasks(mt::ProgramOp program, const CudaTarget &target);

/// Compiles every variant of every kernel of `program` for `target`.
///
/// Equal inputs and an equal ptxas give equal bytes. A kernel that fails is compiled again with one
/// phase per loop nest and named in `warnings`; its variant in `program` is replaced, so call this
/// before planning memory. So is the variant of a contraction that spills registers, by one with a
/// smaller tile, if that spills less. What ptxas says of registers, shared memory and spills goes
/// into the variant's config as `resources`. Without ptxas modules hold PTX only, and a warning
/// says so.
///
/// Fails if a kernel has no variants, if kernels cannot be compiled in any way (the message has a
/// line for each of their tasks), or if worker processes or the cache's folder fail.
StatusOr<CompiledCode> compileProgram(mt::ProgramOp program, const CudaTarget &target,
                                      const CompileOptions &options);

} // namespace mtc::cuda
