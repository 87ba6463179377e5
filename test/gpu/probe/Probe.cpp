//===- Probe.cpp - what the first GPU that can be had must answer ---------===//
//
// The design rests on one CUDA graph whose kernel nodes run in several green contexts of one split
// of the SMs. This asks a GPU: where do the blocks of each node run (%smid), do disjoint partitions
// overlap, what does a launch cost the host against the number of nodes, and what do instantiation
// and upload cost. Prints one JSON object. Exit 7: no driver or device.
//
// Not asked yet: unions of groups, priorities, edges across contexts, range launches, switching
// graphs. Source: CUDA driver API 13.0, "Green Contexts" and "Graph Management".
//
//===----------------------------------------------------------------------===//
#include "Driver.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <vector>

using nlohmann::ordered_json;

namespace {

/// Every block writes its SM, start and end; it spins for `clocks` ns of the global timer.
constexpr const char *kernelPtx = R"(
.version 7.8
.target sm_80
.address_size 64
.visible .entry spin(.param .u64 out, .param .u64 ns) {
  .reg .pred %p<3>;
  .reg .b32 %r<4>;
  .reg .b64 %rd<10>;
  mov.u32 %r1, %tid.x;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra END;
  ld.param.u64 %rd1, [out];
  cvta.to.global.u64 %rd1, %rd1;
  ld.param.u64 %rd2, [ns];
  mov.u32 %r2, %ctaid.x;
  mul.wide.u32 %rd3, %r2, 24;
  add.s64 %rd4, %rd1, %rd3;
  mov.u64 %rd5, %globaltimer;
WAIT:
  mov.u64 %rd6, %globaltimer;
  sub.s64 %rd7, %rd6, %rd5;
  setp.lt.u64 %p2, %rd7, %rd2;
  @%p2 bra WAIT;
  mov.u32 %r3, %smid;
  cvt.u64.u32 %rd8, %r3;
  st.global.u64 [%rd4], %rd8;
  st.global.u64 [%rd4+8], %rd5;
  st.global.u64 [%rd4+16], %rd6;
END:
  ret;
}
)";

struct Record {
  uint64_t sm, startNs, endNs;
};

class Probe {
public:
  explicit Probe(const probe::Driver &driver) : cu(driver) {}

