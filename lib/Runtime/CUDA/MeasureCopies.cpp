//===- MeasureCopies.cpp - how fast a GPU's memory is ---------------------===//
//
// Events around each copy, in one stream: what lies between them is the copy and about half a
// microsecond of the clock, of 100 us and more.
// Source: CUDA driver API 13.0, cuEventElapsedTime.
//
//===----------------------------------------------------------------------===//
#include "Memory.h"
#include "mtc/Runtime/Cuda.h"

#include <algorithm>

namespace mtc {
namespace {

constexpr int kRuns = 9;
constexpr int64_t kMostBytes = int64_t(256) << 20;

/// A stream and two events that a copy lies between. What was not made is null.
struct Timed {
  const gpu::Driver &cu;
  CUstream stream = nullptr;
  CUevent begin = nullptr, end = nullptr;
  ~Timed() {
    if (stream)
      (void)cu.cuStreamSynchronize(stream);
    for (CUevent event : {begin, end})
      if (event)
        cu.cuEventDestroy(event);
    if (stream)
      cu.cuStreamDestroy(stream);
  }
};

} // namespace

StatusOr<std::vector<double>> measureCudaCopies(const std::string &name, const std::string &path) {
  MTC_ASSIGN_OR_RETURN(const int ordinal, gpu::parseOrdinal(name));
  MTC_ASSIGN_OR_RETURN(auto driver, gpu::Driver::open(path));
  MTC_ASSIGN_OR_RETURN(const auto device, gpu::Gpu::open(std::move(driver), ordinal, nullptr));
  const gpu::Driver &cu = device->driver();
  gpu::CurrentContext current(cu, device->primary());
  MTC_RETURN_IF_ERROR(current.status());
  const auto bytes =
      std::min<int64_t>(kMostBytes, static_cast<int64_t>(device->memoryBytes() / 256));
  gpu::GuardedRange from(*device), to(*device);
  MTC_RETURN_IF_ERROR(from.grow(bytes));
  MTC_RETURN_IF_ERROR(to.grow(bytes));
  Timed timed{cu};
  MTC_CU(cu, cuStreamCreate, &timed.stream, CU_STREAM_NON_BLOCKING);
  MTC_CU(cu, cuEventCreate, &timed.begin, CU_EVENT_DEFAULT);
  MTC_CU(cu, cuEventCreate, &timed.end, CU_EVENT_DEFAULT);
  std::vector<double> rates;
  for (int run = -1; run < kRuns; ++run) { // the first one warms up
    MTC_CU(cu, cuEventRecord, timed.begin, timed.stream);
    MTC_CU(cu, cuMemcpyDtoDAsync, to.address(), from.address(), static_cast<size_t>(bytes),
           timed.stream);
    MTC_CU(cu, cuEventRecord, timed.end, timed.stream);
    MTC_CU(cu, cuEventSynchronize, timed.end);
    float milliseconds = 0;
    MTC_CU(cu, cuEventElapsedTime, &milliseconds, timed.begin, timed.end);
    if (run >= 0)
      rates.push_back(2.0 * static_cast<double>(bytes) /
                      std::max(1.0, static_cast<double>(milliseconds) * 1e6));
  }
  return rates;
}

} // namespace mtc
