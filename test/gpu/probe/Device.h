//===- Device.h - a device, its split, and graphs of probe kernels --------===//
#pragma once

#include "Driver.h"
#include "Kernels.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace probe {

using Json = nlohmann::ordered_json;

struct Options {
  int ordinal = 0;
  int repeat = 20;       ///< launches a figure is taken of
  int64_t copyMib = 512; ///< of a copy that measures bandwidth
};

/// A kernel node to be.
struct Node {
  uint64_t groups = 1; ///< mask of the groups it runs on; 0: the primary context, all SMs
  uint64_t hi = 0;     ///< ns of spin, rounds of work
  int blocks = 1;
  std::vector<int> after; ///< numbers of earlier nodes
  enum class Kernel { Spin, SpinWide, Work } kernel = Kernel::Spin;
  int priority = 0;
};

/// An instantiated graph, and what it took to make it.
struct Graph {
  CUgraph graph = nullptr;
  CUgraphExec exec = nullptr;
  std::vector<CUgraphNode> nodes;
  int64_t addNs = 0, instantiateNs = 0, uploadNs = 0; ///< times of the host
};

/// When and where a node ran.
struct Span {
  std::vector<uint64_t> sms; ///< distinct, sorted
  uint64_t startNs = 0, endNs = 0;
  uint64_t lastStartNs = 0; ///< of its blocks
};

using Clock = std::chrono::steady_clock;
int64_t nsSince(Clock::time_point start);
int64_t median(std::vector<int64_t> values);

/// Ownership: all that it makes lives until it is destroyed. Every function throws
/// std::runtime_error "cuFunction: CUDA_ERROR_..." if the driver fails.
class Device {
public:
  Device(const Driver &driver, const Options &options);
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  void check(CUresult result, const char *what) const;

  /// The context of a mask of groups; 0 is the primary one. Made when it is first asked for.
  CUcontext context(uint64_t groups);
  int groupCount() const { return static_cast<int>(groups_.size()); }
  uint64_t allGroups() const { return (uint64_t(1) << groupCount()) - 1; }
  int smsOf(uint64_t groups) const; ///< as the driver says
  CUkernel kernel(const char *name);

  /// Device memory with an unmapped end; zeroed never.
  CUdeviceptr allocate(size_t bytes);
  /// Slots for `count` nodes, at the same place whenever no more than before are wanted.
  CUdeviceptr slots(size_t count);
  /// The next graphs leave their records from slot `first` on.
  void useSlotsFrom(size_t first) { firstSlot_ = first; }

  /// A graph of `nodes`, node i on the i-th slot. `flags` of the instantiation.
  Graph build(const std::vector<Node> &nodes,
              unsigned long long flags = CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
  /// Instantiates and uploads; for graphs with nodes of other kinds.
  void finish(Graph &graph, unsigned long long flags);
  CUgraphNode addKernel(CUgraph graph, CUkernel kernel, CUcontext context, unsigned blocks,
                        unsigned threads, void **parameters, const std::vector<CUgraphNode> &after);
  CUgraphNode addCopy(CUgraph graph, void *host, CUdeviceptr device, size_t bytes, bool toDevice,
                      const std::vector<CUgraphNode> &after);
  /// Parameters of such a copy, to change it.
  static CUDA_MEMCPY3D copyParameters(void *host, CUdeviceptr device, size_t bytes, bool toDevice);
  /// An empty graph, for addKernel and addCopy.
  Graph begin();
  void destroy(Graph &graph);

  /// Launches and returns at once; the host's time.
  int64_t launch(const Graph &graph, CUstream stream = nullptr);
  void wait(CUstream stream = nullptr);
  /// Reads bytes, by a graph of one copy.
  void read(void *to, CUdeviceptr from, size_t bytes);
  /// What the nodes of a graph that `build` made have left, after they ran.
  std::vector<Span> spans(const std::vector<Node> &nodes);
  /// build, launch, wait, spans.
  std::vector<Span> run(const std::vector<Node> &nodes,
                        unsigned long long flags = CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);

  const Driver &cu;
  const Options options;
  CUdevice device = 0;
  CUcontext primary = nullptr;
  CUstream stream = nullptr;
  int sms = 0;
  unsigned restSms = 0; ///< in no group of the split

private:
  struct Memory {
    CUdeviceptr address;
    size_t bytes;
    CUmemGenericAllocationHandle handle;
  };
  void split();

  CUlibrary library_ = nullptr;
  std::vector<CUdevResource> groups_;
  std::map<uint64_t, std::pair<CUgreenCtx, CUcontext>> contexts_;
  std::vector<Memory> memory_;
  std::set<CUgraph> graphs_; ///< that are not destroyed yet
  CUdeviceptr slots_ = 0;
  size_t slotCount_ = 0, firstSlot_ = 0;
};

} // namespace probe
