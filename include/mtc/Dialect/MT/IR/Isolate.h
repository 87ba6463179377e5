//===- Isolate.h - what a step of a recurrence reads from outside ---------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

namespace mtc::mt {

/// Lets the step read values from outside itself, so that ops in it can be rewritten together with
/// those outside: the op has no invariants until isolate().
void openUp(RecurrenceOp op);

/// Ops of a step that depend on no slice and no state move before the recurrence; other values from
/// outside become invariants, but for what costs nothing to repeat.
/// Complexity: linear in the step, again for every level of what is repeated.
void isolate(RecurrenceOp op);

} // namespace mtc::mt
