//===- RegionTest.cpp - branches and loops inside a command ---------------===//
#include "mtc/Bundle/Writer.h"
#include "mtc/Runtime/Session.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Scheduling/Regions.h"
#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <unistd.h>

using namespace mtc;

namespace {

constexpr int64_t kElements = 1024, kBytes = kElements * 4, kRounds = 100;
const auto R = Access::Read, W = Access::Write;
enum KernelIndex { Pass, Add, Normalize, Fragile, Below };

Kernel kernel(const char *name, std::vector<Access> operands, std::vector<int64_t> phases,
              int granules) {
  Kernel k;
  k.name = name;
  k.operands = std::move(operands);
  Variant variant;
  variant.phaseTiles = std::move(phases);
  variant.scratchBytesPerWorker = 64;
  for (int g = 1; g <= granules; ++g)
    variant.times.push_back({g, 1000000 / g, TimeOrigin::Modelled});
  k.variants = {variant};
  return k;
}

/// Values of a graph, added one at a time.
struct Graph {
  Entry entry;
  int32_t input(const char *name, int64_t bytes) {
    entry.inputs.push_back({name,
                            bytes == 1   ? "bool"
                            : bytes == 8 ? "i64"
                                         : "f32",
                            bytes <= 8 ? std::vector<int64_t>() : std::vector<int64_t>{bytes / 4},
                            bytes});
    return add({ValueKind::Input, bytes, static_cast<int32_t>(entry.inputs.size()) - 1});
  }
  int32_t output(const char *name, int64_t bytes) {
    entry.outputs.push_back({name, bytes == 1 ? "bool" : "f32",
                             bytes == 1 ? std::vector<int64_t>() : std::vector<int64_t>{bytes / 4},
                             bytes});
    return add({ValueKind::Output, bytes, static_cast<int32_t>(entry.outputs.size()) - 1});
  }
  int32_t inner(int64_t bytes) { return add({ValueKind::Intermediate, bytes, -1}); }
  int32_t add(Value value) {
    entry.values.push_back(value);
    return static_cast<int32_t>(entry.values.size()) - 1;
  }
  void task(const char *name, int32_t kernel, std::vector<int32_t> values) {
    entry.tasks.push_back(
        {static_cast<int32_t>(entry.tasks.size()), name, kernel, std::move(values)});
  }
};

int32_t addBody(Problem &problem, Graph graph, const char *name) {
  Body body{std::move(graph.entry), {}, 0};
  body.graph.name = name;
  layoutBody(problem, body);
  problem.bodies.push_back(std::move(body));
  return static_cast<int32_t>(problem.bodies.size()) - 1;
}

int32_t addRegion(Problem &problem, const char *name, std::vector<Access> operands, Region region) {
  Kernel k = kernel(name, std::move(operands), {problem.device.granules}, problem.device.granules);
  k.region = std::move(region);
  problem.kernels.push_back(std::move(k));
  return static_cast<int32_t>(problem.kernels.size()) - 1;
}

/// An entry with one region task, its workspace last.
void addEntry(Problem &problem, const char *tenant, Graph graph, int32_t region,
              std::vector<int32_t> values) {
  values.push_back(
      graph.inner(layoutOf(problem, *problem.kernels[static_cast<size_t>(region)].region).bytes));
  graph.task(tenant, region, std::move(values));
  graph.entry.tenant = static_cast<int32_t>(problem.tenants.size());
  graph.entry.name = "n1";
  problem.tenants.push_back({tenant, 0, 0, 0, "guarded"});
  problem.entries.push_back(std::move(graph.entry));
}

/// double: n times x + x.  rows: adds row after row of x, keeps every sum.  choose: x + x or x
/// through a kernel that fails at 13, as c says, in a loop as long as x[0] < limit.  nest: n times
/// m times x + x.  sums: n times x / sum(x), whose phases are right only with barriers between
/// them.
Contents regionContents(int granules) {
  Contents contents;
  contents.compilerVersion = "0.0-test";
  contents.compileCommand = "by hand";
  TargetProgram target;
  target.target = "host:x86-64,cores=" + std::to_string(granules);
  Problem &p = target.problem;
  p.device = {target.target, granules, 1, 10, 10, 1000, 500};
  p.kernels = {kernel("pass", {R, W}, {1}, granules), kernel("add", {R, R, W}, {64}, granules),
               kernel("normalize", {R, W, W}, {64, 64}, granules),
               kernel("fragile", {R, W}, {64}, granules),
               kernel("below", {R, R, W}, {1}, granules)};

  Graph twice;
  twice.input("i", 8);
  twice.task("more", Pass, {twice.input("c", 1), twice.output("more", 1)});
  const int32_t s = twice.input("s", kBytes);
  twice.task("twice", Add, {s, s, twice.output("t", kBytes)});
  int32_t loop =
      addRegion(p, "double", {R, R, R, W, W},
                {RegionKind::Loop, {addBody(p, std::move(twice), "twice")}, 1, 0, 0, kRounds});
  auto simple = [&](const char *tenant, int32_t region) {
    Graph g;
    const int32_t trips = g.input("n", 8), condition = g.input("c", 1);
    const int32_t in = g.input("x", kBytes), out = g.output("y", kBytes);
    addEntry(p, tenant, g, region, {trips, condition, in, out});
  };
  simple("double", loop);

  Graph sum;
  sum.input("i", 8);
  sum.task("more", Pass, {sum.input("c", 1), sum.output("more", 1)});
  const int32_t total = sum.input("s", kBytes), row = sum.input("row", kBytes);
  const int32_t next = sum.output("t", kBytes);
  sum.task("sum", Add, {total, row, next});
  sum.task("again", Add, {next, total, sum.output("kept", kBytes)});
  loop = addRegion(p, "rows", {R, R, R, R, W, W, W},
                   {RegionKind::Loop, {addBody(p, std::move(sum), "sum")}, 1, 1, 5, kRounds});
  Graph rows;
  std::vector<int32_t> operands = {rows.input("n", 8), rows.input("c", 1), rows.input("x", kBytes),
                                   rows.input("rows", 5 * kBytes)};
  operands.push_back(rows.output("y", kBytes));
  operands.push_back(rows.output("all", 5 * kBytes));
  addEntry(p, "rows", rows, loop, operands);

  Graph then, other;
  const int32_t a = then.input("x", kBytes), b = other.input("x", kBytes);
  then.task("add", Add, {a, a, then.output("y", kBytes)});
  const int32_t copied = other.inner(kBytes);
  other.task("copy", Fragile, {b, copied});
  other.task("again", Fragile, {copied, other.output("y", kBytes)});
  const int32_t thenBody = addBody(p, std::move(then), "then");
  const int32_t elseBody = addBody(p, std::move(other), "else");
  const int32_t branch =
      addRegion(p, "branch", {R, R, W, W}, {RegionKind::If, {thenBody, elseBody}, 0, 0, 0, 1});
  Graph grow;
  grow.input("i", 8);
  grow.input("c", 1);
  const int32_t state = grow.input("s", kBytes), choice = grow.input("choice", 1);
  const int32_t limit = grow.input("limit", kBytes), more = grow.output("more", 1);
  const int32_t grown = grow.output("t", kBytes);
  grow.task("branch", branch,
            {choice, state, grown, grow.inner(layoutOf(p, *p.kernels[branch].region).bytes)});
  grow.task("below", Below, {grown, limit, more});
  loop = addRegion(p, "choose", {R, R, R, R, R, W, W},
                   {RegionKind::Loop, {addBody(p, std::move(grow), "grow")}, 1, 0, 0, kRounds});
  Graph choose;
  operands = {choose.input("n", 8), choose.input("c", 1), choose.input("x", kBytes),
              choose.input("choice", 1), choose.input("limit", kBytes)};
  operands.push_back(choose.output("y", kBytes));
  addEntry(p, "choose", choose, loop, operands);

  Graph outer;
  outer.input("i", 8);
  const int32_t on = outer.input("c", 1), from = outer.input("s", kBytes), m = outer.input("m", 8);
  outer.task("more", Pass, {on, outer.output("more", 1)});
  const int32_t twiceLoop = p.entries[0].tasks[0].kernel;
  outer.task("inner", twiceLoop,
             {m, on, from, outer.output("t", kBytes),
              outer.inner(layoutOf(p, *p.kernels[twiceLoop].region).bytes)});
  loop = addRegion(p, "nest", {R, R, R, R, W, W},
                   {RegionKind::Loop, {addBody(p, std::move(outer), "outer")}, 1, 0, 0, kRounds});
  Graph nest;
  operands = {nest.input("n", 8), nest.input("c", 1), nest.input("x", kBytes), nest.input("m", 8)};
  operands.push_back(nest.output("y", kBytes));
  addEntry(p, "nest", nest, loop, operands);

  Graph norm;
  norm.input("i", 8);
  norm.task("more", Pass, {norm.input("c", 1), norm.output("more", 1)});
  const int32_t v = norm.input("s", kBytes), sums = norm.inner(64 * 4);
  norm.task("normalize", Normalize, {v, sums, norm.output("t", kBytes)});
  loop = addRegion(p, "sums", {R, R, R, W, W},
                   {RegionKind::Loop, {addBody(p, std::move(norm), "norm")}, 1, 0, 0, kRounds});
  simple("sums", loop);

  for (const Kernel &k : p.kernels)
    target.symbols.push_back({k.region ? "" : k.name});
  EXPECT_EQ(check(p).message(), "");
  auto schedules = defaultSchedules(p);
  EXPECT_TRUE(schedules.ok());
  target.schedules = std::move(*schedules);
  for (const Schedule &schedule : target.schedules) {
    auto plan = makePlan(p, schedule);
    EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : plan.status().message());
    EXPECT_EQ(verify(p, schedule, *plan).message(), "");
    target.plans.push_back(std::move(*plan));
  }
  target.code = *readFile(MTC_SAMPLE_KERNELS);
  contents.targets.push_back(std::move(target));
  return contents;
}

