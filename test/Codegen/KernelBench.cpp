//===- KernelBench.cpp - times of kernels, by hand ------------------------===//
//
//   KernelBench [TASKS.mlir [CACHE]] | KernelBench --check TASKS.mlir
//   KernelBench --sweep TASKS.mlir KERNEL [THREADS [CONFIG ...]]
//
// Without a file the shapes that the design's goals name; with one every kernel of it. Prints the
// least time on one core, GFLOP/s (a multiply-add is two) and GB/s of operands. --sweep runs one
// kernel with several configs in turn (its own and the best ten by the model, or those named), on
// threads with equal parts of the tiles; prints median and least, and the median over the first's.
// Not a test: other processes disturb it.
//
//===----------------------------------------------------------------------===//
#include "AttentionText.h"

#include "mtc/Codegen/Host/KernelSpace.h"
#include "mtc/Runtime/Cpu.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/Support/MemoryBuffer.h"

#include <chrono>
#include <cstdio>
#include <thread>

using namespace mtc::host;
using namespace mtc::host::test;

static double microseconds() {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// FMA peak of this core: ten independent chains.
static double peakGflops() {
  typedef float V __attribute__((vector_size(64)));
  double best = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    V a[10] = {}, x = a[0] + 1.0000001f, y = a[0] + 1e-9f;
    double start = microseconds();
    for (int i = 0; i < 20000; ++i) {
      for (V &v : a)
        v = v * x + y;
      asm volatile(""
                   : "+v"(a[0]), "+v"(a[1]), "+v"(a[2]), "+v"(a[3]), "+v"(a[4]), "+v"(a[5]),
                     "+v"(a[6]), "+v"(a[7]), "+v"(a[8]), "+v"(a[9]));
    }
    best = std::max(best, 20000 * 10 * 32 / (microseconds() - start) / 1e3);
  }
  return best;
}

/// Every kernel of a file optimized against plain loops; returns how many differ.
static int check(const std::string &text) {
  Program fast(text, ""), plain(text, "", /*plain=*/true);
  if (!fast.error.empty() || !plain.error.empty()) {
    std::printf("%s %s\n", fast.error.c_str(), plain.error.c_str());
    return 1;
  }
  int bad = 0;
  for (size_t k = 0; k < fast.code.symbols.size(); ++k) {
    auto got = fast.buffers(k), want = plain.buffers(k);
    int status = fast.run(k, got, 3, true) | plain.run(k, want);
    size_t arguments = fast.kernel(k).getArgumentTypes().size();
    for (size_t i = arguments; i < got.size(); ++i) {
      double difference = 0, norm = 0;
      bool isFloat =
          mlir::cast<mlir::RankedTensorType>(fast.kernel(k).getResultTypes()[i - arguments])
              .getElementType()
              .isF32();
      for (size_t j = 0; isFloat && j < got[i].size() / 4; ++j) {
        double a = got[i].as<float>()[j], b = want[i].as<float>()[j];
        if (a == b || (std::isnan(a) && std::isnan(b))) // infinities too
          continue;
        difference += (a - b) * (a - b);
        norm += b * b;
      }
      bool same = isFloat ? difference <= 1e-10 * norm
                          : std::memcmp(got[i].data(), want[i].data(), got[i].size()) == 0;
      if (status || !same) {
        ++bad;
        std::printf("%s result %zu: status %d, relative error %g\n",
                    fast.kernel(k).getSymName().str().c_str(), i - arguments, status,
                    std::sqrt(difference / norm));
      }
    }
  }
  std::printf("%zu kernels, %d results differ\n", fast.code.symbols.size(), bad);
  return bad != 0;
}

static void report(Program &p, size_t k, const std::string &name, double minMicroseconds = 20000) {
  auto buffers = p.buffers(k);
  double flops = 0, bytes = 0, best = 1e30, spent = 0;
  for (auto op : p.kernel(k).getBody().getOps<mlir::linalg::LinalgOp>()) {
    double n = op.getNumReductionLoops() ? 2 : 0;
    for (int64_t e : op.getStaticLoopRanges())
      n *= e;
    flops += n;
  }
  for (auto &b : buffers)
    bytes += b.size();
  for (int i = 0; i < 5 || (spent < minMicroseconds && i < 10000); ++i) {
    double start = microseconds();
    if (p.run(k, buffers)) {
      std::printf("%s fails\n", name.c_str());
      return;
    }
    double t = microseconds() - start;
    best = std::min(best, t);
    spent += t;
  }
  std::string config;
  llvm::raw_string_ostream(config)
      << p.variant(k).getConfig() << " tiles " << p.variant(k).getTiles()[0];
  std::printf("%-28s %10.1f us %8.1f GFLOP/s %7.1f GB/s  %s\n", name.c_str(), best,
              flops / best / 1e3, bytes / best / 1e3, config.c_str());
  std::fflush(stdout);
}

