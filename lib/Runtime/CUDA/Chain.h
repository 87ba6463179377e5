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
  unsigned members = 1;
  std::vector<uint64_t> table; ///< of several: their parameters, aligned to 8 bytes only
};

struct Chain {
  Gpu::Partition partition;
  int priority = 0;
  std::vector<CUdeviceptr> buffers; ///< operands, then scratch
  std::vector<int64_t> bytes;       ///< of the operands
  std::vector<Launch> launches;
  std::vector<std::vector<CUdeviceptr>> others = {}; ///< buffers of other members of the launches
};

/// The launches of a variant of a kernel, with all members, on the chain's partition, which is
/// `granules` of them.
/// Fails as Kernels::phases and encodeTensorMap, or if a launch cannot hold so many
/// (BundleRefused).
Status addLaunches(Chain &chain, Kernels &kernels, const Problem &problem, int32_t kernel,
                   int32_t variant, int granules);

/// Adds a launch with these buffers to a graph behind `before`, which it then is.
Status addNode(const Driver &cu, CUgraph graph, const Chain &chain, Launch launch,
               std::vector<CUdeviceptr> buffers, std::vector<CUgraphNode> &before);

/// Adds all launches of a chain.
Status addNodes(const Driver &cu, CUgraph graph, const Chain &chain,
                std::vector<CUgraphNode> &before);

} // namespace mtc::gpu
