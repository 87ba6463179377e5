//===- TunedTarget.cpp - what tuning asks of a code generator -------------===//
#include "TunedTarget.h"

#include "mtc/Bundle/GpuCode.h"
#include "mtc/Codegen/CUDA/Compile.h"
#include "mtc/Codegen/CUDA/KernelSpace.h"
#include "mtc/Codegen/Host/Compile.h"
#include "mtc/Codegen/Host/KernelSpace.h"
#include "mtc/Pipelines/Tune.h"

using namespace mlir;

namespace mtc {
namespace {

template <typename Options> Options candidateOptions(const CompileOptions &options) {
  Options result;
  result.jobs = int(options.jobs);
  result.cacheDir = options.cacheFolder;
  result.limits = {options.kernelMib, options.kernelSeconds};
  result.leaveOutFailures = true;
  return result;
}

class TunedHost : public TunedTarget {
public:
  explicit TunedHost(const host::HostTarget &target)
      : target(target), core(host::coreShape(target)) {}

  std::string name() const override { return target.name; }
  int32_t granules() const override { return target.cores; }
  std::vector<std::string> features() const override { return target.required; }
  std::string kernelHash(mt::KernelOp kernel) const override {
    return host::kernelHash(kernel, target);
  }
  KernelFeatureMap kernelFeatures(mt::KernelOp kernel) const override {
    return host::kernelFeatures(kernel, target);
  }
  FailureOr<Config> configOf(mt::VariantAttr variant) const override {
    return host::configOf(variant.getConfig());
  }
  std::vector<Config> configSpace(mt::KernelOp kernel) const override {
    const KernelShape shape = host::kernelShape(kernel, target);
    return check(shape, core).ok() ? mtc::configSpace(shape, core) : std::vector<Config>();
  }
  RankConfig rank(mt::KernelOp kernel) const override {
    return [shape = host::kernelShape(kernel, target), core = core](const Config &config,
                                                                    int32_t granules) {
      return modelledCycles(shape, core, config, granules);
    };
  }
  FailureOr<mt::VariantAttr> variantOf(mt::KernelOp kernel, const Config &config,
                                       ArrayRef<int64_t> granules, ArrayRef<int64_t> ns,
                                       StringRef origin) const override {
    return host::variantOf(kernel, target, host::configAttr(kernel.getContext(), config), granules,
                           ns, origin);
  }
  std::function<bool(const std::string &)> isUsable(mt::KernelOp kernel) const override {
    return [shape = host::kernelShape(kernel, target), core = core](const std::string &text) {
      StatusOr<Config> config = parseConfig(text);
      return config.ok() && verify(shape, core, *config).ok();
    };
  }
  StatusOr<CandidateCode> compile(mt::ProgramOp program,
                                  const CompileOptions &options) const override {
    MTC_ASSIGN_OR_RETURN(
        host::CompiledCode code,
        host::compileProgram(program, target, candidateOptions<host::CompileOptions>(options)));
    return CandidateCode{std::move(code.code), std::move(code.symbols), std::move(code.failures)};
  }

private:
  const host::HostTarget target;
  CoreShape core;
};

class TunedGpu : public TunedTarget {
public:
  explicit TunedGpu(const cuda::CudaTarget &target) : target(target) {}

  std::string name() const override { return target.name; }
  int32_t granules() const override { return target.gpu.units / target.gpu.unitsPerGranule; }
  std::vector<std::string> features() const override { return {}; }
  std::string kernelHash(mt::KernelOp kernel) const override {
    return cuda::kernelHash(kernel, target);
  }
  KernelFeatureMap kernelFeatures(mt::KernelOp kernel) const override {
    return cuda::kernelFeatures(kernel, target);
  }
  FailureOr<Config> configOf(mt::VariantAttr variant) const override {
    return cuda::configOf(variant.getConfig());
  }
  std::vector<Config> configSpace(mt::KernelOp kernel) const override {
    return cuda::configSpace(kernel, target);
  }
  RankConfig rank(mt::KernelOp kernel) const override { return cuda::rankConfigs(kernel, target); }
  FailureOr<mt::VariantAttr> variantOf(mt::KernelOp kernel, const Config &config,
                                       ArrayRef<int64_t> granules, ArrayRef<int64_t> ns,
                                       StringRef origin) const override {
    return cuda::variantOf(kernel, target, cuda::configAttr(kernel.getContext(), config), granules,
                           ns, origin);
  }
  std::function<bool(const std::string &)> isUsable(mt::KernelOp kernel) const override {
    return [kernel, this](const std::string &text) {
      StatusOr<Config> config = parseConfig(text);
      return config.ok() && succeeded(variantOf(kernel, *config, {1}, {1}, "measured"));
    };
  }
  StatusOr<CandidateCode> compile(mt::ProgramOp program,
                                  const CompileOptions &options) const override {
    auto gpuOptions = candidateOptions<cuda::CompileOptions>(options);
    gpuOptions.assemble = options.assemble;
    MTC_ASSIGN_OR_RETURN(cuda::CompiledCode code,
                         cuda::compileProgram(program, target, gpuOptions));
    return CandidateCode{encodeGpuCode(code.modules), std::move(code.symbols),
                         std::move(code.failures)};
  }

private:
  const cuda::CudaTarget target;
};

} // namespace

std::unique_ptr<TunedTarget> tunedTarget(const AnyTarget &target) {
  if (const auto *gpu = std::get_if<cuda::CudaTarget>(&target))
    return std::make_unique<TunedGpu>(*gpu);
  return std::make_unique<TunedHost>(std::get<host::HostTarget>(target));
}

std::string tuningVersion() { return host::codeVersion() + ", " + cuda::codeVersion(); }

} // namespace mtc
