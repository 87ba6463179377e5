//===- Costs.cpp - what launches cost the host ----------------------------===//
#include "Sections.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>

namespace probe {
namespace {

/// `count` nodes in `branches` chains, each in a group of its own, as a plan's lanes are. One
/// branch is the primary context.
std::vector<Node> lanes(int count, int branches) {
  std::vector<Node> nodes;
  for (int i = 0; i < count; ++i) {
    nodes.push_back({branches == 1 ? 0 : uint64_t(1) << (i % branches), 0, 1, {}});
    if (i >= branches)
      nodes.back().after = {i - branches};
  }
  return nodes;
}

/// Launches with a wait after each: the host's time of the launch, and that until all has ended.
Json launchTimes(Device &device, const Graph &graph) {
  std::vector<int64_t> launchNs, allNs;
  for (int i = 0; i < device.options.repeat; ++i) {
    const auto start = Clock::now();
    launchNs.push_back(device.launch(graph));
    device.wait();
    allNs.push_back(nsSince(start));
  }
  return {{"launch_ns", median(launchNs)},
          {"least_launch_ns", *std::min_element(launchNs.begin(), launchNs.end())},
          {"until_end_ns", median(allNs)}};
}

} // namespace

Json askLaunches(Device &device) {
  Json rows = Json::array();
  for (int branches : {1, 4, device.groupCount()}) {
    if (branches > 1 && branches > device.groupCount())
      continue;
    for (int count : {1, 16, 64, 256, 1024}) {
      if (count < branches)
        continue;
      Graph graph = device.build(lanes(count, branches));
      Json row = {{"nodes", count},
                  {"branches", branches},
                  {"add_ns", graph.addNs},
                  {"instantiate_ns", graph.instantiateNs},
                  {"upload_ns", graph.uploadNs}};
      const auto start = Clock::now();
      row["first_launch_ns"] = device.launch(graph);
      device.wait();
      row["first_until_end_ns"] = nsSince(start);
      row.update(launchTimes(device, graph));
      device.destroy(graph);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

/// Two graphs in turn against one again and again; what changes of an instantiated graph cost.
Json askSwitches(Device &device) {
  const int branches = std::max(1, std::min(4, device.groupCount()));
  Graph a = device.build(lanes(64, branches)), b = device.build(lanes(64, branches));
  std::vector<int64_t> same, other;
  for (int i = 0; i < device.options.repeat; ++i) {
    device.launch(a);
    device.wait();
    same.push_back(device.launch(a));
    device.wait();
    other.push_back(device.launch(b));
    device.wait();
  }
  // Eight inputs whose host ends change before a launch, as the runtime binds them.
  constexpr size_t bytes = 4096, copies = 8;
  const CUdeviceptr memory = device.allocate(bytes * copies);
  std::vector<std::vector<char>> hosts(2 * copies, std::vector<char>(bytes, 1));
  Graph bound = device.begin();
  for (size_t i = 0; i < copies; ++i)
    bound.nodes.push_back(device.addCopy(bound.graph, hosts[i].data(), memory + i * bytes, bytes,
                                         /*toDevice=*/true, {}));
  device.finish(bound, CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  std::vector<int64_t> setNs, enableNs, launchNs, unchangedNs;
  for (int i = 0; i < device.options.repeat; ++i) {
    auto start = Clock::now();
    for (size_t c = 0; c < copies; ++c) {
      const CUDA_MEMCPY3D what =
          Device::copyParameters(hosts[c + (i % 2 ? 0 : copies)].data(), memory + c * bytes, bytes,
                                 /*toDevice=*/true);
      device.check(device.cu.cuGraphExecMemcpyNodeSetParams(bound.exec, bound.nodes[c], &what,
                                                            device.primary),
                   "cuGraphExecMemcpyNodeSetParams");
    }
    setNs.push_back(nsSince(start) / int64_t(copies));
    launchNs.push_back(device.launch(bound));
    device.wait();
    unchangedNs.push_back(device.launch(bound));
    device.wait();
    start = Clock::now();
    for (unsigned isEnabled : {0, 1})
      device.check(device.cu.cuGraphNodeSetEnabled(bound.exec, bound.nodes[0], isEnabled),
                   "cuGraphNodeSetEnabled");
    enableNs.push_back(nsSince(start) / 2);
  }
  for (Graph *graph : {&a, &b, &bound})
    device.destroy(*graph);
  return {{"nodes", 64},
          {"branches", branches},
          {"launch_same_ns", median(same)},
          {"launch_other_ns", median(other)},
          {"set_copy_ns", median(setNs)},
          {"set_enabled_ns", median(enableNs)},
          {"launch_after_set_ns", median(launchNs)},
          {"launch_unchanged_ns", median(unchangedNs)}};
}

/// Copies as nodes, from memory of malloc, as callers have it, and from pinned memory; whether the
/// bytes arrive, and whether a launch waits for them.
Json askCopies(Device &device) {
  Json rows = Json::array();
  for (size_t bytes : {size_t(4) << 10, size_t(600) << 10, size_t(16) << 20})
    for (bool isPinned : {false, true}) {
      std::vector<unsigned char> pageable(isPinned ? 0 : 2 * bytes);
      unsigned char *host = pageable.data();
      if (isPinned) {
        void *pinned = nullptr;
        if (!device.cu.cuMemHostAlloc || !device.cu.cuMemFreeHost)
          continue;
        device.check(device.cu.cuMemHostAlloc(&pinned, 2 * bytes, 0), "cuMemHostAlloc");
        host = static_cast<unsigned char *>(pinned);
      }
      for (size_t i = 0; i < bytes; ++i)
        host[i] = static_cast<unsigned char>(i * 7 + bytes);
      std::memset(host + bytes, 0, bytes);
      const CUdeviceptr memory = device.allocate(bytes);
      Graph in = device.begin(), out = device.begin();
      for (Graph *graph : {&in, &out}) {
        device.addCopy(graph->graph, graph == &in ? host : host + bytes, memory, bytes,
                       graph == &in, {});
        device.finish(*graph, CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
      }
      const Json inTimes = launchTimes(device, in), outTimes = launchTimes(device, out);
      rows.push_back({{"bytes", bytes},
                      {"pinned", isPinned},
                      {"to_device", inTimes},
                      {"to_host", outTimes},
                      {"right", std::memcmp(host, host + bytes, bytes) == 0}});
      device.destroy(in);
      device.destroy(out);
      if (isPinned)
        device.cu.cuMemFreeHost(host);
    }
  return rows;
}

/// The way out should one graph of several contexts not do: a graph and a stream per partition,
/// joined by events.
Json askGraphPerPartition(Device &device) {
  if (device.groupCount() < 2)
    throw std::runtime_error("the SMs cannot be divided");
  const Driver &cu = device.cu;
  Json rows = Json::array();
  for (int partitions : {2, 4, device.groupCount()}) {
    if (partitions > device.groupCount())
      continue;
    constexpr int each = 16;
    // Slots are the graph's own: build() starts at the first one, so one graph knows them all.
    std::vector<Graph> graphs;
    std::vector<CUstream> streams(static_cast<size_t>(partitions));
    std::vector<CUevent> ends(streams.size());
    CUevent begin = nullptr;
    device.check(cu.cuEventCreate(&begin, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    for (int p = 0; p < partitions; ++p) {
      std::vector<Node> nodes;
      for (int i = 0; i < each; ++i) {
        nodes.push_back({uint64_t(1) << p, 10'000, 1, {}});
        if (i > 0)
          nodes.back().after = {i - 1};
      }
      device.useSlotsFrom(static_cast<size_t>(p * each));
      graphs.push_back(device.build(nodes));
      device.check(cu.cuStreamCreate(&streams[p], CU_STREAM_NON_BLOCKING), "cuStreamCreate");
      device.check(cu.cuEventCreate(&ends[p], CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    }
    device.useSlotsFrom(0);
    std::vector<int64_t> hostNs, allNs;
    for (int i = 0; i < device.options.repeat; ++i) {
      const auto start = Clock::now();
      device.check(cu.cuEventRecord(begin, device.stream), "cuEventRecord");
      for (size_t p = 0; p < streams.size(); ++p) {
        device.check(cu.cuStreamWaitEvent(streams[p], begin, 0), "cuStreamWaitEvent");
        device.launch(graphs[p], streams[p]);
        device.check(cu.cuEventRecord(ends[p], streams[p]), "cuEventRecord");
        device.check(cu.cuStreamWaitEvent(device.stream, ends[p], 0), "cuStreamWaitEvent");
      }
      hostNs.push_back(nsSince(start));
      device.wait();
      allNs.push_back(nsSince(start));
    }
    const std::vector<Node> all(static_cast<size_t>(partitions * each));
    const std::vector<Span> spans = device.spans(all);
    int overlapping = 0;
    for (int p = 0; p < partitions; ++p)
      for (int q = 0; q < p; ++q)
        overlapping += spans[p * each].startNs < spans[(q + 1) * each - 1].endNs &&
                       spans[q * each].startNs < spans[(p + 1) * each - 1].endNs;
    rows.push_back({{"partitions", partitions},
                    {"nodes_each", each},
                    {"launch_ns", median(hostNs)},
                    {"until_end_ns", median(allNs)},
                    {"work_ns", each * 10'000},
                    {"overlapping_pairs", overlapping},
                    {"pairs", partitions * (partitions - 1) / 2}});
    for (size_t p = 0; p < streams.size(); ++p) {
      device.destroy(graphs[p]);
      cu.cuEventDestroy(ends[p]);
      cu.cuStreamDestroy(streams[p]);
    }
    cu.cuEventDestroy(begin);
  }
  return rows;
}

} // namespace probe
