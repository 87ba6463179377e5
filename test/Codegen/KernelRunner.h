//===- KernelRunner.h - compile kernels given as text and call them -------===//
#pragma once

#include "mtc/Codegen/Host/Compile.h"
#include "mtc/Codegen/Host/Passes.h"
#include "mtc/Dialect/MT/IR/Register.h"
#include "mtc/Runtime/KernelABI.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <random>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace mtc::host::test {

/// 64-byte aligned bytes with guards behind them, so that a kernel that writes too far is noticed.
class Buffer {
public:
  explicit Buffer(size_t bytes) : bytes(bytes), storage(bytes + 192) {
    std::memset(storage.data(), 0xA5, storage.size());
  }
  void *data() {
    auto p = reinterpret_cast<uintptr_t>(storage.data());
    return reinterpret_cast<void *>((p + 63) / 64 * 64);
  }
  template <typename T> T *as() { return static_cast<T *>(data()); }
  size_t size() const { return bytes; }
  bool guardIntact() {
    auto *p = static_cast<unsigned char *>(data()) + bytes;
    for (int i = 0; i < 64; ++i)
      if (p[i] != 0xA5)
        return false;
    return true;
  }

private:
  size_t bytes;
  std::vector<unsigned char> storage;
};

/// Uniform in [-1, 1), the same everywhere.
inline void fill(Buffer &buffer, unsigned seed) {
  std::mt19937 random(seed);
  for (size_t i = 0; i < buffer.size() / 4; ++i)
    buffer.as<float>()[i] = static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f;
}

/// The same as f16 or bf16.
inline void fill(Buffer &buffer, mlir::Type element, unsigned seed) {
  if (!element.isF16() && !element.isBF16())
    return fill(buffer, seed);
  std::mt19937 random(seed);
  for (size_t i = 0; i < buffer.size() / 2; ++i) {
    float x = static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f;
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (element.isF16())
      buffer.as<_Float16>()[i] = static_cast<_Float16>(x);
    else
      buffer.as<uint16_t>()[i] = static_cast<uint16_t>(bits >> 16);
  }
}

/// A program given as text (the inside of mt.program), tuned, compiled and loaded.
class Program {
public:
  Program(const std::string &body, const std::string &target = "host:x86-64-v4,cores=2",
          bool plain = false, CompileOptions options = {},
          std::unique_ptr<mlir::Pass> before = nullptr) {
    mlir::DialectRegistry registry;
    registerMtcDialects(registry);
    context = std::make_unique<mlir::MLIRContext>(registry, mlir::MLIRContext::Threading::DISABLED);
    // An empty target: `body` is a whole module with a target of its own.
    std::string text =
        target.empty() ? body : "mt.program @p target(\"" + target + "\") {\n" + body + "\n}";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, context.get());
    if (!module) {
      error = "does not parse";
      return;
    }
    program = *module->getOps<mt::ProgramOp>().begin();
    mlir::PassManager pm(context.get());
    if (before)
      pm.addNestedPass<mt::ProgramOp>(std::move(before));
    TuneKernelsOptions tune;
    tune.plain = plain;
    pm.addNestedPass<mt::ProgramOp>(createTuneKernels(tune));
    if (mlir::failed(pm.run(*module))) {
      error = "cannot be tuned";
      return;
    }
    compileOptions = std::move(options);
    recompile();
  }
  ~Program() { unload(); }

  /// Compiles and loads the variants that the kernels have now.
  void recompile() {
    unload();
    auto resolved = resolve(program.getTarget().value_or("host").str());
    if (!resolved.ok()) {
      error = resolved.status().message();
      return;
    }
    auto compiled = compileProgram(program, *resolved, compileOptions);
    if (!compiled.ok()) {
      error = compiled.status().message();
      return;
    }
    code = std::move(*compiled);
    // Open as long as the code is loaded: dlopen takes two objects of one path for the same.
    fd = ::memfd_create("kernels", MFD_CLOEXEC);
    if (::write(fd, code.code.data(), code.code.size()) < 0)
      error = "cannot write";
    handle = ::dlopen(("/proc/self/fd/" + std::to_string(fd)).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      error = ::dlerror();
  }

  mt::KernelOp kernel(size_t k) {
    return *std::next(program.getBody().getOps<mt::KernelOp>().begin(), k);
  }
  mt::VariantAttr variant(size_t k) {
    return mlir::cast<mt::VariantAttr>(kernel(k).getVariantsAttr()[0]);
  }
  std::string emitter(size_t k) {
    return variant(k).getConfig().getAs<mlir::StringAttr>("emitter").getValue().str();
  }
  MtcKernelFn function(size_t k) {
    return reinterpret_cast<MtcKernelFn>(::dlsym(handle, code.symbols[k][0].c_str()));
  }

  /// Buffers for kernel `k`: arguments filled, results untouched.
  std::vector<Buffer> buffers(size_t k) {
    std::vector<Buffer> all;
    auto bytes = [](mlir::Type t) {
      auto tensor = mlir::cast<mlir::RankedTensorType>(t);
      return tensor.getNumElements() * ((tensor.getElementTypeBitWidth() + 7) / 8);
    };
    for (mlir::Type t : kernel(k).getArgumentTypes()) {
      all.emplace_back(bytes(t));
      fill(all.back(), mlir::getElementTypeOrSelf(t), 17 + all.size());
    }
    for (mlir::Type t : kernel(k).getResultTypes())
      all.emplace_back(bytes(t));
    return all;
  }

  /// Runs kernel `k`; its tiles are cut into `parts` ranges, which run last to first when
  /// `backwards`.
  int run(size_t k, std::vector<Buffer> &buffers, int parts = 1, bool backwards = false) {
    std::vector<void *> pointers;
    for (Buffer &b : buffers)
      pointers.push_back(b.data());
    Buffer scratch(variant(k).getScratch());
    MtcKernelFn fn = function(k);
    for (auto [phase, tiles] : llvm::enumerate(variant(k).getTiles().asArrayRef()))
      for (int i = 0; i < parts; ++i) {
        int64_t part = backwards ? parts - 1 - i : i;
        MtcKernelArgs args{static_cast<int64_t>(phase),
                           tiles * part / parts,
                           tiles * (part + 1) / parts,
                           0,
                           pointers.data(),
                           scratch.data(),
                           nullptr};
        if (int status = fn(&args))
          return status;
      }
    bool intact = scratch.guardIntact();
    for (Buffer &b : buffers)
      intact &= b.guardIntact();
    return intact ? 0 : -1;
  }

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mt::ProgramOp program;
  CompiledCode code;
  CompileOptions compileOptions;
  std::string error; ///< empty: ready to run
  void *handle = nullptr;
  int fd = -1;

private:
  void unload() {
    if (handle)
      ::dlclose(handle);
    if (fd >= 0)
      ::close(fd);
    handle = nullptr;
    fd = -1;
  }
};

} // namespace mtc::host::test
