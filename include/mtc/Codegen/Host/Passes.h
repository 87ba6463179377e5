//===- Passes.h - passes of the host code generator -----------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/Pass/Pass.h"

namespace mtc::host {

#define GEN_PASS_DECL
#include "mtc/Codegen/Host/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "mtc/Codegen/Host/Passes.h.inc"

} // namespace mtc::host
