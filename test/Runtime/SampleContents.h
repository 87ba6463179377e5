//===- SampleContents.h - a bundle of hand-written kernels ----------------===//
//
// Tenants, one input "x" and one output "y" each, 1024 floats:
//   chain    y = x * w0 * w1
//   diamond  y = x * w0 + x * w1       (two branches that can run side by side)
//   phases   y = x / sum(x)            (two phases with a barrier; output "value:sums", too)
//   fragile  y = x, fails on 13
//   slow     y = x after x[0] ms
// Weights: w0[i] = 2, w1[i] = i, w2 = w0 again (stored once), w3 of 3 MiB that nobody uses.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Contents.h"

namespace mtc::test {

inline constexpr int64_t kElements = 1024;

/// Compiled for `granules` cores; every multi-granule variant is priced so that policies use it.
Contents sampleContents(int granules);

} // namespace mtc::test
