//===- EveryError.cpp - a CUDA session when every call of the driver fails -//
//
// mtc-every-cuda-error BUNDLE FAKE: BUNDLE has a host and a CUDA target, FAKE is the fake driver
// (MTC_FAKE_CUDA_KERNELS names the bundle's emulated kernels).
//
// A scenario opens a session on the GPU, runs a round, a tenant alone with other memory, a round
// with a cancelled request, and closes all. First without errors, in several orders of nodes: the
// answers must be the host's. Then with each of its driver calls failing in turn, in each of
// several ways: every request must end with an error or with the right answer, a lost device must
// stay lost, and the fake must see no broken rule and nothing left behind. Where tasks are
// recorded, their times must be those of the plan's orders.
//
//===----------------------------------------------------------------------===//
#include "CUDA/Gpu.h"
#include "CUDA/Memory.h"
#include "mtc/Runtime/Cuda.h"
#include "mtc/Runtime/Session.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <map>

using namespace mtc;

namespace {

struct FakeControl {
  void (*reset)(int64_t failAt, int failWith, uint64_t seed) = nullptr;
  uint64_t (*calls)() = nullptr;
  uint64_t (*violations)() = nullptr;
};

int failures = 0;

void fail(const std::string &what) {
  fmt::print("FAILED: {}\n", what);
  ++failures;
}

/// Outputs of a request, one after the other.
using Answer = std::vector<std::vector<float>>;

void fill(Request &request) {
  for (const Tensor &tensor : request.entry().inputs) {
    if (tensor.value)
      continue;
    void *memory = *request.memory(tensor.name, true);
    if (tensor.elementType != "f32") { // a number of iterations, a condition
      std::memset(memory, 0, static_cast<size_t>(tensor.bytes));
      *static_cast<uint8_t *>(memory) = tensor.elementType == "bool" ? 1 : 3;
      continue;
    }
    auto *data = static_cast<float *>(memory);
    for (int64_t i = 0; i < tensor.bytes / 4; ++i)
      data[i] = static_cast<float>((i * 37 + 11) % 101) / 50.0f - 1.0f;
  }
}

Answer answerOf(const Request &request) {
  Answer answer;
  for (const Tensor &tensor : request.entry().outputs) {
    const auto *data = static_cast<const float *>(request.bound(tensor.name, false));
    answer.emplace_back(data, data + tensor.bytes / 4);
  }
  return answer;
}

bool agrees(const Answer &a, const Answer &b) {
  for (size_t o = 0; o < a.size(); ++o)
    for (size_t i = 0; i < a[o].size(); ++i)
      if (!(std::fabs(a[o][i] - b[o][i]) <= 1e-5f + 1e-4f * std::fabs(b[o][i])))
        return false;
  return true;
}

class Scenario {
public:
  Scenario(std::shared_ptr<const BundleReader> bundle, SessionOptions options,
           const std::vector<Answer> *wanted)
      : bundle(std::move(bundle)), options(std::move(options)), wanted(wanted) {}

  /// Returns the messages of all that went wrong.
  std::vector<std::string> run() {
    auto session = Session::create(bundle, options);
    if (!session.ok()) {
      note(RequestStatus(session.status()));
      return messages;
    }
    std::vector<std::unique_ptr<Request>> requests;
    std::vector<Request *> round;
    for (const Tenant &tenant : (*session)->target().problem.tenants) {
      requests.push_back(std::move(*(*session)->createRequest(tenant.name)));
      fill(*requests.back());
      for (const Tensor &output : requests.back()->entry().outputs)
        (void)requests.back()->memory(output.name, false);
      round.push_back(requests.back().get());
    }
    submitAndCheck(**session, round);
    if (!wanted)
      for (Request *request : round)
        answers.push_back(answerOf(*request));
    // Alone, with other memory: the graph's copies go elsewhere.
    auto other = (*session)->createRequest(round[0]->tenant().name);
    fill(**other);
    for (const Tensor &output : (*other)->entry().outputs)
      (void)(*other)->memory(output.name, false);
    submitAndCheck(**session, {round[0]});
    submitAndCheck(**session, {other->get()});
    // A round of which the first is cancelled while something else runs.
    const RequestStatus first = (*session)->submit(std::vector<Request *>{other->get()});
    note(first);
    const RequestStatus queued = (*session)->submit(round);
    note(queued);
    if (queued.ok())
      (void)round[0]->cancel();
    if (first.ok())
      note((*other)->wait());
    for (Request *request : round)
      if (queued.ok())
        check(*request);
    return messages;
  }

