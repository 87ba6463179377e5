//===- ProblemText.h - the text form of a Problem -------------------------===//
//
// For people, for tests and to keep Problems as data (`mtc compile --emit=problem`): a line per
// device, kernel, variant, region, body, tenant, entry, tensor, value and task, in the order of the
// Problem, so that indices are line numbers within a kind.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Scheduling/Problem.h"

#include <string_view>

namespace mtc {

/// One line a thing; see lib/Scheduling/README.md for the form. Equal problems give equal texts.
std::string printProblem(const Problem &problem);

/// The Problem that printProblem() printed, verified by check().
///
/// Fails if a line is not of this form (InvalidInput; the message begins with `line N: `), or the
/// Problem does not pass check().
StatusOr<Problem> parseProblem(std::string_view text);

/// "contraction" of a kind, as the text form names it.
const char *kernelKindName(KernelKind kind);

/// "poisson" of a kind, as the text form and manifests name it.
const char *arrivalKindName(ArrivalKind kind);

} // namespace mtc
