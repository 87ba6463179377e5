//===- Regions.cpp - memory and proof of control flow ---------------------===//
#include "mtc/Scheduling/Regions.h"

#include "TaskGraph.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace mtc {

/// As kBufferAlignment of the planner: every operand of a kernel starts at a multiple of it.
static constexpr int64_t kAlignment = 64;

static int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Bytes of `count` elements; what no buffer has when that is too large.
static int64_t times(int64_t bytes, int64_t count) {
  return bytes > 0 && count > INT64_MAX / bytes ? -1 : bytes * count;
}

static const Body &bodyOf(const Problem &problem, const Region &region, size_t i) {
  return problem.bodies[static_cast<size_t>(region.bodies[i])];
}

RegionLayout layoutOf(const Problem &problem, const Region &region) {
  RegionLayout layout;
  auto place = [&](int64_t bytes) {
    int64_t offset = layout.bytes;
    layout.bytes += aligned(bytes);
    return offset;
  };
  if (region.kind == RegionKind::Loop) {
    const Entry &graph = bodyOf(problem, region, 0).graph;
    const auto carried = static_cast<size_t>(region.carried);
    layout.trip = place(sizeof(int64_t));
    for (size_t i = 0; i <= carried; ++i) {
      layout.state.push_back(place(graph.outputs[i].bytes));
      layout.nextState.push_back(place(graph.outputs[i].bytes));
    }
    for (size_t i = 0; i < static_cast<size_t>(region.scanned); ++i)
      layout.scannedElement.push_back(place(graph.inputs[2 + carried + i].bytes));
    for (size_t i = 1 + carried; i < graph.outputs.size(); ++i)
      layout.stackedElement.push_back(place(graph.outputs[i].bytes));
  }
  layout.body = layout.bytes;
  for (size_t i = 0; i < region.bodies.size(); ++i)
    layout.bytes =
        std::max(layout.bytes, layout.body + aligned(bodyOf(problem, region, i).workspaceBytes));
  return layout;
}

namespace {

/// The tasks during which a value holds data: from its writer to its last reader.
struct Interval {
  int32_t first = -1, last = -1;
  bool meets(const Interval &other) const { return first <= other.last && other.first <= last; }
};

std::vector<Interval> intervalsOf(const Entry &graph) {
  std::vector<Interval> intervals(graph.values.size());
  for (size_t t = 0; t < graph.tasks.size(); ++t)
    for (int32_t value : graph.tasks[t].values) {
      Interval &interval = intervals[static_cast<size_t>(value)];
      if (interval.first < 0)
        interval.first = static_cast<int32_t>(t);
      interval.last = static_cast<int32_t>(t);
    }
  return intervals;
}

std::vector<size_t> intermediates(const Entry &graph) {
  std::vector<size_t> values;
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].kind == ValueKind::Intermediate)
      values.push_back(v);
  return values;
}

} // namespace

void layoutBody(const Problem &problem, Body &body) {
  const Entry &graph = body.graph;
  const std::vector<Interval> intervals = intervalsOf(graph);
  std::vector<size_t> bySize = intermediates(graph);
  std::stable_sort(bySize.begin(), bySize.end(), [&](size_t a, size_t b) {
    return graph.values[a].bytes > graph.values[b].bytes;
  });
  body.offsets.assign(graph.values.size(), -1);
  body.workspaceBytes = 0;
  std::vector<size_t> placed; // ascending in offset
  for (size_t v : bySize) {
    const int64_t bytes = aligned(graph.values[v].bytes);
    int64_t offset = 0;
    for (size_t other : placed) {
      if (!intervals[v].meets(intervals[other]))
        continue;
      if (body.offsets[other] - offset >= bytes)
        break;
      offset = std::max(offset, body.offsets[other] + aligned(graph.values[other].bytes));
    }
    body.offsets[v] = offset;
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), v,
                         [&](size_t x, size_t y) { return body.offsets[x] < body.offsets[y]; }),
        v);
    body.workspaceBytes = std::max(body.workspaceBytes, offset + bytes);
  }
}

