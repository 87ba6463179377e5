//===- Regions.h - control flow of a command on a GPU ---------------------===//
//
// A region is walked by the host: it launches graphs of its bodies and reads the values that decide
// (Walk.h). Everything a body touches has one address: an iteration's state is copied to where the
// next one reads it, and elements of scanned and stacked operands to and from a place of their own.
// So a body has one graph for all iterations, or several, cut where another region lies inside it.
//
// Conditional nodes would spare the host's turn. They need device code that sets their handles,
// which is in a library to link with each cubin (libcudadevrt), and kernels for what depends on the
// iteration's number. Source: CUDA driver API 13.0, CUDA_CONDITIONAL_NODE_PARAMS.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Chain.h"
#include "Memory.h"
#include "mtc/Scheduling/Regions.h"

#include <memory>

namespace mtc::gpu {

struct GpuRegion {
  const Region *region = nullptr;
  RegionLayout layout;
  std::vector<CUdeviceptr> operands; ///< the workspace last
  CUdeviceptr workspace() const { return operands.back(); }

  struct Task {
    Chain chain; ///< of none if it is a region
    std::unique_ptr<GpuRegion> region;
  };
  /// Tasks of a body that are launched together, or a region inside.
  struct Segment {
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    const GpuRegion *region = nullptr;
  };
  struct Body {
    std::vector<int64_t> inputBytes, outputBytes;
    std::vector<Task> tasks;
    std::vector<Segment> segments; ///< once they are made
  };
  std::vector<Body> bodies;
};

/// What a region is prepared with: its command's share of the device.
struct RegionParts {
  const Problem &problem;
  Kernels &kernels;
  DeviceWeights &weights;
  Gpu::Partition partition;
  int granules = 1;
  int priority = 0;
  CUdeviceptr scratch = 0;
};

/// Gives every operand of the bodies its address, uploads weights and loads kernels.
/// Fails as DeviceWeights and Kernels do. Ownership: the problem outlives the result.
StatusOr<std::unique_ptr<GpuRegion>> prepareRegion(const RegionParts &parts, int32_t kernel,
                                                   std::vector<CUdeviceptr> operands);

/// Makes the graphs of all bodies, inner ones included. What was made before a failure is there for
/// destroyGraphs.
Status makeGraphs(const Driver &cu, GpuRegion &region, CUstream stream);
void destroyGraphs(const Driver &cu, GpuRegion &region);

} // namespace mtc::gpu
