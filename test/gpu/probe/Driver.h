//===- Driver.h - the functions of the CUDA driver that the probe calls ---===//
//
// libcuda is opened at run time, so that the program starts where there is none, and every function
// is asked of cuGetProcAddress at the version of the cuda.h that this was compiled with.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cuda.h>

#include <string>

/// X(name) for every driver function that has to be there: those that the runtime calls, too.
#define MTC_PROBE_FUNCTIONS(X)                                                                     \
  X(cuInit)                                                                                        \
  X(cuDriverGetVersion)                                                                            \
  X(cuGetErrorName)                                                                                \
  X(cuDeviceGetCount)                                                                              \
  X(cuDeviceGet)                                                                                   \
  X(cuDeviceGetName)                                                                               \
  X(cuDeviceGetAttribute)                                                                          \
  X(cuDeviceTotalMem)                                                                              \
  X(cuDevicePrimaryCtxRetain)                                                                      \
  X(cuDevicePrimaryCtxRelease)                                                                     \
  X(cuCtxPushCurrent)                                                                              \
  X(cuCtxPopCurrent)                                                                               \
  X(cuCtxGetStreamPriorityRange)                                                                   \
  X(cuDeviceGetDevResource)                                                                        \
  X(cuDevSmResourceSplitByCount)                                                                   \
  X(cuDevResourceGenerateDesc)                                                                     \
  X(cuGreenCtxCreate)                                                                              \
  X(cuGreenCtxDestroy)                                                                             \
  X(cuCtxFromGreenCtx)                                                                             \
  X(cuLibraryLoadData)                                                                             \
  X(cuLibraryUnload)                                                                               \
  X(cuLibraryGetKernel)                                                                            \
  X(cuMemGetAllocationGranularity)                                                                 \
  X(cuMemAddressReserve)                                                                           \
  X(cuMemAddressFree)                                                                              \
  X(cuMemCreate)                                                                                   \
  X(cuMemRelease)                                                                                  \
  X(cuMemMap)                                                                                      \
  X(cuMemUnmap)                                                                                    \
  X(cuMemSetAccess)                                                                                \
  X(cuStreamCreate)                                                                                \
  X(cuStreamDestroy)                                                                               \
  X(cuStreamSynchronize)                                                                           \
  X(cuStreamWaitEvent)                                                                             \
  X(cuEventCreate)                                                                                 \
  X(cuEventDestroy)                                                                                \
  X(cuEventRecord)                                                                                 \
  X(cuGraphCreate)                                                                                 \
  X(cuGraphDestroy)                                                                                \
  X(cuGraphAddKernelNode)                                                                          \
  X(cuGraphAddMemcpyNode)                                                                          \
  X(cuGraphKernelNodeSetAttribute)                                                                 \
  X(cuGraphInstantiateWithFlags)                                                                   \
  X(cuGraphExecDestroy)                                                                            \
  X(cuGraphExecMemcpyNodeSetParams)                                                                \
  X(cuGraphNodeSetEnabled)                                                                         \
  X(cuGraphUpload)                                                                                 \
  X(cuGraphLaunch)

/// Those without which a question is not asked.
#define MTC_PROBE_MORE_FUNCTIONS(X)                                                                \
  X(cuMemGetInfo)                                                                                  \
  X(cuMemHostAlloc)                                                                                \
  X(cuMemFreeHost)

namespace probe {

/// The library is never closed: the process ends with the probe.
struct Driver {
#define MTC_PROBE_MEMBER(name) decltype(&::name) name = nullptr;
  MTC_PROBE_FUNCTIONS(MTC_PROBE_MEMBER)
  MTC_PROBE_MORE_FUNCTIONS(MTC_PROBE_MEMBER)
#undef MTC_PROBE_MEMBER
};

/// Opens the library at `path`. Returns what is missing, or nothing.
std::string open(Driver &driver, const std::string &path);

} // namespace probe
