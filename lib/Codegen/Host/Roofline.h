//===- Roofline.h - the time a kernel should take -------------------------===//
#pragma once

#include "Variants.h"

namespace mtc::host {

/// What a kernel does, whatever its config.
struct Work {
  int64_t flops = 0;
  int64_t bytes = 0; ///< of arguments and results, each once
};

/// Counts operations of structured bodies times their loops.
Work workOf(mt::KernelOp kernel);

/// Modelled time on `cores` cores without neighbours, at least 1 us and never rising with cores.
int64_t rooflineNs(const Work &work, const Choice &choice, const HostTarget &target, int cores);

} // namespace mtc::host
