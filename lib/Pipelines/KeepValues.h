//===- KeepValues.h - inner values as extra outputs -----------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Support/Status.h"

namespace mtc {

/// Makes every value that leaves an ONNX node whose name matches `regex` (POSIX extended, anywhere
/// in the name) a result of its entry, named `value:NODE`, then `value:NODE:1` ... Model phase.
///
/// Fails if the expression is malformed or no node matches.
Status keepValues(mt::ProgramOp program, const std::string &regex);

} // namespace mtc
