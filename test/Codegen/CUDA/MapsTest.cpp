//===- MapsTest.cpp - products whose factors come by tensor maps ----------===//
//
// Every form that TensorBox.h knows, in several grids, ranges of tiles and orders of threads and
// copies, against plain loops of the host; and what it must refuse. No factor is rounded, so
// answers are as near as sums in another order are.
//
//===----------------------------------------------------------------------===//
#include "../ContractionText.h"
#include "LikeHost.h"
#include "WithHalves.h"
#include "mtc/Codegen/CUDA/KernelSpace.h"

using namespace mtc;
using namespace mtc::cuda::test;
using namespace mtc::host::test;

namespace {

/// A product of two matrices whose dimensions lie in the order that `a` and `w` say.
std::string product(int64_t m, int64_t n, int64_t k, const std::string &a, const std::string &w) {
  auto shape = [&](const std::string &dims) {
    auto extent = [&](char d) { return d == 'm' ? m : d == 'n' ? n : k; };
    return tensor({extent(dims[0]), extent(dims[2])});
  };
  const std::string o = tensor({m, n}), dims = "m,n,k";
  return kernelText("%x: " + shape(a) + ", %w: " + shape(w), {}, o,
                    generic("%c", map(dims, a) + ", " + map(dims, w) + ", " + map(dims, "m,n"),
                            iterators(2, 1), "%x, %w : " + shape(a) + ", " + shape(w), "%f : " + o,
                            o, productBody()));
}

class Maps : public testing::TestWithParam<std::string> {
protected:
  /// Warpgroups below and beside each other, each 64 x wn.
  std::string config(int64_t bm, int64_t wn, int64_t columns, int64_t stages) {
    return "{emitter = \"contraction\", mma = \"" + GetParam() +
           "\", wgmma, mapped, producers = 1, bm = " + std::to_string(bm) +
           ", bn = " + std::to_string(wn * columns) +
           ", bk = 64, wm = 64, wn = " + std::to_string(wn) +
           ", stages = " + std::to_string(stages) + "}";
  }
  std::string halves(const std::string &text) { return withHalves(text, {GetParam(), GetParam()}); }
  void expectRight(const std::string &text, const std::string &config) {
    const std::string kernel = halves(text);
    SCOPED_TRACE(kernel + config);
    expectLikeHost(kernel, "contraction", 1e-5, false, false, config);
  }
  void expectRefused(const std::string &kernel, const std::string &config) {
    SCOPED_TRACE(kernel + config);
    EXPECT_EQ(EmulatedProgram(kernel, false, "cuda:sm_90a", config).error, "cannot be emitted");
  }
};

INSTANTIATE_TEST_SUITE_P(Formats, Maps, testing::Values("f16", "bf16"),
                         [](const auto &info) { return info.param; });

// Terms, or rows and columns, side by side in memory; rows, columns and terms that fill no tile and
// no step, more tiles than blocks, rings of two stages and more.
TEST_P(Maps, Products) {
  for (const std::string a : {"m,k", "k,m"})
    for (const std::string w : {"k,n", "n,k"}) {
      expectRight(product(72, 40, 200, a, w), config(64, 64, 1, 2));
      expectRight(product(136, 136, 64, a, w), config(128, 64, 2, 3));
    }
  expectRight(product(64, 264, 8, "m,k", "k,n"), config(64, 256, 1, 4));
  expectRight(product(130, 40, 72, "m,k", "n,k"), config(64, 32, 1, 4));
  expectRight(product(130, 72, 72, "m,k", "k,n"), config(64, 32, 2, 3));
  expectRight(gemm(150, 72, 328, 0, Epilogue::BiasGelu), config(64, 64, 1, 3));
}

// A batch whose matrices lie between each other's rows, and one behind the other.
TEST_P(Maps, Batches) {
  expectRight(scores(3, 70, 50, 64), config(64, 64, 1, 3));
  expectRight(scores(2, 70, 130, 72), config(64, 32, 2, 2));
  expectRight(values(2, 40, 48, 32), config(64, 64, 1, 4));
  expectRight(values(3, 70, 72, 80), config(64, 64, 1, 3));
}

// Padding, steps, dilated windows and none at all; rows of an image that tiles end in, and several
// images; the last tile ends behind the last image.
TEST_P(Maps, Convolutions) {
  Conv v;
  v.f = 24;
  v.c = 64;
  for (auto [size, kernel, stride, dilation, low, high] : {std::tuple(8, 3, 1, 1, 1, 1),
                                                           {16, 3, 2, 1, 1, 0},
                                                           {16, 3, 1, 2, 2, 2},
                                                           {10, 3, 1, 1, 0, 0},
                                                           {17, 3, 2, 1, 0, 0},
                                                           {16, 1, 2, 1, 0, 0},
                                                           {32, 5, 2, 1, 2, 2}}) {
    v.h = size - 3;
    v.w = size;
    v.kh = v.kw = kernel;
    v.stride = stride;
    v.dilation = dilation;
    v.low = low;
    v.high = high;
    expectRight(conv(v, 0), config(64, 32, 1, 3));
  }
  v = Conv();
  v.f = 40;
  v.c = 128;
  v.batch = 3;
  v.w = 16;
  v.h = 5;
  expectRight(conv(v, 0), config(128, 64, 1, 2));
}

// Rows of images that tiles end in, wherever: pixels one after the other, from image to image, with
// padding on one side or both, steps, dilation, windows of one dimension, and images of a row.
TEST_P(Maps, Pixels) {
  Conv v;
  v.f = 24;
  v.c = 64;
  for (auto [h, w, kernel, stride, dilation, low, high] : {std::tuple(9, 14, 3, 1, 1, 1, 1),
                                                           {13, 13, 3, 2, 1, 1, 1},
                                                           {14, 14, 3, 2, 1, 0, 1},
                                                           {11, 10, 3, 1, 2, 2, 2},
                                                           {8, 26, 1, 2, 1, 0, 0},
                                                           {12, 11, 5, 3, 1, 2, 2},
                                                           {12, 8, 3, 1, 1, 1, 1},
                                                           {9, 10, 3, 1, 1, 0, 0}}) {
    v.h = h;
    v.w = w;
    v.kh = v.kw = kernel;
    v.stride = stride;
    v.dilation = dilation;
    v.low = low;
    v.high = high;
    v.batch = 1;
    expectRight(conv(v, 0), config(64, 32, 1, 3));
    v.batch = 3;
    expectRight(conv(v, 0), config(128, 32, 1, 2));
  }
  v = Conv();
  v.f = 40;
  v.c = 128;
  v.h = 1;
  v.w = 30;
  v.kh = 1;
  v.kw = 5;
  v.low = v.high = 0;
  v.batch = 4;
  expectRight(conv(v, 0), config(64, 64, 1, 3));
}

// One term of a window: its channels need not fill a step.
TEST_P(Maps, PointwiseConvolutions) {
  Conv v;
  v.f = 24;
  v.c = 40;
  v.kh = v.kw = 1;
  v.low = v.high = 0;
  v.h = v.w = 9;
  expectRight(conv(v, 0), config(64, 32, 1, 3));
}

// The weight by bulk copies, the other factor by a map, all of one thread.
TEST_P(Maps, StagedWeights) {
  std::string staged = config(64, 32, 2, 2);
  staged.insert(staged.find("mapped"), "staged, ");
  expectRight(stagedGemm(136, 64, 128, GetParam(), Epilogue::Residual), staged);
}

TEST_P(Maps, Refuses) {
  const std::string plain = config(64, 64, 1, 3);
  expectRefused(halves(product(64, 64, 36, "m,k", "k,n")), plain); // rows of 72 bytes
  expectRefused(halves(product(64, 36, 64, "m,k", "k,n")), plain); // columns
  expectRefused(halves(product(64, 64, 64, "m,k", "k,n")),
                config(64, 16, 2, 3)); // 32 bytes of them
  std::string rounded = product(64, 64, 64, "m,k", "k,n");
  rounded.insert(rounded.find(" {\n"), " numerics(\"contraction-k-" + GetParam() + "\")");
  expectRefused(rounded, plain); // f32 in memory
  Conv v;
  v.f = 64;
  v.c = 16; // a step crosses windows
  expectRefused(halves(conv(v, 0)), plain);
  v.c = 64;
  v.w = 10;
  v.low = v.high = 130; // a corner of nine bits
  expectRefused(halves(conv(v, 0)), plain);
}

// A tuner may try maps where the target lets products have them, and a share's variant has the bits
// of others: configs of a large product, run on a small one.
TEST_P(Maps, AreInTheSpace) {
  const std::string text = halves(product(136, 72, 72, "m,k", "k,n"));
  TunedProgram first(halves(product(2048, 768, 768, "m,k", "k,n")), "cuda:sm_90a");
  ASSERT_EQ(first.error, "");
  auto mapped = [&](const std::string &target) {
    std::vector<Config> configs = cuda::configSpace(first.kernel(), *cuda::resolve(target));
    std::erase_if(configs, [](const Config &config) {
      return std::none_of(config.numbers.begin(), config.numbers.end(),
                          [](const ConfigNumber &number) { return number.name == "mapped"; });
    });
    return configs;
  };
  EXPECT_TRUE(mapped("cuda:sm_90a,maps=off").empty());
  const std::vector<Config> configs = mapped("cuda:sm_90a");
  ASSERT_GT(configs.size(), 10u);
  std::vector<Buffer> wanted;
  Program host(text, "host:x86-64-v3,cores=1", /*plain=*/true);
  ASSERT_EQ(host.error, "");
  auto run = [&](const std::string &config) {
    SCOPED_TRACE(config);
    EmulatedProgram program(text, false, "cuda:sm_90a", config);
    ASSERT_EQ(program.error, "");
    std::vector<Buffer> got = host.buffers(0);
    const Status status = program.run(got, 1, 2, 7);
    ASSERT_TRUE(status.ok()) << status.message();
    if (wanted.empty())
      wanted = std::move(got);
    else
      EXPECT_EQ(std::memcmp(got.back().data(), wanted.back().data(), got.back().size()), 0);
  };
  std::string copied = config(64, 64, 1, 3); // by all threads
  copied.erase(copied.find("mapped, "), std::string("mapped, ").size());
  run(copied);
  for (size_t i = 0; i < configs.size(); i += 9) {
    std::string config;
    llvm::raw_string_ostream(config) << cuda::configAttr(first.context.get(), configs[i]);
    run(config);
  }
}

} // namespace
