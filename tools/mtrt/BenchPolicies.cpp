//===- BenchPolicies.cpp - rounds by several policies in turn -------------===//
//
// A machine that others use drifts by more than plans differ. So what is compared runs within the
// same second, and only ratios of neighbours in time count. A round finds the caches as the one
// before left them: every order of the policies has its turn, so none profits.
//
//===----------------------------------------------------------------------===//
#include "BenchPolicies.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <cmath>
#include <numeric>
#include <set>

namespace mtc::tool {
namespace {

/// A policy that is compared.
struct Compared {
  std::string asked, policy; ///< the name given, and who made the plan
  double predictedMs = 0;
  Samples makespan, round; ///< by iteration
};

Status checkNames(const std::vector<std::string> &names) {
  std::set<std::string> seen;
  for (const std::string &name : names)
    if (!seen.insert(name).second)
      return invalidInput(fmt::format("--policy: '{}' is named twice", name));
  return okStatus();
}

void report(const OutputOptions &output, const Session &session, const std::vector<Compared> &all,
            nlohmann::ordered_json &json) {
  const bool print = output.printsText();
  if (print)
    fmt::print("{}\n{:<24} {:>12} {:>12} {:>12}   {}\n", describeDevice(session), "makespan",
               "predicted", "quartile", "median", "ratio to the first, 95 %");
  for (const Compared &of : all) {
    std::vector<double> ratios;
    for (size_t i = 0; i < of.makespan.ns.size(); ++i)
      ratios.push_back(double(of.makespan.ns[i]) / double(all[0].makespan.ns[i]));
    const MedianInterval ratio = medianInterval(std::move(ratios));
    json["policies"].push_back(
        {{"name", of.asked},
         {"policy", of.policy},
         {"predicted_ms", of.predictedMs},
         {"makespan_ms",
          {{"min", of.makespan.quantileMs(0)},
           {"quartile", of.makespan.quantileMs(0.25)},
           {"median", of.makespan.medianMs()}}},
         {"round_ms", {{"median", of.round.medianMs()}}},
         {"ratio", {{"median", ratio.median}, {"low", ratio.low}, {"high", ratio.high}}}});
    if (print)
      fmt::print("  {:<22} {:>9.3f} ms {:>9.3f} ms {:>9.3f} ms   {:.3f} ({:.3f} to {:.3f})\n",
                 of.asked == of.policy ? of.asked : fmt::format("{} ({})", of.asked, of.policy),
                 of.predictedMs, of.makespan.quantileMs(0.25), of.makespan.medianMs(), ratio.median,
                 ratio.low, ratio.high);
  }
}

} // namespace

MedianInterval medianInterval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = values.size();
  const double half = 1.96 * std::sqrt(double(n)) / 2;
  const auto below = static_cast<size_t>(std::max(0.0, std::floor(double(n) / 2 - half)));
  return {values[below], (values[(n - 1) / 2] + values[n / 2]) / 2, values[n - 1 - below]};
}

Status benchPolicies(const DeviceOptions &device, const OutputOptions &output, const Fill &fill,
                     const PolicyComparison &comparison) {
  MTC_RETURN_IF_ERROR(checkNames(comparison.policies));
  std::vector<Compared> all;
  for (const std::string &name : comparison.policies)
    all.push_back({name, "", 0, {}, {}});
  size_t running = 0;
  bool keep = false;
  std::atomic<int64_t> reported{0}; ///< rounds; one is reported after its requests have ended
  SessionOptions options;
  options.jobEnded = [&](const JobReport &job) {
    Compared &of = all[running];
    of.policy = job.schedule.policy;
    of.predictedMs = double(job.schedule.makespanNs) / 1e6;
    if (keep)
      of.makespan.ns.push_back(job.endNs - job.firstNs);
    ++reported;
    reported.notify_one();
  };
  MTC_ASSIGN_OR_RETURN(auto session, openSession(device, output, std::move(options)));
  MTC_ASSIGN_OR_RETURN(auto clients, makeClients(*session, fill));

  std::vector<size_t> order(all.size());
  std::iota(order.begin(), order.end(), size_t(0));
  {
    const Progress progress(!output.quiet, comparison.warmup + comparison.iterations);
    int64_t rounds = 0;
    for (int i = -comparison.warmup; i < comparison.iterations; ++i) {
      keep = i >= 0;
      for (size_t which : order) {
        running = which;
        MTC_ASSIGN_OR_RETURN(const int64_t ns,
                             iterateRound(*session, clients, all[which].asked, keep));
        ++rounds;
        for (int64_t seen = reported; seen < rounds; seen = reported)
          reported.wait(seen);
        if (keep)
          all[which].round.ns.push_back(ns);
      }
      std::next_permutation(order.begin(), order.end());
      progress.show(i + comparison.warmup + 1);
    }
  }
  nlohmann::ordered_json json = {{"version", 1},
                                 {"mode", "round"},
                                 {"device", describeDevice(*session)},
                                 {"warmup", comparison.warmup},
                                 {"iterations", comparison.iterations},
                                 {"policies", nlohmann::ordered_json::array()}};
  report(output, *session, all, json);
  clients.clear();
  return writeJson(output, json);
}

} // namespace mtc::tool
