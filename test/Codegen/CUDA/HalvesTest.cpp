//===- HalvesTest.cpp - kernels whose operands are f16 or bf16 in memory --===//
//
// The kernels of MmaTest.cpp with operands narrowed (NarrowKernel.h). No factor is rounded any
// more, so that answers are as near to the host's as sums in another order are.
//
//===----------------------------------------------------------------------===//
#include "../ContractionText.h"
#include "LikeHost.h"
#include "WithHalves.h"

using namespace mtc;
using namespace mtc::cuda::test;
using namespace mtc::host::test;

namespace {

class Halves : public testing::TestWithParam<Case> {
protected:
  void expectRight(const std::string &text, const std::string &config = "") {
    const std::string kernel = withHalves(text, GetParam());
    SCOPED_TRACE(kernel + config);
    expectLikeHost(kernel, "contraction", 1e-5, false, false, config);
  }
  /// A config of warpgroups, each 64 x wn.
  std::string groups(int64_t bm, int64_t wn, int64_t columns, int64_t stages,
                     int64_t producers = 0) {
    const std::string &format = GetParam().format;
    return "{emitter = \"contraction\", mma = \"" + format +
           "\", wgmma, bm = " + std::to_string(bm) + ", bn = " + std::to_string(wn * columns) +
           ", bk = " + (format == "tf32" ? "32" : "64") + ", wm = 64, wn = " + std::to_string(wn) +
           ", stages = " + std::to_string(stages) +
           (producers ? ", producers = " + std::to_string(producers) : "") + "}";
  }
  bool isExact() const { return GetParam().format == "f32"; }
};

INSTANTIATE_TEST_SUITE_P(Formats, Halves,
                         testing::Values(Case{"f16", "f16"}, Case{"bf16", "bf16"},
                                         Case{"tf32", "bf16"}, Case{"f32", "f16"}),
                         [](const auto &info) { return info.param.format + info.param.type; });

// Neighbours in memory by eights, fours, twos and not at all; tiles that divide nothing.
TEST_P(Halves, Products) {
  for (auto [m, n, k] : {std::tuple(20, 40, 33), {1, 100, 70}})
    expectRight(gemm(m, n, k, 0, Epilogue::None));
  expectRight(gemm(33, 36, 64, 0, Epilogue::BiasGelu));
}

TEST_P(Halves, OtherInputs) {
  expectRight(scores(2, 40, 50, 32));
  expectRight(values(2, 40, 50, 32));
  Conv v;
  v.f = 20;
  for (auto [channels, stride] : {std::pair(5, 1), {16, 2}}) {
    v.c = channels;
    v.stride = stride;
    expectRight(conv(v, 0));
  }
}

// Warpgroups, to whose stages halves are copied as they are; the same with others that copy.
TEST_P(Halves, Groups) {
  if (isExact())
    return;
  expectRight(gemm(70, 40, 200, 0, Epilogue::BiasRelu), groups(64, 32, 2, 4));
  expectRight(scores(2, 20, 50, 64), groups(64, 64, 1, 3));
  expectRight(gemm(130, 40, 200, 0, Epilogue::BiasRelu), groups(64, 32, 1, 3, 1));
  Conv v;
  v.f = 20;
  v.c = 16;
  expectRight(conv(v, 0), groups(64, 32, 1, 3));
}

} // namespace
