//===- MeasureKernel.cpp - fork, sample, report ---------------------------===//
//
// The process writes a byte pair before each turn of a variant, so that its parent knows whom to
// blame, and the records at its end.
//
//===----------------------------------------------------------------------===//
#include "MeasureKernel.h"

#include "Tensors.h"
#include "mtc/Tuning/Search.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>

namespace mtc::tool {
namespace {

struct Share {
  int granules;
  std::string neighbour;
};

std::vector<Share> sharesOf(const std::vector<int> &granules,
                            const std::vector<std::string> &neighbours, bool besideAll) {
  std::vector<Share> shares;
  for (int count : granules) {
    shares.push_back({count, "none"});
    for (const std::string &neighbour : neighbours)
      if (neighbour == kFlushed ||
          (neighbour != "none" && count < granules.back() && (count == 1 || besideAll)))
        shares.push_back({count, neighbour});
  }
  return shares;
}

/// Contents for the operands of a kernel, from the first task that uses it: inputs as `--fill`
/// makes them, values whose type nobody knows as numbers of f32.
StatusOr<std::vector<std::vector<uint8_t>>> operandsOf(const Problem &problem, size_t kernel) {
  for (const Entry &entry : problem.entries)
    for (const Task &task : entry.tasks) {
      if (size_t(task.kernel) != kernel)
        continue;
      std::vector<std::vector<uint8_t>> operands;
      for (int32_t index : task.values) {
        const Value &value = entry.values[size_t(index)];
        std::vector<uint8_t> &bytes = operands.emplace_back(size_t(value.bytes));
        Tensor tensor;
        if (value.kind == ValueKind::Input)
          tensor = entry.inputs[size_t(value.index)];
        else
          tensor.elementType = "f32";
        tensor.bytes = value.bytes;
        MTC_RETURN_IF_ERROR(fillTensor({}, "tune", tensor, bytes.data()));
      }
      return operands;
    }
  return invalidInput("no task uses the kernel");
}

void writeAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      _exit(1);
    text.remove_prefix(size_t(put));
  }
}

/// What the process does; `usable` are the variants that it may run. Ends with a line "end".
Status measure(KernelMeter &meter, const BundleTarget &target, size_t kernel,
               const CandidateKernel &candidate, const std::vector<size_t> &usable,
               const MeasureOptions &options, int fd) {
  MTC_ASSIGN_OR_RETURN(auto operands, operandsOf(target.problem, kernel));
  MTC_RETURN_IF_ERROR(meter.prepare(kernel, std::move(operands)));
  const std::vector<Share> shares = sharesOf(meter.shares(), options.neighbours, options.besideAll);
  auto sample = [&](size_t at, const Share &share, int samples) {
    writeAll(fd, fmt::format("@{}\n", usable[at]));
    return meter.run(usable[at], share.granules, share.neighbour, samples);
  };
  std::vector<std::vector<HalvedCandidate>> results;
  std::set<size_t> winners = {0};
  for (const Share &share : shares) {
    HalvingOptions halving;
    halving.lastSamples = options.samples;
    if (options.equally)
      halving.leave = usable.size();
    MTC_ASSIGN_OR_RETURN(
        auto halved, halve(usable.size(), halving,
                           [&](size_t at, int32_t samples) { return sample(at, share, samples); }));
    size_t best = 0;
    for (size_t at = 0; at < halved.size(); ++at)
      if (halved[at].samples.size() >= halved[best].samples.size() &&
          (halved[at].ns() < halved[best].ns() ||
           halved[at].samples.size() > halved[best].samples.size()))
        best = at;
    winners.insert(best);
    results.push_back(std::move(halved));
  }
  // Who won may have been lucky: the winners and the first are sampled anew, in turns, so often
  // that nobody compares them with the others, and what they won by does not count.
  const int finals = winners.size() > 1 && !options.equally ? 2 * options.samples + 2 : 0;
  for (size_t s = 0; s < shares.size() && finals > 0; ++s) {
    for (size_t at : winners)
      results[s][at].samples.clear();
    constexpr int turn = 4;
    for (int done = 0; done < finals; done += turn)
      for (size_t at : winners) {
        MTC_ASSIGN_OR_RETURN(auto more, sample(at, shares[s], std::min(turn, finals - done)));
        std::vector<int64_t> &samples = results[s][at].samples;
        samples.insert(samples.end(), more.begin(), more.end());
      }
  }
  TuningRecords records;
  for (size_t s = 0; s < shares.size(); ++s)
    for (size_t at = 0; at < usable.size(); ++at) {
      std::vector<int64_t> &samples = results[s][at].samples;
      TimeRecord record;
      record.key = {candidate.kernel, candidate.configs[usable[at]], shares[s].granules,
                    shares[s].neighbour, options.device};
      record.ns = lowerQuartile(samples);
      record.samples = int32_t(samples.size());
      if (options.equally)
        record.halves = halvesOf(samples, kSamplesOfTurn);
      records.times.push_back(std::move(record));
    }
  writeAll(fd, printHeader("-") + printRecords(records) + "end\n");
  return okStatus();
}

