//===- PrecisionBudget.h - how precisely products are computed ------------===//
//
// A precision is a promise about answers: of tf32 their error is at most 2e-3, of f16 and bf16
// 2e-2, norm by norm. Products whose factors are rounded to a unit roundoff u add errors of 0.59 u,
// in the root of the mean square; what stands behind a product may amplify it. Nobody knows by how
// much without numbers, but deep networks do so more: the errors of the products of a text detector
// and a recognizer, each rounded alone, fall from 7 u to 0.5 u from their first to their last
// layers (60 layers, emulated by rounding in onnxruntime). So the square of an error counts once
// for the answer and once for each product that depends on it, which those two need and which is
// too much for others (residual networks by 4, with a sigmoid or softmax behind them by 100).
//
// Source of 0.59: an error of rounding is uniform within u of a number's binade, u / sqrt(3) at its
// start and half of that at its end, 0.42 u for logarithmically distributed numbers; two factors.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace mtc::cuda {

enum class Precision { F32, TF32, F16, BF16 };

/// "f32", "tf32", "f16", "bf16".
llvm::StringRef nameOf(Precision precision);
std::optional<Precision> precisionNamed(llvm::StringRef name);

/// The largest relative error of rounding to nearest; 0 for f32, whose errors are not counted.
double roundoffOf(Precision precision);

/// The largest error of answers, norm of the difference over norm of the answers.
double toleranceOf(Precision precision);

/// A product of a network, or several with one weight (the steps of a recurrence), which round
/// alike.
struct RoundedProduct {
  double flops = 0, bytes = 0; ///< bytes: factors and results, as f32
  int64_t behind = 0;          ///< products that depend on it
  Precision precision = Precision::F32;
};

/// What the errors of all together are modelled to make of the answers.
double errorOf(llvm::ArrayRef<RoundedProduct> products);

/// Computes products more precisely than `asked`: of those that are, at first, of that precision
/// - in f32 those whose time is that of their bytes anyhow, if it is tf32: others halve bytes, too;
/// - then as many as errorOf() asks for, cheapest first for the error that it removes: bf16 becomes
///   tf32 and, if all have, f32; others become f32 at once.
/// Complexity: n log n.
void fitPrecision(llvm::MutableArrayRef<RoundedProduct> products, Precision asked);

} // namespace mtc::cuda
