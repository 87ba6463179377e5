//===- Graph.cpp - nodes, edges and bindings ------------------------------===//
#include "Graph.h"

#include "../Host/Memory.h"
#include "Stamp.h"
#include "Steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

namespace mtc::gpu {

/// Rule R6: what takes longer is launched in ranges, so that others get SMs in between.
static constexpr int64_t kQuantumNs = 2'000'000;
/// Tensors and scratch slots of one range lie this far apart at least.
static constexpr int64_t kTensorAlignment = 256;

static int64_t aligned(int64_t bytes) {
  return (bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

static const Tenant &tenantOf(const Problem &problem, const Schedule &schedule, int32_t instance) {
  return problem
      .tenants[problem.entries[schedule.workload.instances[static_cast<size_t>(instance)]].tenant];
}

//===- Preparing ----------------------------------------------------------===//

/// Launch priorities by tenant: the tenants' numbers ranked onto the range that the device has, in
/// which less is more urgent.
static StatusOr<std::vector<int>> priorities(const Gpu &gpu, const Problem &problem) {
  int least = 0, greatest = 0;
  MTC_CU(gpu.driver(), cuCtxGetStreamPriorityRange, &least, &greatest);
  std::vector<int32_t> ranks;
  for (const Tenant &tenant : problem.tenants)
    ranks.push_back(tenant.priority);
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  std::vector<int> result;
  for (const Tenant &tenant : problem.tenants) {
    const auto rank = std::lower_bound(ranks.begin(), ranks.end(), tenant.priority) - ranks.begin();
    result.push_back(std::max(greatest, least - static_cast<int>(rank)));
  }
  return result;
}

StatusOr<std::unique_ptr<Graph>> Graph::create(GraphParts parts, ScheduledPlan plan) {
  std::unique_ptr<Graph> graph(new Graph(parts));
  graph->stored = std::move(plan);
  const Problem &problem = parts.target.problem;
  const Schedule &schedule = graph->stored.schedule;
  const auto &commands = graph->stored.plan.commands;
  MTC_ASSIGN_OR_RETURN(graph->priorities_, priorities(parts.gpu, problem));
  graph->commandsOf.resize(schedule.workload.instances.size());
  for (const Command &command : commands)
    ++graph->commandsOf[static_cast<size_t>(command.instance)];
  for (const host::ArenaNeed &need : host::arenaNeeds(problem, schedule, graph->stored.plan)) {
    MTC_ASSIGN_OR_RETURN(const CUdeviceptr at, parts.memory.reserve(need.key, need.bytes));
    graph->arenas_.push_back(at);
  }
  MTC_RETURN_IF_ERROR(graph->layOutTensors());
  MTC_RETURN_IF_ERROR(graph->layOutScratch());
  if (parts.recordTasks) {
    MTC_ASSIGN_OR_RETURN(graph->stamp_, parts.kernels.stamp());
    MTC_ASSIGN_OR_RETURN(
        graph->stamps_,
        parts.memory.reserve("times of tasks", std::ssize(commands) * 2 * kStampBytes));
  }
  graph->nodes_.resize(commands.size());
  for (int32_t c = 0; c < static_cast<int32_t>(commands.size()); ++c)
    MTC_RETURN_IF_ERROR(graph->prepareCommand(c).withContext(graph->nameOf(c)));
  return graph;
}

Graph::~Graph() {
  destroyGraphs();
  for (auto &[context, stream] : streams_)
    parts_.gpu.driver().cuStreamDestroy(stream);
}

void Graph::destroyGraphs() {
  const Driver &cu = parts_.gpu.driver();
  for (const Step &step : steps_) {
    if (step.exec)
      cu.cuGraphExecDestroy(step.exec);
    if (step.graph)
      cu.cuGraphDestroy(step.graph);
    if (step.ended)
      cu.cuEventDestroy(step.ended);
  }
  steps_.clear();
  for (Node &node : nodes_)
    node.nodes.clear();
}

std::string Graph::nameOf(int32_t index) const {
  const Problem &problem = parts_.target.problem;
  const Command &command = stored.plan.commands[static_cast<size_t>(index)];
  const int32_t entry = stored.schedule.workload.instances[static_cast<size_t>(command.instance)];
  const Task &task = problem.entries[entry].tasks[command.task];
  return fmt::format("tenant '{}': task {} ({})",
                     tenantOf(problem, stored.schedule, command.instance).name, task.id, task.name);
}

/// Inputs and outputs that commands use, each in the range of its tenant.
Status Graph::layOutTensors() {
  const Problem &problem = parts_.target.problem;
  const auto &commands = stored.plan.commands;
  std::map<std::tuple<int32_t, bool, int32_t>, Copy> used;
  for (size_t c = 0; c < commands.size(); ++c)
    for (size_t o = 0; o < commands[c].buffers.size(); ++o) {
      const BufferRef &buffer = commands[c].buffers[o];
      if (buffer.space != Space::Input && buffer.space != Space::Output)
        continue;
      const bool isInput = buffer.space == Space::Input;
      Copy &copy = used[{commands[c].instance, isInput, buffer.index}];
      copy.instance = commands[c].instance;
      copy.isInput = isInput;
      copy.index = buffer.index;
      copy.bytes = buffer.bytes;
      // An output may be read again by later commands; who writes it stands first.
      if (isInput || copy.commands.empty())
        copy.commands.push_back(static_cast<int32_t>(c));
    }
  std::map<int32_t, int64_t> bytesOf; // by instance
  for (auto &[key, copy] : used) {
    copy.device = static_cast<CUdeviceptr>(bytesOf[copy.instance]);
    bytesOf[copy.instance] += aligned(copy.bytes);
  }
  std::map<std::string, int> seen;
  std::map<int32_t, CUdeviceptr> base;
  for (const auto &[instance, bytes] : bytesOf) {
    const std::string &tenant = tenantOf(problem, stored.schedule, instance).name;
    const std::string key = fmt::format("tensors of {} {}", tenant, seen[tenant]++);
    MTC_ASSIGN_OR_RETURN(base[instance], parts_.memory.reserve(key, bytes));
  }
  for (auto &[key, copy] : used) {
    copy.device += base[copy.instance];
    tensors_[key] = copy.device;
    if (copy.bytes > 0)
      copies_.push_back(std::move(copy));
  }
  return okStatus();
}

/// Commands that may run side by side have disjoint granules, so one slot per lowest granule is
/// enough; slots of different tenants are apart.
Status Graph::layOutScratch() {
  const Problem &problem = parts_.target.problem;
  std::map<std::string, std::map<int, int64_t>> slots; // by tenant, granule
  const auto slotOf = [&](const Command &command) -> int64_t & {
    return slots[tenantOf(problem, stored.schedule, command.instance).name]
                [std::countr_zero(command.granules)];
  };
  const auto bytesOf = [&](const Command &command) {
    return problem.kernels[command.kernel].variants[command.variant].scratchBytesPerWorker;
  };
  for (const Command &command : stored.plan.commands)
    slotOf(command) = std::max(slotOf(command), bytesOf(command));
  std::map<std::string, CUdeviceptr> bases;
  for (auto &[tenant, sizes] : slots) {
    int64_t end = 0;
    for (auto &[granule, bytes] : sizes)
      end += aligned(std::exchange(bytes, end));
    if (end > 0) {
      MTC_ASSIGN_OR_RETURN(bases[tenant], parts_.memory.reserve("scratch of " + tenant, end));
    }
  }
  for (const Command &command : stored.plan.commands) {
    const std::string &tenant = tenantOf(problem, stored.schedule, command.instance).name;
    scratch_.push_back(
        bytesOf(command) == 0 ? 0 : bases[tenant] + static_cast<CUdeviceptr>(slotOf(command)));
  }
  return okStatus();
}

StatusOr<CUdeviceptr> Graph::addressOf(const Command &command, const BufferRef &buffer) {
  switch (buffer.space) {
  case Space::Arena:
    return arenas_[static_cast<size_t>(buffer.index)] + static_cast<CUdeviceptr>(buffer.offset);
  case Space::Input:
  case Space::Output:
    return tensors_.at({command.instance, buffer.space == Space::Input, buffer.index});
  case Space::Weight:
    return parts_.weights.upload(buffer.index);
  }
  return internalError("a buffer lies nowhere");
}

Status Graph::prepareCommand(int32_t index) {
  const Command &command = stored.plan.commands[static_cast<size_t>(index)];
  const Problem &problem = parts_.target.problem;
  const Kernel &kernel = problem.kernels[command.kernel];
  const Variant &variant = kernel.variants[command.variant];
  Node &node = nodes_[static_cast<size_t>(index)];
  if (parts_.sharing == CudaSharing::Grids) {
    node.partition = {parts_.gpu.primary(), parts_.gpu.unitsOf(command.granules)};
  } else {
    MTC_ASSIGN_OR_RETURN(node.partition, parts_.gpu.partition(command.granules));
  }
  const int32_t entry = stored.schedule.workload.instances[static_cast<size_t>(command.instance)];
  node.priority = priorities_[problem.entries[entry].tenant];
  for (const BufferRef &buffer : command.buffers) {
    MTC_ASSIGN_OR_RETURN(const CUdeviceptr address, addressOf(command, buffer));
    node.buffers.push_back(address);
  }
  node.buffers.push_back(scratch_[static_cast<size_t>(index)]);
  MTC_ASSIGN_OR_RETURN(const auto *phases, parts_.kernels.phases(command.kernel, command.variant));
  const int64_t ns = variantNs(variant, std::popcount(command.granules));
  for (size_t p = 0; p < phases->size(); ++p) {
    const int64_t tiles = variant.phaseTiles[p];
    const int64_t ranges = std::clamp<int64_t>((ns + kQuantumNs - 1) / kQuantumNs, 1, tiles);
    const GpuFunction &info = *(*phases)[p].info;
    for (int64_t r = 0; r < ranges; ++r) {
      Launch &launch = node.launches.emplace_back();
      launch.kernel = (*phases)[p].kernel;
      launch.threads = static_cast<unsigned>(info.threads);
      launch.sharedBytes = static_cast<unsigned>(info.dynamicSharedBytes());
      launch.lo = tiles * r / ranges;
      launch.hi = tiles * (r + 1) / ranges;
      const int64_t resident = int64_t(node.partition.units) * info.blocksPerUnit;
      launch.blocks = static_cast<unsigned>(
          std::clamp<int64_t>(resident, 1, std::max<int64_t>(1, launch.hi - launch.lo)));
    }
  }
  return okStatus();
}

//===- The graph ----------------------------------------------------------===//

/// A kernel behind `before`, which it then is.
Status Graph::addKernel(CUgraph graph, Node &node, Launch &launch,
                        std::vector<CUdeviceptr> &buffers, std::vector<CUgraphNode> &before) {
  const Driver &cu = parts_.gpu.driver();
  std::vector<void *> parameters;
  for (CUdeviceptr &buffer : buffers)
    parameters.push_back(&buffer);
  parameters.push_back(&launch.lo);
  parameters.push_back(&launch.hi);
  CUDA_KERNEL_NODE_PARAMS what = {};
  what.kern = launch.kernel; // `func` would make the node ignore `ctx`
  what.ctx = node.partition.context;
  what.gridDimX = launch.blocks;
  what.blockDimX = launch.threads;
  what.sharedMemBytes = launch.sharedBytes;
  what.gridDimY = what.gridDimZ = what.blockDimY = what.blockDimZ = 1;
  what.kernelParams = parameters.data();
  CUgraphNode added = nullptr;
  MTC_CU(cu, cuGraphAddKernelNode, &added, graph, before.data(), before.size(), &what);
  CUkernelNodeAttrValue value = {};
  value.priority = node.priority;
  MTC_CU(cu, cuGraphKernelNodeSetAttribute, added, CU_KERNEL_NODE_ATTRIBUTE_PRIORITY, &value);
  node.nodes.push_back(added);
  before = {added};
  return okStatus();
}

Status Graph::addCommand(CUgraph graph, int32_t index, const std::vector<CUgraphNode> &waits) {
  Node &node = nodes_[static_cast<size_t>(index)];
  std::vector<CUgraphNode> before = waits;
  const auto addStamp = [&](int end) {
    if (!stamp_)
      return okStatus();
    Launch launch;
    launch.kernel = stamp_;
    std::vector<CUdeviceptr> at = {
        stamps_ + static_cast<CUdeviceptr>((2 * int64_t(index) + end) * kStampBytes)};
    return addKernel(graph, node, launch, at, before);
  };
  MTC_RETURN_IF_ERROR(addStamp(0));
  for (Launch &launch : node.launches)
    MTC_RETURN_IF_ERROR(addKernel(graph, node, launch, node.buffers, before));
  return addStamp(1);
}

/// One row of bytes between a request's memory and the device's.
static CUDA_MEMCPY3D copyParameters(bool isInput, void *bound, bool onDevice, CUdeviceptr device,
                                    int64_t bytes) {
  CUDA_MEMCPY3D copy = {};
  const CUmemorytype outside = onDevice ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
  if (isInput) {
    copy.srcMemoryType = outside;
    copy.srcHost = onDevice ? nullptr : bound;
    copy.srcDevice = onDevice ? reinterpret_cast<CUdeviceptr>(bound) : 0;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = device;
  } else {
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = device;
    copy.dstMemoryType = outside;
    copy.dstHost = onDevice ? nullptr : bound;
    copy.dstDevice = onDevice ? reinterpret_cast<CUdeviceptr>(bound) : 0;
  }
  copy.WidthInBytes = static_cast<size_t>(bytes);
  copy.Height = copy.Depth = 1;
  return copy;
}

Status Graph::addCopy(CUgraph graph, Copy &copy, const std::vector<CUgraphNode> &waits) {
  const Driver &cu = parts_.gpu.driver();
  const CUDA_MEMCPY3D what =
      copyParameters(copy.isInput, copy.bound, copy.onDevice, copy.device, copy.bytes);
  MTC_CU(cu, cuGraphAddMemcpyNode, &copy.node, graph, waits.data(), waits.size(), &what,
         parts_.gpu.primary());
  copy.step = steps_.size() - 1;
  copy.isEnabled = true;
  return okStatus();
}

Status Graph::finishStep(Step &step, CUstream stream) {
  const Driver &cu = parts_.gpu.driver();
  MTC_CU(cu, cuGraphInstantiateWithFlags, &step.exec, step.graph,
         CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  MTC_CU(cu, cuGraphUpload, step.exec, stream);
  return okStatus();
}

/// Adds commands to the last step, behind those of the same step that they wait for.
Status Graph::addCommands(const std::vector<int32_t> &indices) {
  Step &step = steps_.back();
  for (int32_t c : indices) {
    std::vector<CUgraphNode> waits;
    if (steps_.size() == 1) // inputs are copied in this step, too
      for (const Copy &copy : copies_)
        if (copy.isInput &&
            std::find(copy.commands.begin(), copy.commands.end(), c) != copy.commands.end())
          waits.push_back(copy.node);
    for (int32_t wait : stored.plan.commands[static_cast<size_t>(c)].waits)
      if (const Node &other = nodes_[static_cast<size_t>(wait)]; other.step == steps_.size())
        waits.push_back(other.nodes.back());
    nodes_[static_cast<size_t>(c)].step = steps_.size();
    MTC_RETURN_IF_ERROR(addCommand(step.graph, c, waits).withContext(nameOf(c)));
  }
  return okStatus();
}

Status Graph::instantiate(CUstream stream) {
  const Driver &cu = parts_.gpu.driver();
  destroyGraphs();
  const auto begin = [&](int32_t command) {
    Step &step = steps_.emplace_back();
    step.command = command;
    return cu.check(cu.cuGraphCreate(&step.graph, 0), "cuGraphCreate");
  };
  const auto nameTenant = [&](const Copy &copy) {
    return fmt::format("tenant '{}': copy of {} {}",
                       tenantOf(parts_.target.problem, stored.schedule, copy.instance).name,
                       copy.isInput ? "input" : "output", copy.index);
  };
  MTC_RETURN_IF_ERROR(begin(-1));
  for (Copy &copy : copies_)
    if (copy.isInput)
      MTC_RETURN_IF_ERROR(addCopy(steps_.back().graph, copy, {}).withContext(nameTenant(copy)));
  const auto &commands = stored.plan.commands;
  std::vector<int32_t> all(commands.size());
  std::iota(all.begin(), all.end(), 0);
  const bool isOne = !parts_.nodeByNode && parts_.sharing != CudaSharing::Graphs;
  if (isOne) {
    MTC_RETURN_IF_ERROR(addCommands(all));
  } else if (parts_.nodeByNode) {
    for (int32_t c : all) {
      MTC_RETURN_IF_ERROR(finishStep(steps_.back(), stream));
      MTC_RETURN_IF_ERROR(begin(c));
      MTC_RETURN_IF_ERROR(addCommands({c}));
    }
  } else {
    std::vector<CUcontext> contexts; // by number
    std::vector<int32_t> contextOf;
    for (const Node &node : nodes_) {
      const auto known = std::find(contexts.begin(), contexts.end(), node.partition.context);
      contextOf.push_back(static_cast<int32_t>(known - contexts.begin()));
      if (known == contexts.end())
        contexts.push_back(node.partition.context);
    }
    for (const StepCut &cut : cutByContexts(commands, contextOf)) {
      MTC_RETURN_IF_ERROR(finishStep(steps_.back(), stream));
      MTC_RETURN_IF_ERROR(begin(-1));
      Step &step = steps_.back();
      CUcontext context = contexts[static_cast<size_t>(cut.context)];
      if (streams_.count(context) == 0) {
        MTC_CU(cu, cuStreamCreate, &step.stream, CU_STREAM_NON_BLOCKING);
        streams_[context] = step.stream;
      }
      step.stream = streams_[context];
      step.after = {0}; // the inputs
      for (int32_t other : cut.after)
        step.after.push_back(static_cast<size_t>(other) + 1);
      MTC_RETURN_IF_ERROR(addCommands(cut.commands));
    }
  }
  if (!isOne) {
    MTC_RETURN_IF_ERROR(finishStep(steps_.back(), stream));
    MTC_RETURN_IF_ERROR(begin(-1));
  }
  for (Copy &copy : copies_)
    if (!copy.isInput) {
      std::vector<CUgraphNode> waits;
      if (isOne)
        waits.push_back(nodes_[static_cast<size_t>(copy.commands.front())].nodes.back());
      MTC_RETURN_IF_ERROR(addCopy(steps_.back().graph, copy, waits).withContext(nameTenant(copy)));
    }
  MTC_RETURN_IF_ERROR(finishStep(steps_.back(), stream));
  return joinSteps();
}

/// Outputs are copied behind the last step of each stream; who is waited for in another stream has
/// an event.
Status Graph::joinSteps() {
  const Driver &cu = parts_.gpu.driver();
  std::map<CUstream, size_t> last;
  for (size_t i = 0; i < steps_.size(); ++i)
    if (steps_[i].stream)
      last[steps_[i].stream] = i;
  for (const auto &[stream, step] : last)
    steps_.back().after.push_back(step);
  for (size_t i = 0; i < steps_.size(); ++i)
    for (size_t before : steps_[i].after)
      if (!steps_[before].ended)
        MTC_CU(cu, cuEventCreate, &steps_[before].ended, CU_EVENT_DISABLE_TIMING);
  return okStatus();
}

Status Graph::launch(CUstream stream) const {
  const Driver &cu = parts_.gpu.driver();
  for (const Step &step : steps_) {
    CUstream own = step.stream ? step.stream : stream;
    for (size_t before : step.after)
      MTC_CU(cu, cuStreamWaitEvent, own, steps_[before].ended, 0);
    MTC_CU(cu, cuGraphLaunch, step.exec, own);
    if (step.ended)
      MTC_CU(cu, cuEventRecord, step.ended, own);
  }
  return okStatus();
}

CUresult Graph::synchronize(CUstream stream) const {
  const Driver &cu = parts_.gpu.driver();
  CUresult result = cu.cuStreamSynchronize(stream);
  for (const auto &[context, own] : streams_)
    if (const CUresult other = cu.cuStreamSynchronize(own); result == CUDA_SUCCESS)
      result = other;
  return result;
}

Status Graph::readTimes(int64_t firstNs, std::vector<TaskRecord> &tasks) const {
  const auto &commands = stored.plan.commands;
  if (!stamp_ || commands.empty())
    return okStatus();
  constexpr size_t words = kStampBytes / sizeof(uint64_t);
  CurrentContext current(parts_.gpu.driver(), parts_.gpu.primary());
  MTC_RETURN_IF_ERROR(current.status());
  std::vector<uint64_t> stamps(commands.size() * 2 * words);
  MTC_CU(parts_.gpu.driver(), cuMemcpyDtoH, stamps.data(), stamps_,
         stamps.size() * sizeof(uint64_t));
  uint64_t first = UINT64_MAX;
  for (size_t c = 0; c < commands.size(); ++c)
    first = std::min(first, stamps[2 * c * words]);
  const auto timeOf = [&](size_t stamp) {
    return firstNs + static_cast<int64_t>(stamps[stamp * words] - first);
  };
  for (size_t c = 0; c < commands.size(); ++c)
    for (int32_t granule = 0; granule < parts_.gpu.granules(); ++granule)
      if (commands[c].granules >> granule & 1)
        tasks.push_back({static_cast<int32_t>(c), granule, timeOf(2 * c), timeOf(2 * c + 1)});
  return okStatus();
}

Status Graph::bind(const std::vector<Request *> &requests, CUstream stream) {
  Status status = tryBind(requests, stream);
  if (!status.ok())
    destroyGraphs(); // what they hold is not known: made again at the next call
  return status;
}

Status Graph::tryBind(const std::vector<Request *> &requests, CUstream stream) {
  const Driver &cu = parts_.gpu.driver();
  // A cancelled request keeps the addresses of the run before; its copies do not run.
  bool isNew = steps_.empty();
  std::vector<Copy *> moved;
  for (Copy &copy : copies_) {
    const Request *request = requests[static_cast<size_t>(copy.instance)];
    if (!request)
      continue;
    void *bound = request->boundAt(copy.isInput, copy.index);
    const bool onDevice = request->isOnDevice(copy.isInput, copy.index);
    isNew |= onDevice != copy.onDevice;
    if (bound != copy.bound)
      moved.push_back(&copy);
    copy.bound = bound;
    copy.onDevice = onDevice;
  }
  if (isNew) {
    // A request that was cancelled before the first run has no address yet: any will do.
    for (Copy &copy : copies_)
      if (!copy.bound) {
        copy.bound = reinterpret_cast<void *>(copy.device);
        copy.onDevice = true;
      }
    MTC_RETURN_IF_ERROR(instantiate(stream));
    moved.clear();
  }
  for (const Copy *copy : moved) {
    const CUDA_MEMCPY3D what =
        copyParameters(copy->isInput, copy->bound, copy->onDevice, copy->device, copy->bytes);
    MTC_CU(cu, cuGraphExecMemcpyNodeSetParams, steps_[copy->step].exec, copy->node, &what,
           parts_.gpu.primary());
  }
  for (Copy &copy : copies_) {
    const bool enabled = requests[static_cast<size_t>(copy.instance)] != nullptr;
    if (enabled == copy.isEnabled)
      continue;
    MTC_CU(cu, cuGraphNodeSetEnabled, steps_[copy.step].exec, copy.node, enabled);
    copy.isEnabled = enabled;
  }
  return okStatus();
}

} // namespace mtc::gpu
