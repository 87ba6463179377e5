//===- PriceKernels.h - times of kernels from a host's calibration --------===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Tuning/HostModel.h"

namespace mtc {

/// The model in a file that `mtc tune --calibrate` wrote; none if `path` is empty.
/// Fails if there is no such file, or as parseHostModel() (InvalidInput).
StatusOr<std::optional<HostModel>> readHostModel(const std::string &path);

/// Replaces the device's rates by measured ones.
void useHostModel(const HostModel &model, Device &device);

/// Prices all variants of the program's kernels whose families the model knows, and marks their
/// times `learned`. What was measured itself stays as it is if `keepsMeasured`; else, where it was
/// measured elsewhere, its variants stay those of the shares that they were chosen for, and their
/// times become this host's in a run, too.
///
/// Fails as exportProblem() does.
Status priceKernels(mt::ProgramOp program, const host::HostTarget &target, const HostModel &model,
                    bool keepsMeasured);

} // namespace mtc
