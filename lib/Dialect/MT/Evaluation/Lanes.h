//===- Lanes.h - scalar operations over rows of elements ------------------===//
//
// The body of a linalg operation is evaluated one operation at a time over a row of up to 512
// elements: interpretation costs a call per row instead of per element, and the loops inside
// vectorize. A register is such a row, in one of three forms: float (f32, and f16 and bf16 rounded
// after every operation), double (f64) and int64_t (integers and index, sign-extended from their
// width; bool and i1 are 0 or 1).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/Evaluation/Evaluate.h"

#include <vector>

namespace mtc::mt {

constexpr int64_t kLanes = 512;

/// How an element type lies in memory and in a register.
struct Format {
  enum class Lane : uint8_t { Float, Double, Int };
  Lane lane = Lane::Int;
  bool isBf16 = false;
  int bits = 64; ///< of the type; index has 64

  /// Fails if the type has no lanes (Unsupported).
  static StatusOr<Format> of(mlir::Type elementType);
  int64_t bytes() const { return bits <= 8 ? 1 : bits / 8; }
};

/// Registers and what else an operation may look at.
struct Frame {
  explicit Frame(size_t registers) : storage(registers * kLanes) {}
  template <typename T> T *lanes(int32_t index) {
    return reinterpret_cast<T *>(storage.data() + index * kLanes);
  }

  std::vector<uint64_t> storage;
  std::vector<TensorBytes> captured; ///< tensors that tensor.extract reads
  llvm::SmallVector<int64_t> loop;   ///< indices of the loops at the first lane
  int32_t laneDim = -1;              ///< the loop that runs over the lanes
  bool outOfRange = false;           ///< some tensor.extract was
};

/// One scalar operation over a row.
struct Instruction {
  void (*run)(const Instruction &, Frame &, int64_t lanes) = nullptr;
  int32_t result = 0;
  llvm::SmallVector<int32_t, 3> operands;
  Format format;         ///< of the result
  Format source;         ///< of the first operand
  int64_t immediate = 0; ///< predicate, dimension or captured tensor
};

/// The instruction for an arith or math operation; registers are filled in by the caller.
/// Fails if the operation is not known (Unsupported).
StatusOr<Instruction> selectInstruction(mlir::Operation *op);

/// linalg.index and tensor.extract.
void runIndex(const Instruction &, Frame &, int64_t lanes);
void runExtract(const Instruction &, Frame &, int64_t lanes);

/// Between memory and a register; `stride` in elements, 0 repeats one element.
void loadLanes(Format format, const uint8_t *src, int64_t stride, Frame &frame, int32_t reg,
               int64_t lanes);
void storeLanes(Format format, Frame &frame, int32_t reg, uint8_t *dst, int64_t stride,
                int64_t lanes);

/// Fills a register with a constant.
void splatLanes(Format format, mlir::Attribute value, Frame &frame, int32_t reg);

/// Writes a scalar attribute's bytes (at most 8).
void storeScalar(Format format, mlir::Attribute value, uint8_t *dst);

} // namespace mtc::mt
