//===- DeviceTable.h - what devices can do --------------------------------===//
//
// One row per instruction set level of hosts (a row per GPU joins with the CUDA target). The rates
// feed the analytic cost model, where only their ratios matter until something was measured.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace mtc {

/// A generic server core of one x86-64 psABI level.
struct HostRow {
  const char *level; ///< "x86-64-v4"
  double flopsPerNs; ///< a core, f32, fused multiply-adds counted twice
  double bytesPerNs; ///< a core, from its share of the last-level cache
  int64_t launchNs;  ///< start of a task on a worker that spins
  int64_t barrierNs; ///< barrier between spinning workers
};

/// All host rows, lowest level first.
std::span<const HostRow> hostRows();

/// The row of a level.
///
/// Fails if there is none (InvalidInput; the message lists the levels).
StatusOr<HostRow> hostRow(std::string_view level);

} // namespace mtc
