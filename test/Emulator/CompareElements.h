//===- CompareElements.h - random elements, and whether two tensors agree -===//
#pragma once

#include "mlir/IR/Types.h"
#include "mtc/Support/Status.h"

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace mtc::emulator {

/// Fills memory with elements of `type`: floats uniform in [-1, 1), i8 any, wider integers in
/// [-8, 248), so that they serve as indices, too.
void fillRandom(mlir::Type type, std::span<uint8_t> bytes, std::mt19937_64 &random);

struct Comparison {
  int64_t compared = 0;
  double error = 0;           ///< largest difference over the largest finite magnitude of `wanted`
  int64_t firstWrong = -1;    ///< -1: none
  double got = 0, wanted = 0; ///< there
};

/// How far a float may be off, over the largest finite magnitude of its tensor, after sums in its
/// own precision: 1e-5 (f16: 2e-3, bf16: 1.6e-2, f64: 1e-12). 0 for integers.
double toleranceOf(mlir::Type type);

/// Compares the elements that `isChosen` names; all if it is empty. Floats differ by at most
/// `tolerance` of the largest finite magnitude in `wanted`. NaN and infinities agree with
/// themselves only.
Comparison compareElements(mlir::Type type, std::span<const uint8_t> got,
                           std::span<const uint8_t> wanted, const std::vector<bool> &isChosen,
                           double tolerance);

} // namespace mtc::emulator