/// What a process has written until it ended, and how it ended; empty: well.
std::string collect(int fd, pid_t child, int64_t timeoutNs, std::string &text) {
  bool isLate = false;
  char buffer[65536];
  for (;;) {
    pollfd waiting = {fd, POLLIN, 0};
    const int ready = poll(&waiting, 1, int(timeoutNs / 1'000'000));
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready == 0) {
      isLate = true;
      kill(child, SIGKILL);
    }
    const ssize_t got = ready > 0 ? read(fd, buffer, sizeof(buffer)) : 0;
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    text.append(buffer, size_t(got));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (isLate)
    return fmt::format("hangs: no sign of life for {} s", timeoutNs / 1'000'000'000);
  if (WIFSIGNALED(status))
    return fmt::format("crashes with signal {}", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "fails";
}

} // namespace

StatusOr<std::vector<TimeRecord>> measureKernel(KernelMeter &meter, const BundleTarget &target,
                                                size_t kernel, const CandidateKernel &candidate,
                                                const MeasureOptions &options) {
  std::vector<TimeRecord> failures;
  std::vector<size_t> usable(candidate.configs.size());
  for (size_t i = 0; i < usable.size(); ++i)
    usable[i] = i;
  while (!usable.empty()) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
      return internalError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
    const pid_t child = fork();
    if (child < 0)
      return internalError(fmt::format("cannot fork: {}", std::strerror(errno)));
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(ends[0]);
      const Status status = measure(meter, target, kernel, candidate, usable, options, ends[1]);
      if (!status.ok())
        writeAll(ends[1], "!" + status.message() + "\n");
      _exit(status.ok() ? 0 : 1);
    }
    close(ends[1]);
    std::string text;
    std::string failure = collect(ends[0], child, options.timeoutNs, text);
    close(ends[0]);
    const size_t header = text.find('{');
    if (failure.empty() && header != std::string::npos && text.ends_with("end\n")) {
      text.resize(text.size() - 4);
      MTC_ASSIGN_OR_RETURN(TuningRecords records,
                           parseRecords(std::string_view(text).substr(header), "-", "results"));
      records.times.insert(records.times.end(), failures.begin(), failures.end());
      return std::move(records.times);
    }
    const size_t said = text.rfind("\n!") != std::string::npos ? text.rfind("\n!") + 2
                        : text.starts_with('!')                ? 1
                                                               : std::string::npos;
    if (said != std::string::npos)
      failure = text.substr(said, text.find('\n', said) - said);
    const size_t mark = text.rfind('@');
    if (mark == std::string::npos)
      return internalError(fmt::format("kernel '{}' cannot be measured: {}",
                                       target.problem.kernels[kernel].name, failure));
    const size_t guilty = std::strtoull(text.c_str() + mark + 1, nullptr, 10);
    TimeRecord record;
    record.key = {candidate.kernel, candidate.configs.at(guilty), 1, "none", options.device};
    record.failure = failure;
    failures.push_back(std::move(record));
    std::erase(usable, guilty);
  }
  return failures;
}

} // namespace mtc::tool