/// For one core, and for two that share every region.
class RegionTest : public testing::TestWithParam<int> {
protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("mtc-region-" + std::to_string(getpid()));
    const Status written = writeBundle(path_, regionContents(GetParam()));
    ASSERT_TRUE(written.ok()) << written.message();
    open({});
  }
  void open(const SessionOptions &options) {
    auto reader = BundleReader::open(path_);
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    auto session = Session::create(*reader, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    session_ = *session;
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::unique_ptr<Request> request(const char *tenant, int64_t n, bool c) {
    auto made = session_->createRequest(tenant);
    EXPECT_TRUE(made.ok()) << made.status().message();
    for (const Tensor &output : (*made)->entry().outputs)
      EXPECT_TRUE((*made)->memory(output.name, false).ok());
    std::memcpy(*(*made)->memory("n", true), &n, sizeof(n));
    std::memcpy(*(*made)->memory("c", true), &c, 1);
    fill(**made, "x", [](int64_t i) { return static_cast<float>(i % 5 + 1); });
    return std::move(*made);
  }
  template <typename F> void fill(Request &request, const char *name, F value) {
    auto *x = static_cast<float *>(*request.memory(name, true));
    for (const Tensor &tensor : request.entry().inputs)
      if (tensor.name == name)
        for (int64_t i = 0; i < tensor.bytes / 4; ++i)
          x[i] = value(i);
  }
  const float *output(Request &request, const char *name) {
    return static_cast<const float *>(request.bound(name, false));
  }
  RequestStatus run(std::vector<Request *> requests) {
    RequestStatus status = session_->submit(requests);
    for (Request *r : requests)
      if (status.ok())
        status = r->wait();
    return status;
  }

  std::string path_;
  std::shared_ptr<Session> session_;
};

// As many iterations as the request says: none, one (the state is where it was), even and odd.
TEST_P(RegionTest, Loops) {
  for (int64_t n : {0, 1, 2, 5, 20, -3})
    for (bool c : {true, false}) {
      auto r = request("double", n, c);
      ASSERT_EQ(run({r.get()}).message, "");
      const float factor = std::ldexp(1.0f, c ? std::max<int>(int(n), 0) : 0);
      for (int64_t i = 0; i < kElements; ++i)
        ASSERT_EQ(output(*r, "y")[i], float(i % 5 + 1) * factor) << n << " " << c << " " << i;
    }
}

// A member of a round that was cancelled while it waited has no values to decide by.
TEST_P(RegionTest, Cancelled) {
  auto first = request("double", kRounds, true), cancelled = request("double", 5, true);
  auto row = request("rows", 5, true);
  fill(*row, "rows", [](int64_t) { return 1.0f; });
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(session_->submit(std::vector<Request *>{first.get()}).ok());
    ASSERT_TRUE(session_->submit(std::vector<Request *>{cancelled.get(), row.get()}).ok());
    const bool wasQueued = cancelled->cancel().ok();
    EXPECT_EQ(first->wait().message, "");
    EXPECT_EQ(cancelled->wait().code, wasQueued ? RequestCode::Cancelled : RequestCode::Ok);
    EXPECT_EQ(row->wait().message, "");
    ASSERT_EQ(output(*row, "y")[7], float(7 % 5 + 1 + 5)) << round;
  }
}

