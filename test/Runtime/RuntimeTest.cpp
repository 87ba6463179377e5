//===- RuntimeTest.cpp - sessions replay plans ----------------------------===//
#include "SampleContents.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Runtime/Session.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Support/Clock.h"
#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <unistd.h>

using namespace mtc;
using mtc::test::kElements;

namespace {

/// Milliseconds that `slow` computes: far longer than a busy machine keeps the test from its next
/// line.
constexpr float kLong = 1000;

class RuntimeTest : public testing::Test {
protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("mtc-runtime-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// A session on the sample compiled for `granules` cores.
  std::shared_ptr<Session> session(int granules = 2, SessionOptions options = {}) {
    const std::string path = folder_ / "sample.mtb";
    const Status written = writeBundle(path, test::sampleContents(granules));
    EXPECT_TRUE(written.ok()) << written.message();
    auto reader = BundleReader::open(path);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    auto session = Session::create(*reader, std::move(options));
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? *session : nullptr;
  }

  /// A request with memory of its own, x filled by `fill(i)`.
  template <typename Fill>
  std::unique_ptr<Request> request(Session &session, const char *tenant, Fill fill) {
    auto made = session.createRequest(tenant);
    EXPECT_TRUE(made.ok()) << made.status().message();
    Request &request = **made;
    float *x = floats(request, "x", true);
    for (int64_t i = 0; i < kElements; ++i)
      x[i] = fill(i);
    for (const Tensor &output : request.entry().outputs)
      EXPECT_TRUE(request.memory(output.name, false).ok());
    return std::move(*made);
  }

  static float *floats(Request &request, const char *name, bool isInput) {
    auto memory = request.memory(name, isInput);
    EXPECT_TRUE(memory.ok()) << memory.status().message();
    return static_cast<float *>(*memory);
  }

  static RequestStatus run(Session &session, std::vector<Request *> requests) {
    RequestStatus status = session.submit(requests);
    for (Request *request : requests)
      if (status.ok())
        status = request->wait();
    return status;
  }

  std::filesystem::path folder_;
};

const auto kIndex = [](int64_t i) { return static_cast<float>(i % 7 + 1); };

// An entry compiled for a value of an input: the input need not be bound, starts with the value
// when its memory is asked for, and is refused with another value.
TEST_F(RuntimeTest, ChecksKnownValues) {
  Contents contents = test::sampleContents(2);
  Entry &chain = contents.targets[0].problem.entries[0];
  chain.inputs.push_back({"axes", "i64", {2}, 16, std::vector<uint8_t>(16, 0)});
  chain.inputs.back().value->at(8) = 7;
  chain.inputs.push_back({"none", "i64", {0}, 0, std::vector<uint8_t>()});
  chain.values.push_back({ValueKind::Input, 16, 1});
  chain.values.push_back({ValueKind::Input, 0, 2});
  const std::string path = folder_ / "known.mtb";
  ASSERT_TRUE(writeBundle(path, contents).ok());
  auto reader = BundleReader::open(path);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  ASSERT_EQ((*reader)->targets()[0].problem.entries[0].inputs[1].value, chain.inputs[1].value);
  ASSERT_EQ((*reader)->targets()[0].problem.entries[0].inputs[2].value, std::vector<uint8_t>());
  auto session = Session::create(*reader);
  ASSERT_TRUE(session.ok()) << session.status().message();

  auto r = request(**session, "chain", kIndex);
  EXPECT_TRUE(run(**session, {r.get()}).ok());
  auto *axes = static_cast<int64_t *>(*r->memory("axes", true));
  EXPECT_TRUE(run(**session, {r.get()}).ok());
  EXPECT_EQ(axes[1], 7);
  axes[1] = -3;
  const RequestStatus status = run(**session, {r.get()});
  EXPECT_EQ(status.code, RequestCode::InvalidInput);
  EXPECT_EQ(status.message, "tenant 'chain' input 'axes': this entry was compiled for the value "
                            "[0, 7], got [0, -3]");
}

// A chain of two tasks computes x * 2 * i.
TEST_F(RuntimeTest, RunsATenantAlone) {
  auto s = session();
  auto chain = request(*s, "chain", kIndex);
  ASSERT_EQ(run(*s, {chain.get()}).message, "");
  const float *y = floats(*chain, "y", false);
  for (int64_t i = 0; i < kElements; ++i)
    ASSERT_EQ(y[i], kIndex(i) * 2 * static_cast<float>(i)) << i;
  EXPECT_EQ(s->statistics().completed, 1u);
  EXPECT_LE(chain->startedNs(), chain->finishedNs());
}

// The phases of a task on several cores are separated by a barrier, round after round.
TEST_F(RuntimeTest, SeparatesPhases) {
  auto s = session();
  auto phases = request(*s, "phases", kIndex);
  float sum = 0;
  for (int64_t tile = 0; tile < 64; ++tile) {
    float part = 0;
    for (int64_t i = 0; i < 16; ++i)
      part += kIndex(tile * 16 + i);
    sum += part;
  }
  for (int round = 0; round < 300; ++round) {
    float *y = floats(*phases, "y", false);
    std::fill(y, y + kElements, -1.0f);
    ASSERT_EQ(run(*s, {phases.get()}).message, "");
    for (int64_t i = 0; i < kElements; ++i)
      ASSERT_EQ(y[i], kIndex(i) / sum) << "round " << round << " element " << i;
  }
}

// Rule R1: with durations jittered by 0.25 to 4 every output keeps its bits, in any order of
// tenants.
TEST_F(RuntimeTest, KeepsBitsUnderJitter) {
  for (int granules : {1, 2}) {
    std::vector<std::vector<float>> reference;
    for (uint64_t seed = 0; seed < 12; ++seed) {
      SessionOptions options;
      options.jitterSeed = seed;
      auto s = session(granules, options);
      std::vector<std::unique_ptr<Request>> requests;
      for (const char *tenant : {"chain", "diamond", "phases", "fragile", "slow"})
        requests.push_back(request(*s, tenant, [](int64_t i) { return 0.1f + 0.01f * float(i); }));
      std::vector<Request *> order;
      for (size_t i = 0; i < requests.size(); ++i)
        order.push_back(requests[(i + seed) % requests.size()].get());
      ASSERT_EQ(run(*s, order).message, "");
      for (size_t i = 0; i < requests.size(); ++i) {
        const float *y = floats(*requests[i], "y", false);
        const std::vector<float> got(y, y + kElements);
        if (seed == 0)
          reference.push_back(got);
        else
          ASSERT_EQ(got, reference[i]) << "tenant " << i << " seed " << seed;
      }
    }
  }
}

// A round of some tenants, or of one twice, has no stored plan: it is planned here.
TEST_F(RuntimeTest, PlansRoundsThatAreNotStored) {
  auto s = session();
  auto a = request(*s, "diamond", kIndex);
  auto b = request(*s, "diamond", [](int64_t) { return 1.0f; });
  auto c = request(*s, "chain", kIndex);
  ASSERT_EQ(run(*s, {a.get(), b.get(), c.get()}).message, "");
  for (int64_t i = 0; i < kElements; ++i) {
    ASSERT_EQ(floats(*a, "y", false)[i], kIndex(i) * 2 + kIndex(i) * float(i));
    ASSERT_EQ(floats(*b, "y", false)[i], 2 + float(i));
    ASSERT_EQ(floats(*c, "y", false)[i], kIndex(i) * 2 * float(i));
  }
}

// Rule R5: a bundle for more cores than there are runs all the same, and says so.
TEST_F(RuntimeTest, PlansAgainForFewerCores) {
  std::vector<std::string> notices;
  SessionOptions options;
  options.log = [&](LogLevel level, const std::string &text) {
    if (level == LogLevel::Notice)
      notices.push_back(text);
  };
  auto s = session(64, options);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find("compiled for 64 cores, "), std::string::npos) << notices[0];
  std::vector<std::unique_ptr<Request>> requests;
  std::vector<Request *> round;
  for (const char *tenant : {"chain", "diamond", "phases", "fragile", "slow"}) {
    requests.push_back(request(*s, tenant, [](int64_t) { return 1.0f; }));
    round.push_back(requests.back().get());
  }
  ASSERT_EQ(run(*s, round).message, "");
  EXPECT_EQ(floats(*requests[1], "y", false)[5], 7.0f);
}

// A kernel's status fails its request and names the task; the others of the round and later runs
// are fine.
TEST_F(RuntimeTest, FailingKernelFailsItsRequestOnly) {
  auto s = session();
  auto bad = request(*s, "fragile", [](int64_t i) { return i == 900 ? 13.0f : 1.0f; });
  auto good = request(*s, "diamond", kIndex);
  Request *both[] = {bad.get(), good.get()};
  ASSERT_TRUE(s->submit(both).ok());
  const RequestStatus failed = bad->wait();
  EXPECT_EQ(failed.code, RequestCode::KernelFailed);
  EXPECT_EQ(failed.message, "tenant 'fragile': task 0 (fragile) failed with status 7");
  EXPECT_TRUE(good->wait().ok());
  floats(*bad, "x", true)[900] = 2;
  EXPECT_EQ(run(*s, {bad.get()}).message, "");
  EXPECT_EQ(s->statistics().failed, 1u);
  EXPECT_EQ(s->statistics().completed, 2u);
}

// The queue is bounded; a queued request can be cancelled, a running one cannot.
TEST_F(RuntimeTest, BoundsTheQueueAndCancels) {
  SessionOptions options;
  options.queueCapacity = 1;
  auto s = session(2, options);
  auto running = request(*s, "slow", [](int64_t) { return kLong; });
  auto queued = request(*s, "chain", kIndex);
  auto refused = request(*s, "chain", kIndex);
  Request *first = running.get(), *second = queued.get(), *third = refused.get();
  ASSERT_TRUE(s->submit({&first, 1}).ok());
  ASSERT_TRUE(s->submit({&second, 1}).ok());
  const RequestStatus busy = s->submit({&third, 1});
  EXPECT_EQ(busy.code, RequestCode::Busy);
  EXPECT_EQ(busy.message, "the queue is full: 1 jobs wait");
  EXPECT_EQ(queued->status().code, RequestCode::Pending);
  EXPECT_EQ(s->submit({&second, 1}).message, "a request of tenant 'chain' is still under way");
  EXPECT_EQ(queued->bindInput("x", floats(*refused, "x", true), kElements * 4).message(),
            "input 'x' cannot be bound while its request is under way");
  EXPECT_EQ(running->cancel().message, "the request has started");
  EXPECT_TRUE(queued->cancel().ok());
  EXPECT_EQ(queued->wait().code, RequestCode::Cancelled);
  EXPECT_EQ(queued->cancel().message, "the request is not queued");
  EXPECT_TRUE(s->submit({&third, 1}).ok());
  EXPECT_TRUE(refused->wait().ok());
  EXPECT_TRUE(running->wait().ok());
  const SessionStatistics statistics = s->statistics();
  EXPECT_EQ(statistics.busy, 1u);
  EXPECT_EQ(statistics.cancelled, 1u);
  EXPECT_EQ(statistics.completed, 2u);
}

// A cancelled member of a queued round leaves the others running.
TEST_F(RuntimeTest, CancelsOneOfARound) {
  auto s = session();
  auto blocker = request(*s, "slow", [](int64_t) { return kLong; });
  auto a = request(*s, "chain", kIndex), b = request(*s, "diamond", kIndex);
  floats(*a, "y", false)[3] = -5;
  Request *first = blocker.get(), *round[] = {a.get(), b.get()};
  ASSERT_TRUE(s->submit({&first, 1}).ok());
  ASSERT_TRUE(s->submit(round).ok());
  EXPECT_TRUE(a->cancel().ok());
  EXPECT_TRUE(b->wait().ok());
  EXPECT_EQ(a->wait().code, RequestCode::Cancelled);
  EXPECT_EQ(floats(*a, "y", false)[3], -5);
  EXPECT_EQ(floats(*b, "y", false)[3], kIndex(3) * 5);
}

// A deadline that passes before the start is a timeout; a wait can end before its request.
TEST_F(RuntimeTest, DeadlinesAndWaits) {
  auto s = session();
  auto blocker = request(*s, "slow", [](int64_t) { return kLong; });
  auto late = request(*s, "chain", kIndex);
  Request *first = blocker.get(), *second = late.get();
  ASSERT_TRUE(s->submit({&first, 1}).ok());
  ASSERT_TRUE(s->submit({&second, 1}, nowNs() + 1'000'000).ok());
  EXPECT_EQ(blocker->wait(nowNs() + 2'000'000).message, "the wait ended before the request did");
  const RequestStatus status = late->wait();
  EXPECT_EQ(status.code, RequestCode::Timeout);
  EXPECT_EQ(status.message, "the deadline passed before the start");
  EXPECT_TRUE(blocker->wait().ok());
  EXPECT_EQ(s->statistics().timedOut, 1u);
}

// A callback can submit its request again; 200 runs go through a queue of one.
TEST_F(RuntimeTest, CallbackSubmitsAgain) {
  auto s = session();
  auto chain = request(*s, "chain", kIndex);
  std::atomic<int> left{200};
  std::atomic<bool> over{false};
  Session::Done again = [&](Request &request, const RequestStatus &status) {
    Request *self = &request;
    if (!status.ok() || --left == 0)
      over = true;
    else if (!s->submit({&self, 1}, 0, again).ok())
      over = true;
  };
  Request *self = chain.get();
  ASSERT_TRUE(s->submit({&self, 1}, 0, again).ok());
  while (!over)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(left, 0);
  EXPECT_TRUE(chain->wait().ok());
}

// Four threads share a session, each with requests of its own; all outputs are right.
TEST_F(RuntimeTest, SessionIsThreadSafe) {
  SessionOptions options;
  options.spinNs = 0; // the sleeping path
  options.idleSpinNs = 0;
  auto s = session(2, options);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      auto r = request(*s, t % 2 ? "diamond" : "phases", [&](int64_t) { return float(t + 1); });
      for (int i = 0; i < 200; ++i) {
        wrong += !run(*s, {r.get()}).ok();
        const float want = t % 2 ? float(t + 1) * 12 : 1.0f / kElements;
        wrong += floats(*r, "y", false)[10] != want;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(s->statistics().completed, 800u);
}

// Recorded tasks cover the commands of a round, each on the workers of its mask, in order on every
// worker.
TEST_F(RuntimeTest, RecordsTasks) {
  std::mutex mutex;
  std::vector<TaskRecord> records;
  size_t commands = 0;
  SessionOptions options;
  options.recordTasks = true;
  options.jobEnded = [&](const JobReport &report) {
    std::lock_guard lock(mutex);
    records = report.tasks;
    commands = report.plan.commands.size();
    for (const TaskRecord &record : report.tasks) {
      EXPECT_TRUE(report.plan.commands[record.command].granules >> record.worker & 1);
      EXPECT_LE(report.startNs, record.startNs);
      EXPECT_LE(record.startNs, record.endNs);
      EXPECT_LE(record.endNs, report.endNs);
    }
  };
  auto s = session(2, options);
  auto diamond = request(*s, "diamond", kIndex);
  ASSERT_EQ(run(*s, {diamond.get()}).message, "");
  diamond.reset();
  s.reset(); // jobEnded has run when the session is gone
  EXPECT_EQ(commands, 3u);
  EXPECT_GE(records.size(), commands);
}

// Tasks of five tenants in one command each round, against what they give in commands of their own:
// equal bits, failures stay with who failed, any two tenants have a round, and what is recorded is
// who ran what.
TEST_F(RuntimeTest, RunsMergedCommands) {
  Contents contents = test::sampleContents(2);
  TargetProgram &target = contents.targets[0];
  for (Tenant &tenant : target.problem.tenants)
    tenant.isolation = "default";
  for (Kernel &kernel : target.problem.kernels) // nobody is faster on two cores
    kernel.variants[0].times = {{1, 100000, TimeOrigin::Modelled}};
  const Workload round = *roundWorkload(target.problem);
  const Workload pair = {"chain+fragile", {0, 3}, round.granules};
  target.schedules.clear();
  target.plans.clear();
  for (const Workload &workload : {round, pair}) {
    auto schedule = runPolicy("sequential", target.problem, workload, {.merge = true});
    ASSERT_TRUE(schedule.ok()) << schedule.status().message();
    EXPECT_GE(mergedTasks(*schedule), workload.instances.size() == 2 ? 1 : 4);
    auto plan = makePlan(target.problem, *schedule);
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    target.schedules.push_back(*schedule);
    target.plans.push_back(*plan);
  }
  const std::string path = folder_ / "merged.mtb";
  ASSERT_TRUE(writeBundle(path, contents).ok());
  auto bytes = readFile(path);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ((*bytes)[8], 2); // a format that programs refuse that do not know merged places

  auto reader = BundleReader::open(path);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  std::mutex mutex;
  size_t jobs = 0;
  for (const uint64_t jitter : {0, 17}) {
    SessionOptions options;
    options.jitterSeed = jitter;
    options.recordTasks = true;
    options.jobEnded = [&](const JobReport &report) {
      std::lock_guard lock(mutex);
      if (report.schedule.workload.instances.size() < 2)
        return;
      ++jobs;
      std::set<int32_t> recorded;
      for (const TaskRecord &record : report.tasks) {
        recorded.insert(record.command);
        EXPECT_TRUE(report.plan.commands[record.command].granules >> record.worker & 1);
        EXPECT_LE(record.startNs, record.endNs);
      }
      EXPECT_EQ(recorded.size(), report.plan.commands.size());
      EXPECT_GT(mergedTasks(report.schedule), 0);
    };
    auto s = Session::create(*reader, std::move(options));
    ASSERT_TRUE(s.ok()) << s.status().message();
    std::vector<std::unique_ptr<Request>> all, alone;
    std::vector<Request *> requests;
    for (const char *tenant : {"chain", "diamond", "phases", "fragile", "slow"}) {
      const auto fill = [&](int64_t i) { return tenant == std::string("slow") ? 0 : kIndex(i); };
      all.push_back(request(**s, tenant, fill));
      alone.push_back(request(**s, tenant, fill));
      requests.push_back(all.back().get());
      ASSERT_EQ(run(**s, {alone.back().get()}).message, "");
    }
    for (int turn = 0; turn < 20; ++turn) {
      for (Request *r : requests)
        std::fill_n(floats(*r, "y", false), kElements, -1.0f);
      ASSERT_EQ(run(**s, requests).message, "");
      for (size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(std::memcmp(floats(*all[i], "y", false), floats(*alone[i], "y", false),
                              kElements * sizeof(float)),
                  0)
            << "tenant " << i << " turn " << turn;
    }
    // One of them fails.
    floats(*all[3], "x", true)[700] = 13;
    std::fill_n(floats(*all[0], "y", false), kElements, -1.0f);
    requests = {requests[0], requests[3]};
    EXPECT_TRUE((*s)->submit(requests).ok());
    EXPECT_EQ(all[3]->wait().code, RequestCode::KernelFailed);
    EXPECT_EQ(all[0]->wait().message, "");
    EXPECT_EQ(floats(*all[0], "y", false)[700], floats(*alone[0], "y", false)[700]);
  }
  EXPECT_EQ(jobs, 42u);
}

// Every wrong use of names and bindings is one line that says what would be right.
TEST_F(RuntimeTest, NamesWrongUses) {
  auto s = session();
  EXPECT_EQ(s->createRequest("chian").status().message(),
            "unknown tenant 'chian'; known: chain, diamond, phases, fragile, slow");
  EXPECT_EQ(s->createRequest("chain", "n2").status().message(),
            "unknown entry 'n2' of tenant 'chain'; known: n1");
  auto made = s->createRequest("phases");
  Request &r = **made;
  Request *self = &r;
  EXPECT_EQ(s->submit({&self, 1}).message, "tenant 'phases': input 'x' is not bound");
  EXPECT_EQ(s->submit({}).message, "no request to submit");
  alignas(64) static float data[kElements + 16];
  EXPECT_EQ(r.bindInput("z", data, 4096).message(),
            "unknown input 'z' of tenant 'phases'; known: x");
  EXPECT_EQ(r.bindOutput("z", data, 4096).message(),
            "unknown output 'z' of tenant 'phases'; known: y");
  EXPECT_EQ(r.bindInput("x", data, 4092).message(), "input 'x' has 4096 bytes, 4092 are bound");
  EXPECT_EQ(r.bindInput("x", data + 1, 4096).message(),
            "input 'x' is bound to an address that is not 64-byte aligned");
  EXPECT_EQ(r.bindInput("x", nullptr, 4096).message(), "input 'x' is bound to no memory");
  auto other = session();
  EXPECT_EQ(other->submit({&self, 1}).message, "a request belongs to another session");
  Request *twice[] = {self, self};
  EXPECT_TRUE(r.memory("x", true).ok() && r.memory("y", false).ok() &&
              r.memory("value:sums", false).ok());
  EXPECT_EQ(s->submit(twice).message, "a request is in the round twice");
}

// CPUs outside the process's are refused; a bundle whose features are missing names them.
TEST_F(RuntimeTest, RefusesMissingCpusAndFeatures) {
  const std::string path = folder_ / "features.mtb";
  Contents contents = test::sampleContents(1);
  contents.targets[0].features = {"sse2", "tbm", "xyzzy"};
  ASSERT_TRUE(writeBundle(path, contents).ok());
  auto refused = Session::create(*BundleReader::open(path));
  EXPECT_EQ(refused.status().code(), ErrorCode::BundleRefused);
  EXPECT_EQ(refused.status().message(),
            "'" + path + "' is compiled for host:x86-64,cores=1; this CPU lacks tbm, xyzzy");
  contents.targets[0].target = "cuda:sm_90a,units=132";
  ASSERT_TRUE(writeBundle(path, contents).ok());
  refused = Session::create(*BundleReader::open(path));
  EXPECT_EQ(refused.status().code(), ErrorCode::DeviceUnavailable);
  EXPECT_EQ(refused.status().message(), "the bundle has no target for a host");
  contents = test::sampleContents(1);
  ASSERT_TRUE(writeBundle(path, contents).ok());
  SessionOptions options;
  options.cpus = {60000};
  refused = Session::create(*BundleReader::open(path), options);
  EXPECT_EQ(refused.status().code(), ErrorCode::InvalidInput);
  EXPECT_EQ(refused.status().message().find("cpu 60000 is not among those of this process ("), 0u);
}

// Code that is no library, or lacks a kernel, is refused when a session is made.
TEST_F(RuntimeTest, RefusesBadCode) {
  const std::string path = folder_ / "code.mtb";
  Contents contents = test::sampleContents(1);
  contents.targets[0].symbols[1][0] = "subtract";
  ASSERT_TRUE(writeBundle(path, contents).ok());
  auto refused = Session::create(*BundleReader::open(path));
  EXPECT_EQ(refused.status().message(), "the bundle's code has no symbol 'subtract'");
  contents.targets[0].code.resize(500);
  ASSERT_TRUE(writeBundle(path, contents).ok());
  refused = Session::create(*BundleReader::open(path));
  EXPECT_EQ(refused.status().code(), ErrorCode::BundleRefused);
  EXPECT_EQ(refused.status().message().find("cannot load the kernels: "), 0u);
}

} // namespace