/// A kernel with a config, ready to run on several threads.
struct Swept {
  std::string config;
  std::unique_ptr<Program> program;
  std::vector<Buffer> buffers;
  std::vector<Buffer> scratch; ///< by thread
  std::vector<double> times;
};

static double runOnce(Swept &s, size_t k) {
  std::vector<void *> pointers;
  for (Buffer &b : s.buffers)
    pointers.push_back(b.data());
  MtcKernelFn fn = s.program->function(k);
  const double start = microseconds();
  for (auto [phase, tiles] : llvm::enumerate(s.program->variant(k).getTiles().asArrayRef())) {
    auto work = [&, phase = phase, tiles = tiles](size_t thread) {
      const auto all = int64_t(s.scratch.size()), part = int64_t(thread);
      MtcKernelArgs args{int64_t(phase),
                         tiles * part / all,
                         tiles * (part + 1) / all,
                         0,
                         pointers.data(),
                         s.scratch[thread].data(),
                         nullptr};
      fn(&args);
    };
    std::vector<std::thread> others;
    for (size_t thread = 1; thread < s.scratch.size(); ++thread)
      others.emplace_back(work, thread);
    work(0);
    for (std::thread &other : others)
      other.join();
  }
  return microseconds() - start;
}

static int sweep(const std::string &text, const std::string &name, size_t threads,
                 std::vector<std::string> configs) {
  Program first(text, "");
  size_t k = 0;
  while (k < first.code.symbols.size() && first.kernel(k).getSymName() != name)
    ++k;
  if (!first.error.empty() || k == first.code.symbols.size()) {
    std::printf("no kernel %s: %s\n", name.c_str(), first.error.c_str());
    return 1;
  }
  const HostTarget target = *resolve(first.program.getTarget()->str());
  const mtc::KernelShape shape = kernelShape(first.kernel(k), target);
  if (configs.empty()) {
    configs.push_back(printConfig(*configOf(first.variant(k).getConfig())));
    std::vector<std::pair<double, std::string>> space;
    for (const mtc::Config &config : configSpace(shape, coreShape(target)))
      space.emplace_back(modelledCycles(shape, coreShape(target), config, int32_t(threads)),
                         printConfig(config));
    std::sort(space.begin(), space.end());
    for (size_t i = 0; i < std::min<size_t>(10, space.size()); ++i)
      configs.push_back(space[i].second);
  }
  std::vector<Swept> all;
  for (const std::string &config : configs) {
    Swept s{config, std::make_unique<Program>(text, ""), {}, {}, {}};
    Program &p = *s.program;
    auto parsed = mtc::parseConfig(config);
    if (!parsed.ok()) {
      std::printf("%s\n", parsed.status().message().c_str());
      return 1;
    }
    auto variant =
        variantOf(p.kernel(k), target, configAttr(p.context.get(), *parsed), {1}, {1}, "modelled");
    if (mlir::failed(variant))
      return 1;
    p.kernel(k).setVariantsAttr(mlir::ArrayAttr::get(p.context.get(), {*variant}));
    p.recompile();
    s.buffers = p.buffers(k);
    for (size_t thread = 0; thread < threads; ++thread)
      s.scratch.emplace_back(p.variant(k).getScratch());
    all.push_back(std::move(s));
  }
  const double start = microseconds();
  for (int i = 0; i < 201 && (i < 5 || microseconds() - start < 20e6); ++i)
    for (Swept &s : all)
      if (const double t = runOnce(s, k); i > 0)
        s.times.push_back(t);
  for (Swept &s : all)
    std::sort(s.times.begin(), s.times.end());
  for (Swept &s : all)
    std::printf("%10.1f us  least %10.1f  %5.3f  %s\n", s.times[s.times.size() / 2], s.times[0],
                s.times[s.times.size() / 2] / all[0].times[all[0].times.size() / 2],
                s.config.c_str());
  return 0;
}

