//===- CheckTilesMain.cpp - mtc-check-tiles -------------------------------===//
//
// mtc-check-tiles FILE [--kernels N] [--seed S] [--only NAME] [--jobs N] [--cache-dir D] [--json F]
//
// FILE is what `mtc compile --emit=tasks` prints for a CUDA target. Checks some tiles of every
// variant of every kernel of it (CheckTiles.h), or of N kernels drawn from S so that every emitter
// has its share. A line per variant; exit 1 if one fails. Each is checked in a contained process.
//
//===----------------------------------------------------------------------===//
#include "CheckTiles.h"
#include "LoadedCode.h"

#include "Codegen/Host/Workers.h"
#include "mtc/Codegen/CUDA/Passes.h"
#include "mtc/Codegen/Host/Compile.h"
#include "mtc/Codegen/Host/Passes.h"
#include "mtc/Dialect/MT/IR/Register.h"
#include "mtc/Support/Cores.h"
#include "mtc/Support/File.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <random>

using namespace mlir;
using namespace mtc;
using namespace mtc::emulator;

namespace {

struct Arguments {
  std::string file, only, cacheDir, json;
  size_t kernels = SIZE_MAX;
  uint64_t seed = 1;
  int jobs = cpuBudget().cores();
};

/// One variant of a kernel of the program, and the host's code of it.
struct Job {
  mt::KernelOp kernel;
  mt::VariantAttr variant;
  size_t number = 0; ///< of the variant
  HostCode host;
  uint64_t seed = 0;

  std::string name() const {
    return fmt::format("{}{}", mt::KernelOp(kernel).getSymName().str(),
                       number ? fmt::format(" variant {}", number) : "");
  }
  std::string emitter() const {
    return variant.getConfig().getAs<StringAttr>("emitter").getValue().str();
  }
};

Status runPass(ModuleOp module, std::unique_ptr<Pass> pass) {
  PassManager manager(module.getContext());
  manager.addNestedPass<mt::ProgramOp>(std::move(pass));
  return succeeded(manager.run(module)) ? okStatus() : internalError("kernels cannot be tuned");
}

mt::ProgramOp programOf(ModuleOp module) {
  auto programs = module.getOps<mt::ProgramOp>();
  return programs.empty() ? mt::ProgramOp() : *programs.begin();
}

/// Every (emitter, kind) in turn gives one of its kernels, drawn at random, until there are enough.
std::vector<mt::KernelOp> chooseKernels(mt::ProgramOp program, const Arguments &arguments) {
  std::map<std::pair<std::string, int64_t>, std::vector<mt::KernelOp>> groups;
  size_t all = 0;
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    if (!arguments.only.empty() && kernel.getSymName() != arguments.only)
      continue;
    auto config = cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]).getConfig();
    groups[{config.getAs<StringAttr>("emitter").getValue().str(), int64_t(kernel.getKind())}]
        .push_back(kernel);
    ++all;
  }
  std::mt19937_64 random(arguments.seed);
  std::vector<mt::KernelOp> chosen;
  while (chosen.size() < std::min(arguments.kernels, all))
    for (auto &[key, kernels] : groups) {
      if (kernels.empty() || chosen.size() == arguments.kernels)
        continue;
      std::swap(kernels[random() % kernels.size()], kernels.back());
      chosen.push_back(kernels.back());
      kernels.pop_back();
    }
  return chosen;
}

/// Compiles the kernels of `jobs` for the host, by plain loops: what they compute is easy to trust.
StatusOr<std::unique_ptr<LoadedCode>> compileForHost(ModuleOp module, std::vector<Job> &jobs,
                                                     const Arguments &arguments) {
  OwningOpRef<ModuleOp> copy = module.clone();
  mt::ProgramOp program = programOf(*copy);
  const std::string target = "host:x86-64-v3,cores=1";
  program.setTarget(target);
  program->removeAttr(mt::ProgramOp::getDeviceAttrName());
  llvm::DenseMap<StringAttr, llvm::SmallVector<Job *>> jobsOf;
  for (Job &job : jobs)
    jobsOf[job.kernel.getSymNameAttr()].push_back(&job);
  for (Operation &op : llvm::make_early_inc_range(program.getBody().front()))
    if (auto kernel = dyn_cast<mt::KernelOp>(op); !kernel || !jobsOf.count(kernel.getSymNameAttr()))
      op.erase();
  host::TuneKernelsOptions tune;
  tune.plain = true;
  MTC_RETURN_IF_ERROR(runPass(*copy, host::createTuneKernels(tune)));
  MTC_ASSIGN_OR_RETURN(host::HostTarget resolved, host::resolve(target));
  host::CompileOptions options;
  options.jobs = arguments.jobs;
  options.cacheDir = arguments.cacheDir;
  MTC_ASSIGN_OR_RETURN(host::CompiledCode compiled,
                       host::compileProgram(program, resolved, options));
  MTC_ASSIGN_OR_RETURN(auto code, LoadedCode::load(compiled.code));
  for (auto [k, kernel] : llvm::enumerate(program.getBody().getOps<mt::KernelOp>())) {
    auto variant = cast<mt::VariantAttr>(kernel.getVariantsAttr()[0]);
    for (Job *job : jobsOf[kernel.getSymNameAttr()])
      job->host = {code->function(compiled.symbols[k][0]), variant.getTiles().asArrayRef().vec(),
                   variant.getScratch()};
  }
  return code;
}

