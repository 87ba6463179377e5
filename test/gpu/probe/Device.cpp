//===- Device.cpp - a device, its split, and graphs of probe kernels ------===//
//
// As the runtime does it (lib/Runtime/CUDA): one split into the smallest groups, a green context
// per mask, kernel nodes with `kern` and `ctx`, memory from reserved addresses.
// Source: CUDA driver API 13.0, "Green Contexts", "Graph Management", "Virtual Memory Management".
//
//===----------------------------------------------------------------------===//
#include "Device.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace probe {

int64_t nsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

int64_t median(std::vector<int64_t> values) {
  if (values.empty())
    return 0;
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

void Device::check(CUresult result, const char *what) const {
  if (result == CUDA_SUCCESS)
    return;
  const char *name = "?";
  cu.cuGetErrorName(result, &name);
  throw std::runtime_error(fmt::format("{}: {}", what, name));
}

#define MTC_PROBE_CU(function, ...) check(cu.function(__VA_ARGS__), #function)

Device::Device(const Driver &driver, const Options &options) : cu(driver), options(options) {
  MTC_PROBE_CU(cuInit, 0);
  MTC_PROBE_CU(cuDeviceGet, &device, options.ordinal);
  MTC_PROBE_CU(cuDeviceGetAttribute, &sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
  MTC_PROBE_CU(cuDevicePrimaryCtxRetain, &primary, device);
  MTC_PROBE_CU(cuCtxPushCurrent, primary);
  split();
  MTC_PROBE_CU(cuLibraryLoadData, &library_, kernelPtx, nullptr, nullptr, 0, nullptr, nullptr, 0);
  MTC_PROBE_CU(cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
}

/// Everything goes, whether or not the driver still answers.
Device::~Device() {
  for (CUgraph graph : graphs_)
    cu.cuGraphDestroy(graph);
  if (stream)
    cu.cuStreamDestroy(stream);
  if (library_)
    cu.cuLibraryUnload(library_);
  for (auto &[groups, context] : contexts_)
    cu.cuGreenCtxDestroy(context.first);
  for (const Memory &m : memory_) {
    cu.cuMemUnmap(m.address, m.bytes);
    cu.cuMemRelease(m.handle);
    cu.cuMemAddressFree(m.address, m.bytes);
  }
  CUcontext popped = nullptr;
  cu.cuCtxPopCurrent(&popped);
  cu.cuDevicePrimaryCtxRelease(device);
}

/// Groups of one split are the only ones that combine. No groups: only the primary context.
void Device::split() {
  CUdevResource all = {}, rest = {};
  if (cu.cuDeviceGetDevResource(device, &all, CU_DEV_RESOURCE_TYPE_SM) != CUDA_SUCCESS)
    return;
  sms = static_cast<int>(all.sm.smCount); // a MIG slice has fewer
  unsigned count = 0;
  MTC_PROBE_CU(cuDevSmResourceSplitByCount, nullptr, &count, &all, nullptr, 0, 1);
  count = std::min(count, 63u);
  groups_.resize(count);
  MTC_PROBE_CU(cuDevSmResourceSplitByCount, groups_.data(), &count, &all, &rest, 0, 1);
  groups_.resize(count);
  restSms = rest.sm.smCount;
}

CUcontext Device::context(uint64_t groups) {
  if (groups == 0)
    return primary;
  if (auto known = contexts_.find(groups); known != contexts_.end())
    return known->second.second;
  std::vector<CUdevResource> members;
  for (size_t g = 0; g < groups_.size(); ++g)
    if (groups >> g & 1)
      members.push_back(groups_[g]);
  CUdevResourceDesc description = nullptr;
  MTC_PROBE_CU(cuDevResourceGenerateDesc, &description, members.data(),
               static_cast<unsigned>(members.size()));
  CUgreenCtx green = nullptr;
  MTC_PROBE_CU(cuGreenCtxCreate, &green, description, device, CU_GREEN_CTX_DEFAULT_STREAM);
  CUcontext made = nullptr;
  MTC_PROBE_CU(cuCtxFromGreenCtx, &made, green);
  contexts_[groups] = {green, made};
  return made;
}

int Device::smsOf(uint64_t groups) const {
  if (groups == 0)
    return sms;
  unsigned count = 0;
  for (size_t g = 0; g < groups_.size(); ++g)
    if (groups >> g & 1)
      count += groups_[g].sm.smCount;
  return static_cast<int>(count);
}

CUkernel Device::kernel(const char *name) {
  CUkernel kernel = nullptr;
  MTC_PROBE_CU(cuLibraryGetKernel, &kernel, library_, name);
  return kernel;
}

CUdeviceptr Device::allocate(size_t bytes) {
  CUmemAllocationProp properties = {};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  size_t granularity = 0;
  MTC_PROBE_CU(cuMemGetAllocationGranularity, &granularity, &properties,
               CU_MEM_ALLOC_GRANULARITY_MINIMUM);
  bytes = std::max<size_t>(1, (bytes + granularity - 1) / granularity) * granularity;
  Memory m = {0, bytes, 0};
  MTC_PROBE_CU(cuMemAddressReserve, &m.address, bytes, 0, 0, 0);
  MTC_PROBE_CU(cuMemCreate, &m.handle, bytes, &properties, 0);
  MTC_PROBE_CU(cuMemMap, m.address, bytes, 0, m.handle, 0);
  memory_.push_back(m);
  const CUmemAccessDesc access = {properties.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  MTC_PROBE_CU(cuMemSetAccess, m.address, bytes, &access, 1);
  return m.address;
}

CUdeviceptr Device::slots(size_t count) {
  if (count > slotCount_) {
    slotCount_ = std::max<size_t>(count, 256);
    slots_ = allocate(slotCount_ * slotBytes);
  }
  return slots_;
}

CUgraphNode Device::addKernel(CUgraph graph, CUkernel kernel, CUcontext context, unsigned blocks,
                              unsigned threads, void **parameters,
                              const std::vector<CUgraphNode> &after) {
  CUDA_KERNEL_NODE_PARAMS what = {};
  what.kern = kernel; // `func` would make the node ignore `ctx`
  what.ctx = context;
  what.gridDimX = blocks;
  what.blockDimX = threads;
  what.gridDimY = what.gridDimZ = what.blockDimY = what.blockDimZ = 1;
  what.kernelParams = parameters;
  CUgraphNode node = nullptr;
  MTC_PROBE_CU(cuGraphAddKernelNode, &node, graph, after.data(), after.size(), &what);
  return node;
}

CUDA_MEMCPY3D Device::copyParameters(void *host, CUdeviceptr device, size_t bytes, bool toDevice) {
  CUDA_MEMCPY3D copy = {};
  copy.srcMemoryType = toDevice ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
  copy.dstMemoryType = toDevice ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
  (toDevice ? copy.dstDevice : copy.srcDevice) = device;
  if (toDevice)
    copy.srcHost = host;
  else
    copy.dstHost = host;
  copy.WidthInBytes = bytes;
  copy.Height = copy.Depth = 1;
  return copy;
}

CUgraphNode Device::addCopy(CUgraph graph, void *host, CUdeviceptr device, size_t bytes,
                            bool toDevice, const std::vector<CUgraphNode> &after) {
  const CUDA_MEMCPY3D what = copyParameters(host, device, bytes, toDevice);
  CUgraphNode node = nullptr;
  MTC_PROBE_CU(cuGraphAddMemcpyNode, &node, graph, after.data(), after.size(), &what, primary);
  return node;
}

void Device::finish(Graph &graph, unsigned long long flags) {
  auto start = Clock::now();
  MTC_PROBE_CU(cuGraphInstantiateWithFlags, &graph.exec, graph.graph, flags);
  graph.instantiateNs = nsSince(start);
  start = Clock::now();
  MTC_PROBE_CU(cuGraphUpload, graph.exec, stream);
  wait();
  graph.uploadNs = nsSince(start);
}

Graph Device::build(const std::vector<Node> &nodes, unsigned long long flags) {
  CUkernel kernels[] = {kernel("spin"), kernel("spin_wide"), kernel("work")};
  constexpr unsigned threads[] = {narrowThreads, wideThreads, streamThreads};
  const CUdeviceptr memory = slots(firstSlot_ + nodes.size()) + firstSlot_ * slotBytes;
  for (const Node &node : nodes)
    (void)context(node.groups); // not part of the time
  const auto start = Clock::now();
  Graph graph = begin();
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node &node = nodes[i];
    CUdeviceptr slot = memory + i * slotBytes, scratch = 0;
    int64_t lo = 0, hi = static_cast<int64_t>(node.hi);
    void *parameters[] = {&slot, &scratch, &lo, &hi};
    std::vector<CUgraphNode> after;
    for (int before : node.after)
      after.push_back(graph.nodes[static_cast<size_t>(before)]);
    const auto which = static_cast<size_t>(node.kernel);
    graph.nodes.push_back(addKernel(graph.graph, kernels[which], context(node.groups),
                                    static_cast<unsigned>(node.blocks), threads[which], parameters,
                                    after));
    if (node.priority != 0) {
      CUkernelNodeAttrValue value = {};
      value.priority = node.priority;
      MTC_PROBE_CU(cuGraphKernelNodeSetAttribute, graph.nodes.back(),
                   CU_KERNEL_NODE_ATTRIBUTE_PRIORITY, &value);
    }
  }
  graph.addNs = nsSince(start);
  finish(graph, flags);
  return graph;
}

Graph Device::begin() {
  Graph graph;
  MTC_PROBE_CU(cuGraphCreate, &graph.graph, 0);
  graphs_.insert(graph.graph);
  return graph;
}

void Device::destroy(Graph &graph) {
  if (graph.exec)
    cu.cuGraphExecDestroy(graph.exec);
  if (graphs_.erase(graph.graph))
    cu.cuGraphDestroy(graph.graph);
  graph = {};
}

int64_t Device::launch(const Graph &graph, CUstream on) {
  const auto start = Clock::now();
  MTC_PROBE_CU(cuGraphLaunch, graph.exec, on ? on : stream);
  return nsSince(start);
}

void Device::wait(CUstream on) { MTC_PROBE_CU(cuStreamSynchronize, on ? on : stream); }

void Device::read(void *to, CUdeviceptr from, size_t bytes) {
  Graph graph = begin();
  addCopy(graph.graph, to, from, bytes, /*toDevice=*/false, {});
  finish(graph, CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  launch(graph);
  wait();
  destroy(graph);
}

std::vector<Span> Device::spans(const std::vector<Node> &nodes) {
  std::vector<Record> records(nodes.size() * recordsPerSlot);
  read(records.data(), slots(nodes.size()), records.size() * sizeof(Record));
  std::vector<Span> result;
  for (size_t i = 0; i < nodes.size(); ++i) {
    Span &span = result.emplace_back();
    std::set<uint64_t> distinct;
    span.startNs = UINT64_MAX;
    for (int b = 0; b < std::min(nodes[i].blocks, recordsPerSlot); ++b) {
      const Record &r = records[i * recordsPerSlot + static_cast<size_t>(b)];
      distinct.insert(r.sm);
      span.startNs = std::min(span.startNs, r.startNs);
      span.lastStartNs = std::max(span.lastStartNs, r.startNs);
      span.endNs = std::max(span.endNs, r.endNs);
    }
    span.sms.assign(distinct.begin(), distinct.end());
  }
  return result;
}

std::vector<Span> Device::run(const std::vector<Node> &nodes, unsigned long long flags) {
  Graph graph = build(nodes, flags);
  launch(graph); // the first one loads code
  wait();
  launch(graph);
  wait();
  destroy(graph);
  return spans(nodes);
}

} // namespace probe
