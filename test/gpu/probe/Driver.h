//===- Driver.h - the functions of the CUDA driver that the probe calls ---===//
//
// libcuda is opened at run time, so that the program starts where there is none.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cuda.h>

#include <string>

/// X(name) for every driver function used.
#define MTC_PROBE_FUNCTIONS(X)                                                                     \
  X(cuInit)                                                                                        \
  X(cuDriverGetVersion)                                                                            \
  X(cuDeviceGet)                                                                                   \
  X(cuDeviceGetName)                                                                               \
  X(cuDeviceGetAttribute)                                                                          \
  X(cuDevicePrimaryCtxRetain)                                                                      \
  X(cuCtxSetCurrent)                                                                               \
  X(cuCtxSynchronize)                                                                              \
  X(cuDeviceGetDevResource)                                                                        \
  X(cuDevSmResourceSplitByCount)                                                                   \
  X(cuDevResourceGenerateDesc)                                                                     \
  X(cuGreenCtxCreate)                                                                              \
  X(cuCtxFromGreenCtx)                                                                             \
  X(cuLibraryLoadData)                                                                             \
  X(cuLibraryGetKernel)                                                                            \
  X(cuMemAlloc)                                                                                    \
  X(cuMemcpyDtoH)                                                                                  \
  X(cuMemsetD32)                                                                                   \
  X(cuGraphCreate)                                                                                 \
  X(cuGraphAddKernelNode)                                                                          \
  X(cuGraphInstantiateWithFlags)                                                                   \
  X(cuGraphUpload)                                                                                 \
  X(cuGraphLaunch)                                                                                 \
  X(cuGraphExecDestroy)                                                                            \
  X(cuGraphDestroy)                                                                                \
  X(cuStreamCreate)                                                                                \
  X(cuStreamSynchronize)                                                                           \
  X(cuGetErrorName)

namespace probe {

struct Driver {
#define MTC_PROBE_MEMBER(name) decltype(&::name) name = nullptr;
  MTC_PROBE_FUNCTIONS(MTC_PROBE_MEMBER)
#undef MTC_PROBE_MEMBER
};

/// Opens libcuda.so.1. Returns what is missing, or nothing.
std::string open(Driver &driver);

} // namespace probe
