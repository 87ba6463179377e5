//===- MmaTest.cpp - products on tensor cores -----------------------------===//
//
// As EmulatedTest.cpp, with factors rounded to tf32, f16 and bf16: answers within what the
// roundings cost, and exact where nothing is rounded. A kernel's class of numerics says which.
//
//===----------------------------------------------------------------------===//
#include "../ContractionText.h"
#include "LikeHost.h"

using namespace mtc;
using namespace mtc::cuda;
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
  void expectRight(const std::string &text, bool isExact = true, const std::string &config = "") {
    const std::string kernel = withFormat(text, GetParam());
    SCOPED_TRACE(kernel + config);
    const double tolerance = GetParam() == "tf32" ? 2e-3 : 2e-2;
    expectLikeHost(kernel, "contraction", tolerance, false, false, config);
    if (isExact)
      expectLikeHost(kernel, "contraction", 0, false, /*integers=*/true, config);
  }

  /// A config of warpgroups: `columns` of them side by side, each 64 x wn; and more that copy.
  std::string groups(int64_t bm, int64_t wn, int64_t columns, int64_t stages,
                     int64_t producers = 0) {
    return "{emitter = \"contraction\", mma = \"" + GetParam() +
           "\", wgmma, bm = " + std::to_string(bm) + ", bn = " + std::to_string(wn * columns) +
           ", bk = " + (GetParam() == "tf32" ? "32" : "64") +
           ", wm = 64, wn = " + std::to_string(wn) + ", stages = " + std::to_string(stages) +
           (producers ? ", producers = " + std::to_string(producers) : "") + "}";
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

// Warpgroups: one, two below each other, two side by side; terms that fill no stage and many;
// neighbours in memory and not; rows that fill no product.
TEST_P(Mma, GroupProducts) {
  for (auto [m, n, k] : {std::tuple(20, 40, 33), {64, 64, 64}, {130, 36, 328}, {3, 3, 1}})
    expectRight(gemm(m, n, k, 0, Epilogue::None), true, groups(64, 32, 1, 3));
  expectRight(gemm(150, 40, 200, 0, Epilogue::BiasRelu), true, groups(128, 32, 2, 4));
  expectRight(gemm(70, 130, 72, 0, Epilogue::BiasGelu), false, groups(64, 128, 1, 3));
  expectRight(scores(2, 70, 50, 64), true, groups(64, 64, 1, 3));
  expectRight(values(2, 40, 50, 32), true, groups(64, 64, 1, 4));
}

TEST_P(Mma, GroupConvolutions) {
  Conv v;
  v.f = 20;
  v.c = 16;
  v.kh = v.kw = 3;
  v.low = v.high = 1;
  expectRight(conv(v, 0), true, groups(64, 32, 1, 3));
  v.c = 5;
  v.stride = 2;
  expectRight(conv(v, 0), true, groups(128, 32, 1, 3));
}

// Others copy than multiply: rings of two stages and more, terms that fill no stage and many,
// warpgroups below and beside each other, several tiles a block, padding.
TEST_P(Mma, Rings) {
  for (auto [m, n, k] : {std::tuple(20, 40, 33), {130, 36, 264}})
    expectRight(gemm(m, n, k, 0, Epilogue::None), true, groups(64, 32, 1, 3, 1));
  expectRight(gemm(150, 40, 200, 0, Epilogue::BiasRelu), true, groups(128, 32, 1, 4, 1));
  expectRight(gemm(70, 70, 72, 0, Epilogue::BiasGelu), false, groups(64, 32, 2, 2, 2));
}

TEST_P(Mma, RingsOfOtherInputs) {
  expectRight(scores(2, 70, 50, 64), true, groups(64, 64, 1, 3, 2));
  expectRight(values(2, 40, 50, 32), true, groups(64, 64, 1, 4, 1));
  Conv v;
  v.f = 20;
  v.c = 16;
  v.kh = v.kw = 3;
  v.low = v.high = 1;
  expectRight(conv(v, 0), true, groups(64, 32, 1, 3, 1));
}

/// What each config of `text` computes that adds as its first variant does (rule R3).
void expectEqualBits(const std::string &text, size_t atLeast) {
  SCOPED_TRACE(text);
  host::test::Program host(text, "host:x86-64-v3,cores=1", /*plain=*/true);
  EmulatedProgram first(text);
  ASSERT_EQ(host.error + first.error, "");
  const auto configs = contractionConfigs(first.kernel(), *resolve("cuda:sm_90a"));
  ASSERT_TRUE(mlir::succeeded(configs));
  std::vector<Buffer> wanted = host.buffers(0);
  ASSERT_TRUE(first.run(wanted, 1, 3, 5).ok());
  size_t compared = 0;
  for (const Choice &choice : *configs) {
    if (!addAlike(choice.config, first.variant().getConfig()))
      continue;
    std::string config;
    llvm::raw_string_ostream(config) << choice.config;
    EmulatedProgram other(text, false, "cuda:sm_90a", config);
    ASSERT_EQ(other.error, "");
    std::vector<Buffer> got = host.buffers(0);
    const Status status = other.run(got, 1, 2, 7);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(std::memcmp(got.back().data(), wanted.back().data(), got.back().size()), 0) << config;
    ++compared;
  }
  EXPECT_GE(compared, atLeast);
}

// Whichever tile a share takes, the bits are the same: of warps, of warpgroups, on CUDA cores.
TEST_P(Mma, TilesAgree) {
  expectEqualBits(withFormat(gemm(70, 40, 72, 0, Epilogue::BiasGelu), GetParam()), 10);
  const std::string text = withFormat(gemm(70, 40, 72, 0, Epilogue::BiasGelu), GetParam());
  host::test::Program host(text, "host:x86-64-v3,cores=1", /*plain=*/true);
  std::vector<Buffer> wanted;
  for (const std::string &config :
       {groups(64, 32, 1, 3), groups(64, 128, 1, 3), groups(128, 32, 2, 4)}) {
    SCOPED_TRACE(config);
    EmulatedProgram program(text, false, "cuda:sm_90a", config);
    ASSERT_EQ(program.error, "");
    std::vector<Buffer> got = host.buffers(0);
    ASSERT_TRUE(program.run(got, 1, 2, 7).ok());
    if (wanted.empty())
      wanted = std::move(got);
    else
      EXPECT_EQ(std::memcmp(got.back().data(), wanted.back().data(), got.back().size()), 0);
  }
}

TEST(Tiles, AgreeOnCudaCores) {
  expectEqualBits(gemm(70, 40, 33, 0, Epilogue::BiasGelu), 12);
  Conv v;
  v.c = 5;
  v.f = 20;
  v.kh = v.kw = 3;
  v.low = v.high = 1;
  expectEqualBits(conv(v, 0), 12);
}

// A weight that bulk copies bring to its stages: one tile and several, of chosen configs and of one
// warpgroup beside another; what none takes runs as phases.
TEST(Staged, Products) {
  for (const std::string type : {"f16", "bf16"}) {
    auto like = [&](const std::string &text, const std::string &emitter,
                    const std::string &config = "") {
      SCOPED_TRACE(text + config);
      expectLikeHost(withFormat(text, type), emitter, 2e-2, false, false, config);
    };
    like(stagedGemm(70, 64, 192, type), "contraction");
    like(stagedGemm(150, 96, 320, type, Epilogue::BiasGelu), "contraction");
    like(stagedGemm(70, 128, 128, type, Epilogue::Residual), "contraction",
         "{emitter = \"contraction\", mma = \"" + type +
             "\", wgmma, staged, bm = 64, bn = 64, bk = 64, wm = 64, wn = 32, stages = 2, "
             "producers = 1}");
    like(stagedGemm(20, 40, 64, type), "phases"); // 40 columns
    like(stagedGemm(20, 64, 72, type), "phases"); // 72 terms
  }
}

// Large products are those of warpgroups, where there are any.
TEST(MmaChoice, TakesWarpgroups) {
  auto byGroup = [](const std::string &target, int64_t rows) {
    EmulatedProgram program(withFormat(gemm(rows, 768, 768, 0), "f16"), false, target);
    EXPECT_EQ(program.error, "");
    return program.variant().getConfig().contains("wgmma");
  };
  EXPECT_TRUE(byGroup("cuda:sm_90a", 2048));
  EXPECT_FALSE(byGroup("cuda:sm_80", 2048));
  EXPECT_FALSE(byGroup("cuda:sm_90a", 1));
}

// Small shares and large ones have variants of their own, the first is a quarter's; no two of them
// mix products of warps and of warpgroups, which nobody has seen add alike.
TEST(MmaChoice, VariantsForShares) {
  for (const std::string format : {"f32", "f16"}) {
    std::string text = gemm(512, 512, 1024, 0);
    EmulatedProgram program(format == "f32" ? text : withFormat(text, format));
    ASSERT_EQ(program.error, "");
    auto variants = program.kernel().getVariantsAttr().getAsRange<mt::VariantAttr>();
    ASSERT_GT(llvm::range_size(variants), 1);
    const auto nsOn = [](mt::VariantAttr variant, int64_t granules) {
      int64_t ns = 0;
      for (auto [g, time] :
           llvm::zip(variant.getGranules().asArrayRef(), variant.getNs().asArrayRef()))
        if (g <= granules)
          ns = time;
      return ns;
    };
    const mt::VariantAttr first = program.variant();
    for (mt::VariantAttr variant : llvm::drop_begin(variants)) {
      EXPECT_GE(nsOn(variant, 4), nsOn(first, 4));
      bool isFaster = false;
      for (int64_t granules : {1, 2, 8, 12, 16})
        isFaster |= 1.03 * double(nsOn(variant, granules)) < double(nsOn(first, granules));
      EXPECT_TRUE(isFaster);
      EXPECT_EQ(variant.getConfig().contains(groupKey), first.getConfig().contains(groupKey));
    }
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
