//===- Amounts.h - what a kernel's code does ------------------------------===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Tuning/HostModel.h"

namespace mtc::host {

/// Counts what the code of `kernel` does with `config`, from the same analyses that its emitter
/// uses; counts of vectors are of full registers of `target`. Of emitters that are not counted here
/// the structured operations are, in a family of the emitter's name. Bytes are left out:
/// addTraffic() knows what caches hold.
///
/// Complexity: that of the emitter's analysis.
KernelAmounts amountsOf(mt::KernelOp kernel, mt::VariantAttr variant, const HostTarget &target);

} // namespace mtc::host
