//===- Tune.cpp - tuneSet: rank, compile, hand out, keep ------------------===//
#include "mtc/Pipelines/Tune.h"
#include "TunedTarget.h"
#include "UseTuning.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Pipelines/Phases.h"
#include "mtc/Tuning/Learn.h"
#include "mtc/Tuning/Search.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

using namespace mlir;

namespace mtc {
namespace {

/// Candidates that are compiled together: large enough for all workers, small enough that little is
/// lost when a run is interrupted.
constexpr int64_t kBatchCandidates = 128;

/// A kernel on its way to its records.
struct Searched {
  mt::KernelOp kernel;
  std::string hash;
  double weight = 0; ///< modelled ns times uses
  int64_t uses = 0;
  int64_t configs = 0; ///< of its space and the first
  Config first;
  int64_t candidates = 0;
  bool isKnown = false;
};

/// How often tasks use each kernel.
llvm::DenseMap<Operation *, int64_t> countUses(mt::ProgramOp program) {
  llvm::StringMap<int64_t> uses;
  program->walk([&](mt::TaskOp task) { ++uses[task.getKernel()]; });
  llvm::DenseMap<Operation *, int64_t> result;
  for (auto kernel : program.getBody().getOps<mt::KernelOp>())
    result[kernel] = uses.lookup(kernel.getSymName());
  return result;
}

/// The name of a tensor's type that bundles know.
std::string elementName(mlir::Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

/// An entry that runs one kernel, all of whose operands are the caller's.
Entry entryOf(mt::KernelOp kernel, int32_t index) {
  Entry entry;
  entry.name = kernel.getSymName().str();
  Task task{0, entry.name, index, {}};
  auto add = [&](mlir::Type type, ValueKind kind, std::vector<Tensor> &tensors) {
    auto tensorType = cast<RankedTensorType>(type);
    Tensor tensor;
    tensor.name = fmt::format("{}{}", kind == ValueKind::Input ? "x" : "y", tensors.size());
    tensor.elementType = elementName(tensorType.getElementType());
    tensor.shape = tensorType.getShape().vec();
    tensor.bytes = mt::tensorBytes(tensorType);
    task.values.push_back(int32_t(entry.values.size()));
    entry.values.push_back({kind, tensor.bytes, int32_t(tensors.size())});
    tensors.push_back(std::move(tensor));
  };
  for (mlir::Type type : kernel.getArgumentTypes())
    add(type, ValueKind::Input, entry.inputs);
  for (mlir::Type type : kernel.getResultTypes())
    add(type, ValueKind::Output, entry.outputs);
  entry.tasks.push_back(std::move(task));
  return entry;
}

/// Of the devices that have times of kernels of a GPU the only one, or "".
std::string theOnlyGpu(const TuningRecords &records) {
  std::set<std::string> kernels, devices;
  for (const KernelRecord &record : records.kernels)
    if (record.features.contains("units_per_granule"))
      kernels.insert(record.kernel);
  for (const TimeRecord &record : records.times)
    if (kernels.contains(record.key.kernel))
      devices.insert(record.key.device);
  return devices.size() == 1 ? *devices.begin() : "";
}

class Tuning {
public:
  Tuning(const TuneOptions &options, const Log &log, TargetCompilation &compilation,
         const TunedTarget &target)
      : options(options), log(log), host(std::get_if<host::HostTarget>(&compilation.target)),
        target(target), program(*compilation.module->getOps<mt::ProgramOp>().begin()),
        learned(LearnedRanking::train(options.known,
                                      host ? options.device : theOnlyGpu(options.known))) {}

  StatusOr<TuneReport> run() {
    MTC_RETURN_IF_ERROR(search());
    if (options.ship)
      ship();
    return std::move(report);
  }

private:
  Status search() {
    const auto start = std::chrono::steady_clock::now();
    report.target = target.name();
    collect();
    if (!options.pack.empty()) {
      std::vector<Searched *> all;
      for (Searched &kernel : kernels)
        if (kernel.candidates > 0 && !kernel.isKnown)
          all.push_back(&kernel);
      if (!all.empty())
        MTC_RETURN_IF_ERROR(writeCandidates(all, options.pack).status());
      return okStatus();
    }
    if (!host) // `mtrt tune-run` measures where the GPU is
      return okStatus();
    const int64_t total = std::accumulate(
        kernels.begin(), kernels.end(), int64_t(0),
        [](int64_t sum, const Searched &k) { return sum + (k.isKnown ? 0 : k.candidates); });
    for (size_t next = 0; next < kernels.size();) {
      std::vector<Searched *> batch;
      int64_t candidates = 0;
      for (; next < kernels.size() && candidates < kBatchCandidates; ++next)
        if (Searched &kernel = kernels[next]; !kernel.isKnown && kernel.candidates > 0) {
          batch.push_back(&kernel);
          candidates += kernel.candidates;
        }
      if (batch.empty())
        break;
      const auto elapsed = std::chrono::steady_clock::now() - start;
      if (options.budgetNs > 0 && elapsed >= std::chrono::nanoseconds(options.budgetNs)) {
        report.isComplete = false;
        break;
      }
      MTC_RETURN_IF_ERROR(tune(batch));
      if (log.progress)
        log.progress("tuning candidates", report.candidates, total);
    }
    return okStatus();
  }

  /// The records that are worth shipping, of all that is known now.
  void ship() {
    llvm::StringMap<std::map<TimeKey, TimeRecord>> timesOf;
    for (const TuningRecords *records :
         std::initializer_list<const TuningRecords *>{&options.known, &measured})
      for (const TimeRecord &record : records->times) {
        if (record.key.device != options.device)
          continue;
        auto [at, isNew] = timesOf[record.key.kernel].try_emplace(record.key, record);
        if (!isNew && isBetter(record, at->second))
          at->second = record;
      }
    for (Searched &kernel : kernels) {
      std::vector<TimeRecord> times;
      for (const auto &[key, record] : timesOf[kernel.hash])
        times.push_back(record);
      if (!times.empty() && host)
        report.toShip.append(recordsToShip(kernel.kernel, *host, times));
    }
  }

  /// The kernels of the program, the most expensive first, with their candidates counted.
  void collect() {
    auto uses = countUses(program);
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      Searched searched;
      searched.kernel = kernel;
      searched.hash = target.kernelHash(kernel);
      searched.uses = uses.lookup(kernel);
      auto variant = cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]);
      searched.weight = double(variant.getNs()[0]) * double(std::max<int64_t>(1, searched.uses));
      if (FailureOr<Config> first = target.configOf(variant); succeeded(first)) {
        searched.first = *first;
        const std::vector<Config> space = target.configSpace(kernel);
        searched.configs = int64_t(space.size()) + !llvm::is_contained(space, *first);
      }
      kernels.push_back(std::move(searched));
    }
    std::stable_sort(kernels.begin(), kernels.end(), [](const Searched &a, const Searched &b) {
      return std::tie(b.weight, a.hash) < std::tie(a.weight, b.hash);
    });
    std::vector<double> weights;
    std::vector<int64_t> limits;
    for (const Searched &kernel : kernels) {
      const int64_t configs = kernel.configs;
      weights.push_back(kernel.weight);
      // A kernel with one config is measured, too: the schedule needs its time.
      limits.push_back(kernel.first.emitter.empty() ? 0 : std::min(configs, options.kernelSteps));
      report.searchable += configs > 1;
    }
    report.kernels = int64_t(kernels.size());
    const int64_t steps = options.steps > 0 ? options.steps : 12 * report.searchable;
    const std::vector<int64_t> split = splitSteps(steps, weights, limits);
    const std::set<std::string> devices = devicesMeant();
    for (auto [kernel, candidates] : llvm::zip(kernels, split)) {
      kernel.candidates = candidates;
      kernel.isKnown = !devices.empty() && llvm::all_of(devices, [&](const std::string &device) {
        return llvm::any_of(options.known.searches, [&](const SearchRecord &record) {
          return record.kernel == kernel.hash && record.device == device &&
                 record.seed == options.seed && record.candidates >= kernel.candidates;
        });
      });
      report.known += kernel.isKnown && candidates > 0;
      report.rows.push_back(
          {kernel.hash, kernel.kernel.getSymName().str(), printConfig(kernel.first), kernel.uses});
    }
  }