  std::vector<Answer> answers; ///< of the round, if none were wanted

private:
  void note(const RequestStatus &status) {
    if (status.ok() || status.code == RequestCode::Cancelled) {
      if (isLost && status.ok())
        fail("a request succeeds although the device was lost before");
      return;
    }
    if (status.message.empty())
      fail("an error has no message");
    if (isLost && status.code != RequestCode::DeviceUnavailable)
      fail("after the loss of the device: " + status.message);
    isLost |= status.code == RequestCode::DeviceUnavailable;
    messages.push_back(status.message);
  }

  void check(Request &request) {
    const RequestStatus status = request.wait();
    note(status);
    if (!status.ok() || !wanted)
      return;
    for (size_t t = 0; t < wanted->size(); ++t)
      if (request.tenant().name == bundle->targets()[0].problem.tenants[t].name &&
          !agrees(answerOf(request), (*wanted)[t]))
        fail(fmt::format("tenant '{}' has another answer than the host", request.tenant().name));
  }

  void submitAndCheck(Session &session, const std::vector<Request *> &requests) {
    // A wrong answer must not pass for being there from before.
    for (Request *request : requests)
      for (const Tensor &output : request->entry().outputs)
        std::memset(request->bound(output.name, false), 0xFF, static_cast<size_t>(output.bytes));
    const RequestStatus status = session.submit(requests);
    if (!status.ok())
      return note(status);
    for (Request *request : requests)
      check(*request);
  }

