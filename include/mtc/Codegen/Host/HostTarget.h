//===- HostTarget.h - which CPU kernels are generated for -----------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <string>
#include <vector>

namespace mtc::host {

/// A resolved host target. `name` is printed, stored in the bundle and accepted again by resolve().
struct HostTarget {
  std::string name;                    ///< "host:x86-64-v4+avx512vnni,cores=2"
  std::string cpu;                     ///< LLVM's -mcpu: "x86-64-v4"
  std::vector<std::string> features;   ///< LLVM's names beyond the cpu's own, sorted
  std::vector<std::string> required;   ///< every feature that generated code may use: what a reader checks
  int cores = 1;
  int vectorBytes = 32;                ///< register width that kernels are emitted for: 64, 32 or 16
  int vectorRegisters = 16;
  /// Products fetch ahead what a core's own caches miss (Codegen/Host/FetchAhead.h): those of CPUs with
  /// AVX512-FP16, Intel's since 2023.
  bool fetchesAhead = false;
  /// Operations of a core while a byte comes from beyond its own caches, where that counts; else 0.
  double farByte = 0;
  /// Tiles of bf16 are multiplied by one instruction (AMX), and f32 is converted to bf16 by one.
  bool multipliesTiles = false;
  bool multipliesByteTiles = false; ///< the same of tiles of bytes
};

/// Resolves "host" (this CPU, the cores this process may use) or an explicit "host:LEVEL[+feature...][,cores=N]".
/// Fails if the text is malformed, or the level or a feature is unknown (the message lists the known levels).
StatusOr<HostTarget> resolve(const std::string &text);

} // namespace mtc::host
