//===- Throughput.cpp - what partitions take from each other --------------===//
#include "Sections.h"

#include <algorithm>

namespace probe {
namespace {

int64_t lengthOf(const Span &span) { return static_cast<int64_t>(span.endNs - span.startNs); }

/// Copies in a graph: words [0, count) of pieces of their own, each on its groups.
std::vector<int64_t> copyTimes(Device &device, const std::vector<uint64_t> &masks, CUdeviceptr from,
                               CUdeviceptr to, size_t bytes) {
  const size_t each = bytes / masks.size() / 4096 * 4096;
  const CUdeviceptr slots = device.slots(masks.size());
  CUkernel copy = device.kernel("copy");
  Graph graph = device.begin();
  for (size_t i = 0; i < masks.size(); ++i) {
    CUdeviceptr slot = slots + i * slotBytes, source = from + i * each, target = to + i * each;
    CUdeviceptr scratch = 0;
    int64_t lo = 0, hi = static_cast<int64_t>(each / 16);
    void *parameters[] = {&slot, &source, &target, &scratch, &lo, &hi};
    device.addKernel(graph.graph, copy, device.context(masks[i]),
                     static_cast<unsigned>(8 * device.smsOf(masks[i])), streamThreads, parameters,
                     {});
  }
  device.finish(graph, CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  std::vector<std::vector<int64_t>> times(masks.size());
  const std::vector<Node> nodes(masks.size(), Node{0, 0, recordsPerSlot, {}});
  for (int i = 0; i < std::max(2, device.options.repeat / 4); ++i) {
    device.launch(graph);
    device.wait();
    if (i == 0)
      continue; // pages are touched for the first time
    for (size_t m = 0; m < masks.size(); ++m) {
      // Fewer blocks than records: the others are those of an earlier question.
      Node node = nodes[m];
      node.blocks = std::min(recordsPerSlot, 8 * device.smsOf(masks[m]));
      std::vector<Node> upTo(nodes.begin(), nodes.begin() + static_cast<long>(m));
      upTo.push_back(node);
      times[m].push_back(lengthOf(device.spans(upTo).back()));
    }
  }
  device.destroy(graph);
  std::vector<int64_t> result;
  for (const auto &t : times)
    result.push_back(median(t));
  return result;
}

double gigabytesPerSecond(size_t bytes, int64_t ns) {
  return ns > 0 ? 2.0 * static_cast<double>(bytes) / static_cast<double>(ns) : 0; // read, written
}

} // namespace

/// The same arithmetic in one group alone and in all groups at once: 1 says that they do not
/// disturb each other (but for clocks).
Json askCompute(Device &device) {
  const uint64_t rounds = 20'000; // about a millisecond
  auto node = [&](uint64_t mask) {
    Node node = {mask, rounds, 2 * device.smsOf(mask), {}};
    node.kernel = Node::Kernel::Work;
    return node;
  };
  const uint64_t one = device.groupCount() > 1 ? 1 : 0;
  const int64_t alone = lengthOf(device.run({node(one)}).front());
  std::vector<Node> all;
  for (int g = 0; g < device.groupCount(); ++g)
    all.push_back(node(uint64_t(1) << g));
  Json together = Json::array();
  int64_t longest = 0;
  for (const Span &span : device.run(all)) {
    together.push_back(lengthOf(span));
    longest = std::max(longest, lengthOf(span));
  }
  return {{"alone_ns", alone},
          {"together_ns", together},
          {"worst_ratio", alone > 0 ? double(longest) / double(alone) : 0}};
}

/// Bandwidth of a copy on ever more groups; then two halves at once.
Json askBandwidth(Device &device) {
  const auto bytes = static_cast<size_t>(device.options.copyMib) << 20;
  const CUdeviceptr from = device.allocate(bytes), to = device.allocate(bytes);
  auto times = [&](const std::vector<uint64_t> &on, size_t length) {
    return copyTimes(device, on, from, to, length);
  };
  std::vector<uint64_t> masks;
  for (int k = 1; k <= device.groupCount(); k *= 2)
    masks.push_back((uint64_t(1) << k) - 1);
  masks.push_back(0);
  Json rows = Json::array();
  for (uint64_t mask : masks)
    rows.push_back({{"sms", device.smsOf(mask)},
                    {"gb_per_s", gigabytesPerSecond(bytes, times({mask}, bytes).front())}});
  Json result = {{"bytes", bytes}, {"alone", rows}};
  if (device.groupCount() >= 2) {
    const int half = device.groupCount() / 2;
    const uint64_t low = (uint64_t(1) << half) - 1, high = low << half;
    const size_t each = bytes / 2;
    const std::vector<int64_t> both = times({low, high}, bytes);
    result["two_halves"] = {
        {"sms_each", device.smsOf(low)},
        {"alone_gb_per_s", gigabytesPerSecond(each, times({low}, each).front())},
        {"together_gb_per_s",
         {gigabytesPerSecond(each, both[0]), gigabytesPerSecond(each, both[1])}}};
  }
  return result;
}

} // namespace probe
