//===- GraphCalls.cpp - nodes, edges, instantiation, launch ---------------===//
#include "GraphCalls.h"

#include "TensorMaps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mtc::fake {
namespace {

bool isLive(Graph *graph) { return fake().graphs.count(graph) != 0; }
bool isLive(Exec *exec) { return fake().execs.count(exec) != 0; }

CUresult noSuch(const char *name) {
  return violation(fmt::format("{}: no such graph, node or stream", name),
                   CUDA_ERROR_INVALID_HANDLE);
}

/// Whether the node is one of a live graph.
bool isNode(CUgraphNode handle) {
  auto *node = reinterpret_cast<Node *>(handle);
  for (Graph *graph : fake().graphs)
    for (const auto &other : graph->nodes)
      if (other.get() == node)
        return true;
  return false;
}

/// A node of `graph` behind `waits`, or null after a violation.
Node *addNode(const char *name, CUgraph handle, const CUgraphNode *waits, size_t count) {
  auto *graph = reinterpret_cast<Graph *>(handle);
  if (!isLive(graph)) {
    (void)noSuch(name);
    return nullptr;
  }
  auto node = std::make_unique<Node>();
  node->graph = graph;
  node->index = graph->nodes.size();
  for (size_t i = 0; i < count; ++i) {
    auto *wait = reinterpret_cast<Node *>(waits[i]);
    if (!isNode(waits[i]) || wait->graph != graph) {
      (void)violation(fmt::format("{}: an edge comes from another graph", name));
      return nullptr;
    }
    if (std::find(node->dependencies.begin(), node->dependencies.end(), wait->index) !=
        node->dependencies.end()) {
      (void)violation(fmt::format("{}: an edge is given twice", name));
      return nullptr;
    }
    node->dependencies.push_back(wait->index);
  }
  graph->nodes.push_back(std::move(node));
  return graph->nodes.back().get();
}

/// Another member of a kernel node: the addresses of its buffers, and its tensor maps.
CUresult addMember(Node &node, const std::vector<const void *> &buffers,
                   const std::vector<const void *> &maps) {
  const Kernel &kernel = *node.kernel;
  Node::Member &member = node.members.emplace_back();
  std::vector<Touch> touches;
  for (size_t i = 0; i < buffers.size(); ++i) {
    CUdeviceptr address = 0;
    std::memcpy(&address, buffers[i], sizeof(address));
    member.buffers.push_back(address);
    const auto bytes = static_cast<size_t>(kernel.info->bufferBytes[i]);
    if (bytes == 0)
      continue;
    if (address % 64 != 0)
      return violation(fmt::format("'{}': buffer {} is not aligned", kernel.name, i));
    if (!isDeviceMemory(address, bytes))
      return violation(fmt::format("'{}': {} bytes of buffer {} are not mapped device memory",
                                   kernel.name, bytes, i));
    const Touch touch{address, address + bytes, kernel.info->isWritten[i]};
    for (const Touch &other : node.touches)
      if ((touch.isWrite || other.isWrite) && touch.begin < other.end && other.begin < touch.end)
        return violation(fmt::format("'{}': member {} of a launch touches bytes of another one, "
                                     "of which one writes",
                                     kernel.name, node.members.size() - 1));
    touches.push_back(touch);
  }
  node.touches.insert(node.touches.end(), touches.begin(), touches.end());
  if (const std::string wrong = takeTensorMaps(kernel, member, maps); !wrong.empty())
    return violation(wrong);
  return CUDA_SUCCESS;
}

CUresult setKernel(Node &node, const CUDA_KERNEL_NODE_PARAMS &params) {
  Fake &f = fake();
  auto *context = reinterpret_cast<Context *>(params.ctx);
  if (params.func)
    return violation("a kernel node has a function: its context would be ignored");
  if (context != &f.primary && !f.greens.count(context))
    return violation("a kernel node has no live context", CUDA_ERROR_INVALID_CONTEXT);
  auto *kernel = reinterpret_cast<Kernel *>(params.kern);
  if (std::none_of(f.loaded.begin(), f.loaded.end(),
                   [&](const auto &entry) { return entry.second.get() == kernel; }))
    return violation("a kernel node has no loaded kernel", CUDA_ERROR_INVALID_HANDLE);
  const KernelInfo &info = *kernel->info;
  if (params.blockDimX != info.threads || params.blockDimY != 1 || params.blockDimZ != 1)
    return violation(fmt::format("'{}' wants {} threads, the node has {}x{}x{}", kernel->name,
                                 info.threads, params.blockDimX, params.blockDimY,
                                 params.blockDimZ));
  const unsigned most = kernel->isOfMembers ? static_cast<unsigned>(info.mostMembers) : 1;
  if (params.gridDimX < 1 || params.gridDimY < 1 || params.gridDimY > most ||
      params.gridDimZ != 1 || params.extra)
    return violation(fmt::format("'{}': a grid of {}x{}x{} blocks, faked are one dimension and up "
                                 "to {} members",
                                 kernel->name, params.gridDimX, params.gridDimY, params.gridDimZ,
                                 most));
  const int64_t dynamic = info.sharedBytes > kStaticSharedBytes ? info.sharedBytes : 0;
  if (params.sharedMemBytes != dynamic)
    return violation(fmt::format("'{}' wants {} bytes of dynamic shared memory, the node has {}",
                                 kernel->name, dynamic, params.sharedMemBytes));
  if (dynamic > kernel->mostDynamicSharedBytes)
    return violation(fmt::format("'{}': a launch asks for {} bytes of shared memory, its limit is "
                                 "{}",
                                 kernel->name, dynamic, kernel->mostDynamicSharedBytes));
  node.kernel = kernel;
  node.context = context;
  node.blocks = params.gridDimX;
  const size_t buffers = info.bufferBytes.size();
  const size_t tiles = kernel->isOfMembers ? 1 : buffers; // the parameter with the first tile
  node.lo = *static_cast<const int64_t *>(params.kernelParams[tiles]);
  node.hi = *static_cast<const int64_t *>(params.kernelParams[tiles + 1]);
  if (node.lo < 0 || node.hi < node.lo)
    return violation(
        fmt::format("'{}': tiles [{}, {}) are no range", kernel->name, node.lo, node.hi));
  const MemberLayout layout(buffers, info.tensorMaps.size());
  for (unsigned m = 0; m < params.gridDimY; ++m) {
    std::vector<const void *> own, maps;
    const auto *row = static_cast<const std::byte *>(params.kernelParams[0]) + m * layout.bytes;
    for (size_t i = 0; i < buffers; ++i)
      own.push_back(kernel->isOfMembers ? row + i * sizeof(CUdeviceptr) : params.kernelParams[i]);
    for (size_t i = 0; i < info.tensorMaps.size(); ++i)
      maps.push_back(kernel->isOfMembers ? row + layout.maps + i * sizeof(CUtensorMap)
                                         : params.kernelParams[tiles + 2 + i]);
    if (const CUresult result = addMember(node, own, maps); result != CUDA_SUCCESS)
      return result;
  }
  return CUDA_SUCCESS;
}

CUresult setCopy(Node &node, const CUDA_MEMCPY3D &copy, CUcontext context) {
  if (reinterpret_cast<Context *>(context) != &fake().primary)
    return violation("a copy has not the primary context", CUDA_ERROR_INVALID_CONTEXT);
  if (copy.Height != 1 || copy.Depth != 1 || copy.WidthInBytes == 0 || copy.srcXInBytes != 0 ||
      copy.dstXInBytes != 0)
    return violation("a copy is not of one dimension");
  const bool fromDevice = copy.srcMemoryType == CU_MEMORYTYPE_DEVICE;
  const bool toDevice = copy.dstMemoryType == CU_MEMORYTYPE_DEVICE;
  node.bytes = copy.WidthInBytes;
  node.from = fromDevice ? reinterpret_cast<const void *>(copy.srcDevice) : copy.srcHost;
  node.to = toDevice ? reinterpret_cast<void *>(copy.dstDevice) : copy.dstHost;
  if (!node.from || !node.to)
    return violation("a copy has no memory");
  node.touches.clear();
  for (const auto &[pointer, isDevice, isWrite] :
       {std::tuple(node.from, fromDevice, false),
        std::tuple(static_cast<const void *>(node.to), toDevice, true)}) {
    const auto begin = reinterpret_cast<uintptr_t>(pointer);
    if (isDevice && !isDeviceMemory(begin, node.bytes))
      return violation("a copy's device memory is not mapped");
    node.touches.push_back({begin, begin + node.bytes, isWrite, isDevice});
  }
  return CUDA_SUCCESS;
}

Json edges(const Node &node) {
  Json list = Json::array();
  for (size_t d : node.dependencies)
    list.push_back(d);
  return list;
}

} // namespace

