//===- Toy.h - a world for toy policies that know a bundle only -----------===//
//
// Requests arrive, a policy starts and stops them, time passes. Policies see what a bundle holds:
// tenants with rates, SLOs and priorities, and its online tables. What a policy needs and the
// tables lack is remembered by name.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Online.h"

#include <set>

namespace mtc::test {

struct ToyRequest {
  int32_t tenant = 0;
  int64_t arrivalNs = 0;
  size_t segments = 0; ///< that it has behind it
};

struct ToyRun {
  ToyRequest request;
  GranuleMask granules = 0;
  const SoloRow *row = nullptr;
  double factor = 1; ///< slower beside its neighbours
  int64_t startNs = 0;
  int64_t endNs = 0;     ///< of the plan, or of the segment after which it stops
  size_t stopsAfter = 0; ///< segments
};

class Toy {
public:
  Toy(const Problem &problem, const OnlineTables &tables) : problem(problem), tables(tables) {}

  const Problem &problem;
  const OnlineTables &tables;
  int64_t nowNs = 0;
  std::vector<ToyRequest> waiting; ///< oldest first
  std::vector<ToyRun> running;
  std::vector<double> state; ///< a policy's own, by tenant
  std::set<std::string> missing;

  /// `value`, or 1 and a note that the bundle lacks it.
  template <typename T> T need(T value, const char *field) {
    if (value > 0)
      return value;
    missing.insert(field);
    return 1;
  }
  GranuleMask free() const;
  /// The lowest `count` free granules; 0: there are not as many.
  GranuleMask pick(int32_t count) const;
  /// A tenant's first entry on the most granules up to `granules` that has a row; null and a note.
  const SoloRow *solo(int32_t tenant, int32_t granules);
  int64_t soloNs(int32_t tenant, int32_t granules);
  /// What a stored round of two tenants takes; 1 and a note if there is none.
  int64_t mixNs(int32_t one, int32_t other);
  int64_t sloNs(int32_t tenant) const { return problem.tenants[size_t(tenant)].sloP99Ns; }
  int32_t allGranules() const { return problem.device.granules; }

  void start(size_t waitingIndex, GranuleMask granules);
  /// Stops at the end of the current segment; the request then waits again.
  void stop(size_t runningIndex);
};

using ToyPolicy = void (*)(Toy &);

struct ToyResult {
  int64_t served = 0;
  double meanNs = 0; ///< latency
  double missed = 0; ///< part of the requests beyond their SLO
  std::set<std::string> missing;
};

/// `requests` Poisson arrivals at the tenants' rates. Stops early once something is missing.
ToyResult runToy(const Problem &problem, const OnlineTables &tables, ToyPolicy policy,
                 int64_t requests);

// One file each.
void prema(Toy &toy);
void irina(Toy &toy);
void gslice(Toy &toy);
void gpulet(Toy &toy);
void interAware(Toy &toy);
void migServing(Toy &toy);
void planaria(Toy &toy);

} // namespace mtc::test
