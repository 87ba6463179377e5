//===- UseTuning.h - measured variants in, descriptions of kernels out ----===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Pipelines/Phases.h"
#include "mtc/Tuning/Candidates.h"
#include "mtc/Tuning/Search.h"

namespace mtc {

class TunedTarget;

/// Replaces the variants of every kernel that `records` know on `device` by the measured ones
/// (chooseVariants). Others keep theirs; on a host with times learned from the records where these
/// are enough for their form. Without a device: the only GPU that has times of the kernels.
///
/// Fails if there are several such GPUs (InvalidInput).
Status useRecords(mt::ProgramOp program, const AnyTarget &target, const TuningRecords &records,
                  std::string device);

/// The records of all files *.jsonl of a folder, whatever compiler they are of; what cannot be read
/// is left out and noted. No such folder: none.
TuningRecords readShipped(const std::string &folder, std::vector<std::string> &notes);

/// Takes measured variants from records that hold for `device`, as many cores as the target has and
/// the very code that this compiler emits (host::emissionHash), and leaves the others alone.
/// Returns for how many kernels, and notes what was left out.
int64_t useShipped(mt::ProgramOp program, const host::HostTarget &target,
                   const TuningRecords &records, const std::string &device,
                   std::vector<std::string> &notes);

/// What of a kernel's records is worth shipping: those of its first config and of the variants that
/// would be chosen, with the hashes of their code. Nothing if that is the first one alone.
TuningRecords recordsToShip(mt::KernelOp kernel, const host::HostTarget &target,
                            llvm::ArrayRef<TimeRecord> times);

/// Counts in `summary` where the times of the program's kernels come from.
void countOrigins(mt::ProgramOp program, TuningSummary &summary);

/// What a bundle says of its kernels to a tuner. A null kernel is control flow.
Candidates describeKernels(llvm::ArrayRef<mt::KernelOp> kernels, const TunedTarget &target);

} // namespace mtc
