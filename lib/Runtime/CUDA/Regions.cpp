//===- Regions.cpp - bodies as graphs -------------------------------------===//
#include "Regions.h"

namespace mtc::gpu {
namespace {

/// Where the values of a body's entry lie.
struct BodyPlaces {
  std::vector<CUdeviceptr> inputs, outputs;
  CUdeviceptr workspace = 0;
};

CUdeviceptr at(CUdeviceptr base, int64_t offset) { return base + static_cast<CUdeviceptr>(offset); }

BodyPlaces placesOf(const GpuRegion &region, size_t inputs, size_t outputs) {
  BodyPlaces places;
  const RegionLayout &layout = region.layout;
  const CUdeviceptr workspace = region.workspace();
  places.workspace = at(workspace, layout.body);
  const auto first = region.operands.begin();
  if (region.region->kind == RegionKind::If) {
    const auto results = first + 1 + static_cast<ptrdiff_t>(inputs);
    places.inputs.assign(first + 1, results);
    places.outputs.assign(results, results + static_cast<ptrdiff_t>(outputs));
    return places;
  }
  places.inputs.assign(first, first + static_cast<ptrdiff_t>(inputs));
  places.inputs[0] = at(workspace, layout.trip);
  for (size_t i = 0; i < layout.state.size(); ++i) {
    places.inputs[1 + i] = at(workspace, layout.state[i]);
    places.outputs.push_back(at(workspace, layout.nextState[i]));
  }
  for (size_t i = 0; i < layout.scannedElement.size(); ++i)
    places.inputs[1 + layout.state.size() + i] = at(workspace, layout.scannedElement[i]);
  for (int64_t offset : layout.stackedElement)
    places.outputs.push_back(at(workspace, offset));
  return places;
}

Status prepareBody(const RegionParts &parts, const Body &body, const BodyPlaces &places,
                   GpuRegion::Body &prepared) {
  for (const Task &task : body.graph.tasks) {
    GpuRegion::Task &step = prepared.tasks.emplace_back();
    std::vector<CUdeviceptr> buffers;
    std::vector<int64_t> bytes;
    for (int32_t v : task.values) {
      const Value &value = body.graph.values[static_cast<size_t>(v)];
      const auto index = static_cast<size_t>(value.index);
      CUdeviceptr address = 0;
      switch (value.kind) {
      case ValueKind::Input:
        address = places.inputs[index];
        break;
      case ValueKind::Output:
        address = places.outputs[index];
        break;
      case ValueKind::Intermediate:
        address = at(places.workspace, body.offsets[static_cast<size_t>(v)]);
        break;
      case ValueKind::Weight:
        MTC_ASSIGN_OR_RETURN(address, parts.weights.upload(value.index));
        break;
      }
      buffers.push_back(address);
      bytes.push_back(value.bytes);
    }
    if (parts.problem.kernels[static_cast<size_t>(task.kernel)].region) {
      MTC_ASSIGN_OR_RETURN(step.region, prepareRegion(parts, task.kernel, std::move(buffers)));
      continue;
    }
    buffers.push_back(parts.scratch);
    step.chain = {parts.partition, parts.priority, std::move(buffers), std::move(bytes), {}};
    MTC_RETURN_IF_ERROR(addLaunches(step.chain, parts.kernels, parts.problem, task.kernel,
                                    /*variant=*/0, parts.granules));
  }
  return okStatus();
}

/// Graphs of the tasks between inner regions; the last segment takes them until one comes.
Status makeSegments(const Driver &cu, GpuRegion::Body &body, CUstream stream) {
  std::vector<CUgraphNode> before;
  for (GpuRegion::Task &task : body.tasks) {
    if (task.region) {
      body.segments.push_back({nullptr, nullptr, task.region.get()});
      MTC_RETURN_IF_ERROR(makeGraphs(cu, *task.region, stream));
      continue;
    }
    if (body.segments.empty() || body.segments.back().region) {
      GpuRegion::Segment &segment = body.segments.emplace_back();
      MTC_CU(cu, cuGraphCreate, &segment.graph, 0);
      before.clear();
    }
    MTC_RETURN_IF_ERROR(addNodes(cu, body.segments.back().graph, task.chain, before));
  }
  for (GpuRegion::Segment &segment : body.segments) {
    if (segment.region)
      continue;
    MTC_CU(cu, cuGraphInstantiateWithFlags, &segment.exec, segment.graph,
           CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
    MTC_CU(cu, cuGraphUpload, segment.exec, stream);
  }
  return okStatus();
}

} // namespace

StatusOr<std::unique_ptr<GpuRegion>> prepareRegion(const RegionParts &parts, int32_t kernel,
                                                   std::vector<CUdeviceptr> operands) {
  auto region = std::make_unique<GpuRegion>();
  region->region = &*parts.problem.kernels[static_cast<size_t>(kernel)].region;
  region->layout = layoutOf(parts.problem, *region->region);
  region->operands = std::move(operands);
  for (int32_t index : region->region->bodies) {
    const Body &body = parts.problem.bodies[static_cast<size_t>(index)];
    GpuRegion::Body &prepared = region->bodies.emplace_back();
    for (const Tensor &tensor : body.graph.inputs)
      prepared.inputBytes.push_back(tensor.bytes);
    for (const Tensor &tensor : body.graph.outputs)
      prepared.outputBytes.push_back(tensor.bytes);
    const BodyPlaces places =
        placesOf(*region, prepared.inputBytes.size(), prepared.outputBytes.size());
    MTC_RETURN_IF_ERROR(prepareBody(parts, body, places, prepared));
  }
  return region;
}

Status makeGraphs(const Driver &cu, GpuRegion &region, CUstream stream) {
  for (GpuRegion::Body &body : region.bodies)
    MTC_RETURN_IF_ERROR(makeSegments(cu, body, stream));
  return okStatus();
}

void destroyGraphs(const Driver &cu, GpuRegion &region) {
  for (GpuRegion::Body &body : region.bodies) {
    for (const GpuRegion::Segment &segment : body.segments) {
      if (segment.exec)
        cu.cuGraphExecDestroy(segment.exec);
      if (segment.graph)
        cu.cuGraphDestroy(segment.graph);
    }
    body.segments.clear();
    for (GpuRegion::Task &task : body.tasks)
      if (task.region)
        destroyGraphs(cu, *task.region);
  }
}

} // namespace mtc::gpu
