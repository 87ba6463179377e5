//===- CheckTasks.h - tasks by what is wrong with their kernels -----------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "llvm/ADT/StringMap.h"

namespace mtc::cuda {

/// A line for every use of a kernel in `reasons`; each begins with a line break. Empty if there is
/// none.
std::string listTasks(mt::ProgramOp program, const llvm::StringMap<std::string> &reasons);

} // namespace mtc::cuda
