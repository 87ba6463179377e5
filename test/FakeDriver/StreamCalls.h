//===- StreamCalls.h - functions of streams and events --------------------===//
#pragma once

#include "Fake.h"

namespace mtc::fake {

CUresult fake_cuStreamCreate(CUstream *stream, unsigned flags);
CUresult fake_cuStreamDestroy(CUstream handle);
CUresult fake_cuStreamSynchronize(CUstream handle);
CUresult fake_cuStreamWaitEvent(CUstream handle, CUevent eventHandle, unsigned flags);
CUresult fake_cuEventCreate(CUevent *event, unsigned flags);
CUresult fake_cuEventDestroy(CUevent handle);
CUresult fake_cuEventRecord(CUevent eventHandle, CUstream handle);
CUresult fake_cuEventQuery(CUevent handle);
CUresult fake_cuEventSynchronize(CUevent handle);
CUresult fake_cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end);
CUresult fake_cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream handle);
CUresult fake_cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream handle);
CUresult fake_cuMemAllocHost(void **memory, size_t bytes);
CUresult fake_cuMemFreeHost(void *memory);
CUresult fake_cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream handle);

} // namespace mtc::fake
