//===- CompareVariants.cpp - what several variants a kernel gain ----------===//
//
//   CompareVariants [--cross] PROBLEM...      files of `mtc compile --emit=problem`
//
// Two tab-separated lines per problem: with one variant a kernel - the first, or the fastest on the
// whole device - and with all of them, the makespan of the round (the best policy's), and how much
// of the time the entries take alone on 1, 2, 4, 8, 12 and 16 sixteenths of the device with all of
// them, in geometric mean. All of it simulated, on the times that the problems hold. With --cross a
// table over the kernels of all problems that have several variants: what the one that is fastest
// on a share costs on another.
//
//===----------------------------------------------------------------------===//
#include "mtc/Scheduling/Policies.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Simulation/Simulate.h"
#include "mtc/Support/File.h"
#include "mtc/Tuning/Report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

using namespace mtc;

static StatusOr<int64_t> roundNs(const Problem &problem) {
  MTC_ASSIGN_OR_RETURN(const Workload round, roundWorkload(problem));
  MTC_ASSIGN_OR_RETURN(const Schedule schedule, bestSchedule(problem, round));
  MTC_ASSIGN_OR_RETURN(const SimulatedRound run, simulate(problem, schedule));
  return run.makespanNs;
}

/// Geometric mean over the entries, one task after the other.
static StatusOr<double> aloneNs(const Problem &problem, int32_t granules) {
  double logs = 0;
  for (int32_t e = 0; e < static_cast<int32_t>(problem.entries.size()); ++e) {
    MTC_ASSIGN_OR_RETURN(const Schedule schedule,
                         runPolicy("sequential", problem, soloWorkload(problem, e, granules)));
    MTC_ASSIGN_OR_RETURN(const SimulatedRound run, simulate(problem, schedule));
    logs += std::log(static_cast<double>(run.makespanNs));
  }
  return std::exp(logs / static_cast<double>(problem.entries.size()));
}

static Variant fastest(const Kernel &kernel, int32_t granules) {
  return *std::min_element(kernel.variants.begin(), kernel.variants.end(),
                           [&](const Variant &a, const Variant &b) {
                             return variantNs(a, granules) < variantNs(b, granules);
                           });
}

static Status compare(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(const std::string text, readTextFile(path));
  MTC_ASSIGN_OR_RETURN(const Problem all, parseProblem(text));
  size_t variants = 0;
  for (const Kernel &kernel : all.kernels)
    variants += kernel.variants.size();
  MTC_ASSIGN_OR_RETURN(const int64_t after, roundNs(all));
  for (const bool isFirst : {true, false}) {
    Problem one = all;
    for (Kernel &kernel : one.kernels)
      if (!kernel.variants.empty())
        kernel.variants = {isFirst ? kernel.variants[0] : fastest(kernel, all.device.granules)};
    MTC_ASSIGN_OR_RETURN(const int64_t before, roundNs(one));
    fmt::print("{}\t{}\t{}\t{}\t{}\t{}\t{:.3f}", path, isFirst ? "first" : "whole",
               all.kernels.size(), variants, before, after,
               static_cast<double>(after) / static_cast<double>(before));
    for (int32_t sixteenths : {1, 2, 4, 8, 12, 16}) {
      const int32_t granules = std::max(1, all.device.granules * sixteenths / 16);
      MTC_ASSIGN_OR_RETURN(const double ofOne, aloneNs(one, granules));
      MTC_ASSIGN_OR_RETURN(const double ofAll, aloneNs(all, granules));
      fmt::print("\t{:.3f}", ofAll / ofOne);
    }
    fmt::print("\n");
    std::fflush(stdout);
  }
  return okStatus();
}

static Status cross(std::span<char *> paths) {
  std::vector<TunedKernel> kernels;
  for (const char *path : paths) {
    MTC_ASSIGN_OR_RETURN(const std::string text, readTextFile(path));
    MTC_ASSIGN_OR_RETURN(const Problem problem, parseProblem(text));
    for (const Kernel &kernel : problem.kernels) {
      if (kernel.variants.size() < 2)
        continue;
      TunedKernel &tuned = kernels.emplace_back();
      tuned.first = kernel.variants[0].config;
      for (int32_t sixteenths : {1, 2, 4, 8, 12, 16})
        for (const Variant &variant : kernel.variants) {
          const int32_t granules = std::max(1, problem.device.granules * sixteenths / 16);
          tuned.times[{granules, "none"}][variant.config] = variantNs(variant, granules);
        }
    }
  }
  fmt::print("Modelled, {} kernels: time over that of the variant for the share, geometric mean "
             "(worst).\n",
             kernels.size());
  Share row;
  for (const CrossCell &cell : crossTable(kernels)) {
    if (cell.tuned != row)
      fmt::print("{}for {} |", row.first ? "\n" : "", cell.tuned.first);
    row = cell.tuned;
    fmt::print(" on {}: {:.2f} ({:.2f}) |", cell.run.first, cell.geomean, cell.worst);
  }
  fmt::print("\n");
  return okStatus();
}

int main(int argc, char **argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--cross") {
    const Status status = cross(std::span(argv + 2, static_cast<size_t>(argc - 2)));
    if (!status.ok())
      fmt::print(stderr, "CompareVariants: {}\n", status.message());
    return status.exitCode();
  }
  fmt::print("# problem\tone\tkernels\tvariants\tround, one\tround, all\tratio\talone on "
             "1\t2\t4\t8\t12\t16\n");
  for (int i = 1; i < argc; ++i)
    if (const Status status = compare(argv[i]); !status.ok()) {
      fmt::print(stderr, "CompareVariants: {}: {}\n", argv[i], status.message());
      return status.exitCode();
    }
}
