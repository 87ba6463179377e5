//===- EmulatedProgram.h - CUDA kernels given as text, run by the emulator ===//
#pragma once

#include "../KernelRunner.h"
#include "Codegen/CUDA/ContractionFrame.h"
#include "Codegen/CUDA/StagedWeight.h"
#include "Codegen/CUDA/Variants.h"
#include "Emulator/EmulateKernels.h"
#include "Emulator/Launch.h"
#include "mtc/Codegen/CUDA/Passes.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mtc::cuda::test {

using host::test::Buffer;

/// A program given as text (the inside of mt.program), tuned for a CUDA target.
struct TunedProgram {
  TunedProgram(const std::string &body, const std::string &targetName, bool plain = false) {
    mlir::DialectRegistry registry;
    registerMtcDialects(registry);
    registry.insert<mlir::gpu::GPUDialect>();
    context = std::make_unique<mlir::MLIRContext>(registry, mlir::MLIRContext::Threading::DISABLED);
    context->loadAllAvailableDialects();
    auto resolved = resolve(targetName);
    if (!resolved.ok()) {
      error = resolved.status().message();
      return;
    }
    module = mlir::parseSourceString<mlir::ModuleOp>(
        "mt.program @p target(\"" + targetName + "\") {\n" + body + "\n}", context.get());
    if (!module) {
      error = "does not parse";
      return;
    }
    program = *module->getOps<mt::ProgramOp>().begin();
    mlir::PassManager pm(context.get());
    TuneCudaKernelsOptions tune;
    tune.plain = plain;
    pm.addNestedPass<mt::ProgramOp>(createTuneCudaKernels(tune));
    if (mlir::failed(pm.run(*module)))
      error = "cannot be tuned";
  }

  mt::KernelOp kernel() { return *program.getBody().getOps<mt::KernelOp>().begin(); }
  mt::VariantAttr variant() { return mlir::cast<mt::VariantAttr>(kernel().getVariantsAttr()[0]); }

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mt::ProgramOp program;
  std::string error; ///< empty: ready
};

/// Such a program, emulated.
class EmulatedProgram : public TunedProgram {
public:
  /// `config`, if there is one, takes the place of the chosen one.
  EmulatedProgram(const std::string &body, bool plain = false,
                  const std::string &targetName = "cuda:sm_90a", const std::string &config = "")
      : TunedProgram(body, targetName, plain) {
    if (!error.empty())
      return;
    if (!config.empty() && !setConfig(config)) {
      error = "has no such config";
      return;
    }
    mlir::OwningOpRef<mlir::ModuleOp> emitted = mlir::ModuleOp::create(module->getLoc());
    if (mlir::failed(emitVariant(*emitted, kernel(), variant().getConfig(), "k"))) {
      error = "cannot be emitted";
      return;
    }
    auto emulated = emulator::emulate(*emitted, /*checks=*/true);
    if (!emulated.ok()) {
      error = emulated.status().message();
      return;
    }
    code = std::move(*emulated);
    fd = ::memfd_create("kernels", MFD_CLOEXEC);
    if (::write(fd, code.code.data(), code.code.size()) < 0)
      error = "cannot write";
    handle = ::dlopen(("/proc/self/fd/" + std::to_string(fd)).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      error = ::dlerror();
  }
  ~EmulatedProgram() {
    if (handle)
      ::dlclose(handle);
    if (fd >= 0)
      ::close(fd);
  }

  bool setConfig(const std::string &text) {
    auto config =
        mlir::dyn_cast_or_null<mlir::DictionaryAttr>(mlir::parseAttribute(text, context.get()));
    if (config && !config.contains("bm")) {
      mt::VariantAttr priced =
          priceVariants(kernel(), *resolve(program.getTarget()->str()), config).front();
      if (priced)
        kernel().setVariantsAttr(mlir::ArrayAttr::get(context.get(), {priced}));
      return bool(priced);
    }
    PlainKernel plain(kernel());
    auto contraction = analyseContraction(plain.kernel(), plain.stagedArgument());
    if (!config || mlir::failed(contraction))
      return false;
    auto number = [&](const char *name) { return config.getAs<mlir::IntegerAttr>(name).getInt(); };
    const int64_t tiles = tilesOf(*contraction, number("bm"), number("bn"));
    auto attribute = mt::VariantAttr::get(
        context.get(), config, mlir::DenseI64ArrayAttr::get(context.get(), {tiles}), 0,
        variant().getGranules(), variant().getNs(), variant().getOrigin());
    kernel().setVariantsAttr(mlir::ArrayAttr::get(context.get(), {attribute}));
    return true;
  }

  std::string emitter() {
    return variant().getConfig().getAs<mlir::StringAttr>("emitter").getValue().str();
  }

  /// Runs the kernel, every phase in `parts` ranges of tiles by grids of `blocks` blocks. `written`
  /// says how many of the buffers hold values.
  Status run(std::vector<Buffer> &buffers, int parts, int64_t blocks, uint64_t seed) {
    Buffer scratch(variant().getScratch());
    const size_t arguments = kernel().getArgumentTypes().size();
    for (auto [phase, tiles] : llvm::enumerate(variant().getTiles().asArrayRef()))
      for (int part = parts - 1; part >= 0; --part) {
        const emulator::EmulatedFunction &f = code.functions[phase];
        emulator::Launch launch;
        launch.function = reinterpret_cast<MtcKernelFn>(::dlsym(handle, f.symbol.c_str()));
        launch.blocks = blocks;
        launch.threads = f.threads;
        launch.lo = tiles * part / parts;
        launch.hi = tiles * (part + 1) / parts;
        launch.sharedBytes = f.sharedBytes;
        launch.synchronizes = f.synchronizes;
        for (size_t i = 0; i < buffers.size(); ++i)
          launch.buffers.push_back({buffers[i].data(), int64_t(buffers[i].size()),
                                    i < arguments || phase > 0 || parts > 1});
        launch.buffers.push_back({scratch.data(), int64_t(scratch.size()), phase > 0});
        for (const GpuTensorMap &map : f.tensorMaps) {
          MTC_RETURN_IF_ERROR(check(map));
          launch.tensorMaps.push_back(emulator::tensorMapOf(map));
        }
        launch.seed = seed++;
        MTC_RETURN_IF_ERROR(emulator::run(launch));
      }
    for (Buffer &b : buffers)
      if (!b.guardIntact())
        return internalError("wrote past a buffer");
    return okStatus();
  }

  emulator::EmulatedCode code;
  void *handle = nullptr;
  int fd = -1;
};

} // namespace mtc::cuda::test
