//===- Passes.h - the passes of the mt dialect ----------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/Pass/Pass.h"

namespace mtc::mt {

#define GEN_PASS_DECL
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"

} // namespace mtc::mt
