//===- ExampleProblems.h - problems and executions for tests --------------===//
#pragma once

#include "mtc/Scheduling/Policies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

namespace mtc::test {

/// A kernel with one variant of the given times on 1, 2, ... granules.
inline Kernel kernelOf(const std::string &name, std::vector<int64_t> ns, int reads = 1) {
  Kernel kernel;
  kernel.name = name;
  kernel.kind = KernelKind::Elementwise;
  kernel.operands.assign(static_cast<size_t>(reads), Access::Read);
  kernel.operands.push_back(Access::Write);
  Variant variant;
  variant.phaseTiles = {64};
  for (size_t i = 0; i < ns.size(); ++i)
    variant.times.push_back({static_cast<int32_t>(i + 1), ns[i], TimeOrigin::Modelled});
  kernel.variants.push_back(variant);
  return kernel;
}

/// A tenant and its entry "n1": a chain input -> kernels -> output, one task per kernel index (one
/// read each).
inline void addChain(Problem &problem, const std::string &name, const std::vector<int32_t> &kernels,
                     int64_t bytes = 100, const std::string &isolation = "default") {
  Tenant tenant;
  tenant.name = name;
  tenant.isolation = isolation;
  Entry entry;
  entry.tenant = static_cast<int32_t>(problem.tenants.size());
  entry.name = "n1";
  entry.inputs = {{"x", "f32", {bytes / 4}, bytes}};
  entry.outputs = {{"y", "f32", {bytes / 4}, bytes}};
  entry.values = {{ValueKind::Input, bytes, 0}};
  for (size_t t = 0; t < kernels.size(); ++t) {
    bool isLast = t + 1 == kernels.size();
    entry.values.push_back(isLast ? Value{ValueKind::Output, bytes, 0}
                                  : Value{ValueKind::Intermediate, bytes, -1});
    entry.tasks.push_back({static_cast<int32_t>(10 + t),
                           "op" + std::to_string(t),
                           kernels[t],
                           {static_cast<int32_t>(t), static_cast<int32_t>(t + 1)}});
  }
  problem.tenants.push_back(tenant);
  problem.entries.push_back(entry);
}

/// Two tenants of three tasks on two granules: "det" of large tasks, "rec" of small ones that do
/// not scale.
inline Problem smallProblem() {
  Problem problem;
  problem.device.target = "test";
  problem.device.granules = 2;
  problem.kernels = {kernelOf("large", {1000, 520}), kernelOf("small", {300, 290})};
  addChain(problem, "det", {0, 0, 0});
  addChain(problem, "rec", {1, 1, 1});
  return problem;
}

struct RandomOptions {
  int32_t granules = 2;
  int tenants = 3;
  int tasks = 40; ///< of each tenant, at most
  bool perfectScaling = false;
};

/// A problem with branches, joins, several outputs and readers, uneven scaling and two variants a
/// kernel.
inline Problem randomProblem(uint32_t seed, const RandomOptions &options = {}) {
  std::mt19937 rng(seed);
  auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(rng() % static_cast<uint64_t>(high - low + 1));
  };
  Problem problem;
  problem.device.target = "random";
  problem.device.granules = options.granules;
  for (int k = 0; k < 12; ++k) {
    Kernel kernel = kernelOf("k" + std::to_string(k), {}, static_cast<int>(draw(1, 3)));
    kernel.variants.resize(options.perfectScaling ? 1 : 2, kernel.variants[0]);
    for (Variant &variant : kernel.variants) {
      int64_t one = draw(1, 40) * draw(100, 25000);
      int64_t serialPercent = options.perfectScaling ? 0 : draw(0, 60);
      for (int32_t g = 1; g <= options.granules; ++g)
        variant.times.push_back({g,
                                 std::max<int64_t>(1, one * serialPercent / 100 +
                                                          one * (100 - serialPercent) / 100 / g),
                                 TimeOrigin::Modelled});
    }
    problem.kernels.push_back(kernel);
  }
  const char *isolations[] = {"default", "default", "guarded", "other", ""};
  for (int t = 0; t < options.tenants; ++t) {
    Tenant tenant;
    tenant.name = "t" + std::to_string(t);
    tenant.isolation = isolations[t % 5];
    Entry entry;
    entry.tenant = t;
    entry.name = "n1";
    entry.inputs = {{"x", "f32", {16}, 64}};
    entry.values = {{ValueKind::Input, 64, 0}, {ValueKind::Weight, 4096, t}};
    int64_t taskCount = draw(1, options.tasks);
    for (int32_t i = 0; i < taskCount; ++i) {
      auto k = static_cast<int32_t>(draw(0, 11));
      Task task{i, "node" + std::to_string(i), k, {}};
      size_t readCount = problem.kernels[static_cast<size_t>(k)].operands.size() - 1;
      for (size_t r = 0; r < readCount; ++r) {
        // Mostly recent values, so that chains form; sometimes old ones, so that lifetimes are
        // long.
        auto last = static_cast<int64_t>(entry.values.size()) - 1;
        task.values.push_back(static_cast<int32_t>(
            draw(0, 3) == 0 ? draw(0, last) : draw(std::max<int64_t>(0, last - 2), last)));
      }
      bool isOutput = i + 1 == taskCount || draw(0, 15) == 0;
      int64_t bytes = draw(0, 20) == 0 ? 0 : draw(1, 5000);
      task.values.push_back(static_cast<int32_t>(entry.values.size()));
      if (isOutput) {
        auto o = static_cast<int32_t>(entry.outputs.size());
        entry.outputs.push_back({"y" + std::to_string(o), "u8", {bytes}, bytes});
        entry.values.push_back({ValueKind::Output, bytes, o});
      } else {
        entry.values.push_back({ValueKind::Intermediate, bytes, -1});
      }
      entry.tasks.push_back(task);
    }
    problem.tenants.push_back(tenant);
    problem.entries.push_back(entry);
  }
  return problem;
}