CUresult fake_cuGraphCreate(CUgraph *graph, unsigned flags) {
  return call("cuGraphCreate", {{"flags", flags}}, [&](Json &) {
    auto *made = new Graph();
    fake().graphs.insert(made);
    *graph = reinterpret_cast<CUgraph>(made);
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuGraphDestroy(CUgraph handle) {
  return call(
      "cuGraphDestroy", {},
      [&](Json &) {
        auto *graph = reinterpret_cast<Graph *>(handle);
        if (fake().graphs.erase(graph) == 0)
          return noSuch("cuGraphDestroy");
        for (Exec *exec : fake().execs)
          if (exec->graph == graph)
            exec->graph = nullptr;
        delete graph;
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuGraphAddKernelNode(CUgraphNode *handle, CUgraph graph, const CUgraphNode *waits,
                                   size_t count, const CUDA_KERNEL_NODE_PARAMS *params) {
  return call(
      "cuGraphAddKernelNode", {},
      [&](Json &out) {
        Node *node = addNode("cuGraphAddKernelNode", graph, waits, count);
        if (!node)
          return CUDA_ERROR_INVALID_VALUE;
        const CUresult result = setKernel(*node, *params);
        if (result != CUDA_SUCCESS) {
          node->graph->nodes.pop_back();
          return result;
        }
        out = {{"node", node->index},
               {"kernel", node->kernel->name},
               {"grid", node->blocks},
               {"tiles", {node->lo, node->hi}},
               {"shared", params->sharedMemBytes},
               {"after", edges(*node)},
               {"groups", node->context->units}};
        if (node->kernel->isOfMembers)
          out["members"] = node->members.size();
        *handle = reinterpret_cast<CUgraphNode>(node);
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuGraphAddMemcpyNode(CUgraphNode *handle, CUgraph graph, const CUgraphNode *waits,
                                   size_t count, const CUDA_MEMCPY3D *copy, CUcontext context) {
  return call(
      "cuGraphAddMemcpyNode", {},
      [&](Json &out) {
        Node *node = addNode("cuGraphAddMemcpyNode", graph, waits, count);
        if (!node)
          return CUDA_ERROR_INVALID_VALUE;
        const CUresult result = setCopy(*node, *copy, context);
        if (result != CUDA_SUCCESS) {
          node->graph->nodes.pop_back();
          return result;
        }
        out = {{"node", node->index}, {"bytes", node->bytes}, {"after", edges(*node)}};
        *handle = reinterpret_cast<CUgraphNode>(node);
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuGraphKernelNodeSetAttribute(CUgraphNode handle, CUkernelNodeAttrID attribute,
                                            const CUkernelNodeAttrValue *value) {
  return call("cuGraphKernelNodeSetAttribute", {{"priority", value->priority}}, [&](Json &) {
    if (!isNode(handle) || !reinterpret_cast<Node *>(handle)->kernel)
      return noSuch("cuGraphKernelNodeSetAttribute");
    if (attribute != CU_KERNEL_NODE_ATTRIBUTE_PRIORITY || value->priority > 0 ||
        value->priority < -5)
      return violation("cuGraphKernelNodeSetAttribute: no priority, or out of range");
    reinterpret_cast<Node *>(handle)->priority = value->priority;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuGraphInstantiateWithFlags(CUgraphExec *handle, CUgraph graphHandle,
                                          unsigned long long flags) {
  return call(
      "cuGraphInstantiateWithFlags", {{"flags", flags}},
      [&](Json &out) {
        auto *graph = reinterpret_cast<Graph *>(graphHandle);
        if (!isLive(graph))
          return noSuch("cuGraphInstantiateWithFlags");
        if (!(flags & CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY))
          return violation("priorities of nodes count only with their flag");
        auto exec = std::make_unique<Exec>();
        exec->graph = graph;
        for (const auto &node : graph->nodes)
          exec->nodes.push_back(*node);
        exec->isEnabled.assign(exec->nodes.size(), true);
        if (const std::string race = findRace(*exec); !race.empty())
          return violation(race);
        out["nodes"] = exec->nodes.size();
        *handle = reinterpret_cast<CUgraphExec>(exec.get());
        fake().execs.insert(exec.release());
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuGraphExecDestroy(CUgraphExec handle) {
  return call(
      "cuGraphExecDestroy", {},
      [&](Json &) {
        Fake &f = fake();
        auto *exec = reinterpret_cast<Exec *>(handle);
        if (f.execs.erase(exec) == 0)
          return noSuch("cuGraphExecDestroy");
        delete exec;
        return CUDA_SUCCESS;
      },
      true);
}

/// The exec's own copy of a node of its graph, or null.
static Node *nodeOf(CUgraphExec execHandle, CUgraphNode handle) {
  auto *exec = reinterpret_cast<Exec *>(execHandle);
  auto *node = reinterpret_cast<Node *>(handle);
  return isLive(exec) && isNode(handle) && node->graph == exec->graph ? &exec->nodes[node->index]
                                                                      : nullptr;
}

CUresult fake_cuGraphExecMemcpyNodeSetParams(CUgraphExec execHandle, CUgraphNode handle,
                                             const CUDA_MEMCPY3D *copy, CUcontext context) {
  return call("cuGraphExecMemcpyNodeSetParams", {}, [&](Json &out) {
    Node *node = nodeOf(execHandle, handle);
    if (!node || node->kernel)
      return noSuch("cuGraphExecMemcpyNodeSetParams");
    const bool fromDevice = copy->srcMemoryType == CU_MEMORYTYPE_DEVICE;
    const bool toDevice = copy->dstMemoryType == CU_MEMORYTYPE_DEVICE;
    if (fromDevice != node->touches[0].isDevice || toDevice != node->touches[1].isDevice)
      return violation("a copy cannot change between host and device once it is instantiated");
    out["node"] = node->index;
    return setCopy(*node, *copy, context);
  });
}

CUresult fake_cuGraphNodeSetEnabled(CUgraphExec execHandle, CUgraphNode handle,
                                    unsigned isEnabled) {
  return call("cuGraphNodeSetEnabled", {{"enabled", isEnabled}}, [&](Json &out) {
    Node *node = nodeOf(execHandle, handle);
    if (!node)
      return noSuch("cuGraphNodeSetEnabled");
    out["node"] = node->index;
    reinterpret_cast<Exec *>(execHandle)->isEnabled[node->index] = isEnabled != 0;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuGraphUpload(CUgraphExec handle, CUstream stream) {
  return call("cuGraphUpload", {}, [&](Json &) {
    auto *exec = reinterpret_cast<Exec *>(handle);
    if (!isLive(exec) || !fake().streams.count(reinterpret_cast<Stream *>(stream)))
      return noSuch("cuGraphUpload");
    exec->isUploaded = true;
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuGraphLaunch(CUgraphExec handle, CUstream streamHandle) {
  return call("cuGraphLaunch", {}, [&](Json &) {
    Fake &f = fake();
    auto *exec = reinterpret_cast<Exec *>(handle);
    auto *stream = reinterpret_cast<Stream *>(streamHandle);
    if (!isLive(exec) || !f.streams.count(stream))
      return noSuch("cuGraphLaunch");
    if (const std::string race = findRaceWithOthers(*exec, *stream); !race.empty())
      return violation(race);
    auto &nodes = f.underWay[++f.launches];
    for (size_t i = 0; i < exec->nodes.size(); ++i)
      if (exec->isEnabled[i])
        nodes.push_back(exec->nodes[i]);
    stream->behind.insert(f.launches);
    stream->work.push_back([exec] {
      return isLive(exec)
                 ? execute(*exec)
                 : violation("a graph was destroyed before it ran", CUDA_ERROR_ILLEGAL_ADDRESS);
    });
    ++stream->queued;
    return CUDA_SUCCESS;
  });
}

} // namespace mtc::fake