  /// Where a kernel must have been searched to be known: on this CPU, or on all GPUs that have
  /// searched one of the set's.
  std::set<std::string> devicesMeant() const {
    if (host)
      return {options.device};
    std::set<std::string> devices;
    for (const SearchRecord &record : options.known.searches)
      if (llvm::any_of(kernels, [&](const Searched &k) { return k.hash == record.kernel; }))
        devices.insert(record.device);
    return devices;
  }

  std::vector<Config> candidatesOf(const Searched &kernel) {
    const KernelFeatureMap features = target.kernelFeatures(kernel.kernel);
    const bool isLearned = learned.knows(features);
    const RankConfig modelled = target.rank(kernel.kernel);
    return chooseCandidates(
        target.configSpace(kernel.kernel), kernel.first, kernel.candidates, target.granules(),
        uint64_t(options.seed),
        [&](const Config &config, int32_t granules) {
          return isLearned ? learned.cost(features, config, granules) : modelled(config, granules);
        },
        options.drawnPercent);
  }

  /// A copy of a kernel whose variants are its candidates.
  Status addKernel(const Searched &kernel, mt::ProgramOp to) {
    OpBuilder b = OpBuilder::atBlockEnd(&to.getBody().front());
    mt::KernelOp original = kernel.kernel;
    auto copy = cast<mt::KernelOp>(b.clone(*original));
    auto priced = cast<mt::VariantAttr>(original.getVariantsAttr()[0]);
    SmallVector<Attribute> variants;
    for (const Config &config : candidatesOf(kernel)) {
      FailureOr<mt::VariantAttr> variant = target.variantOf(
          copy, config, priced.getGranules().asArrayRef(), priced.getNs().asArrayRef(), "modelled");
      if (failed(variant))
        return internalError(fmt::format("kernel '{}' has no variant '{}'", copy.getSymName().str(),
                                         printConfig(config)));
      variants.push_back(*variant);
    }
    copy.setVariantsAttr(b.getArrayAttr(variants));
    return okStatus();
  }

