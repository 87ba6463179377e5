//===- Passes.td - the passes of the mt dialect ----------------*- tablegen -*-===//

#ifndef MTC_DIALECT_MT_TRANSFORMS_PASSES_TD
#define MTC_DIALECT_MT_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif
