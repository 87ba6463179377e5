//===- Graph.cpp - nodes, edges and bindings ------------------------------===//
#include "Graph.h"

#include "../Host/Memory.h"
#include "Stamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

namespace mtc::gpu {

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
  for (const Node &node : graph->nodes_)
    graph->hasRegions_ |= node.region != nullptr;
  if (graph->hasRegions_) {
    void *decisions = nullptr;
    MTC_CU(parts.gpu.driver(), cuMemAllocHost, &decisions, commands.size() * sizeof(Decision));
    graph->decisions_ = static_cast<Decision *>(decisions);
  }
  return graph;
}

Graph::~Graph() {
  destroyGraphs();
  const Driver &cu = parts_.gpu.driver();
  for (CUstream stream : streams_)
    if (stream)
      cu.cuStreamDestroy(stream);
  if (decisions_)
    cu.cuMemFreeHost(decisions_);
}

void Graph::destroyGraphs() {
  const Driver &cu = parts_.gpu.driver();
  for (const Step &step : steps_) {
    if (step.exec)
      cu.cuGraphExecDestroy(step.exec);
    if (step.graph)
      cu.cuGraphDestroy(step.graph);
    for (CUevent event : {step.ended, step.place.arrived})
      if (event)
        cu.cuEventDestroy(event);
  }
  steps_.clear();
  for (Node &node : nodes_)
    if (node.region)
      gpu::destroyGraphs(cu, *node.region);
}

