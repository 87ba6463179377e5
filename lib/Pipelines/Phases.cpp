//===- Phases.cpp - the phases of the compiler ----------------------------===//
//
// Each phase in terms of what the libraries below offer; no decision is taken here. Passes are
// listed in the order in which they run: lib/Dialect/README.md says what each does and why it
// stands where it does.
//
//===----------------------------------------------------------------------===//
#include "mtc/Pipelines/Phases.h"
#include "Diagnostics.h"
#include "KeepValues.h"
#include "PriceKernels.h"
#include "TunedTarget.h"
#include "UseTuning.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Codegen/CUDA/Compile.h"
#include "mtc/Codegen/CUDA/Passes.h"
#include "mtc/Codegen/Host/Compile.h"
#include "mtc/Codegen/Host/KernelSpace.h"
#include "mtc/Codegen/Host/Passes.h"
#include "mtc/Dialect/MT/IR/Register.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"
#include "mtc/Import/ONNX/Import.h"
#include "mtc/Pipelines/Tune.h"
#include "mtc/Runtime/Cpu.h"
#include "mtc/Scheduling/Mixes.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Target/Bundle/MakeContents.h"
#include "mtc/Tuning/CostModel.h"
#include "mtc/Tuning/Database.h"
#include "mtc/Tuning/GpuModel.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

using namespace mlir;

