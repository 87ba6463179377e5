//===- Warp.cpp - what the lanes of a warp do together --------------------===//
#include "Warp.h"

#include <bit>

namespace mtc::emulator {

/// shfl.sync with all lanes of the warp (PTX ISA 9.7.9.6): lane j of a segment of `width` lanes
/// reads lane j ^ b, j - b, j + b or b; a source outside the segment leaves a lane its own value.
void shuffle(std::span<WarpCall *> lanes) {
  const auto count = int64_t(lanes.size());
  for (int64_t lane = 0; lane < count; ++lane) {
    WarpCall &call = *lanes[lane];
    const int64_t operand = call.operands[1], width = call.operands[2];
    const int64_t base = lane & ~(width - 1);
    int64_t source = 0;
    switch (static_cast<ShuffleMode>(call.variant)) {
    case ShuffleMode::Xor:
      source = lane ^ operand;
      break;
    case ShuffleMode::Up:
      source = lane - operand;
      break;
    case ShuffleMode::Down:
      source = lane + operand;
      break;
    case ShuffleMode::Index:
      source = base + (operand & (width - 1));
      break;
    }
    const bool isValid = source >= base && source < base + width && source < count;
    call.results = {lanes[isValid ? source : lane]->operands[0], isValid};
  }
}

namespace {

/// The bits moved to where a float has them, with 2^112 for the larger bias of its exponent, which
/// makes denormals right, too.
double halfOf(uint32_t bits) {
  const uint32_t magnitude = (bits & 0x7FFF) << 13, sign = (bits & 0x8000) << 16;
  if (magnitude >= 0x1F << 23) // infinity, or not a number
    return std::bit_cast<float>(sign | 0x7F800000 | (magnitude & 0x7FFFFF));
  const float value = std::bit_cast<float>(magnitude) * 0x1p112f;
  return sign ? -value : value;
}

} // namespace

ElementFormat formatOf(MultiplyKind kind) {
  switch (kind) {
  case MultiplyKind::TF32:
    return {32};
  case MultiplyKind::F16:
  case MultiplyKind::BF16:
    return {16};
  default:
    return {8};
  }
}

bool isUnsignedA(MultiplyKind kind) {
  return kind == MultiplyKind::U8S8 || kind == MultiplyKind::U8U8;
}
bool isUnsignedB(MultiplyKind kind) {
  return kind == MultiplyKind::S8U8 || kind == MultiplyKind::U8U8;
}

double elementOf(MultiplyKind kind, uint32_t bits, int64_t part, bool isUnsigned) {
  switch (kind) {
  case MultiplyKind::TF32:
    return std::bit_cast<float>(bits);
  case MultiplyKind::F16:
    return halfOf(bits >> 16 * part & 0xFFFF);
  case MultiplyKind::BF16:
    return std::bit_cast<float>(bits >> 16 * part << 16);
  default:
    return isUnsigned ? double(uint8_t(bits >> 8 * part)) : double(int8_t(bits >> 8 * part));
  }
}

bool isRoundedElement(MultiplyKind kind, uint32_t bits) {
  const bool isNan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return kind != MultiplyKind::TF32 || !(bits & 0x1FFF) || isNan;
}

/// mma.sync.aligned.row.col (PTX ISA 9.7.14.5.14) of shapes m16n8k8 (.tf32), m16n8k16 (.f16, .bf16)
/// and m16n8k32 (.s8, .u8). Fragments (9.7.14.5.7, .8 and .10): with group = lane / 4 and t = lane
/// % 4, and p elements to a register, register r of A holds row group + 8 (r % 2), columns p t + 4
/// p (r / 2) and following; of B rows p t + 4 p r and following, column group; C and D have row
/// group
/// + 8 (r / 2), column 2 t + r % 2. The order of a sum and roundings inside of it are not promised:
/// here sums are exact to a double and rounded once. Integers wrap.
const char *multiply(std::span<WarpCall *> lanes) {
  const auto kind = static_cast<MultiplyKind>(lanes[0]->variant);
  const ElementFormat format = formatOf(kind);
  const int64_t p = format.perRegister(), terms = format.terms();
  const bool isInteger = format.bits == 8;
  const bool aUnsigned = isUnsignedA(kind), bUnsigned = isUnsignedB(kind);
  double a[16][32], b[32][8];
  for (int64_t lane = 0; lane < warpThreads; ++lane) {
    const int64_t group = lane / 4, t = lane % 4;
    for (int64_t r = 0; r < 6; ++r) {
      const auto bits = uint32_t(lanes[lane]->operands[r]);
      if (!isRoundedElement(kind, bits))
        return "multiplies a number that was not rounded to tf32";
      for (int64_t part = 0; part < p; ++part)
        if (r < 4)
          a[group + 8 * (r % 2)][p * t + part + 4 * p * (r / 2)] =
              elementOf(kind, bits, part, aUnsigned);
        else
          b[p * t + part + 4 * p * (r - 4)][group] = elementOf(kind, bits, part, bUnsigned);
    }
  }
  for (int64_t row = 0; row < 16; ++row) {
    double sums[8] = {};
    for (int64_t k = 0; k < terms; ++k)
      for (int64_t column = 0; column < 8; ++column)
        sums[column] += a[row][k] * b[k][column];
    for (int64_t column = 0; column < 8; ++column) {
      WarpCall &call = *lanes[row % 8 * 4 + column / 2];
      const int64_t r = row / 8 * 2 + column % 2;
      const int32_t c = call.operands[6 + r];
      call.results[r] = isInteger
                            ? int32_t(uint32_t(c) + uint32_t(int32_t(sums[column])))
                            : std::bit_cast<int32_t>(float(std::bit_cast<float>(c) + sums[column]));
    }
  }
  return nullptr;
}

/// ldmatrix.sync.aligned.m8n8.b16 (PTX ISA 9.7.14.5.15): lanes 8 i to 8 i + 7 hold the addresses of
/// the rows of matrix i; register i of a lane gets elements 2 (lane % 4) and the next of row lane /
/// 4, and with .trans the same of the transposed matrix.
MatrixByte matrixByte(int64_t lane, int64_t result, int64_t byte, bool isTransposed) {
  const int64_t row = lane / 4, column = 2 * (lane % 4) + byte / 2;
  return isTransposed ? MatrixByte{8 * result + column, 2 * row + byte % 2}
                      : MatrixByte{8 * result + row, 2 * column + byte % 2};
}

} // namespace mtc::emulator
