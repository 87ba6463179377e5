//===- CompileTest.cpp - contained compiles, the cache, the link ----------===//
#include "ContractionText.h"

#include "llvm/Support/FileSystem.h"

#include <csignal>
#include <cstdlib>

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

/// A folder that goes with the test.
struct Folder {
  llvm::SmallString<128> path;
  Folder() { (void)!llvm::sys::fs::createUniqueDirectory("mtc-codegen", path); }
  ~Folder() { llvm::sys::fs::remove_directories(path); }
  std::vector<std::string> files() const {
    std::vector<std::string> list;
    std::error_code error;
    for (llvm::sys::fs::recursive_directory_iterator it(path, error), end; it != end;
         it.increment(error))
      if (llvm::StringRef(it->path()).ends_with(".o"))
        list.push_back(it->path());
    return list;
  }
};

std::string named(std::string text, const std::string &name) {
  return text.replace(text.find("@k"), 2, "@" + name);
}

/// What a run of kernel 0 gives.
std::vector<float> resultOf(Program &p) {
  auto buffers = p.buffers(0);
  EXPECT_EQ(p.run(0, buffers), 0);
  float *data = buffers.back().as<float>();
  return std::vector<float>(data, data + buffers.back().size() / 4);
}

/// Compiles a kernel whose worker misbehaves the first time; it must fall back and say why.
void expectFallback(std::function<void()> misbehave, const std::string &reason,
                    KernelLimits limits) {
  std::string text = gemm(20, 40, 30, 32);
  Program good(text);
  ASSERT_EQ(good.error, "");
  Folder folder;
  std::string mark = (folder.path + "/mark").str();
  CompileOptions options;
  options.limits = limits;
  options.beforeKernel = [=](llvm::StringRef) {
    if (!llvm::sys::fs::exists(mark)) {
      (void)!llvm::sys::fs::create_directory(mark);
      misbehave();
    }
  };
  Program p(text, "host:x86-64-v4,cores=2", false, options);
  ASSERT_EQ(p.error, "");
  ASSERT_EQ(p.code.warnings.size(), 1u);
  EXPECT_NE(p.code.warnings[0].find("kernel 'k' " + reason), std::string::npos)
      << p.code.warnings[0];
  EXPECT_NE(p.code.warnings[0].find("plain loops"), std::string::npos);
  EXPECT_EQ(p.variant(0).getTiles().asArrayRef(), good.variant(0).getTiles().asArrayRef());
  std::vector<float> want = resultOf(good), got = resultOf(p);
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(want[i], got[i], 1e-4);
}

} // namespace

// A kernel that takes too long is named and runs as plain loops, in as many tiles as before. On a
// loaded machine the wall clock's 10 s may end it before it has had 1 s of CPU time.
TEST(Contained, TimeLimit) {
  expectFallback(
      [] {
        for (volatile bool forever = true; forever;) {
        }
      },
      "took more than 1", {1024, 1});
}

// Sleeping costs no CPU time: the wall clock ends it.
TEST(Contained, WallClockLimit) {
  expectFallback([] { ::sleep(100); }, "took more than 10 s", {1024, 1});
}

TEST(Contained, Crash) {
  expectFallback([] { ::raise(SIGSEGV); }, "crashed", {1024, 20});
}

TEST(Contained, MemoryLimit) {
  expectFallback(
      [] {
        size_t size = size_t(4) << 30; // beyond the limit
        auto *p = static_cast<volatile char *>(std::malloc(size));
        if (!p)
          std::abort();
        p[size - 1] = 1;
      },
      "crashed, or needed more than 512 MiB of memory", {512, 20});
}

// What earlier kernels leave in a worker's memory is not held against the next one.
TEST(Contained, MemoryOfEarlierKernels) {
  CompileOptions options;
  options.jobs = 1;
  options.limits = {512, 20};
  options.beforeKernel = [](llvm::StringRef) {
    auto *p = static_cast<volatile char *>(std::malloc(size_t(300) << 20)); // never freed
    if (!p)
      std::abort();
    p[0] = 1;
  };
  std::string text = named(gemm(20, 40, 30, 32), "a") + "\n" + named(softmax(5, 30), "b");
  Program p(text, "host:x86-64-v4,cores=2", false, options);
  EXPECT_EQ(p.error, "");
  EXPECT_TRUE(p.code.warnings.empty());
}

// Only when plain loops fail too it is an error, which names the kernel and both reasons.
TEST(Contained, NothingHelps) {
  CompileOptions options;
  options.beforeKernel = [](llvm::StringRef) { ::abort(); };
  Program p(gemm(4, 16, 4, 16), "host:x86-64-v4,cores=2", false, options);
  EXPECT_NE(p.error.find("kernel 'k' crashed"), std::string::npos) << p.error;
  EXPECT_NE(p.error.find("by plain loops it crashed"), std::string::npos) << p.error;
}