  /// Compiles the candidates of `batch` into a bundle at `path`; returns what failed.
  StatusOr<TuningRecords> writeCandidates(const std::vector<Searched *> &batch,
                                          const std::string &path) {
    MLIRContext *context = program->getContext();
    OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
    OpBuilder b = OpBuilder::atBlockEnd(module->getBody());
    auto subset = mt::ProgramOp::create(b, b.getUnknownLoc(), "candidates");
    subset.setTarget(target.name());
    mt::setDevice(subset, mt::deviceOf(program));
    for (const Searched *kernel : batch)
      MTC_RETURN_IF_ERROR(addKernel(*kernel, subset));

    MTC_ASSIGN_OR_RETURN(CandidateCode code, target.compile(subset, options.compile));
    TuningRecords failed;
    for (const host::FailedVariant &failure : code.failures) {
      TimeRecord record;
      record.key = {batch[failure.kernel]->hash,
                    printConfig(candidatesOf(*batch[failure.kernel])[failure.variant]), 1, "none",
                    options.device};
      record.failure = failure.reason;
      failed.times.push_back(std::move(record));
    }
    report.failures += int64_t(code.failures.size());

    // What has no code is no variant of the bundle.
    SmallVector<mt::KernelOp> ops(subset.getBody().getOps<mt::KernelOp>());
    for (auto [k, op] : llvm::enumerate(ops)) {
      SmallVector<Attribute> kept;
      for (auto [v, variant] : llvm::enumerate(op.getVariantsAttr()))
        if (!code.symbols[k][v].empty())
          kept.push_back(variant);
      llvm::erase(code.symbols[k], "");
      if (kept.empty()) // its search ends with nothing
        code.symbols[k].push_back("");
      else
        op.setVariantsAttr(b.getArrayAttr(kept));
      report.candidates += int64_t(kept.size());
    }
    Candidates text = describeKernels(ops, target);
    text.seed = options.seed;
    for (auto [candidate, kernel] : llvm::zip(text.kernels, batch)) {
      candidate.searched = kernel->candidates;
      text.features.push_back({kernel->hash, target.kernelFeatures(kernel->kernel)});
    }
    std::string kernelText;
    if (!host) // for the emulator
      llvm::raw_string_ostream(kernelText) << *module << "\n";
    MTC_RETURN_IF_ERROR(
        write(ops, std::move(code), printCandidates(text), std::move(kernelText), path));
    report.searched += int64_t(batch.size());
    return failed;
  }

