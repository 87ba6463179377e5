//===- PrecisionBudget.cpp - how precisely products are computed ----------===//
#include "PrecisionBudget.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cmath>

namespace mtc::cuda {

/// Operations for each byte from which on f32 takes longer than memory: 67 TFLOP/s and 4.8 TB/s of
/// an H200 (Support/DeviceTable); of an A100 it is 10.
static constexpr double boundFlopsPerByte = 14;

static constexpr double errorOfTwoFactors = 0.59; ///< in units of the roundoff

llvm::StringRef nameOf(Precision precision) {
  switch (precision) {
  case Precision::F32:
    return "f32";
  case Precision::TF32:
    return "tf32";
  case Precision::F16:
    return "f16";
  case Precision::BF16:
    return "bf16";
  }
  llvm_unreachable("unknown precision");
}

std::optional<Precision> precisionNamed(llvm::StringRef name) {
  for (Precision precision : {Precision::F32, Precision::TF32, Precision::F16, Precision::BF16})
    if (name == nameOf(precision))
      return precision;
  return std::nullopt;
}

double roundoffOf(Precision precision) {
  switch (precision) {
  case Precision::F32:
    return 0;
  case Precision::TF32:
  case Precision::F16:
    return 0x1p-11;
  case Precision::BF16:
    return 0x1p-8;
  }
  llvm_unreachable("unknown precision");
}

double toleranceOf(Precision precision) {
  return precision == Precision::F32 ? 1e-4 : precision == Precision::TF32 ? 2e-3 : 2e-2;
}

static double squareOf(const RoundedProduct &product) {
  const double error = errorOfTwoFactors * roundoffOf(product.precision);
  return error * error * static_cast<double>(1 + product.behind);
}

double errorOf(llvm::ArrayRef<RoundedProduct> products) {
  double sum = 0;
  for (const RoundedProduct &product : products)
    sum += squareOf(product);
  return std::sqrt(sum);
}

/// What f32 costs beyond the time of its bytes.
static double costOf(const RoundedProduct &product) {
  return std::max(0.0, product.flops - boundFlopsPerByte * product.bytes);
}

void fitPrecision(llvm::MutableArrayRef<RoundedProduct> products, Precision asked) {
  llvm::SmallVector<RoundedProduct *> open;
  for (RoundedProduct &product : products) {
    if (product.precision != asked)
      continue;
    if (asked == Precision::TF32 && costOf(product) == 0)
      product.precision = Precision::F32;
    else
      open.push_back(&product);
  }
  llvm::stable_sort(open, [](const RoundedProduct *x, const RoundedProduct *y) {
    return costOf(*x) / static_cast<double>(1 + x->behind) <
           costOf(*y) / static_cast<double>(1 + y->behind);
  });
  double square = errorOf(products) * errorOf(products);
  const double most = toleranceOf(asked) * toleranceOf(asked);
  for (Precision from = asked; from != Precision::F32;) {
    const Precision to = from == Precision::BF16 ? Precision::TF32 : Precision::F32;
    for (RoundedProduct *product : open) {
      if (square <= most)
        return;
      square -= squareOf(*product);
      product->precision = to;
      square += squareOf(*product);
    }
    from = to;
  }
}

} // namespace mtc::cuda
