//===- Passes.h - passes of the CUDA code generator -----------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/Pass/Pass.h"

namespace mtc::cuda {

#define GEN_PASS_DECL
#include "mtc/Codegen/CUDA/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "mtc/Codegen/CUDA/Passes.h.inc"

} // namespace mtc::cuda
