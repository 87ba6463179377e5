//===- RegionStatus.h - how control flow fails ----------------------------===//
#pragma once

#include "mtc/Runtime/Session.h"

#include <fmt/format.h>

namespace mtc {

/// Statuses of regions; those of kernels are positive.
enum : int32_t {
  kTooManyTrips = -1, ///< a Loop goes on after the last allowed iteration
  kWrongLength = -2,  ///< a Loop ended early or late for the lengths of its operands
};

/// What a request ends with: of a kernel or region, 0 is Ok. `where` names tenant and task.
inline RequestStatus statusOfTask(int32_t status, const std::string &where, int64_t maxTrips) {
  switch (status) {
  case 0:
    return {};
  case kTooManyTrips:
    return {RequestCode::TooManyTrips,
            fmt::format("{}: a loop goes on after {} iterations", where, maxTrips)};
  case kWrongLength:
    return {RequestCode::KernelFailed,
            where + ": a loop has not as many iterations as its tensors have elements"};
  default:
    return {RequestCode::KernelFailed, fmt::format("{} failed with status {}", where, status)};
  }
}

} // namespace mtc