  std::shared_ptr<const BundleReader> bundle;
  SessionOptions options;
  const std::vector<Answer> *wanted;
  std::vector<std::string> messages;
  bool isLost = false;
};

/// The times of a job's tasks: all of them, each behind those that it waits for; or none, of a job
/// that failed.
void checkTimes(const JobReport &report, bool mayFail) {
  const auto &commands = report.plan.commands;
  if (report.tasks.empty() && mayFail)
    return;
  size_t wanted = 0;
  for (const Command &command : commands)
    wanted += static_cast<size_t>(std::popcount(command.granules));
  if (report.tasks.size() != wanted)
    return fail(fmt::format("{} records of tasks, wanted {}", report.tasks.size(), wanted));
  std::vector<const TaskRecord *> of(commands.size());
  for (const TaskRecord &record : report.tasks) {
    const auto c = static_cast<size_t>(record.command);
    of[c] = &record;
    if (!(commands[c].granules >> record.worker & 1) || record.startNs < report.firstNs ||
        record.endNs <= record.startNs)
      fail(fmt::format("task {} has no such time or granule", c));
  }
  for (size_t c = 0; c < commands.size(); ++c)
    for (int32_t wait : commands[c].waits)
      if (of[c]->startNs < of[static_cast<size_t>(wait)]->endNs)
        fail(fmt::format("task {} starts before {}, which it waits for, has ended", c, wait));
}

bool hasControlFlow(const Problem &problem, const Entry &entry) {
  for (const Task &task : entry.tasks)
    if (problem.kernels[static_cast<size_t>(task.kernel)].region)
      return true;
  return false;
}

/// Control flow ends after submit() has returned: no event can be recorded behind it by then.
Status signalControlFlow(const std::shared_ptr<const BundleReader> &bundle,
                         const SessionOptions &options, const std::string &tenant) {
  MTC_ASSIGN_OR_RETURN(auto session, Session::create(bundle, options));
  MTC_ASSIGN_OR_RETURN(auto request, session->createRequest(tenant));
  fill(*request);
  for (const Tensor &output : request->entry().outputs)
    MTC_RETURN_IF_ERROR(request->memory(output.name, false).status());
  MTC_RETURN_IF_ERROR(request->signalEvent(session.get())); // nobody looks at it
  const RequestStatus submitted = session->submit(std::vector<Request *>{request.get()});
  const RequestStatus status = submitted.ok() ? request->wait() : submitted;
  if (status.code != RequestCode::InvalidInput ||
      status.message.find("signals no events") == std::string::npos)
    fail("control flow signals an event: " + status.message);
  return okStatus();
}

/// Events and memory of a caller, in its own stream of the same context.
Status useCallersObjects(const std::shared_ptr<const BundleReader> &bundle, SessionOptions options,
                         const std::vector<Answer> &answers) {
  const Problem &problem = bundle->targets()[0].problem;
  size_t plain = 0; // the first tenant without control flow
  while (hasControlFlow(problem, problem.entries[plain]))
    MTC_RETURN_IF_ERROR(signalControlFlow(bundle, options, problem.tenants[plain++].name));
  const Answer &wanted = answers[plain];
  MTC_ASSIGN_OR_RETURN(auto driver, gpu::Driver::open(options.cudaDriver));
  MTC_ASSIGN_OR_RETURN(auto device, gpu::Gpu::open(driver, 0, nullptr));
  const gpu::Driver &cu = *driver;
  options.cudaContext = device->primary();
  CUstream stream = nullptr;
  CUevent before = nullptr, after = nullptr;
  gpu::GuardedRange range(*device);
  {
    gpu::CurrentContext current(cu, device->primary());
    MTC_CU(cu, cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
    MTC_CU(cu, cuEventCreate, &before, CU_EVENT_DISABLE_TIMING);
    MTC_CU(cu, cuEventCreate, &after, CU_EVENT_DISABLE_TIMING);
    MTC_RETURN_IF_ERROR(range.grow(1 << 20));
    MTC_ASSIGN_OR_RETURN(auto session, Session::create(bundle, options));
    MTC_ASSIGN_OR_RETURN(auto request, session->createRequest(problem.tenants[plain].name));
    fill(*request);
    const Tensor &input = request->entry().inputs[0];
    const Tensor &output = request->entry().outputs[0];
    MTC_RETURN_IF_ERROR(request->memory(output.name, false).status());
    // The input comes from device memory that the caller's stream fills.
    std::vector<float> values(static_cast<size_t>(input.bytes / 4));
    std::memcpy(values.data(), request->bound(input.name, true), size_t(input.bytes));
    MTC_CU(cu, cuMemcpyHtoD, range.address(), values.data(), size_t(input.bytes));
    MTC_CU(cu, cuEventRecord, before, stream);
    MTC_RETURN_IF_ERROR(request->bindInput(input.name, reinterpret_cast<void *>(range.address()),
                                           input.bytes, MemoryKind::Device));
    for (int run = 0; run < 2; ++run) {
      MTC_RETURN_IF_ERROR(request->waitForEvent(before));
      MTC_RETURN_IF_ERROR(request->signalEvent(after));
      const RequestStatus submitted = session->submit(std::vector<Request *>{request.get()});
      if (!submitted.ok())
        return internalError(submitted.message);
      MTC_CU(cu, cuStreamWaitEvent, stream, after, 0); // recorded: submit() has returned
      MTC_CU(cu, cuStreamSynchronize, stream);
      if (run == 0 && !agrees(answerOf(*request), wanted))
        fail("the signalled event comes before the answer");
      if (const RequestStatus ended = request->wait(); !ended.ok())
        return internalError(ended.message);
      if (!agrees(answerOf(*request), wanted))
        fail("an answer from device memory differs");
      // Then from the host again: the graph is made anew.
      if (run == 0)
        MTC_RETURN_IF_ERROR(
            request->bindInput(input.name, *request->memory(input.name, true), input.bytes));
      if (run == 0)
        std::memcpy(request->bound(input.name, true), values.data(), size_t(input.bytes));
    }
    if (request->waitForEvent(nullptr).ok())
      fail("a null event is taken");
    options.cudaContext = &options;
    if (Session::create(bundle, options).ok())
      fail("a context that is not the device's is taken");
  }
  for (CUevent event : {before, after})
    MTC_CU(cu, cuEventDestroy, event);
  MTC_CU(cu, cuStreamDestroy, stream);
  return okStatus();
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: mtc-every-cuda-error BUNDLE FAKE\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  void *library = ::dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fmt::print(stderr, "{}\n", ::dlerror());
    return 2;
  }
  FakeControl fake;
  fake.reset = reinterpret_cast<decltype(fake.reset)>(::dlsym(library, "mtcFakeReset"));
  fake.calls = reinterpret_cast<decltype(fake.calls)>(::dlsym(library, "mtcFakeCalls"));
  fake.violations =
      reinterpret_cast<decltype(fake.violations)>(::dlsym(library, "mtcFakeViolations"));
  const auto opened = BundleReader::open(argv[1]);
  if (!opened.ok()) {
    fmt::print(stderr, "{}\n", opened.status().message());
    return 2;
  }
  SessionOptions host;
  Scenario reference(*opened, host, nullptr);
  if (!reference.run().empty())
    fail("the host fails");
  const std::vector<Answer> &wanted = reference.answers;

  SessionOptions cuda;
  cuda.device = "cuda";
  cuda.cudaDriver = argv[2];
  cuda.spinNs = 0;
  // Ways to launch: as one graph, by nodes, a graph and more per partition.
  enum Way { OneGraph, ByNodes, ByPartitions, Recorded, RecordedByPartitions };
  static constexpr Way ways[] = {OneGraph, ByNodes, ByPartitions, Recorded, RecordedByPartitions};
  static constexpr const char *names[] = {"", ", by nodes", ", by partitions", ", recorded",
                                          ", recorded by partitions"};
  bool mayFail = false;
  auto choose = [&](Way way) {
    const bool isByPartitions = way == ByPartitions || way == RecordedByPartitions;
    cuda.nodeByNode = way == ByNodes;
    cuda.cudaSharing = isByPartitions ? CudaSharing::Graphs : CudaSharing::Graph;
    cuda.recordTasks = way == Recorded || way == RecordedByPartitions;
    cuda.jobEnded = nullptr;
    if (cuda.recordTasks)
      cuda.jobEnded = [&](const JobReport &report) { checkTimes(report, mayFail); };
  };
  uint64_t calls[std::size(ways)] = {};
  for (Way way : ways)
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      choose(way);
      fake.reset(-1, 0, seed);
      for (const std::string &message : Scenario(*opened, cuda, &wanted).run())
        fail("without an error: " + message);
      if (fake.violations() > 0)
        fail("without an error a rule is broken");
      calls[way] = fake.calls();
    }
  choose(OneGraph);
  fake.reset(-1, 0, 1);
  if (const Status status = useCallersObjects(*opened, cuda, wanted); !status.ok())
    fail("the caller's objects: " + status.message());
  if (fake.violations() > 0)
    fail("with the caller's objects a rule is broken");

