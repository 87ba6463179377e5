//===- CompareElements.cpp - random elements, whether two tensors agree ---===//
#include "CompareElements.h"

#include "Codegen/Host/Buffers.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mlir;

namespace mtc::emulator {

static uint64_t bitsAt(const uint8_t *bytes, int64_t width) {
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, static_cast<size_t>(width));
  return bits;
}

/// An element as a number; integers of 64 bits may lose their last digits.
static double valueAt(Type type, const uint8_t *bytes, int64_t width) {
  if (type.isF32()) {
    float value = 0;
    std::memcpy(&value, bytes, 4);
    return value;
  }
  const uint64_t bits = bitsAt(bytes, width);
  if (auto real = dyn_cast<FloatType>(type)) {
    llvm::APFloat value(real.getFloatSemantics(), llvm::APInt(real.getWidth(), bits));
    bool isLost = false;
    value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &isLost);
    return value.convertToDouble();
  }
  const int64_t unused = 64 - 8 * width;
  return static_cast<double>(static_cast<int64_t>(bits << unused) >> unused);
}

double toleranceOf(Type type) {
  if (!isa<FloatType>(type))
    return 0;
  return type.isF64() ? 1e-12 : type.isF16() ? 2e-3 : type.isBF16() ? 1.6e-2 : 1e-5;
}

void fillRandom(Type type, std::span<uint8_t> bytes, std::mt19937_64 &random) {
  const int64_t width = host::elementBytes(type);
  auto real = dyn_cast<FloatType>(type);
  for (size_t at = 0; at + width <= bytes.size(); at += width) {
    const uint64_t drawn = random() >> 40;
    const float value = static_cast<float>(drawn) * 0x1p-23f - 1.0f;
    uint64_t bits = width == 1 ? drawn : static_cast<uint64_t>(int64_t(drawn & 0xFF) - 8);
    if (type.isF32()) {
      std::memcpy(&bits, &value, 4);
    } else if (real) {
      llvm::APFloat converted(value);
      bool isLost = false;
      converted.convert(real.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &isLost);
      bits = converted.bitcastToAPInt().getZExtValue();
    }
    std::memcpy(bytes.data() + at, &bits, static_cast<size_t>(width));
  }
}

Comparison compareElements(Type type, std::span<const uint8_t> got, std::span<const uint8_t> wanted,
                           const std::vector<bool> &isChosen, double tolerance) {
  const int64_t width = host::elementBytes(type);
  const auto elements = static_cast<int64_t>(wanted.size()) / width;
  double largest = 0;
  for (int64_t e = 0; e < elements; ++e)
    if (const double value = std::abs(valueAt(type, wanted.data() + e * width, width));
        std::isfinite(value))
      largest = std::max(largest, value);
  Comparison result;
  for (int64_t e = 0; e < elements; ++e) {
    if (!isChosen.empty() && !isChosen[e])
      continue;
    ++result.compared;
    const uint8_t *a = got.data() + e * width, *b = wanted.data() + e * width;
    if (std::memcmp(a, b, static_cast<size_t>(width)) == 0)
      continue;
    const double x = valueAt(type, a, width), y = valueAt(type, b, width);
    if (std::isnan(x) && std::isnan(y))
      continue;
    // Of other infinities or NaN the difference is none that is below anything.
    const double difference = std::abs(x - y);
    if (std::isfinite(difference) && largest > 0)
      result.error = std::max(result.error, difference / largest);
    if (difference <= tolerance * largest)
      continue;
    if (result.firstWrong < 0) {
      result.firstWrong = e;
      result.got = x;
      result.wanted = y;
    }
  }
  return result;
}

} // namespace mtc::emulator
