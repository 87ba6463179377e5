//===- Edges.cpp - when nodes run -----------------------------------------===//
#include "Sections.h"

#include <algorithm>
#include <stdexcept>

namespace probe {
namespace {

/// Times from the end of a node to the start of the one behind it, by the GPU's clock.
Json gapsOf(const std::vector<Span> &spans) {
  std::vector<int64_t> gaps;
  int early = 0;
  for (size_t i = 1; i < spans.size(); ++i) {
    early += spans[i].startNs < spans[i - 1].endNs;
    gaps.push_back(static_cast<int64_t>(spans[i].startNs - spans[i - 1].endNs));
  }
  return {{"nodes", spans.size()},
          {"started_early", early},
          {"gap_ns", median(gaps)},
          {"shortest_gap_ns", gaps.empty() ? 0 : *std::min_element(gaps.begin(), gaps.end())},
          {"longest_gap_ns", gaps.empty() ? 0 : *std::max_element(gaps.begin(), gaps.end())}};
}

/// A chain whose nodes run on `masks` in turn.
Json chain(Device &device, const std::vector<uint64_t> &masks) {
  std::vector<Node> nodes;
  for (int i = 0; i < 64; ++i) {
    nodes.push_back({masks[static_cast<size_t>(i) % masks.size()], 5'000, 8, {}});
    if (i > 0)
      nodes.back().after = {i - 1};
  }
  return gapsOf(device.run(nodes));
}

/// A node, one on each group behind it, one behind all of them.
Json forkAndJoin(Device &device) {
  std::vector<Node> nodes = {{0, 5'000, 8, {}}};
  Node join = {0, 5'000, 8, {}};
  for (int g = 0; g < device.groupCount(); ++g) {
    join.after.push_back(static_cast<int>(nodes.size()));
    nodes.push_back({uint64_t(1) << g, 50'000, 8, {0}});
  }
  if (device.groupCount() == 0)
    join.after = {0};
  nodes.push_back(join);
  const std::vector<Span> spans = device.run(nodes);
  uint64_t firstStart = UINT64_MAX, lastStart = 0, lastEnd = 0;
  for (size_t i = 1; i + 1 < spans.size(); ++i) {
    firstStart = std::min(firstStart, spans[i].startNs);
    lastStart = std::max(lastStart, spans[i].startNs);
    lastEnd = std::max(lastEnd, spans[i].endNs);
  }
  if (spans.size() < 3)
    return nullptr;
  return {{"branches", spans.size() - 2},
          {"fork_first_ns", int64_t(firstStart - spans.front().endNs)},
          {"fork_last_ns", int64_t(lastStart - spans.front().endNs)},
          {"join_ns", int64_t(spans.back().startNs - lastEnd)}};
}

/// Whether a node sees what the one before it wrote in another context: a chain of increments
/// between two places.
Json visibility(Device &device, const std::vector<uint64_t> &masks) {
  constexpr int count = 64;
  const CUdeviceptr memory = device.allocate(8192);
  Graph graph = device.begin();
  uint64_t zero = 0;
  std::vector<CUgraphNode> after = {
      device.addCopy(graph.graph, &zero, memory, sizeof zero, /*toDevice=*/true, {})};
  CUkernel add = device.kernel("add");
  for (int i = 0; i < count; ++i) {
    CUdeviceptr from = memory + (i % 2 ? 4096 : 0), to = memory + (i % 2 ? 0 : 4096), scratch = 0;
    int64_t lo = 0, hi = 1;
    void *parameters[] = {&from, &to, &scratch, &lo, &hi};
    after = {device.addKernel(graph.graph, add,
                              device.context(masks[static_cast<size_t>(i) % masks.size()]), 1,
                              narrowThreads, parameters, after)};
  }
  device.finish(graph, CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  int wrong = 0;
  for (int i = 0; i < device.options.repeat; ++i) {
    device.launch(graph);
    device.wait();
    uint64_t result = 0;
    device.read(&result, memory, sizeof result);
    wrong += result != count;
  }
  device.destroy(graph);
  return {{"launches", device.options.repeat}, {"wrong", wrong}};
}

} // namespace

Json askEdges(Device &device) {
  Json result = {{"primary", chain(device, {0})}};
  if (device.groupCount() > 1) {
    result["same_group"] = chain(device, {1});
    result["two_groups"] = chain(device, {1, 2});
    result["group_and_primary"] = chain(device, {1, 0});
    result["group_and_union"] = chain(device, {1, 3});
    result["fork_and_join"] = forkAndJoin(device);
    result["visibility"] = visibility(device, {1, 2, 3, 0});
  }
  return result;
}

/// One group is full of blocks of a node of low priority, more wait; a node of high priority on the
/// same group becomes ready. With priorities that count it does not wait for all of the first one.
Json askPriorities(Device &device) {
  if (device.groupCount() < 2)
    throw std::runtime_error("the SMs cannot be divided");
  int least = 0, greatest = 0;
  device.check(device.cu.cuCtxGetStreamPriorityRange(&least, &greatest),
               "cuCtxGetStreamPriorityRange");
  // Two wide blocks fill an SM: 16 waves of 100 us.
  const int waves = 16, resident = 2 * device.smsOf(1);
  const uint64_t blockNs = 100'000, readyNs = 250'000;
  Json rows = Json::array();
  constexpr unsigned long long withPriorities = CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY;
  const std::pair<int, unsigned long long> cases[] = {
      {greatest, withPriorities}, {least, withPriorities}, {greatest, 0}};
  for (const auto &[priority, flags] : cases) {
    const std::vector<Node> nodes = {
        {1, blockNs, std::min(recordsPerSlot, waves * resident), {}, Node::Kernel::SpinWide, least},
        {2, readyNs, 1, {}, Node::Kernel::Spin, least},
        {1, 1'000, device.smsOf(1), {1}, Node::Kernel::SpinWide, priority}};
    const std::vector<Span> spans = device.run(nodes, flags);
    rows.push_back({{"priority", priority},
                    {"flag", flags != 0},
                    {"block_ns", blockNs},
                    {"low_ns", int64_t(spans[0].endNs - spans[0].startNs)},
                    {"wait_ns", int64_t(spans[2].startNs - spans[1].endNs)},
                    {"ended_before_low", spans[2].endNs < spans[0].endNs}});
  }
  return rows;
}

/// 2 ms of work as one node, and as ever more of them in a chain, as a long task is launched.
Json askRanges(Device &device) {
  constexpr uint64_t allNs = 2'000'000;
  const uint64_t mask = device.groupCount() > 1 ? 1 : 0;
  Json rows = Json::array();
  for (int ranges : {1, 2, 4, 8, 16, 32, 64}) {
    std::vector<Node> nodes;
    for (int i = 0; i < ranges; ++i) {
      nodes.push_back({mask, allNs / static_cast<uint64_t>(ranges), device.smsOf(mask), {}});
      if (i > 0)
        nodes.back().after = {i - 1};
    }
    const std::vector<Span> spans = device.run(nodes);
    const auto ns = static_cast<int64_t>(spans.back().endNs - spans.front().startNs);
    rows.push_back({{"ranges", ranges},
                    {"ns", ns},
                    {"cost_each_ns", ranges > 1 ? (ns - int64_t(allNs)) / (ranges - 1) : 0}});
  }
  return rows;
}

} // namespace probe
