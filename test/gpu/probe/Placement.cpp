//===- Placement.cpp - where nodes run ------------------------------------===//
#include "Sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace probe {
namespace {

constexpr uint64_t spinNs = 200'000;

/// Blocks enough that every SM of the groups gets some: 32 fit on one.
int blocksFor(const Device &device, uint64_t groups) {
  return std::min(recordsPerSlot, 8 * device.smsOf(groups));
}

std::set<uint64_t> smsOf(const Span &span) { return {span.sms.begin(), span.sms.end()}; }

size_t common(const std::set<uint64_t> &a, const std::set<uint64_t> &b) {
  return static_cast<size_t>(
      std::count_if(a.begin(), a.end(), [&](uint64_t sm) { return b.count(sm) != 0; }));
}

bool overlap(const Span &a, const Span &b) { return a.startNs < b.endNs && b.startNs < a.endNs; }

} // namespace

Json askDevice(Device &device) {
  const Driver &cu = device.cu;
  char name[256] = {};
  device.check(cu.cuDeviceGetName(name, sizeof name, device.device), "cuDeviceGetName");
  int version = 0, least = 0, greatest = 0;
  device.check(cu.cuDriverGetVersion(&version), "cuDriverGetVersion");
  device.check(cu.cuCtxGetStreamPriorityRange(&least, &greatest), "cuCtxGetStreamPriorityRange");
  size_t bytes = 0;
  device.check(cu.cuDeviceTotalMem(&bytes, device.device), "cuDeviceTotalMem");
  Json attributes = Json::object();
  for (const auto &[key, attribute] :
       {std::pair("capability_major", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
        std::pair("capability_minor", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        std::pair("l2_bytes", CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
        std::pair("sm_shared_bytes", CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
        std::pair("block_shared_bytes", CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
        std::pair("sm_registers", CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR),
        std::pair("sm_threads", CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR),
        std::pair("sm_blocks", CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR)}) {
    int value = 0;
    const bool isKnown = cu.cuDeviceGetAttribute(&value, attribute, device.device) == CUDA_SUCCESS;
    attributes[key] = isKnown ? Json(value) : Json();
  }
  Json groups = Json::array();
  for (int g = 0; g < device.groupCount(); ++g)
    groups.push_back(device.smsOf(uint64_t(1) << g));
  return {{"name", name},
          {"driver", version},
          {"memory_bytes", bytes},
          {"attributes", attributes},
          {"priority_least", least},
          {"priority_greatest", greatest},
          {"sms", device.sms},
          {"groups", groups},
          {"rest_sms", device.restSms}};
}

/// A node in each of the groups, nothing between them.
Json askPartitions(Device &device) {
  std::vector<Node> nodes;
  for (int g = 0; g < device.groupCount(); ++g) {
    const uint64_t groups = uint64_t(1) << g;
    nodes.push_back({groups, spinNs, blocksFor(device, groups), {}});
  }
  const std::vector<Span> spans = device.run(nodes);
  size_t shared = 0, overlapping = 0, pairs = 0, others = 0;
  uint64_t first = UINT64_MAX, last = 0;
  Json sms = Json::array();
  for (size_t i = 0; i < spans.size(); ++i) {
    for (size_t j = 0; j < i; ++j, ++pairs) {
      shared += common(smsOf(spans[i]), smsOf(spans[j]));
      overlapping += overlap(spans[i], spans[j]);
    }
    others += spans[i].sms.size() != static_cast<size_t>(device.smsOf(nodes[i].groups));
    first = std::min(first, spans[i].startNs);
    last = std::max(last, spans[i].endNs);
    sms.push_back(spans[i].sms);
  }
  return {{"nodes", nodes.size()},
          {"shared_sms", shared},
          {"nodes_on_other_counts", others},
          {"overlapping_pairs", overlapping},
          {"pairs", pairs},
          {"node_ns", spinNs},
          {"all_ns", spans.empty() ? 0 : last - first},
          {"sms", sms}};
}

/// Nodes in unions of groups, one after the other, since the unions overlap; the last one in the
/// primary context.
Json askUnions(Device &device) {
  const int count = device.groupCount();
  std::vector<Node> nodes;
  for (int g = 0; g < count; ++g)
    nodes.push_back({uint64_t(1) << g, 20'000, blocksFor(device, 1), {}});
  const size_t singles = nodes.size();
  std::vector<uint64_t> masks;
  for (int k = 2; k < count; k *= 2)
    masks.push_back((uint64_t(1) << k) - 1);
  if (count > 2) {
    masks.push_back(uint64_t(1) | uint64_t(1) << (count - 1)); // no neighbours
    masks.push_back(device.allGroups() & 0xAAAAAAAAAAAAAAAA);  // every other one
    masks.push_back(device.allGroups() ^ 1);                   // overlaps all of them
  }
  if (count > 1)
    masks.push_back(device.allGroups());
  masks.push_back(0);
  for (uint64_t mask : masks) {
    Node node = {mask, 20'000, blocksFor(device, mask), {}};
    if (nodes.size() == singles)
      for (size_t i = 0; i < singles; ++i)
        node.after.push_back(static_cast<int>(i));
    else
      node.after.push_back(static_cast<int>(nodes.size()) - 1);
    nodes.push_back(node);
  }
  const std::vector<Span> spans = device.run(nodes);
  Json rows = Json::array();
  for (size_t i = singles; i < nodes.size(); ++i) {
    std::set<uint64_t> members;
    for (size_t g = 0; g < singles; ++g)
      if (nodes[i].groups >> g & 1)
        members.insert(spans[g].sms.begin(), spans[g].sms.end());
    rows.push_back(
        {{"groups", nodes[i].groups},
         {"sms_promised", device.smsOf(nodes[i].groups)},
         {"sms_seen", spans[i].sms.size()},
         {"sms_of_no_member", nodes[i].groups == 0
                                  ? Json()
                                  : Json(spans[i].sms.size() - common(smsOf(spans[i]), members))},
         {"started_early", spans[i].startNs < spans[i - 1].endNs}});
  }
  return rows;
}

/// What a context costs: time and memory of 32 more, and a graph's first node in a new one.
Json askContexts(Device &device) {
  const int count = device.groupCount();
  if (count < 2)
    throw std::runtime_error("the SMs cannot be divided");
  auto freeBytes = [&]() -> int64_t {
    size_t available = 0, total = 0;
    if (!device.cu.cuMemGetInfo || device.cu.cuMemGetInfo(&available, &total) != CUDA_SUCCESS)
      return 0;
    return static_cast<int64_t>(available);
  };
  // Load the code, and make one context, before anything is measured.
  (void)device.run({{1, 0, 1, {}}, {0, 0, 1, {0}}});
  const int64_t before = freeBytes();
  std::vector<int64_t> createNs, instantiateNs, againNs;
  int made = 0;
  for (uint64_t mask = 2; mask <= device.allGroups() && made < 32; ++mask, ++made) {
    const auto start = Clock::now();
    (void)device.context(mask);
    createNs.push_back(nsSince(start));
    for (std::vector<int64_t> *times : {&instantiateNs, &againNs}) {
      Graph graph = device.build({{mask, 0, 1, {}}});
      times->push_back(graph.instantiateNs);
      device.launch(graph);
      device.wait();
      device.destroy(graph);
    }
  }
  const int64_t used = before - freeBytes();
  return {{"made", made},
          {"create_ns", median(createNs)},
          {"first_instantiate_ns", median(instantiateNs)},
          {"second_instantiate_ns", median(againNs)},
          {"bytes_each", device.cu.cuMemGetInfo && made > 0 ? Json(used / made) : Json()}};
}

} // namespace probe
