//===- Warp.h - what the lanes of a warp do together ----------------------===//
//
// Operations that all 32 lanes of a warp enter with registers and leave with results: shuffles and
// products of small matrices. Nothing here knows of memory or of scheduling.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Launch.h"

#include <array>
#include <span>

namespace mtc::emulator {

inline constexpr int64_t warpThreads = 32;

/// What a lane brings to an operation of its warp, and takes from it.
struct WarpCall {
  enum class Kind { Shuffle, LoadMatrix, Multiply };
  Kind kind = Kind::Shuffle;
  int32_t variant = 0; ///< ShuffleMode, MultiplyKind, or of ldmatrix the number of matrices
  std::array<int32_t, 10> operands = {};
  std::array<int32_t, 4> results = {};
};

/// Shuffles the lanes of a warp: operands {value, operand, width}, results {value, isValid}.
void shuffle(std::span<WarpCall *> lanes);

/// The bits of an element of a factor, as it is stored.
struct ElementFormat {
  int64_t bits;
  int64_t terms() const { return 256 / bits; } ///< that one product adds
  int64_t perRegister() const { return 32 / bits; }
};
ElementFormat formatOf(MultiplyKind kind);
bool isUnsignedA(MultiplyKind kind);
bool isUnsignedB(MultiplyKind kind);

/// Element `part` of a register; `isUnsigned` of bytes.
double elementOf(MultiplyKind kind, uint32_t bits, int64_t part, bool isUnsigned);

/// False for a word that is no number of tf32: its low 13 bits must be zeros. NaN may have any.
bool isRoundedElement(MultiplyKind kind, uint32_t bits);

/// Multiplies: operands {a0..a3, b0..b1, c0..c3}, results {d0..d3}. Returns what is wrong with the
/// operands, or null. Shapes: 32 lanes.
const char *multiply(std::span<WarpCall *> lanes);

/// Which row of 16 bytes, and which of its bytes, hold byte `byte` of register `result` of `lane`
/// after ldmatrix. The row's address is that of the lane with this number.
struct MatrixByte {
  int64_t row, byte;
};
MatrixByte matrixByte(int64_t lane, int64_t result, int64_t byte, bool isTransposed);

} // namespace mtc::emulator
