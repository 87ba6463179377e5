//===- KernelSpaceTest.cpp - the configs of CUDA kernels ------------------===//
#include "mtc/Codegen/CUDA/KernelSpace.h"
#include "../ContractionText.h"
#include "EmulatedProgram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace mtc;
using namespace mtc::cuda;
using namespace mtc::cuda::test;
using namespace mtc::host::test;

namespace {

std::string withFormat(std::string text, const std::string &format) {
  return format == "f32"
             ? text
             : text.insert(text.find(" {\n"), " numerics(\"contraction-k-" + format + "\")");
}

std::string printed(mlir::Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

/// A large product, so that its first variant is one of warpgroups where there are any.
std::string large(const std::string &format) { return withFormat(gemm(2048, 768, 768, 0), format); }

class Space : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Formats, Space, testing::Values("f32", "tf32", "f16", "bf16"),
                         [](const auto &info) { return info.param; });

// Each config once, as text and as attribute; the first variant's is among them; all have variants.
TEST_P(Space, HoldsWhatFits) {
  for (const std::string target : {"cuda:sm_90a", "cuda:sm_89"}) {
    SCOPED_TRACE(target);
    const CudaTarget gpu = *resolve(target);
    for (const std::string &text :
         {large(GetParam()), withFormat(gemm(20, 40, 33, 0), GetParam())}) {
      TunedProgram program(text, target);
      ASSERT_EQ(program.error, "");
      const std::vector<Config> space = configSpace(program.kernel(), gpu);
      EXPECT_GT(space.size(), 20u);
      const RankConfig rank = rankConfigs(program.kernel(), gpu);
      std::set<std::string> texts;
      for (const Config &config : space) {
        const std::string line = printConfig(config);
        EXPECT_TRUE(texts.insert(line).second) << line;
        EXPECT_EQ(*parseConfig(line), config) << line;
        const mlir::DictionaryAttr attribute = configAttr(program.context.get(), config);
        EXPECT_EQ(*configOf(attribute), config) << line;
        EXPECT_GE(rank(config, 1), rank(config, 16)) << line;
        EXPECT_TRUE(std::isfinite(rank(config, 1))) << line;
      }
      const mt::VariantAttr first = program.variant();
      const Config ours = *configOf(first.getConfig());
      EXPECT_TRUE(texts.contains(printConfig(ours))) << printConfig(ours);
      auto variant = variantOf(program.kernel(), gpu, configAttr(program.context.get(), ours),
                               {1, 2}, {20, 10}, "measured");
      ASSERT_TRUE(mlir::succeeded(variant));
      EXPECT_EQ(variant->getTiles(), first.getTiles());
      EXPECT_EQ(variant->getOrigin().getValue(), "measured");
    }
  }
}

// Configs drawn from the space of a small product, and of a large one for the same bits as
// warpgroups: the emulator gives the bits of the first variant.
TEST_P(Space, ComputesTheSameBits) {
  const std::string text = withFormat(gemm(70, 40, 72, 0, Epilogue::BiasGelu), GetParam());
  host::test::Program host(text, "host:x86-64-v3,cores=1", /*plain=*/true);
  EmulatedProgram first(text);
  ASSERT_EQ(host.error + first.error, "");
  std::vector<Buffer> wanted = host.buffers(0);
  ASSERT_TRUE(first.run(wanted, 1, 3, 5).ok());
  std::vector<Config> space = configSpace(first.kernel(), *resolve("cuda:sm_90a"));
  std::shuffle(space.begin(), space.end(), std::mt19937_64(7));
  space.resize(std::min<size_t>(space.size(), 12));
  for (const Config &config : space) {
    SCOPED_TRACE(printConfig(config));
    EmulatedProgram other(text, false, "cuda:sm_90a",
                          printed(configAttr(first.context.get(), config)));
    ASSERT_EQ(other.error, "");
    std::vector<Buffer> got = host.buffers(0);
    const Status status = other.run(got, 1, 2, 7);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(std::memcmp(got.back().data(), wanted.back().data(), got.back().size()), 0);
  }
}

// What a block of the GPU cannot hold, what adds in another order, what is another emitter's.
TEST(Space, Refuses) {
  TunedProgram program(large("f16"), "cuda:sm_90a");
  ASSERT_EQ(program.error, "");
  auto isRefused = [&](const std::string &config, const std::string &target) {
    auto attribute =
        mlir::cast<mlir::DictionaryAttr>(mlir::parseAttribute(config, program.context.get()));
    return mlir::failed(
        variantOf(program.kernel(), *resolve(target), attribute, {1}, {1}, "measured"));
  };
  const std::string group =
      "{emitter = \"contraction\", mma = \"f16\", wgmma, bm = 128, bn = 128, bk = "
      "64, wm = 64, wn = 128, stages = ";
  EXPECT_FALSE(isRefused(group + "4}", "cuda:sm_90a"));
  EXPECT_TRUE(isRefused(group + "8}", "cuda:sm_90a"));              // 256 KiB of shared memory
  EXPECT_TRUE(isRefused(group + "4, unknown = 1}", "cuda:sm_90a")); // would be lost
  EXPECT_TRUE(isRefused(group + "4}", "cuda:sm_80"));               // no warpgroups
  const std::string warps =
      "{emitter = \"contraction\", mma = \"f16\", bm = 128, bn = 128, bk = 32, wm "
      "= 64, wn = 32, stages = 4}";
  EXPECT_TRUE(isRefused(warps, "cuda:sm_90a")); // the first variant is of warpgroups
  EXPECT_FALSE(isRefused(warps, "cuda:sm_80"));
  EXPECT_TRUE(isRefused("{emitter = \"phases\", threads = 256 : i64}", "cuda:sm_90a"));
  EXPECT_TRUE(isRefused("{emitter = \"contraction\", bm = 64, bn = 64, bk = 16, tm = 4, tn = 4}",
                        "cuda:sm_90a")); // f32
}

/// The configs of a kernel, each with the bits of its first variant in the emulator.
std::set<std::string> configsOfSameBits(const std::string &text) {
  host::test::Program host(text, "host:x86-64-v3,cores=1", /*plain=*/true);
  EmulatedProgram first(text);
  EXPECT_EQ(host.error + first.error, "");
  std::vector<Buffer> wanted = host.buffers(0);
  EXPECT_TRUE(first.run(wanted, 1, 3, 5).ok());
  std::set<std::string> texts;
  for (const Config &config : configSpace(first.kernel(), *resolve("cuda:sm_90a"))) {
    SCOPED_TRACE(printConfig(config));
    texts.insert(printConfig(config));
    EmulatedProgram other(text, false, "cuda:sm_90a",
                          printed(configAttr(first.context.get(), config)));
    EXPECT_EQ(other.error, "");
    if (!other.error.empty())
      continue;
    std::vector<Buffer> got = host.buffers(0);
    const Status status = other.run(got, 1, 2, 7);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(std::memcmp(got.back().data(), wanted.back().data(), got.back().size()), 0);
  }
  return texts;
}

// Threads of a phase add nothing up together; those of a row do, but rows that share a block do not
// mind each other. All have smaller grids, of as many blocks as an SM holds at least.
TEST(Space, OtherEmitters) {
  const std::set<std::string> phases = configsOfSameBits(biasGelu(30, 64));
  EXPECT_TRUE(phases.contains("phases threads=256"));
  EXPECT_TRUE(phases.contains("phases threads=64 width=8"));
  EXPECT_TRUE(phases.contains("phases blocks=2 threads=128 width=4"));
  EXPECT_TRUE(phases.contains("phases blocks=2 threads=512"));
  EXPECT_FALSE(phases.contains("phases blocks=4 threads=512")); // 2048 threads are an SM's
  EXPECT_FALSE(phases.contains("phases threads=256 width=1"));  // so few are one a thread anyway
  const std::set<std::string> odd = configsOfSameBits(biasGelu(7, 13));
  EXPECT_FALSE(odd.contains("phases threads=256 width=2")); // 13 have no pairs
  const std::set<std::string> rows = configsOfSameBits(softmax(20, 77));
  EXPECT_TRUE(rows.contains("rows threads=128"));
  EXPECT_TRUE(rows.contains("rows rows=4 threads=128"));
  EXPECT_TRUE(rows.contains("rows blocks=1 rows=2 threads=128"));
  EXPECT_FALSE(rows.contains("rows rows=8 threads=128")); // 20 rows
  EXPECT_TRUE(configsOfSameBits(softmax(48, 33)).contains("rows rows=16 threads=32"));
}

} // namespace