/// The command whose launches do the work of this one.
int32_t Graph::leaderOf(int32_t command) const {
  while (stored.plan.commands[static_cast<size_t>(command)].merged)
    --command;
  return command;
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
/// enough, and one for each that is merged with it; slots of different tenants are apart.
Status Graph::layOutScratch() {
  const Problem &problem = parts_.target.problem;
  const auto &commands = stored.plan.commands;
  std::vector<int> members; // by command: its number among those that are merged
  for (const Command &command : commands)
    members.push_back(command.merged ? members.back() + 1 : 0);
  std::map<std::string, std::map<std::pair<int, int>, int64_t>> slots; // by tenant, granule, member
  const auto slotOf = [&](size_t c) -> int64_t & {
    return slots[tenantOf(problem, stored.schedule, commands[c].instance).name]
                [{std::countr_zero(commands[c].granules), members[c]}];
  };
  const auto bytesOf = [&](const Command &command) {
    return problem.kernels[command.kernel].variants[command.variant].scratchBytesPerWorker;
  };
  for (size_t c = 0; c < commands.size(); ++c)
    slotOf(c) = std::max(slotOf(c), bytesOf(commands[c]));
  std::map<std::string, CUdeviceptr> bases;
  for (auto &[tenant, sizes] : slots) {
    int64_t end = 0;
    for (auto &[slot, bytes] : sizes)
      end += aligned(std::exchange(bytes, end));
    if (end > 0) {
      MTC_ASSIGN_OR_RETURN(bases[tenant], parts_.memory.reserve("scratch of " + tenant, end));
    }
  }
  for (size_t c = 0; c < commands.size(); ++c) {
    const std::string &tenant = tenantOf(problem, stored.schedule, commands[c].instance).name;
    scratch_.push_back(
        bytesOf(commands[c]) == 0 ? 0 : bases[tenant] + static_cast<CUdeviceptr>(slotOf(c)));
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
  Node &node = nodes_[static_cast<size_t>(index)];
  Chain &chain = node.chain;
  if (parts_.sharing == CudaSharing::Grids) {
    chain.partition = {parts_.gpu.primary(), parts_.gpu.unitsOf(command.granules)};
  } else {
    MTC_ASSIGN_OR_RETURN(chain.partition, parts_.gpu.partition(command.granules));
  }
  if (command.merged) // its leader's launches do its work
    return okStatus();
  const int32_t entry = stored.schedule.workload.instances[static_cast<size_t>(command.instance)];
  chain.priority = priorities_[problem.entries[entry].tenant];
  for (const BufferRef &buffer : command.buffers) {
    MTC_ASSIGN_OR_RETURN(const CUdeviceptr address, addressOf(command, buffer));
    chain.buffers.push_back(address);
    chain.bytes.push_back(buffer.bytes);
  }
  const CUdeviceptr scratch = scratch_[static_cast<size_t>(index)];
  const int granules = std::popcount(command.granules);
  if (kernel.region) {
    const RegionParts parts = {problem,  parts_.kernels, parts_.weights, chain.partition,
                               granules, chain.priority, scratch};
    MTC_ASSIGN_OR_RETURN(node.region, prepareRegion(parts, command.kernel, chain.buffers));
    return okStatus();
  }
  chain.buffers.push_back(scratch);
  const auto &commands = stored.plan.commands;
  for (auto c = static_cast<size_t>(index) + 1; c < commands.size() && commands[c].merged; ++c) {
    std::vector<CUdeviceptr> &buffers = chain.others.emplace_back();
    for (const BufferRef &buffer : commands[c].buffers) {
      MTC_ASSIGN_OR_RETURN(const CUdeviceptr address, addressOf(commands[c], buffer));
      buffers.push_back(address);
    }
    buffers.push_back(scratch_[c]);
  }
  return addLaunches(node.chain, parts_.kernels, problem, command.kernel, command.variant,
                     granules);
}

//===- The graph ----------------------------------------------------------===//

/// Behind `before`, which it then is; nothing if tasks are not recorded.
Status Graph::addStamp(CUgraph graph, int32_t index, int end, std::vector<CUgraphNode> &before) {
  if (!stamp_)
    return okStatus();
  Launch launch;
  launch.kernel = stamp_;
  const int64_t offset = (2 * int64_t(index) + end) * kStampBytes;
  return addNode(parts_.gpu.driver(), graph, nodes_[static_cast<size_t>(index)].chain, launch,
                 {stamps_ + static_cast<CUdeviceptr>(offset)}, before);
}

Status Graph::addCommand(CUgraph graph, int32_t index, const std::vector<CUgraphNode> &waits) {
  Node &node = nodes_[static_cast<size_t>(index)];
  if (stored.plan.commands[static_cast<size_t>(index)].merged) {
    node.last = nodes_[static_cast<size_t>(index) - 1].last;
    return okStatus();
  }
  std::vector<CUgraphNode> before = waits;
  MTC_RETURN_IF_ERROR(addStamp(graph, index, 0, before));
  MTC_RETURN_IF_ERROR(addNodes(parts_.gpu.driver(), graph, node.chain, before));
  MTC_RETURN_IF_ERROR(addStamp(graph, index, 1, before));
  node.last = before.front();
  return okStatus();
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

/// Adds commands to the last step, behind those of the same step that they wait for.
Status Graph::addCommands(const std::vector<int32_t> &indices) {
  Step &step = steps_.back();
  for (int32_t c : indices) {
    std::vector<CUgraphNode> waits;
    if (steps_.size() == 1) // inputs are copied in this step, too
      for (const Copy &copy : copies_)
        if (copy.isInput && std::any_of(copy.commands.begin(), copy.commands.end(),
                                        [&](int32_t reader) { return leaderOf(reader) == c; }))
          waits.push_back(copy.node);
    for (int32_t wait : stored.plan.commands[static_cast<size_t>(c)].waits)
      if (const Node &other = nodes_[static_cast<size_t>(wait)];
          other.step == steps_.size() && leaderOf(wait) == wait)
        waits.push_back(other.last);
    nodes_[static_cast<size_t>(c)].step = steps_.size();
    MTC_RETURN_IF_ERROR(addCommand(step.graph, c, waits).withContext(nameOf(c)));
  }
  return okStatus();
}

Status Graph::instantiate(CUstream stream) {
  destroyGraphs();
  const auto nameTenant = [&](const Copy &copy) {
    return fmt::format("tenant '{}': copy of {} {}",
                       tenantOf(parts_.target.problem, stored.schedule, copy.instance).name,
                       copy.isInput ? "input" : "output", copy.index);
  };
  MTC_RETURN_IF_ERROR(beginStep(-1));
  for (Copy &copy : copies_)
    if (copy.isInput)
      MTC_RETURN_IF_ERROR(addCopy(steps_.back().graph, copy, {}).withContext(nameTenant(copy)));
  const bool isOne = !parts_.nodeByNode && parts_.sharing != CudaSharing::Graphs && !hasRegions_;
  if (isOne) {
    std::vector<int32_t> all(stored.plan.commands.size());
    std::iota(all.begin(), all.end(), 0);
    MTC_RETURN_IF_ERROR(addCommands(all));
  } else {
    MTC_RETURN_IF_ERROR(addSteps(stream));
    MTC_RETURN_IF_ERROR(beginStep(-1));
  }
  for (Copy &copy : copies_)
    if (!copy.isInput) {
      std::vector<CUgraphNode> waits;
      if (isOne)
        waits.push_back(nodes_[static_cast<size_t>(copy.commands.front())].last);
      MTC_RETURN_IF_ERROR(addCopy(steps_.back().graph, copy, waits).withContext(nameTenant(copy)));
    }
  MTC_RETURN_IF_ERROR(finishStep(stream));
  return joinSteps();
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
    if (!commands[c].merged)
      first = std::min(first, stamps[2 * c * words]);
  const auto timeOf = [&](size_t stamp) {
    const auto leader = static_cast<size_t>(leaderOf(static_cast<int32_t>(stamp / 2)));
    return firstNs + static_cast<int64_t>(stamps[(2 * leader + stamp % 2) * words] - first);
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
