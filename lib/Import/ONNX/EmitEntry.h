//===- EmitEntry.h - an entry from its resolved nodes ---------------------===//
#pragma once

#include "Weights.h"

namespace mtc::onnx_import {

/// Adds the entry to `tenant`. Nodes that their handlers reject go to `rejected` (name, operator
/// and reason; the entry is then not usable). Fails if a weight's bytes are wrong (InvalidInput) or
/// a handler breaks its contract (Internal).
Status emitEntry(mt::TenantOp tenant, const std::string &name, const ResolvedEntry &resolved,
                 const Opsets &opsets, WeightTable &weights, std::vector<ResolvedNode> &rejected);

} // namespace mtc::onnx_import
