//===- MmaTest.cpp - products on tensor cores -----------------------------===//
//
// As EmulatedTest.cpp, with factors rounded to tf32, f16 and bf16: answers within what the
// roundings cost, and exact where nothing is rounded. A kernel's class of numerics says which.
//
//===----------------------------------------------------------------------===//
#include "../ContractionText.h"
#include "LikeHost.h"

using namespace mtc;
using namespace mtc::cuda::test;
using namespace mtc::host::test;

namespace {

std::string withFormat(std::string text, const std::string &format) {
  return text.insert(text.find(" {\n"), " numerics(\"contraction-k-" + format + "\")");
}

std::string formatOf(EmulatedProgram &program) {
  auto format = program.variant().getConfig().getAs<mlir::StringAttr>("mma");
  return format ? format.getValue().str() : "none";
}

class Mma : public testing::TestWithParam<std::string> {
protected:
  /// Near the host's f32, and equal on small integers if the epilogue is exact.
  void expectRight(const std::string &text, bool isExact = true) {
    const std::string kernel = withFormat(text, GetParam());
    SCOPED_TRACE(kernel);
    const double tolerance = GetParam() == "tf32" ? 2e-3 : 2e-2;
    expectLikeHost(kernel, "contraction", tolerance);
    if (isExact)
      expectLikeHost(kernel, "contraction", 0, false, /*integers=*/true);
  }
};

INSTANTIATE_TEST_SUITE_P(Formats, Mma, testing::Values("tf32", "f16", "bf16"),
                         [](const auto &info) { return info.param; });

// Tiles that divide nothing, groups of four that are neighbours in memory and not, terms below and
// above the ring of stages, one row, one term.
TEST_P(Mma, Products) {
  for (auto [m, n, k] :
       {std::tuple(20, 40, 33), {64, 64, 32}, {1, 100, 70}, {130, 17, 5}, {3, 3, 1}, {33, 36, 200}})
    expectRight(gemm(m, n, k, 0, Epilogue::None));
}

TEST_P(Mma, Epilogues) {
  expectRight(gemm(20, 40, 33, 0, Epilogue::BiasGelu), false);
  expectRight(gemm(20, 40, 33, 0, Epilogue::BiasRelu));
  expectRight(gemm(20, 40, 33, 0, Epilogue::Residual));
}

// Both inputs along the terms, and the second along the columns; a batch.
TEST_P(Mma, Attention) {
  expectRight(scores(2, 9, 10, 12));
  expectRight(scores(2, 40, 50, 32));
  expectRight(values(2, 9, 10, 12));
  expectRight(values(2, 40, 50, 32));
}

// Padding, stride and dilation; channels that fill groups and that do not.
TEST_P(Mma, Convolutions) {
  Conv v;
  v.f = 20;
  for (auto [channels, kernel, stride, dilation, low, high] :
       {std::tuple(5, 3, 1, 1, 1, 1), {5, 1, 2, 1, 0, 0}, {8, 3, 2, 1, 1, 0}, {8, 3, 1, 2, 2, 2}}) {
    v.c = channels;
    v.kh = v.kw = kernel;
    v.stride = stride;
    v.dilation = dilation;
    v.low = low;
    v.high = high;
    expectRight(conv(v, 0));
  }
}

// Without leave the sums stay in f32; -O0 too.
TEST(MmaChoice, IsAskedFor) {
  EmulatedProgram exact(gemm(20, 40, 33, 0));
  EXPECT_EQ(formatOf(exact), "none");
  EmulatedProgram rounded(withFormat(gemm(20, 40, 33, 0), "f16"));
  EXPECT_EQ(formatOf(rounded), "f16");
  EmulatedProgram plain(withFormat(gemm(20, 40, 33, 0), "f16"), /*plain=*/true);
  EXPECT_EQ(formatOf(plain), "none");
}

} // namespace
