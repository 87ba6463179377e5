//===- CudaTarget.h - which GPU kernels are generated for -----------------===//
#pragma once

#include "mtc/Support/DeviceTable.h"
#include "mtc/Support/Status.h"

#include <string>

namespace mtc::cuda {

/// A resolved CUDA target. `name` is printed, stored in the bundle and accepted again by resolve().
struct CudaTarget {
  std::string name;    ///< "cuda:sm_90a,units=132"
  GpuRow gpu;          ///< its `units` are those asked for
  bool staged = false; ///< weights are stored as stages of shared memory need them
  bool maps = false;   ///< products may bring their factors by tensor maps
};

/// Resolves "cuda:ARCHITECTURE[,gpu=NAME][,units=N][,staged][,maps=on|off]": the architecture that
/// code is generated for, the GPU whose rates price it (default: the first of that architecture in
/// the device table) and the SMs it is scheduled on (default: all of that GPU). `staged` lets
/// products of sm_90a take their weights by bulk copies; `maps=off` keeps them from tensor maps,
/// which they use on sm_90a.
///
/// Fails if the text is malformed, `staged` or `maps` is asked of another architecture, or the
/// architecture or GPU is unknown or they do not fit (InvalidInput; the message lists the known
/// ones).
StatusOr<CudaTarget> resolve(const std::string &text);

} // namespace mtc::cuda
