//===- Difference.h - two bundles of one set beside each other ------------===//
#pragma once

#include "mtc/Pipelines/Compile.h"
#include "mtc/Simulation/Simulate.h"

#include <nlohmann/json_fwd.hpp>

namespace mtc::tool {

struct SimulatedTarget;

/// A figure in the other bundle and in this one.
struct WasIs {
  int64_t was = 0, is = 0;
};

struct TenantDifference {
  std::string name;
  WasIs latencyNs, aloneNs; ///< in the round, alone; 0 where a bundle has no such tenant
  WasIs weightBytes, valueBytes;
  WasIs tasks;
  int64_t matched = 0;  ///< tasks that both have
  int64_t moved = 0;    ///< tasks that run on other granules
  int64_t variants = 0; ///< tasks with another variant or kernel
};

/// A task that both rounds have and do not run alike.
struct TaskDifference {
  std::string tenant, name;
  int32_t id = 0;
  GranuleMask wasGranules = 0, isGranules = 0;
  std::string wasVariant, isVariant;
  WasIs ns;
};

struct Difference {
  std::string other; ///< the file
  WasIs makespanNs;
  WasIs weightBytes;                     ///< of all tenants, shared ones once
  std::vector<TenantDifference> tenants; ///< this bundle's, then those that only the other has
  std::vector<TaskDifference> tasks;     ///< in the order of this round
};

/// What is different in `is`, with rounds simulated for both. The n-th task of a name is
/// that of the same tenant in the other: ids shift when others are fused.
Difference differenceOf(const SimulatedTarget &was, const SimulatedTarget &is,
                        const std::string &otherFile);

nlohmann::ordered_json differenceJson(const Difference &difference);
std::string printDifference(const Difference &difference);

} // namespace mtc::tool
