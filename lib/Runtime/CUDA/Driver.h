//===- Driver.h - the functions of the CUDA driver ------------------------===//
//
// libcuda is opened at run time, so that programs start where there is none, and every function is
// asked of cuGetProcAddress at the version of the cuda.h that this was compiled with: what a newer
// driver exports under the plain name may have another signature.
// Source: CUDA driver API 13.0, "Driver Entry Point Access".
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cuda.h>

#include <memory>
#include <string>

/// X(name) for every driver function used but cuGetProcAddress.
#define MTC_CUDA_FUNCTIONS(X)                                                                      \
  X(cuInit)                                                                                        \
  X(cuDriverGetVersion)                                                                            \
  X(cuGetErrorName)                                                                                \
  X(cuGetErrorString)                                                                              \
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
  X(cuKernelSetAttribute)                                                                          \
  X(cuMemGetAllocationGranularity)                                                                 \
  X(cuMemAddressReserve)                                                                           \
  X(cuMemAddressFree)                                                                              \
  X(cuMemCreate)                                                                                   \
  X(cuMemRelease)                                                                                  \
  X(cuMemMap)                                                                                      \
  X(cuMemUnmap)                                                                                    \
  X(cuMemSetAccess)                                                                                \
  X(cuMemcpyHtoD)                                                                                  \
  X(cuMemcpyDtoH)                                                                                  \
  X(cuMemcpyDtoDAsync)                                                                             \
  X(cuMemcpyDtoHAsync)                                                                             \
  X(cuMemsetD32Async)                                                                              \
  X(cuMemAllocHost)                                                                                \
  X(cuMemFreeHost)                                                                                 \
  X(cuTensorMapEncodeTiled)                                                                        \
  X(cuTensorMapEncodeIm2col)                                                                       \
  X(cuStreamCreate)                                                                                \
  X(cuStreamDestroy)                                                                               \
  X(cuStreamSynchronize)                                                                           \
  X(cuStreamWaitEvent)                                                                             \
  X(cuEventCreate)                                                                                 \
  X(cuEventDestroy)                                                                                \
  X(cuEventRecord)                                                                                 \
  X(cuEventQuery)                                                                                  \
  X(cuEventSynchronize)                                                                            \
  X(cuEventElapsedTime)                                                                            \
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

namespace mtc::gpu {

/// Ownership: the library stays open as long as the object.
struct Driver {
#define MTC_CUDA_MEMBER(name) decltype(&::name) name = nullptr;
  MTC_CUDA_FUNCTIONS(MTC_CUDA_MEMBER)
#undef MTC_CUDA_MEMBER

  Driver() = default;
  Driver(const Driver &) = delete;
  Driver &operator=(const Driver &) = delete;
  ~Driver();

  /// Opens the library at `path`; empty is "libcuda.so.1".
  /// Fails if it cannot be opened or lacks a function (DeviceUnavailable).
  static StatusOr<std::shared_ptr<const Driver>> open(const std::string &path);

  /// "cuGraphLaunch: CUDA_ERROR_OUT_OF_MEMORY (out of memory)". DeviceUnavailable if the device is
  /// lost or there is none, else Internal.
  Status check(CUresult result, const char *function) const;

private:
  void *library = nullptr;
};

/// Whether nothing more can be done on a device: its context is destroyed by what went wrong, and
/// every later call says so again. The process must end and start anew.
/// Source: CUDA driver API 13.0, CUresult, "leaves the process in an inconsistent state".
bool isLost(CUresult result);

} // namespace mtc::gpu

/// Calls a function of the driver and returns from the caller if it fails.
#define MTC_CU(driver, function, ...)                                                              \
  MTC_RETURN_IF_ERROR((driver).check((driver).function(__VA_ARGS__), #function))