  Status write(llvm::ArrayRef<mt::KernelOp> ops, CandidateCode code, std::string text,
               std::string kernelText, const std::string &path) {
    Contents contents;
    contents.compilerVersion = compilerVersion();
    contents.compileCommand = "mtc tune --pack";
    contents.texts.push_back({kTuningTextName, std::move(text)});
    if (!kernelText.empty())
      contents.texts.push_back({"kernels", std::move(kernelText)});
    TargetProgram &data = contents.targets.emplace_back();
    data.target = target.name();
    data.features = target.features();
    data.code = std::move(code.bytes);
    data.symbols = std::move(code.symbols);
    data.problem.device = mt::deviceOf(program);
    data.problem.tenants.emplace_back().name = "candidates";
    for (auto [index, op] : llvm::enumerate(ops)) {
      MTC_ASSIGN_OR_RETURN(Kernel kernel, mt::exportKernel(op));
      data.problem.kernels.push_back(std::move(kernel));
      data.problem.entries.push_back(entryOf(op, int32_t(index)));
    }
    if (Status status = check(data.problem); !status.ok())
      return internalError(status.message());
    return writeBundle(path, contents);
  }

  Status tune(const std::vector<Searched *> &batch) {
    const std::string path =
        (std::filesystem::temp_directory_path() / fmt::format("mtc-tune-{}.mtb", getpid()))
            .string();
    StatusOr<TuningRecords> failed = writeCandidates(batch, path);
    StatusOr<std::string> lines = failed.ok() ? options.measure(path) : failed.status();
    unlink(path.c_str());
    MTC_RETURN_IF_ERROR(lines.status());
    MTC_ASSIGN_OR_RETURN(TuningRecords records,
                         parseRecords(*lines, tuningVersion(), "what was measured"));
    records.append(std::move(*failed));
    measured.append(records);
    return options.keep(records);
  }

  const TuneOptions &options;
  const Log &log;
  const host::HostTarget *host; ///< null: a GPU's
  const TunedTarget &target;
  mt::ProgramOp program;
  LearnedRanking learned; ///< from what was known at the start: it ranks what is new
  std::vector<Searched> kernels;
  TuningRecords measured; ///< now
  TuneReport report;
};

} // namespace

StatusOr<TuneReport> tuneSet(const TuneOptions &options, const Log &log) {
  MTC_ASSIGN_OR_RETURN(SetSpec set, makeSet(options.compile.set));
  MTC_ASSIGN_OR_RETURN(std::unique_ptr<Compilation> compilation,
                       Compilation::create(std::move(set)));
  for (auto phase : {buildModel, formTasks, tuneKernels})
    MTC_RETURN_IF_ERROR(phase(*compilation, options.compile));
  if (compilation->targets.size() != 1)
    return invalidInput("a set is tuned for one target at a time; name it by --target");
  TargetCompilation &found = compilation->targets.front();
  const std::unique_ptr<TunedTarget> target = tunedTarget(found.target);
  return Tuning(options, log, found, *target).run();
}

} // namespace mtc