// One iteration more than allowed fails the request and says so; the next request runs.
TEST_P(RegionTest, TooManyTrips) {
  for (int64_t n : {kRounds + 1, INT64_MAX}) {
    auto r = request("double", n, true);
    RequestStatus status = run({r.get()});
    EXPECT_EQ(status.code, RequestCode::TooManyTrips);
    EXPECT_EQ(status.message,
              "tenant 'double': task 0 (double): a loop goes on after 100 iterations");
  }
  auto r = request("double", kRounds, true);
  EXPECT_EQ(run({r.get()}).message, "");
}

// Iterations of a loop in a loop count together: else caps would multiply.
TEST_P(RegionTest, TripsOfNestedLoops) {
  for (auto [n, m] : {std::pair<int64_t, int64_t>(9, 10), {9, 11}, {100, 0}, {1, INT64_MAX}}) {
    auto r = request("nest", n, true);
    std::memcpy(*r->memory("m", true), &m, sizeof(m));
    const RequestStatus status = run({r.get()});
    if (m > 10) {
      EXPECT_EQ(status.message,
                "tenant 'nest': task 0 (nest): a loop goes on after 100 iterations");
    } else {
      ASSERT_EQ(status.message, "");
      EXPECT_EQ(output(*r, "y")[7], std::ldexp(3.0f, static_cast<int>(n * m)));
    }
  }
}

