//===- Pools.h - handlers of the operators over windows -------------------===//
//
// PoolingOps.cpp holds the family's table.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

// UnpoolOps.cpp
Results maxUnpool(NodeContext &c);
Results col2im(NodeContext &c);

} // namespace mtc::onnx_import