Status checkBody(const Problem &problem, int32_t index) {
  const Body &body = problem.bodies[static_cast<size_t>(index)];
  const Entry &graph = body.graph;
  auto wrong = [&](const std::string &what) {
    return invalidInput(fmt::format("body '{}' {}", graph.name, what));
  };
  if (body.offsets.size() != graph.values.size() || body.workspaceBytes < 0)
    return wrong(fmt::format("has {} offsets for {} values in {} bytes", body.offsets.size(),
                             graph.values.size(), body.workspaceBytes));
  for (const Task &task : graph.tasks) {
    const Kernel &kernel = problem.kernels[static_cast<size_t>(task.kernel)];
    if (!kernel.region)
      continue;
    for (int32_t inner : kernel.region->bodies)
      if (inner >= index)
        return wrong(fmt::format("has a region of body {}, which is not before it", inner));
    MTC_RETURN_IF_ERROR(checkRegion(problem, kernel));
    MTC_RETURN_IF_ERROR(checkRegionTask(problem, kernel, graph, task));
  }
  const std::vector<Interval> intervals = intervalsOf(graph);
  std::vector<size_t> byOffset = intermediates(graph);
  std::sort(byOffset.begin(), byOffset.end(), [&](size_t a, size_t b) {
    return std::pair(body.offsets[a], a) < std::pair(body.offsets[b], b);
  });
  for (size_t i = 0; i < byOffset.size(); ++i) {
    const size_t a = byOffset[i];
    const int64_t bytes = graph.values[a].bytes, offset = body.offsets[a];
    if (offset < 0 || offset % kAlignment != 0 || offset > body.workspaceBytes ||
        bytes > body.workspaceBytes - offset)
      return wrong(fmt::format("has value {} of {} bytes at {} of {}; wanted it inside, at a "
                               "multiple of {}",
                               a, bytes, offset, body.workspaceBytes, kAlignment));
    for (size_t j = i + 1; j < byOffset.size(); ++j) {
      const size_t b = byOffset[j];
      if (body.offsets[b] >= offset + bytes)
        break;
      if (graph.values[b].bytes > 0 && intervals[a].meets(intervals[b]))
        return wrong(
            fmt::format("has values {} and {} at {} while both are in use", a, b, body.offsets[b]));
    }
  }
  return okStatus();
}

Status checkRegion(const Problem &problem, const Kernel &kernel) {
  const Region &region = *kernel.region;
  auto wrong = [&](const std::string &what) {
    return invalidInput(fmt::format("region '{}' {}", kernel.name, what));
  };
  const bool isLoop = region.kind == RegionKind::Loop;
  if (region.maxTrips < 1)
    return wrong(fmt::format("allows {} iterations", region.maxTrips));
  if (region.bodies.size() != (isLoop ? 1 : 2))
    return wrong(fmt::format("has {} bodies", region.bodies.size()));
  for (int32_t body : region.bodies)
    if (body < 0 || static_cast<size_t>(body) >= problem.bodies.size())
      return wrong(fmt::format("has body {} of {}", body, problem.bodies.size()));
  const Entry &graph = bodyOf(problem, region, 0).graph;
  const size_t inputs = graph.inputs.size(), outputs = graph.outputs.size();
  size_t reads = inputs + 1, writes = outputs;
  if (isLoop) {
    reads = inputs;
    writes = outputs - 1;
    const auto carried = static_cast<size_t>(std::max(region.carried, 0));
    const auto scanned = static_cast<size_t>(std::max(region.scanned, 0));
    if (region.carried < 0 || region.scanned < 0 || region.length < 0 ||
        inputs < 2 + carried + scanned || outputs < 1 + carried)
      return wrong(
          fmt::format("carries {} and scans {} values of length {}, its body has {} inputs "
                      "and {} outputs",
                      region.carried, region.scanned, region.length, inputs, outputs));
    if (graph.inputs[0].bytes != sizeof(int64_t))
      return wrong(fmt::format("has a trip number of {} bytes", graph.inputs[0].bytes));
    for (size_t i = 0; i <= carried; ++i)
      if (graph.inputs[1 + i].bytes != graph.outputs[i].bytes)
        return wrong(fmt::format("reads state {} of {} bytes, writes {}", i,
                                 graph.inputs[1 + i].bytes, graph.outputs[i].bytes));
    if (graph.outputs[0].bytes != 1)
      return wrong(fmt::format("has a condition of {} bytes", graph.outputs[0].bytes));
  } else {
    const Entry &other = bodyOf(problem, region, 1).graph;
    auto same = [](const std::vector<Tensor> &a, const std::vector<Tensor> &b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                        [](const Tensor &x, const Tensor &y) { return x.bytes == y.bytes; });
    };
    if (!same(graph.inputs, other.inputs) || !same(graph.outputs, other.outputs))
      return wrong("has branches with different inputs or outputs");
  }
  if (kernel.operands.size() != reads + writes + 1)
    return wrong(fmt::format("has {} operands, its bodies want {}", kernel.operands.size(),
                             reads + writes + 1));
  for (size_t o = 0; o < kernel.operands.size(); ++o)
    if (kernel.operands[o] != (o < reads ? Access::Read : Access::Write))
      return wrong(fmt::format("does not {} operand {}", o < reads ? "read" : "write", o));
  return okStatus();
}

