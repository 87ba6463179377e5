//===- Unavailable.cpp - a runtime that was built without cuda.h ----------===//
#include "CudaDevice.h"
#include "mtc/Runtime/Cuda.h"

namespace mtc {

static const Status kWithout(ErrorCode::DeviceUnavailable,
                             "no CUDA: this program was built without cuda.h");

namespace gpu {
StatusOr<std::unique_ptr<SessionDevice>>
makeCudaDevice(const BundleReader &, const SessionOptions &, const JobEvents &, size_t &) {
  return kWithout;
}
} // namespace gpu

StatusOr<CudaInfo> describeCuda(const std::string &) { return kWithout; }
StatusOr<std::vector<double>> measureCudaCopies(const std::string &, const std::string &) {
  return kWithout;
}

} // namespace mtc
