//===- ToyPoliciesTest.cpp - a bundle is all an online scheduler needs ----===//
//
// Seven published policies, each in a file of at most 80 lines, serve open arrivals from a bundle
// file alone. What they read and the bundle lacks fails by name; a bundle that lost a column shows
// that this can fail.
//
//===----------------------------------------------------------------------===//
#include "../../Scheduling/ExampleProblems.h"
#include "Toy.h"
#include "mtc/Bundle/Reader.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Scheduling/Mixes.h"

#include <bit>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace mtc;
using namespace mtc::test;

namespace {

constexpr std::pair<const char *, ToyPolicy> kPolicies[] = {
    {"Prema", prema},      {"Irina", irina},           {"Gslice", gslice},
    {"Gpulet", gpulet},    {"InterAware", interAware}, {"MigServing", migServing},
    {"Planaria", planaria}};

/// Three tenants on four granules: one large, one that wants bandwidth, one small and urgent.
Contents threeTenants() {
  TargetProgram target;
  target.target = "host:x86-64-v3,cores=4";
  Problem &problem = target.problem;
  problem.device = {target.target, 4, 1, 100, 20, 100, 200};
  problem.kernels = {kernelOf("large", {4'000'000, 2'100'000, 1'500'000, 1'200'000}),
                     kernelOf("stream", {1'000'000, 600'000, 550'000, 540'000}),
                     kernelOf("small", {200'000, 150'000, 140'000, 139'000})};
  problem.kernels[0].bytes = 1 << 20;
  problem.kernels[1].bytes = 12 << 20;
  problem.kernels[2].bytes = 64 << 10;
  addChain(problem, "large", {0, 0, 0, 0}, 1 << 20);
  addChain(problem, "stream", {1, 1, 1, 1, 1, 1}, 6 << 20);
  addChain(problem, "small", {2, 2, 2}, 32 << 10);
  const double rates[] = {30, 40, 200};
  const int64_t slos[] = {80'000'000, 60'000'000, 20'000'000};
  for (size_t t = 0; t < 3; ++t) {
    problem.tenants[t].ratePerSecond = rates[t];
    problem.tenants[t].sloP99Ns = slos[t];
    problem.tenants[t].priority = int32_t(t);
  }
  auto schedules = defaultSchedules(problem);
  EXPECT_TRUE(schedules.ok()) << schedules.status().message();
  target.schedules = *schedules;
  auto mixes = mixSchedules(problem, 2);
  EXPECT_TRUE(mixes.ok()) << mixes.status().message();
  target.schedules.insert(target.schedules.end(), mixes->begin(), mixes->end());
  for (const Schedule &schedule : target.schedules) {
    auto plan = makePlan(problem, schedule);
    EXPECT_TRUE(plan.ok()) << plan.status().message();
    target.plans.push_back(*plan);
  }
  VerdictTable &verdict = target.verdict.emplace();
  verdict = {true, 10'000, 2, 0, 0, 3, {{0b0011, {0}}, {0b1100, {1, 2}}}, {}};
  for (int32_t t = 0; t < 3; ++t)
    verdict.tenants.push_back({t, rates[t], ArrivalKind::Poisson, slos[t], 1'000'000, 2'000'000,
                               3'000'000, 2'900'000, 3'100'000, 0.001, 0.2, true});
  target.code.assign(64, 0);
  for (const Kernel &kernel : problem.kernels)
    target.symbols.push_back({kernel.name});
  Contents contents;
  contents.compilerVersion = "test";
  contents.compileCommand = "mtc compile";
  contents.targets.push_back(std::move(target));
  return contents;
}

/// The bundle in a file, and nothing else of what made it.
std::shared_ptr<const BundleReader> bundle() {
  const auto path =
      std::filesystem::temp_directory_path() / ("mtc-toy-" + std::to_string(getpid()) + ".mtb");
  Status status = writeBundle(path.string(), threeTenants());
  EXPECT_TRUE(status.ok()) << status.message();
  auto reader = BundleReader::open(path.string());
  std::filesystem::remove(path);
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  return reader.ok() ? *reader : nullptr;
}

} // namespace

// Every policy serves all requests from the bundle alone, most of them in time.
TEST(ToyPolicies, ServeFromTheBundleAlone) {
  auto reader = bundle();
  ASSERT_TRUE(reader);
  auto tables = reader->online(0);
  ASSERT_TRUE(tables.ok()) << tables.status().message();
  for (const auto &[name, policy] : kPolicies) {
    const ToyResult result = runToy(reader->targets()[0].problem, *tables, policy, 2000);
    std::string missing;
    for (const std::string &field : result.missing)
      missing += field + " ";
    EXPECT_EQ(missing, "") << name;
    EXPECT_EQ(result.served, 2000) << name;
    EXPECT_LT(result.missed, 0.5) << name;
    RecordProperty(name, std::to_string(result.meanNs / 1e6) + " ms simulated");
  }
}

// A column that a bundle lacks is named by at least one policy.
TEST(ToyPolicies, MissingFieldsAreNamed) {
  auto reader = bundle();
  ASSERT_TRUE(reader);
  auto tables = reader->online(0);
  ASSERT_TRUE(tables.ok());
  const std::pair<const char *, void (*)(SoloRow &)> columns[] = {
      {"meanNs", [](SoloRow &r) { r.meanNs = 0; }},
      {"p99Ns", [](SoloRow &r) { r.p99Ns = 0; }},
      {"arenaBytes", [](SoloRow &r) { r.arenaBytes = r.weightBytes = 0; }},
      {"maximalInstances", [](SoloRow &r) { r.maximalInstances = 0; }},
      {"pressure.bandwidth", [](SoloRow &r) { r.pressure.bandwidth = 0; }},
      {"pressure.units", [](SoloRow &r) { r.pressure.units = 0; }},
      {"pressure.footprint", [](SoloRow &r) { r.pressure.footprint = 0; }},
      {"bandwidthSensitivity", [](SoloRow &r) { r.bandwidthSensitivity = 0; }},
      {"segments", [](SoloRow &r) { r.segments.clear(); }}};
  for (const auto &[field, strip] : columns) {
    OnlineTables less = *tables;
    for (SoloRow &row : less.solos)
      strip(row);
    bool isNamed = false;
    for (const auto &[name, policy] : kPolicies)
      isNamed |= runToy(reader->targets()[0].problem, less, policy, 500).missing.contains(field);
    EXPECT_TRUE(isNamed) << field;
  }
  OnlineTables less = *tables;
  less.mixes.clear();
  EXPECT_TRUE(
      runToy(reader->targets()[0].problem, less, interAware, 500).missing.contains("mixes"));
  less.verdict.reset();
  EXPECT_TRUE(runToy(reader->targets()[0].problem, less, gslice, 10).missing.contains("verdict"));
  less.layouts.clear();
  EXPECT_TRUE(runToy(reader->targets()[0].problem, less, gpulet, 10).missing.contains("layouts"));
}

// What the rows say is what the problem and the plans say.
TEST(ToyPolicies, RowsFollowFromPlans) {
  auto reader = bundle();
  ASSERT_TRUE(reader);
  auto tables = reader->online(0);
  ASSERT_TRUE(tables.ok());
  ASSERT_EQ(tables->solos.size(), 12u); // three entries on one to four granules
  ASSERT_EQ(tables->mixes.size(), 4u);  // all three, and each pair
  for (size_t m = 1; m < 4; ++m) {
    EXPECT_EQ(tables->mixes[m].entries.size(), 2u);
    EXPECT_LE(tables->mixes[m].makespanNs, tables->mixes[0].makespanNs);
  }
  EXPECT_EQ(tables->mixes[0].entries.size(), 3u);
  for (const SoloRow &row : tables->solos) {
    int64_t ns = 0;
    for (const SegmentRow &segment : row.segments)
      ns += segment.ns;
    EXPECT_EQ(ns, row.meanNs);
    auto plan = reader->plan(0, size_t(row.schedule));
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(row.segments.back().commands, int32_t(plan->plan.commands.size()));
    EXPECT_EQ(row.segments.back().liveBytes, 0);
    EXPECT_EQ(row.meanNs, plan->schedule.makespanNs);
    EXPECT_EQ(row.source, "modelled");
  }
  // A chain holds one value between two tasks: that is what a stop has to keep.
  EXPECT_EQ(tables->solos[0].segments[0].liveBytes, 1 << 20);
  for (const LayoutRow &layout : tables->layouts) {
    GranuleMask seen = 0;
    for (GranuleMask mask : layout.masks) {
      EXPECT_EQ(mask & seen, 0u) << layout.name;
      seen |= mask;
    }
  }
}

// The verdict comes with what it rests on.
TEST(ToyPolicies, VerdictIsKept) {
  auto reader = bundle();
  ASSERT_TRUE(reader);
  auto tables = reader->online(0);
  ASSERT_TRUE(tables.ok());
  ASSERT_TRUE(tables->verdict);
  const VerdictTable &verdict = *tables->verdict;
  EXPECT_TRUE(verdict.fits);
  EXPECT_EQ(verdict.requests, 10'000);
  EXPECT_EQ(verdict.seed, 2u);
  EXPECT_EQ(verdict.modelled, 3);
  ASSERT_EQ(verdict.partitions.size(), 2u);
  EXPECT_EQ(verdict.partitions[1].granules, 0b1100u);
  EXPECT_EQ(verdict.partitions[1].tenants, (std::vector<int32_t>{1, 2}));
  ASSERT_EQ(verdict.tenants.size(), 3u);
  EXPECT_EQ(verdict.tenants[2].tenant, 2);
  EXPECT_EQ(verdict.tenants[2].ratePerSecond, 200);
  EXPECT_EQ(verdict.tenants[2].p99HighNs, 3'100'000);
  EXPECT_EQ(verdict.tenants[2].sloNs, 20'000'000);
}

// On a GPU the layouts of Multi-Instance GPU are there, with SMs and memory of each instance and
// what changing to them costs.
TEST(ToyPolicies, MigLayouts) {
  Problem problem;
  problem.device = {"cuda:sm_90a,gpu=h100,units=132", 16, 8, 500, 3350, 2000, 500};
  problem.kernels = {kernelOf("k", {1000})};
  addChain(problem, "t", {0});
  auto count = [&](const char *target) {
    problem.device.target = target;
    int64_t layouts = 0;
    for (const LayoutRow &layout : makeOnlineTables(problem, {}, {}).layouts) {
      EXPECT_EQ(layout.partUnits.size(), layout.masks.size());
      if (!layout.name.starts_with("mig")) {
        EXPECT_TRUE(layout.partMemoryBytes.empty());
        continue;
      }
      ++layouts;
      EXPECT_GT(layout.reconfigureNs, 0);
      EXPECT_EQ(layout.partMemoryBytes.size(), layout.masks.size());
      GranuleMask seen = 0;
      int64_t units = 0, bytes = 0;
      for (size_t part = 0; part < layout.masks.size(); ++part) {
        EXPECT_EQ(layout.masks[part] & seen, 0u) << layout.name;
        seen |= layout.masks[part];
        EXPECT_LE(std::popcount(layout.masks[part]) * 8, layout.partUnits[part]) << layout.name;
        units += layout.partUnits[part];
        bytes += layout.partMemoryBytes[part];
      }
      EXPECT_LE(units, 132) << layout.name;
      EXPECT_LE(bytes, int64_t(141) * 1000 * 1000 * 1000) << layout.name;
    }
    return layouts;
  };
  EXPECT_EQ(count("cuda:sm_90a,gpu=h100,units=132"), 16);
  EXPECT_EQ(count("cuda:sm_90a,units=132"), 16);
  EXPECT_EQ(count("host:x86-64-v4,cores=16"), 0);
  EXPECT_EQ(count("cuda:sm_89,units=58"), 0); // an L4 has none
}

// They are toys: at most 80 lines each.
TEST(ToyPolicies, AreSmall) {
  for (const auto &[name, policy] : kPolicies) {
    std::ifstream file(std::string(MTC_TOY_FOLDER) + "/" + name + ".cpp");
    std::string line;
    int lines = 0;
    while (std::getline(file, line))
      ++lines;
    EXPECT_GT(lines, 10) << name;
    EXPECT_LE(lines, 80) << name;
  }
}
