//===- Chain.h - kernels one after the other on one partition -------------===//
//
// What a command or a task of a body becomes: a node per phase, and per range of tiles where the
// variant takes longer than a quantum (rule R6).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Kernels.h"

namespace mtc::gpu {

struct Launch {
  CUkernel kernel = nullptr;
  unsigned blocks = 1, threads = 1, sharedBytes = 0;
  int64_t lo = 0, hi = 0;
  std::vector<CUtensorMap> tensorMaps;
};

struct Chain {
  Gpu::Partition partition;
  int priority = 0;
  std::vector<CUdeviceptr> buffers; ///< operands, then scratch
  std::vector<int64_t> bytes;       ///< of the operands
  std::vector<Launch> launches;
};

/// The launches of a variant of a kernel on the chain's partition, which is `granules` of them.
/// Fails as Kernels::phases and encodeTensorMap.
Status addLaunches(Chain &chain, Kernels &kernels, const Problem &problem, int32_t kernel,
                   int32_t variant, int granules);

/// Adds a launch with these buffers to a graph behind `before`, which it then is.
Status addNode(const Driver &cu, CUgraph graph, const Chain &chain, Launch launch,
               std::vector<CUdeviceptr> buffers, std::vector<CUgraphNode> &before);

/// Adds all launches of a chain.
Status addNodes(const Driver &cu, CUgraph graph, const Chain &chain,
                std::vector<CUgraphNode> &before);

} // namespace mtc::gpu
