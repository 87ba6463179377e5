//===- Unavailable.cpp - a runtime that was built without cuda.h ----------===//
#include "CudaDevice.h"
#include "mtc/Runtime/Cuda.h"
#include "mtc/Runtime/Meter.h"

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

std::unique_ptr<KernelMeter> makeCudaMeter(const BundleTarget &, const std::string &,
                                           const std::string &) {
  class NoMeter : public KernelMeter {
    std::vector<int> shares() const override { return {1}; }
    Status prepare(size_t, std::vector<std::vector<uint8_t>>) override { return kWithout; }
    StatusOr<std::vector<int64_t>> run(size_t, int, const std::string &, int) override {
      return kWithout;
    }
  };
  return std::make_unique<NoMeter>();
}

} // namespace mtc