// The second compile takes all from the cache and gives the same bytes; a damaged file is compiled
// again.
TEST(Cache, HitMissAndDamage) {
  Folder folder;
  CompileOptions options;
  options.cacheDir = std::string(folder.path);
  std::string text = named(gemm(20, 40, 30, 32), "a") + "\n" + named(softmax(5, 30), "b");
  Program cold(text, "host:x86-64-v4,cores=2", false, options);
  ASSERT_EQ(cold.error, "");
  EXPECT_EQ(cold.code.compiled, 2u);
  Program warm(text, "host:x86-64-v4,cores=2", false, options);
  EXPECT_EQ(warm.code.compiled, 0u);
  EXPECT_EQ(warm.code.fromCache, 2u);
  EXPECT_EQ(cold.code.code, warm.code.code);

  // Another CPU or config is another object.
  Program other(text, "host:x86-64-v3,cores=2", false, options);
  EXPECT_EQ(other.code.fromCache, 0u);

  for (const std::string &file : folder.files()) {
    std::error_code error;
    llvm::raw_fd_ostream stream(file, error);
    stream << "damaged";
  }
  Program repaired(text, "host:x86-64-v4,cores=2", false, options);
  EXPECT_EQ(repaired.code.compiled, 2u);
  EXPECT_EQ(cold.code.code, repaired.code.code);
}

// Neither names nor the number of workers reach the bytes; equal kernels share one function (rule
// R4).
TEST(Compile, BytesDependOnKernelsOnly) {
  std::string body = named(gemm(20, 40, 30, 32), "a") + "\n" + named(layerNorm(6, 40), "b") + "\n" +
                     named(gemm(20, 40, 30, 32), "c");
  std::string renamed = named(gemm(20, 40, 30, 32), "x") + "\n" + named(layerNorm(6, 40), "y") +
                        "\n" + named(gemm(20, 40, 30, 32), "z");
  CompileOptions one, four;
  one.jobs = 1;
  four.jobs = 4;
  Program p(body, "host:x86-64-v4,cores=2", false, one),
      q(renamed, "host:x86-64-v4,cores=2", false, four);
  ASSERT_EQ(p.error + q.error, "");
  EXPECT_EQ(p.code.code, q.code.code);
  EXPECT_EQ(p.code.compiled, 2u);
  EXPECT_EQ(p.code.symbols[0], p.code.symbols[2]);
  EXPECT_NE(p.code.symbols[0], p.code.symbols[1]);
}

// -O0 at compile time alone: variants stay, plain loops run, and their scratch is announced.
TEST(Compile, PlainLoopsRaiseScratch) {
  CompileOptions options;
  options.plainLoops = true;
  Program p(softmax(50, 90), "host:x86-64-v4,cores=2", false, options);
  ASSERT_EQ(p.error, "");
  EXPECT_GE(p.variant(0).getScratch(), 50 * 90 * 4);
  Program fast(softmax(50, 90));
  std::vector<float> want = resultOf(p), got = resultOf(fast);
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(want[i], got[i], 1e-6);
}

TEST(HostTarget, Resolves) {
  auto v4 = resolve("host:x86-64-v4+avx512vnni,cores=3");
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->name, "host:x86-64-v4+avx512vnni,cores=3");
  EXPECT_EQ(v4->cores, 3);
  EXPECT_EQ(v4->vectorBytes, 64);
  EXPECT_EQ(v4->vectorRegisters, 32);
  EXPECT_NE(std::find(v4->required.begin(), v4->required.end(), "avx512vnni"), v4->required.end());
  auto again = resolve(v4->name);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->name, v4->name);
  EXPECT_FALSE(v4->multipliesTiles);
  EXPECT_FALSE(resolve("host:x86-64-v4+amx-bf16+amx-tile")->multipliesTiles);
  EXPECT_TRUE(resolve("host:x86-64-v4+amx-bf16+amx-tile+avx512bf16")->multipliesTiles);
  auto v3 = resolve("host:x86-64-v3");
  ASSERT_TRUE(v3.ok());
  EXPECT_EQ(v3->vectorBytes, 32);
  auto host = resolve("host");
  ASSERT_TRUE(host.ok());
  EXPECT_TRUE(resolve(host->name).ok());
}

TEST(HostTarget, Refuses) {
  auto message = [](const char *text) {
    auto r = resolve(text);
    return r.ok() ? std::string() : r.status().message();
  };
  EXPECT_EQ(
      message("host:x86-64-v9"),
      "target 'host:x86-64-v9': unknown level 'x86-64-v9'; known levels: x86-64-v3, x86-64-v4");
  EXPECT_NE(message("host:x86-64-v4+sse9").find("unknown feature 'sse9'; known features: amx-bf16"),
            std::string::npos);
  EXPECT_NE(message("host:x86-64-v3+avx512vnni").find("needs x86-64-v4"), std::string::npos);
  EXPECT_NE(message("host:x86-64-v3+amx-tile").find("needs x86-64-v4"), std::string::npos);
  EXPECT_NE(message("host:x86-64-v3,cores=0").find("cores must be 1 to 64, got 0"),
            std::string::npos);
  EXPECT_NE(message("host:x86-64-v3,units=2").find("wanted cores=N"), std::string::npos);
  EXPECT_NE(message("cuda:sm_90a").find("must be 'host'"), std::string::npos);
}
