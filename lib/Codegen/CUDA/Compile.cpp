//===- Compile.cpp - from kernels and their variants to PTX and cubins ----===//
#include "mtc/Codegen/CUDA/Compile.h"
#include "mtc/Codegen/CUDA/KernelSpace.h"

#include "../Host/ObjectCache.h"
#include "../Host/Workers.h"
#include "Assemble.h"
#include "CheckTasks.h"
#include "Lower.h"
#include "ThreadEmitter.h"
#include "Variants.h"

#include "mtc/Support/Cores.h"
#include "mtc/Support/Hash.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Config/llvm-config.h"

using namespace mlir;

namespace mtc::cuda {
namespace {

/// Changes whenever emission does: modules of older revisions are not taken from the cache.
constexpr llvm::StringLiteral codegenRevision = "mtc cuda codegen 13";

/// One module to make: the first kernel that needs it, and how.
struct Job {
  mt::KernelOp kernel;
  DictionaryAttr config;
  int32_t members = 1; ///< of a launch at most
  std::string key, symbol;
  GpuModule module;
  std::string failure;
};

DictionaryAttr withoutResources(DictionaryAttr config) {
  NamedAttrList entries(config);
  entries.erase(resourcesKey);
  return entries.getDictionary(config.getContext());
}

/// Compiles one variant in this process.
StatusOr<GpuModule> compileVariant(const Job &job, const CudaTarget &target,
                                   const std::string &ptxas) {
  mt::KernelOp kernel = job.kernel;
  std::string message;
  ScopedDiagnosticHandler handler(kernel->getContext(), [&](Diagnostic &diagnostic) {
    if (message.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
      message = diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  if (failed(emitVariant(*module, kernel, job.config, job.symbol)))
    return internalError(message.empty() ? "cannot be emitted" : message);
  GpuModule result;
  result.symbol = job.symbol;
  for (auto body : module->getOps<func::FuncOp>()) {
    GpuFunction &f = result.phases.emplace_back();
    StringRef name = body.getSymName();
    name.consume_back(".body");
    f.name = name.str();
    f.threads = static_cast<int32_t>(body->getAttrOfType<IntegerAttr>(threadsAttribute).getInt());
    f.sharedBytes = static_cast<int32_t>(layOutShared(body).bytes);
    const SmallVector<GpuTensorMap> maps = tensorMapsOf(body);
    f.tensorMaps.assign(maps.begin(), maps.end());
    f.mostMembers = job.members;
  }
  FailureOr<std::string> ptx = lowerToPtx(*module, target, job.members);
  if (failed(ptx))
    return internalError(message.empty() ? "cannot be lowered" : message);
  result.ptx = std::move(*ptx);
  if (!ptxas.empty()) {
    MTC_ASSIGN_OR_RETURN(Assembled assembled, assemble(ptxas, result.ptx, target.gpu.architecture));
    result.cubin.assign(assembled.cubin.begin(), assembled.cubin.end());
    for (GpuFunction &f : result.phases)
      for (const Resources &r : assembled.functions)
        if (r.function == f.name || (f.mostMembers > 1 && r.function == f.membersName())) {
          f.registers = std::max(f.registers, r.registers);
          if (f.dynamicSharedBytes() == 0) // of what is asked for at the launch ptxas knows nothing
            f.sharedBytes = r.sharedBytes;
          f.spillBytes = std::max(f.spillBytes, r.spillBytes);
        }
  }
  for (GpuFunction &f : result.phases)
    f.blocksPerUnit = residentBlocks({f.threads, f.registers, f.sharedBytes}, target.gpu);
  if (const int64_t blocks = blocksOf(job.config))
    for (GpuFunction &f : result.phases)
      f.blocksPerUnit = static_cast<int32_t>(std::min<int64_t>(f.blocksPerUnit, blocks));
  return result;
}

class Compilation {
public:
  Compilation(mt::ProgramOp program, const CudaTarget &target, const CompileOptions &options)
      : program(program), target(target), options(options), cache(options.cacheDir) {}

  StatusOr<CompiledCode> run() {
    MTC_RETURN_IF_ERROR(findAssembler());
    MTC_RETURN_IF_ERROR(collect());
    std::vector<size_t> missing;
    for (size_t i = 0; i < jobs.size(); ++i)
      if (!takeFromCache(jobs[i]))
        missing.push_back(i);
    MTC_RETURN_IF_ERROR(compile(missing));
    if (options.leaveOutFailures) {
      leaveOut();
      return finish();
    }
    MTC_RETURN_IF_ERROR(fallBack(missing));
    MTC_RETURN_IF_ERROR(mendSpills());
    return finish();
  }

private:
  Status findAssembler() {
    if (!options.assemble)
      return okStatus();
    ptxas = findPtxas(options.ptxas);
    if (ptxas.empty()) {
      result.warnings.push_back(
          "no ptxas found: kernels of '" + target.name +
          "' are stored as PTX, which the driver compiles when they are loaded");
      return okStatus();
    }
    MTC_ASSIGN_OR_RETURN(assembler, ptxasVersion(ptxas));
    return okStatus();
  }

  void setKey(Job &job) {
    std::string text = host::canonicalText(job.kernel);
    llvm::raw_string_ostream stream(text);
    stream << '\0' << withoutResources(job.config);
    if (job.members > 1)
      stream << '\0' << job.members << " members";
    Hasher hasher;
    for (std::string_view part :
         {std::string_view(codegenRevision), std::string_view(LLVM_VERSION_STRING),
          std::string_view(text), std::string_view(target.name), std::string_view(assembler)}) {
      hasher.update(part);
      hasher.update(std::string_view("\0", 1));
    }
    job.key = hasher.finish().hex();
    job.symbol = "k" + job.key.substr(0, 24);
  }

  bool takeFromCache(Job &job) {
    std::optional<std::string> bytes = cache.find(job.key);
    return bytes && decode(*bytes, job) && ++result.fromCache;
  }

  static bool decode(const std::string &bytes, Job &job) {
    auto modules = decodeGpuCode({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()});
    if (!modules.ok() || modules->size() != 1)
      return false;
    job.module = std::move(modules->front());
    return true;
  }

  /// The jobs, one per distinct key, and which job each variant uses.
  Status collect() {
    llvm::StringMap<size_t> jobOfKey;
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      if (!kernel.getVariantsAttr())
        return internalError("kernel '" + kernel.getSymName().str() +
                             "' has no variants; run mt-tune-cuda-kernels first");
      auto &uses = jobOfVariant.emplace_back();
      for (Attribute attribute : kernel.getVariantsAttr()) {
        Job job;
        job.kernel = kernel;
        job.config = cast<mt::VariantAttr>(attribute).getConfig();
        job.members = options.mostMembers ? options.mostMembers(kernel.getSymName()) : 1;
        setKey(job);
        auto [it, isNew] = jobOfKey.try_emplace(job.key, jobs.size());
        if (isNew)
          jobs.push_back(std::move(job));
        uses.push_back(it->second);
      }
      kernels.push_back(kernel);
    }
    return okStatus();
  }

  Status compile(const std::vector<size_t> &which) {
    int workers = options.jobs > 0 ? options.jobs : cpuBudget().cores();
    auto work = [&](size_t i) -> host::Outcome {
      Job &job = jobs[which[i]];
      if (options.beforeKernel)
        options.beforeKernel(job.kernel.getSymName());
      StatusOr<GpuModule> module = compileVariant(job, target, ptxas);
      if (!module.ok())
        return {false, module.status().message()};
      std::vector<uint8_t> bytes = encodeGpuCode({*module});
      return {true, std::string(bytes.begin(), bytes.end())};
    };
    auto progress = [&](size_t done) {
      if (options.progress)
        options.progress(done, which.size());
    };
    MTC_ASSIGN_OR_RETURN(std::vector<host::Outcome> outcomes,
                         host::runContained(which.size(), workers, options.limits, work, progress));
    for (auto [i, outcome] : llvm::enumerate(outcomes)) {
      Job &job = jobs[which[i]];
      if (outcome.ok && decode(outcome.bytes, job)) {
        cache.store(job.key, outcome.bytes);
        ++result.compiled;
      } else {
        job.failure = outcome.ok ? "came back damaged" : outcome.bytes;
      }
    }
    return okStatus();
  }

  /// In place of a variant that did not compile stands another one of its kernel: its sums are the
  /// same (rule R3), those of phases may not be.
  void useOthers() {
    for (size_t k = 0; k < kernels.size(); ++k) {
      std::vector<size_t> &uses = jobOfVariant[k];
      auto isMade = [&](size_t job) { return jobs[job].failure.empty(); };
      const auto other = std::find_if(uses.begin(), uses.end(), isMade);
      if (other == uses.end())
        continue;
      SmallVector<Attribute> variants(kernels[k].getVariantsAttr().getValue());
      for (auto [use, variant] : llvm::zip(uses, variants)) {
        if (isMade(use))
          continue;
        result.warnings.push_back("kernel '" + kernels[k].getSymName().str() + "' " +
                                  jobs[use].failure + "; another of its variants takes the place");
        variant = variants[static_cast<size_t>(other - uses.begin())];
        use = *other;
      }
      kernels[k].setVariantsAttr(ArrayAttr::get(program->getContext(), variants));
    }
  }

  bool isUsed(size_t job) const {
    return llvm::any_of(jobOfVariant, [&](const std::vector<size_t> &uses) {
      return llvm::is_contained(uses, job);
    });
  }

  /// Other variants, and where there are none one phase per loop nest, for what did not compile.
  Status fallBack(const std::vector<size_t> &tried) {
    std::vector<size_t> again;
    llvm::StringMap<std::string> hopeless;
    std::vector<std::string> reasons(jobs.size());
    std::vector<Choice> choices(jobs.size());
    useOthers();
    for (size_t i : tried) {
      Job &job = jobs[i];
      if (job.failure.empty() || !isUsed(i))
        continue;
      std::string name = "kernel '" + job.kernel.getSymName().str() + "' ";
      FailureOr<Choice> choice = choosePhases(job.kernel);
      if (failed(choice) || choice->config == withoutResources(job.config)) {
        hopeless[job.kernel.getSymName()] = name + job.failure;
        continue;
      }
      reasons[i] = name + std::exchange(job.failure, "");
      job.config = choice->config;
      choices[i] = *choice;
      setKey(job);
      again.push_back(i);
    }
    MTC_RETURN_IF_ERROR(compile(again));
    for (size_t i : again) {
      if (!jobs[i].failure.empty()) {
        hopeless[jobs[i].kernel.getSymName()] =
            reasons[i] + "; with a phase per loop nest it " + jobs[i].failure;
        continue;
      }
      result.warnings.push_back(reasons[i] + "; it runs with a phase per loop nest");
      for (size_t k = 0; k < kernels.size(); ++k)
        for (size_t v = 0; v < jobOfVariant[k].size(); ++v)
          if (jobOfVariant[k][v] == i)
            replaceVariant(kernels[k], v, choices[i].config, choices[i].tiles,
                           choices[i].scratchBytes);
    }
    if (!hopeless.empty()) {
      std::string lines = listTasks(program, hopeless);
      if (lines.empty()) // kernels that no task uses
        for (mt::KernelOp kernel : kernels)
          if (auto reason = hopeless.find(kernel.getSymName()); reason != hopeless.end())
            lines += "\n  " + reason->second;
      return internalError("these tasks cannot be compiled for '" + target.name + "':" + lines);
    }
    return okStatus();
  }

  static int64_t spillBytes(const Job &job) {
    int64_t bytes = 0;
    for (const GpuFunction &f : job.module.phases)
      bytes += f.spillBytes;
    return bytes;
  }

  /// What did not compile, or spills registers, gets no symbol.
  void leaveOut() {
    for (Job &job : jobs) {
      if (job.failure.empty() && spillBytes(job) > 0)
        job.failure = "spills " + std::to_string(spillBytes(job)) + " bytes of registers";
      if (!job.failure.empty())
        job.symbol.clear();
    }
    for (size_t k = 0; k < kernels.size(); ++k)
      for (size_t v = 0; v < jobOfVariant[k].size(); ++v)
        if (const Job &job = jobs[jobOfVariant[k][v]]; !job.failure.empty())
          result.failures.push_back({k, v, job.failure});
  }

  /// What spills registers gets a tile that needs fewer, if that spills less.
  Status mendSpills() {
    for (size_t next = 0; next < jobs.size();) {
      const size_t first = jobs.size();
      std::vector<size_t> missing, of;
      std::vector<Choice> choices;
      for (; next < first; ++next) {
        FailureOr<Choice> choice = failure();
        if (spillBytes(jobs[next]) > 0)
          choice = smallerConfig(jobs[next].kernel, withoutResources(jobs[next].config));
        if (failed(choice))
          continue;
        Job smaller;
        smaller.kernel = jobs[next].kernel;
        smaller.config = choice->config;
        smaller.members = jobs[next].members;
        setKey(smaller);
        if (!takeFromCache(smaller))
          missing.push_back(jobs.size());
        jobs.push_back(std::move(smaller));
        of.push_back(next);
        choices.push_back(std::move(*choice));
      }
      MTC_RETURN_IF_ERROR(compile(missing));
      for (size_t i = first; i < jobs.size(); ++i) {
        if (!jobs[i].failure.empty() || spillBytes(jobs[i]) >= spillBytes(jobs[of[i - first]])) {
          jobs[i].module.phases.clear(); // nobody asks for a still smaller one
          continue;
        }
        const Choice &choice = choices[i - first];
        for (size_t k = 0; k < kernels.size(); ++k)
          for (size_t v = 0; v < jobOfVariant[k].size(); ++v)
            if (jobOfVariant[k][v] == of[i - first]) {
              jobOfVariant[k][v] = i;
              replaceVariant(kernels[k], v, choice.config, choice.tiles, choice.scratchBytes);
            }
      }
    }
    return okStatus();
  }

  static void replaceVariant(mt::KernelOp kernel, size_t v, DictionaryAttr config,
                             ArrayRef<int64_t> tiles, int64_t scratch) {
    MLIRContext *context = kernel.getContext();
    SmallVector<Attribute> variants(kernel.getVariantsAttr().getValue());
    auto old = cast<mt::VariantAttr>(variants[v]);
    variants[v] = mt::VariantAttr::get(context, config, DenseI64ArrayAttr::get(context, tiles),
                                       scratch, old.getGranules(), old.getNs(), old.getOrigin());
    kernel.setVariantsAttr(ArrayAttr::get(context, variants));
  }

  /// The largest numbers of a module's functions, as part of the config.
  static DictionaryAttr withResources(DictionaryAttr config, const GpuModule &module) {
    GpuFunction most = module.phases.front();
    for (const GpuFunction &f : module.phases) {
      most.registers = std::max(most.registers, f.registers);
      most.sharedBytes = std::max(most.sharedBytes, f.sharedBytes);
      most.spillBytes = std::max(most.spillBytes, f.spillBytes);
      most.blocksPerUnit = std::min(most.blocksPerUnit, f.blocksPerUnit);
    }
    Builder b(config.getContext());
    NamedAttrList entries(withoutResources(config));
    entries.set(
        resourcesKey,
        b.getDictionaryAttr({b.getNamedAttr("registers", b.getI64IntegerAttr(most.registers)),
                             b.getNamedAttr("shared", b.getI64IntegerAttr(most.sharedBytes)),
                             b.getNamedAttr("spills", b.getI64IntegerAttr(most.spillBytes)),
                             b.getNamedAttr("blocks", b.getI64IntegerAttr(most.blocksPerUnit))}));
    return entries.getDictionary(config.getContext());
  }

  StatusOr<CompiledCode> finish() {
    for (size_t k = 0; k < kernels.size(); ++k) {
      auto &names = result.symbols.emplace_back();
      for (size_t v = 0; v < jobOfVariant[k].size(); ++v) {
        const Job &job = jobs[jobOfVariant[k][v]];
        names.push_back(job.symbol);
        if (job.symbol.empty())
          continue;
        auto old = cast<mt::VariantAttr>(kernels[k].getVariantsAttr()[v]);
        if (!ptxas.empty())
          replaceVariant(kernels[k], v, withResources(old.getConfig(), job.module), old.getTiles(),
                         old.getScratch());
      }
    }
    // A fallback or a smaller tile may coincide with another kernel's: one module a symbol.
    llvm::StringSet<> seen;
    for (const std::vector<size_t> &uses : jobOfVariant)
      for (size_t use : uses)
        if (!jobs[use].symbol.empty() && seen.insert(jobs[use].symbol).second)
          result.modules.push_back(std::move(jobs[use].module));
    return std::move(result);
  }

  mt::ProgramOp program;
  const CudaTarget &target;
  const CompileOptions &options;
  host::ObjectCache cache;
  std::string ptxas, assembler;
  std::vector<mt::KernelOp> kernels;
  std::vector<std::vector<size_t>> jobOfVariant;
  std::vector<Job> jobs;
  CompiledCode result;
};

} // namespace

std::string codeVersion() { return codegenRevision.str().substr(4); }

std::string kernelHash(mt::KernelOp kernel, const CudaTarget &target) {
  Hasher hasher;
  for (const std::string &part :
       {host::canonicalText(kernel), std::string(target.gpu.architecture)}) {
    hasher.update(std::string_view(part));
    hasher.update(std::string_view("\0", 1));
  }
  return hasher.finish().hex();
}

StatusOr<CompiledCode> compileProgram(mt::ProgramOp program, const CudaTarget &target,
                                      const CompileOptions &options) {
  MLIRContext *context = program->getContext();
  prepareLowering(*context);
  // Forked processes have no threads, so MLIR must not count on its pool.
  bool threads = context->isMultithreadingEnabled();
  context->disableMultithreading();
  llvm::scope_exit restore([&] { context->enableMultithreading(threads); });
  return Compilation(program, target, options).run();
}

} // namespace mtc::cuda