int main(int argc, char **argv) {
  (void)missingFeatures({"amx-tile"}); // asks for the state of tiles
  if (argc > 3 && std::string(argv[1]) == "--sweep") {
    auto file = llvm::MemoryBuffer::getFile(argv[2]);
    return file ? sweep((*file)->getBuffer().str(), argv[3], argc > 4 ? atoi(argv[4]) : 1,
                        std::vector<std::string>(argv + std::min(argc, 5), argv + argc))
                : 2;
  }
  if (argc > 2 && std::string(argv[1]) == "--check") {
    auto file = llvm::MemoryBuffer::getFile(argv[2]);
    return file ? check((*file)->getBuffer().str()) : 2;
  }
  std::printf("FMA peak %.1f GFLOP/s\n", peakGflops());
  if (argc > 1) {
    auto file = llvm::MemoryBuffer::getFile(argv[1]);
    if (!file)
      return 2;
    CompileOptions options;
    if (argc > 2)
      options.cacheDir = argv[2];
    double start = microseconds();
    Program p((*file)->getBuffer().str(), "", false, options);
    if (!p.error.empty()) {
      std::printf("%s\n", p.error.c_str());
      return 1;
    }
    std::printf("compiled %zu kernels, %zu from the cache, in %.0f ms; %zu bytes\n",
                p.code.compiled, p.code.fromCache, (microseconds() - start) / 1e3,
                p.code.code.size());
    for (const std::string &w : p.code.warnings)
      std::printf("%s\n", w.c_str());
    for (size_t k = 0; k < p.code.symbols.size(); ++k)
      report(p, k, p.kernel(k).getSymName().str(), 3000);
    return 0;
  }
  std::pair<const char *, std::string> kernels[] = {
      {"gemm 384x768x768 gelu", gemm(384, 768, 768, 32, Epilogue::BiasGelu)},
      {"gemm 384x768x768 relu", gemm(384, 768, 768, 32)},
      {"gemm 197x1000x768", gemm(197, 1000, 768, 32)},
      {"gemv 1x1000x2048", gemm(1, 1000, 2048, 32)},
      {"conv3x3 64@56", conv({.h = 56, .w = 56, .c = 64, .f = 64})},
      {"conv3x3 512@7", conv({.h = 7, .w = 7, .c = 512, .f = 512})},
      {"conv3x3 s2 64->128@56", conv({.h = 56, .w = 56, .c = 64, .f = 128, .stride = 2})},
      {"conv1x1 64->256@56",
       conv({.h = 56, .w = 56, .c = 64, .f = 256, .kh = 1, .kw = 1, .low = 0, .high = 0})},
      {"conv7x7 s2 3->64@224", conv({.h = 224,
                                     .w = 224,
                                     .c = 3,
                                     .f = 64,
                                     .kh = 7,
                                     .kw = 7,
                                     .stride = 2,
                                     .low = 3,
                                     .high = 3})},
      {"conv3x3 40->40@40", conv({.h = 40, .w = 40, .c = 40, .f = 40})},
      {"depthwise 3x3 144@56", depthwise({.h = 56, .w = 56, .c = 144})},
      {"maxpool 3x3 s2 64@112", pool({.h = 112, .w = 112, .c = 64, .stride = 2}, "arith.maximumf")},
      {"scores 12x384x384x64", scores(12, 384, 384, 64)},
      {"values 12x384x64x384", values(12, 384, 64, 384)},
      {"softmax 4608x384", softmax(4608, 384)},
      {"attention 12x384x384x64",
       attention({.heads = 12, .queries = 384, .keys = 384, .depth = 64, .width = 64})},
      {"layernorm 384x768", layerNorm(384, 768)},
      {"gelu 384x3072", biasGelu(384, 3072)},
      {"transpose 768x768", transpose(768, 768)},
      {"spatial mean 49x2048", spatialMean(49, 2048)},
  };
  for (auto &[name, text] : kernels) {
    Program p(text, "host");
    if (!p.error.empty() || !p.code.warnings.empty())
      std::printf("%s: %s %s\n", name, p.error.c_str(),
                  p.code.warnings.empty() ? "" : p.code.warnings[0].c_str());
    else
      report(p, 0, name, 100000);
  }
  return 0;
}