// A session may allow fewer iterations than the bundle, or more.
TEST_P(RegionTest, LimitOfSession) {
  SessionOptions options;
  options.maxTrips = 10;
  open(options);
  EXPECT_EQ(run({request("double", 10, true).get()}).message, "");
  EXPECT_EQ(run({request("double", 11, true).get()}).message,
            "tenant 'double': task 0 (double): a loop goes on after 10 iterations");
  options.maxTrips = 2 * kRounds;
  open(options);
  EXPECT_EQ(run({request("double", kRounds + 1, true).get()}).message, "");
  EXPECT_EQ(run({request("double", INT64_MAX, true).get()}).code, RequestCode::TooManyTrips);
}

// Elements are read and stacked one after the other; another number of them is an error.
TEST_P(RegionTest, Scans) {
  auto r = request("rows", 5, true);
  fill(*r, "rows", [](int64_t i) { return static_cast<float>(i / kElements + 10); });
  ASSERT_EQ(run({r.get()}).message, "");
  for (int64_t i = 0; i < kElements; ++i) {
    float sum = float(i % 5 + 1);
    for (int64_t k = 0; k < 5; ++k) {
      const float before = sum;
      sum += float(k + 10);
      ASSERT_EQ(output(*r, "all")[k * kElements + i], sum + before) << k << " " << i;
    }
    ASSERT_EQ(output(*r, "y")[i], sum) << i;
  }
  for (int64_t n : {4, 6}) {
    r = request("rows", n, true);
    fill(*r, "rows", [](int64_t) { return 0.0f; });
    EXPECT_EQ(run({r.get()}).message,
              "tenant 'rows': task 0 (rows): a loop has not as many iterations as its tensors have "
              "elements");
  }
}

// A branch in a loop that ends when a value says so; a kernel that fails in it fails the request.
TEST_P(RegionTest, Nested) {
  auto r = request("choose", INT64_MAX, true);
  fill(*r, "limit", [](int64_t) { return 1000.0f; });
  const bool yes = true, no = false;
  std::memcpy(*r->memory("choice", true), &yes, 1);
  ASSERT_EQ(run({r.get()}).message, "");
  for (int64_t i = 0; i < kElements; ++i)
    ASSERT_EQ(output(*r, "y")[i], float(i % 5 + 1) * 1024) << i;

  std::memcpy(*r->memory("choice", true), &no, 1);
  EXPECT_EQ(run({r.get()}).message,
            "tenant 'choose': task 0 (choose): a loop goes on after 100 iterations");
  fill(*r, "x", [](int64_t i) { return i == 1000 ? 13.0f : 2000.0f; });
  EXPECT_EQ(run({r.get()}).message, "tenant 'choose': task 0 (choose) failed with status 7");
  fill(*r, "x", [](int64_t) { return 2000.0f; });
  ASSERT_EQ(run({r.get()}).message, "");
  EXPECT_EQ(output(*r, "y")[kElements - 1], 2000.0f);
}

// Phases in a body are separated, run after run; alone and beside other regions the bits are equal.
TEST_P(RegionTest, Barriers) {
  auto sums = request("sums", 10, true), doubles = request("double", 50, true);
  ASSERT_EQ(run({sums.get()}).message, "");
  std::vector<float> alone(output(*sums, "y"), output(*sums, "y") + kElements);
  float total = 0;
  for (float y : alone)
    total += y;
  EXPECT_NEAR(total, 1.0f, 1e-4f);
  for (int round = 0; round < 200; ++round) {
    std::memset(*sums->memory("y", false), 0xff, kBytes);
    ASSERT_EQ(run({sums.get(), doubles.get()}).message, "");
    ASSERT_EQ(std::memcmp(output(*sums, "y"), alone.data(), kBytes), 0) << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, RegionTest, testing::Values(1, 2));

} // namespace
