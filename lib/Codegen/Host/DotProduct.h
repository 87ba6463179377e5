//===- DotProduct.h - multiply and add at vector level --------------------===//
//
// What one step of a contraction does to a vector of accumulators, for floats, for integers of any
// width, and for groups of four bytes: of those, each lane sums four products in one instruction
// where the target has it (VNNI), in two multiplications of pairs otherwise. All of them are exact
// modulo the accumulators' width: nothing saturates.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Emitter.h"

#include "mtc/Codegen/Host/HostTarget.h"

namespace mtc::host {

/// Whether `target` sums products of four bytes in one instruction.
bool hasByteDotProduct(const HostTarget &target);

/// Bytes of four to a lane, ready for dotProduct: as they are, or as two vectors of 16-bit numbers.
struct ByteGroups {
  mlir::Value bytes, even, odd;
};

/// The group at memory[at ...] in every lane, with `numbers` bytes (0: four) before what is 0.
mlir::Value groupAt(Emitter &e, mlir::Value memory, mlir::Value at, int64_t numbers, int64_t lanes);

/// Prepares `bytes` (vector<4 * lanes x i8>).
ByteGroups prepareGroups(Emitter &e, mlir::Value bytes, bool isSigned, bool hasInstruction);

/// acc + the sum of the four products in each lane. One side is signed, the other is not;
/// `hasInstruction` as in prepareGroups. Shapes: acc and result vector<lanes x i32>, lanes 8 or 16.
mlir::Value dotProduct(Emitter &e, mlir::Value acc, const ByteGroups &unsignedSide,
                       const ByteGroups &signedSide, bool hasInstruction);

/// acc + x * y, elementwise, of equal types.
mlir::Value multiplyAdd(Emitter &e, mlir::Value x, mlir::Value y, mlir::Value acc);

} // namespace mtc::host
