//===- Layouts.h - which tenants share which part of the device -----------===//
//
// Under open load tenants run on partitions (Scheduling/Dispatcher.h). Here: the layouts that users
// and other systems get, and a search for a better one. Layouts are judged by the simulator, since
// no formula knows the tail of a queue of several tenants.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Simulation/OpenLoad.h"

#include <functional>

namespace mtc {

/// How every tenant is served: by its first entry one request at a time, and by entries whose
/// inputs and outputs are its first entry's with a first extent `n` times as large, n at a time.
std::vector<Service> batchServices(const Problem &problem);

/// Who asks for what.
struct OpenLoad {
  std::vector<Arrivals> arrivals; ///< by tenant
  std::vector<Service> services;  ///< by tenant
};

/// What the problem's tenants ask for, by batchServices().
OpenLoad openLoadOf(const Problem &problem);

/// The same with all rates, or that of one tenant, `factor` times as high.
OpenLoad scaled(OpenLoad load, double factor, int32_t tenant = -1);

/// All tenants on the whole device, one request after the other, first come first served: a server
/// that knows nothing of the set. A baseline.
Layout wholeLayout(const Problem &problem, const OpenLoad &load);

/// A stream per tenant on the whole device: what users of GPU streams get. A baseline.
Layout streamsLayout(const Problem &problem, const OpenLoad &load);

/// The device whole or split once by fifths. Tenants, busiest first, go to the least part that has
/// min(knee, what rate and SLO need) granules and time left, else to the one with most time left;
/// of all splits the one whose busier part has most time left.
///
/// Source: Choi et al., USENIX ATC 2022 (gpulet), for one GPU, without its interference model.
Layout gpuletLayout(const Problem &problem, const SoloPlans &plans, const OpenLoad &load);

struct LayoutOptions {
  int64_t steps = 300;     ///< layouts that may be tried
  int64_t requests = 1500; ///< of the rarest tenant in a try; fewer if rates differ much
  uint64_t seed = 1;
};

/// How well a layout serves: less is better, from left to right.
struct LayoutScore {
  double worst = 0; ///< largest p99 over SLO; without an SLO: over 100 times the time alone
  double mean = 0;  ///< of p99 over the time alone, weighted by 2^priority
  friend auto operator<=>(const LayoutScore &, const LayoutScore &) = default;
};

/// The score of a layout by a short simulation with jobs as single tasks.
///
/// Fails as simulateOpen().
StatusOr<LayoutScore> scoreLayout(const Problem &problem, const SoloPlans &plans,
                                  const OpenLoad &load, const Layout &layout,
                                  const LayoutOptions &options = {});

/// Searches sizes, tenants and number of partitions together, and how long batches wait: local
/// changes of the best of several seeds, gpuletLayout() among them, so never worse than that by the
/// score. Partitions are disjoint. Deterministic; more steps never give a worse score.
///
/// Fails as simulateOpen(); tenants without rate are left out of the layout.
///
/// Complexity: `steps` simulations of `requests` requests of the rarest tenant.
StatusOr<Layout> searchLayout(const Problem &problem, const SoloPlans &plans, const OpenLoad &load,
                              const LayoutOptions &options = {});

/// Whether a load was served: it did not give up, and every SLO is at least the p99, or the upper
/// end of its interval if `surely`.
bool isServed(const Problem &problem, const OpenOutcome &outcome, bool surely);

struct GreatestLoad {
  double factor = 0; ///< of the rates; 0: not even the least that was tried
  Layout layout;     ///< that serves it
};

struct GreatestLoadOptions {
  double least = 0.05, most = 20; ///< factors between which to look
  int64_t steps = 8;              ///< halvings of the (logarithmic) interval
  int32_t tenant = -1;            ///< whose rate is changed; -1: all
  bool surely = false;            ///< see isServed()
  OpenLoadOptions simulation;
};

/// The greatest rates at which the layouts of a policy serve (isServed()), by bisection.
///
/// Fails as `policy` and simulateOpen().
StatusOr<GreatestLoad> greatestLoad(const Problem &problem, const SoloPlans &plans,
                                    const OpenLoad &load,
                                    const std::function<StatusOr<Layout>(const OpenLoad &)> &policy,
                                    const GreatestLoadOptions &options = {});

/// "0-3,6": the granules of a mask, ranges by their ends.
std::string printGranules(GranuleMask mask);

/// "det, rec on granules 0-11; cls on granules 12-15", without tenants that nobody asks for.
std::string printLayout(const Problem &problem, const Layout &layout);

} // namespace mtc
