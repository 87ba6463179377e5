//===- Roofline.h - what a kernel costs -----------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

namespace mtc::host {

/// What a kernel does, whatever its config.
struct Work {
  int64_t flops = 0; ///< a multiply-add is two, a function of math about ten
  int64_t bytes = 0; ///< as mt::bytesOf()
};

/// Counts operations of structured bodies times their loops.
Work workOf(mt::KernelOp kernel);

} // namespace mtc::host
