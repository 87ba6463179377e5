//===- SampleContents.cpp - see the header --------------------------------===//
#include "SampleContents.h"

#include "mtc/Scheduling/Policies.h"
#include "mtc/Support/File.h"

#include <cstdlib>
#include <cstring>
#include <iostream>

namespace mtc::test {

namespace {
constexpr int64_t kBytes = kElements * int64_t(sizeof(float));

/// The value of a StatusOr; the sample is right, so an error ends the test program.
template <typename T> T must(StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << value.status().message() << "\n";
    std::abort();
  }
  return std::move(*value);
}

Kernel kernel(const char *name, KernelKind kind, std::vector<Access> operands, int granules,
              std::vector<int64_t> phases) {
  Kernel k;
  k.name = name;
  k.kind = kind;
  k.operands = std::move(operands);
  k.bytes = 2 * kBytes;
  Variant variant;
  variant.config = "by hand";
  variant.phaseTiles = std::move(phases);
  variant.scratchBytesPerWorker = 64;
  for (int g = 1; g <= granules; ++g)
    variant.times.push_back({g, 100000 / g + 100, TimeOrigin::Modelled});
  k.variants.push_back(variant);
  return k;
}

enum KernelIndex { Scale, Add, Normalize, Fragile, Slow };

/// An entry with x and y; value 0 is x, 1 is y.
Entry entry(int32_t tenant) {
  Entry e;
  e.tenant = tenant;
  e.name = "n1";
  e.inputs = {{"x", "f32", {8, 128}, kBytes}};
  e.outputs = {{"y", "f32", {8, 128}, kBytes}};
  e.values = {{ValueKind::Input, kBytes, 0}, {ValueKind::Output, kBytes, 0}};
  return e;
}

int32_t value(Entry &e, ValueKind kind, int64_t bytes = kBytes, int32_t index = -1) {
  e.values.push_back({kind, bytes, index});
  return static_cast<int32_t>(e.values.size()) - 1;
}

void task(Entry &e, const char *name, KernelIndex kernel, std::vector<int32_t> values) {
  e.tasks.push_back({static_cast<int32_t>(e.tasks.size()), name, kernel, std::move(values)});
}

BundleWeight weight(const char *name, std::vector<float> values) {
  BundleWeight w;
  w.name = name;
  w.bytes = static_cast<int64_t>(values.size() * sizeof(float));
  w.produce = [values = std::move(values)](std::vector<uint8_t> &bytes) {
    bytes.resize(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return okStatus();
  };
  return w;
}
} // namespace

Contents sampleContents(int granules) {
  Contents contents;
  contents.compilerVersion = "0.0-test";
  contents.compileCommand = "mtc compile sample.yaml -o sample.mtb";
  std::vector<float> ramp(kElements), large(3 << 18, 0.5f);
  for (size_t i = 0; i < ramp.size(); ++i)
    ramp[i] = static_cast<float>(i);
  contents.weights = {
      weight("chain.w0", std::vector<float>(kElements, 2.0f)), weight("chain.w1", ramp),
      weight("diamond.w2", std::vector<float>(kElements, 2.0f)), weight("unused.w3", large)};
  contents.texts = {{"model", "mt.program @sample {}\n"}, {"empty", ""}};

  TargetProgram target;
  target.target = "host:x86-64,cores=" + std::to_string(granules);
  target.features = {"cx8", "sse2"};
  Problem &problem = target.problem;
  problem.device = {target.target, granules, 1, 10, 10, 1000, 500};
  const auto R = Access::Read, W = Access::Write;
  problem.kernels = {
      kernel("scale", KernelKind::Elementwise, {R, R, W}, granules, {64}),
      kernel("add", KernelKind::Elementwise, {R, R, W}, granules, {64}),
      kernel("normalize", KernelKind::Rows, {R, W, W}, granules, {64, 64}),
      kernel("fragile", KernelKind::Opaque, {R, W}, granules, {64}),
      kernel("slow", KernelKind::Opaque, {R, W}, granules, {64}),
  };
  for (const Kernel &k : problem.kernels)
    target.symbols.push_back({k.name});
  for (const char *name : {"chain", "diamond", "phases", "fragile", "slow"})
    problem.tenants.push_back({name, 0, 0, 0, "guarded"});

  const auto weightValue = [](Entry &e, int32_t index) {
    return value(e, ValueKind::Weight, kBytes, index);
  };
  Entry chain = entry(0);
  const int32_t c0 = weightValue(chain, 0), c1 = weightValue(chain, 1);
  const int32_t middle = value(chain, ValueKind::Intermediate);
  task(chain, "double", Scale, {0, c0, middle});
  task(chain, "ramp", Scale, {middle, c1, 1});

  Entry diamond = entry(1);
  const int32_t d0 = weightValue(diamond, 2), d1 = weightValue(diamond, 1);
  const int32_t left = value(diamond, ValueKind::Intermediate);
  const int32_t right = value(diamond, ValueKind::Intermediate);
  task(diamond, "left", Scale, {0, d0, left});
  task(diamond, "right", Scale, {0, d1, right});
  task(diamond, "join", Add, {left, right, 1});

  Entry phases = entry(2);
  phases.outputs.push_back({"value:sums", "f32", {64}, 64 * 4});
  const int32_t sums = value(phases, ValueKind::Output, 64 * 4, 1);
  task(phases, "normalize", Normalize, {0, sums, 1});

  Entry fragile = entry(3);
  task(fragile, "fragile", Fragile, {0, 1});
  Entry slow = entry(4);
  task(slow, "slow", Slow, {0, 1});

  problem.entries = {chain, diamond, phases, fragile, slow};
  target.schedules = must(defaultSchedules(problem));
  for (const Schedule &schedule : target.schedules)
    target.plans.push_back(must(makePlan(problem, schedule)));
  target.code = must(readFile(MTC_SAMPLE_KERNELS));
  contents.targets.push_back(std::move(target));
  return contents;
}

} // namespace mtc::test
