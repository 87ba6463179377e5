//===- CostModel.h - analytic times of kernels ----------------------------===//
//
// A roofline: a task takes as long as its arithmetic or its memory traffic, whichever is more,
// plus fixed costs, and no more granules help than there are tiles. It ranks choices before
// anything was measured and every time it gives is marked `modelled`; expect errors of a
// factor of two. Not modelled: neighbours, cache sizes, frequency.
// Source: Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"
#include "mtc/Support/DeviceTable.h"

namespace mtc {

/// What the model knows of a kernel and its config.
struct KernelFeatures {
  KernelKind kind = KernelKind::Opaque;
  int64_t flops = 0; ///< a multiply-add is two; an exp about ten
  int64_t bytes = 0; ///< operands and results, each once
  std::vector<int64_t> phaseTiles = {
      1};                 ///< as Variant::phaseTiles; phases are taken to cost the same
  bool vectorized = true; ///< false: plain loops
};

/// The Device of `cores` cores of a row, for Problem::device.
Device hostDevice(const std::string &target, const HostRow &row, int32_t cores);

/// Modelled time of a kernel on a share of a device.
///
/// Units: ns, at least 1. Never more on more granules.
int64_t modelledNs(const KernelFeatures &features, const Device &device, int32_t granules);

/// modelledNs on 1 to all granules of the device, for Variant::times; numbers of granules that are
/// no faster than the one before are left out.
std::vector<ShareTime> modelledTimes(const KernelFeatures &features, const Device &device);

} // namespace mtc