namespace mtc {

static mt::ProgramOp programOf(ModuleOp module) { return *module.getOps<mt::ProgramOp>().begin(); }

StatusOr<AnyTarget> resolveTarget(const std::string &text) {
  const std::string kind = text.substr(0, text.find(':'));
  if (kind == "cuda") {
    MTC_ASSIGN_OR_RETURN(AnyTarget target, cuda::resolve(text));
    return target;
  }
  if (kind != "host")
    return invalidInput(
        fmt::format("target '{}': unknown kind '{}'; known kinds: host, cuda", text, kind));
  MTC_ASSIGN_OR_RETURN(AnyTarget target, host::resolve(text));
  return target;
}

StatusOr<std::unique_ptr<Compilation>> Compilation::create(SetSpec set) {
  std::unique_ptr<Compilation> compilation(new Compilation());
  for (const std::string &text : set.targets) {
    TargetCompilation target;
    MTC_ASSIGN_OR_RETURN(target.target, resolveTarget(text));
    target.name = std::visit([](const auto &resolved) { return resolved.name; }, target.target);
    for (const TargetCompilation &other : compilation->targets)
      if (other.name == target.name)
        return invalidInput(fmt::format("target '{}' is given twice", target.name));
    compilation->targets.push_back(std::move(target));
  }
  for (const TenantSpec &tenant : set.tenants)
    for (const TargetCompilation &target : compilation->targets)
      if (tenant.precision != "f32" && std::holds_alternative<host::HostTarget>(target.target))
        return invalidInput(
            fmt::format("tenant '{}': precision '{}' is not available on '{}'; known: f32",
                        tenant.name, tenant.precision, target.name));
  compilation->set = std::move(set);
  DialectRegistry registry;
  registerMtcDialects(registry);
  compilation->context.appendDialectRegistry(registry);
  compilation->context.loadAllAvailableDialects();
  return compilation;
}

//===----------------------------------------------------------------------===//
// model
//===----------------------------------------------------------------------===//

/// What the manifest says about a tenant, on its operation.
static void annotateTenant(mt::TenantOp tenant, const TenantSpec &spec) {
  Builder b(tenant.getContext());
  if (spec.sloP99Ns)
    tenant.setSloP99NsAttr(b.getI64IntegerAttr(spec.sloP99Ns));
  if (spec.ratePerSecond > 0) {
    tenant.setRateAttr(b.getF64FloatAttr(spec.ratePerSecond));
    tenant.setArrivalsAttr(b.getStringAttr(spec.arrivals));
  }
  if (spec.priority)
    tenant.setPriorityAttr(b.getI64IntegerAttr(spec.priority));
  tenant.setIsolationAttr(b.getStringAttr(spec.isolation));
  tenant.setPrecisionAttr(b.getStringAttr(spec.precision));
  if (spec.numerics != "strict")
    tenant.setNumericsAttr(b.getStringAttr(spec.numerics));
}

Status buildModel(Compilation &compilation, const CompileOptions &options) {
  OpBuilder b(&compilation.context);
  compilation.model = ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToStart(compilation.model->getBody());
  auto program = mt::ProgramOp::create(b, b.getUnknownLoc(), compilation.set.name);
  ImportLimits limits;
  limits.maxNodes = options.limits.maxNodes;
  limits.maxNesting = int(options.limits.maxNesting);
  limits.maxSubgraphs = options.limits.maxSubgraphs;
  limits.maxRank = int(options.limits.maxRank);
  limits.maxElements = options.limits.maxElements;
  limits.maxFoldedBytes = options.limits.maxFoldedMib << 20;
  limits.maxParsedBytes = options.limits.maxParsedMib << 20;
  limits.maxTrips = options.limits.maxTrips;
  limits.maxUnrolledNodes = options.limits.maxUnrolledNodes;

  // Every model is read before the first error is reported: a user mends all of them at once.
  Status failure;
  for (const TenantSpec &tenant : compilation.set.tenants) {
    MTC_ASSIGN_OR_RETURN(std::vector<EntryBinding> entries, bindEntries(tenant));
    Status status = importModel(program, {tenant.name, tenant.model, std::move(entries)}, limits,
                                compilation.unsupported);
    if (status.ok())
      continue;
    ErrorCode code =
        failure.ok() || failure.code() == ErrorCode::Unsupported ? status.code() : failure.code();
    failure =
        Status(code, failure.ok() ? status.message() : failure.message() + "\n" + status.message());
  }
  MTC_RETURN_IF_ERROR(failure);
  for (mt::TenantOp tenant : program.getOps<mt::TenantOp>())
    for (const TenantSpec &spec : compilation.set.tenants)
      if (tenant.getSymName() == spec.name)
        annotateTenant(tenant, spec);
  return options.keepValues.empty() ? okStatus() : keepValues(program, options.keepValues);
}

//===----------------------------------------------------------------------===//
// tasks, tuned, problem, schedule
//===----------------------------------------------------------------------===//

static Status runPasses(ModuleOp module, const char *phase,
                        llvm::function_ref<void(OpPassManager &)> addPasses) {
  PassManager manager(module.getContext());
  manager.enableVerifier(true);
  addPasses(manager);
  DiagnosticText diagnostics(module.getContext());
  return succeeded(manager.run(module)) ? okStatus()
                                        : diagnostics.toError(std::string("phase ") + phase);
}

/// The passes of the tasks phase. Kernels of a host want narrow and packed weights, minimal
/// filtering and whole attentions; those of a GPU take weights as they are, or staged. Recurrences
/// run step by step there, and where a step has large weights.
static void addTaskPasses(OpPassManager &passes, const AnyTarget &target, bool optimize) {
  const auto *host = std::get_if<host::HostTarget>(&target);
  constexpr int64_t kCodesOfCore = 512 << 10; // half an L2 cache
  if (!host || host->cores > 1)
    passes.addPass(mt::createUnrollRecurrences({.leastCodes = host ? kCodesOfCore : 0}));
  if (optimize) {
    passes.addPass(mt::createNarrowContractions());
    passes.addPass(mt::createFoldWeights());
    passes.addPass(mt::createFoldScales());
    passes.addPass(mt::createPropagateLayout());
    passes.addPass(mt::createFuseElementwise());
    passes.addPass(mt::createGatherOneHots());
    if (host)
      passes.addPass(mt::createNarrowWeights());
  }
  passes.addPass(mt::createFormTasks(mt::FormTasksOptions{optimize}));
  if (host && optimize) {
    const int64_t lanes = host->vectorBytes / 4;
    passes.addPass(mt::createFuseAttention(mt::FuseAttentionOptions{lanes}));
    const double directCost = host->multipliesTiles ? 0.75 : 1;
    passes.addPass(mt::createUseWinograd(mt::UseWinogradOptions{lanes, host->farByte, directCost}));
    if (host->multipliesTiles)
      passes.addPass(mt::createSplitProducts(mt::SplitProductsOptions{host->farByte}));
    passes.addPass(mt::createPackWeights(mt::PackWeightsOptions{lanes}));
    passes.addPass(host::createJoinMoves());
  }
  const auto *gpu = std::get_if<cuda::CudaTarget>(&target);
  if (gpu && optimize) {
    passes.addPass(cuda::createChooseCudaPrecision());
    passes.addPass(cuda::createNarrowCudaValues());
  }
  if (gpu && gpu->staged && optimize)
    passes.addPass(cuda::createStageCudaWeights());
  passes.addPass(mt::createShareKernels());
  passes.addPass(mt::createShareWeights());
}

/// The numbers that policies and cost models use.
static StatusOr<Device> deviceFor(const TargetCompilation &target,
                                  const std::optional<HostModel> &measured) {
  if (const auto *gpu = std::get_if<cuda::CudaTarget>(&target.target)) {
    Device device = gpuDevice(gpu->gpu, GpuPrecision::F32);
    device.target = target.name;
    return device;
  }
  const auto &host = std::get<host::HostTarget>(target.target);
  MTC_ASSIGN_OR_RETURN(HostRow row, hostRow(host.cpu));
  Device device = hostDevice(target.name, row, host.cores);
  if (measured)
    useHostModel(*measured, device);
  return device;
}

Status formTasks(Compilation &compilation, const CompileOptions &options) {
  MTC_ASSIGN_OR_RETURN(const std::optional<HostModel> measured, readHostModel(options.calibration));
  for (TargetCompilation &target : compilation.targets) {
    target.module = compilation.model->clone();
    mt::ProgramOp program = programOf(*target.module);
    program.setTarget(target.name);
    MTC_ASSIGN_OR_RETURN(Device device, deviceFor(target, measured));
    mt::setDevice(program, device);
    MTC_RETURN_IF_ERROR(runPasses(*target.module, "tasks", [&](OpPassManager &manager) {
      addTaskPasses(manager.nest<mt::ProgramOp>(), target.target, options.optimize);
    }));
  }
  return okStatus();
}

/// Takes measured variants from the database; without it only if that was asked for.
static Status useTuning(Compilation &compilation, TargetCompilation &target,
                        const CompileOptions &options) {
  StatusOr<TuningRecords> records = readTuning(options.tuningDatabase, tuningVersion());
  if (!records.ok()) {
    if (!options.tuningOptional)
      return records.status();
    compilation.warnings.push_back(records.status().message() + "; times are modelled");
    return okStatus();
  }
  const bool isHost = std::holds_alternative<host::HostTarget>(target.target);
  const std::string device =
      isHost && options.tuningDevice.empty() ? host::cpuModel() : options.tuningDevice;
  return useRecords(programOf(*target.module), target.target, *records, device);
}

/// Takes measured variants that came with the compiler; returns for how many kernels.
static int64_t useShippedTuning(Compilation &compilation, TargetCompilation &target,
                                const host::HostTarget &host, const CompileOptions &options) {
  const TuningRecords records = readShipped(options.shippedTuning, compilation.notes);
  const std::string device = options.tuningDevice.empty() ? host::cpuModel() : options.tuningDevice;
  const int64_t used =
      useShipped(programOf(*target.module), host, records, device, compilation.notes);
  if (used > 0)
    compilation.tuningDevice = device;
  return used;
}

Status tuneKernels(Compilation &compilation, const CompileOptions &options) {
  MTC_ASSIGN_OR_RETURN(const std::optional<HostModel> measured, readHostModel(options.calibration));
  host::TuneKernelsOptions hostOptions;
  hostOptions.plain = !options.optimize;
  cuda::TuneCudaKernelsOptions cudaOptions;
  cudaOptions.plain = !options.optimize;
  for (TargetCompilation &target : compilation.targets) {
    const auto *gpu = std::get_if<cuda::CudaTarget>(&target.target);
    const bool isCuda = gpu != nullptr;
    if (isCuda)
      MTC_RETURN_IF_ERROR(cuda::checkTasks(programOf(*target.module), *gpu));
    MTC_RETURN_IF_ERROR(runPasses(*target.module, "tuned", [&](OpPassManager &passes) {
      passes.addNestedPass<mt::ProgramOp>(isCuda ? cuda::createTuneCudaKernels(cudaOptions)
                                                 : host::createTuneKernels(hostOptions));
    }));
    target.tuning.target = target.name;
    const auto *host = std::get_if<host::HostTarget>(&target.target);
    // What was measured itself counts most; the rest is priced by this host's calibration, without
    // one by what the records teach. Shipped times are of kernels alone with warm caches, on
    // another machine: beside a calibration they only choose variants.
    if (options.optimize && !options.tuningDatabase.empty())
      MTC_RETURN_IF_ERROR(useTuning(compilation, target, options));
    if (!host) {
      if (!options.tuningDatabase.empty())
        countOrigins(programOf(*target.module), target.tuning);
      continue;
    }
    int64_t shipped = 0;
    if (options.optimize && options.tuningDatabase.empty() && !options.shippedTuning.empty())
      shipped = useShippedTuning(compilation, target, *host, options);
    if (measured)
      MTC_RETURN_IF_ERROR(priceKernels(programOf(*target.module), *host, *measured, shipped == 0));
    if (measured || !options.tuningDatabase.empty() || shipped > 0)
      countOrigins(programOf(*target.module), target.tuning);
  }
  return okStatus();
}

Status exportProblems(Compilation &compilation, const CompileOptions &) {
  int32_t firstWeight = 0;
  for (TargetCompilation &target : compilation.targets) {
    mt::ProgramOp program = programOf(*target.module);
    MTC_ASSIGN_OR_RETURN(mt::ExportedProblem exported,
                         mt::exportProblem(program, mt::deviceOf(program)));
    target.firstWeight = firstWeight;
    firstWeight += int32_t(exported.weights.size());
    shiftWeights(exported.problem, target.firstWeight);
    target.problem = std::move(exported.problem);
  }
  return okStatus();
}

/// Unless told, on GPUs only: on cores a core a tenant gains as much.
static bool mergesOn(const TargetCompilation &target, const CompileOptions &options) {
  return options.merge.value_or(std::holds_alternative<cuda::CudaTarget>(target.target));
}

Status scheduleTasks(Compilation &compilation, const CompileOptions &options) {
  for (TargetCompilation &target : compilation.targets) {
    mt::ScheduleTasksOptions passOptions;
    passOptions.policy = options.policy;
    passOptions.merge = mergesOn(target, options);
    MTC_RETURN_IF_ERROR(runPasses(*target.module, "schedule", [&](OpPassManager &passes) {
      passes.addNestedPass<mt::ProgramOp>(mt::createScheduleTasks(passOptions));
    }));
    mt::ProgramOp program = programOf(*target.module);
    MTC_ASSIGN_OR_RETURN(mt::ExportedProblem exported,
                         mt::exportProblem(program, mt::deviceOf(program)));
    for (mt::ScheduleOp op : program.getOps<mt::ScheduleOp>()) {
      MTC_ASSIGN_OR_RETURN(Schedule schedule, mt::readSchedule(op, exported));
      target.schedules.push_back(std::move(schedule));
    }
    if (options.mixes < 2)
      continue;
    PolicyOptions policyOptions;
    policyOptions.merge = mergesOn(target, options);
    MTC_ASSIGN_OR_RETURN(std::vector<Schedule> mixes,
                         mixSchedules(target.problem, options.mixes, policyOptions));
    llvm::append_range(target.schedules, mixes);
  }
  return okStatus();
}

//===----------------------------------------------------------------------===//
// plan, bundle
//===----------------------------------------------------------------------===//

Status makePlans(Compilation &compilation, const CompileOptions &) {
  for (TargetCompilation &target : compilation.targets)
    for (const Schedule &schedule : target.schedules) {
      MTC_ASSIGN_OR_RETURN(Plan plan, makePlan(target.problem, schedule));
      if (Status status = verify(target.problem, schedule, plan); !status.ok())
        return internalError(status.message());
      target.plans.push_back(std::move(plan));
    }
  return okStatus();
}

/// What the code generators of all targets give.
struct KernelCode {
  std::vector<uint8_t> bytes;
  std::vector<std::vector<std::string>> symbols;
  std::vector<std::string> features, warnings;
  size_t compiled = 0, fromCache = 0;
};

/// `Options` are those of the host's or the CUDA generator.
template <typename Options>
static Options kernelOptions(const CompileOptions &options, const Log &log) {
  Options result;
  result.jobs = int(options.jobs);
  result.cacheDir = options.cacheFolder;
  result.limits = {options.kernelMib, options.kernelSeconds};
  if (log.progress)
    result.progress = [&](size_t done, size_t total) {
      log.progress("compiling kernels", int64_t(done), int64_t(total));
    };
  return result;
}

/// By kernel: the most places of it in one command of any schedule.
static std::vector<int32_t> mostMembers(const Problem &problem,
                                        const std::vector<Schedule> &schedules) {
  std::vector<int32_t> most(problem.kernels.size(), 1);
  for (const Schedule &schedule : schedules) {
    int32_t members = 0;
    for (const Place &place : schedule.places) {
      members = place.merged ? members + 1 : 1;
      const int32_t entry = schedule.workload.instances[size_t(place.instance)];
      const Task &task = problem.entries[size_t(entry)].tasks[size_t(place.task)];
      most[size_t(task.kernel)] = std::max(most[size_t(task.kernel)], members);
    }
  }
  return most;
}

static StatusOr<KernelCode> compileFor(const host::HostTarget &target, mt::ProgramOp program,
                                       const TargetCompilation &, const CompileOptions &options,
                                       const Log &log) {
  auto hostOptions = kernelOptions<host::CompileOptions>(options, log);
  hostOptions.plainLoops = !options.optimize;
  MTC_ASSIGN_OR_RETURN(host::CompiledCode code, host::compileProgram(program, target, hostOptions));
  return KernelCode{std::move(code.code),     std::move(code.symbols), target.required,
                    std::move(code.warnings), code.compiled,           code.fromCache};
}

static StatusOr<KernelCode> compileFor(const cuda::CudaTarget &target, mt::ProgramOp program,
                                       const TargetCompilation &compilation,
                                       const CompileOptions &options, const Log &log) {
  auto cudaOptions = kernelOptions<cuda::CompileOptions>(options, log);
  llvm::StringMap<int32_t> members;
  const std::vector<int32_t> most = mostMembers(compilation.problem, compilation.schedules);
  for (auto [kernel, count] : llvm::zip_equal(compilation.problem.kernels, most))
    members[kernel.name] = count;
  // Bodies of control flow use kernels that no place does.
  cudaOptions.mostMembers = [&](StringRef kernel) { return std::max(1, members.lookup(kernel)); };
  cudaOptions.assemble = options.assemble;
  MTC_ASSIGN_OR_RETURN(cuda::CompiledCode code, cuda::compileProgram(program, target, cudaOptions));
  return KernelCode{encodeGpuCode(code.modules), std::move(code.symbols), {},
                    std::move(code.warnings),    code.compiled,           code.fromCache};
}

/// Compiles the kernels of one target. Scratch sizes may grow when kernels fall back, so the
/// problem's kernels are taken again from the program.
static Status compileKernels(TargetCompilation &target, const CompileOptions &options,
                             const Log &log, CompiledTarget &compiled, std::string &tuningText) {
  compiled.program = programOf(*target.module);
  MTC_ASSIGN_OR_RETURN(KernelCode code, std::visit(
                                            [&](const auto &resolved) {
                                              return compileFor(resolved, compiled.program, target,
                                                                options, log);
                                            },
                                            target.target));
  if (log.warning)
    for (const std::string &warning : code.warnings)
      log.warning(warning);
  if (log.info)
    log.info(fmt::format("{} kernels compiled, {} from the cache", code.compiled, code.fromCache));
  MTC_ASSIGN_OR_RETURN(mt::ExportedProblem exported,
                       mt::exportProblem(compiled.program, mt::deviceOf(compiled.program)));
  target.problem.kernels = std::move(exported.problem.kernels);
  if (options.optimize)
    tuningText += printCandidates(describeKernels(exported.kernels, *tunedTarget(target.target)));
  compiled.weights = std::move(exported.weights);
  compiled.data.features = std::move(code.features);
  compiled.data.code = std::move(code.bytes);
  // The code has a row per kernel in the program's order, the problem in the order of first uses.
  llvm::DenseMap<Operation *, size_t> rows;
  for (mt::KernelOp kernel : compiled.program.getOps<mt::KernelOp>())
    rows.try_emplace(kernel, rows.size());
  for (mt::KernelOp kernel : exported.kernels)
    compiled.data.symbols.push_back(kernel ? std::move(code.symbols[rows.at(kernel)])
                                           : std::vector<std::string>{""});
  return okStatus();
}

Status writeBundle(Compilation &compilation, const CompileOptions &options, const std::string &path,
                   const Log &log) {
  std::vector<CompiledTarget> compiled(compilation.targets.size());
  std::vector<std::string> targetNames;
  std::string tuningText;
  for (auto [target, result] : llvm::zip(compilation.targets, compiled)) {
    MTC_RETURN_IF_ERROR(compileKernels(target, options, log, result, tuningText));
    result.firstWeight = target.firstWeight;
    result.data.target = target.name;
    result.data.problem = target.problem;
    result.data.schedules = target.schedules;
    result.data.plans = target.plans;
    result.data.verdict = target.verdictTable;
    targetNames.push_back(target.name);
  }
  MTC_ASSIGN_OR_RETURN(Contents contents, makeContents(std::move(compiled)));
  contents.compilerVersion = compilerVersion();
  CompileOptions again = options;
  again.tuningDevice =
      compilation.tuningDevice.empty() ? again.tuningDevice : compilation.tuningDevice;
  contents.compileCommand = normalizedCommand(again, targetNames);
  constexpr size_t maxTextBytes = 4 << 20;
  for (Phase phase : {Phase::Model, Phase::Schedule})
    contents.texts.push_back(
        {phaseNames()[size_t(phase)], capText(printPhase(compilation, phase), maxTextBytes)});
  std::string verdicts;
  for (const TargetCompilation &target : compilation.targets)
    if (!target.verdict.empty())
      verdicts += fmt::format("{}: {}", target.name, target.verdict);
  if (!verdicts.empty())
    contents.texts.push_back({"load", std::move(verdicts)});
  if (!tuningText.empty())
    contents.texts.push_back({kTuningTextName, std::move(tuningText)});
  return writeBundle(path, contents);
}

//===----------------------------------------------------------------------===//
// text
//===----------------------------------------------------------------------===//

/// With locations: they carry the names of the ONNX nodes.
static std::string printModule(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().enableDebugInfo(true, false));
  return text + "\n";
}

std::string printPhase(Compilation &compilation, Phase phase) {
  if (phase == Phase::Model)
    return printModule(*compilation.model);
  std::string text;
  for (TargetCompilation &target : compilation.targets) {
    if (phase == Phase::Problem)
      text += printProblem(target.problem);
    else if (phase != Phase::Plan)
      text += printModule(*target.module);
    else
      for (auto [schedule, plan] : llvm::zip(target.schedules, target.plans))
        text += printPlan(target.problem, schedule, plan);
  }
  return text;
}

} // namespace mtc
