//===- Compile.cpp - from kernels and their variants to one shared object -===//
#include "mtc/Codegen/Host/Compile.h"
#include "mtc/Codegen/Host/KernelSpace.h"

#include "Link.h"
#include "Lower.h"
#include "ObjectCache.h"
#include "Variants.h"
#include "Workers.h"

#include "mtc/Support/Hash.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Config/llvm-config.h"

using namespace mlir;

namespace mtc::host {
namespace {

/// Changes whenever emission does: objects of older revisions are not taken from the cache.
constexpr llvm::StringLiteral codegenRevision = "mtc host codegen 27";

/// Changes whenever the same emitted code is lowered in another way (Lower, MathExpand): times that
/// are kept by what was emitted hold no longer.
constexpr llvm::StringLiteral loweringRevision = "1";

/// One object to make: the first kernel that needs it, and how.
struct Job {
  mt::KernelOp kernel;
  DictionaryAttr config;
  bool optimize = true;
  std::string key, symbol, object;
  std::string failure;
};

std::string printed(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

void setKey(Job &job, const std::string &kernelText, const HostTarget &target) {
  Hasher hasher;
  auto part = [&](std::string_view text) {
    hasher.update(text);
    hasher.update(std::string_view("\0", 1));
  };
  part(codegenRevision);
  part(LLVM_VERSION_STRING);
  part(kernelText);
  part(printed(job.config));
  part(job.optimize ? "optimized" : "safe");
  part(target.cpu);
  for (const std::string &f : target.features)
    part(f);
  part(std::to_string(target.vectorBytes) + "x" + std::to_string(target.vectorRegisters));
  job.key = hasher.finish().hex();
  job.symbol = "k" + job.key.substr(0, 24);
}

/// Whether results are sums of products, of which a number below 2^-126 is no part that counts.
/// Other kernels may compare, divide or take logarithms of such numbers.
bool sumsProducts(mt::KernelOp kernel) {
  return llvm::is_contained(
      {mt::KernelKind::Contraction, mt::KernelKind::Attention, mt::KernelKind::Recurrence},
      kernel.getKind());
}

/// Compiles one kernel in this process.
Outcome compileKernel(const Job &job, const HostTarget &target) {
  mt::KernelOp kernel = job.kernel;
  MLIRContext *context = kernel->getContext();
  std::string message;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (message.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
      message = diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  SmallVector<int64_t> bufferBytes;
  for (Type t : llvm::concat<const Type>(kernel.getArgumentTypes(), kernel.getResultTypes())) {
    auto tensor = cast<RankedTensorType>(t);
    bufferBytes.push_back(tensor.getNumElements() *
                          llvm::divideCeil(tensor.getElementTypeBitWidth(), 8));
  }
  if (failed(emitVariant(*module, kernel, job.config, job.symbol, target)))
    return {false, message.empty() ? "cannot be emitted" : message};
  FailureOr<std::string> object =
      lowerToObject(*module, job.symbol, bufferBytes, target,
                    {.optimize = job.optimize, .flushesDenormals = sumsProducts(kernel)});
  if (failed(object))
    return {false, message.empty() ? "cannot be lowered" : message};
  return {true, std::move(*object)};
}

/// The scratch of plain loops may exceed the variant's; whoever plans memory must know.
LogicalResult raiseScratch(mt::KernelOp kernel, size_t variant) {
  FailureOr<int64_t> needed = plainScratchBytes(kernel);
  if (failed(needed))
    return failure();
  SmallVector<Attribute> variants(kernel.getVariantsAttr().getValue());
  auto old = cast<mt::VariantAttr>(variants[variant]);
  if (*needed <= old.getScratch())
    return success();
  variants[variant] =
      mt::VariantAttr::get(kernel.getContext(), old.getConfig(), old.getTiles(), *needed,
                           old.getGranules(), old.getNs(), old.getOrigin());
  kernel.setVariantsAttr(ArrayAttr::get(kernel.getContext(), variants));
  return success();
}

class Compilation {
public:
  Compilation(mt::ProgramOp program, const HostTarget &target, const CompileOptions &options)
      : program(program), target(target), options(options), cache(options.cacheDir) {}

  StatusOr<CompiledCode> run() {
    MTC_RETURN_IF_ERROR(collect());
    std::vector<size_t> missing;
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (std::optional<std::string> object = cache.find(jobs[i].key)) {
        jobs[i].object = std::move(*object);
        ++result.fromCache;
      } else {
        missing.push_back(i);
      }
    }
    MTC_RETURN_IF_ERROR(compile(missing));
    if (options.leaveOutFailures)
      leaveOut();
    else
      MTC_RETURN_IF_ERROR(fallBack(missing));
    return link();
  }

private:
  /// The jobs, one per distinct key, and which job each variant uses.
  Status collect() {
    llvm::StringMap<size_t> jobOfKey;
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      if (!kernel.getVariantsAttr())
        return internalError("kernel '" + kernel.getSymName().str() +
                             "' has no variants; run mt-tune-kernels first");
      std::string text = canonicalText(kernel);
      auto &uses = jobOfVariant.emplace_back();
      for (Attribute attribute : kernel.getVariantsAttr()) {
        Job job;
        job.kernel = kernel;
        job.config = options.plainLoops ? plainConfig(kernel.getContext())
                                        : cast<mt::VariantAttr>(attribute).getConfig();
        setKey(job, text, target);
        auto [it, isNew] = jobOfKey.try_emplace(job.key, jobs.size());
        if (isNew)
          jobs.push_back(std::move(job));
        uses.push_back(it->second);
      }
      kernels.push_back(kernel);
    }
    if (options.plainLoops)
      for (size_t k = 0; k < kernels.size(); ++k)
        for (size_t v = 0; v < jobOfVariant[k].size(); ++v)
          if (failed(raiseScratch(kernels[k], v)))
            return internalError("kernel '" + kernels[k].getSymName().str() +
                                 "' cannot be emitted");
    return okStatus();
  }

  Status compile(const std::vector<size_t> &which) {
    int workers = options.jobs > 0 ? options.jobs : target.cores;
    MTC_ASSIGN_OR_RETURN(std::vector<Outcome> outcomes,
                         runContained(
                             which.size(), workers, options.limits,
                             [&](size_t i) {
                               Job &job = jobs[which[i]];
                               if (options.beforeKernel)
                                 options.beforeKernel(job.kernel.getSymName());
                               return compileKernel(job, target);
                             },
                             [&](size_t done) {
                               if (options.progress)
                                 options.progress(done, which.size());
                             }));
    for (auto [i, outcome] : llvm::enumerate(outcomes)) {
      Job &job = jobs[which[i]];
      if (outcome.ok) {
        job.object = std::move(outcome.bytes);
        cache.store(job.key, job.object);
        ++result.compiled;
      } else {
        job.failure = outcome.bytes;
      }
    }
    return okStatus();
  }

  /// Plain loops, compiled with few optimizations, for what did not compile.
  Status fallBack(const std::vector<size_t> &tried) {
    std::vector<size_t> again;
    std::vector<std::string> reasons(jobs.size());
    for (size_t i : tried) {
      Job &job = jobs[i];
      if (job.failure.empty())
        continue;
      reasons[i] = std::exchange(job.failure, "");
      std::string text = canonicalText(job.kernel);
      job.config = plainConfig(job.kernel.getContext());
      job.optimize = false;
      setKey(job, text, target);
      again.push_back(i);
    }
    MTC_RETURN_IF_ERROR(compile(again));
    for (size_t i : again) {
      Job &job = jobs[i];
      std::string name = "kernel '" + job.kernel.getSymName().str() + "' ";
      if (!job.failure.empty())
        return internalError(name + reasons[i] + "; by plain loops it " + job.failure);
      result.warnings.push_back(name + reasons[i] + "; it runs as plain loops");
    }
    for (size_t k = 0; k < kernels.size(); ++k)
      for (size_t v = 0; v < jobOfVariant[k].size(); ++v)
        if (llvm::is_contained(again, jobOfVariant[k][v]) && failed(raiseScratch(kernels[k], v)))
          return internalError("kernel '" + kernels[k].getSymName().str() + "' cannot be emitted");
    return okStatus();
  }

  void leaveOut() {
    for (size_t k = 0; k < kernels.size(); ++k)
      for (size_t v = 0; v < jobOfVariant[k].size(); ++v)
        if (Job &job = jobs[jobOfVariant[k][v]]; !job.failure.empty()) {
          result.failures.push_back({k, v, job.failure});
          job.symbol.clear();
        }
  }

  StatusOr<CompiledCode> link() {
    for (const auto &uses : jobOfVariant) {
      auto &names = result.symbols.emplace_back();
      for (size_t j : uses)
        names.push_back(jobs[j].symbol);
    }
    // A fallback may coincide with another kernel's plain loops: one object a symbol.
    llvm::MapVector<llvm::StringRef, std::string *> bySymbol;
    for (Job &job : jobs)
      if (!job.symbol.empty())
        bySymbol.insert({job.symbol, &job.object});
    std::vector<std::string> objects;
    for (auto &[symbol, object] : bySymbol)
      objects.push_back(*object);
    MTC_ASSIGN_OR_RETURN(result.code, linkObjects(objects));
    return std::move(result);
  }

  mt::ProgramOp program;
  const HostTarget &target;
  const CompileOptions &options;
  ObjectCache cache;
  std::vector<mt::KernelOp> kernels;
  std::vector<std::vector<size_t>> jobOfVariant;
  std::vector<Job> jobs;
  CompiledCode result;
};

} // namespace

std::string codeVersion() {
  return "mtc " MTC_VERSION ", " + codegenRevision.str().substr(4) + ", LLVM " LLVM_VERSION_STRING;
}

std::string kernelHash(mt::KernelOp kernel, const HostTarget &target) {
  Hasher hasher;
  auto part = [&](std::string_view text) {
    hasher.update(text);
    hasher.update(std::string_view("\0", 1));
  };
  part(canonicalText(kernel));
  part(target.cpu);
  for (const std::string &feature : target.features)
    part(feature);
  part(std::to_string(target.vectorBytes) + "x" + std::to_string(target.vectorRegisters));
  return hasher.finish().hex();
}

FailureOr<std::string> emissionHash(mt::KernelOp kernel, const HostTarget &target,
                                    DictionaryAttr config) {
  MLIRContext *context = kernel->getContext();
  prepareLowering(*context);
  ScopedDiagnosticHandler handler(context, [](Diagnostic &) { return success(); });
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  if (failed(emitVariant(*module, kernel, config, "k", target)))
    return failure();
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().useLocalScope());
  const std::string lowering = "lowering " + loweringRevision.str() + ", LLVM " +
                               std::to_string(LLVM_VERSION_MAJOR) + ", " + target.cpu + "\n";
  return hashText(lowering + text).hex().substr(0, 16);
}

StatusOr<CompiledCode> compileProgram(mt::ProgramOp program, const HostTarget &target,
                                      const CompileOptions &options) {
  MLIRContext *context = program->getContext();
  prepareLowering(*context);
  // Forked processes have no threads, so MLIR must not count on its pool.
  bool threads = context->isMultithreadingEnabled();
  context->disableMultithreading();
  auto restore = llvm::make_scope_exit([&] { context->enableMultithreading(threads); });
  return Compilation(program, target, options).run();
}

} // namespace mtc::host
