//===- Moves.h - handlers of the operators that move elements -------------===//
//
// MoveOps.cpp holds the family's table; the larger operators have files of their own.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

// GatherOps.cpp
Results gather(NodeContext &c);
Results gatherElements(NodeContext &c);
Results gatherND(NodeContext &c);
// ScatterOps.cpp
Results scatterElements(NodeContext &c);
Results scatterND(NodeContext &c);
// GridSampleOps.cpp
Results gridSample(NodeContext &c);
// ResizeOps.cpp
Results resize(NodeContext &c);
Results upsample(NodeContext &c);

} // namespace mtc::onnx_import
