//===- Contractions.h - handlers of the operators that sum products -------===//
//
// ContractionOps.cpp holds the family's table; the larger operators have files of their own.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

// EinsumOps.cpp
Results einsum(NodeContext &c);
// DeterminantOps.cpp
Results determinant(NodeContext &c);

} // namespace mtc::onnx_import
