//===- UseTuning.h - measured variants in, descriptions of kernels out ----===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Pipelines/Compile.h"
#include "mtc/Tuning/Candidates.h"

namespace mtc {

/// Replaces the variants of every kernel that `records` know on `device` by the measured ones
/// (chooseVariants). Others keep theirs, with times learned from the records where these are enough
/// for their form.
void useRecords(mt::ProgramOp program, const host::HostTarget &target, const TuningRecords &records,
                const std::string &device);

/// Counts in `summary` where the times of the program's kernels come from.
void countOrigins(mt::ProgramOp program, TuningSummary &summary);

/// What a bundle says of its kernels to a tuner. A null kernel is control flow.
Candidates describeKernels(llvm::ArrayRef<mt::KernelOp> kernels, const host::HostTarget &target);

/// The printed config of a variant; empty if it is none that a tuner knows.
std::string printedConfig(mt::VariantAttr variant);

} // namespace mtc