/// When each place runs if only `before` holds it back and its duration is off by a factor of 0.25
/// to 4.
struct Execution {
  std::vector<int64_t> startNs, endNs;
};

inline Execution execute(const Schedule &schedule, const Predecessors &before, uint32_t seed) {
  std::mt19937 rng(seed);
  Execution run;
  for (size_t p = 0; p < schedule.places.size(); ++p) {
    int64_t start = 0;
    for (int32_t first : before[p])
      start = std::max(start, run.endNs[static_cast<size_t>(first)]);
    run.startNs.push_back(start);
    run.endNs.push_back(start +
                        std::max<int64_t>(1, schedule.places[p].durationNs *
                                                 static_cast<int64_t>(25 + rng() % 376) / 100));
  }
  return run;
}

/// Whether two places run at once.
inline bool overlap(const Execution &run, size_t a, size_t b) {
  return run.startNs[a] < run.endNs[b] && run.startNs[b] < run.endNs[a];
}

/// The places that share a granule and run at once, or read what is not written yet; empty if none.
inline std::string hazards(const Problem &problem, const Schedule &schedule, const Execution &run) {
  const std::vector<int32_t> leaders = leadersOf(schedule);
  for (size_t a = 0; a < schedule.places.size(); ++a)
    for (size_t b = a + 1; b < schedule.places.size(); ++b) {
      const Place &first = schedule.places[a], &second = schedule.places[b];
      if ((first.granules & second.granules) != 0 && leaders[a] != leaders[b] && overlap(run, a, b))
        return "granule clash of places " + std::to_string(a) + " and " + std::to_string(b);
      if (first.instance != second.instance)
        continue;
      const Entry &entry = problem.entries[static_cast<size_t>(
          schedule.workload.instances[static_cast<size_t>(first.instance)])];
      // The written value is the last operand of every kernel here.
      for (auto [writer, reader, w, r] :
           {std::tuple(first, second, a, b), std::tuple(second, first, b, a)}) {
        const Task &writes = entry.tasks[static_cast<size_t>(writer.task)];
        const Task &reads = entry.tasks[static_cast<size_t>(reader.task)];
        if (std::find(reads.values.begin(), reads.values.end() - 1, writes.values.back()) !=
                reads.values.end() - 1 &&
            run.startNs[r] < run.endNs[w])
          return "early read by place " + std::to_string(r) + " of place " + std::to_string(w);
      }
    }
  return "";
}

/// All first entries on all granules.
inline Workload roundOf(const Problem &problem) {
  StatusOr<Workload> round = roundWorkload(problem);
  return round.ok() ? *round : Workload();
}

/// The schedule of a policy, which must exist.
inline Schedule scheduleOf(const std::string &policy, const Problem &problem,
                           const Workload &workload) {
  StatusOr<Schedule> schedule = runPolicy(policy, problem, workload);
  EXPECT_TRUE(schedule.ok()) << policy << ": " << schedule.status().message();
  return schedule.ok() ? *schedule : Schedule();
}

/// No schedule can end before all work is done at each task's best efficiency, nor before the
/// longest chain.
inline int64_t lowerBoundNs(const Problem &problem, const Workload &workload, int32_t granules) {
  int64_t areaNs = 0, pathNs = 0;
  for (int32_t e : workload.instances) {
    const Entry &entry = problem.entries[static_cast<size_t>(e)];
    auto dependences = taskDependences(problem, entry);
    std::vector<int64_t> endNs;
    for (size_t t = 0; t < entry.tasks.size(); ++t) {
      const Kernel &kernel = problem.kernels[static_cast<size_t>(entry.tasks[t].kernel)];
      int64_t leastArea = INT64_MAX, leastNs = INT64_MAX, start = 0;
      for (const Variant &variant : kernel.variants)
        for (int32_t g = 1; g <= granules; ++g) {
          leastArea = std::min(leastArea, g * variantNs(variant, g));
          leastNs = std::min(leastNs, variantNs(variant, g));
        }
      for (int32_t d : dependences[t])
        start = std::max(start, endNs[static_cast<size_t>(d)]);
      endNs.push_back(start + leastNs);
      pathNs = std::max(pathNs, endNs.back());
      areaNs += leastArea;
    }
  }
  return std::max(pathNs, (areaNs + granules - 1) / granules);
}

} // namespace mtc::test