/// Runs all jobs and prints a line each. The number of those that fail.
StatusOr<size_t> check(const std::vector<Job> &jobs, const Arguments &arguments) {
  // Emulation is compilation, too; a sanitizer or a busy machine may make it ten times as slow.
  const host::KernelLimits limits = {/*memoryMiB=*/16384, /*seconds=*/600};
  auto work = [&](size_t i) -> host::Outcome {
    const Job &job = jobs[i];
    StatusOr<TileReport> r = checkTiles(job.kernel, job.variant, job.host, job.seed);
    if (!r.ok())
      return {false, r.status().message()};
    return {true, fmt::format("{} {} {} {} {}", r->tiles, r->checkedTiles, r->elements, r->compared,
                              r->error)};
  };
  MTC_ASSIGN_OR_RETURN(
      auto outcomes, host::runContained(jobs.size(), arguments.jobs, limits, work, [](size_t) {}));
  size_t wrong = 0;
  auto rows = nlohmann::ordered_json::array();
  for (size_t i = 0; i < jobs.size(); ++i) {
    const std::string name = jobs[i].name(), emitter = jobs[i].emitter();
    nlohmann::ordered_json row = {{"kernel", name}, {"emitter", emitter}};
    if (outcomes[i].ok) {
      long tiles = 0, checkedTiles = 0, elements = 0, compared = 0;
      double error = 0;
      std::sscanf(outcomes[i].bytes.c_str(), "%ld %ld %ld %ld %lf", &tiles, &checkedTiles,
                  &elements, &compared, &error);
      fmt::print("ok: {} ({}): {} of {} tiles, {} of {} elements, error {:.1e}\n", name, emitter,
                 checkedTiles, tiles, compared, elements, error);
      row.update({{"checked_tiles", checkedTiles},
                  {"tiles", tiles},
                  {"compared", compared},
                  {"elements", elements},
                  {"error", error}});
    } else {
      ++wrong;
      fmt::print("FAILED: {} ({}): {}\n", name, emitter, outcomes[i].bytes);
      row["failure"] = outcomes[i].bytes;
    }
    rows.push_back(std::move(row));
  }
  if (!arguments.json.empty())
    MTC_RETURN_IF_ERROR(writeFile(arguments.json, rows.dump(1) + "\n"));
  return wrong;
}

Status run(const Arguments &arguments) {
  DialectRegistry registry;
  registerMtcDialects(registry);
  registry.insert<gpu::GPUDialect>();
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto module = parseSourceFile<ModuleOp>(arguments.file, &context);
  mt::ProgramOp program = module ? programOf(*module) : mt::ProgramOp();
  if (!program)
    return invalidInput(fmt::format("'{}' holds no program", arguments.file));
  MTC_RETURN_IF_ERROR(runPass(*module, cuda::createTuneCudaKernels()));
  std::vector<Job> jobs;
  for (mt::KernelOp kernel : chooseKernels(program, arguments))
    for (auto [number, variant] : llvm::enumerate(kernel.getVariantsAttr()))
      jobs.push_back(
          {kernel, cast<mt::VariantAttr>(variant), number, {}, arguments.seed + jobs.size()});
  if (jobs.empty())
    return invalidInput(fmt::format("'{}' has no kernel '{}'", arguments.file, arguments.only));
  MTC_ASSIGN_OR_RETURN(auto hostCode, compileForHost(*module, jobs, arguments));
  MTC_ASSIGN_OR_RETURN(const size_t wrong, check(jobs, arguments));
  if (wrong > 0)
    return internalError(
        fmt::format("{} of {} variants are not as the host's", wrong, jobs.size()));
  fmt::print("ok: {} variants of kernels agree with the host's\n", jobs.size());
  return okStatus();
}

} // namespace

int main(int argc, char **argv) {
  Arguments arguments;
  bool isRight = true;
  for (int i = 1; i < argc && isRight; ++i) {
    const llvm::StringRef word = argv[i];
    if (!word.starts_with("--") && arguments.file.empty()) {
      arguments.file = word.str();
      continue;
    }
    const llvm::StringRef value = i + 1 < argc ? argv[++i] : "";
    if (word == "--only")
      arguments.only = value.str();
    else if (word == "--cache-dir")
      arguments.cacheDir = value.str();
    else if (word == "--json")
      arguments.json = value.str();
    else if (word == "--kernels")
      isRight = !value.getAsInteger(10, arguments.kernels);
    else if (word == "--seed")
      isRight = !value.getAsInteger(10, arguments.seed);
    else if (word == "--jobs")
      isRight = !value.getAsInteger(10, arguments.jobs) && arguments.jobs > 0;
    else
      isRight = false;
  }
  if (!isRight || arguments.file.empty()) {
    fmt::print(stderr, "usage: mtc-check-tiles FILE [--kernels N] [--seed S] [--only NAME] "
                       "[--jobs N] [--cache-dir D] [--json FILE]\n");
    return 2;
  }
  const Status status = run(arguments);
  if (!status.ok())
    fmt::print(stderr, "error: {}\n", status.message());
  return status.exitCode();
}
