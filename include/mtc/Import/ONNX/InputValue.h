//===- InputValue.h - the value of an input that is known when compiling --===//
//
// Shapes, axes and limits are often inputs of a graph. A model whose shapes depend on them can be
// compiled for one value of each. Plain C++: manifests hold these without MLIR.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Npy.h"

#include <optional>
#include <string>
#include <vector>

namespace mtc {

/// The elements of an input, as a user writes them or as bytes.
struct InputValue {
  /// Row-major: "1", "-0.5", "inf", "true". Their element type is the input's; so is their shape,
  /// if it is known, else they are a vector.
  std::vector<std::string> numbers;
  /// Used instead of `numbers` if it is there; type and shape have to be the input's.
  std::optional<NpyArray> tensor;
};

} // namespace mtc
