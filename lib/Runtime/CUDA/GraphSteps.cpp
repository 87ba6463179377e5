//===- GraphSteps.cpp - a plan as several graphs --------------------------===//
//
// Where a plan is not one graph, commands of a group follow each other in a stream of the group, in
// graphs cut where they wait for another group (Steps.h), and events join the streams. Groups are
// contexts (CudaSharing::Graphs), or requests if there is control flow: a region is a group of its
// own, so what does not wait for it is launched before it is over. What another request has to wait
// for is rounded up to the whole step that holds it.
//
//===----------------------------------------------------------------------===//
#include "../Host/Signal.h"
#include "Graph.h"
#include "Steps.h"
#include "mtc/Support/Clock.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace mtc::gpu {

//===- Steps --------------------------------------------------------------===//

Status Graph::beginStep(int32_t command) {
  Step &step = steps_.emplace_back();
  step.command = command;
  MTC_CU(parts_.gpu.driver(), cuGraphCreate, &step.graph, 0);
  return okStatus();
}

Status Graph::finishStep(CUstream stream) {
  const Driver &cu = parts_.gpu.driver();
  Step &step = steps_.back();
  MTC_CU(cu, cuGraphInstantiateWithFlags, &step.exec, step.graph,
         CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  MTC_CU(cu, cuGraphUpload, step.exec, stream);
  return okStatus();
}

/// The group of each command.
std::vector<int32_t> Graph::groupCommands() const {
  const auto &commands = stored.plan.commands;
  std::vector<CUcontext> contexts; // by group
  auto groups = static_cast<int32_t>(stored.schedule.workload.instances.size());
  std::vector<int32_t> group;
  for (size_t c = 0; c < commands.size(); ++c) {
    int32_t g = commands[c].merged ? group.back() : commands[c].instance;
    if (parts_.sharing == CudaSharing::Graphs) {
      const CUcontext context = nodes_[c].chain.partition.context;
      const auto known = std::find(contexts.begin(), contexts.end(), context);
      g = groups + static_cast<int32_t>(known - contexts.begin());
      if (known == contexts.end())
        contexts.push_back(context);
    }
    group.push_back(g);
  }
  groups += static_cast<int32_t>(contexts.size());
  for (size_t c = 0; c < commands.size(); ++c)
    if (nodes_[c].region)
      group[c] = groups++;
  return group;
}

/// Steps of all commands, behind the one that copies inputs.
Status Graph::addSteps(CUstream stream) {
  MTC_RETURN_IF_ERROR(finishStep(stream));
  const auto &commands = stored.plan.commands;
  if (parts_.nodeByNode) {
    for (int32_t c = 0; c < std::ssize(commands); ++c)
      if (!commands[static_cast<size_t>(c)].merged)
        MTC_RETURN_IF_ERROR(addCut({c}, nullptr, {}, stream));
    return okStatus();
  }
  std::vector<size_t> lastSteps; // by cut
  for (const StepCut &cut : cutByContexts(commands, groupCommands())) {
    const auto group = static_cast<size_t>(cut.context);
    streams_.resize(std::max(streams_.size(), group + 1));
    if (!streams_[group])
      MTC_CU(parts_.gpu.driver(), cuStreamCreate, &streams_[group], CU_STREAM_NON_BLOCKING);
    std::vector<size_t> after = {0}; // the inputs
    for (int32_t other : cut.after)
      after.push_back(lastSteps[static_cast<size_t>(other)]);
    MTC_RETURN_IF_ERROR(addCut(cut.commands, streams_[group], std::move(after), stream));
    lastSteps.push_back(steps_.size() - 1);
  }
  return okStatus();
}

/// A step of commands in stream `own`; of a region with its times before and behind it.
Status Graph::addCut(const std::vector<int32_t> &commands, CUstream own, std::vector<size_t> after,
                     CUstream stream) {
  const int32_t first = commands.front();
  Node &node = nodes_[static_cast<size_t>(first)];
  if (!node.region) {
    MTC_RETURN_IF_ERROR(beginStep(parts_.nodeByNode ? first : -1));
    steps_.back().stream = own;
    steps_.back().after = std::move(after);
    MTC_RETURN_IF_ERROR(addCommands(commands));
    return finishStep(stream);
  }
  MTC_RETURN_IF_ERROR(addStampStep(first, 0, own, after, stream));
  Step &step = steps_.emplace_back();
  step.command = first;
  step.stream = own;
  if (!stamp_)
    step.after = std::move(after);
  step.region = node.region.get();
  step.place.stream = own ? own : stream;
  step.place.decision = decisions_ + first;
  const Driver &cu = parts_.gpu.driver();
  MTC_CU(cu, cuEventCreate, &step.place.arrived, CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING);
  MTC_RETURN_IF_ERROR(makeGraphs(cu, *node.region, stream).withContext(nameOf(first)));
  return addStampStep(first, 1, own, {}, stream);
}

Status Graph::addStampStep(int32_t command, int end, CUstream own, std::vector<size_t> after,
                           CUstream stream) {
  if (!stamp_)
    return okStatus();
  MTC_RETURN_IF_ERROR(beginStep(command));
  steps_.back().stream = own;
  steps_.back().after = std::move(after);
  std::vector<CUgraphNode> before;
  MTC_RETURN_IF_ERROR(addStamp(steps_.back().graph, command, end, before));
  return finishStep(stream);
}

/// Outputs are copied behind the last step of each stream; who is waited for in another stream has
/// an event.
Status Graph::joinSteps() {
  const Driver &cu = parts_.gpu.driver();
  std::map<CUstream, size_t> last; // looked up alone: addresses have no order
  for (size_t i = 0; i < steps_.size(); ++i) {
    const auto [entry, isFirst] = last.try_emplace(steps_[i].stream, i);
    if (!isFirst)
      steps_[i].previous = std::exchange(entry->second, i);
  }
  for (CUstream stream : streams_)
    if (const auto entry = last.find(stream); stream && entry != last.end())
      steps_.back().after.push_back(entry->second);
  for (size_t i = 0; i < steps_.size(); ++i)
    for (size_t before : steps_[i].after)
      if (!steps_[before].ended)
        MTC_CU(cu, cuEventCreate, &steps_[before].ended, CU_EVENT_DISABLE_TIMING);
  return okStatus();
}

//===- Running them -------------------------------------------------------===//

RegionWalk Graph::walkOf(const Step &step, const WalkOptions &options) const {
  const int64_t maxTrips = options.maxTrips ? options.maxTrips : step.region->region->maxTrips;
  return {parts_.gpu.driver(), step.place, *step.region, maxTrips};
}

/// Queues the waits of a step and, if it has one, its graph.
Status Graph::queue(const Step &step, CUstream stream) const {
  const Driver &cu = parts_.gpu.driver();
  CUstream own = step.stream ? step.stream : stream;
  for (size_t before : step.after)
    MTC_CU(cu, cuStreamWaitEvent, own, steps_[before].ended, 0);
  if (step.exec)
    MTC_CU(cu, cuGraphLaunch, step.exec, own);
  return okStatus();
}

/// All work of a step is queued.
Status Graph::endStep(const Step &step, CUstream stream) const {
  if (step.ended)
    MTC_CU(parts_.gpu.driver(), cuEventRecord, step.ended, step.stream ? step.stream : stream);
  return okStatus();
}

Status Graph::launch(CUstream stream, const WalkOptions &options) const {
  const Driver &cu = parts_.gpu.driver();
  std::vector<bool> isQueued(steps_.size()); // to its end
  std::map<size_t, RegionWalk> walks;        // by step
  size_t left = steps_.size();
  int64_t movedNs = 0;
  bool moved = false;
  const auto end = [&](size_t i) {
    isQueued[i] = moved = true;
    --left;
    return endStep(steps_[i], stream);
  };
  while (left > 0) {
    moved = false;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step &step = steps_[i];
      const auto isEnded = [&](size_t before) { return isQueued[before]; };
      if (isQueued[i] || walks.count(i) || (step.previous && !isQueued[*step.previous]) ||
          !std::all_of(step.after.begin(), step.after.end(), isEnded))
        continue;
      MTC_RETURN_IF_ERROR(queue(step, stream));
      if (!step.region || options.isPassedOver(step.command)) {
        MTC_RETURN_IF_ERROR(end(i));
        continue;
      }
      RegionWalk &walk = walks.emplace(i, walkOf(step, options)).first->second;
      MTC_RETURN_IF_ERROR(walk.advance().withContext(nameOf(step.command)));
    }
    for (auto entry = walks.begin(); entry != walks.end();) {
      auto &[i, walk] = *entry;
      const CUresult result = cu.cuEventQuery(walk.arrived());
      if (result == CUDA_ERROR_NOT_READY) {
        ++entry;
        continue;
      }
      Status status = cu.check(result, "cuEventQuery");
      if (status.ok())
        status = walk.advance();
      MTC_RETURN_IF_ERROR(status.withContext(nameOf(steps_[i].command)));
      moved = true;
      if (!walk.isOver()) {
        ++entry;
        continue;
      }
      if (walk.status() != 0)
        options.failed(steps_[i].command, walk.status());
      MTC_RETURN_IF_ERROR(end(i));
      entry = walks.erase(entry);
    }
    if (moved || movedNs == 0) {
      movedNs = nowNs();
    } else if (nowNs() - movedNs < options.spinNs) {
      host::pauseCpu();
    } else if (walks.size() == 1) {
      MTC_CU(cu, cuEventSynchronize, walks.begin()->second.arrived());
    } else {
      // Which of them goes on first is not known.
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }
  return okStatus();
}

Status Graph::runStep(size_t index, CUstream stream, const WalkOptions &options) const {
  const Driver &cu = parts_.gpu.driver();
  const Step &step = steps_[index];
  MTC_RETURN_IF_ERROR(queue(step, stream));
  if (step.region && !options.isPassedOver(step.command)) {
    RegionWalk walk = walkOf(step, options);
    while (!walk.isOver()) {
      MTC_RETURN_IF_ERROR(walk.advance());
      MTC_CU(cu, cuStreamSynchronize, stream);
    }
    if (walk.status() != 0)
      options.failed(step.command, walk.status());
  }
  MTC_CU(cu, cuStreamSynchronize, stream);
  return okStatus();
}

CUresult Graph::synchronize(CUstream stream) const {
  const Driver &cu = parts_.gpu.driver();
  CUresult result = cu.cuStreamSynchronize(stream);
  for (CUstream own : streams_)
    if (own)
      if (const CUresult other = cu.cuStreamSynchronize(own); result == CUDA_SUCCESS)
        result = other;
  return result;
}

} // namespace mtc::gpu
