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
#include "mtc/Support/File.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
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
/// Other processes can only lengthen a time; the least of many is luck.
constexpr double kUndisturbed = 0.25;

/// Tasks that show a neighbour's effect on clocks and caches, and nothing else.
constexpr double kLongNs = 20'000, kFewBytesPerNs = 4;
/// Tasks that show the cost of a barrier.
constexpr double kShortNs = 50'000;

/// Tasks of jobs that ran one request each, by entry and task.
struct TaskRuns {
  std::map<std::pair<int32_t, int32_t>, std::vector<double>> ns;
  std::vector<double> gapNs; ///< between tasks that follow each other on a core
  /// From the end of a command of all workers to that of the next one, by entry and task.
  std::map<std::pair<int32_t, int32_t>, std::vector<double>> stepNs;

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
      if (raw->keeps_)
        raw->runs.add(report, raw->workers_);
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

  /// Runs each entry until `seconds` of it have passed, at least `least` times.
  Status run(double seconds, int least, bool keep) {
    keeps_ = keep;
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
  TaskRuns runs;

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
  std::atomic<bool> keeps_{false};
  size_t workers_ = 1;
};

/// By entry and task: the time on one core that counts.
std::map<std::pair<int32_t, int32_t>, double> undisturbed(const TaskRuns &runs) {
  std::map<std::pair<int32_t, int32_t>, double> ns;
  for (const auto &[key, times] : runs.ns)
    ns[key] = std::max(1.0, quantile(times, kUndisturbed));
  return ns;
}

/// The part of a task's time on one core that its share of tiles takes on `workers`; 1 if there is
/// nothing to share or a barrier within it.
double partOf(const Variant &variant, size_t workers) {
  const auto tiles = double(variant.phaseTiles[0]);
  return variant.phaseTiles.size() > 1 ? 1 : std::ceil(tiles / double(workers)) / tiles;
}

/// What tasks of several cores take beyond their part of the tiles, of tasks that are so short that
/// this shows.
std::vector<double> barriers(const Problem &problem, const TaskRuns &alone, const TaskRuns &all,
                             size_t workers, double launchNs) {
  std::vector<double> found;
  const auto one = undisturbed(alone);
  for (const auto &[key, times] : all.stepNs) {
    const auto at = one.find(key);
    if (at == one.end() || at->second > kShortNs)
      continue;
    const Entry &entry = problem.entries[static_cast<size_t>(key.first)];
    const Kernel &kernel =
        problem.kernels[static_cast<size_t>(entry.tasks[static_cast<size_t>(key.second)].kernel)];
    if (const double part = partOf(kernel.variants[0], workers); part < 1)
      found.push_back(quantile(times, kUndisturbed) - launchNs - part * at->second);
  }
  return found;
}

/// The size of a CPU's cache of a level, or what is usual. Not sysconf(): it says what the whole
/// package has where a CPU reaches a part of it.
/// Source: https://docs.kernel.org/ABI/stable/sysfs-devices-system-cpu.html
int64_t cacheBytes(int cpu, int level, int64_t usual) {
  for (int index = 0; index < 8; ++index) {
    const std::string at = fmt::format("/sys/devices/system/cpu/cpu{}/cache/index{}/", cpu, index);
    const StatusOr<std::string> found = readTextFile(at + "level"),
                                size = readTextFile(at + "size");
    if (found.ok() && size.ok() && std::atoi(found->c_str()) == level)
      if (const int64_t kib = std::atoll(size->c_str()); kib > 0)
        return kib << 10;
  }
  return usual;
}

/// The factor, less 1, by which tasks that are long for their barrier take longer than that says.
double splitOf(std::span<const HostSample> samples, std::span<const double> parts,
               const HostModel &model) {
  double measured = 0, expected = 0;
  for (size_t i = 0; i < samples.size(); ++i)
    if (samples[i].allNs > 0 && samples[i].ns > kShortNs && parts[i] < 1) {
      measured += samples[i].allNs;
      expected += double(model.launchNs + model.barrierNs) + parts[i] * samples[i].ns;
    }
  return expected > 0 ? std::max(0.0, measured / expected - 1) : 0;
}

void measureRates(const std::vector<int> &cpus, HostModel &model) {
  model.l2Bytes = cacheBytes(cpus[0], 2, 1 << 20);
  model.l3Bytes = cacheBytes(cpus[0], 3, 32 << 20);
  const host::Peak one = host::measurePeak({cpus[0]}), all = host::measurePeak(cpus);
  model.cores = static_cast<int32_t>(cpus.size());
  model.flopsPerNs = all.flopsPerNs;
  model.coreBytesPerNs = one.bytesPerNs;
  model.bytesPerNs = std::max(one.bytesPerNs, all.bytesPerNs);
}

/// The part by which tasks take longer while the kernels of another set run on another core: of
/// tasks that draw little from memory, since shared bandwidth is the simulator's.
StatusOr<double> measureResidual(const std::vector<MeasuredSet> &sets,
                                 const std::vector<std::unique_ptr<Runner>> &alone,
                                 const std::vector<int> &cpus, double seconds) {
  double alongNs = 0, aloneNs = 0;
  for (size_t s = 0; s < sets.size(); ++s) {
    MTC_ASSIGN_OR_RETURN(auto neighbour, Runner::create(sets[(s + 1) % sets.size()], {cpus[1]}));
    MTC_ASSIGN_OR_RETURN(auto loaded, Runner::create(sets[s], {cpus[0]}));
    MTC_RETURN_IF_ERROR(loaded->run(0, 1, false));
    std::atomic<bool> stop{false};
    Status failed;
    std::jthread other([&] {
      while (!stop && failed.ok())
        failed = neighbour->run(0, 1, false);
    });
    Status status = loaded->run(seconds / double(sets.size()), 2, true);
    stop = true;
    other.join();
    MTC_RETURN_IF_ERROR(status);
    MTC_RETURN_IF_ERROR(failed);
    const auto before = undisturbed(alone[s]->runs), beside = undisturbed(loaded->runs);
    for (const auto &[key, ns] : before) {
      const auto at = beside.find(key);
      const Problem &problem = loaded->problem();
      const Task &task =
          problem.entries[static_cast<size_t>(key.first)].tasks[static_cast<size_t>(key.second)];
      const double bytesPerNs =
          double(problem.kernels[static_cast<size_t>(task.kernel)].bytes) / ns;
      if (at != beside.end() && ns > kLongNs && bytesPerNs < kFewBytesPerNs)
        alongNs += at->second, aloneNs += ns;
    }
  }
  return aloneNs > 0 ? std::max(0.0, alongNs / aloneNs - 1) : 0;
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

  std::vector<std::unique_ptr<Runner>> alone;
  for (const MeasuredSet &set : sets) {
    MTC_ASSIGN_OR_RETURN(auto runner, Runner::create(set, {cpus[0]}));
    MTC_RETURN_IF_ERROR(runner->run(0, 2, false));
    alone.push_back(std::move(runner));
  }
  constexpr int passes = 4;
  const double perSet = options.seconds / double(sets.size());
  for (int pass = 0; pass < passes; ++pass)
    for (size_t s = 0; s < sets.size(); ++s) {
      if (log.progress)
        log.progress("measuring kernels", int64_t(pass * sets.size() + s),
                     int64_t(passes * sets.size()));
      MTC_RETURN_IF_ERROR(alone[s]->run(perSet * 0.7 / passes, 2, true));
    }

  std::vector<double> gaps, barrier;
  std::vector<std::map<std::pair<int32_t, int32_t>, double>> allNs(sets.size()); // by set
  for (const auto &runner : alone)
    gaps.insert(gaps.end(), runner->runs.gapNs.begin(), runner->runs.gapNs.end());
  model.launchNs = std::llround(quantile(gaps, 0.5));
  for (size_t s = 0; s < sets.size() && cpus.size() > 1; ++s) {
    MTC_ASSIGN_OR_RETURN(auto all, Runner::create(sets[s], cpus));
    MTC_RETURN_IF_ERROR(all->run(0, 1, false));
    MTC_RETURN_IF_ERROR(all->run(perSet * 0.15, 2, true));
    const auto found =
        barriers(all->problem(), alone[s]->runs, all->runs, cpus.size(), double(model.launchNs));
    barrier.insert(barrier.end(), found.begin(), found.end());
    for (const auto &[key, times] : all->runs.stepNs)
      allNs[s][key] = quantile(times, kUndisturbed);
  }
  model.barrierNs = std::max<int64_t>(0, std::llround(quantile(barrier, 0.5)));
  if (cpus.size() > 1) {
    MTC_ASSIGN_OR_RETURN(model.residual,
                         measureResidual(sets, alone, cpus, options.seconds * 0.15));
  }

  std::vector<double> parts; // by sample
  for (size_t s = 0; s < sets.size(); ++s) {
    const Problem &problem = alone[s]->problem();
    for (const auto &[key, ns] : undisturbed(alone[s]->runs)) {
      const Entry &entry = problem.entries[static_cast<size_t>(key.first)];
      const int32_t kernel = entry.tasks[static_cast<size_t>(key.second)].kernel;
      const KernelAmounts &amounts = sets[s].amounts[static_cast<size_t>(kernel)];
      if (amounts.family.empty())
        continue;
      result.samples.push_back({amounts, sets[s].traffic[static_cast<size_t>(kernel)], ns,
                                allNs[s][key], sets[s].name,
                                problem.tenants[static_cast<size_t>(entry.tenant)].name});
      parts.push_back(
          partOf(problem.kernels[static_cast<size_t>(kernel)].variants[0], cpus.size()));
    }
  }
  model.split = splitOf(result.samples, parts, model);
  MTC_RETURN_IF_ERROR(fitPrices(result.samples, model));
  return result;
}

//===----------------------------------------------------------------------===//
// samples as text
//===----------------------------------------------------------------------===//

std::string printSamples(const std::vector<HostSample> &samples) {
  std::string text = "set\tentry\tfamily\tns\tall_ns\tweight_bytes\tother_bytes\treuse_bytes";
  for (const char *name : kAmountNames)
    text += fmt::format("\t{}", name);
  text += "\n";
  for (const HostSample &sample : samples) {
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", sample.set, sample.entry,
                        sample.amounts.family, sample.ns, sample.allNs, sample.traffic.weightBytes,
                        sample.traffic.otherBytes, sample.traffic.reuseBytes);
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
    sample.allNs = value();
    sample.traffic.weightBytes = value();
    sample.traffic.otherBytes = value();
    sample.traffic.reuseBytes = value();
    for (double &count : sample.amounts.counts)
      count = value();
    if (!isRight || !line.empty())
      return invalidInput(fmt::format("line {} is no sample of {} numbers", number, kAmounts + 5));
    samples.push_back(std::move(sample));
  }
  return samples;
}

} // namespace mtc
