//===- KernelSpaceTest.cpp - every config of a kernel gives the same bits -===//
#include "ConfigBits.h"
#include "ContractionText.h"

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

void expectEqualBits(const std::string &text, const std::string &emitter,
                     const std::string &target = "host:x86-64-v4,cores=2") {
  Program p(text, target);
  mtc::host::test::expectEqualBits(p, emitter);
}

TEST(KernelSpace, Products) {
  expectEqualBits(gemm(50, 70, 500, 32, Epilogue::BiasGelu), "contraction");
  expectEqualBits(gemm(1, 100, 900, 32), "contraction");
  expectEqualBits(gemm(40, 70, 512, 32), "contraction"); // two whole blocks of a sum
  expectEqualBits(gemm(33, 24, 40, 0), "contraction");
  expectEqualBits(scores(3, 40, 37, 20), "contraction");
  expectEqualBits(values(3, 40, 20, 37), "contraction");
}

TEST(KernelSpace, ProductsOnNarrowVectors) {
  expectEqualBits(gemm(50, 70, 500, 16), "contraction", "host:x86-64-v3,cores=2");
}

// Register tiles share in fetching what the next columns read: a hint, whatever the config.
TEST(KernelSpace, ProductsOfNarrowWeights) {
  expectEqualBits(gemm(50, 130, 400, 32, Epilogue::BiasRelu, {"i8"}), "contraction");
}

// Weights and results beyond a core's own caches may be fetched ahead.
TEST(KernelSpace, FarProducts) {
  const std::string text = gemm(150, 1000, 150, 32);
  expectEqualBits(text, "contraction");
  auto configsOf = [&](const char *target) {
    Program p(text, target);
    const HostTarget t = *resolve(target);
    auto space = mtc::configSpace(kernelShape(p.kernel(0), t), coreShape(t));
    return std::pair(configOf(p.variant(0).getConfig())->get("ahead"),
                     llvm::count_if(space, [](auto &c) { return c.get("ahead") > 0; }));
  };
  const auto [near, tried] = configsOf("host:x86-64-v4,cores=2");
  EXPECT_EQ(near, 0);
  EXPECT_GT(tried, 0);
  EXPECT_EQ(configsOf("host:x86-64-v4+avx512fp16,cores=2").first, 1);
  Program small(gemm(50, 70, 500, 32), "host:x86-64-v4+avx512fp16,cores=2");
  EXPECT_EQ(configOf(small.variant(0).getConfig())->get("ahead"), 0);
}

TEST(KernelSpace, Convolutions) {
  expectEqualBits(conv({.h = 17, .w = 19, .c = 40, .f = 33}), "contraction");
  expectEqualBits(conv({.h = 17, .w = 19, .c = 8, .f = 64, .stride = 2}), "contraction");
  expectEqualBits(conv({.h = 7, .w = 7, .c = 64, .f = 256}), "contraction"); // 7 rows of 4 vectors
  expectEqualBits(depthwise({.h = 17, .w = 19, .c = 40}), "contraction");
  expectEqualBits(pool({.h = 17, .w = 19, .c = 40, .stride = 2}, "arith.maximumf"), "contraction");
}

TEST(KernelSpace, Rows) {
  expectEqualBits(softmax(100, 77), "rows");
  expectEqualBits(layerNorm(50, 130), "rows");
  expectEqualBits(biasGelu(64, 300), "rows");
}

// The hash is of what is computed: names do not count, numbers and instructions do.
TEST(KernelSpace, Hash) {
  Program a(gemm(20, 40, 30, 32)), b(gemm(20, 40, 31, 32));
  std::string text = gemm(20, 40, 30, 32);
  Program renamed(text.replace(text.find("@k"), 2, "@other"));
  const HostTarget v4 = *resolve("host:x86-64-v4,cores=2"), v3 = *resolve("host:x86-64-v3,cores=2");
  const HostTarget more = *resolve("host:x86-64-v4,cores=8");
  EXPECT_EQ(kernelHash(a.kernel(0), v4), kernelHash(renamed.kernel(0), v4));
  EXPECT_EQ(kernelHash(a.kernel(0), v4), kernelHash(a.kernel(0), more));
  EXPECT_NE(kernelHash(a.kernel(0), v4), kernelHash(b.kernel(0), v4));
  EXPECT_NE(kernelHash(a.kernel(0), v4), kernelHash(a.kernel(0), v3));
}

// A config of another kernel, or one that is incomplete, gives no variant.
TEST(KernelSpace, VariantsThatDoNotFit) {
  Program p(gemm(20, 40, 30, 32));
  const HostTarget target = *resolve("host:x86-64-v4,cores=2");
  for (const char *text : {"rows rows=[4]", "contraction lanes=16 mr=2", "winograd block=4 mr=4"})
    EXPECT_TRUE(mlir::failed(variantOf(p.kernel(0), target,
                                       configAttr(p.context.get(), *mtc::parseConfig(text)), {1},
                                       {1}, "modelled")))
        << text;
}

} // namespace
