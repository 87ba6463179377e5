//===- Contraction.h - matrix products, convolutions, pooling by strides --===//
//
// One view of everything that reduces windows or products into a contiguous result: loops with a
// stride in each tensor. A product of matrices, a convolution of any rank, stride and dilation, a
// depthwise one, pooling and attention's products differ in those numbers only.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Buffers.h"

#include "mtc/Codegen/Host/HostTarget.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mtc::host {

/// A tensor that the kernel reads or writes. Strides per loop are in Loop.
struct Operand {
  int storage = -1; ///< -1: not in memory (see scalar); -2: the contraction's own result
  mlir::Value scalar;
  int64_t offset = 0; ///< elements
  mlir::Value from;   ///< elements more, where it is a part of another kernel's tensor; or null
  int64_t panel = 0;  ///< > 0: packed along n in panels of this many
  int64_t panelStride = 0;
  bool isSigned = true; ///< how an integer is extended to the accumulators' width
  int64_t zero = 0;     ///< what is subtracted from it then
};

struct Loop {
  int64_t extent = 1;
  bool isReduction = false;
  bool alive = true;                  ///< false: one trip, or merged into another
  llvm::SmallVector<int64_t> strides; ///< per operand: inputs, epilogue inputs, outputs
};

/// A padded dimension of the input: 0 <= outer * scale + inner * dilation - low < size, else the
/// element contributes nothing.
struct Window {
  int64_t outer = -1, inner = -1; ///< loops; inner may be -1
  int64_t scale = 1, dilation = 1, low = 0, size = 0;
};

/// An operand of a concatenation that an input is: what it gives to a sum along the loop on which
/// they lie side by side.
struct Part {
  int64_t input = 0; ///< an operand of its own
  int64_t extent = 0;
};

struct Contraction {
  BufferPlan plan;
  mlir::linalg::LinalgOp op, epilogue; ///< epilogue may be null
  bool isProduct = false;              ///< acc + a * b, else combine(acc, f(a))
  mlir::Type element;                  ///< of the accumulators
  mlir::Value initial;                 ///< what the accumulators start from
  llvm::SmallVector<Operand, 8> operands;
  int64_t inputs = 0, epilogueInputs = 0, outputs = 0; ///< inputs: with all parts
  llvm::SmallVector<Loop, 8> loops;
  llvm::SmallVector<Window> windows;
  int64_t partsLoop = -1;           ///< the reduction along which an input has parts; -1: none
  llvm::SmallVector<Part> parts;    ///< of that input, in the order of the loop
  int64_t n = -1;                   ///< the loop that becomes vectors
  int64_t m = -1;                   ///< the loop that becomes the rows of a register tile; -1: none
  llvm::SmallVector<int64_t> batch; ///< outer loops along which the vector operand varies
  llvm::SmallVector<int64_t> rows;  ///< other outer loops, outermost first
  llvm::SmallVector<int64_t> reductions; ///< in the order of accumulation
  int64_t vectorInput = -1;    ///< the input read as vectors and shared by all rows; -1: none
  bool packs = false;          ///< a tile packs it into scratch first, contiguous along n
  bool vectorRows = false;     ///< the other input is read as vectors too (depthwise, pooling)
  bool spillsEpilogue = false; ///< its body is long: it loops over accumulators in memory
  /// Products of bytes that are summed four at a time (see DotProduct.h): the reduction whose four
  /// neighbours they are, counted in groups. Both inputs hold the groups side by side, but for one
  /// that is packed. -1: one at a time.
  int64_t groups = -1;
  int64_t groupTail = 0;   ///< numbers in the last group, if not four
  int64_t groupStride = 0; ///< bytes between neighbours of the vector input before it is packed
  /// > 0: the vector input is a weight in that many parts of bf16 (mt::SplitWeight), of
  /// `splitDepth` products each, which only matrix tiles take. Its strides along reductions are
  /// then 16 times the place of a product.
  int64_t splitParts = 0, splitDepth = 0;

  int64_t extent(int64_t loop) const { return loop < 0 ? 1 : loops[loop].extent; }
  int64_t stride(int64_t operand, int64_t loop) const {
    return loop < 0 ? 0 : loops[loop].strides[operand];
  }
  int64_t output(int64_t i) const { return inputs + epilogueInputs + i; }
  /// Whether vectors of `lanes` columns of an operand begin at multiples of `lanes`.
  bool isAligned(int64_t operand, int64_t lanes) const;
  int64_t accumulatorBytes() const { return elementBytes(element); }
  const Window *windowOfOuter(int64_t loop) const;
  const Window *windowOfInner(int64_t loop) const;
  int64_t product(llvm::ArrayRef<int64_t> which) const;
};

/// How a contraction is cut: the config of a variant.
struct Tiling {
  int64_t lanes = 16;    ///< of a vector
  int64_t mr = 1;        ///< rows of a register tile
  int64_t nv = 1;        ///< vectors of a register tile
  int64_t rowBlock = 1;  ///< indices of `rows` per tile
  int64_t stepBlock = 1; ///< register tiles along m per tile
  int64_t order = 0;     ///< 1: tiles of the same columns follow each other, else of the same rows
  int64_t unroll = 1;    ///< products of the innermost loop that are written out
  int64_t ahead = 0;     ///< 1: what misses a core's own caches is fetched ahead (FetchAhead.h)
};

/// Where the register tiles along m lie: edges are unrolled, the inside loops.
struct Segments {
  llvm::SmallVector<std::pair<int64_t, int64_t>> left, right; ///< (start, rows)
  int64_t inside = 0;                                         ///< first row inside
  int64_t steps = 0;                                          ///< register tiles inside
  bool clipped = false; ///< edges row by row, with loops over the window's valid part
};
Segments segmentsOf(const Contraction &c, int64_t mr);

/// Whether an instruction that multiplies may read a vector of weights from memory.
bool mayReadInPlace(const Contraction &c);

/// Number of independent tiles and bytes of scratch.
int64_t tilesOf(const Contraction &c, const Tiling &t);
int64_t scratchOf(const Contraction &c, const Tiling &t);
/// Bytes of one lane of a step in the scratch that a tile packs into; 0: it does not.
int64_t packedBytes(const Contraction &c);

/// Analyses `kernel`; fails, without an error, if it is no such contraction.
mlir::FailureOr<Contraction> analyseContraction(mt::KernelOp kernel);

/// The register tile with the least modelled cycles and tiles of some microseconds.
Tiling chooseTiling(const Contraction &c, const HostTarget &target);

} // namespace mtc::host
