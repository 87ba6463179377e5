//===- Calibrate.cpp - measuring this host --------------------------------===//
#include "mtc/Pipelines/Calibrate.h"
#include "mtc/Bundle/Reader.h"
#include "mtc/Codegen/Host/Amounts.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Pipelines/Phases.h"
#include "mtc/Runtime/Cpu.h"
#include "mtc/Runtime/Peak.h"
#include "mtc/Runtime/Session.h"
#include "mtc/Support/Cores.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <thread>

using namespace mlir;

namespace mtc {
namespace {

using Clock = std::chrono::steady_clock;

/// The element at a fraction of the sorted values; 0 if there are none.
double quantile(std::vector<double> values, double part) {
  if (values.empty())
    return 0;
  auto at = values.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double mean(const std::vector<double> &values) {
  return std::reduce(values.begin(), values.end()) / double(values.size());
}

/// Other processes can only lengthen a time; the least of many is luck.
constexpr double kUndisturbed = 0.25;

/// Times in ns, by entry and task.
using TaskTimes = std::map<std::pair<int32_t, int32_t>, std::vector<double>>;

/// Tasks of jobs that ran one request each.
struct TaskRuns {
  TaskTimes ns;              ///< on one core
  std::vector<double> gapNs; ///< between tasks that follow each other on a core
  /// From the end of a command of all workers to that of the next one.
  TaskTimes stepNs;

  void add(const JobReport &report, size_t workers) {
    std::map<int32_t, int64_t> lastEnd;                  // by worker
    std::map<int32_t, std::pair<int32_t, int64_t>> ends; // by command: workers, latest end
    for (const TaskRecord &record : report.tasks) {
      auto &[count, end] = ends[record.command];
      ++count;
      end = std::max(end, record.endNs);
      if (workers > 1)
        continue;
      ns[keyOf(report, record.command)].push_back(double(record.endNs - record.startNs));
      if (auto last = lastEnd.find(record.worker); last != lastEnd.end())
        gapNs.push_back(double(record.startNs - last->second));
      lastEnd[record.worker] = record.endNs;
    }
    for (auto at = ends.begin(); workers > 1 && at != ends.end(); ++at)
      if (auto before = ends.find(at->first - 1); before != ends.end() &&
                                                  before->second.first == int32_t(workers) &&
                                                  at->second.first == int32_t(workers))
        stepNs[keyOf(report, at->first)].push_back(
            double(at->second.second - before->second.second));
  }

private:
  static std::pair<int32_t, int32_t> keyOf(const JobReport &report, int32_t command) {
    const Command &c = report.plan.commands[static_cast<size_t>(command)];
    return {report.schedule.workload.instances[static_cast<size_t>(c.instance)], c.task};
  }
};

/// A set that was compiled for this host.
struct MeasuredSet {
  std::string name;
  std::vector<KernelAmounts> amounts; ///< by kernel of the problem; without family: control flow
  std::vector<Traffic> traffic;       ///< the same
  std::shared_ptr<const BundleReader> program;
};

StatusOr<MeasuredSet> compileForMeasuring(const CompileOptions &options, const std::string &path,
                                          const Log &log) {
  MTC_ASSIGN_OR_RETURN(SetSpec set, makeSet(options.set));
  MeasuredSet measured;
  measured.name = set.name;
  MTC_ASSIGN_OR_RETURN(std::unique_ptr<Compilation> compilation,
                       Compilation::create(std::move(set)));
  for (auto phase : {buildModel, formTasks, tuneKernels, exportProblems, scheduleTasks, makePlans})
    MTC_RETURN_IF_ERROR(phase(*compilation, options));
  MTC_RETURN_IF_ERROR(writeBundle(*compilation, options, path, log));
  for (TargetCompilation &target : compilation->targets) {
    const auto *host = std::get_if<host::HostTarget>(&target.target);
    if (!host)
      continue;
    mt::ProgramOp program = *target.module->getOps<mt::ProgramOp>().begin();
    MTC_ASSIGN_OR_RETURN(mt::ExportedProblem exported,
                         mt::exportProblem(program, mt::deviceOf(program)));
    measured.traffic = trafficOf(exported.problem);
    for (mt::KernelOp kernel : exported.kernels)
      measured.amounts.push_back(
          kernel ? host::amountsOf(kernel,
                                   *kernel.getVariantsAttr().getAsRange<mt::VariantAttr>().begin(),
                                   *host)
                 : KernelAmounts());
    MTC_ASSIGN_OR_RETURN(measured.program, BundleReader::open(path));
    return measured;
  }
  return invalidInput(fmt::format("set '{}' has no target for this host", measured.name));
}

/// Requests of all entries of a set on some CPUs, with inputs of zeros and ones.
class Runner {
public:
  static StatusOr<std::unique_ptr<Runner>> create(const MeasuredSet &set, std::vector<int> cpus) {
    auto runner = std::unique_ptr<Runner>(new Runner());
    SessionOptions options;
    options.workers = static_cast<int>(cpus.size());
    options.cpus = std::move(cpus);
    options.recordTasks = true;
    options.jobEnded = [raw = runner.get()](const JobReport &report) {
      if (TaskRuns *into = raw->into_)
        into->add(report, raw->workers_);
    };
    runner->workers_ = options.cpus.size();
    MTC_ASSIGN_OR_RETURN(runner->session_, Session::create(set.program, std::move(options)));
    const Problem &problem = runner->session_->target().problem;
    for (const Entry &entry : problem.entries) {
      MTC_ASSIGN_OR_RETURN(
          auto request, runner->session_->createRequest(
                            problem.tenants[static_cast<size_t>(entry.tenant)].name, entry.name));
      for (const Tensor &tensor : entry.inputs) {
        if (tensor.value)
          continue;
        MTC_ASSIGN_OR_RETURN(void *memory, request->memory(tensor.name, true));
        fill(tensor, static_cast<uint8_t *>(memory));
      }
      for (const Tensor &tensor : entry.outputs)
        MTC_RETURN_IF_ERROR(request->memory(tensor.name, false).status());
      runner->requests_.push_back(std::move(request));
    }
    return runner;
  }

  ~Runner() {
    requests_.clear();
    session_.reset();
  }

  /// Runs each entry until `seconds` of it have passed, at least `least` times; adds what its tasks
  /// took to `into` unless that is null.
  Status run(double seconds, int least, TaskRuns *into) {
    into_ = into;
    for (const auto &request : requests_) {
      const Clock::time_point start = Clock::now();
      for (int i = 0; i < least || std::chrono::duration<double>(Clock::now() - start).count() <
                                       seconds / double(requests_.size());
           ++i) {
        Request *one[] = {request.get()};
        RequestStatus status = session_->submit(one);
        if (status.ok())
          status = request->wait();
        if (!status.ok())
          return internalError(
              fmt::format("tenant '{}': {}", request->tenant().name, status.message));
      }
    }
    return okStatus();
  }

  const Problem &problem() const { return session_->target().problem; }

private:
  Runner() = default;

  /// Small numbers that are right as indices, masks and values; subnormal numbers would be slow.
  static void fill(const Tensor &tensor, uint8_t *memory) {
    std::memset(memory, 0, static_cast<size_t>(tensor.bytes));
    if (tensor.elementType == "f32")
      for (int64_t i = 0; i + 4 <= tensor.bytes; i += 4) {
        const float value = float(i / 4 % 17) / 17;
        std::memcpy(memory + i, &value, 4);
      }
  }

  std::shared_ptr<Session> session_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::atomic<TaskRuns *> into_{nullptr};
  size_t workers_ = 1;
};

/// The part of a task's time on one core that its share of tiles takes on `workers`; 1 if there is
/// nothing to share or a barrier within it.
double partOf(const Variant &variant, size_t workers) {
  const auto tiles = double(variant.phaseTiles[0]);
  return variant.phaseTiles.size() > 1 ? 1 : std::ceil(tiles / double(workers)) / tiles;
}

void measureRates(const std::vector<int> &cpus, HostModel &model) {
  const auto orUsual = [](int64_t known, int64_t usual) { return known > 0 ? known : usual; };
  model.l2Bytes = orUsual(cacheBytes(cpus[0], 2), 1 << 20);
  model.l3Bytes = orUsual(cacheBytes(cpus[0], 3), 32 << 20);
  const host::Peak one = host::bestOf(host::measurePeaks({cpus[0]}));
  const host::Peak all = host::bestOf(host::measurePeaks(cpus));
  model.cores = static_cast<int32_t>(cpus.size());
  model.flopsPerNs = all.flopsPerNs;
  model.coreBytesPerNs = one.bytesPerNs;
  model.bytesPerNs = std::max(one.bytesPerNs, all.bytesPerNs);
}

/// What a set's tasks took within a second or two.
struct Pass {
  TaskRuns onOne, beside, onAll;
};

/// The ways in which a set's tasks are measured: on one core, on all, and on one while the set runs
/// on another, too. On a host of one core only the first.
struct Ways {
  std::unique_ptr<Runner> alone, together, neighbour;
  std::vector<Pass> passes;
};

/// Runs `runner` while another thread runs `neighbour`.
Status runBeside(Runner &runner, Runner &neighbour, double seconds, TaskRuns &into) {
  std::atomic<bool> stop{false};
  Status failed, status;
  {
    std::jthread other([&] {
      while (!stop && failed.ok())
        failed = neighbour.run(0, 1, nullptr);
    });
    status = runner.run(seconds, 2, &into);
    stop = true;
  }
  MTC_RETURN_IF_ERROR(status);
  return failed;
}

/// The middle over passes of how much longer a task took in `way` than on one core in the same
/// pass; nothing if it never ran in both. Passes, not samples, are compared: what else the machine
/// does changes from second to second, by more than neighbours and barriers cost.
std::optional<double> ratioOf(const std::vector<Pass> &passes, std::pair<int32_t, int32_t> key,
                              const TaskTimes &(*way)(const Pass &)) {
  std::vector<double> ratios;
  for (const Pass &pass : passes) {
    const auto one = pass.onOne.ns.find(key), other = way(pass).find(key);
    if (one != pass.onOne.ns.end() && other != way(pass).end())
      ratios.push_back(mean(other->second) / std::max(1.0, mean(one->second)));
  }
  return ratios.empty() ? std::nullopt : std::optional(quantile(ratios, 0.5));
}

/// The samples of a set, by entry and task.
void addSamples(const MeasuredSet &set, const Ways &ways, size_t workers,
                std::vector<HostSample> &samples) {
  const Problem &problem = ways.alone->problem();
  TaskTimes all;
  for (const Pass &pass : ways.passes)
    for (const auto &[key, times] : pass.onOne.ns)
      all[key].insert(all[key].end(), times.begin(), times.end());
  for (const auto &[key, times] : all) {
    const Entry &entry = problem.entries[static_cast<size_t>(key.first)];
    const auto kernel = static_cast<size_t>(entry.tasks[static_cast<size_t>(key.second)].kernel);
    if (set.amounts[kernel].family.empty())
      continue;
    HostSample &sample = samples.emplace_back();
    sample.amounts = set.amounts[kernel];
    sample.traffic = set.traffic[kernel];
    sample.ns = std::max(1.0, quantile(times, kUndisturbed));
    const auto beside =
        ratioOf(ways.passes, key, [](const Pass &p) -> const TaskTimes & { return p.beside.ns; });
    const auto onAll = ratioOf(ways.passes, key,
                               [](const Pass &p) -> const TaskTimes & { return p.onAll.stepNs; });
    sample.besideNs = beside.value_or(0) * sample.ns;
    sample.allNs = onAll.value_or(0) * sample.ns;
    sample.part = partOf(problem.kernels[kernel].variants[0], workers);
    sample.set = set.name;
    sample.entry = problem.tenants[static_cast<size_t>(entry.tenant)].name;
  }
}

} // namespace

StatusOr<Calibration> calibrateHost(const CalibrateOptions &options, const Log &log) {
  std::vector<int> cpus = cpuBudget().cpus;
  cpus.resize(
      std::min<size_t>(cpus.size(), static_cast<size_t>(std::min(cpuBudget().cores(), 64))));
  Calibration result;
  HostModel &model = result.model;
  model.cpu = host::cpuModel();
  model.date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  measureRates(cpus, model);
  model.launchNs = 100;
  model.barrierNs = 200;

  std::vector<MeasuredSet> sets;
  for (const CompileOptions &set : options.sets) {
    if (log.progress)
      log.progress("compiling sets", int64_t(sets.size()), int64_t(options.sets.size()));
    MTC_ASSIGN_OR_RETURN(
        MeasuredSet compiled,
        compileForMeasuring(set, fmt::format("{}/{}.mtb", options.folder, sets.size()), log));
    sets.push_back(std::move(compiled));
  }
  if (sets.empty())
    return result;

  std::vector<Ways> ways(sets.size());
  for (size_t s = 0; s < sets.size(); ++s) {
    MTC_ASSIGN_OR_RETURN(ways[s].alone, Runner::create(sets[s], {cpus[0]}));
    MTC_RETURN_IF_ERROR(ways[s].alone->run(0, 2, nullptr));
    if (cpus.size() == 1)
      continue;
    MTC_ASSIGN_OR_RETURN(ways[s].together, Runner::create(sets[s], cpus));
    MTC_RETURN_IF_ERROR(ways[s].together->run(0, 2, nullptr));
    MTC_ASSIGN_OR_RETURN(ways[s].neighbour, Runner::create(sets[s], {cpus[1]}));
    MTC_RETURN_IF_ERROR(ways[s].neighbour->run(0, 1, nullptr));
  }
  constexpr int passes = 5;
  const double perSet = options.seconds / double(sets.size()) / passes;
  for (int pass = 0; pass < passes; ++pass)
    for (size_t s = 0; s < sets.size(); ++s) {
      if (log.progress)
        log.progress("measuring kernels", int64_t(pass * sets.size() + s),
                     int64_t(passes * sets.size()));
      const Ways &of = ways[s];
      Pass &runs = ways[s].passes.emplace_back();
      MTC_RETURN_IF_ERROR(of.alone->run(perSet * (of.neighbour ? 0.5 : 1), 2, &runs.onOne));
      if (!of.neighbour)
        continue;
      MTC_RETURN_IF_ERROR(of.together->run(perSet * 0.25, 2, &runs.onAll));
      MTC_RETURN_IF_ERROR(runBeside(*of.alone, *of.neighbour, perSet * 0.25, runs.beside));
    }

  std::vector<double> gaps;
  for (size_t s = 0; s < sets.size(); ++s) {
    for (const Pass &pass : ways[s].passes)
      gaps.insert(gaps.end(), pass.onOne.gapNs.begin(), pass.onOne.gapNs.end());
    addSamples(sets[s], ways[s], cpus.size(), result.samples);
  }
  model.launchNs = std::llround(quantile(gaps, 0.5));
  fitShares(result.samples, model);
  MTC_RETURN_IF_ERROR(fitPrices(result.samples, model));
  return result;
}

//===----------------------------------------------------------------------===//
// samples as text
//===----------------------------------------------------------------------===//

std::string printSamples(const std::vector<HostSample> &samples) {
  std::string text =
      "set\tentry\tfamily\tns\tbeside_ns\tall_ns\tpart\tweight_bytes\tother_bytes\treuse_bytes";
  for (const char *name : kAmountNames)
    text += fmt::format("\t{}", name);
  text += "\n";
  for (const HostSample &sample : samples) {
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", sample.set, sample.entry,
                        sample.amounts.family, sample.ns, sample.besideNs, sample.allNs,
                        sample.part, sample.traffic.weightBytes, sample.traffic.otherBytes,
                        sample.traffic.reuseBytes);
    for (double count : sample.amounts.counts)
      text += fmt::format("\t{}", count);
    text += "\n";
  }
  return text;
}

StatusOr<std::vector<HostSample>> parseSamples(std::string_view text) {
  std::vector<HostSample> samples;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (number == 1)
      continue;
    auto word = [&] {
      const size_t tab = std::min(line.find('\t'), line.size());
      const std::string_view result = line.substr(0, tab);
      line.remove_prefix(std::min(tab + 1, line.size()));
      return result;
    };
    bool isRight = true;
    auto value = [&] {
      double result = 0;
      const std::string_view from = word();
      const auto [last, error] = std::from_chars(from.data(), from.data() + from.size(), result);
      isRight &= error == std::errc() && last == from.data() + from.size() && result >= 0;
      return result;
    };
    HostSample sample;
    sample.set = word();
    sample.entry = word();
    sample.amounts.family = word();
    sample.ns = value();
    sample.besideNs = value();
    sample.allNs = value();
    sample.part = value();
    sample.traffic.weightBytes = value();
    sample.traffic.otherBytes = value();
    sample.traffic.reuseBytes = value();
    for (double &count : sample.amounts.counts)
      count = value();
    if (!isRight || !line.empty())
      return invalidInput(fmt::format("line {} is no sample of {} numbers", number, kAmounts + 7));
    samples.push_back(std::move(sample));
  }
  return samples;
}

} // namespace mtc
