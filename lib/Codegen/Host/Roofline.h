//===- Roofline.h - what a kernel costs -----------------------------------===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"

namespace mtc::host {

/// What a kernel does on a target, whatever its config.
struct Work {
  int64_t flops =
      0; ///< a multiply-add is two, a function of math about ten; of f32 or what takes as long
  int64_t bytes = 0; ///< as mt::bytesOf()
};

/// Counts operations of structured bodies times their loops.
Work workOf(mt::KernelOp kernel, const HostTarget &target);

} // namespace mtc::host
