//===- Assemble.h - PTX to machine code by ptxas --------------------------===//
//
// ptxas is a program of the CUDA toolkit (or of the wheel nvidia-cuda-nvcc). Nothing is linked from
// there, and without it bundles hold PTX alone, which a driver compiles when it loads it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mtc::cuda {

/// What a kernel function takes of an SM, as ptxas says.
struct Resources {
  std::string function;
  int32_t registers = 0;   ///< per thread
  int32_t sharedBytes = 0; ///< static, per block
  int32_t spillBytes = 0;  ///< stores and loads
  int32_t stackBytes = 0;  ///< local memory per thread
};

struct Assembled {
  std::string cubin;
  std::vector<Resources> functions; ///< in the order of ptxas' report
};

/// The path of ptxas: `given`, or the first one on PATH, in /usr/local/cuda/bin or beside the
/// running program; empty if there is none.
std::string findPtxas(const std::string &given);

/// "release 13.0, V13.0.88", for cache keys. Fails if the program cannot be run.
StatusOr<std::string> ptxasVersion(const std::string &ptxas);

/// Assembles PTX for `architecture`. Fails if ptxas does; its first line is part of the message.
StatusOr<Assembled> assemble(const std::string &ptxas, const std::string &ptx,
                             const std::string &architecture);

} // namespace mtc::cuda
