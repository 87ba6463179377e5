//===- Recurrence.h - loops over time on one worker -----------------------===//
//
// A step of an mt.recurrence is cut into kernels as an entry is into tasks, and each gets the
// config and the code that it would have as a task: products with packed weights, fused gates. The
// loop calls them one after the other. What they hand to each other lies in the worker's scratch,
// so a step costs no dispatch, no barrier and no memory beyond its weights.
//
// One worker runs it all: a step of 128 hidden units takes 2 us, of which the weights' way from the
// L2 cache is most (100 GB/s); two workers would each read half of them, for a barrier a step.
// Other tasks (the layer's other direction, other tenants) run beside it.
//
// Predicted for arname_enc (two layers, two directions, 24 steps of a GRU of 128) from 302 tasks
// that become 18: a third less time. Measured against the unrolled form, in turn in one run,
// medians of three (two cores of an AMD EPYC Zen 4, shared VM, 2026-11-23): one core 0.90 -> 0.51
// ms, two cores 0.40 -> 0.34 ms; silero_vad_seq (32 steps of an LSTM of 128) 0.70 -> 0.60 and 0.40
// -> 0.38.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Emitter.h"
#include "Variants.h"

#include "mtc/Dialect/MT/Transforms/Recurrences.h"

namespace mtc::host {

/// A kernel of a step and its code.
struct StepCall {
  mt::StepKernel kernel;
  Choice choice;
};

struct Recurrence {
  BufferPlan plan; ///< of the kernel; its scratch has room for all below
  mt::RecurrenceOp op;
  std::vector<StepCall> calls;
  /// Where in the scratch the values of a step lie: slices, states, results of calls. Invariants
  /// lie where the kernel has them.
  llvm::DenseMap<mlir::Value, int64_t> slots;
  int64_t callScratch = 0; ///< the scratch of the calls
};

/// The recurrence of a kernel that is one; else null.
mt::RecurrenceOp recurrenceOf(mt::KernelOp kernel);

/// Plans the recurrence of `kernel`, whose steps are cut into kernels with `fuse` or op by op.
/// `choose` gives the config of the n-th of them.
/// Fails if `choose` does, or the body yields what it does not compute (an error is emitted).
mlir::FailureOr<Recurrence>
planRecurrence(mt::KernelOp kernel, bool fuse,
               llvm::function_ref<mlir::FailureOr<Choice>(size_t, mt::KernelOp)> choose);

/// planRecurrence() with the configs that `config` says, one for each call; fails, without an
/// error, if it is not the config of such a recurrence.
mlir::FailureOr<Recurrence> planRecurrence(mt::KernelOp kernel, const HostTarget &target,
                                           mlir::DictionaryAttr config);

/// {emitter = "recurrence", steps = [the config of each call]}.
mlir::DictionaryAttr configOf(const Recurrence &recurrence);

/// A value of a step without the reshapes around it.
mlir::Value withoutReshapes(mlir::Value v);

/// Emits the loop. The calls' functions, `symbols` in their order, are in the module.
mlir::LogicalResult emitRecurrence(Emitter &emitter, const Recurrence &recurrence,
                                   llvm::ArrayRef<std::string> symbols, const HostTarget &target);

} // namespace mtc::host