  // Copies that are measured: whatever fails is told, but by what only frees things.
  fake.reset(-1, 0, 1);
  if (const auto rates = measureCudaCopies("cuda", argv[2]); !rates.ok() || rates->size() < 5)
    fail("copies are not measured");
  int silent = 0;
  for (uint64_t k = 0, all = fake.calls(); k < all; ++k) {
    fake.reset(static_cast<int64_t>(k), CUDA_ERROR_OUT_OF_MEMORY, 1);
    silent += measureCudaCopies("cuda", argv[2]).ok();
    if (fake.violations() > 0)
      fail(fmt::format("measured copies break a rule with an error at call {}", k));
  }
  if (silent > 12) // 2 ranges of 3, 2 events, a stream that is waited for first, the context twice
    fail(fmt::format("{} errors of measured copies are not told", silent));
  mayFail = true;

  // The number of calls differs a little from run to run, as threads poll: go beyond.
  int runs = 0, errors = 0, named = 0;
  for (Way way : ways)
    for (int code :
         {CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED})
      for (uint64_t k = 0; k < calls[way] + 4; ++k) {
        // Losses alike; out of memory is another way. By nodes only what launches differs, by
        // partitions also what is made for that, with records what makes and reads them.
        if ((way == ByNodes && code != CUDA_ERROR_LAUNCH_FAILED) ||
            (way == RecordedByPartitions && code != CUDA_ERROR_LAUNCH_FAILED) ||
            (way != OneGraph && code == CUDA_ERROR_ILLEGAL_ADDRESS))
          continue;
        choose(way);
        fake.reset(static_cast<int64_t>(k), code, k);
        const int before = failures;
        const auto messages = Scenario(*opened, cuda, &wanted).run();
        if (fake.violations() > 0)
          fail("a rule is broken");
        if (failures != before)
          fmt::print("... with error {} at call {}{}\n", code, k, names[way]);
        ++runs;
        errors += !messages.empty();
        for (const std::string &message : messages)
          if (message.find(": task ") != std::string::npos) {
            ++named;
            break;
          }
      }
  if (errors == 0 || named == 0)
    fail("no error was seen, or none with the name of a task");
  fmt::print("{} calls, {} by nodes; {} runs with an error, {} reported, {} naming a task; {} "
             "failures\n",
             calls[0], calls[1], runs, errors, named, failures);
  return failures ? 1 : 0;
}
