//===- Chain.cpp - kernels one after the other on one partition -----------===//
#include "Chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mtc::gpu {

/// Rule R6: what takes longer is launched in ranges, so that others get SMs in between.
static constexpr int64_t kQuantumNs = 2'000'000;

static StatusOr<std::vector<CUtensorMap>> encodeTensorMaps(const Driver &cu, const Chain &chain,
                                                           const std::vector<CUdeviceptr> &buffers,
                                                           const GpuFunction &function) {
  std::vector<CUtensorMap> maps;
  for (const GpuTensorMap &map : function.tensorMaps) {
    const auto buffer = static_cast<size_t>(map.buffer);
    if (buffer >= chain.bytes.size())
      return bundleRefused(
          fmt::format("a tensor map of buffer {}, of {}", buffer, chain.bytes.size()));
    MTC_ASSIGN_OR_RETURN(const CUtensorMap encoded,
                         encodeTensorMap(cu, map, buffers[buffer], chain.bytes[buffer]));
    maps.push_back(encoded);
  }
  return maps;
}

/// The parameters of all members of a launch, as the kernel takes them: those of members that are
/// not there stay zero and are not read.
static StatusOr<std::vector<uint64_t>> tableOf(const Driver &cu, const Chain &chain,
                                               const GpuFunction &function) {
  const size_t members = chain.others.size() + 1, most = static_cast<size_t>(function.mostMembers);
  MTC_RETURN_IF_ERROR(checkMembers(function, members));
  const MemberLayout layout(chain.buffers.size(), function.tensorMaps.size());
  std::vector<uint64_t> table(most * static_cast<size_t>(layout.bytes) / sizeof(uint64_t));
  for (size_t m = 0; m < members; ++m) {
    const auto &buffers = m == 0 ? chain.buffers : chain.others[m - 1];
    MTC_ASSIGN_OR_RETURN(const auto maps, encodeTensorMaps(cu, chain, buffers, function));
    auto *row = reinterpret_cast<std::byte *>(table.data()) + m * static_cast<size_t>(layout.bytes);
    std::memcpy(row, buffers.data(), buffers.size() * sizeof(CUdeviceptr));
    if (!maps.empty())
      std::memcpy(row + layout.maps, maps.data(), maps.size() * sizeof(CUtensorMap));
  }
  return table;
}

Status addLaunches(Chain &chain, Kernels &kernels, const Problem &problem, int32_t kernel,
                   int32_t variantIndex, int granules) {
  const Variant &variant =
      problem.kernels[static_cast<size_t>(kernel)].variants[static_cast<size_t>(variantIndex)];
  MTC_ASSIGN_OR_RETURN(const auto *phases, kernels.phases(kernel, variantIndex));
  const int64_t ns = variantNs(variant, granules);
  for (size_t p = 0; p < phases->size(); ++p) {
    const int64_t tiles = variant.phaseTiles[p];
    const int64_t ranges = std::clamp<int64_t>((ns + kQuantumNs - 1) / kQuantumNs, 1, tiles);
    const GpuFunction &info = *(*phases)[p].info;
    const auto members = static_cast<int64_t>(chain.others.size()) + 1;
    std::vector<CUtensorMap> tensorMaps;
    std::vector<uint64_t> table;
    if (members > 1) {
      MTC_ASSIGN_OR_RETURN(table, tableOf(kernels.driver(), chain, info));
    } else {
      MTC_ASSIGN_OR_RETURN(tensorMaps,
                           encodeTensorMaps(kernels.driver(), chain, chain.buffers, info));
    }
    for (int64_t r = 0; r < ranges; ++r) {
      Launch &launch = chain.launches.emplace_back();
      launch.kernel = members > 1 ? (*phases)[p].ofMembers : (*phases)[p].kernel;
      launch.members = static_cast<unsigned>(members);
      launch.table = table;
      launch.threads = static_cast<unsigned>(info.threads);
      launch.sharedBytes = static_cast<unsigned>(info.dynamicSharedBytes());
      launch.lo = tiles * r / ranges;
      launch.hi = tiles * (r + 1) / ranges;
      launch.tensorMaps = tensorMaps;
      // Members have equal parts of what is resident.
      const int64_t resident =
          (int64_t(chain.partition.units) * info.blocksPerUnit + members - 1) / members;
      launch.blocks = static_cast<unsigned>(
          std::clamp<int64_t>(resident, 1, std::max<int64_t>(1, launch.hi - launch.lo)));
    }
  }
  return okStatus();
}

Status addNode(const Driver &cu, CUgraph graph, const Chain &chain, Launch launch,
               std::vector<CUdeviceptr> buffers, std::vector<CUgraphNode> &before) {
  std::vector<void *> parameters;
  if (launch.members > 1)
    parameters.push_back(launch.table.data());
  else
    for (CUdeviceptr &buffer : buffers)
      parameters.push_back(&buffer);
  parameters.push_back(&launch.lo);
  parameters.push_back(&launch.hi);
  for (CUtensorMap &map : launch.tensorMaps)
    parameters.push_back(&map);
  CUDA_KERNEL_NODE_PARAMS what = {};
  what.kern = launch.kernel; // `func` would make the node ignore `ctx`
  what.ctx = chain.partition.context;
  what.gridDimX = launch.blocks;
  what.blockDimX = launch.threads;
  what.sharedMemBytes = launch.sharedBytes;
  what.gridDimY = launch.members;
  what.gridDimZ = what.blockDimY = what.blockDimZ = 1;
  what.kernelParams = parameters.data();
  CUgraphNode added = nullptr;
  MTC_CU(cu, cuGraphAddKernelNode, &added, graph, before.data(), before.size(), &what);
  CUkernelNodeAttrValue value = {};
  value.priority = chain.priority;
  MTC_CU(cu, cuGraphKernelNodeSetAttribute, added, CU_KERNEL_NODE_ATTRIBUTE_PRIORITY, &value);
  before = {added};
  return okStatus();
}

Status addNodes(const Driver &cu, CUgraph graph, const Chain &chain,
                std::vector<CUgraphNode> &before) {
  for (const Launch &launch : chain.launches)
    MTC_RETURN_IF_ERROR(addNode(cu, graph, chain, launch, chain.buffers, before));
  return okStatus();
}

} // namespace mtc::gpu