Status checkRegionTask(const Problem &problem, const Kernel &kernel, const Entry &entry,
                       const Task &task) {
  const Region &region = *kernel.region;
  const Entry &graph = bodyOf(problem, region, 0).graph;
  const size_t inputs = graph.inputs.size(), outputs = graph.outputs.size();
  std::vector<int64_t> wanted; // by operand
  if (region.kind == RegionKind::If) {
    wanted.push_back(1);
    for (const Tensor &tensor : graph.inputs)
      wanted.push_back(tensor.bytes);
    for (const Tensor &tensor : graph.outputs)
      wanted.push_back(tensor.bytes);
  } else {
    const auto carried = static_cast<size_t>(region.carried);
    const size_t firstScanned = 2 + carried, firstCaptured = firstScanned + region.scanned;
    for (size_t i = 0; i < inputs; ++i)
      wanted.push_back(
          times(graph.inputs[i].bytes, i >= firstScanned && i < firstCaptured ? region.length : 1));
    for (size_t i = 1; i < outputs; ++i)
      wanted.push_back(times(graph.outputs[i].bytes, i > carried ? region.length : 1));
  }
  wanted.push_back(layoutOf(problem, region).bytes);
  for (size_t o = 0; o < wanted.size(); ++o) {
    const int64_t bytes = entry.values[static_cast<size_t>(task.values[o])].bytes;
    if (bytes != wanted[o])
      return invalidInput(fmt::format("task {} ({}) has {} bytes as operand {} of region '{}', "
                                      "which wants {}",
                                      task.id, task.name, bytes, o, kernel.name, wanted[o]));
  }
  return okStatus();
}

/// On a GPU the host decides: from the end of an iteration's kernels over the copy of a byte, which
/// it polls for, to the start of the next. An estimate: no GPU has run it.
static constexpr int64_t kTurnNs = 20'000;

int64_t regionNs(const Problem &problem, const Region &region, int64_t trips, int32_t granules) {
  int64_t longest = 0;
  for (size_t i = 0; i < region.bodies.size(); ++i) {
    int64_t ns = 0;
    for (const Task &task : bodyOf(problem, region, i).graph.tasks)
      ns += variantNs(problem.kernels[static_cast<size_t>(task.kernel)].variants[0], granules) +
            problem.device.barrierNs;
    longest = std::max(longest, ns);
  }
  if (!isHost(problem.device))
    longest += kTurnNs;
  constexpr int64_t day = int64_t(86400) * 1000000000;
  const int64_t runs = region.kind == RegionKind::Loop ? std::max<int64_t>(trips, 1) : 1;
  return std::clamp<int64_t>(longest > day / runs ? day : longest * runs, 1, day);
}

} // namespace mtc