  ordered_json run() {
    ordered_json report = {{"version", 1}};
    describe(report);
    split(report);
    check(cu.cuLibraryLoadData(&library, kernelPtx, nullptr, nullptr, 0, nullptr, nullptr, 0),
          "cuLibraryLoadData");
    check(cu.cuLibraryGetKernel(&kernel, library, "spin"), "cuLibraryGetKernel");
    check(cu.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    report["partitions"] = partitions();
    report["launches"] = launches();
    return report;
  }

private:
  void check(CUresult result, const char *what) {
    if (result == CUDA_SUCCESS)
      return;
    const char *name = "?";
    cu.cuGetErrorName(result, &name);
    throw std::runtime_error(fmt::format("{}: {}", what, name));
  }

  void describe(ordered_json &report) {
    check(cu.cuDeviceGet(&device, 0), "cuDeviceGet");
    char name[256];
    check(cu.cuDeviceGetName(name, sizeof name, device), "cuDeviceGetName");
    int version = 0;
    check(cu.cuDriverGetVersion(&version), "cuDriverGetVersion");
    check(cu.cuDeviceGetAttribute(&units, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device),
          "cuDeviceGetAttribute");
    check(cu.cuDevicePrimaryCtxRetain(&primary, device), "cuDevicePrimaryCtxRetain");
    check(cu.cuCtxSetCurrent(primary), "cuCtxSetCurrent");
    report["device"] = name;
    report["driver"] = version;
    report["sms"] = units;
  }

  /// One split into the smallest groups, and a green context for each.
  void split(ordered_json &report) {
    CUdevResource all = {}, rest = {};
    check(cu.cuDeviceGetDevResource(device, &all, CU_DEV_RESOURCE_TYPE_SM),
          "cuDeviceGetDevResource");
    unsigned count = 0;
    check(cu.cuDevSmResourceSplitByCount(nullptr, &count, &all, nullptr, 0, 1),
          "cuDevSmResourceSplitByCount");
    std::vector<CUdevResource> groups(count);
    check(cu.cuDevSmResourceSplitByCount(groups.data(), &count, &all, &rest, 0, 1),
          "cuDevSmResourceSplitByCount");
    ordered_json sizes = ordered_json::array();
    for (unsigned i = 0; i < count; ++i) {
      sizes.push_back(groups[i].sm.smCount);
      CUdevResourceDesc description = {};
      check(cu.cuDevResourceGenerateDesc(&description, &groups[i], 1), "cuDevResourceGenerateDesc");
      CUgreenCtx green = {};
      check(cu.cuGreenCtxCreate(&green, description, device, CU_GREEN_CTX_DEFAULT_STREAM),
            "cuGreenCtxCreate");
      CUcontext context = {};
      check(cu.cuCtxFromGreenCtx(&context, green), "cuCtxFromGreenCtx");
      contexts.push_back(context);
    }
    report["groups"] = sizes;
    report["rest"] = rest.sm.smCount;
  }

  /// A graph of `nodes` independent nodes, node i in `contextOf(i)`.
  template <typename ContextOf>
  CUgraph makeGraph(int nodes, int blocks, uint64_t ns, CUdeviceptr memory, ContextOf contextOf) {
    CUgraph graph = {};
    check(cu.cuGraphCreate(&graph, 0), "cuGraphCreate");
    for (int i = 0; i < nodes; ++i) {
      CUdeviceptr out = memory + sizeof(Record) * uint64_t(i) * blocks;
      void *parameters[] = {&out, &ns};
      CUDA_KERNEL_NODE_PARAMS node = {};
      node.kern = kernel; // `func` would make the node ignore `ctx`
      node.ctx = contextOf(i);
      node.gridDimX = blocks;
      node.gridDimY = node.gridDimZ = 1;
      node.blockDimX = 32;
      node.blockDimY = node.blockDimZ = 1;
      node.kernelParams = parameters;
      CUgraphNode added = {};
      check(cu.cuGraphAddKernelNode(&added, graph, nullptr, 0, &node), "cuGraphAddKernelNode");
    }
    return graph;
  }

  /// A node in each of the groups: on which SMs they ran, and how many pairs overlapped in time.
  ordered_json partitions() {
    constexpr int blocks = 64;
    const int nodes = static_cast<int>(contexts.size());
    const size_t bytes = sizeof(Record) * nodes * blocks;
    CUdeviceptr memory = 0;
    check(cu.cuMemAlloc(&memory, bytes), "cuMemAlloc");
    check(cu.cuMemsetD32(memory, 0, bytes / 4), "cuMemsetD32");
    CUgraph graph = makeGraph(nodes, blocks, 200'000, memory, [&](int i) { return contexts[i]; });
    CUgraphExec exec = {};
    check(cu.cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiateWithFlags");
    check(cu.cuGraphLaunch(exec, stream), "cuGraphLaunch");
    check(cu.cuStreamSynchronize(stream), "cuStreamSynchronize");
    std::vector<Record> records(size_t(nodes) * blocks);
    check(cu.cuMemcpyDtoH(records.data(), memory, bytes), "cuMemcpyDtoH");

    std::vector<std::set<uint64_t>> sms(nodes);
    std::vector<std::pair<uint64_t, uint64_t>> spans(nodes, {UINT64_MAX, 0});
    for (int i = 0; i < nodes; ++i)
      for (int b = 0; b < blocks; ++b) {
        const Record &r = records[size_t(i) * blocks + b];
        sms[i].insert(r.sm);
        spans[i] = {std::min(spans[i].first, r.startNs), std::max(spans[i].second, r.endNs)};
      }
    int sharedSms = 0, overlaps = 0;
    for (int i = 0; i < nodes; ++i)
      for (int j = 0; j < i; ++j) {
        for (uint64_t sm : sms[i])
          sharedSms += sms[j].count(sm) != 0;
        overlaps += spans[i].first < spans[j].second && spans[j].first < spans[i].second;
      }
    ordered_json result = {{"nodes", nodes},
                           {"shared_sms", sharedSms},
                           {"overlapping_pairs", overlaps},
                           {"pairs", nodes * (nodes - 1) / 2},
                           {"sms", ordered_json::array()}};
    for (const auto &set : sms)
      result["sms"].push_back(std::vector<uint64_t>(set.begin(), set.end()));
    return result;
  }

  static int64_t nsSince(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() -
                                                                start)
        .count();
  }

  /// Host times of graphs of more and more nodes; the least of five launches.
  ordered_json launches() {
    ordered_json rows = ordered_json::array();
    for (int nodes : {1, 16, 64, 256, 1024}) {
      CUdeviceptr memory = 0;
      check(cu.cuMemAlloc(&memory, sizeof(Record) * nodes), "cuMemAlloc");
      CUgraph graph =
          makeGraph(nodes, 1, 0, memory, [&](int i) { return contexts[i % contexts.size()]; });
      auto start = std::chrono::steady_clock::now();
      CUgraphExec exec = {};
      check(cu.cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiateWithFlags");
      const int64_t instantiateNs = nsSince(start);
      start = std::chrono::steady_clock::now();
      check(cu.cuGraphUpload(exec, stream), "cuGraphUpload");
      check(cu.cuStreamSynchronize(stream), "cuStreamSynchronize");
      const int64_t uploadNs = nsSince(start);
      int64_t least = INT64_MAX;
      for (int i = 0; i < 5; ++i) {
        start = std::chrono::steady_clock::now();
        check(cu.cuGraphLaunch(exec, stream), "cuGraphLaunch");
        least = std::min(least, nsSince(start));
        check(cu.cuStreamSynchronize(stream), "cuStreamSynchronize");
      }
      rows.push_back({{"nodes", nodes},
                      {"instantiate_ns", instantiateNs},
                      {"upload_ns", uploadNs},
                      {"launch_ns", least}});
      cu.cuGraphExecDestroy(exec);
      cu.cuGraphDestroy(graph);
    }
    return rows;
  }

  const probe::Driver &cu;
  CUdevice device = 0;
  CUcontext primary = {};
  CUlibrary library = {};
  CUkernel kernel = {};
  CUstream stream = {};
  int units = 0;
  std::vector<CUcontext> contexts;
};

} // namespace

int main() {
  // Branches of a graph need hardware queues; must be set before cuInit.
  ::setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 1);
  probe::Driver driver;
  if (const std::string missing = probe::open(driver); !missing.empty()) {
    fmt::print(stderr, "mtc-gpu-probe: error: {}\n", missing);
    return 7;
  }
  if (driver.cuInit(0) != CUDA_SUCCESS) {
    fmt::print(stderr, "mtc-gpu-probe: error: the driver finds no device\n");
    return 7;
  }
  try {
    fmt::print("{}\n", Probe(driver).run().dump(2));
  } catch (const std::exception &error) {
    fmt::print(stderr, "mtc-gpu-probe: error: {}\n", error.what());
    return 1;
  }
  return 0;
}
