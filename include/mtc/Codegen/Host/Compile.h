//===- Compile.h - from kernels and their variants to one shared object ---===//
//
// Every (kernel, variant) is compiled by a contained worker process with limits on memory and
// time (rule R8), or comes from a cache on disk; one in-process link makes them a shared object
// that depends on nothing.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Support/Status.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mtc::host {

/// What one kernel may cost to compile before it falls back to plain loops.
struct KernelLimits {
  int64_t memoryMiB = 1024; ///< address space beyond the compiler's own
  int64_t seconds = 20;     ///< CPU time
  /// For a worker that sleeps; so late that a busy machine does not change what is compiled.
  int64_t wallSeconds() const { return 5 * seconds + 5; }
};

struct CompileOptions {
  int jobs = 0;         ///< worker processes; 0: one per usable core
  std::string cacheDir; ///< empty: no cache
  KernelLimits limits;
  bool plainLoops = false; ///< -O0: every kernel by plain loops, whatever its variant says
  /// What does not compile is left out instead of running as plain loops: its symbol is empty and
  /// CompiledCode::failures says why. For variants that are only to be measured.
  bool leaveOutFailures = false;
  std::function<void(size_t done, size_t total)> progress; ///< called in the calling thread
  /// Tests only: a worker calls it in its own process before it compiles a kernel.
  std::function<void(llvm::StringRef kernel)> beforeKernel;
};

/// A variant that was left out.
struct FailedVariant {
  size_t kernel = 0, variant = 0;
  std::string reason; ///< "took more than 20 s of CPU time"
};

struct CompiledCode {
  std::vector<uint8_t> code;                     ///< ELF shared object without dependencies
  std::vector<std::vector<std::string>> symbols; ///< [k][v], kernels in the program's order
  std::vector<std::string> warnings;             ///< one line a kernel that fell back
  std::vector<FailedVariant> failures;           ///< with leaveOutFailures
  size_t compiled = 0, fromCache = 0;            ///< distinct objects of each origin
};

/// Compiles every variant of every kernel of `program` for `target`.
///
/// Equal inputs give equal bytes, whatever `jobs` and the cache. A kernel that fails, crashes or
/// hits a limit is compiled again by plain loops with the phases and tiles of its variant and named
/// in `warnings`; should that need more scratch than the variant says, the variant in `program` is
/// updated, so call this before planning memory. Kernels with equal bodies and configs share one
/// symbol.
///
/// Fails if a kernel has no variants (run mt-tune-kernels first), if it cannot be compiled by plain
/// loops either, or if worker processes, the cache's folder or the link fail.
StatusOr<CompiledCode> compileProgram(mt::ProgramOp program, const HostTarget &target,
                                      const CompileOptions &options);

} // namespace mtc::host
