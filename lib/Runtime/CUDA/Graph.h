//===- Graph.h - a plan as a CUDA graph -----------------------------------===//
//
// A command is a chain of kernel nodes (Chain.h), with those that are merged with it. Each node
// carries the context of its command's granules and the priority of its tenant. Edges are the
// plan's waits and nothing else (rule R1); inputs are copied in by root nodes, outputs out behind
// the commands that write them. A plan with control flow is several graphs, cut at regions and
// where one request waits for another.
//
// The graph's addresses never change: what grows, grows in place (Memory.h), so that tensor maps
// are encoded once. Only the host ends of copies differ from run to run. Source: CUDA driver
// API 13.0, "Graph Management".
//
//===----------------------------------------------------------------------===//
#pragma once

#include "../Device.h"
#include "Chain.h"
#include "Memory.h"
#include "Regions.h"
#include "Walk.h"

#include <optional>

namespace mtc::gpu {

/// What graphs of one session are made of, and how.
struct GraphParts {
  Gpu &gpu;
  const BundleReader &bundle;
  const BundleTarget &target;
  Kernels &kernels;
  DeviceMemory &memory;
  DeviceWeights &weights;
  CudaSharing sharing = CudaSharing::Graph;
  /// Every command becomes a graph of its own, so that an error of the device can be told to a
  /// task. Counts for more than `sharing`.
  bool nodeByNode = false;
  bool recordTasks = false; ///< with nodes that write the time (Stamp.h)
};

class Graph : public ReadyPlan {
public:
  /// Lays out memory, uploads weights and loads kernels.
  /// Fails if the driver does, naming tenant and task; or as Kernels and DeviceWeights do.
  static StatusOr<std::unique_ptr<Graph>> create(GraphParts parts, ScheduledPlan plan);
  ~Graph() override;

  /// Points the copies at the memory of these requests; what belongs to a null one is left out.
  /// Instantiates at the first call. The primary context is current and no run is under way.
  Status bind(const std::vector<Request *> &requests, CUstream stream);

  /// What one step launches: the whole plan; or its copies, and commands that belong together; or
  /// a region, which is walked.
  struct Step {
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    int32_t command = -1; ///< -1: copies, or several
    const GpuRegion *region = nullptr;
    RegionWalk::Place place; ///< of the region's walk
    // of several streams
    CUstream stream = nullptr;      ///< null: the caller's
    CUevent ended = nullptr;        ///< null: nobody in another stream waits
    std::vector<size_t> after;      ///< steps in other streams
    std::optional<size_t> previous; ///< in the same stream
  };
  /// How regions are walked.
  struct WalkOptions {
    int64_t maxTrips = 0; ///< 0: as the region says
    int64_t spinNs = 0;
    std::function<bool(int32_t command)> isPassedOver; ///< its request has failed, or is none
    std::function<void(int32_t command, int32_t status)> failed;
  };
  bool hasRegions() const { return hasRegions_; }
  /// Launches all steps; what follows in `stream` runs behind them. Without regions at once, else
  /// it returns when the last region is over.
  Status launch(CUstream stream, const WalkOptions &options) const;
  /// One step and its end, behind all before it.
  Status runStep(size_t step, CUstream stream, const WalkOptions &options) const;
  /// Waits for all that was launched.
  CUresult synchronize(CUstream stream) const;
  const std::vector<Step> &steps() const { return steps_; }
  /// What the last run wrote, once it has ended: a record per command and granule, with the GPU's
  /// times moved so that the first is `firstNs`. Nothing if tasks are not recorded.
  Status readTimes(int64_t firstNs, std::vector<TaskRecord> &tasks) const;
  /// "tenant 'det': task 17 (Conv_3)".
  std::string nameOf(int32_t command) const;

private:
  /// A copy between a request's memory and its place on the device.
  struct Copy {
    int32_t instance = 0;
    bool isInput = true;
    int32_t index = 0;
    int64_t bytes = 0;
    CUdeviceptr device = 0;
    std::vector<int32_t> commands; ///< that read, or the one that writes
    size_t step = 0;
    CUgraphNode node = nullptr;
    void *bound = nullptr; ///< of the request
    bool onDevice = false; ///< where that is
    bool isEnabled = true;
  };
  struct Node {
    Chain chain;
    std::unique_ptr<GpuRegion> region; ///< in place of launches
    CUgraphNode last = nullptr;        ///< in its graph
    size_t step = 0;                   ///< its number, from 1
  };

  explicit Graph(GraphParts parts) : parts_(parts) {}
  Status layOutTensors();
  Status layOutScratch();
  Status prepareCommand(int32_t command);
  StatusOr<CUdeviceptr> addressOf(const Command &command, const BufferRef &buffer);
  Status tryBind(const std::vector<Request *> &requests, CUstream stream);
  Status instantiate(CUstream stream);
  Status addCommands(const std::vector<int32_t> &commands);
  Status addCommand(CUgraph graph, int32_t command, const std::vector<CUgraphNode> &waits);
  Status addStamp(CUgraph graph, int32_t command, int end, std::vector<CUgraphNode> &before);
  int32_t leaderOf(int32_t command) const;
  std::vector<int32_t> groupCommands() const;
  Status addSteps(CUstream stream);
  Status addCut(const std::vector<int32_t> &commands, CUstream own, std::vector<size_t> after,
                CUstream stream);
  Status addStampStep(int32_t command, int end, CUstream own, std::vector<size_t> after,
                      CUstream stream);
  RegionWalk walkOf(const Step &step, const WalkOptions &options) const;
  Status queue(const Step &step, CUstream stream) const;
  Status endStep(const Step &step, CUstream stream) const;
  Status addCopy(CUgraph graph, Copy &copy, const std::vector<CUgraphNode> &waits);
  Status beginStep(int32_t command);
  Status finishStep(CUstream stream);
  Status joinSteps();
  void destroyGraphs();

  GraphParts parts_;
  std::vector<CUdeviceptr> arenas_;
  std::map<std::tuple<int32_t, bool, int32_t>, CUdeviceptr> tensors_; ///< instance, input?, index
  std::vector<CUdeviceptr> scratch_;                                  ///< by command
  CUkernel stamp_ = nullptr;                                          ///< if tasks are recorded
  CUdeviceptr stamps_ = 0; ///< two of each command, before and behind it
  std::vector<Copy> copies_;
  std::vector<Node> nodes_;     ///< by command
  std::vector<int> priorities_; ///< by tenant
  std::vector<Step> steps_;
  std::vector<CUstream> streams_; ///< by group of commands that follow each other
  bool hasRegions_ = false;
  Decision *decisions_ = nullptr; ///< by command, if there are regions
};

} // namespace mtc::gpu
