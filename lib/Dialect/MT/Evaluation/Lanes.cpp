//===- Lanes.cpp - rows of elements in registers and in memory ------------===//
#include "Lanes.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <cstring>

using namespace mlir;

namespace mtc::mt {

StatusOr<Format> Format::of(Type type) {
  Format format;
  if (type.isIndex())
    return format;
  if (!type.isIntOrFloat())
    return unsupported("cannot evaluate values that are neither integers nor floats");
  format.bits = static_cast<int>(type.getIntOrFloatBitWidth());
  bool isInt = type.isInteger();
  bool known = isInt ? llvm::is_contained({1, 8, 16, 32, 64}, format.bits)
                     : type.isF16() || type.isBF16() || type.isF32() || type.isF64();
  if (!known)
    return unsupported("cannot evaluate elements of " + std::to_string(format.bits) + " bits");
  format.isBf16 = type.isBF16();
  format.lane = isInt ? Lane::Int : type.isF64() ? Lane::Double : Lane::Float;
  return format;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

namespace {
/// bf16 as it lies in memory.
struct Bf16 {
  uint16_t bits;
  Bf16() = default;
  explicit Bf16(float value) : bits(static_cast<uint16_t>(llvm::bit_cast<uint32_t>(value) >> 16)) {
    // Values in registers are rounded already; only a NaN whose payload lies in the low half could
    // become infinite.
    if (value != value)
      bits |= 0x40;
  }
  explicit operator float() const {
    return llvm::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
};
} // namespace

template <typename Memory, typename Lane>
static void load(const uint8_t *src, int64_t stride, Lane *lanes, int64_t n) {
  const Memory *memory = reinterpret_cast<const Memory *>(src);
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i)
      lanes[i] = static_cast<Lane>(memory[i]);
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    lanes[i] = static_cast<Lane>(memory[i * stride]);
}

template <typename Memory, typename Lane>
static void store(const Lane *lanes, uint8_t *dst, int64_t stride, int64_t n) {
  Memory *memory = reinterpret_cast<Memory *>(dst);
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i)
      memory[i] = static_cast<Memory>(lanes[i]);
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    memory[i * stride] = static_cast<Memory>(lanes[i]);
}

void loadLanes(Format format, const uint8_t *src, int64_t stride, Frame &frame, int32_t reg,
               int64_t n) {
  if (format.lane == Format::Lane::Double)
    return load<double>(src, stride, frame.lanes<double>(reg), n);
  if (format.lane == Format::Lane::Float) {
    float *lanes = frame.lanes<float>(reg);
    if (format.bits == 32)
      return load<float>(src, stride, lanes, n);
    return format.isBf16 ? load<Bf16>(src, stride, lanes, n)
                         : load<_Float16>(src, stride, lanes, n);
  }
  int64_t *lanes = frame.lanes<int64_t>(reg);
  switch (format.bits) {
  case 1:
    return load<bool>(src, stride, lanes, n);
  case 8:
    return load<int8_t>(src, stride, lanes, n);
  case 16:
    return load<int16_t>(src, stride, lanes, n);
  case 32:
    return load<int32_t>(src, stride, lanes, n);
  default:
    return load<int64_t>(src, stride, lanes, n);
  }
}

void storeLanes(Format format, Frame &frame, int32_t reg, uint8_t *dst, int64_t stride, int64_t n) {
  if (format.lane == Format::Lane::Double)
    return store<double>(frame.lanes<double>(reg), dst, stride, n);
  if (format.lane == Format::Lane::Float) {
    const float *lanes = frame.lanes<float>(reg);
    if (format.bits == 32)
      return store<float>(lanes, dst, stride, n);
    return format.isBf16 ? store<Bf16>(lanes, dst, stride, n)
                         : store<_Float16>(lanes, dst, stride, n);
  }
  const int64_t *lanes = frame.lanes<int64_t>(reg);
  switch (format.bits) {
  case 1:
  case 8:
    return store<int8_t>(lanes, dst, stride, n);
  case 16:
    return store<int16_t>(lanes, dst, stride, n);
  case 32:
    return store<int32_t>(lanes, dst, stride, n);
  default:
    return store<int64_t>(lanes, dst, stride, n);
  }
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

void storeScalar(Format format, Attribute value, uint8_t *dst) {
  uint64_t bits = 0;
  if (auto number = dyn_cast<FloatAttr>(value))
    bits = number.getValue().bitcastToAPInt().getZExtValue();
  else
    bits = cast<IntegerAttr>(value).getValue().getZExtValue();
  std::memcpy(dst, &bits, format.bytes());
}

void splatLanes(Format format, Attribute value, Frame &frame, int32_t reg) {
  alignas(8) uint8_t bytes[8];
  storeScalar(format, value, bytes);
  loadLanes(format, bytes, 0, frame, reg, kLanes);
}

//===----------------------------------------------------------------------===//
// Operations that look beyond the registers
//===----------------------------------------------------------------------===//

void runIndex(const Instruction &in, Frame &frame, int64_t n) {
  int64_t *lanes = frame.lanes<int64_t>(in.result);
  int64_t step = in.immediate == frame.laneDim ? 1 : 0;
  for (int64_t i = 0; i < n; ++i)
    lanes[i] = frame.loop[in.immediate] + step * i;
}

void runExtract(const Instruction &in, Frame &frame, int64_t n) {
  const TensorBytes &tensor = frame.captured[in.immediate];
  ArrayRef<int64_t> shape = tensor.type.getShape();
  int64_t at[kLanes] = {};
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t *index = frame.lanes<int64_t>(in.operands[d]);
    for (int64_t i = 0; i < n; ++i) {
      if (index[i] < 0 || index[i] >= shape[d]) {
        frame.outOfRange = true;
        return;
      }
      at[i] = at[i] * shape[d] + index[i];
    }
  }
  int64_t bytes = in.format.bytes();
  alignas(8) uint8_t row[kLanes * 8];
  for (int64_t i = 0; i < n; ++i)
    std::memcpy(row + i * bytes, tensor.data.data() + at[i] * bytes, bytes);
  loadLanes(in.format, row, 1, frame, in.result, n);
}

} // namespace mtc::mt
